// Brings lines in: live frames in order, control frames, and the fetching of what is missing. Draws at most once a frame.
import { type Control, type LogFrame, type WireLine, decodeFrame } from "./logframe";
import { coveredBy, fetchLines } from "./logfetch";
import type { Row } from "./logrow";
import type { Scroll } from "./logscroll";
import type { Hole, LogView, Reason } from "./logview";
import { type Range, Sequence } from "./sequence";
import { LiveSocket, MISSING, REVOKED, SIGNED_OUT, socketUrl } from "./socket";

export const MOST_LINES = 100_000;
const AUTO_FILL_LINES = 2000;
const HIDDEN_PAINT_MS = 1000;

export type Link = "connecting" | "connected" | "ended" | "signed_out" | "missing" | "revoked" | { waitMs: number };

export interface Listener {
  link(link: Link): void;
  added(rows: readonly Row[]): void;
  rearranged(): void;
  failed(): void;
}

type Step = { lines: WireLine[] } | { hole: Range; reason: Reason };

export class LogStream {
  newest: number;
  private readonly sequence: Sequence;
  private readonly socket: LiveSocket;
  private steps: Step[] = [];
  private chain: Promise<void> = Promise.resolve();
  private painting = false;
  private sealedAt = Infinity;
  private readonly loading = new WeakSet<Hole>();

  constructor(
    private readonly paths: { socket: string; lines: string; lastSeq: number },
    private readonly view: LogView,
    private readonly scroll: Scroll,
    private readonly listener: Listener,
  ) {
    this.sequence = new Sequence(paths.lastSeq);
    this.newest = paths.lastSeq;
    this.socket = new LiveSocket(() => socketUrl(paths.socket, { after: this.sequence.last }), {
      connecting: () => listener.link("connecting"),
      open: () => listener.link("connected"),
      waiting: (waitMs) => listener.link({ waitMs }),
      refused: (code) => listener.link(refusal(code)),
      message: (data) => this.receive(data),
    });
  }

  async load(hole: Hole, wanted?: Range): Promise<void> {
    if (this.loading.has(hole)) return;
    this.loading.add(hole);
    const range = wanted ?? nextPart(hole);
    try {
      const lines = await fetchLines(this.paths.lines, range);
      this.scroll.hold(() => this.place(hole, range, lines));
      this.listener.rearranged();
    } catch {
      this.listener.failed();
    } finally {
      this.loading.delete(hole);
    }
  }

  private place(hole: Hole, range: Range, lines: WireLine[]): void {
    if (lines.length === 0) this.view.giveUp(hole);
    else this.view.fill(hole, coveredBy(range, lines), lines);
  }

  // Decoding is asynchronous: one chain keeps the frames in their order.
  private receive(data: string | ArrayBuffer): void {
    this.chain = this.chain.then(async () => {
      if (typeof data === "string") this.control(JSON.parse(data) as Control);
      else this.frame(await decodeFrame(data));
    }).catch(() => this.listener.failed());
  }

  private frame(frame: LogFrame): void {
    const { hole, lines } = this.sequence.accept(frame.from, frame.to, frame.lines);
    if (hole) this.steps.push({ hole, reason: "unloaded" });
    if (lines.length > 0) this.steps.push({ lines });
    this.advance();
  }

  private control(control: Control): void {
    if (control.type === "hello") {
      this.newest = Math.max(this.newest, control.seq);
      if (control.sealed) this.sealedAt = control.seq;
    } else if (control.type === "skip") {
      const hole = this.sequence.skip(control.from, control.to);
      if (hole) this.steps.push({ hole, reason: "skipped" });
    } else if (control.type === "sealed") {
      this.sealedAt = this.sequence.last;
    }
    this.advance();
  }

  private advance(): void {
    this.newest = Math.max(this.newest, this.sequence.last);
    if (this.sequence.last >= this.sealedAt) this.socket.stop();
    if (this.steps.length === 0) this.endIfSealed();
    if (this.painting || this.steps.length === 0) return;
    this.painting = true;
    // A hidden tab gets no animation frames, yet must not pile lines up.
    if (document.hidden) window.setTimeout(() => this.paint(), HIDDEN_PAINT_MS);
    else requestAnimationFrame(() => this.paint());
  }

  private endIfSealed(): void {
    if (!this.painting && this.sequence.last >= this.sealedAt) this.listener.link("ended");
  }

  private paint(): void {
    this.painting = false;
    const steps = this.steps;
    this.steps = [];
    const added: Row[] = [];
    for (const step of steps) {
      if ("lines" in step) for (const row of this.view.append(step.lines)) added.push(row);
      else this.drawHole(step.hole, step.reason);
    }
    const most = this.scroll.following ? MOST_LINES : 2 * MOST_LINES;
    const trimmed = this.view.trim(most);
    this.scroll.keepUp();
    this.listener.added(added);
    if (trimmed) this.listener.rearranged();
    this.endIfSealed();
  }

  private drawHole(range: Range, reason: Reason): void {
    const hole = this.view.appendHole(range, reason);
    if (reason === "unloaded" && range.to - range.from < AUTO_FILL_LINES) void this.fillAll(hole);
  }

  // A hole after a reconnect is closed by itself, page after page.
  private async fillAll(hole: Hole): Promise<void> {
    let left: Hole | null = hole;
    while (left) {
      const at: number = left.to;
      await this.load(left);
      const next = this.view.find(at);
      left = next && "kind" in next && next.reason === "unloaded" && next.from > left.from ? next : null;
    }
  }
}

function nextPart(hole: Hole): Range {
  const page = 1000;
  if (hole.reason === "earlier") return { from: Math.max(hole.from, hole.to - page + 1), to: hole.to };
  return { from: hole.from, to: Math.min(hole.to, hole.from + page - 1) };
}

function refusal(code: number): Link {
  if (code === SIGNED_OUT) return "signed_out";
  return code === REVOKED || code !== MISSING ? "revoked" : "missing";
}
