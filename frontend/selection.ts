// The ticked rows of a list: "select all", how many there are, and buttons only while there are some.
import { counted, type Texts } from "./texts";

export function bindSelection(texts: Texts): void {
  const form = document.querySelector<HTMLFormElement>("#bulk-form");
  if (!form) return;
  const all = document.querySelector<HTMLInputElement>("[data-select-all]");
  const boxes = () => [...document.querySelectorAll<HTMLInputElement>("input[form=bulk-form][name=ids]")];
  const refresh = () => {
    const [ticked, count] = [boxes().filter((box) => box.checked).length, boxes().length];
    const said = form.querySelector("[data-selected]");
    if (said) said.textContent = counted(texts, "selected", ticked);
    for (const button of form.querySelectorAll("button")) button.disabled = ticked === 0;
    if (!all) return;
    all.checked = ticked > 0 && ticked === count;
    all.indeterminate = ticked > 0 && ticked < count;
  };
  document.addEventListener("change", (event) => {
    if (event.target === all && all) for (const box of boxes()) box.checked = all.checked;
    refresh();
  });
  window.addEventListener("pageshow", refresh);
  refresh();
}
