"""Reads the parameters of a reason: typed, bounded, never raising, since rows and the cluster are hostile input."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.core import units

MAX_MESSAGE = 600
MAX_NAME = 120
_UNKNOWN = "?"
_MOST = 2**53


@dataclass(frozen=True, slots=True)
class Facts:
    """Parameters of a reason; a missing or senseless one reads as unknown."""

    params: Any

    def number(self, name: str) -> int | None:
        """Return a whole number, or None."""
        value = self.params.get(name) if isinstance(self.params, Mapping) else None
        valid = isinstance(value, int) and not isinstance(value, bool) and -_MOST < value < _MOST
        return value if valid else None

    def text(self, name: str, *, limit: int = MAX_NAME) -> str:
        """Return a text of at most `limit` characters; "" where there is none."""
        value = self.params.get(name) if isinstance(self.params, Mapping) else None
        if not isinstance(value, str):
            return ""
        return value if len(value) <= limit else value[: limit - 1] + "…"

    @property
    def message(self) -> str:
        """What the cluster said, in its own words."""
        return self.text("message", limit=MAX_MESSAGE)

    def amount(self, name: str) -> str:
        """Return an amount of the resource that the parameters name, with its unit; "?" where unknown."""
        return amount_text(self.text("resource"), self.number(name))

    def free(self) -> str:
        """Return what a limit leaves of the resource; never below nothing."""
        limit, held = self.number("limit"), self.number("held")
        known = None if limit is None or held is None else max(limit - held, 0)
        return amount_text(self.text("resource"), known)


def amount_text(resource: str, amount: int | None) -> str:
    """Return an amount of a resource with its unit."""
    if amount is None:
        return _UNKNOWN
    if resource == "cpu_millicores":
        return units.cpu_text(amount)
    if resource == "memory_mib":
        return units.memory_text(amount)
    if resource == "gpus":
        return ngettext("%(n)d GPU", "%(n)d GPUs", amount) % {"n": amount}
    if resource == "pods":
        return ngettext("%(n)d pod", "%(n)d pods", amount) % {"n": amount}
    return str(amount)


def resource_text(resource: str) -> str:
    """Return the name of a resource, as the head of a figure."""
    names = {
        "cpu_millicores": _("CPU"),
        "memory_mib": _("Memory"),
        "gpus": _("GPUs"),
        "pods": _("Pods"),
    }
    return names.get(resource, _("Resource"))
