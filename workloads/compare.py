"""Tells two specs apart, field by field, and two runs by their outcome. Pure: no database, no framework, no words."""

import difflib
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

CONTEXT_LINES = 3
# Telling lines apart costs their product at worst: beyond this a changed stretch counts as replaced as a whole.
MOST_LINE_PAIRS = 4_000_000
_ORDER = (
    "title",
    "summary",
    "name",
    "kind",
    "image",
    "command",
    "args",
    "script",
    "env",
    "resources",
    "max_runtime_s",
    "retries",
    "priority",
    "template",
    "template_version",
)
_OPEN_FIELDS = ("env", "resources")
_EMPTY: tuple[Any, ...] = (None, "", [], (), {})


class Change(enum.StrEnum):
    """What happened to a field from left to right."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class LineKind(enum.StrEnum):
    """What a line of a text's difference is; GAP stands for equal lines that are left out."""

    SAME = "same"
    ADDED = "added"
    REMOVED = "removed"
    GAP = "gap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a text's difference with its numbers, from 1; None on the side that lacks it."""

    kind: LineKind
    text: str = ""
    left: int | None = None
    right: int | None = None
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A field that differs: its path (`resources.memory_mib`, `env.LR`), both values, and a script's lines."""

    field: str
    change: Change
    left: Any
    right: Any
    lines: tuple[Line, ...] = ()


class Ran(Protocol):
    """What is read of a workload to tell its outcome."""

    state: str
    reason_code: str
    exit_code: int | None
    attempts_made: int
    created: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run went: `waited_s` from submission to its start, `ran_s` from there to its end; None while unknown."""

    state: str
    reason_code: str
    exit_code: int | None
    attempts: int
    waited_s: float | None
    ran_s: float | None


def spec_differences(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[Difference]:
    """Return the fields in which two stored specs differ, in the order of a spec; empty where nothing differs.

    What is missing and what is empty count as the same. Environment and resources are compared by key.
    """
    names = [*_ORDER, *sorted((set(left) | set(right)) - set(_ORDER))]
    found: list[Difference] = []
    for name in names:
        found += _of_field(name, left.get(name), right.get(name))
    return found


def line_differences(left: str, right: str, *, context: int = CONTEXT_LINES) -> tuple[Line, ...]:
    """Return two texts as one list of lines that are same, removed or added; long equal stretches as one gap.

    Empty where the texts are equal. A last line that only one side ends shows as an empty line added or removed.
    """
    if left == right:
        return ()
    both_end = left.endswith("\n") and right.endswith("\n")
    before, after = (_lines(text[:-1] if both_end else text) for text in (left, right))
    blocks = _blocks(before, after)
    lines: list[Line] = []
    for index, (equal, a1, a2, b1, b2) in enumerate(blocks):
        if equal:
            lines += _equal_lines(before[a1:a2], a1, b1, first=index == 0, last=index == len(blocks) - 1, keep=context)
        else:
            lines += [Line(kind=LineKind.REMOVED, text=before[n], left=n + 1) for n in range(a1, a2)]
            lines += [Line(kind=LineKind.ADDED, text=after[n], right=n + 1) for n in range(b1, b2)]
    return tuple(lines)


def outcome_of(workload: Ran) -> Outcome:
    """Return how a workload went so far."""
    started, ended = workload.started_at, workload.ended_at
    return Outcome(
        state=workload.state,
        reason_code=workload.reason_code,
        exit_code=workload.exit_code,
        attempts=workload.attempts_made,
        waited_s=(started - workload.created).total_seconds() if started else None,
        ran_s=(ended - started).total_seconds() if started and ended else None,
    )


def _of_field(name: str, left: Any, right: Any) -> list[Difference]:
    if name in _OPEN_FIELDS and all(value is None or isinstance(value, Mapping) for value in (left, right)):
        return _of_keys(name, left or {}, right or {})
    return _compared(name, left, right)


def _of_keys(name: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> list[Difference]:
    keys = [*left, *(key for key in right if key not in left)]
    found = []
    for key in keys:
        # an environment's empty value is a value: there only a missing key counts as missing
        if key not in left or key not in right:
            change = Change.REMOVED if key in left else Change.ADDED
            value = left.get(key, right.get(key))
            if name == "env" or value:
                found.append(Difference(field=f"{name}.{key}", change=change, left=left.get(key), right=right.get(key)))
        elif left[key] != right[key]:
            found.append(Difference(field=f"{name}.{key}", change=Change.CHANGED, left=left[key], right=right[key]))
    return found


def _compared(name: str, left: Any, right: Any) -> list[Difference]:
    left, right = _plain(left), _plain(right)
    if left == right:
        return []
    change = Change.CHANGED
    if left is None or right is None:
        change = Change.ADDED if left is None else Change.REMOVED
    lines = line_differences(left or "", right or "") if name == "script" else ()
    return [Difference(field=name, change=change, left=left, right=right, lines=lines)]


def _plain(value: Any) -> Any:
    """Return a value with nothing, the empty text and the empty list as one; retries of 0 stay a number."""
    if any(value == empty and type(value) is type(empty) for empty in _EMPTY):
        return None
    return list(value) if isinstance(value, tuple) else value


def _lines(text: str) -> list[str]:
    return text.split("\n") if text else []


def _blocks(before: Sequence[str], after: Sequence[str]) -> list[tuple[bool, int, int, int, int]]:
    """Return the stretches of both texts in order: whether equal, and where they begin and end on each side."""
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    middle = (before[head : len(before) - tail], after[head : len(after) - tail])
    blocks = [(True, 0, head, 0, head)] if head else []
    blocks += [(equal, a1 + head, a2 + head, b1 + head, b2 + head) for equal, a1, a2, b1, b2 in _middle(*middle)]
    if tail:
        blocks.append((True, len(before) - tail, len(before), len(after) - tail, len(after)))
    return blocks


def _middle(before: Sequence[str], after: Sequence[str]) -> list[tuple[bool, int, int, int, int]]:
    if not before and not after:
        return []
    if len(before) * len(after) > MOST_LINE_PAIRS:
        return [(False, 0, len(before), 0, len(after))]
    matcher = difflib.SequenceMatcher(None, before, after)
    return [(tag == "equal", a1, a2, b1, b2) for tag, a1, a2, b1, b2 in matcher.get_opcodes()]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many items both begin with."""
    most = min(len(one), len(other))
    return next((n for n in range(most) if one[n] != other[n]), most)


def _equal_lines(lines: Sequence[str], left: int, right: int, *, first: bool, last: bool, keep: int) -> list[Line]:
    """Return a stretch of equal lines; all but those next to a change as one gap."""
    head, tail = (0 if first else keep), (0 if last else keep)
    shown = [
        Line(kind=LineKind.SAME, text=text, left=left + n + 1, right=right + n + 1) for n, text in enumerate(lines)
    ]
    left_out = len(lines) - head - tail
    if left_out <= 1:
        return shown
    gap = Line(kind=LineKind.GAP, left_out=left_out)
    return [*shown[:head], gap, *shown[len(shown) - tail :]]
