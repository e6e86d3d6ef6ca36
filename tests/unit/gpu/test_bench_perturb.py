"""Changed clusters and runs: what each change does, the same for a seed, and nothing to what it was made from."""

from collections import Counter
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gpu.bench.perturb import (
    Changes,
    changed,
    cpu_spread,
    run_of,
    scaled,
    shifting,
    sicknesses,
    tenanted,
    with_gangs,
    without_nodes,
)
from gpu.bench.replay import milli_of
from gpu.bench.traces import arrivals, key_of, made_here
from gpu.placement.specs import Gang, Request

TRACE = made_here()


def numbers(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


ONE_OF_EACH: list[dict[str, Any]] = [
    {"without_nodes": 0.33},
    {"cpu": 0.8},
    {"cpu_spread": 0.3},
    {"memory": 0.4},
    {"sick": 0.02},
    {"shift": True},
    {"gangs": 0.1},
    {"tenants": 10},
]


@pytest.mark.parametrize("change", ONE_OF_EACH, ids=lambda change: next(iter(change)))
def test_a_change_is_the_same_for_a_seed_and_leaves_its_trace_as_it_was(change: dict[str, Any]) -> None:
    trace = deepcopy(TRACE)
    first, second = (run_of(trace, Changes(**change), 7, 0.5) for _ in range(2))
    assert first == second != run_of(trace, Changes(), 7, 0.5)
    assert trace == TRACE


@pytest.mark.parametrize(
    "change",
    [{"without_nodes": 0.33}, {"cpu_spread": 0.3}, {"sick": 0.02}, {"shift": True}, {"gangs": 0.1}, {"tenants": 9}],
    ids=lambda change: next(iter(change)),
)
def test_what_is_drawn_is_another_for_another_seed(change: dict[str, Any]) -> None:
    one, other = (run_of(TRACE, Changes(**change), seed, 0.5) for seed in (1, 2))
    assert (one.trace, one.sick) != (other.trace, other.sick) or one.coming != other.coming


def test_without_changes_a_run_is_the_arrivals_of_its_seed() -> None:
    run = run_of(TRACE, Changes(), 42, 1.3)
    assert (run.trace, run.sick) == (TRACE, ())
    assert list(run.coming) == arrivals(TRACE, 1.3, numbers(42))


def test_one_change_more_leaves_the_draws_of_the_others_as_they_were() -> None:
    alone = changed(TRACE, Changes(without_nodes=0.5), 3)
    both = changed(TRACE, Changes(without_nodes=0.5, memory=0.5, tenants=4), 3)
    assert [node.name for node in alone.nodes] == [node.name for node in both.nodes]


def test_a_part_of_the_nodes_is_gone_and_the_rest_in_the_order_it_had() -> None:
    found = without_nodes(TRACE, 0.33, numbers())
    assert len(found.nodes) == 80
    assert list(found.nodes) == [node for node in TRACE.nodes if node in found.nodes]
    assert found.capacity_milli < TRACE.capacity_milli
    assert len(without_nodes(TRACE, 1.0, numbers()).nodes) == 1


def test_cpu_and_memory_of_each_node_are_so_much_of_what_they_were() -> None:
    found = changed(TRACE, Changes(cpu=0.5, memory=0.25), 0)
    assert [node.cpu_millicores for node in found.nodes] == [node.cpu_millicores // 2 for node in TRACE.nodes]
    assert [node.memory_mib for node in found.nodes] == [node.memory_mib // 4 for node in TRACE.nodes]


def test_the_cpu_of_nodes_is_spread_around_what_it_was() -> None:
    found = cpu_spread(TRACE, 0.3, numbers())
    parts = [one.cpu_millicores / was.cpu_millicores for one, was in zip(found.nodes, TRACE.nodes, strict=True)]
    assert min(parts) == pytest.approx(0.7, abs=0.02)
    assert max(parts) == pytest.approx(1.3, abs=0.02)
    assert sum(parts) / len(parts) == pytest.approx(1, abs=0.05)


def test_a_part_of_all_devices_turns_sick_each_once_at_moments_of_the_whole_run() -> None:
    found = sicknesses(TRACE, 0.2, numbers())
    devices = {node.name: len(node.devices) for node in TRACE.nodes}
    assert len({(one.node, one.device) for one in found}) == len(found) == round(0.2 * sum(devices.values()))
    assert all(one.device < devices[one.node] for one in found)
    assert min(one.part for one in found) < 0.1 < 0.9 < max(one.part for one in found) < 1


def test_in_a_shift_no_class_that_asks_for_devices_is_in_both_halves() -> None:
    found = shifting(TRACE, 1.3, numbers())
    asked = np.cumsum([request.milli for request in found]) / TRACE.capacity_milli
    assert 1.27 < asked[-1] <= 1.3
    middle = int(np.searchsorted(asked, 0.65))
    early = {key_of(request) for request in found[: middle - 5] if request.devices}
    late = {key_of(request) for request in found[middle + 5 :] if request.devices}
    assert early
    assert late
    assert not early & late


def test_where_there_is_one_class_only_both_halves_of_a_shift_are_of_it() -> None:
    one = next(request for request in TRACE.requests if request.devices == 1)
    found = shifting(replace(TRACE, requests=(one,)), 0.5, numbers())
    assert set(found) == {one}


def test_a_part_of_the_requests_come_as_gangs_and_no_more_is_asked_for() -> None:
    requests = arrivals(TRACE, 1.3, numbers())
    most = 1.3 * TRACE.capacity_milli
    found = with_gangs(requests, 0.2, most, numbers())
    gangs = [arrival for arrival in found if isinstance(arrival, Gang)]
    assert len(gangs) / len(found) == pytest.approx(0.2, abs=0.04)
    assert {gang.pods for gang in gangs} == set(range(2, 9))
    assert 0.95 * most < sum(map(milli_of, found)) <= most
    plain = [arrival.request if isinstance(arrival, Gang) else arrival for arrival in found]
    assert plain == requests[: len(found)]


def test_the_first_tenant_asks_most_and_every_other_shares_with_nobody() -> None:
    found = tenanted(TRACE, 10, numbers())
    count = Counter(request.tenant for request in found.requests)
    assert len(count) == 10
    assert count["tenant-0"] / count["tenant-1"] == pytest.approx(2, rel=0.15)
    assert count["tenant-0"] / count["tenant-9"] == pytest.approx(10, rel=0.3)
    shares = {request.tenant: request.shares_with_others for request in found.requests}
    assert (shares["tenant-0"], shares["tenant-1"], sum(shares.values())) == (True, False, 5)
    assert [_without_tenant(request) for request in found.requests] == list(TRACE.requests)


def _without_tenant(request: Request) -> Request:
    return replace(request, tenant="", shares_with_others=True)


def test_a_larger_cluster_has_so_many_times_the_nodes_and_all_names_once() -> None:
    found = scaled(TRACE, 3)
    assert len({node.name for node in found.nodes}) == len(found.nodes) == 3 * len(TRACE.nodes)
    uuids = [device.uuid for node in found.nodes for device in node.devices]
    assert len(set(uuids)) == len(uuids) == 3 * TRACE.capacity_milli // 1_000
    assert (len(found.requests), len(found.lifetimes_s)) == (12_000, 12_000)
