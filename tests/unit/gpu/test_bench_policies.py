"""Replaying, and what holds for every policy in it: sick devices, gangs and tenants."""

from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from gpu.bench.contest import contenders
from gpu.bench.ours import Ours
from gpu.bench.perturb import Changes, run_of
from gpu.bench.repacked import BUDGET, Repacked
from gpu.bench.replay import LOADS, Contender, Outcome, Run, Sickness, replay
from gpu.bench.traces import Trace, arrivals, made_here
from gpu.placement.cluster import Cluster
from gpu.placement.specs import WHOLE, Gang, Request
from tests.unit.gpu.clusters import asks, several

SMALL = Trace("t", tuple(several(3)), (asks(1, 500), asks(2), asks(1, 250, tenant="a")))
NAMES = list(contenders(SMALL, 0, 0))
every_policy = pytest.mark.parametrize("name", NAMES)


class Watched:
    """A policy, and all that it placed: (pod's request, node, devices), with what was sick by then."""

    def __init__(self, policy: Contender) -> None:
        self.policy = policy
        self.placed: list[tuple[Request, str, tuple[int, ...]]] = []
        self.sick: set[tuple[str, int]] = set()
        self.on_sick = self.gangs = self.gangs_whole = 0

    def place(self, request: Request) -> Any | None:
        held = self.policy.place(request)
        self._note([held] if held is not None else [])
        return held

    def place_gang(self, gang: Gang) -> list[Any] | None:
        held = self.policy.place_gang(gang)
        self._note(held or [])
        self.gangs += 1
        self.gangs_whole += held is not None and len(held) == gang.pods
        return held

    def free(self, held: Any) -> None:
        self.policy.free(held)

    def device_sick(self, node: str, device: int) -> None:
        self.sick.add((node, device))
        self.policy.device_sick(node, device)

    def _note(self, held: list[Any]) -> None:
        for one in held:
            self.placed.append((one.request, one.node, tuple(one.devices)))
            self.on_sick += bool({(one.node, device) for device in one.devices} & self.sick)


def watched(name: str, run: Run) -> tuple[Watched, Outcome]:
    found = Watched(contenders(run.trace, 1, 1)[name])
    return found, replay(found, run)


def test_what_does_not_fit_is_dropped_and_the_allocated_part_is_told_at_each_load() -> None:
    class Takes(Watched):
        def place(self, _request: Request) -> object | None:
            return next(taken)

    taken = iter([object(), None, object()])
    three = Trace("t", tuple(several(1, devices=3)), (asks(),))
    found = replay(Takes(contenders(three, 0, 0)["random"]), Run(three, (asks(), asks(), asks())))
    assert (list(found.at), found.dropped) == (list(LOADS), 1)
    assert [found.at[100], found.when_full] == pytest.approx([200 / 3, 200 / 3])
    assert found.at[95] == pytest.approx(100 / 3)  # nothing came just then


def test_what_comes_after_all_devices_were_asked_for_is_not_counted_as_allocated_by_then() -> None:
    trace = Trace("t", tuple(several(1, devices=8)), (asks(),))
    found = replay(contenders(trace, 0, 0)["best-fit"], Run(trace, (asks(5), asks(4), asks(1))))
    assert (found.when_full, found.at[130]) == (62.5, 75)


@every_policy
def test_a_device_that_turned_sick_is_chosen_by_no_policy_from_then_on(name: str) -> None:
    run = run_of(made_here(), Changes(sick=0.3), 5, 1.3)
    found, _outcome = watched(name, run)
    assert len(found.sick) == len(run.sick) > 100
    assert (found.on_sick, len(found.placed) > 300) == (0, True)


@every_policy
def test_what_a_sick_device_gets_back_is_placed_on_by_nobody(name: str) -> None:
    policy = contenders(SMALL, 0, 0)[name]
    held = [policy.place(asks(1, 500)) for _ in range(24)]
    assert None not in held
    for device in range(4):
        policy.device_sick("n1", device)
    for one in held:
        policy.free(one)
    assert sum(policy.place(asks()) is not None for _ in range(20)) == 8


def test_devices_turn_sick_at_their_moments_and_in_their_order() -> None:
    sick = (Sickness(0.75, "n0", 3), Sickness(0.25, "n0", 1), Sickness(0.0, "n0", 0))
    seen: list[int] = []

    class Notes(Watched):
        def place(self, request: Request) -> Any | None:
            seen.append(len(self.sick))
            return super().place(request)

    replay(Notes(contenders(SMALL, 0, 0)["fgd"]), Run(SMALL, (asks(0),) * 8, sick))
    assert seen == [1, 1, 2, 2, 2, 2, 3, 3]


@every_policy
def test_a_gang_is_placed_whole_or_leaves_the_cluster_as_it_was(name: str) -> None:
    policy = contenders(SMALL, 0, 0)[name]
    assert policy.place_gang(Gang(request=asks(1), pods=13)) is None
    whole = policy.place_gang(Gang(request=asks(4, cpu=20_000), pods=2))
    assert whole is not None
    assert len({one.node for one in whole}) == len(whole) == 2
    assert policy.place_gang(Gang(request=asks(4), pods=2)) is None
    assert policy.place(asks(4)) is not None
    for one in whole:
        policy.free(one)
    assert policy.place_gang(Gang(request=asks(2), pods=4)) is not None


@every_policy
def test_gangs_of_a_run_are_whole_or_absent(name: str) -> None:
    run = run_of(made_here(), Changes(gangs=0.2), 5, 1.3)
    found, outcome = watched(name, run)
    pods = sum(arrival.pods if isinstance(arrival, Gang) else 1 for arrival in run.coming)
    absent = sum(isinstance(arrival, Gang) for arrival in run.coming) - found.gangs_whole
    assert (found.gangs, absent > 0, len(found.placed) < pods) == (found.gangs_whole + absent, True, True)
    milli = sum(request.milli for request, _node, _devices in found.placed)
    assert outcome.at[130] == pytest.approx(100 * milli / run.trace.capacity_milli, abs=1)


@every_policy
def test_tenants_meet_on_a_device_only_where_all_its_holders_allow_that(name: str) -> None:
    run = run_of(made_here(), Changes(tenants=6), 5, 1.3)
    holders: defaultdict[tuple[str, int], list[Request]] = defaultdict(list)
    for request, node, devices in watched(name, run)[0].placed:
        for device in devices:
            holders[node, device].append(request)
    assert all(sum(one.share_milli for one in held) <= WHOLE for held in holders.values())
    several_tenants = [held for held in holders.values() if len({one.tenant for one in held}) > 1]
    assert several_tenants
    assert all(one.shares_with_others for held in several_tenants for one in held)
    alone = [held for held in holders.values() if len(held) > 1 and not held[0].shares_with_others]
    assert all(len({one.tenant for one in held}) == 1 for held in alone)


@every_policy
def test_a_device_is_open_to_others_again_once_who_did_not_share_it_is_gone(name: str) -> None:
    trace = Trace("t", tuple(several(1, devices=1)), (asks(1, 250, tenant="a"),))
    policy = contenders(trace, 0, 0)[name]
    alone = policy.place(asks(1, 250, tenant="a", shares_with_others=False))
    assert alone is not None
    assert policy.place(asks(1, 250, tenant="b")) is None
    assert policy.place(asks(1, 250, tenant="a")) is not None
    policy.free(alone)
    assert policy.place(asks(1, 250, tenant="b")) is not None
    assert policy.place(asks(1, 250, tenant="c", shares_with_others=False)) is None


def test_repacking_moves_no_more_than_its_budget_and_can_give_everything_back() -> None:
    trace = made_here()
    policy = Repacked(trace, 1, each=2)
    requests = arrivals(trace, 1.05, np.random.default_rng(1))
    placed = [number for number in map(policy.place, requests) if number is not None]
    assert 0 < policy.moved <= BUDGET * policy.placed
    for number in placed:
        policy.free(number)
    assert (policy._placer.cluster.left == Cluster(trace.nodes, seed=1).left).all()


def test_ours_learns_from_what_it_watches_but_not_from_what_no_node_could_hold() -> None:
    policy = Ours(SMALL, 0)
    policy.watch([asks(1), asks(99), asks(1), asks(2)])
    assert policy._placer.learner.seen == 3
    assert (policy._placer.cluster.left == Cluster(SMALL.nodes).left).all()
