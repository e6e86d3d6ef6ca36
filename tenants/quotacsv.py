"""The quota table as CSV, out and in: a line for each tenant and resource type, whole numbers in the type's unit."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from portal.core.api.bodies import is_clean
from portal.core.downloads import FORMULA_STARTS, csv_cell, csv_lines
from portal.core.errors import Rejected, Text
from tenants.quotabulk import MOST_LINES, Errors, Line, Preview
from tenants.quotatable import TableRow

NAMES = ("tenant", "type")
BOUNDS = ("nominal", "borrow_limit", "lend_limit")
TOLD = ("used", "borrowed", "lent", "overhang")  # read by people; nothing can be set by them
HEAD = (*NAMES, *BOUNDS, *TOLD)
MOST_BYTES = 1_048_576
MOST_PROBLEMS = 100
_MOST_DIGITS = 30


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a file: the number of its line, where the head is 1, and its column ("" = the whole line)."""

    line: int
    column: str
    text: Text


class CsvRejected(Rejected):
    """A file is not acceptable; then nothing of it is taken. At most 100 problems are told."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = sorted(problems, key=lambda found: found.line)[:MOST_PROBLEMS]
        super().__init__({f"line {found.line} {found.column}".strip(): [found.text] for found in self.problems})


@dataclass(slots=True)
class Read:
    """What a file wants, and on which of its lines it says so."""

    wanted: dict[Line, dict[str, int]] = field(default_factory=dict)
    numbers: dict[Line, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def rejected(self, errors: Errors) -> CsvRejected:
        """Return what is wrong with its lines as what is wrong with the file."""
        return CsvRejected(
            [
                Problem(self.numbers[line], at if at in HEAD else "", text)
                for line, found in errors.items()
                for at, texts in found.items()
                for text in texts
            ]
        )


def cells(row: TableRow) -> list[str]:
    """Return the cells of a row in the order of the head."""
    line = row.line
    amounts = (line.nominal, line.borrow_limit, line.lend_limit, line.used, line.line.borrowed, row.lent, line.overhang)
    return [csv_cell(row.slug), csv_cell(row.key), *map(str, amounts)]


def read(text: str) -> Read:
    """Read a file's text. Columns are known by name, in any order; an empty cell leaves a bound as it is.

    Raises CsvRejected with all that is wrong, up to 100 problems.
    """
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise CsvRejected([Problem(1, "", _("The file is larger than 1 MiB."))])
    if not is_clean(text):
        raise CsvRejected([Problem(1, "", _("The file holds a NUL or half a character."))])
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    found = Read()
    try:
        head = _head(next(lines, []))
        for cells_given in lines:
            if any(cells_given):
                _take(found, head, lines.line_num, cells_given)
            if len(found.wanted) > MOST_LINES:
                text_told = _("At most %(most)d lines can be changed at once.") % {"most": MOST_LINES}
                raise CsvRejected([Problem(lines.line_num, "", text_told)])
    except csv.Error:
        found.problems.append(Problem(lines.line_num, "", _("This line is not CSV: look at its quotation marks.")))
    if found.problems:
        raise CsvRejected(found.problems)
    return found


def written(preview: Preview) -> str:
    """Return the bounds that a change sets as the text of a file that `read` takes."""
    rows = [
        [line.tenant.slug, line.type.key, *(str(getattr(line.after.line.bounds, name)) for name in BOUNDS)]
        for line in preview.lines
    ]
    return csv_lines([(*NAMES, *BOUNDS), *rows]).decode()


def _head(names: Sequence[str]) -> list[str]:
    """Return the columns' names. Raises CsvRejected."""
    head = [name.strip().lower() for name in names]
    problems = [Problem(1, name, _("There is no column of this name.")) for name in head if name not in HEAD]
    problems += [Problem(1, name, _("This column is there twice.")) for name in HEAD if head.count(name) > 1]
    problems += [Problem(1, name, _("This column is missing.")) for name in NAMES if name not in head]
    if not set(head) & set(BOUNDS):
        problems.append(Problem(1, "nominal", _("This column is missing.")))
    if problems:
        raise CsvRejected(problems)
    return head


def _take(found: Read, head: Sequence[str], number: int, given: Sequence[str]) -> None:
    """Take one line, or say what is wrong with it."""
    if len(given) != len(head):
        text = _("This line has %(n)d cells, and the first line has %(wanted)d.") % {
            "n": len(given),
            "wanted": len(head),
        }
        found.problems.append(Problem(number, "", text))
        return
    row = {name: _plain(cell) for name, cell in zip(head, given, strict=True)}
    line = (row["tenant"], row["type"])
    if line in found.wanted:
        text = _("Line %(number)d is of the same tenant and type.") % {"number": found.numbers[line]}
        found.problems.append(Problem(number, "", text))
        return
    wrong = [name for name in BOUNDS if row.get(name) and not _is_amount(row[name])]
    found.problems += [Problem(number, name, _("Enter a whole number of 0 or more.")) for name in wrong]
    found.wanted[line] = {name: int(row[name]) for name in BOUNDS if row.get(name) and name not in wrong}
    found.numbers[line] = number


def _is_amount(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def _plain(cell: str) -> str:
    """Return a cell without what `csv_cell` sets before one that would be a formula."""
    text = cell.strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_STARTS) else text
