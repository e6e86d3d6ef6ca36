"""Form fields for amounts, as people write them: "512 MiB", "1.5", "30 min". Values are whole small units.

The small units (thousandths of a core, MiB, seconds) are what specs and tables hold.
"""

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

_NUMBER_AND_UNIT = re.compile(r"\s*(\d{1,12}(?:[.,]\d{1,6})?)\s*([^\d\s.,]*)\s*")
MEMORY_UNITS_MIB = {"": 1024, "m": 1, "mi": 1, "mib": 1, "g": 1024, "gi": 1024, "gib": 1024, "t": 1024**2}
MEMORY_UNITS_MIB |= {"ti": 1024**2, "tib": 1024**2}
CPU_UNITS_MILLICORES = {"": 1000, "m": 1, "core": 1000, "cores": 1000, "核": 1000}
DURATION_UNITS_S = {
    "s": 1,
    "秒": 1,
    "": 60,
    "m": 60,
    "min": 60,
    "分钟": 60,
    "h": 3600,
    "小时": 3600,
    "d": 86_400,
    "天": 86_400,
}


class AmountField(forms.CharField):
    """A number with an optional unit; cleans to a whole number of the smallest unit, or None when left empty."""

    units: Mapping[str, int] = {}
    shown_units: tuple[tuple[str, int], ...] = ()
    wrong = _("Enter a number.")

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values:
            return None
        if isinstance(value, int):
            return value
        match = _NUMBER_AND_UNIT.fullmatch(str(value))
        factor = self.units.get(match[2].lower()) if match else None
        if match is None or factor is None:
            raise ValidationError(self.wrong, code="invalid")
        return round(float(match[1].replace(",", ".")) * factor)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, int):
            return value
        return next(
            (f"{value // per} {unit}".strip() for unit, per in self.shown_units if value % per == 0), str(value)
        )


class MemoryField(AmountField):
    """Memory in MiB; a bare number counts GiB."""

    units = MEMORY_UNITS_MIB
    shown_units = (("GiB", 1024), ("MiB", 1))
    wrong = _("Enter an amount such as 512 MiB or 2 GiB.")


class CpuField(AmountField):
    """CPU in thousandths of a core; a bare number counts cores."""

    units = CPU_UNITS_MILLICORES
    wrong = _("Enter a number of cores such as 2 or 0.5.")

    def prepare_value(self, value: Any) -> Any:
        return f"{value / 1000:.3f}".rstrip("0").rstrip(".") if isinstance(value, int) else value


class DurationField(AmountField):
    """A span in seconds; a bare number counts minutes."""

    units = DURATION_UNITS_S
    shown_units = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
    wrong = _("Enter a span such as 30 min, 2 h or 1 d.")
