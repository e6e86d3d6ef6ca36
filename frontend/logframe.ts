// The wire format of the live log: byte 0 holds flags (bit 0: the rest is deflated), the rest is JSON.

export const KIND_LINE = 0;
export const KIND_GAP = 1; // its text is JSON, see loggap.ts
export const KIND_SPLIT = 2;
export const KIND_NOTE = 3;

export type WireLine = [seq: number, timeMs: number, attempt: number, pod: string, container: string, text: string, kind: number];

export interface LogFrame {
  from: number;
  to: number;
  lines: WireLine[];
}

export type Control =
  | { type: "hello"; seq: number; sealed: boolean }
  | { type: "skip"; from: number; to: number }
  | { type: "sealed" }
  | { type: "ping" };

const DEFLATED = 1;

export async function decodeFrame(data: ArrayBuffer): Promise<LogFrame> {
  const bytes = new Uint8Array(data);
  const flags = bytes[0];
  if (flags === undefined || (flags & ~DEFLATED) !== 0) throw new Error(`unknown frame flags ${flags}`);
  const body = bytes.subarray(1);
  const text = flags & DEFLATED ? await inflate(body) : new TextDecoder().decode(body);
  return checked(JSON.parse(text));
}

async function inflate(body: Uint8Array<ArrayBuffer>): Promise<string> {
  const stream = new Blob([body]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

function checked(value: unknown): LogFrame {
  const frame = value as Partial<LogFrame> | null;
  if (!frame || !Number.isInteger(frame.from) || !Number.isInteger(frame.to) || !Array.isArray(frame.lines)) {
    throw new Error("not a log frame");
  }
  return frame as LogFrame;
}
