// Live rows of a list and the live head of a detail page: the socket only says what changed, the server draws it.
import { refreshTimes } from "./reltime";
import { LiveSocket, SIGNED_OUT, socketUrl } from "./socket";
import { parse, swap } from "./swap";
import { counted, type Texts, textsOf } from "./texts";
import { placeAmong, Wanted } from "./wanted";

const BATCH_MS = 150;
const MOST_IDS = 50;
const POLL_MS = 15_000;
const MOST_COUNTED = 999;

interface Change {
  type: string;
  id: string;
  state: string;
  version: number;
}

abstract class Live {
  protected readonly texts: Texts = textsOf("base");
  private opened = false;

  constructor(protected readonly root: HTMLElement) {
    new LiveSocket(() => socketUrl(root.dataset["liveUrl"] ?? ""), {
      connecting: () => undefined,
      open: () => this.open(),
      waiting: () => this.show("reconnecting"),
      refused: (code) => this.show(code === SIGNED_OUT ? "signed_out" : "not_live"),
      message: (data) => this.message(data),
    });
    // A change whose message was lost, for want of a broker, is found by asking now and then.
    window.setInterval(() => document.hidden || void this.poll(), POLL_MS);
  }

  protected abstract changed(change: Change): void;
  protected abstract poll(): Promise<void>;
  protected abstract resync(): Promise<void>;

  // What changed between drawing the page and now came through no socket.
  private open(): void {
    this.show("live");
    void (this.opened ? this.resync() : this.poll());
    this.opened = true;
  }

  private message(data: string | ArrayBuffer): void {
    if (typeof data !== "string") return;
    const change = JSON.parse(data) as Change;
    if (change.type === "workload") this.changed(change);
  }

  private show(state: "live" | "reconnecting" | "not_live" | "signed_out"): void {
    for (const sign of document.querySelectorAll<HTMLElement>("[data-live-state]")) {
      sign.classList.toggle("lost", state !== "live");
      sign.textContent = this.texts(state);
    }
  }

  // A failed fetch is no news: the next change, poll or reconnect asks again.
  protected async fetched(url: string): Promise<string | null> {
    try {
      const response = await fetch(url, { headers: { "X-Berth-Live": "1" }, cache: "no-store" });
      return response.ok && !response.redirected ? await response.text() : null;
    } catch {
      return null;
    }
  }
}

export class LiveRows extends Live {
  private readonly waiting = new Set<string>();
  private readonly newer = new Set<string>();
  private readonly wanted: Wanted;
  private timer = 0;

  constructor(root: HTMLElement) {
    super(root);
    this.wanted = new Wanted(root.dataset["liveNew"] !== undefined, root.dataset["liveStates"]?.split(" ").filter(Boolean) ?? []);
  }

  protected changed(change: Change): void {
    const row = document.getElementById(`row-${change.id}`);
    const wanted = row ? Number(row.dataset["version"] ?? -1) < change.version : this.wanted.asksFor(change.id, change.state);
    if (!wanted) return;
    this.waiting.add(change.id);
    this.timer ||= window.setTimeout(() => void this.flush(), BATCH_MS);
  }

  protected async poll(): Promise<void> {
    const rows = [...this.root.querySelectorAll<HTMLElement>("[id^=row-]:not([data-final])")];
    for (const row of rows) this.waiting.add(idOf(row));
    await this.flush();
  }

  // What the page has by now comes in; what it has no longer stays, in its newest state.
  protected async resync(): Promise<void> {
    const page = await this.fetched(location.href);
    const twin = page && this.root.id ? new DOMParser().parseFromString(page, "text/html").getElementById(this.root.id) : null;
    for (const fresh of rowsOf(twin)) this.place(document.importNode(fresh, true), true);
    await this.poll();
  }

  private async flush(): Promise<void> {
    this.timer = 0;
    const ids = [...this.waiting];
    this.waiting.clear();
    for (let start = 0; start < ids.length; start += MOST_IDS) await this.ask(ids.slice(start, start + MOST_IDS));
  }

  private async ask(ids: string[]): Promise<void> {
    const url = new URL(this.root.dataset["rowsUrl"] ?? "", location.href);
    url.searchParams.set("ids", ids.join(","));
    const html = await this.fetched(url.href);
    if (html === null) return;
    const drawn = new Map(rowsOf(parse(html)).map((row) => [idOf(row), row]));
    for (const id of ids) {
      const fresh = drawn.get(id);
      const fits = fresh?.dataset["fits"] !== undefined;
      this.wanted.answered(id, fresh?.dataset["state"] ?? null, fits);
      if (fresh) this.place(fresh, fits);
    }
  }

  private place(fresh: HTMLElement, fits: boolean): void {
    const old = document.getElementById(fresh.id);
    refreshTimes(fresh, this.texts);
    if (old && this.root.contains(old)) {
      const same = old.dataset["version"] !== undefined && old.dataset["version"] === fresh.dataset["version"];
      if (same || old.outerHTML === fresh.outerHTML) return;
      keepTick(old, fresh);
      swap(old, fresh);
      if (said(old) === said(fresh)) return;
    } else if (fits && this.root.dataset["liveNew"] !== undefined) {
      const rows = rowsOf(this.root);
      if (rows.length >= Number(this.root.dataset["liveMost"] ?? Infinity)) {
        this.tellNewer(idOf(fresh));
        return;
      }
      this.root.insertBefore(fresh, rows[placeAmong(createdOf(fresh), rows.map(createdOf))] ?? null);
      this.showFilled();
    } else return;
    fresh.classList.add("flash");
  }

  // A tab that stays open for days keeps no more rows: it counts what came, and links to the list as it is now.
  private tellNewer(id: string): void {
    if (this.newer.size < MOST_COUNTED) this.newer.add(id);
    const link = document.querySelector<HTMLElement>("[data-newer]");
    if (!link) return;
    link.textContent = counted(this.texts, "newer", this.newer.size);
    link.hidden = false;
  }

  private showFilled(): void {
    for (const teaching of document.querySelectorAll<HTMLElement>("[data-when-empty]")) teaching.hidden = true;
    for (const table of document.querySelectorAll<HTMLElement>("[data-when-filled]")) table.hidden = false;
  }
}

function rowsOf(holder: ParentNode | null): HTMLElement[] {
  return [...(holder?.querySelectorAll<HTMLElement>("[id^=row-]") ?? [])];
}

function keepTick(old: HTMLElement, fresh: HTMLElement): void {
  const [before, after] = [old, fresh].map((row) => row.querySelector<HTMLInputElement>(".c-check input"));
  if (before && after) after.checked = before.checked;
}

function idOf(row: HTMLElement): string {
  return row.id.slice("row-".length);
}

// What a glance should catch: the state and its reason, not an age that went on.
function said(row: HTMLElement): string {
  return row.querySelector(".c-state")?.textContent ?? "";
}

function createdOf(row: HTMLElement): number {
  return Number(row.dataset["created"] ?? 0);
}

export class LiveHead extends Live {
  private busy = false;
  private again = false;

  protected changed(): void {
    void this.poll();
  }

  protected resync(): Promise<void> {
    return this.poll();
  }

  // At most one request at a time; what changed meanwhile asks once more.
  protected async poll(): Promise<void> {
    if (this.busy) {
      this.again = true;
      return;
    }
    this.busy = true;
    await new Promise((wake) => window.setTimeout(wake, BATCH_MS));
    this.again = false;
    const html = await this.fetched(this.root.dataset["headUrl"] ?? "");
    const fresh = html === null ? null : parse(html).querySelector<HTMLElement>("#workload-live");
    const old = document.getElementById("workload-live");
    if (fresh && old) {
      refreshTimes(fresh, this.texts);
      if (old.outerHTML !== fresh.outerHTML) swap(old, fresh);
    }
    this.busy = false;
    if (this.again) await this.poll();
  }
}

for (const root of document.querySelectorAll<HTMLElement>("[data-live-url]")) {
  if (root.dataset["rowsUrl"]) new LiveRows(root);
  else if (root.dataset["headUrl"]) new LiveHead(root);
}
