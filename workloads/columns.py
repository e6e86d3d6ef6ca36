"""Which columns a list of workloads shows: the choices, what a person chose, and what each holds in a CSV file."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.core.downloads import csv_cell
from workloads.models import Workload
from workloads.presentation import Told

COOKIE = "berth-columns"
COOKIE_AGE_S = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Column:
    """A column that can be shown or left out; state and name always stand."""

    key: str
    label: str | Promise
    title: str | Promise  # as the head of a CSV file, with its unit
    value: Callable[[Told[Workload]], object]


OPTIONAL = (
    Column("asks", _("Asks for"), _("CPU millicores"), lambda row: row.item.cpu_millicores),
    Column("tenant", _("Tenant"), _("Tenant"), lambda row: row.item.tenant.slug),
    Column("owner", _("Owner"), _("Owner"), lambda row: row.item.owner.get_username()),
    Column("image", _("Image"), _("Image"), lambda row: row.item.image),
    Column("started", _("Started"), _("Started"), lambda row: row.item.started_at),
    Column("ended", _("Ended"), _("Ended"), lambda row: row.item.ended_at),
    Column("ran", _("Ran"), _("Ran"), lambda row: row.ran_text),
    Column("priority", _("Priority"), _("Priority"), lambda row: row.item.priority.value),
    Column("attempts", _("Attempts"), _("Attempts"), lambda row: row.item.attempts_made),
    Column("age", _("Age"), _("Submitted"), lambda row: row.item.created),
)
DEFAULT = frozenset({"asks", "tenant", "owner", "age"})
_FIRST = (
    Column("id", _("Id"), _("Id"), lambda row: row.item.pk),
    Column("name", _("Workload"), _("Name"), lambda row: row.item.name),
    Column("kind", _("Kind"), _("Kind"), lambda row: row.item.kind),
    Column("state", _("State"), _("State"), lambda row: row.item.state),
    Column("reason", _("Reason"), _("Reason"), lambda row: row.reason),
)
_SIZES = (
    Column("memory", _("Memory"), _("Memory MiB"), lambda row: row.item.memory_mib),
    Column("gpus", _("GPUs"), _("GPUs"), lambda row: row.item.gpus),
    Column("extra", _("Other resources"), _("Other resources"), lambda row: ", ".join(row.extras)),
)


def chosen_of(cookie: str) -> frozenset[str]:
    """Return the keys of the columns that a cookie names; the usual ones where there is none."""
    if not cookie:
        return DEFAULT
    return frozenset(column.key for column in OPTIONAL if column.key in cookie.split("."))


def cookie_of(keys: Iterable[str]) -> str:
    """Return the cookie that names columns; unknown ones are left out. "none" stands for no column."""
    wanted = set(keys)
    return ".".join(column.key for column in OPTIONAL if column.key in wanted) or "none"


def csv_columns(chosen: Iterable[str]) -> list[Column]:
    """Return the columns of the file that belongs to a list with these columns: what names a row comes first."""
    wanted, columns = set(chosen), list(_FIRST)
    for column in OPTIONAL:
        if column.key in wanted:
            columns += [column, *(_SIZES if column.key == "asks" else ())]
    return columns


def csv_cells(columns: Iterable[Column], row: Told[Workload]) -> list[str]:
    """Return a row's cells; none of them is a formula to a spreadsheet. Times are ISO 8601 in UTC."""
    return [csv_cell(column.value(row)) for column in columns]
