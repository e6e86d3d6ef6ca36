import assert from "node:assert/strict";
import { test } from "node:test";
import { Narrowing } from "../narrowing";

const line = { attempt: 2, pod: "r0", plain: "Loss 0.5" };

test("nothing narrowed keeps every line", () => {
  const all = new Narrowing({});
  assert.equal(all.on, false);
  assert.equal(all.keeps(line), true);
});

test("each part narrows, and letters may be large or small", () => {
  assert.equal(new Narrowing({ attempt: "2" }).keeps(line), true);
  assert.equal(new Narrowing({ attempt: "1" }).keeps(line), false);
  assert.equal(new Narrowing({ pod: "r1" }).keeps(line), false);
  assert.equal(new Narrowing({ text: "lOSS" }).keeps(line), true);
  assert.equal(new Narrowing({ text: "gain" }).keeps(line), false);
});

test("a marker of lost lines stays whatever the text", () => {
  assert.equal(new Narrowing({ text: "gain" }).keeps({ ...line, gap: {} }), true);
});
