// The live log viewer: takes over the lines that the server drew, keeps them complete and live, and makes them usable.
import { copyText, element, icon, part, reveal } from "./dom";
import { LogSearch } from "./logsearch";
import type { Clock, Row } from "./logrow";
import { Scroll } from "./logscroll";
import { type Link, LogStream } from "./logstream";
import { LogView } from "./logview";
import { Narrowing } from "./narrowing";
import { type Texts, counted, numberText, textsOf } from "./texts";

const SEARCH_PAUSE_MS = 120;
const ANNOUNCE_MS = 15_000;
const AROUND_LINK = 400;

class LogViewer {
  private readonly texts: Texts = textsOf("logs");
  private readonly box: HTMLElement;
  private readonly view: LogView;
  private readonly scroll: Scroll;
  private readonly search = new LogSearch();
  private readonly stream: LogStream;
  private unread = 0;
  private unspoken = 0;
  private footQueued = false;

  constructor(private readonly root: HTMLElement) {
    this.box = part(root, ".lines");
    this.scroll = new Scroll(this.box, () => this.refreshFoot());
    const narrowing = new Narrowing(root.dataset);
    this.view = new LogView(this.box, this.texts, (hole) => void this.stream.load(hole), narrowing);
    this.view.adopt(Number(root.dataset["firstSeq"] ?? 1));
    const { ws = "", linesUrl = "" } = root.dataset;
    const paths = { socket: ws, lines: linesUrl, lastSeq: Number(root.dataset["lastSeq"] ?? 0) };
    this.stream = new LogStream(paths, this.view, this.scroll, {
      link: (link) => this.showLink(link),
      added: (rows) => this.added(rows),
      rearranged: () => this.rearranged(),
      failed: () => this.say(this.texts("load_failed")),
    });
    reveal(root);
    this.bind();
    this.scroll.toEnd();
    this.refreshEmpty();
    void this.followHash();
    window.setInterval(() => this.announceLines(), ANNOUNCE_MS);
  }

  private bind(): void {
    const input = part<HTMLInputElement>(this.root, "[data-find]");
    if (input.value) this.find(input.value);
    let pause = 0;
    input.addEventListener("input", () => {
      window.clearTimeout(pause);
      pause = window.setTimeout(() => this.find(input.value), SEARCH_PAUSE_MS);
    });
    input.addEventListener("keydown", (event) => this.findKey(event, input));
    this.click("[data-find-previous]", () => this.step(-1));
    this.click("[data-find-next]", () => this.step(1));
    this.click("[data-follow]", () => this.scroll.toEnd());
    this.click("[data-wrap]", (button) => {
      const wraps = this.box.classList.toggle("nowrap") === false;
      button.setAttribute("aria-pressed", String(wraps));
    });
    this.click("[data-copy-line]", () => void this.copyLink());
    const clock = part<HTMLSelectElement>(this.root, "[data-clock]");
    clock.addEventListener("change", () => this.view.setClock(clock.value as Clock));
    this.view.setClock(clock.value as Clock);
    this.box.addEventListener("pointerover", (event) => titleTime(event, this.view));
    window.addEventListener("hashchange", () => void this.followHash());
    document.addEventListener("keydown", (event) => this.key(event, input));
  }

  private click(selector: string, act: (button: HTMLElement) => void): void {
    const button = part<HTMLElement>(this.root, selector);
    button.addEventListener("click", () => act(button));
  }

  // Single keys work while the log or nothing has the focus, never while somebody types.
  private key(event: KeyboardEvent, input: HTMLInputElement): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const focus = document.activeElement;
    const ours = focus === null || focus === document.body || focus.id === "main" || this.root.contains(focus);
    if (!ours || (focus instanceof HTMLElement && focus.matches("input, select, textarea"))) return;
    const acts: Record<string, () => void> = {
      "/": () => input.select(),
      n: () => this.step(1),
      N: () => this.step(-1),
      g: () => this.scroll.toStart(),
      G: () => this.scroll.toEnd(),
      f: () => this.toggleFollow(),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  private toggleFollow(): void {
    if (this.scroll.following) {
      this.scroll.following = false;
      this.refreshFoot();
    } else this.scroll.toEnd();
  }

  private findKey(event: KeyboardEvent, input: HTMLInputElement): void {
    if (event.key === "Enter") {
      event.preventDefault();
      this.step(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape") {
      input.value = "";
      this.find("");
      this.box.focus();
    }
  }

  private find(query: string): void {
    const hit = this.search.run(query, this.view.rows());
    if (hit) this.scroll.show(hit.row.element);
    this.refreshHits();
  }

  private step(by: 1 | -1): void {
    const hit = this.search.step(by);
    if (hit) this.scroll.show(hit.row.element);
    this.refreshHits();
  }

  private refreshHits(): void {
    const { active, position, total } = this.search;
    const found = total > 0 ? this.texts("hits", { i: numberText(position), n: numberText(total) }) : this.texts("no_hits");
    part(this.root, "[data-hits]").textContent = active ? found : "";
  }

  private added(all: readonly Row[]): void {
    const rows = all.filter((row) => !row.element.hidden);
    this.unread = this.scroll.following ? 0 : this.unread + rows.length;
    this.unspoken += rows.length;
    this.search.extend(rows);
    if (this.search.active) this.refreshHits();
    this.refreshEmpty();
    this.refreshFoot();
  }

  private rearranged(): void {
    if (this.search.active) this.search.run(part<HTMLInputElement>(this.root, "[data-find]").value, this.view.rows());
    this.refreshHits();
    this.refreshFoot();
  }

  private refreshEmpty(): void {
    part(this.root, "[data-empty]").hidden = !this.view.empty;
  }

  private refreshFoot(): void {
    if (this.footQueued) return;
    this.footQueued = true;
    requestAnimationFrame(() => {
      this.footQueued = false;
      if (this.scroll.following) this.unread = 0;
      this.drawFollow();
      this.drawRange();
    });
  }

  private drawFollow(): void {
    const button = part<HTMLButtonElement>(this.root, "[data-follow]");
    button.hidden = this.scroll.following || this.view.count === 0;
    const text = this.unread > 0 ? counted(this.texts, "new", this.unread) : this.texts("follow");
    part(button, "span").textContent = text;
  }

  private drawRange(): void {
    const [first, last] = this.scroll.visible();
    const seq = (line: HTMLElement | undefined) => numberText(Number(line?.id.slice(1) ?? 0));
    const values = { a: seq(first), b: seq(last ?? first), n: numberText(this.stream.newest) };
    part(this.root, "[data-range]").textContent = first ? this.texts("range", values) : "";
  }

  private showLink(link: Link): void {
    const state = part(this.root, "[data-link]");
    const good = link === "connected" || link === "ended";
    state.classList.toggle("lost", !good);
    if (typeof link === "object") {
      state.textContent = this.texts("reconnecting", { n: Math.max(1, Math.round(link.waitMs / 1000)) });
    } else if (link === "signed_out" || link === "missing" || link === "revoked") {
      state.textContent = this.texts("not_live");
      this.refuse(this.texts(link));
    } else state.textContent = this.texts(link);
    if (link === "ended") this.sealed();
  }

  private sealed(): void {
    if (this.root.querySelector("[data-sealed-mark]")) return;
    const mark = element("div", "mark-line", icon("flag"), this.texts("end_of_log"));
    mark.dataset["sealedMark"] = "";
    this.box.append(mark);
    this.scroll.keepUp();
    if (this.stream.newest === 0) part(this.root, "[data-empty]").textContent = this.texts("empty_sealed");
  }

  private refuse(text: string): void {
    const place = part(this.root, "[data-refused]");
    place.replaceChildren(element("div", "notice warn", icon("plug-connected-x"), element("span", "", text)));
    place.hidden = false;
  }

  private async followHash(): Promise<void> {
    const wanted = /^#L(\d+)$/.exec(location.hash);
    for (const linked of this.box.querySelectorAll(".linked")) linked.classList.remove("linked");
    const foot = part(this.root, "[data-linked]");
    foot.hidden = !wanted;
    const all = this.root.querySelector<HTMLAnchorElement>("[data-all-lines]");
    if (all) all.hash = location.hash;
    if (!wanted) return;
    const seq = Number(wanted[1]);
    part(foot, "span").textContent = this.texts("line", { n: numberText(seq) });
    const row = await this.bring(seq);
    if (!row) return;
    row.element.classList.add("linked");
    this.scroll.show(row.element);
  }

  private async bring(seq: number): Promise<Row | null> {
    let found = this.view.find(seq);
    if (found && "kind" in found) {
      const range = { from: Math.max(found.from, seq - AROUND_LINK), to: Math.min(found.to, seq + AROUND_LINK) };
      await this.stream.load(found, range);
      found = this.view.find(seq);
    }
    return found && "element" in found && !("kind" in found) ? found : null;
  }

  private async copyLink(): Promise<void> {
    const url = new URL(location.href);
    this.say(this.texts((await copyText(url.href)) ? "copied" : "copy_failed"));
  }

  private say(text: string): void {
    const spoken = part(this.root, "[data-say]");
    spoken.textContent = text;
    window.setTimeout(() => spoken.textContent === text && (spoken.textContent = ""), 4000);
  }

  // Quiet on purpose: a count now and then for somebody whose focus is in the log, never line by line.
  private announceLines(): void {
    const count = this.unspoken;
    this.unspoken = 0;
    const spoken = part(this.root, "[data-announce]");
    spoken.textContent = count > 0 && this.root.contains(document.activeElement) ? counted(this.texts, "announce", count) : "";
  }
}

function titleTime(event: Event, view: LogView): void {
  const stamp = (event.target as HTMLElement).closest<HTMLElement>(".ln > time");
  if (!stamp || stamp.title) return;
  const row = view.find(Number(stamp.parentElement?.id.slice(1)));
  if (row && "timeMs" in row) stamp.title = new Date(row.timeMs).toISOString();
}

const root = document.getElementById("log-viewer");
if (root) new LogViewer(root);
