"""The placer against published policies on the cluster that is made here: the gate that needs no data."""

import statistics

import pytest

from gpu.bench.__main__ import FGD_ALL, FIRST_SEED, OURS, lines_of, outcomes_of
from gpu.bench.baselines import Policy
from gpu.bench.traces import made_here
from tests.plugins.figures import Figure

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
SEEDS = range(FIRST_SEED, FIRST_SEED + 3)
SLACK = 0.15  # points, as B4 allows


def test_the_placer_packs_no_worse_than_fgd_and_better_than_best_fit(figure: Figure) -> None:
    found = outcomes_of(made_here(), SEEDS)
    for line in lines_of("made here", found):
        figure(line)
    for load in (100, 130):
        mean = {name: statistics.fmean(run.at[load] for run in runs) for name, runs in found.items()}
        assert mean[OURS] >= max(mean[Policy.FGD], mean[FGD_ALL]) - SLACK
        assert mean[OURS] > mean[Policy.BEST_FIT]
