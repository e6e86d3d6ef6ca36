import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { decodeFrame } from "../logframe";

const frame = { from: 7, to: 8, lines: [[7, 1000, 1, "r0", "main", "训练 one", 0], [8, 1001, 1, "r0", "main", "two", 0]] };
const body = Buffer.from(JSON.stringify(frame), "utf8");

function bytes(flags: number, rest: Uint8Array): ArrayBuffer {
  const whole = new Uint8Array(rest.length + 1);
  whole[0] = flags;
  whole.set(rest, 1);
  return whole.buffer;
}

test("a plain frame is read", async () => {
  assert.deepEqual(await decodeFrame(bytes(0, body)), frame);
});

test("a deflated frame is read", async () => {
  assert.deepEqual(await decodeFrame(bytes(1, deflateSync(body))), frame);
});

test("a frame with flags of a later version is refused, not misread", async () => {
  await assert.rejects(decodeFrame(bytes(2, body)), /flags/);
});

test("an empty or malformed frame is refused", async () => {
  await assert.rejects(decodeFrame(new ArrayBuffer(0)));
  await assert.rejects(decodeFrame(bytes(0, Buffer.from('{"from":1}'))), /not a log frame/);
  await assert.rejects(decodeFrame(bytes(1, body)));
});
