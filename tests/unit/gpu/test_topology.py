"""Devices of one pod lie near to each other, and what is near and many stays whole for who needs it."""

from typing import Any

import pytest

from gpu.placement.cluster import Cluster
from gpu.placement.placer import Placer
from gpu.placement.specs import Cause, Device, Near, Node, Placement, Refusal
from gpu.placement.whatif import most_devices
from tests.unit.gpu.clusters import asks, node


def linked(name: str, *islands: int | None, numas: str = "", model: str = "A100") -> Node:
    numa = [int(found) for found in numas or "0" * len(islands)]
    devices = tuple(
        Device(uuid=f"{name}{at}", model=model, nvlink=island, numa=numa[at], pcie=numa[at])
        for at, island in enumerate(islands)
    )
    return Node(name=name, cpu_millicores=96_000, memory_mib=393_216, devices=devices)


def devices(placer: Placer, *counts: int, **more: Any) -> list[tuple[int, ...]]:
    answers = [placer.place(asks(count, **more)) for count in counts]
    return [answer.devices for answer in answers if isinstance(answer, Placement)]


def test_devices_come_from_one_nvlink_island() -> None:
    assert devices(Placer(Cluster([linked("n", 0, 1, 0, 1)])), 2, 2) == [(0, 2), (1, 3)]


def test_the_island_with_least_to_spare_is_taken_first() -> None:
    placer = Placer(Cluster([linked("n", 0, 0, 0, 0, 1, 1)]))
    assert devices(placer, 1, 1, 4) == [(4,), (5,), (0, 1, 2, 3)]


def test_without_nvlink_the_numa_node_tells_what_is_near() -> None:
    placer = Placer(Cluster([linked("n", *[None] * 4, numas="0101")]))
    assert devices(placer, 2, 2) == [(0, 2), (1, 3)]


def test_more_than_an_island_has_come_from_as_few_islands_as_can_be() -> None:
    placer = Placer(Cluster([linked("n", 0, 0, 1, 1, 1, 2, 2)]))
    assert devices(placer, 5) == [(0, 1, 2, 3, 4)]
    assert devices(Placer(Cluster([linked("n", 2, 1, 0, 1, 0, 0)])), 4) == [(1, 2, 4, 5)]


def test_of_nodes_that_are_equal_that_is_taken_where_devices_are_nearer() -> None:
    nodes = [*(linked(f"a{n}", None, None, None, None) for n in range(6)), linked("b", 0, 0, 0, 0)]
    answer = Placer(Cluster(nodes)).place(asks(2))
    assert isinstance(answer, Placement)
    assert answer.node == "b"


@pytest.mark.parametrize(("near", "cause"), [(Near.NVLINK, Cause.NEAR), (Near.NODE, Cause.DEVICES)])
def test_enough_that_are_too_far_apart_is_a_cause_of_its_own(near: Near, cause: Cause) -> None:
    placer = Placer(Cluster([linked("n", 0, 0, 1, 1)]))
    held = devices(placer, *[1] * (2 if near is Near.NVLINK else 3))
    if near is Near.NVLINK:  # one of each island
        placer.cluster.free(_held(placer, held[1], 1))
        placer.cluster.take(_held(placer, (3,), 1))
    answer = placer.place(asks(2, near=near))
    assert isinstance(answer, Refusal)
    assert (answer.never, dict(answer.counts)) == (False, {cause: 1})


def _held(placer: Placer, where: tuple[int, ...], count: int) -> Placement:
    found = placer.choose(asks(count))
    assert isinstance(found, Placement)
    return Placement(found.request, "n", where, found.terms)


def test_more_than_any_island_has_is_never_and_the_counterfactual_says_how_many_would_do() -> None:
    placer = Placer(Cluster([linked("n", 0, 0, 0, 1)]))
    answer = placer.place(asks(4, near=Near.NVLINK))
    assert isinstance(answer, Refusal)
    assert (answer.never, dict(answer.counts)) == (True, {Cause.NODE_NEAR: 1})
    assert most_devices(placer.cluster, asks(4, near=Near.NVLINK)) == 3


def test_the_devices_of_a_pod_are_of_one_model() -> None:
    desk = Node(
        name="d",
        cpu_millicores=64_000,
        memory_mib=131_072,
        devices=tuple(Device(uuid=f"d{at}", model=model) for at, model in enumerate(("T4", "A100", "T4", "A100"))),
    )
    placer = Placer(Cluster([desk]))
    answer = placer.place(asks(3))
    assert isinstance(answer, Refusal)
    assert (answer.never, dict(answer.counts)) == (True, {Cause.NODE_DEVICES: 1})
    assert devices(placer, 2, models=frozenset({"A100"})) == [(1, 3)]
    assert devices(placer, 1, models=frozenset({"A100"})) == []
    assert devices(placer, 2) == [(0, 2)]


def test_other_resources_are_counted_and_are_a_cause() -> None:
    rich = Node(name="r", cpu_millicores=8_000, memory_mib=65_536, resources={"rdma/hca": 2})
    placer, request = Placer(Cluster([rich, node("p", 0)])), asks(0, cpu=100, resources=(("rdma/hca", 2),))
    held = placer.place(request)
    assert isinstance(held, Placement)
    again = placer.place(request)
    assert isinstance(again, Refusal)
    assert (again.never, dict(again.counts)) == (False, {Cause.RESOURCES: 1, Cause.NODE_RESOURCES: 1})
    placer.cluster.free(held)
    assert isinstance(placer.place(request), Placement)
    unknown = placer.place(asks(0, cpu=100, resources=(("xilinx.com/u250", 1),)))
    assert isinstance(unknown, Refusal)
    assert (unknown.never, dict(unknown.counts)) == (True, {Cause.NODE_RESOURCES: 2})
