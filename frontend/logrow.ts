// One line of the log as data and as markup; the same markup as portal/core/templatetags/berth_logs.py.
import { element, icon } from "./dom";
import { type Gap, gapText, parseGap } from "./loggap";
import { KIND_GAP, KIND_NOTE, KIND_SPLIT, type WireLine } from "./logframe";
import { levelOf, segmentsOf } from "./logtext";
import type { Texts } from "./texts";

export type Clock = "local" | "utc" | "relative";

export interface Row {
  seq: number;
  timeMs: number;
  attempt: number;
  pod: string;
  plain: string;
  element: HTMLElement;
  stamp: HTMLElement | null;
  content: HTMLElement;
  gap?: Gap;
}

const two = (value: number) => String(value).padStart(2, "0");
const three = (value: number) => String(value).padStart(3, "0");

export function stampText(timeMs: number, clock: Clock, originMs: number): string {
  if (clock === "relative") return sinceText(timeMs - originMs);
  const at = new Date(timeMs);
  if (clock === "utc") return at.toISOString().slice(11, 23);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${three(at.getMilliseconds())}`;
}

function sinceText(spanMs: number): string {
  const sign = spanMs < 0 ? "-" : "+";
  const whole = Math.abs(Math.trunc(spanMs));
  const hours = Math.floor(whole / 3_600_000);
  const minutes = Math.floor(whole / 60_000) % 60;
  const seconds = Math.floor(whole / 1000) % 60;
  return `${sign}${hours ? `${hours}:${two(minutes)}` : minutes}:${two(seconds)}.${three(whole % 1000)}`;
}

export function rankClass(pod: string): string {
  const digits = /\d+/.exec(pod);
  return `k${digits ? Number(digits[0]) % 8 : 0}`;
}

const frame = document.createElement("template");
frame.innerHTML = '<div class="ln"><a></a><time></time><b></b><span></span></div>';

export function buildRow(line: WireLine, clock: Clock, originMs: number): Row {
  const [seq, timeMs, attempt, pod, , text, kind] = line;
  if (kind === KIND_GAP || kind === KIND_NOTE) return buildNote(line);
  const row = frame.content.firstElementChild?.cloneNode(true) as HTMLElement;
  const [anchor, stamp, rank, content] = [...row.children] as [HTMLAnchorElement, HTMLElement, HTMLElement, HTMLElement];
  row.id = `L${seq}`;
  anchor.setAttribute("href", `#L${seq}`);
  anchor.textContent = String(seq);
  stamp.textContent = stampText(timeMs, clock, originMs);
  rank.className = rankClass(pod);
  rank.textContent = pod;
  const plain = fillContent(content, text);
  const level = levelOf(plain);
  if (level) row.classList.add(level);
  if (kind === KIND_SPLIT) row.classList.add("split");
  return { seq, timeMs, attempt, pod, plain, element: row, stamp, content };
}

function fillContent(content: HTMLElement, text: string): string {
  const segments = segmentsOf(text);
  const only = segments[0];
  if (segments.length === 1 && only && !only.classes && !only.control) {
    content.textContent = only.text;
    return only.text;
  }
  for (const segment of segments) {
    const classes = segment.control ? `${segment.classes} ctl`.trim() : segment.classes;
    content.append(classes ? element("span", classes, segment.text) : segment.text);
  }
  return segments.map((segment) => segment.text).join("");
}

// A gap's sentence is drawn with the times (`restamp`), since it names some.
function buildNote([seq, timeMs, attempt, pod, , text, kind]: WireLine): Row {
  const content = element("span", "", kind === KIND_GAP ? "" : text);
  const row = element("div", kind === KIND_GAP ? "gap" : "mark-line", icon(kind === KIND_GAP ? "unlink" : "refresh"), content);
  row.id = `L${seq}`;
  row.setAttribute("role", "note");
  const note: Row = { seq, timeMs, attempt, pod, plain: text, element: row, stamp: null, content };
  if (kind === KIND_GAP) note.gap = parseGap(text);
  return note;
}

export function restamp(row: Row, texts: Texts, clock: Clock, originMs: number): void {
  if (row.stamp) row.stamp.textContent = stampText(row.timeMs, clock, originMs);
  if (!row.gap) return;
  row.plain = gapText(row.gap, texts, (timeMs) => stampText(timeMs, clock, originMs));
  row.content.textContent = row.plain;
}

export function buildAttemptMark(attempt: number, texts: Texts): HTMLElement {
  const mark = element("div", "mark-line", icon("refresh"), texts("attempt", { n: attempt }));
  mark.setAttribute("role", "note");
  return mark;
}

// Takes over a line that the server drew.
export function adoptRow(row: HTMLElement): Row | null {
  const seq = Number(row.id.slice(1));
  const stamp = row.querySelector<HTMLElement>(":scope > time");
  const content = row.querySelector<HTMLElement>(":scope > span");
  if (!Number.isInteger(seq) || !content) return null;
  const { time, attempt, gap } = row.dataset;
  const plain = content.textContent;
  const pod = row.querySelector(":scope > b")?.textContent ?? "";
  const adopted: Row = { seq, timeMs: Number(time), attempt: Number(attempt), pod, plain, element: row, stamp, content };
  if (gap !== undefined) adopted.gap = parseGap(gap);
  return adopted;
}
