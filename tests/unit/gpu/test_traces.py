"""Traces to replay: read as their format says, drawn alike by the same seed, and what replaying counts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gpu.bench.baselines import Baseline, Policy
from gpu.bench.churn import Places, mean_allocation
from gpu.bench.ours import Ours
from gpu.bench.traces import Trace, arrivals, made_here, model_of, read_trace, traces_in
from gpu.placement.specs import WHOLE, Node, Request
from tests.unit.gpu.clusters import asks, node, several

NODES = "sn,cpu_milli,memory_mib,gpu,model\nn1,64000,262144,2,T4\nn0,96000,393216,8,G2\n"
PODS = """name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec
p1,6000,12288,1,460,T4|G2
p0,12000,16384,0,0,
p2,8000,1024,2,1000,
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "openb_node_list_gpu_node.csv").write_text(NODES)
    (tmp_path / "openb_pod_list_small.csv").write_text(PODS)
    return tmp_path


def placing(policy: Baseline) -> Callable[[Request], bool]:
    return lambda request: policy.place(request) is not None


def test_a_folder_in_the_format_of_openb_is_read_by_the_names_of_nodes_and_pods(folder: Path) -> None:
    assert traces_in(folder) == ["small"]
    trace = read_trace(folder, "small")
    assert [(found.name, model_of(found), len(found.devices)) for found in trace.nodes] == [
        ("n0", "G2", 8),
        ("n1", "T4", 2),
    ]
    assert trace.capacity_milli == 10_000
    assert trace.requests == (
        Request(cpu_millicores=12_000, memory_mib=16_384),
        Request(cpu_millicores=6_000, memory_mib=12_288, devices=1, share_milli=460, models=frozenset({"T4", "G2"})),
        Request(cpu_millicores=8_000, memory_mib=1_024, devices=2),
    )


def test_requests_are_drawn_until_the_load_is_asked_for_and_the_same_for_a_seed() -> None:
    trace = made_here()
    first, second, other = (arrivals(trace, 1.3, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == second != other
    asked = sum(request.milli for request in first) / trace.capacity_milli
    assert 1.29 < asked <= 1.3
    few = arrivals(trace, 0.1, np.random.default_rng(1))
    assert sum(request.milli for request in few) <= 0.1 * trace.capacity_milli


@pytest.mark.parametrize("policy", list(Policy))
def test_each_policy_fills_a_cluster_with_what_fits_and_nothing_more(policy: Policy) -> None:
    trace = Trace("t", tuple(node(f"n{n}") for n in range(3)), (asks(1, 500), asks(2), asks(0)))
    place = placing(Baseline(trace, policy, seed=3))
    assert [place(asks(4)) for _ in range(4)] == [True, True, True, False]
    assert [place(asks(0, cpu=16_000)) for _ in range(4)] == [True, True, True, False]
    assert not place(asks(1, 100))
    assert not place(asks(0, cpu=0, memory=10**9))


@pytest.mark.parametrize("policy", [Policy.BEST_FIT, Policy.DOT_PRODUCT, Policy.PACKING])
def test_what_fits_on_a_small_node_leaves_the_large_one_whole(policy: Policy) -> None:
    nodes = (node("a-large", 8, cpu=96_000), node("b-small", 2, cpu=16_000))
    place = placing(Baseline(Trace("t", nodes, (asks(),)), policy))
    assert place(asks(1, cpu=15_000))
    assert place(asks(8, cpu=90_000))


def test_a_share_is_kept_from_splitting_a_device_by_fgd() -> None:
    trace = Trace("t", (node("a", 2), node("b", 2)), (asks(1, 500), asks()))
    place = placing(Baseline(trace, Policy.FGD, popularity=1.0))
    assert [place(asks(1, 500)) for _ in range(2)] == [True, True]
    assert [place(asks()) for _ in range(4)] == [True, True, True, False]


def test_a_model_that_is_named_is_the_only_one_taken() -> None:
    trace = Trace("t", (node("a", 1, model="T4"), node("b", 1, model="G2")), (asks(),))
    place = placing(Baseline(trace, Policy.BEST_FIT))
    assert [place(asks(models=frozenset({"G2"}))) for _ in range(2)] == [True, False]
    assert place(asks(models=frozenset({"T4"})))


@pytest.mark.parametrize("policy", [*Policy, "ours"])
def test_what_came_and_went_leaves_a_cluster_that_takes_as_much_again(policy: str) -> None:
    trace = Trace("t", tuple(several(2)), (asks(1, 500), asks(2)))
    found: Places = Ours(trace, 1) if policy == "ours" else Baseline(trace, Policy(policy))
    for _round in range(2):
        held = [found.place(asks(1, 500)) for _ in range(16)]
        assert None not in held
        assert found.place(asks(1, 500)) is None
        for one in held:
            found.free(one)
    assert found.place(asks(4)) is not None


def test_while_requests_come_and_go_what_is_allocated_is_what_is_asked_for_where_there_is_room() -> None:
    trace = Trace("t", tuple(several(50)), (asks(cpu=100, memory=100),), (1_000,))
    found = mean_allocation(Ours(trace, 0), trace, load=0.5, requests=4_000, seed=1)
    assert found == pytest.approx(50, abs=5)
    at_once = mean_allocation(Ours(trace, 0), trace, load=0.5, requests=40, seed=1)  # no time to fill an empty cluster
    assert at_once == pytest.approx(50, abs=12)
    full = mean_allocation(Ours(trace, 0), trace, load=3.0, requests=4_000, seed=1)
    assert full == pytest.approx(100, abs=2)
    with pytest.raises(ValueError, match="how long"):
        mean_allocation(Ours(trace, 0), replace(trace, lifetimes_s=()), load=1.0, requests=10, seed=0)


def test_the_cluster_that_is_made_here_is_of_120_nodes_and_the_same_each_time() -> None:
    assert made_here() == made_here()
    assert len(made_here().nodes) == 120
    assert isinstance(made_here().nodes[0], Node)
    larger = made_here(times=3)
    assert larger.capacity_milli == 3 * made_here().capacity_milli
    assert (len({found.name for found in larger.nodes}), len(larger.requests)) == (360, 12_000)
    assert all(0 < request.share_milli <= WHOLE for request in made_here().requests)
