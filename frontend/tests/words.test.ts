import assert from "node:assert/strict";
import { test } from "node:test";
import { hitsIn, pattern } from "../logsearch";
import { durationText, relativeText } from "../reltime";
import { backoffMs, isFinal } from "../socket";
import { fill } from "../texts";

const patterns: Record<string, string> = {
  seconds: "{n} s", minutes: "{n} min", hours: "{n} h", hours_minutes: "{h} h {m} min", days: "{n} d", days_hours: "{d} d {h} h",
  ago: "{span} ago", ahead: "in {span}", now: "just now",
};
const texts = (key: string, values: Record<string, string | number> = {}) => fill(patterns[key] ?? key, values);

test("spans read as on the server", () => {
  const cases: [number, string][] = [[-5, "0 s"], [59.9, "59 s"], [60, "1 min"], [3600, "1 h"], [8040, "2 h 14 min"], [86_400, "1 d"], [273_600, "3 d 4 h"]];
  for (const [seconds, text] of cases) assert.equal(durationText(seconds, texts), text);
  assert.equal(relativeText(90, texts), "1 min ago");
  assert.equal(relativeText(-7200, texts), "in 2 h");
  assert.equal(relativeText(0, texts), "just now");
});

test("a pattern keeps what it has no value for", () => {
  assert.equal(fill("{a} of {b}", { a: 1 }), "1 of {b}");
});

test("the back-off grows, is jittered and bounded", () => {
  assert.equal(backoffMs(0, () => 0), 250);
  assert.equal(backoffMs(0, () => 1), 500);
  assert.equal(backoffMs(3, () => 0), 2000);
  assert.equal(backoffMs(50, () => 1), 20_000);
});

test("only a refusal ends the reconnecting", () => {
  assert.deepEqual([4401, 4403, 4404, 4408, 1006, 1012, 1000].map(isFinal), [true, true, true, false, false, false, false]);
});

test("search takes its text literally and finds every hit with its place", () => {
  const rows = [{ plain: "a.b A.B" }, { plain: "axb" }];
  const found = hitsIn(rows, pattern("a.b") as RegExp);
  assert.deepEqual(found.map(({ row, start, end }) => [rows.indexOf(row as { plain: string }), start, end]), [[0, 0, 3], [0, 4, 7]]);
  assert.equal(pattern(""), null);
});
