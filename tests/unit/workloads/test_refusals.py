"""Which refusals can pass by themselves, and what numbers they tell."""

import pytest

from portal.kube.errors import BadRequest, ClusterUnavailable, Conflict, Forbidden, Invalid, KubeError, NotFound
from workloads.refusals import pod_verdict, verdict

QUOTA = "pods is forbidden: exceeded quota: berth, requested: {0}, used: {1}, limited: {2}"


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (ClusterUnavailable("x"), True),
        (NotFound('namespaces "berth-x" not found'), True),
        (Conflict("x"), True),
        (Forbidden(QUOTA.format("pods=1", "pods=2", "pods=2")), True),
        (Forbidden('User "u" cannot create resource "jobs" in API group "batch"'), True),
        (Forbidden("admission webhook denied the request"), False),
        (Invalid("x"), False),
        (BadRequest("x"), False),
    ],
)
def test_a_refusal_of_what_was_asked_is_final_and_all_else_may_pass(error: KubeError, retryable: bool) -> None:
    assert verdict(error).retryable is retryable


def test_the_resource_that_is_short_is_told_in_our_units() -> None:
    message = QUOTA.format(
        "requests.cpu=100m,requests.memory=1Gi",
        "requests.cpu=0,requests.memory=1536Mi",
        "requests.cpu=2,requests.memory=2Gi",
    )
    params = verdict(Forbidden(message)).params
    numbers = {"resource": "memory_mib", "asked": 1024, "held": 1536, "limit": 2048}
    assert params == {"message": message, **numbers}


@pytest.mark.parametrize(
    ("message", "retryable"),
    [
        ('pods "x" is forbidden: violates PodSecurity "restricted:v1.36": seccompProfile', False),
        (QUOTA.format("pods=1", "pods=2", "pods=2"), True),
        ("Internal error occurred: failed calling webhook", True),
    ],
)
def test_a_refusal_of_a_pod_is_judged_by_its_text(message: str, retryable: bool) -> None:
    assert pod_verdict(message).retryable is retryable


def test_of_several_resources_that_are_short_the_one_that_people_know_is_told() -> None:
    message = QUOTA.format(
        "limits.ephemeral-storage=2Gi,pods=1",
        "limits.ephemeral-storage=2Gi,pods=1",
        "limits.ephemeral-storage=2Gi,pods=1",
    )
    assert verdict(Forbidden(message)).params["resource"] == "pods"


def test_a_quota_of_another_resource_type_is_told_by_its_own_words() -> None:
    name = "requests.xilinx.com/fpga-u250"
    message = QUOTA.format(f"{name}=2", f"{name}=3", f"{name}=4")
    words = {"label": "FPGA U250", "label_zh": "U250 加速卡", "unit": "count"}
    extra = {"fpga": {"amount": 2, "kube_name": "xilinx.com/fpga-u250", **words}}
    params = pod_verdict(message, extra).params
    assert params == {"message": message, "resource": "fpga", **words, "asked": 2, "held": 3, "limit": 4}
