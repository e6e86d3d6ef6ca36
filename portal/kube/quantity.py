"""Kubernetes quantities ("250m", "32Mi", "1e3") as exact numbers. Pure; may be imported by everybody."""

import re
from decimal import Decimal, InvalidOperation

_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
_FACTORS = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{suffix: Decimal(1000) ** (i + 1) for i, suffix in enumerate(("k", "M", "G", "T", "P", "E"))},
    **{suffix: Decimal(1024) ** (i + 1) for i, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))},
}


def parse_quantity(text: str) -> Decimal:
    """Return the amount in base units (cores, bytes, pieces). Raises ValueError when the text is no quantity."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is no Kubernetes quantity")
    number, suffix = match.groups()
    try:
        return Decimal(number) * _FACTORS.get(suffix or "", Decimal(1))
    except InvalidOperation as error:
        raise ValueError(f"{text[:40]!r} is out of range") from error
