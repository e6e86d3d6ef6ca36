// Twin of portal/core/logtext.py: colours become classes, every other control becomes visible.

export interface Segment {
  text: string;
  classes: string;
  control: boolean;
}

interface Style {
  fg: number | null;
  bg: number | null;
  flags: ReadonlySet<string>;
}

const TOKEN =
  /\x1b\[([0-9;:]*)m|\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[PX^_][^\x1b]*\x1b\\|([\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])/g;
const ERROR = /\b(?:ERROR|FATAL|CRITICAL|PANIC)\b|\bTraceback \(most recent call last\)|^\w*(?:Error|Exception): /;
const WARNING = /\bWARN(?:ING)?\b/;
const CUBE = [0, 95, 135, 175, 215, 255];
const ORDER = ["bold", "dim", "italic", "under", "inverse"];
const FLAGS = new Map([[1, "bold"], [2, "dim"], [3, "italic"], [4, "under"], [7, "inverse"]]);
const UNFLAGS = new Map([[22, ["bold", "dim"]], [23, ["italic"]], [24, ["under"]], [27, ["inverse"]]]);
const PLAIN: Style = { fg: null, bg: null, flags: new Set() };

export function segmentsOf(text: string): Segment[] {
  const found: Segment[] = [];
  let style = PLAIN;
  let position = 0;
  for (const match of text.matchAll(TOKEN)) {
    add(found, text.slice(position, match.index), style, false);
    position = match.index + match[0].length;
    if (match[1] !== undefined) style = styled(style, match[1]);
    else if (match[2] !== undefined) add(found, visible(match[2]), style, true);
  }
  add(found, text.slice(position), style, false);
  return found;
}

export function levelOf(plain: string): "err" | "warn" | "" {
  if (ERROR.test(plain)) return "err";
  return WARNING.test(plain) ? "warn" : "";
}

function visible(control: string): string {
  const code = control.charCodeAt(0);
  if (code < 0x20 || code === 0x7f) return `^${String.fromCharCode(code ^ 0x40)}`;
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}

function add(found: Segment[], text: string, style: Style, control: boolean): void {
  if (text === "") return;
  const classes = classesOf(style);
  const last = found.at(-1);
  if (last && last.classes === classes && last.control === control) last.text += text;
  else found.push({ text, classes, control });
}

function classesOf(style: Style): string {
  const names = [];
  if (style.fg !== null) names.push(`a-f${style.fg}`);
  if (style.bg !== null) names.push(`a-b${style.bg}`);
  for (const flag of ORDER) if (style.flags.has(flag)) names.push(`a-${flag}`);
  return names.join(" ");
}

function styled(before: Style, parameters: string): Style {
  const codes = parameters.split(/[;:]/).slice(0, 32).map((code) => (code === "" ? 0 : Number(code)));
  let style = before;
  while (codes.length > 0) {
    const code = codes.shift() as number;
    if (code === 38) style = { ...style, fg: extended(codes) };
    else if (code === 48) style = { ...style, bg: extended(codes) };
    else style = simple(style, code);
  }
  return style;
}

function simple(style: Style, code: number): Style {
  if (code === 0) return PLAIN;
  const flag = FLAGS.get(code);
  if (flag) return { ...style, flags: new Set([...style.flags, flag]) };
  const off = UNFLAGS.get(code);
  if (off) return { ...style, flags: new Set([...style.flags].filter((name) => !off.includes(name))) };
  return coloured(style, code);
}

function coloured(style: Style, code: number): Style {
  const tens = Math.floor(code / 10);
  const unit = code % 10;
  if ((tens === 3 || tens === 9) && unit <= 7) return { ...style, fg: unit + (tens === 9 ? 8 : 0) };
  if ((tens === 4 || tens === 10) && unit <= 7) return { ...style, bg: unit + (tens === 10 ? 8 : 0) };
  if (code === 39) return { ...style, fg: null };
  return code === 49 ? { ...style, bg: null } : style;
}

function extended(codes: number[]): number | null {
  const kind = codes.shift();
  if (kind === 5 && codes.length > 0) return of256(codes.shift() as number);
  if (kind === 2 && codes.length >= 3) {
    const [red = 0, green = 0, blue = 0] = codes.splice(0, 3);
    return nearest(red, green, blue);
  }
  return null;
}

function of256(index: number): number | null {
  if (index < 16) return index;
  if (index < 232) {
    const cube = index - 16;
    const level = (step: number) => CUBE[step] ?? 0;
    return nearest(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
  }
  const grey = 8 + 10 * (index - 232);
  return index < 256 ? nearest(grey, grey, grey) : null;
}

function nearest(red: number, green: number, blue: number): number {
  const brightest = Math.max(red, green, blue);
  if (brightest < 64) return 0;
  const threshold = brightest / 2;
  const base = (red > threshold ? 1 : 0) + (green > threshold ? 2 : 0) + (blue > threshold ? 4 : 0);
  if (base === 7) return brightest < 144 ? 8 : brightest > 224 ? 15 : 7;
  return base + (brightest > 224 ? 8 : 0);
}
