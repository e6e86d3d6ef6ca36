"""What a node's idle devices are worth less: too small, of another model, or without CPU and memory beside them."""

import numpy as np
import pytest

from gpu.placement.loss import STRANDED, ExpectedLoss
from gpu.placement.mix import Mix, TaskClass, Weighted

ALONE = Mix((Weighted(TaskClass(4_000, 1, 1_000, 0b01), 1.0, 8_192.0),), 0.0)
HALF = Mix((Weighted(TaskClass(1_000, 1, 500, 0b01), 1.0, 1.0),), 0.0)
PAIRS = Mix((Weighted(TaskClass(1_000, 2, 1_000, 0b01), 1.0, 1.0),), 0.0)


def lost(mix: Mix, idle: list[int], *, cpu: int = 96_000, memory: int = 1_000_000, kind: int = 0) -> float:
    loss = ExpectedLoss(mix, np.ones(2, np.int64))
    return float(loss(np.array([cpu]), np.array([memory]), np.array([idle]), np.array([kind]))[0])


@pytest.mark.parametrize(
    ("mix", "idle", "expected"),
    [
        (ALONE, [1_000, 1_000], 0),
        (ALONE, [1_000, 400], 400),
        (ALONE, [900, 400], 1_300),
        (HALF, [900, 400], 400),
        (PAIRS, [1_000, 400], 1_400),
        (PAIRS, [1_000, 1_000], 0),
    ],
)
def test_devices_that_are_too_small_or_too_few_are_lost(mix: Mix, idle: list[int], expected: float) -> None:
    assert lost(mix, idle) == pytest.approx(expected)


def test_devices_of_a_model_that_will_not_do_are_lost() -> None:
    assert lost(ALONE, [1_000, 500], kind=1) == pytest.approx(1_500)


def test_without_cpu_for_one_all_is_lost_and_beyond_what_cpu_or_memory_serve_a_part() -> None:
    assert lost(ALONE, [1_000, 1_000], cpu=3_999) == pytest.approx(2_000)
    assert lost(ALONE, [1_000, 1_000], cpu=4_000) == pytest.approx(STRANDED * 1_000)
    assert lost(ALONE, [1_000, 1_000], memory=8_192) == pytest.approx(STRANDED * 1_000)
    assert lost(ALONE, [1_000, 1_000], cpu=8_000, memory=16_384) == pytest.approx(0)


def test_what_only_one_kind_serves_weighs_more_there_by_how_many_devices_the_others_may_land_on() -> None:
    pair, single = TaskClass(1_000, 2, 1_000, 0b11), TaskClass(1_000, 1, 1_000, 0b01)
    mix = Mix((Weighted(pair, 0.5, 1.0), Weighted(single, 0.5, 1.0)), 0.0)
    loss = ExpectedLoss(mix, np.array([10, 30]))
    state = np.array([96_000]), np.array([1_000_000]), np.array([[1_000]])
    # on the first kind a pair weighs 0.5 / 40 and a single 0.5 / 10, of 1 in all: 0.2 and 0.8
    assert loss(*state, np.array([0]))[0] == pytest.approx(200)
    assert loss(*state, np.array([1]))[0] == pytest.approx(1_000)


def test_requests_without_devices_can_use_none_of_them() -> None:
    mix = Mix((Weighted(TaskClass(4_000, 1, 1_000, 0b01), 0.75, 1.0),), 0.25)
    assert lost(mix, [1_000]) == pytest.approx(250)


def test_more_states_than_fit_at_once_are_told_in_their_order() -> None:
    loss, n = ExpectedLoss(ALONE, np.ones(2, np.int64)), 300
    idle = np.zeros((n, 2), np.int64)
    idle[:, 0] = np.arange(n)
    found = loss(np.full(n, 96_000), np.full(n, 10**6), idle, np.zeros(n, np.int64))
    assert found.tolist() == pytest.approx(list(range(n)))
    assert (
        len(loss(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2), np.int64), np.zeros(0, np.int64))) == 0
    )
