// Form behaviours: parts that belong to one choice, defaults of a template, one submit, a question before a loss.
import { part } from "./dom";

export function bindForms(): void {
  for (const section of document.querySelectorAll<HTMLElement>("[data-show-for]")) bindChoice(section);
  document.addEventListener("change", changed);
  document.addEventListener("submit", once);
  document.addEventListener("click", ask, { capture: true });
  // A page taken back from the browser's memory has its buttons back.
  window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach(release));
  document.querySelector<HTMLElement>("[data-focus-me]")?.focus();
}

// A filter (or its form) with data-submit-on-change needs no press of its button.
function changed(event: Event): void {
  const control = event.target;
  if (control instanceof HTMLInputElement && control.dataset["fill"]) fillDefaults(control);
  const field = control instanceof HTMLInputElement || control instanceof HTMLSelectElement ? control : null;
  if (field?.closest("[data-submit-on-change]")) field.form?.requestSubmit();
}

// <div data-show-for="template" data-show-values="script command">: shown, and sent, only with these values.
function bindChoice(section: HTMLElement): void {
  const form = section.closest("form");
  const name = section.dataset["showFor"];
  const values = (section.dataset["showValues"] ?? "").split(" ");
  if (!form || !name) return;
  const refresh = () => {
    const shown = values.includes(String(new FormData(form).get(name) ?? ""));
    section.hidden = !shown;
    for (const control of section.querySelectorAll<HTMLInputElement>("input, select, textarea")) control.disabled = !shown;
  };
  form.addEventListener("change", refresh);
  refresh();
}

// A tile's defaults go only into fields that the person has not changed.
function fillDefaults(tile: HTMLInputElement): void {
  const defaults = JSON.parse(tile.dataset["fill"] ?? "{}") as Record<string, string>;
  for (const [name, value] of Object.entries(defaults)) {
    const control = tile.form?.elements.namedItem(name);
    if (!(control instanceof HTMLInputElement || control instanceof HTMLTextAreaElement || control instanceof HTMLSelectElement)) continue;
    const untouched = control.value === "" || control.value === control.dataset["filled"] || isDefault(control);
    if (!untouched) continue;
    control.value = value;
    control.dataset["filled"] = value;
    control.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

function isDefault(control: HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement): boolean {
  if (control instanceof HTMLSelectElement) return control.selectedOptions[0]?.defaultSelected ?? true;
  return control.value === control.defaultValue;
}

function once(event: SubmitEvent): void {
  const form = event.target as HTMLFormElement;
  if (form.dataset["submitOnce"] === undefined) return;
  if (form.dataset["sent"] !== undefined) {
    event.preventDefault();
    return;
  }
  form.dataset["sent"] = "";
  event.submitter?.setAttribute("aria-busy", "true");
}

function release(form: Element): void {
  delete (form as HTMLFormElement).dataset["sent"];
  for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
}

// <button data-confirm="what is lost" data-confirm-title="…?" data-confirm-yes="…">
function ask(event: MouseEvent): void {
  const button = (event.target as Element).closest<HTMLElement>("[data-confirm]");
  if (!button) return;
  if (button.dataset["confirmed"] !== undefined) {
    delete button.dataset["confirmed"];
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
  const dialog = part<HTMLDialogElement>(document, "#confirm-dialog");
  part(dialog, "[data-dialog-title]").textContent = button.dataset["confirmTitle"] ?? "";
  part(dialog, "[data-dialog-text]").textContent = button.dataset["confirm"] ?? "";
  part(dialog, "[data-dialog-yes]").textContent = button.dataset["confirmYes"] ?? button.textContent;
  dialog.returnValue = "no";
  dialog.addEventListener("close", () => goOn(dialog, button), { once: true });
  dialog.showModal();
}

// A live swap may have replaced the button meanwhile: its twin by id then takes the click.
function goOn(dialog: HTMLDialogElement, button: HTMLElement): void {
  const target = button.isConnected ? button : button.id ? document.getElementById(button.id) : null;
  if (dialog.returnValue !== "yes" || !target) return;
  target.dataset["confirmed"] = "";
  target.click();
}
