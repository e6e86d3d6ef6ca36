// Text search over the loaded lines. Hits are drawn by the browser's highlight registry: no markup changes.
import type { Row } from "./logrow";

const DRAWN_HITS = 5000;

export interface Hit {
  row: Row;
  start: number;
  end: number;
}

export function pattern(query: string): RegExp | null {
  return query === "" ? null : new RegExp(query.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "giu");
}

export function hitsIn<R extends { plain: string }>(rows: Iterable<R>, find: RegExp): { row: R; start: number; end: number }[] {
  const hits = [];
  for (const row of rows) {
    for (const match of row.plain.matchAll(find)) {
      hits.push({ row, start: match.index, end: match.index + match[0].length });
    }
  }
  return hits;
}

export class LogSearch {
  private find: RegExp | null = null;
  private hits: Hit[] = [];
  private at = -1;

  get active(): boolean {
    return this.find !== null;
  }

  get total(): number {
    return this.hits.length;
  }

  // Position of the current hit, counted from 1; 0 when there is none.
  get position(): number {
    return this.at + 1;
  }

  // Searches anew. The current hit stays on its line where it can, else it is the last one, next to what is new.
  run(query: string, rows: Iterable<Row>): Hit | null {
    const before = this.hits[this.at]?.row;
    this.find = pattern(query);
    this.hits = this.find ? hitsIn(rows, this.find) : [];
    const kept = before ? this.hits.findIndex((hit) => hit.row === before) : -1;
    this.at = kept >= 0 ? kept : this.hits.length - 1;
    this.draw();
    return this.hits[this.at] ?? null;
  }

  extend(rows: Iterable<Row>): void {
    if (!this.find) return;
    const more = hitsIn(rows, this.find);
    if (more.length === 0) return;
    for (const hit of more) this.hits.push(hit);
    if (this.at < 0) this.at = 0;
    this.draw();
  }

  step(by: 1 | -1): Hit | null {
    if (this.hits.length === 0) return null;
    this.at = (this.at + by + this.hits.length) % this.hits.length;
    this.draw();
    return this.hits[this.at] ?? null;
  }

  private draw(): void {
    if (!("highlights" in CSS)) return;
    const start = Math.max(0, Math.min(this.at - DRAWN_HITS / 2, this.hits.length - DRAWN_HITS));
    const drawn = this.hits.slice(start, start + DRAWN_HITS);
    const current = this.hits[this.at];
    CSS.highlights.set("log-hit", new Highlight(...drawn.filter((hit) => hit !== current).flatMap(rangesOf)));
    CSS.highlights.set("log-hit-current", new Highlight(...(current ? rangesOf(current) : [])));
  }
}

function rangesOf(hit: Hit): Range[] {
  const walker = document.createTreeWalker(hit.row.content, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  let passed = 0;
  let started = false;
  while (walker.nextNode()) {
    const node = walker.currentNode as Text;
    const end = passed + node.length;
    if (!started && hit.start < end) {
      range.setStart(node, hit.start - passed);
      started = true;
    }
    if (started && hit.end <= end) {
      range.setEnd(node, hit.end - passed);
      return [range];
    }
    passed = end;
  }
  return [];
}
