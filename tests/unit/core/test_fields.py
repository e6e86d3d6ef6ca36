"""Amounts as people type them."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from portal.core.fields import AmountField, CpuField, DurationField, MemoryField


@pytest.mark.parametrize(
    ("field", "text", "amount"),
    [
        (MemoryField(), "512 MiB", 512),
        (MemoryField(), "2", 2048),
        (MemoryField(), "1.5GiB", 1536),
        (MemoryField(), "1,5 gib", 1536),
        (MemoryField(), "1 Ti", 1_048_576),
        (CpuField(), "0.5", 500),
        (CpuField(), "250m", 250),
        (CpuField(), "2 cores", 2000),
        (DurationField(), "90", 5400),
        (DurationField(), "30 s", 30),
        (DurationField(), "2 h", 7200),
        (DurationField(), "1 d", 86_400),
    ],
)
def test_an_amount_reads_in_its_smallest_unit(field: AmountField, text: str, amount: int) -> None:
    assert field.clean(text) == amount


@pytest.mark.parametrize("text", ["x", "-1", "1 1", "1 lot", "1e3", "²", "1.2.3", "inf", "NaN", "9" * 400])
@pytest.mark.parametrize("field", [MemoryField(), CpuField(), DurationField()])
def test_what_is_no_amount_is_refused(field: AmountField, text: str) -> None:
    with pytest.raises(ValidationError):
        field.clean(text)


def test_an_empty_amount_is_none_where_it_may_be_left_out() -> None:
    assert DurationField(required=False).clean("") is None


@pytest.mark.parametrize("field", [MemoryField(), CpuField(), DurationField()])
@given(amount=st.integers(min_value=0, max_value=10**9))
def test_what_is_shown_reads_back_as_the_same_amount(field: AmountField, amount: int) -> None:
    assert field.clean(field.prepare_value(amount)) == amount
