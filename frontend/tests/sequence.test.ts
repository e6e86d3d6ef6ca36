import assert from "node:assert/strict";
import { test } from "node:test";
import { coveredBy } from "../logfetch";
import type { WireLine } from "../logframe";
import { Sequence, within } from "../sequence";

type Line = [number, string];
const lines = (from: number, to: number): Line[] =>
  Array.from({ length: to - from + 1 }, (_, index) => [from + index, `line ${from + index}`]);
const seqs = (found: readonly Line[]) => found.map(([seq]) => seq);

test("lines in order are all new", () => {
  const sequence = new Sequence(0);
  const { hole, lines: fresh } = sequence.accept(1, 3, lines(1, 3));
  assert.equal(hole, null);
  assert.deepEqual(seqs(fresh), [1, 2, 3]);
  assert.equal(sequence.last, 3);
});

test("a frame that was seen before adds nothing", () => {
  const sequence = new Sequence(5);
  assert.deepEqual(sequence.accept(2, 5, lines(2, 5)), { hole: null, lines: [] });
  assert.equal(sequence.last, 5);
});

test("of an overlapping frame only the rest is new", () => {
  const sequence = new Sequence(5);
  assert.deepEqual(seqs(sequence.accept(3, 7, lines(3, 7)).lines), [6, 7]);
});

test("a jump leaves a hole of exactly the missing numbers", () => {
  const sequence = new Sequence(5);
  const { hole, lines: fresh } = sequence.accept(9, 10, lines(9, 10));
  assert.deepEqual(hole, { from: 6, to: 8 });
  assert.deepEqual(seqs(fresh), [9, 10]);
  assert.deepEqual(sequence.accept(11, 11, lines(11, 11)).hole, null);
});

test("a line that comes twice inside one frame is drawn once", () => {
  const sequence = new Sequence(0);
  assert.deepEqual(seqs(sequence.accept(1, 2, [[1, "a"], [1, "a"], [2, "b"]]).lines), [1, 2]);
});

test("a skip covers also what is missing before it, and only what is new", () => {
  const sequence = new Sequence(5);
  assert.deepEqual(sequence.skip(8, 20), { from: 6, to: 20 });
  assert.equal(sequence.skip(10, 20), null);
  assert.deepEqual(sequence.skip(15, 25), { from: 21, to: 25 });
  assert.deepEqual(seqs(sequence.accept(26, 26, lines(26, 26)).lines), [26]);
});

test("whatever order frames come in, each number is drawn once or is in a hole", () => {
  let seed = 7;
  const random = (limit: number) => (seed = (seed * 48271) % 2147483647) % limit;
  for (let round = 0; round < 500; round += 1) {
    const sequence = new Sequence(0);
    const seen: number[] = [];
    for (let step = 0; step < 20; step += 1) {
      const from = 1 + random(40);
      const to = from + random(6);
      const { hole, lines: fresh } = sequence.accept(from, to, lines(from, to));
      if (hole) for (let seq = hole.from; seq <= hole.to; seq += 1) seen.push(seq);
      seen.push(...seqs(fresh));
    }
    assert.deepEqual(seen, Array.from({ length: sequence.last }, (_, index) => index + 1));
  }
});

test("fetched lines are cut to their hole, sorted, and kept once", () => {
  const fetched: Line[] = [[9, "i"], [7, "g"], [7, "g"], [5, "e"], [8, "h"], [12, "l"]];
  assert.deepEqual(seqs(within({ from: 6, to: 9 }, fetched)), [7, 8, 9]);
});

test("a short page covers up to its last line, a full one all that was asked for", () => {
  const wire = (from: number, to: number) => lines(from, to).map(([seq, text]): WireLine => [seq, 0, 1, "r0", "main", text, 0]);
  assert.deepEqual(coveredBy({ from: 1, to: 10 }, wire(1, 4)), { from: 1, to: 4 });
  assert.deepEqual(coveredBy({ from: 1, to: 4 }, wire(1, 4)), { from: 1, to: 4 });
});
