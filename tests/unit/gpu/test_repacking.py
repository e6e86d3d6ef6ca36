"""Plans of moves: who may not be moved is not, the moves can be made in their order, and are worth it."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu.placement.cluster import Cluster
from gpu.placement.placer import Placer
from gpu.placement.repacking import LEAST_MILLI, Holder, Move, moves_for, repack
from gpu.placement.specs import WHOLE, Placement, Request
from tests.unit.gpu.clusters import asks, mixed, node, several, varied

SHARES = (WHOLE, WHOLE, 160, 230, 320, 470, 810)


class Running:
    """A cluster in use, as it is after pods came and some of them ended."""

    def __init__(self, seed: int, *, cluster: Cluster | None = None, pods: int = 90) -> None:
        rng = random.Random(seed)  # noqa: S311 (a test)
        self.placer, placements = Placer(cluster or mixed()), list[Placement]()
        for _pod in range(pods):
            share = rng.choice(SHARES)
            devices = 1 if share < WHOLE else rng.choice([0, 1, 1, 2, 4])
            answer = self.placer.place(asks(devices, share, cpu=rng.choice([500, 2_000, 9_000])))
            if isinstance(answer, Placement):
                placements.append(answer)
        for _end in range(len(placements) // 3):
            self.placer.cluster.free(placements.pop(rng.randrange(len(placements))))
        self.holders = [Holder(each, preemptible=rng.random() < 0.7) for each in placements]

    def carry_out(self, moves: Sequence[Move]) -> None:
        """End and start one after the other; what does not fit raises ValueError."""
        for move in moves:
            assert self.holders[move.holder].placement == move.source
            self.placer.cluster.free(move.source)
            self.placer.cluster.take(move.target)
            self.holders[move.holder] = Holder(move.target, preemptible=self.holders[move.holder].preemptible)

    def loss_milli(self) -> float:
        cluster = self.placer.cluster
        rows = np.arange(len(cluster.nodes))
        return float(self.placer.scores.lost(cluster.cpu_free, cluster.memory_free, cluster.idle, rows).sum())


def held(cluster: Cluster, name: str, device: int | None, request: Request, *, preemptible: bool = True) -> Holder:
    """Place by hand: the placer would not make the holes that these tests are about."""
    sample = Placer(Cluster([node("x")])).choose(asks())
    assert isinstance(sample, Placement)
    devices = () if device is None else tuple(range(device, device + request.devices))
    placement = Placement(request, name, devices, sample.terms)
    cluster.take(placement)
    return Holder(placement, preemptible=preemptible)


def halves(*, preemptible: bool = True) -> tuple[Placer, list[Holder]]:
    """Two nodes with a device each, half of either taken."""
    cluster = Cluster(several(2, devices=1))
    return Placer(cluster), [held(cluster, name, 0, asks(1, 500), preemptible=preemptible) for name in ("n0", "n1")]


def test_two_halves_are_put_together() -> None:
    placer, holders = halves()
    [move] = repack(placer, holders, moves=5)
    assert move.source == holders[move.holder].placement
    assert move.target.node == holders[1 - move.holder].placement.node


def test_who_may_not_be_moved_stays() -> None:
    placer, holders = halves(preemptible=False)
    assert repack(placer, holders, moves=5) == []
    assert moves_for(placer, holders, asks(), moves=5) is None


def test_nothing_is_moved_without_a_budget() -> None:
    placer, holders = halves()
    assert repack(placer, holders, moves=0) == []
    assert moves_for(placer, holders, asks(), moves=0) is None


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), budget=st.integers(0, 12))
def test_a_plan_keeps_to_its_budget_can_be_carried_out_and_lets_the_loss_fall(seed: int, budget: int) -> None:
    running = Running(seed)
    moves = repack(running.placer, running.holders, moves=budget)
    assert len(moves) <= budget
    assert all(running.holders[move.holder].preemptible for move in moves)
    assert len({move.holder for move in moves}) == len(moves)
    for move in moves:
        before = running.loss_milli()
        running.carry_out([move])
        assert running.loss_milli() <= before - LEAST_MILLI + 0.01


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_plan_changes_nothing_and_is_the_same_the_next_time(seed: int) -> None:
    running, again = Running(seed), Running(seed)
    first = repack(running.placer, running.holders, moves=8)
    for kept, fresh in zip(vars(running.placer.cluster).values(), vars(again.placer.cluster).values(), strict=True):
        if isinstance(kept, np.ndarray):
            assert (kept == fresh).all()
    assert running.placer.learner == again.placer.learner
    assert repack(running.placer, running.holders, moves=8) == first == repack(again.placer, again.holders, moves=8)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_shorter_plan_is_the_beginning_of_a_longer_one(seed: int) -> None:
    running = Running(seed)
    longer = repack(running.placer, running.holders, moves=8)
    assert repack(running.placer, running.holders, moves=3) == longer[:3]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_plans_come_to_an_end(seed: int) -> None:
    """A pod that was moved may be moved again in a later plan, but each move takes something from the loss."""
    running, made = Running(seed), []
    for _plan in range(6):
        made.append(len(moves := repack(running.placer, running.holders, moves=1_000)))
        running.carry_out(moves)
    assert made[-1] == 0
    assert sum(made[1:]) <= max(made[0] // 2, 4)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_is_sick_or_lost_neither_gets_nor_gives_pods(seed: int) -> None:
    running = Running(seed)
    cluster = running.placer.cluster
    cluster.node_ready("a0", ready=False)
    for device in range(4):
        cluster.device_sick("t0", device)
    for moves in (
        repack(running.placer, running.holders, moves=20),
        moves_for(running.placer, running.holders, asks(4), moves=4) or [],
    ):
        of_devices = [each for move in moves for each in (move.source, move.target) if each.devices]
        assert "t0" not in {each.node for each in of_devices}
        assert "a0" not in {each.node for move in moves for each in (move.source, move.target)}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), devices=st.sampled_from([1, 2, 4, 8]), cpu=st.sampled_from([500, 20_000, 60_000]))
def test_what_was_refused_fits_after_the_moves_that_were_found_for_it(seed: int, devices: int, cpu: int) -> None:
    running = Running(seed)
    request = asks(devices, cpu=cpu)
    moves = moves_for(running.placer, running.holders, request, moves=4)
    fits = isinstance(running.placer.choose(request), Placement)
    assert (moves == []) == fits
    if moves:
        assert len(moves) <= 4
        assert all(running.holders[move.holder].preemptible for move in moves)
        assert len({move.source.node for move in moves}) == 1
        running.carry_out(moves)
        assert isinstance(running.placer.place(request), Placement)


def test_room_is_made_with_the_fewest_moves() -> None:
    cluster = Cluster(several(3, devices=2))
    holders = [
        *(held(cluster, "n0", at, asks(1, 300)) for at in (0, 1)),
        held(cluster, "n1", 0, asks(1, 300)),
        held(cluster, "n2", 0, asks(1, 300)),
        held(cluster, "n2", 1, asks(1, 900)),
    ]
    [move] = moves_for(Placer(cluster), holders, asks(2), moves=3) or []
    assert move.holder == 2


def test_room_is_made_by_moving_who_takes_the_cpu() -> None:
    cluster = Cluster([*several(2, devices=1, cpu=8_000), node("c", 0, cpu=64_000)])
    holders = [held(cluster, "n0", None, asks(0, cpu=6_000)), held(cluster, "n1", 0, asks(cpu=2_000))]
    [move] = moves_for(Placer(cluster), holders, asks(cpu=8_000), moves=1) or []
    assert move.holder == 0


@pytest.mark.parametrize("request_", [asks(9), asks(2, 500), asks(models=frozenset({"none"})), asks(cpu=10**6)])
def test_nobody_is_moved_for_what_can_never_fit(request_: Request) -> None:
    running = Running(1)
    assert moves_for(running.placer, running.holders, request_, moves=8) is None


def test_nobody_is_moved_where_all_is_well() -> None:
    placer = Placer(mixed())
    placed = [placer.place(asks(4, cpu=8_000)) for _pod in range(3)]
    assert repack(placer, [Holder(each) for each in placed if isinstance(each, Placement)], moves=9) == []
    assert repack(placer, [], moves=9) == []


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_where_devices_differ_within_a_node_plans_can_be_carried_out_as_well(seed: int) -> None:
    running = Running(seed, cluster=varied())
    before = running.loss_milli()
    moves = repack(running.placer, running.holders, moves=10)
    running.carry_out(moves)
    assert running.loss_milli() <= before - len(moves) * LEAST_MILLI + 0.01
    found = moves_for(running.placer, running.holders, asks(8), moves=3)
    running.carry_out(found or [])
    assert found is None or isinstance(running.placer.place(asks(8)), Placement)
