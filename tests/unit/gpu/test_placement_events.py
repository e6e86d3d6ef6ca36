"""Random events against the placer: whatever comes, no device is given out twice or sick, and all can be given back.

A few thousand here; BERTH_PLACEMENT_EVENTS=100000 and --timeout=0 for more.
"""

import os
import random
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu.placement.gangs import place_gang
from gpu.placement.placer import Placer
from gpu.placement.specs import WHOLE, Gang, Level, Near, Placement, Refusal, Request
from gpu.placement.whatif import endings_needed, most_devices, nodes_by_model
from tests.unit.gpu import plain
from tests.unit.gpu.clusters import asks, mixed, varied

RUNS = 10
EVENTS = int(os.environ.get("BERTH_PLACEMENT_EVENTS", "4000")) // RUNS
MODELS = (frozenset[str](), frozenset[str](), frozenset({"T4"}), frozenset({"P100", "A100"}), frozenset({"H100"}))
PROFILES = ("1g.5gb", "2g.10gb", "3g.20gb", "1g.6gb", "2g.12gb", "9g.90gb")


class World:
    """A placer and what it has placed, in a cluster of plain nodes or in one where everything varies."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 (a test)
        self.make = self.rng.choice((mixed, varied))
        self.placer = Placer(self.make())
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
        assert self.placer.learner.seen == seen + gang.pods * (not isinstance(found, Refusal) or not found.never)
        if isinstance(found, Refusal):
            assert (cluster.left == before).all()
            assert found.room < gang.pods
        else:
            assert len(found) == gang.pods
            assert gang.within is not Level.NODE or len({each.node for each in found}) == 1
            self.held += found

    def request(self) -> Request:
        rng = self.rng
        if rng.random() < 0.15:
            return asks(1, profile=rng.choice(PROFILES), cpu=rng.choice([0, 500]), models=rng.choice(MODELS[:2]))
        share = rng.choice([WHOLE, WHOLE, 100, 330, 500, 810])
        devices = 1 if share < WHOLE else rng.choice([0, 1, 1, 2, 4, 8])
        return asks(
            devices,
            share,
            cpu=rng.choice([0, 500, 4_000, 11_300]),
            models=rng.choice(MODELS) if devices else MODELS[0],
            device_memory_mib=rng.choice([0, 0, 0, 20_000]),
            near=rng.choice([Near.NODE, Near.NODE, *Near]),
            tenant=rng.choice("abc"),
            shares_with_others=rng.random() < 0.7,
            resources=(("rdma/hca", 1),) * (rng.random() < 0.1),
        )

    def asked(self, request: Request) -> None:
        cluster = self.placer.cluster
        could = {node.name for node in cluster.nodes if plain.fits(cluster, node, request, self.held)}
        assert {cluster.nodes[row].name for row in np.flatnonzero(cluster.fits(request))} == could
        assert {cluster.nodes[row].name for row in np.flatnonzero(cluster.copies(request))} == could
        answer = self.placer.place(request)
        if isinstance(answer, Refusal):
            assert not could
            assert sum(answer.counts.values()) == len(cluster.nodes)
            self.answers_are_true(request)
        else:
            assert answer.node in could
            row, node = cluster.row_of(answer.node), cluster.nodes[cluster.row_of(answer.node)]
            assert not cluster.sick[row, list(answer.devices)].any()
            chosen = [(at, node.devices[at]) for at in answer.devices]
            assert len({plain.group(device, at, request.near) for at, device in chosen}) <= 1
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
        """Compare the arrays with sums over what is held."""
        cluster = self.placer.cluster
        cpu = {node.name: node.cpu_millicores for node in cluster.nodes}
        for found in self.held:
            cpu[found.node] -= found.request.cpu_millicores
        assert [cpu[node.name] for node in cluster.nodes] == cluster.cpu_free.tolist()
        assert min(cpu.values()) >= 0
        for row, node in enumerate(cluster.nodes):
            for at, use in plain.uses(node, self.held).items():
                use.check()
                assert cluster.left[row, at] == (0 if node.devices[at].mig else WHOLE - use.milli)


@settings(max_examples=RUNS, deadline=None)
@given(st.integers(0, 2**32))
def test_no_device_is_given_out_twice_or_sick_and_what_fits_is_never_refused(seed: int) -> None:
    world = World(seed)
    for _ in range(EVENTS):
        world.event()
    world.check()
    cluster, empty = world.placer.cluster, world.make()
    for found in world.held:
        cluster.free(found)
    assert (cluster.left == empty.left).all()
    assert (cluster.memory_free == empty.memory_free).all()
    assert (cluster.other_free == empty.other_free).all()
    assert (cluster.partitions.taken == 0).all()
    assert (cluster.sharers.only == empty.sharers.only).all()
    assert not cluster.sharers.closed.any()


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
    world.placer.scores.forget()
    assert world.placer.choose(request) == before
