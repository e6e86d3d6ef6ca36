"""What is free of a cluster: charged once, given back exactly, never what is sick."""

import numpy as np
import pytest

from gpu.placement.cluster import Cluster
from gpu.placement.specs import Placement, Terms
from tests.unit.gpu.clusters import asks, node, several

NO_TERMS = Terms(0.0, 0.0, 0.0)


def test_what_is_taken_and_freed_leaves_everything_as_it_was() -> None:
    cluster = Cluster(several())
    before = [values.copy() for values in (cluster.cpu_free, cluster.memory_free, cluster.left, cluster.state)]
    held = [Placement(asks(2), "n1", (0, 3), NO_TERMS), Placement(asks(1, 300), "n1", (1,), NO_TERMS)]
    for placement in held:
        cluster.take(placement)
    row = cluster.row_of("n1")
    assert (cluster.cpu_free[row], cluster.left[row].tolist()) == (24_000, [0, 700, 1_000, 0])
    for placement in held:
        cluster.free(placement)
    after = (cluster.cpu_free, cluster.memory_free, cluster.left, cluster.state)
    assert all((old == new).all() for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize(
    "placement",
    [
        Placement(asks(1, cpu=33_000), "n0", (0,), NO_TERMS),
        Placement(asks(1, memory=200_000), "n0", (0,), NO_TERMS),
        Placement(asks(2), "n0", (1, 1), NO_TERMS),
        Placement(asks(2), "n0", (1,), NO_TERMS),
        Placement(asks(1), "n0", (2,), NO_TERMS),  # held in part
        Placement(asks(1, 300), "n0", (3,), NO_TERMS),  # sick
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(placement: Placement) -> None:
    cluster = Cluster(several())
    cluster.take(Placement(asks(1, 100), "n0", (2,), NO_TERMS))
    cluster.device_sick("n0", 3)
    before = cluster.left.copy()
    with pytest.raises(ValueError, match="no room"):
        cluster.take(placement)
    assert (cluster.left == before).all()


def test_what_nobody_holds_cannot_be_freed() -> None:
    with pytest.raises(ValueError, match="holds no such thing"):
        Cluster(several()).free(Placement(asks(), "n0", (0,), NO_TERMS))


def test_a_sick_device_is_not_idle_and_gets_back_what_was_held_of_it_unseen() -> None:
    cluster = Cluster([node("n0", 2)])
    held = Placement(asks(1, 400), "n0", (0,), NO_TERMS)
    cluster.take(held)
    cluster.device_sick("n0", 0)
    assert cluster.idle.tolist() == [[0, 1_000]]
    cluster.free(held)
    assert cluster.idle.tolist() == [[0, 1_000]]
    cluster.device_sick("n0", 0, sick=False)
    assert cluster.idle.tolist() == [[1_000, 1_000]]


def test_the_order_of_rows_is_that_of_a_hash_of_their_names_whatever_order_they_came_in() -> None:
    nodes = several(20)
    first, second = Cluster(nodes), Cluster(reversed(nodes))
    assert [found.name for found in first.nodes] == [found.name for found in second.nodes]
    assert [found.name for found in first.nodes] != [found.name for found in Cluster(nodes, seed=1).nodes]


def test_two_nodes_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="one name"):
        Cluster([node("n0"), node("n0")])


def test_rows_that_are_alike_have_one_state() -> None:
    cluster = Cluster([*several(2), node("other", 2)])
    assert len(np.unique(cluster.state)) == 2
