"""A job: one container that runs to its end, as an Indexed Job of one pod. Pure: a context in, plain dicts out."""

from workloads import manifests
from workloads.manifests import BuildContext, Manifest

# Berth deletes a finished Job itself once its log is sealed; this is for when Berth is gone.
TTL_S = 86_400


def build(context: BuildContext) -> list[Manifest]:
    """Return the ConfigMap of the script, where there is one, and the Job."""
    script = [] if context.spec.script is None else [manifests.script_config_map(context)]
    return [*script, _job(context)]


def _job(context: BuildContext) -> Manifest:
    """Return the Job: one pod, no retry of its own (a retry is a new attempt), no deadline of its own.

    A Job's deadline deletes its pods and their logs, a pod's does not.
    """
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": manifests.metadata(context),
        "spec": {
            "backoffLimit": 0,
            "completionMode": "Indexed",
            "completions": 1,
            "parallelism": 1,
            "podFailurePolicy": {
                "rules": [{"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
            },
            "podReplacementPolicy": "Failed",
            "ttlSecondsAfterFinished": TTL_S,
            "template": {
                "metadata": {"labels": manifests.labels(context), "annotations": manifests.annotations(context)},
                "spec": manifests.pod_spec(context),
            },
        },
    }
