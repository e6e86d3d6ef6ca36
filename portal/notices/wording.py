"""Puts notices into words, in the reader's language. Apps register a teller for each kind of theirs at the start."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _

Facts = Mapping[str, Any]
_tellers: dict[str, Callable[[Facts], str]] = {}


def register(tellers: Mapping[str, Callable[[Facts], str]]) -> None:
    """Say how notices of these kinds read; once at start-up."""
    _tellers.update(tellers)


def text_of(kind: str, facts: Facts) -> str:
    """Return a notice as one sentence; one of an unknown kind keeps its code."""
    teller = _tellers.get(kind)
    return teller(facts) if teller else _("Something happened: %(kind)s") % {"kind": kind}
