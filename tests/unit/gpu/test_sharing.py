"""Tenants meet on a device only if all who hold some of it allow that."""

from gpu.placement.cluster import Cluster
from gpu.placement.placer import Placer
from gpu.placement.specs import Cause, Placement, Refusal
from tests.unit.gpu.clusters import asks, node


def share(placer: Placer, tenant: str, *, with_others: bool = True, milli: int = 200) -> Placement | Refusal:
    return placer.place(asks(1, milli, tenant=tenant, shares_with_others=with_others, cpu=100))


def single() -> Placer:
    return Placer(Cluster([node("n", 1)]))


def refused_for_sharing(answer: Placement | Refusal) -> bool:
    return isinstance(answer, Refusal) and not answer.never and dict(answer.counts) == {Cause.SHARING: 1}


def test_those_who_share_with_others_meet() -> None:
    placer = single()
    assert isinstance(share(placer, "a"), Placement)
    assert isinstance(share(placer, "b"), Placement)


def test_who_does_not_share_gets_no_device_of_others_and_others_none_of_its() -> None:
    placer = single()
    share(placer, "a")
    assert refused_for_sharing(share(placer, "b", with_others=False))
    assert isinstance(share(placer, "a", with_others=False), Placement)
    assert refused_for_sharing(share(placer, "b"))
    assert isinstance(share(placer, "a"), Placement)


def test_when_the_last_who_does_not_share_has_gone_others_may_come_again() -> None:
    placer = single()
    share(placer, "a")
    held = share(placer, "a", with_others=False)
    assert isinstance(held, Placement)
    placer.cluster.free(held)
    assert isinstance(share(placer, "b"), Placement)


def test_shares_of_one_who_does_not_share_lie_together_or_on_free_devices() -> None:
    placer = Placer(Cluster([node("n", 2)]))
    first = share(placer, "a")
    alone = [share(placer, "b", with_others=False) for _ in range(2)]
    assert isinstance(first, Placement)
    devices = {found.devices for found in alone if isinstance(found, Placement)}
    assert len(devices) == 1
    assert first.devices not in devices


def test_a_copy_knows_who_shares_and_is_of_its_own() -> None:
    placer = single()
    share(placer, "a", with_others=False)
    other = Placer(placer.cluster.copy())
    assert refused_for_sharing(share(other, "b"))
    assert isinstance(share(other, "a"), Placement)
    assert placer.cluster.left[0, 0] == 800
