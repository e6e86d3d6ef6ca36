// Behaviours that every page shares. Pages work without them.
import { copyText, reveal } from "./dom";
import { bindForms } from "./forms";
import { bindPalette } from "./palette";
import { refreshTimes, setServerTime } from "./reltime";
import { bindSelection } from "./selection";
import { textsOf } from "./texts";

const REFRESH_MS = 5000;
const COPIED_MS = 1500;
const SKEW_MS = 5000;

function bindMenus(): void {
  const menus = () => document.querySelectorAll<HTMLDetailsElement>("details.menu[open]");
  document.addEventListener("click", (event) => {
    for (const menu of menus()) if (!menu.contains(event.target as Node)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of menus()) {
      const inside = menu.contains(document.activeElement);
      menu.open = false;
      if (inside) menu.querySelector("summary")?.focus();
    }
  });
  document.addEventListener("focusin", (event) => {
    for (const menu of menus()) if (!menu.contains(event.target as Node)) menu.open = false;
  });
}

// The theme changes at once; the server is told so that the next page has it from the start.
function bindTheme(): void {
  const form = document.querySelector<HTMLFormElement>("[data-theme-form]");
  form?.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!(button instanceof HTMLButtonElement)) return;
    event.preventDefault();
    document.documentElement.dataset["bsTheme"] = button.value;
    for (const segment of form.querySelectorAll<HTMLButtonElement>("button[name=theme]")) {
      segment.setAttribute("aria-pressed", String(segment === button));
    }
    void tell(form, new FormData(form, button));
  });
}

async function tell(form: HTMLFormElement, body: FormData): Promise<void> {
  try {
    await fetch(form.action, { method: "POST", body, redirect: "manual" });
  } catch (error) {
    console.warn("theme not stored", error);
  }
}

function bindCopy(): void {
  const texts = textsOf("base");
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-copy], [data-copy-from]");
    if (button) void copyFrom(button, texts("copied"), texts("copy_failed"));
  });
}

async function copyFrom(button: HTMLElement, done: string, failed: string): Promise<void> {
  const label = button.dataset["label"] ?? button.lastChild?.textContent ?? "";
  button.dataset["label"] = label;
  const source = document.getElementById(button.dataset["copyFrom"] ?? "");
  const text = (await copyText(source?.textContent ?? button.dataset["copy"] ?? "")) ? done : failed;
  const place = button.lastChild;
  if (!place) return;
  place.textContent = text;
  window.setTimeout(() => (place.textContent = label), COPIED_MS);
}

function bindTimes(): void {
  const texts = textsOf("base");
  const drawn = Date.parse(document.documentElement.dataset["now"] ?? "");
  const [entry] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  const fresh = entry?.type !== "back_forward" && Number.isFinite(drawn);
  if (fresh && Math.abs(drawn - Date.now()) > SKEW_MS) setServerTime(drawn);
  window.setInterval(() => document.hidden || refreshTimes(document, texts), REFRESH_MS);
  document.addEventListener("visibilitychange", () => document.hidden || refreshTimes(document, texts));
  document.addEventListener("htmx:afterSwap", () => refreshTimes(document, texts));
}

function bindSearchKey(): void {
  document.addEventListener("keydown", (event) => {
    const focus = document.activeElement;
    const free = focus === null || focus === document.body || focus.id === "main";
    const help = document.querySelector<HTMLAnchorElement>("[data-help]");
    if (event.key === "?" && free && help && !event.ctrlKey && !event.metaKey) location.assign(help.href);
    const search = document.querySelector<HTMLInputElement>("[data-search]");
    if (event.key !== "/" || !free || !search || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    search.select();
  });
}

reveal(document, "[data-needs-script]:not(#log-viewer *)");
bindMenus();
bindTheme();
bindCopy();
bindForms();
bindTimes();
bindSearchKey();
bindSelection(textsOf("base"));
bindPalette();
