// Which lines a narrowed log shows: those of one attempt, of one pod, with a text. The server drew the first by the same rule.

interface Line {
  attempt: number;
  pod: string;
  plain: string;
  gap?: unknown;
}

export class Narrowing {
  private readonly attempt: number;
  private readonly pod: string;
  private readonly text: string;

  constructor(given: Partial<Record<"attempt" | "pod" | "text", string>>) {
    this.attempt = Number(given.attempt ?? 0);
    this.pod = given.pod ?? "";
    this.text = (given.text ?? "").toLowerCase();
  }

  get on(): boolean {
    return this.attempt > 0 || this.pod !== "" || this.text !== "";
  }

  // A marker of lost lines has no text to look in: it stays.
  keeps(line: Line): boolean {
    if (this.attempt > 0 && line.attempt !== this.attempt) return false;
    if (this.pod !== "" && line.pod !== this.pod) return false;
    return this.text === "" || line.gap !== undefined || line.plain.toLowerCase().includes(this.text);
  }
}
