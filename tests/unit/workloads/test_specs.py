"""Validation without a database: what a submission may hold, and what each refusal says."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.asks import class_problems, size_problems
from workloads.explain import problem_text, problem_texts
from workloads.specs import JobSpec, Problem, Resources, digest_of, spec_json, spec_of, spec_problems

SPEC = JobSpec(name="hello", image="busybox", resources=Resources(cpu_millicores=100, memory_mib=64))
DIGEST = "sha256:" + "a" * 64


def codes(**changes: Any) -> list[tuple[str, str]]:
    return [(found.field, found.code) for found in spec_problems(msgspec.structs.replace(SPEC, **changes))]


def test_a_plain_spec_has_no_problem() -> None:
    assert codes() == []


@pytest.mark.parametrize("name", ["a", "a-b", "0", "x" * 63])
def test_names_that_can_be_used(name: str) -> None:
    assert codes(name=name) == []


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "required"),
        ("x" * 64, "name_long"),
        ("-a", "name_form"),
        ("a-", "name_form"),
        ("A", "name_form"),
        ("a_b", "name_form"),
        ("a.b", "name_form"),
        ("a\n", "name_form"),
        ("ä", "name_form"),
        ("a b", "name_form"),
    ],
)
def test_names_that_cannot(name: str, code: str) -> None:
    assert codes(name=name) == [("name", code)]


@pytest.mark.parametrize(
    "image",
    [
        "busybox",
        "python:3.12-slim",
        "team/train",
        "registry.example/team/train:1.0_A",
        "registry.example:5000/train",
        "localhost/train",
        "localhost:5000/a/b/c:tag",
        "[::1]:5000/train",
        f"busybox@{DIGEST}",
        f"registry.example/train:1@{DIGEST}",
        "a/b_c/d__e/f---g/h.i",
        "Registry.Example/train",
    ],
)
def test_images_that_can_be_used(image: str) -> None:
    assert codes(image=image) == []


@pytest.mark.parametrize(
    ("image", "code"),
    [
        ("", "required"),
        ("x" * 501, "image_long"),
        ("a b", "image_space"),
        ("busybox\n", "image_space"),
        ("\tbusybox", "image_space"),
        ("Busybox", "image_uppercase"),
        ("Team/train", "image_uppercase"),
        ("registry.example/Team/train", "image_uppercase"),
        ("a//b", "image_form"),
        ("/a", "image_form"),
        ("a/", "image_form"),
        ("a:", "image_form"),
        ("a:tag:tag", "image_form"),
        ("a:-tag", "image_form"),
        ("a:" + "t" * 129, "image_form"),
        ("a@sha256:short", "image_form"),
        ("a@md5:" + "a" * 32, "image_form"),
        (f"{DIGEST}", "image_form"),
        ("a" * 64, "image_form"),
        ("x.example:0/a", "image_form"),
        ("x.example:65536/a", "image_form"),
        ("https://x.example/a", "image_form"),
        ("a/../b", "image_form"),
        ("-a", "image_form"),
        ("a$(b)", "image_form"),
        ("a\0b", "image_form"),
        ("é", "image_form"),
        ("b" * 256, "image_form"),
    ],
)
def test_images_that_cannot(image: str, code: str) -> None:
    assert codes(image=image) == [("image", code)]


def test_commands_that_cannot() -> None:
    assert codes(command=("",)) == [("command", "command_empty")]
    assert codes(command=(" ", "x")) == [("command", "command_empty")]
    assert codes(command=("sh", "a\0b")) == [("command", "nul")]
    assert codes(args=("a\0b",)) == [("args", "nul")]
    assert codes(args=("\ud800",)) == [("args", "not_text")]
    assert codes(command=("x",) * 200, args=("y",) * 57) == [("command", "too_many")]
    assert codes(command=("x" * 32_769,)) == [("command", "bytes")]
    assert codes(command=("x" * 30_000,) * 5) == [("command", "bytes")]
    assert codes(command=("sh", "", "-c")) == []


@pytest.mark.parametrize("name", ["LR", "_x", "a1", "LD_LIBRARY_PATH", "KUBERNETESX", "HOME"])
def test_variables_that_can_be_used(name: str) -> None:
    assert codes(env={name: "1=2 $(x) ü"}) == []


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "env_name"),
        ("1a", "env_name"),
        ("a-b", "env_name"),
        ("a.b", "env_name"),
        ("a b", "env_name"),
        ("a\n", "env_name"),
        ("é", "env_name"),
        ("\ud800", "env_name"),
        ("A" * 254, "env_name"),
        ("LD_PRELOAD", "env_denied"),
        ("NVIDIA_VISIBLE_DEVICES", "env_denied"),
        ("NVIDIA_DRIVER_CAPABILITIES", "env_denied"),
        ("KUBERNETES_SERVICE_HOST", "env_denied"),
        ("KUBERNETES_", "env_denied"),
    ],
)
def test_variables_that_cannot(name: str, code: str) -> None:
    assert codes(env={name: "x"}) == [("env", code)]


def test_values_of_variables_that_cannot() -> None:
    assert codes(env={"A": "\0"}) == [("env", "nul")]
    assert codes(env={"A": "x" * 32_769}) == [("env", "bytes")]
    assert codes(env={f"V{n}": "x" for n in range(201)}) == [("env", "too_many")]
    assert codes(env={f"V{n}": "x" * 30_000 for n in range(5)}) == [("env", "bytes")]


def test_scripts() -> None:
    assert codes(script="x" * 262_144) == []
    assert codes(script="é" * 131_073) == [("script", "bytes")]
    assert codes(script=" \n") == [("script", "script_empty")]
    assert codes(script="a\0") == [("script", "nul")]


def test_numbers_outside_their_range() -> None:
    assert codes(retries=-1) == codes(retries=11) == [("retries", "range")]
    assert codes(max_runtime_s=0) == codes(max_runtime_s=2_592_001) == [("max_runtime_s", "range")]
    assert codes(max_runtime_s=1, retries=10) == []


def test_a_priority_is_one_of_three() -> None:
    assert [codes(priority=each) for each in ("high", "normal", "low")] == [[], [], []]
    assert codes(priority="urgent") == codes(priority="") == [("priority", "unknown_priority")]
    assert codes(resources=Resources(cpu_millicores=9, memory_mib=15, gpus=-1)) == [
        ("cpu_millicores", "below"),
        ("memory_mib", "below"),
        ("gpus", "below"),
    ]


def test_an_unknown_kind_and_a_senseless_template() -> None:
    assert codes(kind="notebook") == [("kind", "unknown_kind")]
    assert codes(template="no slug") == [("template", "unknown_template")]
    assert codes(template="a/tenants/slug") == [("template", "unknown_template")]
    assert codes(template="tenant/slug", template_version=2) == []
    assert codes(template="slug", template_version=0) == [("template_version", "unknown_version")]
    assert codes(template_version=1) == [("template_version", "unknown_version")]


def test_sizes_above_the_tenant_and_above_every_node() -> None:
    asked = Resources(cpu_millicores=4_000, memory_mib=8_192, gpus=1)
    tenant = {"cpu_millicores": 3_000, "memory_mib": 16_384, "gpus": 4}
    nodes = [{"cpu_millicores": 8_000, "memory_mib": 4_096}, {"cpu_millicores": 2_000, "memory_mib": 2_048, "gpus": 1}]
    assert size_problems(asked, tenant, nodes) == [
        Problem("cpu_millicores", "above_tenant", {"asked": 4_000, "limit": 3_000}),
        Problem("memory_mib", "above_nodes", {"asked": 8_192, "limit": 4_096}),
    ]
    assert size_problems(asked, {"cpu_millicores": 4_000, "memory_mib": 8_192, "gpus": 1}, []) == []


def test_a_refusal_says_the_number_and_the_way_out() -> None:
    texts = problem_texts(
        [
            Problem("memory_mib", "above_tenant", {"asked": 32_768, "limit": 16_384}),
            *spec_problems(msgspec.structs.replace(SPEC, script="x" * 300_000, env={"LD_PRELOAD": "x"})),
        ]
    )
    assert texts == {
        "memory_mib": ["Asks 32 GiB; the tenant may have 16 GiB in all."],
        "script": ["Is 292.97 KiB large; 256 KiB are possible."],
        "env": ["LD_PRELOAD is set by the platform and cannot be chosen. Remove it."],
    }


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.text(max_size=20), st.text(max_size=20), st.dictionaries(st.text(), junk, max_size=4))
def test_any_problem_has_a_text(field: str, code: str, params: dict[str, Any]) -> None:
    assert problem_text(Problem(field, code, params))


def test_the_digest_depends_on_what_is_asked_and_not_on_the_order_of_keys() -> None:
    one = msgspec.structs.replace(SPEC, env={"A": "1", "B": "2"})
    other = msgspec.structs.replace(SPEC, env={"B": "2", "A": "1"})
    assert digest_of(one) == digest_of(other) == digest_of(spec_json(one))
    assert digest_of(one) != digest_of(SPEC)


def test_a_stored_spec_reads_back_the_same() -> None:
    spec = msgspec.structs.replace(SPEC, command=("sh",), script="x", env={"A": "1"}, max_runtime_s=5)
    assert spec_of(spec_json(spec)) == spec


@pytest.mark.parametrize("value", [None, [], {}, {"name": "x"}, {**spec_json(SPEC), "extra": 1}])
def test_another_shape_is_refused(value: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        spec_of(value)


def test_what_is_asked_beyond_the_built_in_types_is_bounded_as_they_are_and_told_with_its_words() -> None:
    asked = Resources(cpu_millicores=500, memory_mib=64, extra={"fpga": 3, "hca": 1})
    tenant, words = {"cpu_millicores": 500, "memory_mib": 64, "fpga": 4, "hca": 1}, {"fpga": {"label": "FPGA"}}
    node = {"cpu_millicores": 1_000, "memory_mib": 1_024, "fpga": 2, "hca": 1}
    told = {"asked": 3, "resource": "fpga", "label": "FPGA"}
    assert size_problems(asked, tenant, [node], words=words) == [
        Problem("extra-fpga", "above_nodes", {**told, "limit": 2})
    ]
    assert size_problems(asked, tenant, [node], per_pod={"fpga": 1, "cpu_millicores": 100}, words=words) == [
        Problem("cpu_millicores", "above_pod", {"asked": 500, "limit": 100}),
        Problem("extra-fpga", "above_pod", {**told, "limit": 1}),
    ]
    assert size_problems(asked, {**tenant, "hca": 0}, []) == [
        Problem("extra-hca", "above_tenant", {"asked": 1, "limit": 0})
    ]


@pytest.mark.parametrize(("extra", "field"), [({"fpga": 0}, "extra-fpga"), ({"fpga": -1}, "extra-fpga")])
def test_an_amount_of_another_type_is_one_at_least(extra: dict[str, int], field: str) -> None:
    assert codes(resources=Resources(cpu_millicores=500, memory_mib=64, extra=extra)) == [(field, "range")]


def test_more_types_than_a_pod_can_sensibly_ask_for_are_refused_together() -> None:
    many = {f"type-{n}": 1 for n in range(21)}
    assert codes(resources=Resources(cpu_millicores=500, memory_mib=64, extra=many)) == [("extra", "too_many")]


def test_classes_of_gpus_are_named_once_and_with_gpus() -> None:
    assert codes(resources=Resources(cpu_millicores=500, memory_mib=64, gpu_models=("l4",))) == [
        ("gpu_models", "models_without_gpus")
    ]
    twice = Resources(cpu_millicores=500, memory_mib=64, gpus=1, gpu_models=("l4", "l4"))
    assert codes(resources=twice) == [("gpu_models", "model_twice")]


def test_of_classes_that_will_do_one_must_be_possible() -> None:
    asked = Resources(cpu_millicores=500, memory_mib=64, gpus=2, gpu_models=("l4", "h200"))
    node = {"l4": 0, "h200": 8}
    assert class_problems(asked, {"l4": 8, "h200": 4}, [node]) == []
    [problem] = class_problems(asked, {"l4": 8, "h200": 1}, [node])
    assert (problem.field, problem.code) == ("gpu_models", "above_nodes")
