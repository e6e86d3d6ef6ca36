// Decides which lines of a frame are new and what is missing before them. Pure: the viewer draws the outcome.

export interface Range {
  from: number;
  to: number;
}

export interface Accepted<L> {
  hole: Range | null;
  lines: L[];
}

export class Sequence {
  // `last` is the newest sequence number that is drawn or covered by a marker; 0 before the first.
  constructor(public last: number) {}

  // Every number up to `to` counts as seen afterwards: the caller draws `hole` as missing and fetches it.
  accept<L extends readonly [number, ...unknown[]]>(from: number, to: number, lines: readonly L[]): Accepted<L> {
    if (to <= this.last) return { hole: null, lines: [] };
    const hole = this.holeBefore(from);
    const fresh: L[] = [];
    let newest = Math.max(this.last, from - 1);
    for (const line of lines) {
      if (line[0] <= newest || line[0] > to) continue;
      fresh.push(line);
      newest = line[0];
    }
    this.last = to;
    return { hole, lines: fresh };
  }

  // The server left a range out for this viewer. Returns what of it was not seen before.
  skip(from: number, to: number): Range | null {
    if (to <= this.last) return null;
    const start = Math.min(from, this.last + 1);
    const range = { from: Math.max(start, this.last + 1), to };
    this.last = to;
    return range;
  }

  private holeBefore(from: number): Range | null {
    return from > this.last + 1 ? { from: this.last + 1, to: from - 1 } : null;
  }
}

// Lines of a fetched range that belong into a hole, in order and once each.
export function within<L extends readonly [number, ...unknown[]]>(hole: Range, lines: readonly L[]): L[] {
  const chosen = lines.filter((line) => line[0] >= hole.from && line[0] <= hole.to).sort((a, b) => a[0] - b[0]);
  return chosen.filter((line, index) => index === 0 || line[0] !== chosen[index - 1]?.[0]);
}
