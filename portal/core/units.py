"""How amounts and spans of time read in the interface: a number and a unit, in the reader's language.

Pure functions. They never guess: what is unknown is the caller's to say.
"""

import math

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86_400
MIB_BYTES = 1_048_576
_BINARY_STEPS = 1024


def number_text(value: float) -> str:
    """Return a number with at most two decimals and no trailing zeros: 2, 0.5, 1.25."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def memory_text(memory_mib: int) -> str:
    """Return memory given in MiB in the largest unit that states it exactly with two decimals: "1.5 GiB"."""
    for unit_mib, unit in ((_BINARY_STEPS**2, _("TiB")), (_BINARY_STEPS, _("GiB"))):
        hundredths = memory_mib * 100 / unit_mib
        if memory_mib >= unit_mib and hundredths == int(hundredths):
            return f"{number_text(memory_mib / unit_mib)} {unit}"
    return f"{memory_mib} {_('MiB')}"


def bytes_text(size_bytes: int) -> str:
    """Return a size in bytes, rounded to two decimals in the largest binary unit that it fills."""
    units = [_("bytes"), _("KiB"), _("MiB"), _("GiB"), _("TiB")]
    power = min(max(int(math.log(size_bytes, _BINARY_STEPS)), 0), len(units) - 1) if size_bytes > 0 else 0
    return f"{number_text(size_bytes / _BINARY_STEPS**power)} {units[power]}"


def cpu_text(cpu_millicores: int) -> str:
    """Return thousandths of a CPU core as cores: "0.5 cores", "1 core"."""
    cores = f"{cpu_millicores / 1000:.3f}".rstrip("0").rstrip(".")
    return ngettext("%(cores)s core", "%(cores)s cores", 1 if cpu_millicores == 1000 else 2) % {"cores": cores}


def duration_text(seconds: float) -> str:
    """Return a span of time in its two largest units: "41 s", "2 h 14 min", "3 d 4 h". Negative spans count as none."""
    whole = max(int(seconds), 0)
    if whole < MINUTE_S:
        return _("%(n)d s") % {"n": whole}
    if whole < HOUR_S:
        return _("%(n)d min") % {"n": whole // MINUTE_S}
    if whole < DAY_S:
        hours, minutes = divmod(whole // MINUTE_S, 60)
        return _("%(h)d h %(m)d min") % {"h": hours, "m": minutes} if minutes else _("%(n)d h") % {"n": hours}
    days, hours = divmod(whole // HOUR_S, 24)
    return _("%(d)d d %(h)d h") % {"d": days, "h": hours} if hours else _("%(n)d d") % {"n": days}


def relative_text(age_seconds: float) -> str:
    """Return how long ago, or with a negative age how far ahead, something is: "18 min ago", "in 2 h", "just now"."""
    span = duration_text(abs(age_seconds))
    if abs(age_seconds) < 1:
        return _("just now")
    return _("%(span)s ago") % {"span": span} if age_seconds > 0 else _("in %(span)s") % {"span": span}
