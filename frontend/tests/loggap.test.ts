import assert from "node:assert/strict";
import { test } from "node:test";
import { gapText, parseGap } from "../loggap";
import { fill } from "../texts";

const german: Record<string, string> = { gap_rotated: "Es fehlt {from} bis {to}", gap_unknown: "Es fehlt etwas" };
const texts = (key: string, values = {}) => fill(german[key] ?? key, values);
const stamp = (timeMs: number) => `${timeMs} ms`;

test("a marker is told in the page's language, with its times as the reader shows them", () => {
  assert.equal(gapText(parseGap('{"code":"rotated","from":1000,"to":2000}'), texts, stamp), "Es fehlt 1000 ms bis 2000 ms");
});

test("a time that is not known is a question mark", () => {
  assert.equal(gapText(parseGap('{"code":"rotated","to":2000}'), texts, stamp), "Es fehlt ? bis 2000 ms");
});

test("a marker of a later version or none at all still says that lines are missing", () => {
  for (const stored of ['{"code":"later"}', "not json", "null", "[]", '{"code":7}', ""]) {
    assert.equal(gapText(parseGap(stored), texts, stamp), "Es fehlt etwas");
  }
});
