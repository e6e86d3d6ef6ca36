"""Amounts and spans read as a number and a unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core import units


@pytest.mark.parametrize(
    ("memory_mib", "text"),
    [(0, "0 MiB"), (512, "512 MiB"), (1024, "1 GiB"), (1536, "1.5 GiB"), (1100, "1100 MiB"), (1_048_576, "1 TiB")],
)
def test_memory_reads_in_the_largest_unit_that_states_it_exactly(memory_mib: int, text: str) -> None:
    assert units.memory_text(memory_mib) == text


@given(st.integers(min_value=0, max_value=2**40))
def test_memory_text_never_loses_a_mebibyte(memory_mib: int) -> None:
    number, unit = units.memory_text(memory_mib).split()
    assert round(float(number) * {"MiB": 1, "GiB": 1024, "TiB": 1024**2}[unit]) == memory_mib


@pytest.mark.parametrize(
    ("cpu_millicores", "text"),
    [
        (1000, "1 core"),
        (500, "0.5 cores"),
        (10, "0.01 cores"),
        (1, "0.001 cores"),
        (64_000, "64 cores"),
        (0, "0 cores"),
    ],
)
def test_cpu_reads_in_cores(cpu_millicores: int, text: str) -> None:
    assert units.cpu_text(cpu_millicores) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0.4, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (8040, "2 h 14 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d"),
        (273_600, "3 d 4 h"),
    ],
)
def test_a_span_reads_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert units.duration_text(seconds) == text


@pytest.mark.parametrize(("age_s", "text"), [(0, "just now"), (90, "1 min ago"), (-7200, "in 2 h"), (-0.5, "just now")])
def test_a_moment_reads_relative_to_now(age_s: float, text: str) -> None:
    assert units.relative_text(age_s) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (4300, "4.2 KiB"),
        (2**30, "1 GiB"),
        (2**60, "1048576 TiB"),
    ],
)
def test_sizes_read_in_binary_units(size_bytes: int, text: str) -> None:
    assert units.bytes_text(size_bytes) == text
