"""What is taken from a Kubernetes event, and what is left out."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from portal.kube.types import Event
from workloads.clusterevents import MAX_MESSAGE_CHARS, seen_event

UID = "00000000-0000-4000-8000-000000000001"


def event(**fields: Any) -> Event:
    about = {"kind": "Pod", "name": "w-abcdefghij-2-0-x7k2p", "namespace": "berth-vision", **fields.pop("about", {})}
    body = {
        "metadata": {"uid": UID, "namespace": "berth-vision", "name": "e"},
        "involvedObject": about,
        "type": "Warning",
        "reason": "FailedScheduling",
        "message": "0/1 nodes are available",
        "firstTimestamp": "2026-11-24T10:00:00Z",
        "lastTimestamp": "2026-11-24T10:05:00Z",
        "count": 7,
        "source": {"component": "default-scheduler"},
    }
    return msgspec.convert(body | fields, Event)


def test_an_event_of_a_pod_names_its_attempt() -> None:
    seen = seen_event(event())
    assert seen is not None
    assert (seen.uid, seen.namespace, seen.kube_name, seen.n) == (UUID(UID), "berth-vision", "w-abcdefghij", 2)
    assert (seen.kind, seen.warning, seen.count, seen.source) == ("Pod", True, 7, "default-scheduler")
    assert (seen.first_seen.minute, seen.last_seen.minute) == (0, 5)


def test_an_event_of_a_job_names_its_attempt() -> None:
    seen = seen_event(event(about={"kind": "Job", "name": "w-abcdefghij-13"}, type="Normal"))
    assert seen is not None
    assert (seen.kube_name, seen.n, seen.warning) == ("w-abcdefghij", 13, False)


def test_the_new_form_of_an_event_is_read_too() -> None:
    new = {
        "firstTimestamp": None,
        "lastTimestamp": None,
        "count": None,
        "eventTime": "2026-11-24T10:00:00Z",
        "series": {"count": 4, "lastObservedTime": "2026-11-24T11:00:00Z"},
        "source": {},
        "reportingComponent": "kubelet",
    }
    seen = seen_event(event(**new))
    assert seen is not None
    assert (seen.count, seen.source) == (4, "kubelet")
    assert (seen.first_seen, seen.last_seen) == (
        datetime(2026, 11, 24, 10, tzinfo=UTC),
        datetime(2026, 11, 24, 11, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"about": {"kind": "Node"}},
        {"about": {"name": "somebody-elses-pod"}},
        {"about": {"name": "w-abcdefghij"}},
        {"metadata": {"uid": "../../etc", "namespace": "berth-vision"}},
        {"firstTimestamp": None, "lastTimestamp": None},
    ],
    ids=["another kind", "another name", "no attempt", "no uid", "no time"],
)
def test_what_is_about_nothing_of_ours_is_left_out(fields: dict[str, Any]) -> None:
    assert seen_event(event(**fields)) is None


def test_endless_and_odd_words_come_out_storable() -> None:
    seen = seen_event(event(message="\0" + "x" * 10_000, count=-3, reason="r" * 500))
    assert seen is not None
    assert (len(seen.message), "\0" in seen.message, seen.count, len(seen.reason)) == (MAX_MESSAGE_CHARS, False, 1, 128)


def test_a_last_time_before_the_first_makes_no_span_backwards() -> None:
    seen = seen_event(event(lastTimestamp="2026-11-24T09:00:00Z"))
    assert seen is not None
    assert seen.first_seen < seen.last_seen
