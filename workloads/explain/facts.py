"""Reads the parameters of a reason: typed, bounded, never raising, since rows and the cluster are hostile input."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from portal.core import units
from tenants.specs import Unit

MAX_MESSAGE = 600
MAX_NAME = 120
_UNKNOWN = "?"
_MEBIBYTES = re.compile(r"([0-9]{1,12})Mi")
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
        shown = value.encode(errors="replace").decode().replace("\0", "\ufffd")
        return shown if len(shown) <= limit else shown[: limit - 1] + "…"

    def many(self, name: str) -> list["Facts"]:
        """Return a list of parameters, at most ten."""
        value = self.params.get(name) if isinstance(self.params, Mapping) else None
        return [Facts(item) for item in value[:10]] if isinstance(value, list) else []

    @property
    def message(self) -> str:
        """What the cluster said, in its own words."""
        return self.text("message", limit=MAX_MESSAGE)

    @property
    def memory_limit_mib(self) -> int | None:
        """The memory limit that was exceeded: a number of MiB, or as the pod said it ("64Mi")."""
        said = _MEBIBYTES.fullmatch(self.text("limit"))
        return int(said[1]) if said else self.number("memory_mib")

    @property
    def time_limit_s(self) -> int | None:
        """The time limit that was reached."""
        limit_s = self.number("limit_s")
        return self.number("max_runtime_s") if limit_s is None else limit_s

    def amount(self, name: str) -> str:
        """Return an amount of the resource that the parameters name, with its unit; "?" where unknown."""
        return self._amount(self.number(name))

    def count(self, name: str) -> str:
        """Return a number without a unit; "?" where unknown."""
        value = self.number(name)
        return _UNKNOWN if value is None else str(value)

    def free(self) -> str:
        """Return what a limit leaves of the resource; never below nothing."""
        limit, held = self.number("limit"), self.number("held")
        known = None if limit is None or held is None else max(limit - held, 0)
        return self._amount(known)

    @property
    def resource(self) -> str:
        """The name of the resource that the parameters name, as the head of a figure."""
        return self._label() or resource_text(self.text("resource"))

    def _amount(self, amount: int | None) -> str:
        label = self._label()
        if amount is None or not label:
            return amount_text(self.text("resource"), amount)
        if self.text("unit") == Unit.MIB:
            return f"{units.memory_text(amount)} {label}"
        return f"{amount} × {label}"

    def _label(self) -> str:
        """Return what a type beyond the built-in ones is called in the reader's language; "" where none is told."""
        chinese = self.text("label_zh") if (get_language() or "").startswith("zh") else ""
        return chinese or self.text("label")


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
