"""Random events against the placer: whatever comes, no device is given out twice or sick, and all can be given back.

A few thousand here; BERTH_PLACEMENT_EVENTS=100000 for more.
"""

import os
import random
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu.placement.cluster import Cluster
from gpu.placement.gangs import place_gang
from gpu.placement.placer import Placer
from gpu.placement.specs import WHOLE, Gang, Level, Placement, Refusal, Request
from gpu.placement.whatif import endings_needed, most_devices, nodes_by_model
from tests.unit.gpu.clusters import asks, mixed

RUNS = 10
EVENTS = int(os.environ.get("BERTH_PLACEMENT_EVENTS", "4000")) // RUNS
MODELS = (frozenset[str](), frozenset[str](), frozenset({"T4"}), frozenset({"P100", "A100"}), frozenset({"H100"}))


class World:
    """A placer, what it has placed, and the same told by plain sums."""

    def __init__(self, seed: int) -> None:
        self.rng, self.placer = random.Random(seed), Placer(mixed())  # noqa: S311 (a test)
        self.held: list[Placement] = []

    def event(self) -> None:
        cluster, kind = self.placer.cluster, self.rng.random()
        if kind < 0.3 and self.held:
            cluster.free(self.held.pop(self.rng.randrange(len(self.held))))
        elif kind < 0.36:
            name = self.rng.choice(cluster.nodes).name
            cluster.node_ready(name, ready=self.rng.random() < 0.7)
        elif kind < 0.44:
            found = self.rng.choice([each for each in cluster.nodes if each.devices])
            cluster.device_sick(found.name, self.rng.randrange(len(found.devices)), sick=self.rng.random() < 0.4)
        elif kind < 0.54:
            self.asked_together(
                Gang(request=self.request(), pods=self.rng.randint(1, 6), within=self.rng.choice([*Level]))
            )
        else:
            self.asked(self.request())

    def asked_together(self, gang: Gang) -> None:
        cluster = self.placer.cluster
        before, seen = cluster.left.copy(), self.placer.learner.seen
        found = place_gang(self.placer, gang)
        assert self.placer.learner.seen == seen + (not isinstance(found, Refusal) or not found.never)
        if isinstance(found, Refusal):
            assert (cluster.left == before).all()
            assert found.room < gang.pods
        else:
            assert len(found) == gang.pods
            assert gang.within is not Level.NODE or len({each.node for each in found}) == 1
            self.held += found

    def request(self) -> Request:
        share = self.rng.choice([WHOLE, WHOLE, 100, 330, 500, 810])
        devices = 1 if share < WHOLE else self.rng.choice([0, 1, 1, 2, 4, 8])
        models = self.rng.choice(MODELS) if devices else MODELS[0]
        return asks(devices, share, cpu=self.rng.choice([0, 500, 4_000, 11_300]), models=models)

    def asked(self, request: Request) -> None:
        cluster = self.placer.cluster
        could = [row for row in range(len(cluster.nodes)) if fits(cluster, row, request)]
        answer = self.placer.place(request)
        if isinstance(answer, Refusal):
            assert could == []
            assert sum(answer.counts.values()) == len(cluster.nodes)
            self.answers_are_true(request)
        else:
            row = cluster.row_of(answer.node)
            assert row in could
            assert not cluster.sick[row, list(answer.devices)].any()
            self.held.append(answer)

    def answers_are_true(self, request: Request) -> None:
        """Make so what the counterfactual answers say, each in a world of its own."""
        cluster = self.placer.cluster
        if fewer := most_devices(cluster, request):
            assert isinstance(Placer(cluster.copy()).place(replace(request, devices=fewer)), Placement)
        for model in nodes_by_model(cluster, request):
            assert isinstance(Placer(cluster.copy()).place(replace(request, models=frozenset({model}))), Placement)
        needed = endings_needed(cluster, request, self.held)
        then = cluster.copy()
        for number, holder in enumerate(self.held, 1):
            then.free(holder)
            assert isinstance(Placer(then).choose(request), Placement) is (needed == number)
            if needed == number:
                break

    def check(self) -> None:
        cluster = self.placer.cluster
        left = cluster.exists * np.int64(WHOLE)
        cpu = cluster.cpu.copy()
        for found in self.held:
            row = cluster.row_of(found.node)
            left[row, list(found.devices)] -= found.request.share_milli
            cpu[row] -= found.request.cpu_millicores
            assert not found.request.models or cluster.nodes[row].model in found.request.models
        assert (left == cluster.left).all()
        assert (cpu == cluster.cpu_free).all()
        assert (left >= 0).all()
        assert (cpu >= 0).all()


def fits(cluster: Cluster, row: int, request: Request) -> bool:
    node = cluster.nodes[row]
    roomy = [
        left >= request.share_milli and not sick
        for left, sick in zip(cluster.left[row], cluster.sick[row], strict=True)
    ]
    return (
        bool(cluster.ready[row])
        and cluster.cpu_free[row] >= request.cpu_millicores
        and cluster.memory_free[row] >= request.memory_mib
        and (not request.devices or not request.models or node.model in request.models)
        and sum(roomy[: len(node.devices)]) >= request.devices
    )


@settings(max_examples=RUNS, deadline=None)
@given(st.integers(0, 2**32))
def test_no_device_is_given_out_twice_or_sick_and_what_fits_is_never_refused(seed: int) -> None:
    world = World(seed)
    for _ in range(EVENTS):
        world.event()
    world.check()
    empty = Placer(mixed()).cluster
    for found in world.held:
        world.placer.cluster.free(found)
    assert (world.placer.cluster.left == empty.left).all()
    assert (world.placer.cluster.memory_free == empty.memory_free).all()


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 2**32))
def test_the_same_events_end_in_the_same_plan(seed: int) -> None:
    worlds = [World(seed), World(seed)]
    for world in worlds:
        for _ in range(300):
            world.event()
    assert worlds[0].held == worlds[1].held


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 2**32))
def test_kept_scores_are_those_that_would_be_reckoned_anew(seed: int) -> None:
    world = World(seed)
    for _ in range(200):
        world.event()
    request = world.request()
    before = world.placer.choose(request)
    world.placer._kept.clear()
    world.placer._now_of[:] = -1
    assert world.placer.choose(request) == before
