from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.kube.quantity import parse_quantity


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", "0"),
        ("250m", "0.25"),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("2k", "2000"),
        ("64Mi", str(64 * 1024**2)),
        ("1Gi", str(1024**3)),
        ("3E", "3e18"),
        ("1e3", "1000"),
        ("12E2", "1200"),
        ("100n", "1e-7"),
        ("-1", "-1"),
    ],
)
def test_quantities_are_exact(text: str, amount: str) -> None:
    assert parse_quantity(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["", "Mi", "1 Gi", "1gi", "one", "1Mi\n", "NaN", "1e", "--1"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no Kubernetes quantity"):
        parse_quantity(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_a_thousand_millis_are_one(amount: int) -> None:
    assert parse_quantity(f"{amount * 1000}m") == amount
