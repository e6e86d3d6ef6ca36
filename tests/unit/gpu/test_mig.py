"""Instances of partitioned devices: at legal starts only, beside each other, and where most is left for others."""

import pytest

from gpu.placement.cluster import Cluster
from gpu.placement.gangs import place_gang
from gpu.placement.mig import A30, A100_40GB, A100_80GB, H100_80GB, MigLayout, Profile
from gpu.placement.placer import Placer
from gpu.placement.specs import Cause, Device, Gang, Node, Placement, Refusal, Request, Terms
from gpu.placement.whatif import endings_needed, fits
from tests.unit.gpu.clusters import asks

LAYOUTS = {"a100-40": A100_40GB, "a100-80": A100_80GB, "h100-80": H100_80GB, "a30": A30}


def parted(*layouts: MigLayout | None) -> Placer:
    devices = tuple(Device(uuid=f"m{at}", model="M", memory_mib=40_960, mig=mig) for at, mig in enumerate(layouts))
    return Placer(Cluster([Node(name="n", cpu_millicores=64_000, memory_mib=262_144, devices=devices)]))


def placed(placer: Placer, *profiles: str) -> list[tuple[int, int]]:
    answers = [placer.place(asks(1, profile=profile, cpu=100)) for profile in profiles]
    found = [answer for answer in answers if isinstance(answer, Placement)]
    assert len(found) == len(profiles)
    return [(answer.devices[0], answer.slot) for answer in found]


@pytest.mark.parametrize("name", LAYOUTS)
def test_as_many_instances_fit_as_nvidia_says(name: str) -> None:
    layout = LAYOUTS[name]
    most = [int(found[0]) for found in layout.room.values()]
    assert most == ([4, 2, 1] if name == "a30" else [7, 4, 3, 2, 1, 1])


def test_small_instances_leave_the_starts_of_large_ones_free() -> None:
    placer = parted(A100_40GB)
    assert placed(placer, "1g.5gb", "2g.10gb") == [(0, 6), (0, 4)]
    assert fits(placer.cluster, asks(1, profile="3g.20gb"))
    assert fits(placer.cluster, asks(1, profile="4g.20gb"))


def test_a_device_that_is_begun_is_filled_before_another() -> None:
    devices = {device for device, _start in placed(parted(A100_40GB, A100_40GB), "3g.20gb", "1g.5gb", "2g.10gb")}
    assert len(devices) == 1


def test_what_is_on_a_partitioned_device_is_neither_whole_nor_a_share_and_the_other_way_round() -> None:
    placer = parted(A100_40GB, None)
    assert placed(placer, "7g.40gb") == [(0, 0)]
    whole = placer.place(asks(1))
    assert isinstance(whole, Placement)
    assert whole.devices == (1,)
    for request in (asks(1), asks(1, 100), asks(1, profile="1g.5gb")):
        answer = placer.place(request)
        assert isinstance(answer, Refusal)
        assert (answer.never, dict(answer.counts)) == (False, {Cause.DEVICES: 1})


@pytest.mark.parametrize("request_", [asks(1, profile="1g.6gb"), asks(2, profile="1g.5gb")])
def test_a_profile_that_no_device_has_and_two_instances_are_never(request_: Request) -> None:
    answer = parted(A100_40GB).place(request_)
    assert isinstance(answer, Refusal)
    assert answer.never


def test_a_gang_of_instances_is_whole_or_absent() -> None:
    placer, request = parted(A100_40GB, A30), asks(1, profile="2g.10gb", cpu=100)
    assert isinstance(place_gang(placer, Gang(request=request, pods=4)), Refusal)
    assert not placer.cluster.partitions.taken.any()
    found = place_gang(placer, Gang(request=request, pods=3))
    assert isinstance(found, list)
    assert sorted(each.slot for each in found) == [0, 2, 4]
    assert endings_needed(placer.cluster, request, found) == 1


def test_freeing_an_instance_restores_what_was_and_only_once() -> None:
    placer = parted(A100_40GB)
    held = placer.place(asks(1, profile="3g.20gb"))
    assert isinstance(held, Placement)
    placer.cluster.free(held)
    assert not placer.cluster.partitions.taken.any()
    with pytest.raises(ValueError, match="holds no such thing"):
        placer.cluster.free(held)


@pytest.mark.parametrize("slot", [1, 2, 3])
def test_an_instance_from_no_legal_start_is_not_taken(slot: int) -> None:
    placer = parted(A100_40GB)
    with pytest.raises(ValueError, match="no instance"):
        placer.cluster.take(Placement(asks(1, profile="3g.20gb"), "n", (0,), Terms(0, 0, 0), slot))


@pytest.mark.parametrize(
    "profile", [Profile(2, (0, 1)), Profile(4, (2,)), Profile(0, (0,)), Profile(1, ()), Profile(1, (-1,))]
)
def test_a_layout_whose_starts_overlap_or_leave_it_is_refused(profile: Profile) -> None:
    with pytest.raises(ValueError, match=r"starts of x overlap|x does not lie in 4 slices"):
        MigLayout(4, {"x": profile})


def test_equal_layouts_of_many_devices_are_one() -> None:
    same = MigLayout(4, dict(sorted(A30.profiles.items(), reverse=True)))
    assert same == A30
    assert len(parted(A30, same, A100_40GB).cluster.partitions.layouts) == 2


def test_a_layout_may_be_full_of_starts() -> None:
    assert MigLayout(4, {"x": Profile(1, (3, 0)), "y": Profile(2, (0, 2))}).room["y"].tolist()[:4] == [2, 1, 1, 1]


def test_the_terms_of_an_instance_say_which_part_of_a_device_the_others_can_use_no_more() -> None:
    answer = parted(A30).place(asks(1, profile="1g.6gb"))
    assert isinstance(answer, Placement)
    # an empty A30 is worth 1: four of one slice, two of two, one of four; with slice 0 held it has 3, 1 and none
    assert answer.terms == pytest.approx((-1_000 * (1 - (3 + 2 + 0) / 12), 0, -(1 - 5 / 12)))


def test_what_is_begun_is_found_on_whatever_node_it_is() -> None:
    nodes = [
        Node(name=name, cpu_millicores=8_000, memory_mib=65_536, devices=(Device(uuid=name, model="M", mig=A30),))
        for name in "abcdef"
    ]
    placer = Placer(Cluster(nodes))
    requests = [asks(1, profile=profile, cpu=100) for profile in ("1g.6gb", "1g.6gb", "2g.12gb", "4g.24gb")]
    answers = [placer.place(request) for request in requests]
    names = [answer.node for answer in answers if isinstance(answer, Placement)]
    assert len(set(names[:3])) == 1
    assert names[3] == next(each.name for each in placer.cluster.nodes if each.name != names[0])


def test_a_gang_of_more_instances_than_empty_devices_have_is_never_and_of_as_many_only_not_now() -> None:
    placer, request = parted(A100_40GB), asks(1, profile="1g.5gb", cpu=100)
    placed(placer, "1g.5gb")
    for pods, never in ((7, False), (8, True)):
        answer = place_gang(placer, Gang(request=request, pods=pods))
        assert isinstance(answer, Refusal)
        assert (answer.never, answer.pods, answer.room, answer.request) == (never, pods, 6, request)


def test_full_and_sick_and_wrong_devices_are_told_apart() -> None:
    placer = parted(A30)
    wrong = placer.place(asks(1, profile="1g.6gb", models=frozenset({"other"})))
    assert isinstance(wrong, Refusal)
    assert (wrong.never, dict(wrong.counts)) == (True, {Cause.MODEL: 1})
    placed(placer, "2g.12gb", "1g.6gb", "1g.6gb")
    full = placer.place(asks(1, profile="1g.6gb"))
    assert isinstance(full, Refusal)
    assert (full.never, dict(full.counts)) == (False, {Cause.DEVICES: 1})
    placer.cluster.device_sick("n", 0)
    sick = placer.place(asks(1, profile="1g.6gb"))
    assert isinstance(sick, Refusal)
    assert (sick.never, dict(sick.counts)) == (False, {Cause.SICK: 1})
