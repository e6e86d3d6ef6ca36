"""What an explanation is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from workloads.explain.facts import Facts


class Explained(Protocol):
    """What is read of a workload."""

    state: str
    reason_code: str
    reason_params: Any
    memory_mib: int
    extra: Any  # what its row keeps of resource types beyond the built-in ones


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that would help, and what it leads to."""

    title: str
    consequence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A title, one sentence, facts as (label, value), options, and the cluster's own words as evidence."""

    title: str
    sentence: str
    facts: tuple[tuple[str, str], ...] = ()
    options: tuple[Option, ...] = ()
    evidence: str = ""


Card = Callable[[Facts, Explained], Explanation]
