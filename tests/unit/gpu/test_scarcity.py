"""Which kinds of devices others cannot do without, told from what is asked for and what is free."""

import pytest

from gpu.placement.cluster import Cluster
from gpu.placement.mig import A30
from gpu.placement.mix import Mix, TaskClass, Weighted
from gpu.placement.scarcity import scarcity_of
from gpu.placement.specs import Device, Node, Placement, Terms
from tests.unit.gpu.clusters import asks, node

ANY, OLD, NEW = 0b11, 0b01, 0b10  # kinds come in the order of their models' names


def cluster() -> Cluster:
    return Cluster(
        [*(node(f"a{n}", 5, model="a-new") for n in range(8)), *(node(f"b{n}", 5, model="b") for n in range(2))]
    )


def mix(*parts: tuple[int, float]) -> Mix:
    return Mix(tuple(Weighted(TaskClass(1_000, 1, 1_000, kinds), weight, 1.0) for kinds, weight in parts), 0.0)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(ANY, 1.0)], [0, 0]),
        ([(ANY, 0.9), (NEW, 0.1)], [0, 0.5]),  # a tenth of 50 is 5 of 10
        ([(ANY, 0.5), (NEW, 0.5)], [0, 1]),  # 25 of 10 is all of it
        ([(ANY, 0.8), (OLD, 0.2)], [0.25, 0]),
        ([], [0, 0]),
    ],
)
def test_a_kind_is_as_scarce_as_the_part_of_it_that_only_it_can_serve(
    parts: list[tuple[int, float]], expected: list[float]
) -> None:
    assert scarcity_of(cluster(), mix(*parts)).tolist() == pytest.approx(expected)


def test_what_several_kinds_serve_is_laid_on_them_by_what_the_choosiest_leave() -> None:
    found = Cluster([node("a", 4, model="a"), node("b", 4, model="b"), node("c", 8, model="c")])
    demand = mix((0b001, 0.125), (0b011, 0.1875), (0b111, 0.6875))  # 2 of a, then 3 over a and b that have 2 and 4
    assert scarcity_of(found, demand).tolist() == pytest.approx([0.75, 0.5, 0])


def test_half_of_what_is_held_counts_as_supply() -> None:
    found = cluster()
    for number in range(8):
        found.take(Placement(asks(5, cpu=0), f"a{number}", (0, 1, 2, 3, 4), Terms(0, 0, 0)))
    assert scarcity_of(found, mix((ANY, 0.9), (NEW, 0.1))).tolist() == pytest.approx([0, 0.3])  # a tenth of 20 + 10


def test_partitioned_devices_are_no_supply() -> None:
    parted = Device(uuid="m", model="b", memory_mib=16_384, mig=A30)
    found = Cluster([node("a", 2, model="a"), Node(name="b", cpu_millicores=0, memory_mib=0, devices=(parted,))])
    assert scarcity_of(found, mix((ANY, 0.5), (OLD, 0.5))).tolist() == pytest.approx([0.5, 1])


def test_devices_of_nodes_that_take_no_work_are_not_counted_as_free() -> None:
    found = cluster()
    found.node_ready("b0", ready=False)
    assert scarcity_of(found, mix((ANY, 0.9), (NEW, 0.1)))[1] == pytest.approx(0.9)  # 4.5 of 5
