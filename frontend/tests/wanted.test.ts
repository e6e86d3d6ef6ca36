import assert from "node:assert/strict";
import { test } from "node:test";
import { placeAmong, Wanted } from "../wanted";

test("a list of active work asks for no row that has ended", () => {
  const wanted = new Wanted(true, ["queued", "running"]);
  assert.equal(wanted.asksFor("a", "queued"), true);
  assert.equal(wanted.asksFor("a", "succeeded"), false);
});

test("a row that does not fit is asked for once", () => {
  const wanted = new Wanted(true, []);
  wanted.answered("a", "queued", false);
  wanted.answered("b", null, false);
  assert.equal(wanted.asksFor("a", "running"), false);
  assert.equal(wanted.asksFor("b", "running"), false);
  assert.equal(wanted.asksFor("c", "running"), true);
});

test("a row that only went past the wanted state is asked for again", () => {
  const wanted = new Wanted(true, ["running"]);
  wanted.answered("a", "stopping", false);
  assert.equal(wanted.asksFor("a", "running"), true);
});

test("a row that fits is asked for again", () => {
  const wanted = new Wanted(true, []);
  wanted.answered("a", "queued", true);
  assert.equal(wanted.asksFor("a", "running"), true);
});

test("later pages take no row", () => {
  assert.equal(new Wanted(false, []).asksFor("a", "queued"), false);
});

test("rows stand newest first in whatever order they come", () => {
  assert.equal(placeAmong(5, []), -1);
  assert.equal(placeAmong(5, [4, 3]), 0);
  assert.equal(placeAmong(3.5, [4, 3]), 1);
  assert.equal(placeAmong(1, [4, 3]), -1);
});
