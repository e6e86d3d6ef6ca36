// Reads stored lines over HTTP. Both bounds are always given, so the answer is one known range.
import type { WireLine } from "./logframe";
import type { Range } from "./sequence";

export const PAGE_LINES = 1000;

export function linesUrl(base: string, range: Range, limit: number): string {
  const url = new URL(base, location.href);
  url.searchParams.set("after", String(range.from - 1));
  url.searchParams.set("before", String(range.to + 1));
  url.searchParams.set("limit", String(limit));
  return url.href;
}

export async function fetchLines(base: string, range: Range): Promise<WireLine[]> {
  const limit = Math.min(range.to - range.from + 1, PAGE_LINES);
  const response = await fetch(linesUrl(base, range, limit), { headers: { Accept: "application/json" }, cache: "no-store" });
  if (!response.ok) throw new Error(`lines answered ${response.status}`);
  const loaded = (await response.json()) as WireLine[] | { lines: WireLine[] };
  return Array.isArray(loaded) ? loaded : loaded.lines;
}

// What an answer covers: up to its last line, or all that was asked for when it is not a full page.
export function coveredBy(asked: Range, lines: readonly WireLine[]): Range {
  const last = lines.at(-1);
  const whole = asked.to - asked.from + 1;
  return { from: asked.from, to: last && lines.length < whole ? last[0] : asked.to };
}
