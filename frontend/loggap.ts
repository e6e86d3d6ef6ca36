// Markers of lost lines: the log holds a code and times, the sentence is the page's (portal/core/loggaps.py).
import type { Texts } from "./texts";

export interface Gap {
  code: string;
  from?: number;
  to?: number;
}

const CODES = new Set(["rotated", "removed", "gone", "unread"]);

export function parseGap(stored: string): Gap {
  try {
    const gap = JSON.parse(stored) as Partial<Gap> | null;
    if (gap && typeof gap.code === "string" && CODES.has(gap.code)) return gap as Gap;
  } catch {
    return { code: "unknown" };
  }
  return { code: "unknown" };
}

export function gapText(gap: Gap, texts: Texts, stamp: (timeMs: number) => string): string {
  const shown = (timeMs: number | undefined) => (timeMs === undefined ? "?" : stamp(timeMs));
  return texts(`gap_${gap.code}`, { from: shown(gap.from), to: shown(gap.to) });
}
