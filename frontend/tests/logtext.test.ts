import assert from "node:assert/strict";
import { test } from "node:test";
import cases from "../../tests/unit/core/logtext_cases.json";
import { levelOf, segmentsOf } from "../logtext";

for (const { name, text, segments } of cases) {
  test(`log text: ${name}`, () => {
    assert.deepEqual(segmentsOf(text).map((run) => [run.text, run.classes, run.control]), segments);
  });
}

test("the level is guessed from the words", () => {
  assert.equal(levelOf("ValueError: bad literal"), "err");
  assert.equal(levelOf("WARNING: slow ring"), "warn");
  assert.equal(levelOf("no errors, 0 warnings"), "");
});
