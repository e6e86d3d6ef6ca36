"""The measurements work: a few rounds of each part, and the arithmetic. What they find is printed, never asserted."""

import re
from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench import figures, lists, live, startup, submit
from tests.plugins.figures import Figure
from tests.plugins.product import Product, running_product

pytestmark = [pytest.mark.bench, pytest.mark.timeout(400)]
NUMBER = re.compile(r"^\d+(\.\d)?$")


def rows_of(table: str) -> list[list[str]]:
    """Return the cells of a table below its head."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_quantiles_are_samples_that_were_seen() -> None:
    samples = [float(number) for number in range(1, 101)]
    assert (figures.quantile(samples, 0.5), figures.quantile(samples, 0.99)) == (50, 99)
    assert figures.quantile([3.0], 0.99) == 3


def test_ratios_are_taken_round_by_round() -> None:
    assert figures.ratio([1.0, 4.0, 3.0], [1.0, 2.0, 1.0]) == "2.00 (1.00–3.00)"


def test_the_page_has_a_place_for_each_part() -> None:
    parts = ("machine", "submit", "viewers", "phases", "lines", "lists", "starts")
    written = bench.page({part: f"«{part}»" for part in parts})
    assert all(f"«{part}»" in written for part in parts)
    assert "$" not in written


def test_lists_are_measured_at_each_size(figure: Figure) -> None:
    with running_product("--demo", "--no-samples", "--no-cluster") as product:
        rows = rows_of(lists.measure(product, sizes=(60, 240), rounds=3))
    assert [row[1] for row in rows] == ["60", "240"] * 7
    assert all(NUMBER.match(cell) for row in rows for cell in row[2:6])
    assert max(int(row[2]) for row in rows) <= 6
    figure("; ".join(f"{row[0]}, {row[1]} rows: {row[3]} ms" for row in rows))


@pytest.mark.cluster
def test_submissions_and_news_are_measured_on_a_running_cluster(demo: Product, tmp_path: Path, figure: Figure) -> None:
    for table in (
        submit.measure(demo, rounds=1, directory=tmp_path),
        live.phases(demo, rounds=1, viewers=2),
        live.log_lines(demo, lines=100),
    ):
        rows = rows_of(table)
        assert all(NUMBER.match(cell) for row in rows for cell in row[1:4])
        figure("; ".join(f"{row[0]}: {row[1]} ms" for row in rows))


def test_starts_are_measured_cold_and_warm(figure: Figure) -> None:
    rows = rows_of(startup.measure(rounds=1, with_cluster=False))
    assert [row[0] for row in rows] == ["cold", "warm"]
    figure("; ".join(f"{row[0]}: answers after {row[1]} s" for row in rows))
