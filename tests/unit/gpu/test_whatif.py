"""What would have to be otherwise: fewer devices, another model, or others' work at an end."""

from gpu.placement.cluster import Cluster
from gpu.placement.placer import Placer
from gpu.placement.specs import Placement
from gpu.placement.whatif import endings_needed, fits, most_devices, nodes_by_model
from tests.unit.gpu.clusters import asks, mixed, node, several


def held(placer: Placer, *devices: int) -> list[Placement]:
    answers = [placer.place(asks(n)) for n in devices]
    return [answer for answer in answers if isinstance(answer, Placement)]


def test_fewer_devices_that_would_do_are_named() -> None:
    placer = Placer(Cluster(several(2)))
    held(placer, 3, 2)
    assert not fits(placer.cluster, asks(4))
    assert most_devices(placer.cluster, asks(4)) == 2
    assert most_devices(placer.cluster, asks(1)) == 1
    assert most_devices(Cluster([node("n0", 0)]), asks(4)) == 0


def test_models_with_room_are_named_with_their_nodes() -> None:
    cluster = mixed()
    assert nodes_by_model(cluster, asks(2, models=frozenset({"H100"}))) == {"A100": 4, "T4": 6}
    assert nodes_by_model(cluster, asks(0)) == {}


def test_the_first_end_of_others_work_that_makes_room_is_named() -> None:
    placer = Placer(Cluster(several(1)))
    holders = held(placer, 1, 1, 2)
    assert len(holders) == 3
    request = asks(2)
    assert endings_needed(placer.cluster, request, holders) == 2
    assert endings_needed(placer.cluster, request, holders[::-1]) == 1
    assert endings_needed(placer.cluster, request, holders[:1]) is None
    assert endings_needed(Cluster(several(1)), request, []) == 0
    assert placer.cluster.left.sum() == 0  # looking freed nothing


def test_a_share_that_no_device_can_give_fits_nowhere() -> None:
    assert not fits(mixed(), asks(2, 500))
