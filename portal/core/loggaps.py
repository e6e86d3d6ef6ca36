"""Markers of lost lines: a log keeps a code and times, each reader gets the sentence in their own language and zone."""

from collections.abc import Callable, Mapping

import msgspec
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

ROTATED, REMOVED, GONE, UNREAD = "rotated", "removed", "gone", "unread"
UNKNOWN = "unknown"

TEXTS: Mapping[str, str | Promise] = {
    ROTATED: _("Lines between {from} and {to} may be missing: the node rotated the log before it was read on."),
    REMOVED: _("Lines after {from} may be missing: the node removed the log before it was read to its end."),
    GONE: _("Lines after {from} may be missing: the pod was gone before its log was read to its end."),
    UNREAD: _("The log may be missing: the pod was gone before it was read."),
    UNKNOWN: _("Lines are missing here."),
}


class Gap(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why lines are lost, after which time and before which, in milliseconds since 1970, UTC, where that is known."""

    code: str
    after_ms: int | None = msgspec.field(name="from", default=None)
    before_ms: int | None = msgspec.field(name="to", default=None)


_decode = msgspec.json.Decoder(Gap).decode


def gap_line(gap: Gap) -> str:
    """Return the text of a stored marker."""
    return msgspec.json.encode(gap).decode()


def gap_text(stored: str, stamp: Callable[[int], str]) -> str:
    """Return a stored marker's sentence in the active language; `stamp` turns milliseconds into what is shown."""
    try:
        gap = _decode(stored)
    except msgspec.DecodeError:
        gap = Gap(UNKNOWN)
    known = gap.code if gap.code in TEXTS else UNKNOWN
    times = {"from": gap.after_ms, "to": gap.before_ms}
    shown = {name: "?" if moment_ms is None else stamp(moment_ms) for name, moment_ms in times.items()}
    return str(TEXTS[known]).format(**shown)
