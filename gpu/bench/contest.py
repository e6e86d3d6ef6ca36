"""Ours and the published policies on the same runs, seed by seed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gpu.bench.baselines import Baseline, Policy
from gpu.bench.bound import bound_pct
from gpu.bench.churn import Places, mean_allocation
from gpu.bench.ours import Ours
from gpu.bench.perturb import Changes, changed, run_of
from gpu.bench.repacked import Repacked
from gpu.bench.replay import Contender, Outcome, replay
from gpu.bench.traces import Trace
from gpu.placement.mix import WINDOW

RATIO = 1.3
CHURN_LOADS, CHURN_REQUESTS = (0.9, 1.0, 1.1), 10_000
FIRST_SEED = 42
OURS, ORDERS, FGD_ALL = "berth", "berth, reordered", "fgd, all classes"
STARTED, REPACKED = "berth, just begun", "berth, repacked"
Outcomes = dict[str, list[Outcome]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What is played: seeds, changes, whether ours has its nodes in another order for each seed, how many bounds, and
    whether ours is repacked as well where requests come and go."""

    seeds: Sequence[int] = range(FIRST_SEED, FIRST_SEED + 10)
    changes: Changes = field(default_factory=Changes)
    permuted: bool = True
    bounds: int = 0
    repack: bool = False

    def order(self, seed: int) -> int:
        """Return the order of ours' nodes in a seed's run."""
        return seed if self.permuted else 0


@dataclass(frozen=True, slots=True)
class Found:
    """What each policy made of a trace, by seed, and the bounds in per cent at a load of 1, of the first seeds."""

    name: str
    seeds: Sequence[int]
    runs: Outcomes
    bounds: list[float]
    names_models: bool


def contest(trace: Trace, asked: Contest) -> Found:
    """Replay each seed's run with every policy, and that of the first with ours in as many orders of the nodes.

    Raises NoSolver where bounds are asked for and scipy is missing.
    """
    found: Outcomes = {}
    bounds: list[float] = []
    for number, seed in enumerate(asked.seeds):
        run = run_of(trace, asked.changes, seed, RATIO)
        if number < asked.bounds:
            bounds.append(bound_pct(run.trace, run.coming))
        for name, policy in contenders(run.trace, seed, asked.order(seed)).items():
            found.setdefault(name, []).append(replay(policy, run))
    found[ORDERS] = in_orders(trace, asked)
    return Found(trace.name, asked.seeds, found, bounds, any(request.models for request in trace.requests))


def in_orders(trace: Trace, asked: Contest) -> list[Outcome]:
    """Return what ours makes of the first seed's run with its nodes in as many orders as there are seeds."""
    run = run_of(trace, asked.changes, asked.seeds[0], RATIO)
    return [replay(Ours(run.trace, order), run) for order in range(len(asked.seeds))]


def contenders(trace: Trace, seed: int, order: int) -> dict[str, Contender]:
    """Return each policy on an empty cluster; FGD with the classes of 95 % of the requests, as published, and all."""
    found: dict[str, Contender] = {str(policy): Baseline(trace, policy, seed=seed) for policy in Policy}
    found[FGD_ALL] = Baseline(trace, Policy.FGD, popularity=1.0)
    found[OURS] = Ours(trace, order)
    return found


@dataclass(frozen=True, slots=True)
class Repacking:
    """What ours makes of each seed's run when one in `each` of its pods may be moved."""

    each: int
    runs: list[Outcome]
    policies: list[Repacked]


def repacked(trace: Trace, asked: Contest) -> tuple[list[Outcome], list[Repacking]]:
    """Return what ours makes of each seed's run as it is, and repacked: all pods, and every second."""
    runs = {seed: run_of(trace, asked.changes, seed, RATIO) for seed in asked.seeds}
    without = [replay(Ours(run.trace, asked.order(seed)), run) for seed, run in runs.items()]
    found = []
    for each in (1, 2):
        policies = [Repacked(run.trace, asked.order(seed), each=each) for seed, run in runs.items()]
        outcomes = [replay(policy, run) for policy, run in zip(policies, runs.values(), strict=True)]
        found.append(Repacking(each, outcomes, policies))
    return without, found


@dataclass(frozen=True, slots=True)
class Churned:
    """What is allocated on average while requests come and go, by policy, load and seed, and moves; in per cent."""

    allocated_pct: dict[str, list[list[float]]]
    moved_pct: list[float]


def churn(trace: Trace, asked: Contest, requests: int = CHURN_REQUESTS) -> Churned:
    """Let requests come and go with every policy. Raises ValueError for a trace without lifetimes."""
    there = [changed(trace, asked.changes, seed) for seed in asked.seeds]
    found = Churned({}, [])
    for at, load in enumerate(CHURN_LOADS):
        for seed, its in zip(asked.seeds, there, strict=True):
            for name, policy in _churned(its, asked, seed).items():
                by_load = found.allocated_pct.setdefault(name, [[] for _load in CHURN_LOADS])
                by_load[at].append(mean_allocation(policy, its, load=load, requests=requests, seed=seed))
                if isinstance(policy, Repacked):
                    found.moved_pct.append(policy.moved_pct)
    return found


def _churned(trace: Trace, asked: Contest, seed: int) -> dict[str, Places]:
    """Return each policy on an empty cluster; ours has seen such requests before, as FGD is told them, and once not."""
    order = asked.order(seed)
    drawn = np.random.default_rng([seed, 1]).integers(len(trace.requests), size=WINDOW)
    long_running: dict[str, Ours | Repacked] = {OURS: Ours(trace, order)}
    if asked.repack:
        long_running[REPACKED] = Repacked(trace, order)
    for ours in long_running.values():
        ours.watch([trace.requests[index] for index in drawn])
    return {
        Policy.BEST_FIT: Baseline(trace, Policy.BEST_FIT),
        Policy.FGD: Baseline(trace, Policy.FGD),
        FGD_ALL: Baseline(trace, Policy.FGD, popularity=1.0),
        **long_running,
        STARTED: Ours(trace, order),
    }
