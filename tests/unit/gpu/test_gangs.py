"""Gangs: all pods or none, as near to each other as was asked, where least is to spare."""

import pytest

from gpu.placement.cluster import Cluster
from gpu.placement.gangs import place_gang
from gpu.placement.placer import Placer
from gpu.placement.specs import Cause, Gang, Level, Placement, Refusal
from tests.unit.gpu.clusters import asks, node, several


def racks() -> Cluster:
    """Rack x1 with twelve devices, x2 with eight, y1 with sixteen, in pools x and y."""
    sizes = {"x1": 3, "x2": 2, "y1": 4}
    return Cluster(node(f"{rack}-{n}", rack=rack) for rack, count in sizes.items() for n in range(count))


def placed(placer: Placer, gang: Gang) -> list[Placement]:
    found = place_gang(placer, gang)
    assert not isinstance(found, Refusal)
    return found


def refused(placer: Placer, gang: Gang) -> Refusal:
    found = place_gang(placer, gang)
    assert isinstance(found, Refusal)
    return found


@pytest.mark.parametrize(("pods", "rack"), [(8, "x2"), (9, "x1"), (13, "y1")])
def test_a_gang_goes_whole_into_the_rack_that_has_least_to_spare(pods: int, rack: str) -> None:
    found = placed(Placer(racks()), Gang(request=asks(), pods=pods, within=Level.RACK))
    assert len(found) == pods
    assert {each.node.split("-")[0] for each in found} == {rack}


def test_a_pool_holds_what_none_of_its_racks_does_and_a_node_the_least() -> None:
    pool = placed(Placer(racks()), Gang(request=asks(), pods=20, within=Level.POOL))
    assert {each.node[0] for each in pool} == {"x"}
    assert len({each.node for each in placed(Placer(racks()), Gang(request=asks(), pods=4, within=Level.NODE))}) == 1
    assert len(placed(Placer(racks()), Gang(request=asks(), pods=36))) == 36


def test_without_room_for_all_none_is_placed_and_the_room_there_is_is_told() -> None:
    placer = Placer(racks())
    placed(placer, Gang(request=asks(), pods=13, within=Level.RACK))  # three of sixteen are left in y1
    held = placer.cluster.left.copy()
    found = refused(placer, Gang(request=asks(), pods=16, within=Level.RACK))
    assert (found.never, found.pods, found.room) == (False, 16, 12)
    assert (placer.cluster.left == held).all()


@pytest.mark.parametrize(
    "gang",
    [
        Gang(request=asks(), pods=37),
        Gang(request=asks(), pods=17, within=Level.RACK),
        Gang(request=asks(), pods=5, within=Level.NODE),
        Gang(request=asks(1, 600), pods=37),
        Gang(request=asks(0, cpu=20_000), pods=10),
    ],
)
def test_a_gang_larger_than_its_place_could_ever_hold_is_refused_for_good(gang: Gang) -> None:
    assert refused(Placer(racks()), gang).never


def test_what_others_hold_is_no_reason_for_never() -> None:
    placer = Placer(racks())
    placed(placer, Gang(request=asks(), pods=30))
    found = refused(placer, Gang(request=asks(), pods=7))
    assert (found.never, found.pods, found.room) == (False, 7, 6)


def test_a_share_that_no_device_can_give_is_refused_with_its_reason() -> None:
    found = refused(Placer(Cluster(several())), Gang(request=asks(2, 500), pods=2))
    assert (found.never, found.counts) == (True, {Cause.BAD_SHARE: 4})


def test_a_gang_has_at_least_one_pod() -> None:
    with pytest.raises(ValueError, match="at least one"):
        place_gang(Placer(Cluster(several())), Gang(request=asks(), pods=0))
