"""Where requests go: fits first, then what keeps most usable, then what others need least; always the same."""

from collections.abc import Iterable
from typing import Any

import pytest

from gpu.placement.cluster import Cluster
from gpu.placement.placer import Placer
from gpu.placement.scores import MOST_KEPT
from gpu.placement.specs import WHOLE, Cause, Node, Placement, Refusal, Request
from tests.unit.gpu.clusters import asks, mixed, node, several


def placed(placer: Placer, *requests: Request) -> list[Placement]:
    answers = [placer.place(request) for request in requests]
    assert not [answer for answer in answers if isinstance(answer, Refusal)]
    return [answer for answer in answers if isinstance(answer, Placement)]


def refused(nodes: Iterable[Node], request: Request) -> Refusal:
    answer = Placer(Cluster(nodes)).place(request)
    assert isinstance(answer, Refusal)
    return answer


def test_shares_fill_a_device_before_they_open_another() -> None:
    first, second, third = placed(Placer(Cluster(several())), *[asks(1, 500)] * 3)
    assert (second.node, second.devices) == (first.node, first.devices)
    assert (third.node, third.devices) != (first.node, first.devices)


def test_a_single_device_leaves_whole_nodes_to_those_who_need_them() -> None:
    placer = Placer(Cluster(several(2, devices=8, cpu=96_000)))
    opened = placed(placer, asks(2))[0].node
    assert {found.node for found in placed(placer, asks(), asks())} == {opened}


def test_who_asks_for_no_device_goes_where_none_is_made_useless() -> None:
    cluster = Cluster([node("with", 4, cpu=8_000), node("without", 0)])
    assert placed(Placer(cluster), asks(0, cpu=6_000))[0].node == "without"


def test_a_device_is_not_left_without_the_cpu_that_it_needs() -> None:
    poor, rich = node("poor", 4, cpu=18_000), node("rich", 4, cpu=64_000)
    placer = Placer(Cluster([poor, rich]))
    assert placed(placer, asks(1, cpu=16_000))[0].node == "rich"


def test_models_that_others_cannot_do_without_are_kept_for_them() -> None:
    nodes = [*(node(f"v{n}", model="V100") for n in range(4)), *(node(f"t{n}", model="T4") for n in range(40))]
    placer = Placer(Cluster(nodes))
    only = frozenset({"V100"})
    for number in range(220):  # until it has learned
        answer = placer.place(asks(models=only) if number % 8 == 0 else asks())
        if isinstance(answer, Placement):
            placer.cluster.free(answer)
    models = {found.name: found.devices[0].model for found in nodes}
    assert {models[found.node] for found in placed(placer, *[asks()] * 40)} == {"T4"}
    assert models[placed(placer, asks(models=only))[0].node] == "V100"


def test_a_request_gets_a_model_that_it_names_and_the_memory_that_it_needs() -> None:
    placer = Placer(mixed())
    assert placed(placer, asks(models=frozenset({"P100", "none"})))[0].node.startswith("p")
    assert isinstance(placer.place(asks(device_memory_mib=20_000)), Refusal)


def test_a_choice_carries_the_terms_it_was_made_by() -> None:
    [first] = placed(Placer(mixed()), asks())
    assert first.terms.gain_milli != 0
    assert 0 <= first.terms.scarcity <= 1
    assert 0 < first.terms.score <= 100


@pytest.mark.parametrize(
    ("request_", "cause"),
    [
        (asks(9), Cause.NODE_DEVICES),
        (asks(models=frozenset({"H100"})), Cause.MODEL),
        (asks(device_memory_mib=80_000), Cause.DEVICE_MEMORY),
        (asks(1, 1_001), Cause.BAD_SHARE),
        (asks(2, 500), Cause.BAD_SHARE),
        (asks(1, 0), Cause.BAD_SHARE),
        (asks(0, cpu=10**6), Cause.NODE_CPU),
        (asks(0, memory=10**7), Cause.NODE_MEMORY),
    ],
)
def test_what_the_cluster_could_never_hold_is_told_apart_with_its_reason(request_: Request, cause: Cause) -> None:
    assert refused(several(), request_) == Refusal(request_, never=True, counts={cause: 4})


def test_what_only_others_keep_out_is_not_never_and_each_node_is_counted_once() -> None:
    cluster = Cluster([*several(3), node("small", 1), node("lost"), node("ill", 1)])
    cluster.node_ready("lost", ready=False)
    cluster.device_sick("ill", 0)
    placer = Placer(cluster)
    placed(placer, asks(4), asks(4, cpu=30_000), asks(3, cpu=4_000), asks(1, 700))
    answer = placer.place(asks(2, cpu=8_000))
    assert isinstance(answer, Refusal)
    counts = {Cause.NODE_DEVICES: 2, Cause.NOT_READY: 1, Cause.CPU: 1, Cause.DEVICES: 2}
    assert (answer.never, answer.counts) == (False, counts)


def test_exactly_what_is_there_is_enough() -> None:
    placer = Placer(Cluster([node("n", 1, cpu=4_000, memory=8_192)]))
    placed(placer, asks(0, cpu=3_000, memory=8_000))
    answer = placer.place(asks(2, cpu=1_000, memory=192))
    assert isinstance(answer, Refusal)
    assert (answer.never, dict(answer.counts)) == (True, {Cause.NODE_DEVICES: 1})
    placed(placer, asks(1, cpu=500, memory=0))
    full = placer.place(asks(1, cpu=500, memory=192))
    assert isinstance(full, Refusal)
    assert (full.never, dict(full.counts)) == (False, {Cause.DEVICES: 1})


def test_a_sick_device_is_a_reason_that_may_pass() -> None:
    cluster = Cluster([node("ill", 1)])
    cluster.device_sick("ill", 0)
    request = asks()
    assert Placer(cluster).place(request) == Refusal(request, never=False, counts={Cause.SICK: 1})


def test_what_could_never_be_held_is_not_learned() -> None:
    placer = Placer(Cluster(several()))
    for request in (asks(9), asks(1, 0), asks(models=frozenset({"H100"})), asks(4), asks(4)):
        placer.place(request)
    assert placer.learner.seen == 2


def test_what_is_asked_for_again_after_a_refusal_counts_once() -> None:
    placer = Placer(Cluster(several(1)))
    placed(placer, asks(4))
    for again in (False, True, True):
        placer.place(asks(1), asked_before=again)
    assert placer.learner.seen == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"cpu": -1},
        {"memory": -1},
        {"devices": -1},
        {"device_memory_mib": -1},
        {"resources": (("rdma/hca", -1),)},
        {"devices": 0, "profile": "1g.5gb"},
    ],
)
def test_nobody_asks_for_less_than_nothing_or_for_an_instance_of_no_device(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"less than nothing|is of a device"):
        asks(**wrong)


def test_looking_changes_nothing() -> None:
    placer = Placer(mixed())
    before = placer.cluster.left.copy()
    assert placer.choose(asks(2)) == placer.choose(asks(2))
    assert (placer.cluster.left == before).all()
    assert placer.learner.seen == 0


def test_what_is_kept_of_ever_new_requests_is_bounded() -> None:
    placer = Placer(mixed())
    for number in range(MOST_KEPT + 10):
        placer.choose(asks(memory=1_000 + number, device_memory_mib=number))
    assert len(placer.scores._kept) == 10
    assert len(placer._kinds) == 10


def test_a_share_goes_to_the_device_where_it_fits_best() -> None:
    cluster = Cluster([node("n0", 3)])
    placer = Placer(cluster)
    placed(placer, asks(1, 500), asks(1, 700))
    held = [device for device in range(3) if cluster.left[0, device] == WHOLE - 500]
    assert placed(placer, asks(1, 500))[0].devices == tuple(held)
