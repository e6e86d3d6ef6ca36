"""The builder of jobs: whole manifests, and that whatever passes validation passes the check after building."""

import copy
from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from workloads import kinds, manifests
from workloads.kinds import BUILDERS, BuildContext, UnsafeManifest, build
from workloads.kinds import job as job_kind
from workloads.manifests import revalidate
from workloads.specs import Extra, JobSpec, Resources, spec_problems

TMP = "/tmp"  # noqa: S108 (a path in the container)
SPEC = JobSpec(
    name="hello",
    image="registry.example/team/train:1",
    command=("python", "train.py"),
    args=("--lr", "0.1"),
    env={"LR": "0.1"},
    resources=Resources(cpu_millicores=500, memory_mib=256, gpus=2),
    max_runtime_s=3600,
)


def context(**changes: Any) -> BuildContext:
    fields: dict[str, Any] = {
        "installation_id": UUID(int=1),
        "tenant_id": UUID(int=2),
        "workload_id": UUID(int=3),
        "attempt_id": UUID(int=4),
        "attempt_n": 2,
        "namespace": "berth-vision",
        "object_name": "w-abcdefghij-2",
        "spec": SPEC,
        "spec_digest": "d" * 64,
        "uid_range_start": 20_000,
        **changes,
    }
    return BuildContext(**fields)


def context_with(**changes: Any) -> BuildContext:
    return context(spec=msgspec.structs.replace(SPEC, **changes))


LABELS = {
    "app.kubernetes.io/managed-by": "berth",
    "berth.dev/installation": "00000000-0000-0000-0000-000000000001",
    "berth.dev/tenant": "00000000-0000-0000-0000-000000000002",
    "berth.dev/workload": "00000000-0000-0000-0000-000000000003",
    "berth.dev/attempt": "2",
    "berth.dev/kind": "job",
}
ANNOTATIONS = {"berth.dev/uid": "00000000-0000-0000-0000-000000000004", "berth.dev/spec-digest": "d" * 64}
METADATA = {"name": "w-abcdefghij-2", "namespace": "berth-vision", "labels": LABELS, "annotations": ANNOTATIONS}


def container(**changes: Any) -> dict[str, Any]:
    return {
        "name": "main",
        "image": "registry.example/team/train:1",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "train.py"],
        "args": ["--lr", "0.1"],
        "env": [
            {"name": "HOME", "value": "/workspace"},
            {"name": "PYTHONUNBUFFERED", "value": "1"},
            {"name": "LR", "value": "0.1"},
        ],
        "resources": {
            "requests": {"cpu": "500m", "memory": "256Mi", "ephemeral-storage": "2048Mi", "nvidia.com/gpu": "2"},
            "limits": {"memory": "256Mi", "ephemeral-storage": "2048Mi", "nvidia.com/gpu": "2"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "workspace", "mountPath": "/workspace"}, {"name": "tmp", "mountPath": TMP}],
        "workingDir": "/workspace",
        **changes,
    }


def job(pod: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": METADATA,
        "spec": {
            "backoffLimit": 0,
            "completionMode": "Indexed",
            "completions": 1,
            "parallelism": 1,
            "podFailurePolicy": {
                "rules": [{"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
            },
            "podReplacementPolicy": "Failed",
            "ttlSecondsAfterFinished": 86_400,
            "template": {"metadata": {"labels": LABELS, "annotations": ANNOTATIONS}, "spec": pod},
        },
    }


def pod(main: dict[str, Any], *more_volumes: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "automountServiceAccountToken": False,
        "containers": [main],
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": {
            "fsGroup": 20_000,
            "fsGroupChangePolicy": "OnRootMismatch",
            "runAsGroup": 20_000,
            "runAsNonRoot": True,
            "runAsUser": 20_000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "serviceAccountName": "berth-workload",
        "terminationGracePeriodSeconds": 10,
        "volumes": [
            {"name": "workspace", "emptyDir": {"sizeLimit": "1280Mi"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "512Mi"}},
            *more_volumes,
        ],
        **changes,
    }


def test_a_command_becomes_one_hardened_job() -> None:
    assert build(context()) == [job(pod(container(), activeDeadlineSeconds=3600))]


def test_a_script_becomes_a_config_map_and_a_job_that_runs_it() -> None:
    mounts = [
        {"name": "workspace", "mountPath": "/workspace"},
        {"name": "tmp", "mountPath": TMP},
        {"name": "script", "mountPath": "/workspace/.berth", "readOnly": True},
    ]
    volume = {
        "name": "script",
        "configMap": {
            "name": "w-abcdefghij-2",
            "defaultMode": 0o444,
            "items": [{"key": "script", "path": "script"}],
        },
    }
    main = container(command=["python", "train.py", "/workspace/.berth/script"], volumeMounts=mounts)
    assert build(context_with(script="print('$x')\n", max_runtime_s=None)) == [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": METADATA,
            "immutable": True,
            "data": {"script": "print('$x')\n"},
        },
        job(pod(main, volume)),
    ]


def main_of(found: BuildContext) -> dict[str, Any]:
    main: dict[str, Any] = build(found)[-1]["spec"]["template"]["spec"]["containers"][0]
    return main


def test_a_script_without_a_command_is_run_by_python() -> None:
    main = main_of(context_with(script="x", command=(), args=("a",)))
    assert (main["command"], main["args"]) == (["python3", "/workspace/.berth/script"], ["a"])


def test_without_command_and_script_the_image_decides() -> None:
    main = main_of(context_with(command=(), args=()))
    assert not {"command", "args"} & main.keys()


def test_no_gpu_is_asked_for_where_none_is_wanted() -> None:
    main = main_of(context_with(resources=Resources(cpu_millicores=10, memory_mib=16)))
    assert main["resources"] == {
        "requests": {"cpu": "10m", "memory": "16Mi", "ephemeral-storage": "2048Mi"},
        "limits": {"memory": "16Mi", "ephemeral-storage": "2048Mi"},
    }


def test_dollar_signs_reach_the_program_as_they_were_typed() -> None:
    main = main_of(context_with(command=("sh", "-c", "echo $(HOME) $$"), args=("$(A)",), env={"A": "$(HOME)"}))
    assert main["command"][2] == "echo $$(HOME) $$$$"
    assert main["args"] == ["$$(A)"]
    assert {"name": "A", "value": "$$(HOME)"} in main["env"]


def test_a_users_variable_replaces_ours() -> None:
    main = main_of(context_with(env={"HOME": TMP}))
    assert main["env"] == [{"name": "HOME", "value": TMP}, {"name": "PYTHONUNBUFFERED", "value": "1"}]


@pytest.mark.parametrize("host_users", [True, False])
def test_user_namespaces_only_where_asked(host_users: bool) -> None:
    built = BUILDERS["job"](context(host_users=host_users))[0]
    assert built["spec"]["template"]["spec"]["hostUsers"] is host_users


texts = st.text(max_size=40)
specs = st.builds(
    JobSpec,
    name=st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True),
    image=st.sampled_from(["busybox", "registry.example:5000/a/b:1", "b@sha256:" + "0" * 64]),
    resources=st.builds(
        Resources,
        cpu_millicores=st.integers(9, 10**9),
        memory_mib=st.integers(15, 10**9),
        gpus=st.integers(0, 100),
    ),
    command=st.just(()) | st.lists(texts, max_size=4).map(lambda items: ("sh", *items)),
    args=st.lists(texts, max_size=4).map(tuple),
    script=st.none() | texts.map(lambda text: f"#{text}"),
    env=st.dictionaries(st.from_regex(r"[A-Za-z_]{1,8}", fullmatch=True), texts, max_size=4),
    max_runtime_s=st.none() | st.integers(0, 10**6),
    retries=st.integers(0, 11),
)


@given(specs, st.integers(10_000, 2**31 - 1))
def test_what_passes_validation_passes_the_check_after_building(spec: JobSpec, uid: int) -> None:
    assume(not spec_problems(spec))
    built = build(context(spec=spec, uid_range_start=uid))
    assert [fault for manifest in built for fault in revalidate(manifest)] == []
    assert msgspec.json.decode(msgspec.json.encode(built)) == built


def pod_of(manifest: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return spec


Breaking = Callable[[dict[str, Any]], object]
BREAKING: dict[str, Breaking] = {
    "hostNetwork": lambda job: pod_of(job).update(hostNetwork=True),
    "hostPID": lambda job: pod_of(job).update(hostPID=True),
    "hostIPC": lambda job: pod_of(job).update(hostIPC=True),
    "hostAliases": lambda job: pod_of(job).update(hostAliases=[]),
    "nodeName": lambda job: pod_of(job).update(nodeName="n1"),
    "nodeSelector": lambda job: pod_of(job).update(nodeSelector={"disk": "ssd"}),
    "tolerations": lambda job: pod_of(job).update(tolerations=[{"operator": "Exists"}]),
    "affinity": lambda job: pod_of(job).update(affinity={}),
    "schedulerName": lambda job: pod_of(job).update(schedulerName="x"),
    "priorityClassName": lambda job: pod_of(job).update(priorityClassName="system-node-critical"),
    "runtimeClassName": lambda job: pod_of(job).update(runtimeClassName="x"),
    "initContainers": lambda job: pod_of(job).update(initContainers=[]),
    "ephemeralContainers": lambda job: pod_of(job).update(ephemeralContainers=[]),
    "resourceClaims": lambda job: pod_of(job).update(resourceClaims=[]),
    "hostUsers": lambda job: pod_of(job).update(hostUsers=True),
    "token": lambda job: pod_of(job).update(automountServiceAccountToken=True),
    "account": lambda job: pod_of(job).update(serviceAccountName="berth-writer"),
    "links": lambda job: pod_of(job).pop("enableServiceLinks"),
    "root": lambda job: pod_of(job)["securityContext"].update(runAsNonRoot=False),
    "uid": lambda job: pod_of(job)["securityContext"].update(runAsUser=0),
    "gid": lambda job: pod_of(job)["securityContext"].pop("runAsGroup"),
    "seccomp": lambda job: pod_of(job)["securityContext"].update(seccompProfile={"type": "Unconfined"}),
    "sysctls": lambda job: pod_of(job)["securityContext"].update(sysctls=[]),
    "hostPath": lambda job: pod_of(job)["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
    "secret": lambda job: pod_of(job)["volumes"].append({"name": "x", "secret": {"secretName": "x"}}),
    "projected": lambda job: pod_of(job)["volumes"].append({"name": "x", "projected": {}}),
    "unlimited": lambda job: pod_of(job)["volumes"].append({"name": "x", "emptyDir": {}}),
    "privileged": lambda job: pod_of(job)["containers"][0]["securityContext"].update(privileged=True),
    "escalation": lambda job: pod_of(job)["containers"][0]["securityContext"].pop("allowPrivilegeEscalation"),
    "capabilities": lambda job: pod_of(job)["containers"][0]["securityContext"].update(capabilities={"add": ["X"]}),
    "writable": lambda job: pod_of(job)["containers"][0]["securityContext"].update(readOnlyRootFilesystem=False),
    "ports": lambda job: pod_of(job)["containers"][0].update(ports=[{"hostPort": 80}]),
    "lifecycle": lambda job: pod_of(job)["containers"][0].update(lifecycle={}),
    "envFrom": lambda job: pod_of(job)["containers"][0].update(envFrom=[{"secretRef": {"name": "x"}}]),
    "valueFrom": lambda job: pod_of(job)["containers"][0]["env"].append({"name": "x", "valueFrom": {}}),
    "subPath": lambda job: pod_of(job)["containers"][0]["volumeMounts"][0].update(subPath="../x"),
    "propagation": lambda job: pod_of(job)["containers"][0]["volumeMounts"][0].update(mountPropagation="Bidirectional"),
    "devices": lambda job: pod_of(job)["containers"][0].update(volumeDevices=[]),
    "limits": lambda job: pod_of(job)["containers"][0]["resources"]["limits"].update(memory="1Ti"),
    "no limit": lambda job: pod_of(job)["containers"][0]["resources"].update(limits={}, requests={}),
    "resource": lambda job: pod_of(job)["containers"][0]["resources"]["requests"].update({"x.example/y": "1"}),
    "deadline": lambda job: job["spec"].update(activeDeadlineSeconds=1),
    "label": lambda job: job["metadata"]["labels"].update({"pod-security.kubernetes.io/enforce": "privileged"}),
    "no label": lambda job: job["spec"]["template"]["metadata"]["labels"].pop("berth.dev/installation"),
    "annotation": lambda job: job["spec"]["template"]["metadata"]["annotations"].update(x="y"),
    "finalizers": lambda job: job["metadata"].update(finalizers=["x"]),
    "owner": lambda job: job["metadata"].update(ownerReferences=[]),
    "kind": lambda job: job.update(kind="Pod"),
}


@pytest.mark.parametrize("breaking", BREAKING.values(), ids=BREAKING)
def test_the_check_after_building_finds_what_must_not_be_there(breaking: Breaking) -> None:
    built = copy.deepcopy(build(context())[0])
    breaking(built)
    assert revalidate(built)


def test_a_builder_that_breaks_a_rule_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(found: BuildContext) -> list[manifests.Manifest]:
        built = job_kind.build(found)
        pod_of(built[0])["hostNetwork"] = True
        return built

    monkeypatch.setattr(kinds, "BUILDERS", {"job": careless})
    with pytest.raises(UnsafeManifest, match="hostNetwork"):
        build(context())


def asking(**kube_names: str) -> BuildContext:
    extra = {
        key: Extra(
            amount=2,
            kube_name=name,
            unit="mib" if name in ("ephemeral-storage", "hugepages-2Mi") else "count",
            label=key,
            label_zh=key,
        )
        for key, name in kube_names.items()
    }
    return context(extra=extra)


def test_other_resource_types_are_requests_and_limits_of_the_pod_and_scratch_space_comes_on_top() -> None:
    pod = pod_of(build(asking(fpga="xilinx.com/fpga-u250", pages="hugepages-2Mi", scratch="ephemeral-storage"))[0])
    found = pod["containers"][0]["resources"]
    wanted = {"xilinx.com/fpga-u250": "2", "hugepages-2Mi": "2Mi", "ephemeral-storage": "2050Mi"}
    for side in ("requests", "limits"):
        assert {name: found[side].get(name) for name in wanted} == wanted
    assert pod["volumes"][0] == {"name": "workspace", "emptyDir": {"sizeLimit": "1282Mi"}}


@pytest.mark.parametrize("name", ["kubernetes.io/batch-cpu", "limits.cpu", "pods"])
def test_a_resource_that_could_not_be_a_type_is_stopped_after_building(name: str) -> None:
    with pytest.raises(UnsafeManifest):
        build(asking(other=name))


def test_a_pod_runs_only_where_the_gpus_are_of_the_class_it_was_admitted_with() -> None:
    h200 = Extra(amount=2, kube_name="nvidia.com/gpu", unit="count", label="H200", label_zh="", product="NVIDIA-H200")
    asked = {"h200": h200, "l4": msgspec.structs.replace(h200, product="NVIDIA-L4", rank=1)}
    pod = pod_of(build(context(extra=asked, gpu_class="l4"))[0])
    assert pod["nodeSelector"] == {"nvidia.com/gpu.product": "NVIDIA-L4"}
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert "nodeSelector" not in pod_of(build(context(extra=asked))[0])
