// Keeps `<time data-rel>` fresh with the same words as portal/core/units.py.
import type { Texts } from "./texts";

const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86_400;

export function durationText(seconds: number, texts: Texts): string {
  const whole = Math.max(Math.trunc(seconds), 0);
  if (whole < MINUTE_S) return texts("seconds", { n: whole });
  if (whole < HOUR_S) return texts("minutes", { n: Math.floor(whole / MINUTE_S) });
  if (whole < DAY_S) {
    const h = Math.floor(whole / HOUR_S);
    const m = Math.floor((whole % HOUR_S) / MINUTE_S);
    return m ? texts("hours_minutes", { h, m }) : texts("hours", { n: h });
  }
  const d = Math.floor(whole / DAY_S);
  const h = Math.floor((whole % DAY_S) / HOUR_S);
  return h ? texts("days_hours", { d, h }) : texts("days", { n: d });
}

export function relativeText(ageSeconds: number, texts: Texts): string {
  if (Math.abs(ageSeconds) < 1) return texts("now");
  const span = durationText(Math.abs(ageSeconds), texts);
  return texts(ageSeconds > 0 ? "ago" : "ahead", { span });
}

// The server's clock decides what "ago" means: a wrong clock here must not show work from the future.
let skewMs = 0;

export function setServerTime(epochMs: number): void {
  skewMs = epochMs - Date.now();
}

export function refreshTimes(root: ParentNode, texts: Texts): void {
  for (const element of root.querySelectorAll<HTMLTimeElement>("time[data-rel]")) {
    const ageSeconds = (Date.now() + skewMs - Date.parse(element.dateTime)) / 1000;
    if (!Number.isFinite(ageSeconds)) continue;
    const text = element.dataset["rel"] === "age" ? durationText(ageSeconds, texts) : relativeText(ageSeconds, texts);
    if (element.textContent !== text) element.textContent = text;
  }
}
