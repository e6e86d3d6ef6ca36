"""What the pods' tab says of containers, from rows of today and of before."""

from uuid import UUID

from workloads.models import Attempt, Pod
from workloads.podfacts import PodFacts, amounts_text, facts_of
from workloads.presentation import told

RUN = {
    "state": "terminated",
    "reason": "OOMKilled",
    "message": "out of memory",
    "exit_code": 137,
    "signal": None,
    "started_at": "2026-11-24T10:00:00+00:00",
    "ended_at": "2026-11-24T10:01:00+00:00",
}


def pod_facts(**fields: object) -> PodFacts:
    attempt = Attempt(n=1)
    pod = Pod(uid=UUID(int=1), attempt=attempt, name="p", **{"phase": "Failed", **fields})
    return facts_of([told(attempt)], [pod])[0].pods[0]


def test_a_container_tells_its_end_the_run_before_and_what_it_asks_for() -> None:
    kept = {"name": "main", "restarts": 2, **RUN, "previous": {**RUN, "exit_code": 1, "reason": "Error"}}
    kept["requests"] = {"cpu": "100m", "memory": "64Mi", "ephemeral-storage": "2Gi", "nvidia.com/gpu": "1"}
    (container,) = pod_facts(containers=[kept]).containers
    assert (container.run.said, container.run.reason) == ("Ended by SIGKILL (exit code 137)", "OOMKilled")
    assert container.previous is not None
    assert (container.previous.said, container.previous.reason) == ("Ended with exit code 1", "")
    assert container.asks == "0.1 cores, 64 MiB memory, 2 GiB disk, 1 nvidia.com/gpu"
    assert container.run.ended_at is not None
    assert container.restarts == 2


def test_a_row_from_before_a_fact_was_kept_is_shown_without_it() -> None:
    (container,) = pod_facts(containers=[{"name": "main", "state": "running"}, "nonsense"]).containers
    assert (container.run.state, container.run.said, container.previous, container.asks) == ("Runs", "", None, "")


def test_a_pod_that_went_unseen_is_not_said_to_run() -> None:
    assert pod_facts(phase="Running", gone=True).ended_unseen
    assert not pod_facts(phase="Failed", gone=True).ended_unseen
    assert pod_facts(phase="Nonsense").chip == "unknown"


def test_an_amount_that_is_no_quantity_is_shown_as_it_stands() -> None:
    assert amounts_text({"memory": "a lot"}) == "memory a lot"
