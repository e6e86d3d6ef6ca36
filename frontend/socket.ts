// A websocket that comes back: jittered back-off, immediate retry when the network or the tab returns,
// and an end where the server says that coming back is of no use.

export const SIGNED_OUT = 4401;
export const REVOKED = 4403;
export const MISSING = 4404;
const FINAL = new Set([SIGNED_OUT, REVOKED, MISSING]);
const SILENCE_MS = 90_000;

export interface Handlers {
  message(data: string | ArrayBuffer): void;
  connecting(): void;
  open(): void;
  waiting(delayMs: number): void;
  refused(code: number): void;
}

// Full jitter over the upper half, so that a thousand viewers of a restarted server spread out.
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(500 * 2 ** attempt, 20_000);
  return Math.round(ceiling / 2 + (random() * ceiling) / 2);
}

export function isFinal(code: number): boolean {
  return FINAL.has(code);
}

export function socketUrl(path: string, query: Record<string, string | number> = {}): string {
  const url = new URL(path, location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
  return url.href;
}

export class LiveSocket {
  private socket: WebSocket | null = null;
  private attempt = 0;
  private timer = 0;
  private silence = 0;
  private stopped = false;

  constructor(private readonly url: () => string, private readonly handlers: Handlers) {
    window.addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
    // A page kept for "back" must not hold a socket, and must come back with one.
    window.addEventListener("pagehide", () => this.socket?.close(1000));
    window.addEventListener("pageshow", (event) => event.persisted && this.hurry());
    this.connect();
  }

  stop(): void {
    this.stopped = true;
    window.clearTimeout(this.timer);
    window.clearTimeout(this.silence);
    this.socket?.close(1000);
  }

  private connect(): void {
    if (this.stopped) return;
    this.handlers.connecting();
    const socket = new WebSocket(this.url());
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => this.handlers.open());
    socket.addEventListener("message", (event: MessageEvent<string | ArrayBuffer>) => {
      this.attempt = 0;
      this.watchSilence(event.data);
      this.handlers.message(event.data);
    });
    socket.addEventListener("close", (event) => this.closed(socket, event.code));
    this.socket = socket;
  }

  private closed(socket: WebSocket, code: number): void {
    if (this.stopped || socket !== this.socket) return;
    window.clearTimeout(this.silence);
    this.socket = null;
    if (isFinal(code)) {
      this.stopped = true;
      this.handlers.refused(code);
      return;
    }
    const delayMs = backoffMs(this.attempt);
    this.attempt += 1;
    this.handlers.waiting(delayMs);
    this.timer = window.setTimeout(() => this.connect(), delayMs);
  }

  private hurry(): void {
    if (this.stopped || this.socket !== null) return;
    window.clearTimeout(this.timer);
    this.connect();
  }

  // Only a server that pings can be found silent: a cut cable closes no socket.
  private watchSilence(data: string | ArrayBuffer): void {
    const pinged = typeof data === "string" && data.includes('"ping"');
    if (!pinged && this.silence === 0) return;
    window.clearTimeout(this.silence);
    const socket = this.socket;
    this.silence = window.setTimeout(() => {
      if (socket === null || socket !== this.socket) return;
      socket.close(4000);
      this.closed(socket, 1006);
    }, SILENCE_MS);
  }
}
