// Form behaviours: filters that send themselves, one submit, a form on its way, a question before a loss.
import { part } from "./dom";

export function bindForms(): void {
  document.addEventListener("change", changed);
  document.addEventListener("submit", once);
  document.addEventListener("click", ask, { capture: true });
  for (const name of ["htmx:beforeRequest", "htmx:afterRequest"]) document.addEventListener(name, waitForForm);
  // A page taken back from the browser's memory has its buttons back.
  window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach(release));
  document.querySelector<HTMLElement>("[data-focus-me]")?.focus();
}

// A filter (or its form) with data-submit-on-change needs no press of its button.
function changed(event: Event): void {
  const control = event.target;
  const field = control instanceof HTMLInputElement || control instanceof HTMLSelectElement ? control : null;
  if (field?.closest("[data-submit-on-change]")) field.form?.requestSubmit();
}

// While a template's form is on its way, what is typed would be lost with the old one: its fields wait.
function waitForForm(event: Event): void {
  const target = (event as CustomEvent<{ target?: Element }>).detail.target;
  if (!(target instanceof HTMLFormElement)) return;
  for (const control of target.elements) {
    if (control instanceof HTMLInputElement || control instanceof HTMLTextAreaElement) {
      control.readOnly = event.type === "htmx:beforeRequest";
    }
  }
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
