// Which changed rows a live list asks the server for: those it shows, and those that may belong into it.
// Others' changes cost nothing once the server has said that a row does not fit: what narrows a list, but for the state,
// never changes.
const MOST_REMEMBERED = 5000;

export class Wanted {
  private readonly refused = new Set<string>();

  // `states` are those that rows of the list may have; empty where any will do. Without `takesNew` no row is added.
  constructor(private readonly takesNew: boolean, private readonly states: readonly string[]) {}

  asksFor(id: string, state: string): boolean {
    return this.takesNew && this.stateFits(state) && !this.refused.has(id);
  }

  // The server drew the row in `state` (null: not at all), and said whether the list has it.
  answered(id: string, state: string | null, fits: boolean): void {
    if (fits || (state !== null && !this.stateFits(state))) return;
    if (this.refused.size >= MOST_REMEMBERED) this.refused.clear();
    this.refused.add(id);
  }

  private stateFits(state: string): boolean {
    return this.states.length === 0 || this.states.includes(state);
  }
}

// Where a row belongs among rows that stand newest first: before the first that is not newer, else at the end (-1).
export function placeAmong(created: number, others: readonly number[]): number {
  return others.findIndex((other) => other <= created);
}
