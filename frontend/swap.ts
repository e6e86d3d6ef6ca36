// Puts fresh server markup in place of old without taking away what the reader holds: focus and opened details.

export function parse(html: string): DocumentFragment {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content;
}

// Runs `change` on `scope` and gives the focus back to the twin of the element that had it.
export function keepingState(scope: Element, change: () => void): void {
  const focused = document.activeElement;
  const inside = focused instanceof HTMLElement && focused !== document.body && scope.contains(focused);
  const selector = inside ? twinSelector(focused) : null;
  const home = inside ? focused.closest("[id]:not(:focus)")?.id : undefined;
  const open = [...scope.querySelectorAll<HTMLDetailsElement>("details[id][open]")].map((details) => details.id);
  change();
  for (const id of open) {
    const details = document.getElementById(id);
    if (details instanceof HTMLDetailsElement) details.open = true;
  }
  if (!selector || (focused instanceof HTMLElement && focused.isConnected)) return;
  const within = (home && document.getElementById(home)) || document;
  within.querySelector<HTMLElement>(selector)?.focus({ preventScroll: true });
}

function twinSelector(focused: HTMLElement): string {
  if (focused.id) return `#${CSS.escape(focused.id)}`;
  const tag = focused.tagName.toLowerCase();
  for (const name of ["name", "href", "data-copy", "aria-label"]) {
    const value = focused.getAttribute(name);
    if (value) return `${tag}[${name}="${CSS.escape(value)}"]`;
  }
  return tag;
}

export function swap(old: Element, fresh: Element): void {
  const region = old.closest("[data-live-url]") ?? old;
  keepingState(region, () => old.replaceWith(fresh));
}
