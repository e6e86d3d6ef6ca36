// Translated texts that the page hands over (portal/core/islands.py); islands hold no words themselves.

export type Texts = (key: string, values?: Record<string, string | number>) => string;

export function fill(pattern: string, values: Record<string, string | number>): string {
  return pattern.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}

export function textsOf(island: string): Texts {
  const block = document.getElementById(`texts-${island}`);
  const loaded = JSON.parse(block?.textContent ?? "{}") as Record<string, string>;
  return (key, values = {}) => fill(loaded[key] ?? key, values);
}

// Picks `<key>_one` or `<key>_other` by the page's language and shows the number in its manner.
export function counted(texts: Texts, key: string, count: number): string {
  const language = document.documentElement.lang || "en";
  const form = new Intl.PluralRules(language).select(count) === "one" ? "one" : "other";
  return texts(`${key}_${form}`, { n: numberText(count) });
}

export function numberText(count: number): string {
  return new Intl.NumberFormat(document.documentElement.lang || "en").format(count);
}
