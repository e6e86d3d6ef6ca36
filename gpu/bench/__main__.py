"""`python -m gpu.bench [--folder DIR] [--traces NAME …] [--seeds N] [--json]`: ours beside published policies, in turn.

Without a folder (or BERTH_TRACE_DIR) the cluster that is made here is replayed. Every policy gets the same requests in
the same order; ours has its nodes in another order for each seed, the others in that of their names. Figures of one
machine: look at the ratios and differences, which are taken seed by seed.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from gpu.bench.baselines import Baseline, Policy
from gpu.bench.churn import Places, mean_allocation
from gpu.bench.ours import Ours
from gpu.bench.replay import Outcome, replay
from gpu.bench.traces import Trace, arrivals, made_here, read_trace, traces_in
from gpu.placement.specs import Request

RATIO = 1.3
CHURN_LOADS, CHURN_REQUESTS = (0.9, 1.0, 1.1), 10_000
FIRST_SEED = 42
OURS, ORDERS, FGD_ALL = "berth", "berth, reordered", "fgd, all classes"
Outcomes = dict[str, list[Outcome]]


def main(words: list[str]) -> int:
    """Replay what is asked for and print it; return the exit status, 3 without the data."""
    asked = _parser().parse_args(words)
    folder = Path(asked.folder) if asked.folder else None
    if folder is not None and not traces_in(folder):
        sys.stderr.write(f"No traces in {folder}: it has no openb_pod_list_*.csv.\n")
        return 3
    traces = [read_trace(folder, name) for name in asked.traces or traces_in(folder)] if folder else [made_here()]
    if asked.churn:
        sys.stdout.writelines(f"{line}\n" for trace in traces for line in churn_lines(trace, range(asked.seeds)))
        return 0
    told = {trace.name: outcomes_of(trace, range(FIRST_SEED, FIRST_SEED + asked.seeds)) for trace in traces}
    if asked.json:
        plain = {
            name: {policy: list(map(asdict, runs)) for policy, runs in found.items()} for name, found in told.items()
        }
        sys.stdout.write(json.dumps(plain, indent=1) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for name, found in told.items() for line in lines_of(name, found))
    return 0


def outcomes_of(trace: Trace, seeds: Sequence[int]) -> Outcomes:
    """Return what each policy makes of the same requests, seed by seed, and ours of the first in other orders."""
    found: Outcomes = {}
    for seed in seeds:
        requests = arrivals(trace, RATIO, np.random.default_rng(seed))
        for name, place in _policies(trace, seed).items():
            found.setdefault(name, []).append(replay(place, requests, trace.capacity_milli))
    requests = arrivals(trace, RATIO, np.random.default_rng(seeds[0]))
    found[ORDERS] = [replay(Ours(trace, order).place, requests, trace.capacity_milli) for order in range(len(seeds))]
    return found


def churn_lines(trace: Trace, seeds: Sequence[int], *, requests: int = CHURN_REQUESTS) -> list[str]:
    """Return what is allocated on average while requests come and go, and B11, the mean of ours to the better FGD."""
    if not trace.lifetimes_s:
        return [f"{trace.name}: the trace does not say how long its pods lived"]
    means: dict[str, list[float]] = {Policy.BEST_FIT: [], Policy.FGD: [], FGD_ALL: [], OURS: []}
    for load in CHURN_LOADS:
        for seed in seeds:
            policies: dict[str, Places] = {
                Policy.BEST_FIT: Baseline(trace, Policy.BEST_FIT),
                Policy.FGD: Baseline(trace, Policy.FGD),
                FGD_ALL: Baseline(trace, Policy.FGD, popularity=1.0),
                OURS: Ours(trace, seed),
            }
            for name, policy in policies.items():
                means[name].append(mean_allocation(policy, trace, load=load, requests=requests, seed=seed))
    fgd = max(means[Policy.FGD], means[FGD_ALL], key=statistics.fmean)
    pairs = [one / other for one, other in zip(means[OURS], fgd, strict=True)]
    size = len(seeds)
    by_load = {
        name: [statistics.fmean(all_[at : at + size]) for at in range(0, len(all_), size)]
        for name, all_ in means.items()
    }
    return [
        f"{trace.name}: allocated % on average while requests come and go, at loads of {CHURN_LOADS}",
        *(f"  {name:17}" + "".join(f"{mean:9.2f}" for mean in found) for name, found in by_load.items()),
        f"  B11 ours / the better FGD                         {_spread(pairs, 4)}",
    ]


def lines_of(name: str, found: Outcomes) -> list[str]:
    """Return the figures of a trace as lines to read: allocated per cent, and ours against the others."""
    head = f"{name}: allocated % at 100 and 130 % load, standard deviation, ms a decision"
    rows = [f"  {policy:17}{_told(runs, 100)}{_told(runs, 130)}{_ms(runs):9.3f}" for policy, runs in found.items()]
    fgd = max((found[Policy.FGD], found[FGD_ALL]), key=lambda runs: _mean(runs, 130))
    ours, best_fit = found[OURS], found[Policy.BEST_FIT]
    reordered = [run.at[130] for run in found[ORDERS]]
    return [
        head,
        *rows,
        f"  B1  unallocated at 130 %, ours / the better FGD   {_ratio(ours, fgd, 130)}",
        f"  B2  unallocated at 100 %, ours / best fit         {_ratio(ours, best_fit, 100)}",
        f"  B4  points above the better FGD at 100, 130 %     {_above(ours, fgd, 100)}  {_above(ours, fgd, 130)}",
        f"  B6  points between orders of the nodes at 130 %   {max(reordered) - min(reordered):.2f}",
        f"  B8  time a decision, ours / FGD                   {_ms(ours) / _ms(found[Policy.FGD]):.2f}",
    ]


def _policies(trace: Trace, seed: int) -> dict[str, Callable[[Request], object | None]]:
    found: dict[str, Callable[[Request], object | None]] = {
        str(policy): Baseline(trace, policy, seed=seed).place for policy in Policy
    }
    found[FGD_ALL] = Baseline(trace, Policy.FGD, popularity=1.0).place
    found[OURS] = Ours(trace, seed).place
    return found


def _mean(runs: list[Outcome], load: int) -> float:
    return statistics.fmean(run.at[load] for run in runs)


def _ms(runs: list[Outcome]) -> float:
    return statistics.fmean(run.mean_ms for run in runs)


def _told(runs: list[Outcome], load: int) -> str:
    return f"{_mean(runs, load):9.2f} ±{statistics.pstdev(run.at[load] for run in runs):.2f}"


def _ratio(ours: list[Outcome], others: list[Outcome], load: int) -> str:
    pairs = [(100 - one.at[load]) / (100 - other.at[load]) for one, other in zip(ours, others, strict=True)]
    return _spread(pairs, 3)


def _spread(values: list[float], digits: int) -> str:
    return f"{statistics.fmean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _above(ours: list[Outcome], others: list[Outcome], load: int) -> str:
    pairs = [one.at[load] - other.at[load] for one, other in zip(ours, others, strict=True)]
    return f"{statistics.fmean(pairs):+.2f} ({min(pairs):+.2f} to {max(pairs):+.2f})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gpu.bench", description=__doc__)
    parser.add_argument("--folder", default=os.environ.get("BERTH_TRACE_DIR", ""), help="in the format of openb")
    parser.add_argument("--traces", nargs="*", help="some of the folder's, by name")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--churn", action="store_true", help="requests come and go instead of filling the cluster")
    parser.add_argument("--json", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
