"""A spec with some fields changed: a merge patch, and what its shape is told."""

from typing import Any

import pytest

from workloads.overrides import patched, patched_spec
from workloads.specs import JobSpec, Problem

SPEC: dict[str, Any] = {
    "name": "train",
    "image": "python:3.12",
    "resources": {"cpu_millicores": 1000, "memory_mib": 512, "gpus": 0},
    "env": {"LR": "0.1", "OLD": "1"},
    "script": "print()",
}


def test_objects_are_merged_and_null_removes() -> None:
    changes = {"env": {"LR": "0.2", "OLD": None, "NEW": "x"}, "script": None, "resources": {"memory_mib": 1024}}
    spec = patched_spec(SPEC, changes)
    assert isinstance(spec, JobSpec)
    assert spec.env == {"LR": "0.2", "NEW": "x"}
    assert spec.script is None
    assert (spec.resources.cpu_millicores, spec.resources.memory_mib) == (1000, 1024)


def test_lists_are_replaced() -> None:
    assert patched({"args": ["a", "b"]}, {"args": ["c"]}) == {"args": ["c"]}


def test_the_spec_that_is_changed_stays_as_it_was() -> None:
    patched(SPEC, {"env": {"LR": "9"}})
    assert SPEC["env"]["LR"] == "0.1"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"resources": {"memory_mib": "much"}}, Problem("memory_mib", "shape")),
        ({"resources": {"fpga": 1}}, Problem("resources.fpga", "unknown_field")),
        ({"colour": "red"}, Problem("colour", "unknown_field")),
        ({"image": None}, Problem("image", "required")),
        ({"args": "-v"}, Problem("args", "shape")),
        ({"env": {"A": 1}}, Problem("env", "shape")),
    ],
)
def test_what_does_not_fit_is_said_of_its_field(changes: dict[str, Any], problem: Problem) -> None:
    assert patched_spec(SPEC, changes) == problem
