// The drawn log: blocks of up to 1,000 lines and the holes between them, in order of sequence number.
import { element, icon } from "./dom";
import type { WireLine } from "./logframe";
import { type Clock, type Row, adoptRow, buildAttemptMark, buildRow, restamp } from "./logrow";
import type { Narrowing } from "./narrowing";
import { type Range, within } from "./sequence";
import { type Texts, counted } from "./texts";

export const BLOCK_LINES = 250;

interface Block {
  kind: "block";
  rows: Row[];
  element: HTMLElement;
}

export type Reason = "earlier" | "skipped" | "unloaded" | "gone";

export interface Hole extends Range {
  kind: "hole";
  reason: Reason;
  element: HTMLElement;
}

type Item = Block | Hole;

export class LogView {
  private items: Item[] = [];
  private clock: Clock = "local";
  private originMs = 0;
  private firstKept = 1;
  count = 0;
  empty = true;

  constructor(
    readonly container: HTMLElement,
    private readonly texts: Texts,
    private readonly load: (hole: Hole) => void,
    private readonly narrowing: Narrowing,
  ) {}

  // Takes over what the server drew; `firstKept` is the oldest line that can still be asked for.
  adopt(firstKept: number): void {
    this.firstKept = firstKept;
    const block = part(this.container);
    for (const drawn of block.element.querySelectorAll<HTMLElement>("[id^=L]")) {
      const row = adoptRow(drawn);
      if (row) block.rows.push(row);
    }
    this.items = [block];
    this.count = block.rows.length;
    this.empty = this.count === 0;
    const first = block.rows[0];
    if (first) this.originMs = first.timeMs;
    // What a narrowed page left out lies between its lines too: earlier ones are the server's to find, by its link.
    if (!this.narrowing.on) this.container.querySelector("[data-earlier]")?.remove();
    if (!this.narrowing.on && first && first.seq > firstKept) this.insert(0, this.makeHole({ from: firstKept, to: first.seq - 1 }, "earlier"));
    this.restamp();
  }

  get first(): Row | undefined {
    return this.blocks()[0]?.rows[0];
  }

  append(lines: readonly WireLine[]): Row[] {
    const added: Row[] = [];
    for (const line of lines) {
      const block = this.tail();
      added.push(this.put(block, line, this.lastRow()));
    }
    return added;
  }

  appendHole(range: Range, reason: Reason): Hole {
    const hole = this.makeHole(range, reason);
    this.insert(this.items.length, hole);
    return hole;
  }

  // Draws lines of `covered`, a part of the hole; what is left of the hole on either side stays one.
  fill(hole: Hole, covered: Range, lines: readonly WireLine[]): void {
    const index = this.items.indexOf(hole);
    if (index < 0) return;
    const kept = { from: Math.max(covered.from, hole.from), to: Math.min(covered.to, hole.to) };
    const parts: Item[] = [];
    if (kept.from > hole.from) parts.push(this.makeHole({ from: hole.from, to: kept.from - 1 }, hole.reason));
    parts.push(...this.blocksOf(within(kept, lines)));
    if (kept.to < hole.to) {
      const rest = hole.reason === "earlier" ? "unloaded" : hole.reason;
      parts.push(this.makeHole({ from: kept.to + 1, to: hole.to }, rest));
    }
    hole.element.replaceWith(...parts.map((item) => item.element));
    this.items.splice(index, 1, ...parts);
  }

  // Says that nothing of the hole can be had any more.
  giveUp(hole: Hole): void {
    const index = this.items.indexOf(hole);
    if (index < 0) return;
    const gone = this.makeHole(hole, "gone");
    hole.element.replaceWith(gone.element);
    this.items[index] = gone;
  }

  // Puts the oldest blocks away until at most `most` lines are drawn. Tells whether anything went.
  trim(most: number): boolean {
    let to = 0;
    while (this.count > most && this.blocks().length > 1) {
      const item = this.items.shift() as Item;
      item.element.remove();
      to = item.kind === "hole" ? item.to : (item.rows.at(-1)?.seq ?? to);
      if (item.kind === "block") this.count -= item.rows.length;
    }
    const from = this.firstKept;
    if (to >= from && to > 0 && !this.narrowing.on) this.insert(0, this.makeHole({ from, to }, "earlier"));
    return to > 0;
  }

  find(seq: number): Row | Hole | null {
    for (const item of this.items) {
      if (item.kind === "hole") {
        if (seq >= item.from && seq <= item.to) return item;
        continue;
      }
      const last = item.rows.at(-1);
      if (last && seq <= last.seq) return item.rows.find((row) => row.seq === seq) ?? null;
    }
    return null;
  }

  // The rows that are shown.
  *rows(): Iterable<Row> {
    for (const block of this.blocks()) for (const row of block.rows) if (!row.element.hidden) yield row;
  }

  topHole(): Hole | null {
    const top = this.items[0];
    return top?.kind === "hole" && top.reason !== "gone" ? top : null;
  }

  setClock(clock: Clock): void {
    this.clock = clock;
    this.restamp();
  }

  private restamp(): void {
    for (const row of this.rows()) restamp(row, this.texts, this.clock, this.originMs);
  }

  private blocks(): Block[] {
    return this.items.filter((item) => item.kind === "block");
  }

  private tail(): Block {
    const last = this.items.at(-1);
    if (last?.kind === "block" && last.rows.length < BLOCK_LINES) return last;
    if (last?.kind === "block") last.element.classList.add("full");
    const block: Block = { kind: "block", rows: [], element: element("div", "block") };
    this.insert(this.items.length, block);
    return block;
  }

  private lastRow(): Row | undefined {
    for (let index = this.items.length - 1; index >= 0; index -= 1) {
      const item = this.items[index];
      if (item?.kind === "block" && item.rows.length > 0) return item.rows.at(-1);
    }
    return undefined;
  }

  private put(block: Block, line: WireLine, before: Row | undefined): Row {
    if (this.count === 0) this.originMs = line[1];
    const row = buildRow(line, this.clock, this.originMs);
    if (row.gap) restamp(row, this.texts, this.clock, this.originMs);
    row.element.hidden = !this.narrowing.keeps(row);
    if (!row.element.hidden) this.empty = false;
    if (before && before.attempt !== row.attempt && !this.narrowing.on) {
      block.element.append(buildAttemptMark(row.attempt, this.texts));
    }
    block.element.append(row.element);
    block.rows.push(row);
    this.count += 1;
    return row;
  }

  private blocksOf(lines: readonly WireLine[]): Block[] {
    const made: Block[] = [];
    let before: Row | undefined;
    for (let start = 0; start < lines.length; start += BLOCK_LINES) {
      const block: Block = { kind: "block", rows: [], element: element("div", "block") };
      for (const line of lines.slice(start, start + BLOCK_LINES)) before = this.put(block, line, before);
      if (block.rows.length === BLOCK_LINES) block.element.classList.add("full");
      made.push(block);
    }
    return made;
  }

  private insert(index: number, item: Item): void {
    const next = this.items[index];
    if (next) next.element.before(item.element);
    else this.container.append(item.element);
    this.items.splice(index, 0, item);
  }

  private makeHole(range: Range, reason: Reason): Hole {
    const hole: Hole = { kind: "hole", from: range.from, to: range.to, reason, element: element("div") };
    drawHole(hole, this.texts, () => this.load(hole));
    return hole;
  }
}

function part(container: HTMLElement): Block {
  let drawn = container.querySelector<HTMLElement>(".block");
  if (!drawn) {
    drawn = element("div", "block");
    container.append(drawn);
  }
  return { kind: "block", rows: [], element: drawn };
}

function drawHole(hole: Hole, texts: Texts, load: () => void): void {
  const { element: root, reason } = hole;
  const lines = hole.to - hole.from + 1;
  if (reason === "gone") {
    root.className = "mark-line";
    root.append(icon("flag"), texts("gone"));
    return;
  }
  const button = element("button", reason === "earlier" ? "btn btn-sm btn-ghost" : "btn btn-sm");
  button.type = "button";
  button.addEventListener("click", load);
  if (reason === "earlier") {
    root.className = "earlier";
    button.append(icon("arrow-up"), texts("earlier"));
    root.append(button);
    return;
  }
  root.className = "gap hole";
  button.append(texts("load_them"));
  root.append(icon("unlink"), element("span", "", counted(texts, reason, lines)), button);
}
