// Where the reader is in the log: following its end or reading above it.

const NEAR_PX = 24;

export class Scroll {
  following = true;
  private top = 0;

  constructor(private readonly box: HTMLElement, private readonly changed: () => void) {
    box.addEventListener("scroll", () => this.moved(), { passive: true });
    // On a phone the box is longer than what the window shows of it.
    for (const name of ["scroll", "resize"]) window.addEventListener(name, () => this.changed(), { passive: true });
  }

  toEnd(): void {
    this.following = true;
    this.box.scrollTop = this.box.scrollHeight;
    this.top = this.box.scrollTop;
    this.changed();
  }

  toStart(): void {
    this.following = false;
    this.box.scrollTop = 0;
    this.changed();
  }

  // After lines were added below.
  keepUp(): void {
    if (!this.following) return;
    this.box.scrollTop = this.box.scrollHeight;
    this.top = this.box.scrollTop;
  }

  show(row: HTMLElement): void {
    this.following = false;
    row.scrollIntoView({ block: "center" });
    // Blocks out of sight have only an estimated height: once drawn, look again.
    requestAnimationFrame(() => row.scrollIntoView({ block: "center" }));
    this.changed();
  }

  // Runs a change above the reader without moving what is being read.
  hold(change: () => void): void {
    const anchor = this.visible()[0];
    const before = anchor?.getBoundingClientRect().top ?? 0;
    change();
    if (!anchor?.isConnected) return;
    const settle = () => (this.box.scrollTop += anchor.getBoundingClientRect().top - before);
    settle();
    requestAnimationFrame(settle);
  }

  // The first and the last line in sight.
  visible(): HTMLElement[] {
    const box = this.box.getBoundingClientRect();
    const x = box.left + 40;
    const edges = [box.top + 12, box.bottom - 14].map((y) => this.lineAt(x, y, box));
    return edges.filter((line) => line !== null);
  }

  private lineAt(x: number, y: number, box: DOMRect): HTMLElement | null {
    const hit = document.elementFromPoint(x, Math.min(Math.max(y, 0), innerHeight - 1));
    const line = hit?.closest<HTMLElement>("[id^=L]");
    if (line && this.box.contains(line)) return line;
    const blocks = this.box.querySelectorAll<HTMLElement>(":scope > .block");
    const low = y > box.top + box.height / 2;
    const nearest = (low ? blocks[blocks.length - 1]?.lastElementChild : blocks[0]?.firstElementChild) ?? null;
    return nearest instanceof HTMLElement && nearest.id ? nearest : null;
  }

  private moved(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.box;
    const atEnd = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    if (atEnd) this.following = true;
    else if (scrollTop < this.top - 1) this.following = false;
    this.top = scrollTop;
    this.changed();
  }
}
