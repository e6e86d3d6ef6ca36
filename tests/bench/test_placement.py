"""The placer against published policies on the cluster that is made here: the gate that needs no data."""

import statistics

import pytest

from gpu.bench.baselines import Policy
from gpu.bench.contest import OURS, Contest, Found, contest, in_orders
from gpu.bench.figures import better_fgd, lines_of, measures_of
from gpu.bench.perturb import Changes
from gpu.bench.replay import Outcome
from gpu.bench.traces import made_here
from tests.plugins.figures import Figure

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
SEEDS = range(42, 45)
SLACK = 0.15  # points, as B4 allows
ORDERS_PCT = 0.3  # points, as B6 allows


def told(figure: Figure, found: Found, label: str) -> None:
    for line in (label, *lines_of(found, measures_of(found))):
        figure(line)


def mean(runs: list[Outcome], load: int) -> float:
    return statistics.fmean(run.at[load] for run in runs)


def test_the_placer_packs_no_worse_than_fgd_and_better_than_best_fit(figure: Figure) -> None:
    found = contest(made_here(), Contest(seeds=SEEDS, bounds=3))
    told(figure, found, "as it is made")
    for load in (100, 130):
        assert mean(found.runs[OURS], load) >= mean(better_fgd(found.runs, load), load) - SLACK
        assert mean(found.runs[OURS], load) > mean(found.runs[Policy.BEST_FIT], load)
    for runs in found.runs.values():
        for run, bound in zip(runs[: len(found.bounds)], found.bounds, strict=True):
            assert run.when_full <= bound


def test_on_fewer_nodes_with_unlike_cpu_it_packs_no_worse_either(figure: Figure) -> None:
    changes = Changes(without_nodes=0.33, cpu_spread=0.3)
    found = contest(made_here(), Contest(seeds=SEEDS, changes=changes, bounds=3))
    told(figure, found, "a third of the nodes gone, CPU of each by 1 ± 0.3")
    for load in (100, 130):
        assert mean(found.runs[OURS], load) >= mean(better_fgd(found.runs, load), load) - SLACK


@pytest.mark.parametrize(
    ("label", "changes", "orders"),
    [("as it is made", Changes(), 10), ("with 0.4 of the memory", Changes(memory=0.4), 5)],
)
def test_other_orders_of_many_nodes_change_little(figure: Figure, label: str, changes: Changes, orders: int) -> None:
    runs = in_orders(made_here(times=10), Contest(seeds=range(42, 42 + orders), changes=changes))
    for load in (100, 130):
        spread = max(run.at[load] for run in runs) - min(run.at[load] for run in runs)
        figure(f"1,200 nodes {label}, in {orders} orders: {spread:.2f} points between them at {load} % load")
        assert spread <= ORDERS_PCT
