"""Texts that the TypeScript islands show: translated here, handed over in the page. Islands hold no words of theirs."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.core import loggaps

Texts = dict[str, str | Promise]

BASE: Texts = {
    "seconds": _("{n} s"),
    "minutes": _("{n} min"),
    "hours": _("{n} h"),
    "hours_minutes": _("{h} h {m} min"),
    "days": _("{n} d"),
    "days_hours": _("{d} d {h} h"),
    "ago": _("{span} ago"),
    "ahead": _("in {span}"),
    "now": _("just now"),
    "live": _("Live"),
    "reconnecting": _("Reconnecting"),
    "not_live": _("Not live"),
    "signed_out": _("Not live: sign in again"),
    "copied": _("Copied"),
    "copy_failed": _("Could not copy"),
    "selected_one": _("{n} selected"),
    "selected_other": _("{n} selected"),
    "newer_one": _("{n} newer workload: show it"),
    "newer_other": _("{n} newer workloads: show them"),
}

LOGS: Texts = {
    "connecting": _("Connecting"),
    "connected": _("Connected"),
    "reconnecting": _("Reconnecting in {n} s"),
    "ended": _("Complete: the log is closed"),
    "not_live": _("Not live"),
    "signed_out": _("You are signed out. Sign in to see new lines."),
    "missing": _("This workload does not exist, or is not yours to see."),
    "revoked": _("You may no longer see this log."),
    "load_failed": _("Lines could not be loaded. Try again."),
    "follow": _("Follow"),
    "new_one": _("Follow, {n} new line"),
    "new_other": _("Follow, {n} new lines"),
    "announce_one": _("{n} new line"),
    "announce_other": _("{n} new lines"),
    "hits": _("{i} of {n}"),
    "no_hits": _("no match"),
    "range": _("Lines {a}–{b} of {n}"),
    "line": _("Line {n}"),
    "copied": _("Link copied"),
    "copy_failed": _("Could not copy"),
    "skipped_one": _("{n} line left out: this view was too slow for it."),
    "skipped_other": _("{n} lines left out: this view was too slow for them."),
    "unloaded_one": _("{n} line is not loaded here."),
    "unloaded_other": _("{n} lines are not loaded here."),
    "load_them": _("Load"),
    "earlier": _("Load earlier"),
    "gone": _("What was before is no longer kept."),
    "end_of_log": _("End of the log"),
    "empty_sealed": _("The work ended without writing a line."),
    "attempt": _("Attempt {n}"),
    **{f"gap_{code}": text for code, text in loggaps.TEXTS.items()},
}

_ALL = {"base": BASE, "logs": LOGS}


def texts(island: str) -> dict[str, str]:
    """Return an island's texts in the active language. Raises KeyError for an unknown island."""
    return {key: str(value) for key, value in _ALL[island].items()}
