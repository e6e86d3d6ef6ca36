"""What the bench tells of a trace: lines to read, and the same and more as plain values for JSON.

B1 to B11 are the project's measures. Each pairs ours with another on the same seed; told are the mean of the pairs, and
the least and the largest. A pair whose divisor is nothing (the other allocates all, or as much as the bound) is left
out.
"""

import resource
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain

from gpu.bench.baselines import Policy
from gpu.bench.contest import (
    CHURN_LOADS,
    CHURN_REQUESTS,
    FGD_ALL,
    ORDERS,
    OURS,
    RATIO,
    REPACKED,
    STARTED,
    Contest,
    Found,
    churn,
    contest,
    repacked,
)
from gpu.bench.ours import Ours
from gpu.bench.perturb import run_of, scaled
from gpu.bench.replay import Outcome, replay
from gpu.bench.traces import Trace

_NOTHING = 1e-9


@dataclass(frozen=True, slots=True)
class Report:
    """What there is to tell of a trace: as lines, and as values that JSON takes."""

    name: str
    lines: list[str]
    plain: Mapping[str, object]


def filling(trace: Trace, asked: Contest) -> Report:
    """Fill the cluster with every policy: B1 to B6 and B8."""
    found = contest(trace, asked)
    measured = measures_of(found)
    plain = {
        "seeds": list(found.seeds),
        "runs": {policy: list(map(asdict, runs)) for policy, runs in found.runs.items()},
        "bounds_pct": dict(zip(found.seeds, found.bounds, strict=False)),
        "measures": measured,
    }
    return Report(found.name, lines_of(found, measured), plain)


def churning(trace: Trace, asked: Contest, requests: int = CHURN_REQUESTS) -> Report:
    """Let requests come and go: B11, ours to the better FGD."""
    if not trace.lifetimes_s:
        return Report(trace.name, [f"{trace.name}: the trace does not say how long its pods lived"], {})
    found = churn(trace, asked, requests)
    allocated = found.allocated_pct
    means = {name: [statistics.fmean(of_load) for of_load in by_load] for name, by_load in allocated.items()}
    fgd = max((Policy.FGD, FGD_ALL), key=lambda name: statistics.fmean(means[name]))
    measured = {
        label: [one / other for one, other in zip(chain(*allocated[name]), chain(*allocated[fgd]), strict=True)]
        for label, name in (("B11", OURS), ("B11, just begun", STARTED), ("B11, repacked", REPACKED))
        if name in allocated
    }
    moved = [f"  moved % of the pods that were placed              {_spread(found.moved_pct, '.2f')}"]
    lines = [
        f"{trace.name}: allocated % on average while requests come and go, at loads of {CHURN_LOADS}",
        *(f"  {name:17}" + "".join(f"{mean:9.2f}" for mean in by_load) for name, by_load in means.items()),
        *(
            f"  {label:16} ours / the better FGD            {_spread(pairs, '.4f')}"
            for label, pairs in measured.items()
        ),
        *(moved if found.moved_pct else []),
    ]
    return Report(trace.name, lines, {"seeds": list(asked.seeds), "allocated_pct": allocated, "measures": measured})


def scaling(trace: Trace, asked: Contest, times: int) -> Report:
    """Fill the cluster and one so many times as large with ours, the first seed: B9, and the memory of this process."""
    told: list[Outcome] = []
    for size in (1, times):
        run = run_of(scaled(trace, size), asked.changes, asked.seeds[0], RATIO)
        told.append(replay(Ours(run.trace, asked.order(asked.seeds[0])), run))
    one, many = told
    peak_mib = _peak_mib()
    lines = [
        f"{trace.name}: ours with {len(trace.nodes)} nodes, and {times} times the nodes and requests",
        f"  allocated % at 130 % load                         {one.at[130]:.2f}, {many.at[130]:.2f}",
        f"  B9  ms a decision                                 {one.mean_ms:.3f}, {many.mean_ms:.3f}",
        f"  B9  time a decision, larger / as it is            {many.mean_ms / one.mean_ms:.2f}",
        f"  B9  MiB that the process had at most so far       {peak_mib:.0f}",
    ]
    measured = {"B9": [many.mean_ms / one.mean_ms]}
    return Report(trace.name, lines, {"runs": list(map(asdict, told)), "peak_mib": peak_mib, "measures": measured})


def repacking(trace: Trace, asked: Contest) -> Report:
    """Fill the cluster with ours, moving few pods meanwhile, and without: B7."""
    without, found = repacked(trace, asked)
    lines = [f"{trace.name}: unallocated with repacking / without, at 100 and 130 %; moves, time a plan"]
    measured: dict[str, list[float]] = {}
    for of_pods in found:
        words = "all pods may be moved" if of_pods.each == 1 else f"one in {of_pods.each} may be"
        moved = measured[f"moved %, {words}"] = [policy.moved_pct for policy in of_pods.policies]
        plans_ms = [1_000 * each_s for policy in of_pods.policies for each_s in policy.plan_s] or [0.0]
        line = f"  B7  {words:22}"
        for load in (100, 130):
            pairs = measured[f"B7 at {load} %, {words}"] = _pairs(_unallocated, of_pods.runs, without, load)
            line += f"  {_spread(pairs, '.3f')}"
        line += f"  {statistics.fmean(moved):.2f} % (most {max(moved):.2f})"
        lines.append(f"{line}  {statistics.fmean(plans_ms):.0f} ms (most {max(plans_ms):.0f})")
    return Report(trace.name, lines, {"seeds": list(asked.seeds), "measures": measured})


def measures_of(found: Found) -> dict[str, list[float]]:
    """Return the pairs of each measure; B3 and B5 of the seeds with a bound, B5 where requests name models."""
    ours, best_fit, runs = found.runs[OURS], found.runs[Policy.BEST_FIT], found.runs
    at_100, at_130 = better_fgd(runs, 100), better_fgd(runs, 130)
    orders = [run.at[130] for run in runs[ORDERS]]
    measured = {
        "B1": _pairs(_unallocated, ours, at_130, 130),
        "B2": _pairs(_unallocated, ours, best_fit, 100),
        "B3": _closed(ours, best_fit, found.bounds),
        "B4 at 100 %": _pairs(lambda one, other: one - other, ours, at_100, 100),
        "B4 at 130 %": _pairs(lambda one, other: one - other, ours, at_130, 130),
        "B5": _closed(ours, at_100, found.bounds) if found.names_models else [],
        "B6": [max(orders) - min(orders)],
        "B8": [_ms(ours) / _ms(runs[Policy.FGD])],
    }
    return {name: pairs for name, pairs in measured.items() if pairs}


def lines_of(found: Found, measured: dict[str, list[float]]) -> list[str]:
    """Return the figures of a trace: what each policy allocates, the bound, and the measures."""
    rows = [f"  {policy:17}{_told(runs, 100)}{_told(runs, 130)}{_ms(runs):9.3f}" for policy, runs in found.runs.items()]
    count = len(found.bounds)
    bound = [f"  {'bound':17}{_mean_and_deviation(found.bounds)}  (seeds: {count})"] if count else []
    return [
        f"{found.name}: allocated % at 100 and 130 % load, ± deviation, ms a decision (seeds: {len(found.seeds)})",
        *rows,
        *bound,
        *(f"  {_LABELS[name]:50}{_spread(pairs, _FORMATS.get(name, '.3f'))}" for name, pairs in measured.items()),
    ]


def better_fgd(runs: dict[str, list[Outcome]], load: int) -> list[Outcome]:
    """Return of FGD with the usual classes and with all of them whichever allocates more on average at a load."""
    return max((runs[Policy.FGD], runs[FGD_ALL]), key=lambda its: statistics.fmean(run.at[load] for run in its))


_LABELS = {
    "B1": "B1  unallocated at 130 %, ours / the better FGD",
    "B2": "B2  unallocated at 100 %, ours / best fit",
    "B3": "B3  of best fit's distance to the bound at 100 %",
    "B4 at 100 %": "B4  points above the better FGD at 100 %",
    "B4 at 130 %": "B4  points above the better FGD at 130 %",
    "B5": "B5  of the better FGD's distance at 100 %",
    "B6": "B6  points between orders of the nodes at 130 %",
    "B8": "B8  time a decision, ours / FGD",
}
_FORMATS = {"B4 at 100 %": "+.2f", "B4 at 130 %": "+.2f", "B6": ".2f", "B8": ".2f"}


def _pairs(
    of: Callable[[float, float], float | None], ours: list[Outcome], others: list[Outcome], load: int
) -> list[float]:
    found = [of(one.at[load], other.at[load]) for one, other in zip(ours, others, strict=True)]
    return [pair for pair in found if pair is not None]


def _unallocated(ours_pct: float, other_pct: float) -> float | None:
    return (100 - ours_pct) / (100 - other_pct) if 100 - other_pct > _NOTHING else None


def _closed(ours: list[Outcome], others: list[Outcome], bounds: list[float]) -> list[float]:
    """Return by which part of their distance to the bound ours is above the others at 100 %, of seeds with a bound."""
    found = [(one.when_full, other.when_full, bound) for one, other, bound in zip(ours, others, bounds, strict=False)]
    return [(one - other) / (bound - other) for one, other, bound in found if abs(bound - other) > _NOTHING]


def _ms(runs: list[Outcome]) -> float:
    return statistics.fmean(run.mean_ms for run in runs)


def _told(runs: list[Outcome], load: int) -> str:
    return _mean_and_deviation([run.at[load] for run in runs])


def _mean_and_deviation(values: Sequence[float]) -> str:
    return f"{statistics.fmean(values):9.2f} ±{statistics.pstdev(values):.2f}"


def _spread(values: list[float], form: str) -> str:
    if len(values) == 1:
        return f"{values[0]:{form}}"
    return f"{statistics.fmean(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1_048_576 if sys.platform == "darwin" else peak / 1_024  # bytes there, KiB elsewhere
