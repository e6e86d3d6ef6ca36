"""Makes a log line's hostile text fit to show: colours become classes, every other control becomes visible.

The same rules stand in frontend/logtext.ts; tests/unit/core/logtext_cases.json holds both to them. Pure; knows no HTML.
"""

import re
from dataclasses import dataclass, replace

_TOKEN = re.compile(
    r"\x1b\[(?P<sgr>[0-9;:]*)m"
    r"|(?P<drop>\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[PX^_][^\x1b]*\x1b\\)"
    r"|(?P<control>[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])"
)
_ERROR = re.compile(
    r"\b(?:ERROR|FATAL|CRITICAL|PANIC)\b|\bTraceback \(most recent call last\)|^\w*(?:Error|Exception): "
)
_WARNING = re.compile(r"\bWARN(?:ING)?\b")
_CUBE = (0, 95, 135, 175, 215, 255)
_FLAGS = {1: "bold", 2: "dim", 3: "italic", 4: "under", 7: "inverse"}
_UNFLAGS = {22: ("bold", "dim"), 23: ("italic",), 24: ("under",), 27: ("inverse",)}


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of text with the classes that draw it; `control` marks a control character made visible."""

    text: str
    classes: str = ""
    control: bool = False


@dataclass(frozen=True, slots=True)
class _Style:
    fg: int | None = None
    bg: int | None = None
    flags: frozenset[str] = frozenset()

    def classes(self) -> str:
        names = [f"a-f{self.fg}" if self.fg is not None else "", f"a-b{self.bg}" if self.bg is not None else ""]
        names += [f"a-{flag}" for flag in ("bold", "dim", "italic", "under", "inverse") if flag in self.flags]
        return " ".join(name for name in names if name)


def segments_of(text: str) -> list[Segment]:
    """Split a line into runs of one style. Colours are reduced to the 16 of the palette and end with the line."""
    if not _TOKEN.search(text):
        return [Segment(text)] if text else []
    found: list[Segment] = []
    style = _Style()
    position = 0
    for match in _TOKEN.finditer(text):
        _add(found, Segment(text[position : match.start()], style.classes()))
        position = match.end()
        if match["sgr"] is not None:
            style = _styled(style, match["sgr"])
        elif control := match["control"]:
            _add(found, Segment(visible(control), style.classes(), control=True))
    _add(found, Segment(text[position:], style.classes()))
    return found


def plain_of(text: str) -> str:
    """Return what a reader sees of a line, without its colours."""
    return "".join(segment.text for segment in segments_of(text))


def level_of(plain: str) -> str:
    """Guess a line's level from its words: "err", "warn" or ""."""
    if _ERROR.search(plain):
        return "err"
    return "warn" if _WARNING.search(plain) else ""


def visible(control: str) -> str:
    """Return a printable stand-in for a control character."""
    code = ord(control)
    if code < 0x20 or code == 0x7F:
        return f"^{chr(code ^ 0x40)}"  # caret notation: every font has it
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def _add(found: list[Segment], segment: Segment) -> None:
    last = found[-1] if found else None
    if last and segment.text and (last.classes, last.control) == (segment.classes, segment.control):
        found[-1] = replace(last, text=last.text + segment.text)
    elif segment.text:
        found.append(segment)


def _styled(style: _Style, parameters: str) -> _Style:
    codes = [int(code) if code else 0 for code in re.split("[;:]", parameters)[:32]]
    while codes:
        code = codes.pop(0)
        if code in {38, 48}:
            colour = _extended(codes)
            style = replace(style, fg=colour) if code == 38 else replace(style, bg=colour)
        else:
            style = _simple(style, code)
    return style


def _simple(style: _Style, code: int) -> _Style:
    if code == 0:
        return _Style()
    if code in _FLAGS:
        return replace(style, flags=style.flags | {_FLAGS[code]})
    if code in _UNFLAGS:
        return replace(style, flags=style.flags.difference(_UNFLAGS[code]))
    return _coloured(style, code)


def _coloured(style: _Style, code: int) -> _Style:
    tens, unit = divmod(code, 10)
    if tens in {3, 9} and unit <= 7:
        return replace(style, fg=unit + (8 if tens == 9 else 0))
    if tens in {4, 10} and unit <= 7:
        return replace(style, bg=unit + (8 if tens == 10 else 0))
    if code == 39:
        return replace(style, fg=None)
    return replace(style, bg=None) if code == 49 else style


def _extended(codes: list[int]) -> int | None:
    kind = codes.pop(0) if codes else 0
    if kind == 5 and codes:
        return _of_256(codes.pop(0))
    if kind == 2 and len(codes) >= 3:
        red, green, blue = codes.pop(0), codes.pop(0), codes.pop(0)
        return _nearest(red, green, blue)
    return None


def _of_256(index: int) -> int | None:
    if index < 16:
        return index
    if index < 232:
        cube = index - 16
        return _nearest(_CUBE[cube // 36], _CUBE[cube // 6 % 6], _CUBE[cube % 6])
    grey = 8 + 10 * (index - 232)
    return _nearest(grey, grey, grey) if index < 256 else None


def _nearest(red: int, green: int, blue: int) -> int:
    brightest = max(red, green, blue)
    if brightest < 64:
        return 0
    threshold = brightest / 2
    base = (1 if red > threshold else 0) + (2 if green > threshold else 0) + (4 if blue > threshold else 0)
    if base == 7:
        return 8 if brightest < 144 else 15 if brightest > 224 else 7
    return base + (8 if brightest > 224 else 0)
