// Ctrl-K: one search over work, pages, templates and tenants, by keyboard alone. Without scripts the link opens a page.
import { element, icon, part } from "./dom";

const WAIT_MS = 120;

interface Item { label: string; hint: string; url: string; icon: string }
interface Group { label: string; items: Item[] }

// Where the mark goes from `current` (-1: nowhere yet) in a list that wraps round.
export function stepped(current: number, by: number, count: number): number {
  if (count === 0) return -1;
  return current < 0 ? (by > 0 ? 0 : count - 1) : (current + by + count) % count;
}

export class Palette {
  private readonly input: HTMLInputElement;
  private readonly list: HTMLElement;
  private current = -1;
  private timer = 0;
  private asked = 0;

  constructor(private readonly dialog: HTMLDialogElement) {
    this.input = part(dialog, "input");
    this.list = part(dialog, "#palette-list");
    this.input.addEventListener("input", () => {
      window.clearTimeout(this.timer);
      this.timer = window.setTimeout(() => void this.search(), WAIT_MS);
    });
    this.input.addEventListener("keydown", (event) => this.key(event));
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
      this.go((event.target as Element).closest<HTMLElement>("[role=option]"));
    });
  }

  open(): void {
    if (this.dialog.open) return;
    document.querySelector<HTMLElement>(":popover-open")?.hidePopover();
    this.dialog.showModal();
    this.input.select();
    void this.search();
  }

  private options(): HTMLElement[] {
    return [...this.list.querySelectorAll<HTMLElement>("[role=option]")];
  }

  private go(option: HTMLElement | null | undefined): void {
    const url = option?.dataset["url"];
    if (url) location.assign(url);
  }

  private key(event: KeyboardEvent): void {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) this.mark(stepped(this.current, by, this.options().length));
    else if (event.key === "Enter") this.go(this.options()[this.current]);
    else return;
    event.preventDefault();
  }

  // An answer that comes after a later question's is no longer wanted.
  private async search(): Promise<void> {
    const mine = ++this.asked;
    const url = new URL(this.dialog.dataset["url"] ?? "", location.href);
    url.searchParams.set("q", this.input.value.trim());
    url.searchParams.set("json", "1");
    try {
      const response = await fetch(url, { cache: "no-store" });
      if (!response.ok || response.redirected) return;
      const { groups } = (await response.json()) as { groups: Group[] };
      if (mine === this.asked) this.draw(groups);
    } catch (error) {
      console.warn("the search got no answer", error);
    }
  }

  private draw(groups: Group[]): void {
    let n = 0;
    this.list.replaceChildren(...groups.map((group, g) => {
      const head = element("div", "menu-label", group.label);
      head.id = `palette-group-${g}`;
      const holder = element("div", "", head, ...group.items.map((item) => option(item, n++)));
      holder.setAttribute("role", "group");
      holder.setAttribute("aria-labelledby", head.id);
      return holder;
    }));
    part(this.dialog, "[data-none]").hidden = n > 0;
    this.mark(n > 0 ? 0 : -1);
  }

  private mark(index: number): void {
    this.current = index;
    this.options().forEach((one, at) => one.setAttribute("aria-selected", String(at === index)));
    const marked = this.options()[index];
    if (marked) this.input.setAttribute("aria-activedescendant", marked.id);
    else this.input.removeAttribute("aria-activedescendant");
    marked?.scrollIntoView({ block: "nearest" });
  }
}

// An option holds no link of its own: the mark stays in the field, and the choice goes there.
function option(item: Item, n: number): HTMLElement {
  const made = element("div", "menu-item", icon(item.icon), element("span", "cut", item.label), element("span", "end t2 sm", item.hint));
  made.id = `palette-${n}`;
  made.dataset["url"] = item.url;
  made.setAttribute("role", "option");
  return made;
}

export function bindPalette(): void {
  const dialog = document.querySelector<HTMLDialogElement>("#palette");
  if (!dialog) return;
  const palette = new Palette(dialog);
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    palette.open();
  });
  document.addEventListener("click", (event) => {
    if (!(event.target as Element).closest("[data-palette]") || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    palette.open();
  });
}
