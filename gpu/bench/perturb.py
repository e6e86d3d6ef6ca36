"""Changes a cluster and what comes to it: other hardware, devices that turn sick, a mix that shifts, gangs, tenants.

Pure: each makes a new trace or run and leaves the old one as it is. The same seed changes in the same way, and each
kind of change draws numbers of its own, so that one more of them leaves the others as they were.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gpu.bench.replay import Arrival, Run, Sickness, milli_of
from gpu.bench.traces import Key, Trace, arrivals, key_of
from gpu.placement.specs import Gang, Node, Request

GANG_PODS = (2, 8)
Numbers = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is otherwise: parts are 0 to 1, `cpu` and `memory` factors of what each node has, the rest as the functions.

    Nothing is by default.
    """

    without_nodes: float = 0.0
    cpu: float = 1.0
    cpu_spread: float = 0.0
    memory: float = 1.0
    sick: float = 0.0
    shift: bool = False
    gangs: float = 0.0
    tenants: int = 0

    @property
    def in_mid_run(self) -> bool:
        """Tell whether some of it is of a run rather than of a trace."""
        return bool(self.sick or self.shift or self.gangs)


def run_of(trace: Trace, changes: Changes, seed: int, ratio: float) -> Run:
    """Return what comes to a changed cluster until `ratio` of all its devices is asked for.

    Without changes these are the `arrivals` of the seed.
    """
    there = changed(trace, changes, seed)
    found = (
        shifting(there, ratio, _numbers(seed, "shift"))
        if changes.shift
        else arrivals(there, ratio, np.random.default_rng(seed))
    )
    coming: Sequence[Arrival] = found
    if changes.gangs:
        coming = with_gangs(found, changes.gangs, ratio * there.capacity_milli, _numbers(seed, "gangs"))
    return Run(there, tuple(coming), tuple(sicknesses(there, changes.sick, _numbers(seed, "sick"))))


def changed(trace: Trace, changes: Changes, seed: int) -> Trace:
    """Return a trace with other nodes, and tenants."""
    if changes.without_nodes:
        trace = without_nodes(trace, changes.without_nodes, _numbers(seed, "nodes"))
    if changes.cpu != 1:
        trace = _nodes(trace, lambda node: replace(node, cpu_millicores=int(node.cpu_millicores * changes.cpu)))
    if changes.cpu_spread:
        trace = cpu_spread(trace, changes.cpu_spread, _numbers(seed, "cpu"))
    if changes.memory != 1:
        trace = _nodes(trace, lambda node: replace(node, memory_mib=int(node.memory_mib * changes.memory)))
    return tenanted(trace, changes.tenants, _numbers(seed, "tenants")) if changes.tenants else trace


def without_nodes(trace: Trace, part: float, rng: Numbers) -> Trace:
    """Return a trace without a part of its nodes, drawn at random; at least one is left, and the order as it was."""
    count = len(trace.nodes)
    kept = np.sort(rng.permutation(count)[: max(1, round((1 - part) * count))])
    return replace(trace, nodes=tuple(trace.nodes[index] for index in kept))


def cpu_spread(trace: Trace, spread: float, rng: Numbers) -> Trace:
    """Return a trace whose nodes have each another part of their CPU: uniform in 1 ± `spread`."""
    factors = rng.uniform(1 - spread, 1 + spread, len(trace.nodes)).tolist()
    names = [node.name for node in trace.nodes]
    factor = dict(zip(names, factors, strict=True))
    return _nodes(trace, lambda node: replace(node, cpu_millicores=int(node.cpu_millicores * factor[node.name])))


def tenanted(trace: Trace, count: int, rng: Numbers) -> Trace:
    """Return a trace whose requests are each of one of `count` tenants, the n-th of them 1/n as often as the first.

    Every other tenant lets nobody else on devices that it has shares of.
    """
    weight = 1 / np.arange(1, count + 1)
    drawn = rng.choice(count, len(trace.requests), p=weight / weight.sum())
    requests = tuple(
        replace(request, tenant=f"tenant-{number}", shares_with_others=number % 2 == 0)
        for request, number in zip(trace.requests, drawn.tolist(), strict=True)
    )
    return replace(trace, requests=requests)


def shifting(trace: Trace, ratio: float, rng: Numbers) -> list[Request]:
    """Return requests of one half of the classes until half of `ratio` is asked for, then of the other half.

    Which classes are in which half is drawn at random, so that the halves may be of very different weight; requests
    without devices are in both.
    """
    keys: list[Key] = list(dict.fromkeys(key_of(request) for request in trace.requests if request.devices))
    order = rng.permutation(len(keys))
    early = {keys[index] for index in order[: (len(keys) + 1) // 2]}
    late = {keys[index] for index in order[len(early) :]} or early
    found: list[Request] = []
    for half in (early, late):
        of_half = tuple(request for request in trace.requests if not request.devices or key_of(request) in half)
        found += arrivals(replace(trace, requests=of_half), ratio / 2, rng)
    return found


def with_gangs(requests: Sequence[Request], part: float, most_milli: float, rng: Numbers) -> list[Arrival]:
    """Return the requests with a part of them, drawn at random, as gangs of 2 to 8 such pods, anywhere in the cluster.

    Ends before more than `most_milli` thousandths of devices are asked for, since gangs ask for more.
    """
    least, most = GANG_PODS
    gangs = rng.random(len(requests)) < part
    pods = rng.integers(least, most, len(requests), endpoint=True)
    found: list[Arrival] = []
    asked = 0
    for request, is_gang, count in zip(requests, gangs.tolist(), pods.tolist(), strict=True):
        arrival: Arrival = Gang(request=request, pods=count) if is_gang else request
        asked += milli_of(arrival)
        if asked > most_milli:
            break
        found.append(arrival)
    return found


def sicknesses(trace: Trace, part: float, rng: Numbers) -> list[Sickness]:
    """Return a part of all devices, drawn at random, each with a random moment of the run."""
    devices = [(node.name, index) for node in trace.nodes for index in range(len(node.devices))]
    drawn = rng.permutation(len(devices))[: round(part * len(devices))]
    return [Sickness(float(rng.random()), *devices[index]) for index in drawn]


def scaled(trace: Trace, times: int) -> Trace:
    """Return a trace with so many times the nodes, by name, and requests."""
    nodes = tuple(_copy(node, copy) for copy in range(times) for node in trace.nodes)
    in_order = tuple(sorted(nodes, key=lambda node: node.name))
    return replace(trace, nodes=in_order, requests=trace.requests * times, lifetimes_s=trace.lifetimes_s * times)


def _copy(node: Node, number: int) -> Node:
    devices = tuple(replace(device, uuid=f"{device.uuid}/{number}") for device in node.devices)
    return replace(node, name=f"{node.name}/{number}", devices=devices)


def _nodes(trace: Trace, change: Callable[[Node], Node]) -> Trace:
    return replace(trace, nodes=tuple(change(node) for node in trace.nodes))


def _numbers(seed: int, kind: str) -> Numbers:
    return np.random.default_rng([seed, *kind.encode()])
