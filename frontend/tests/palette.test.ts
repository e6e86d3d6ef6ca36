import assert from "node:assert/strict";
import { test } from "node:test";
import { stepped } from "../palette";

test("the mark goes round at both ends", () => {
  assert.equal(stepped(0, -1, 3), 2);
  assert.equal(stepped(2, 1, 3), 0);
});

test("the first step goes to the first or the last, and nowhere in an empty list", () => {
  assert.deepEqual([stepped(-1, 1, 3), stepped(-1, -1, 3), stepped(-1, 1, 0)], [0, 2, -1]);
});
