"""The linear bound: small cases whose optimum is known, and never below what any policy allocates."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu.bench import bound
from gpu.bench.baselines import Baseline, Policy
from gpu.bench.bound import NoSolver, bound_pct
from gpu.bench.contest import Contest, contenders, contest
from gpu.bench.perturb import Changes
from gpu.bench.replay import Arrival, Run, replay
from gpu.bench.traces import Trace, made_here, node_of
from gpu.placement.specs import WHOLE, Gang, Node
from tests.unit.gpu.clusters import asks


def best_of(nodes: Sequence[Node], coming: Sequence[Arrival], load: float = 1.0) -> float:
    return bound_pct(Trace("t", tuple(nodes), ()), coming, load)


def large(devices: int, *, cores: int = 96, model: str = "T4", name: str = "n") -> Node:
    return node_of(name, cores * 1_000, 10**6, model, devices)


def test_of_shares_larger_than_half_a_device_only_one_fits_on_each() -> None:
    assert best_of([large(2)], [asks(1, 600)] * 3) == pytest.approx(60)


def test_shares_of_several_sizes_meet_on_a_device() -> None:
    assert best_of([large(1)], [asks(1, 300), asks(1, 700)]) == pytest.approx(100)
    three = [asks(1, 200)] * 2 + [asks(1, 350)] * 2 + [asks(1, 450)] * 2
    assert best_of([large(2)], three) == pytest.approx(100)


def test_cpu_that_is_gone_bounds_what_is_allocated() -> None:
    assert best_of([large(4, cores=10)], [asks(cpu=4_000)] * 4) == pytest.approx(62.5)


def test_models_that_are_not_there_take_nothing_and_no_pod_is_larger_than_a_node() -> None:
    assert best_of([large(2, model="A30")], [asks(models=frozenset({"T4"}))] * 2) == pytest.approx(0)
    assert best_of([large(2, name="a"), large(2, name="b")], [asks(4)]) == pytest.approx(0)


def test_only_what_comes_until_the_load_is_asked_for_counts_and_a_gang_is_its_pods() -> None:
    assert best_of([large(4)], [asks()] * 9, load=0.5) == pytest.approx(50)
    assert best_of([large(4)], [Gang(request=asks(), pods=3), asks(0), asks(2)]) == pytest.approx(75)
    assert best_of([large(4)], []) == pytest.approx(0)


def test_where_every_node_is_another_nearly_alike_ones_are_one_kind_that_takes_what_the_largest_does() -> None:
    unlike = [node_of(f"n{n:03}", 10_000 + 7 * n, 10**6, "T4", 1 + n % 2) for n in range(200)]
    assert len(bound._kinds(unlike)) <= 30
    assert sum(kind.nodes for kind in bound._kinds(unlike)) == 200
    assert best_of(unlike, [asks(cpu=11_380)] * 5) == pytest.approx(100 * 5 / 300)
    assert best_of(unlike, [asks(cpu=11_500)] * 10) == pytest.approx(0)


def test_without_scipy_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bound, "linprog", None)
    with pytest.raises(NoSolver, match="requirements-dev"):
        best_of([large(1)], [asks()])


@pytest.mark.parametrize(
    "changes", [Changes(), Changes(memory=0.4), Changes(cpu_spread=0.3, sick=0.05, gangs=0.1, tenants=5)], ids=str
)
def test_no_policy_allocates_more_than_the_bound_of_what_is_made_here(changes: Changes) -> None:
    found = contest(made_here(), Contest(seeds=[3], changes=changes, bounds=1))
    best = max(run.when_full for runs in found.runs.values() for run in runs)
    assert 0.5 * found.bounds[0] < best <= found.bounds[0] + 1e-6


SHARES = st.sampled_from([70, 200, 330, 500, 640, 900])
REQUESTS = st.one_of(
    st.builds(lambda share, cores: asks(1, share, cpu=cores * 1_000), SHARES, st.integers(0, 12)),
    st.builds(lambda count, cores: asks(count, WHOLE, cpu=cores * 1_000), st.integers(0, 4), st.integers(0, 30)),
)
NODES = st.builds(
    lambda devices, cores: [large(n, cores=cores, name=f"n{at}") for at, n in enumerate(devices)],
    st.lists(st.integers(1, 4), min_size=1, max_size=5),
    st.integers(4, 40),
)


@settings(max_examples=40, deadline=None)
@given(nodes=NODES, requests=st.lists(REQUESTS, min_size=1, max_size=30))
def test_whatever_comes_to_whatever_cluster_no_policy_allocates_more(
    nodes: list[Node], requests: list[Arrival]
) -> None:
    trace = Trace("t", tuple(nodes), (asks(1, 500), asks(2)))
    most = bound_pct(trace, requests)
    for policy in (Baseline(trace, Policy.RANDOM), contenders(trace, 0, 0)["berth"]):
        assert replay(policy, Run(trace, tuple(requests))).when_full <= most + 1e-6
