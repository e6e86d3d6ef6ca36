"""Kubernetes' events of a workload: collected in batches, bounded, shown and given out when the cluster forgot them."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.core.leases import LeaseLost
from portal.core.models import Lease, User
from portal.kube.fake import FakeKube
from portal.kube.types import EVENTS, Event
from tenants.models import Tenant
from tests.app.workloads.watched import START, Watched
from tests.plugins.leading import leading
from tests.plugins.polling import until
from workloads.controller.events import EventBox, events_write
from workloads.management.commands.run_controller import lead
from workloads.models import Attempt, ClusterEvent, Workload
from workloads.specs import MOST_CLUSTER_EVENTS

pytestmark = pytest.mark.django_db


def body(attempt: Attempt, **fields: Any) -> dict[str, Any]:
    stamp = (START + timedelta(seconds=fields.pop("after_s", 0))).isoformat()
    about = {"kind": "Pod", "name": f"{attempt.object_name}-x7k2p", "namespace": "berth-vision"}
    named = fields.pop("uid", str(uuid.uuid4()))
    return {
        "metadata": {"uid": named, "namespace": "berth-vision", "name": f"e.{named}"},
        "involvedObject": {**about, **fields.pop("about", {})},
        "type": "Normal",
        "reason": "Pulling",
        "message": "Pulling image busybox",
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
        "source": {"component": "kubelet"},
        **fields,
    }


def event(attempt: Attempt, **fields: Any) -> Event:
    return msgspec.convert(body(attempt, **fields), Event)


def write(*events: Event) -> None:
    box = EventBox()
    for each in events:
        box.put(each)
    events_write(box.take(10_000))


def test_an_event_is_stored_with_its_attempt_and_grows_in_place(watched: Watched, attempt: Attempt) -> None:
    named = str(uuid.uuid4())
    watched.events.put(event(attempt, uid=named))
    watched.turn()
    watched.events.put(event(attempt, uid=named, count=5, lastTimestamp="2026-11-24T10:30:00Z"))
    watched.turn()
    stored = ClusterEvent.objects.get()
    assert (stored.workload_id, stored.attempt_n, stored.count) == (attempt.workload_id, 1, 5)
    assert (stored.first_seen, stored.last_seen) == (START, START + timedelta(minutes=30))


def test_what_came_before_does_not_undo_what_came_after(attempt: Attempt) -> None:
    named = str(uuid.uuid4())
    write(event(attempt, uid=named, count=9, after_s=60))
    write(event(attempt, uid=named, count=2, after_s=10))
    stored = ClusterEvent.objects.get()
    assert (stored.count, stored.last_seen) == (9, START + timedelta(seconds=60))


def test_events_of_others_objects_are_not_stored(attempt: Attempt, other_tenant: Tenant) -> None:
    elsewhere = {"namespace": "berth-speech"}
    write(
        event(attempt, about={"name": "w-zzzzzzzzzz-1-x"}),
        event(attempt, about={"name": attempt.object_name.rpartition("-")[0] + "-9"}),
        event(attempt, about=elsewhere),
        event(attempt, metadata={"uid": str(uuid.uuid4()), "namespace": "kube-system"}),
    )
    assert not ClusterEvent.objects.exists()


def test_a_workload_keeps_a_bounded_number_and_what_repeats_drives_nothing_out(attempt: Attempt) -> None:
    write(event(attempt, reason="Failed", message="no such image"))
    write(*(event(attempt, reason="BackOff", message=f"m{n}", after_s=n + 1) for n in range(60)))
    assert ClusterEvent.objects.filter(reason="BackOff").count() == 20
    assert ClusterEvent.objects.filter(reason="Failed").exists()
    write(*(event(attempt, reason=f"R{n}", after_s=100 + n) for n in range(MOST_CLUSTER_EVENTS + 50)))
    assert ClusterEvent.objects.count() == MOST_CLUSTER_EVENTS
    assert not ClusterEvent.objects.filter(reason="R0").exists()


def test_a_batch_of_events_costs_the_same_whatever_its_size(
    watched: Watched,
    attempt: Attempt,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
    tenant: Tenant,
    owner: User,
) -> None:
    watched.turn()
    with CaptureQueriesContext(connection) as idle:
        watched.turn()
    costs = []
    for size in (1, 40):
        for other in [admit(make_workload(tenant, owner)) for _ in range(size)]:
            for n in range(5):
                watched.events.put(event(other, reason=f"R{n}"))
        with CaptureQueriesContext(connection) as seen:
            watched.turn()
        costs.append(len(seen) - len(idle))
    assert costs[0] == costs[1] <= 5  # a savepoint round them, the fence, write, trim


def test_a_leader_that_lost_its_lease_stores_no_event_and_forgets_none(watched: Watched, attempt: Attempt) -> None:
    Lease.objects.filter(name="controller").update(epoch=99, holder="another")
    watched.events.put(event(attempt))
    with pytest.raises(LeaseLost):
        watched.turn()
    assert not ClusterEvent.objects.exists()


def test_too_many_waiting_events_are_left_out_and_not_piled_up(attempt: Attempt, monkeypatch: Any) -> None:
    monkeypatch.setattr("workloads.controller.events.MOST_WAITING", 3)
    box = EventBox()
    for _ in range(5):
        box.put(event(attempt))
    assert len(box.take(100)) == 3


@pytest.mark.django_db(transaction=True)
def test_events_of_the_cluster_reach_the_rows_and_stay_when_it_forgets_them(
    cluster: FakeKube, attempt: Attempt
) -> None:
    with leading("controller", lambda held, stop: lead(held, stop, cluster)):
        made = cluster.seed(EVENTS, body(attempt))
        until("it is stored", ClusterEvent.objects.exists, timeout_s=20)
        cluster.delete(EVENTS, made["metadata"]["name"], namespace="berth-vision")
        cluster.seed(EVENTS, body(attempt, reason="Started"))
        until("the next is stored", ClusterEvent.objects.filter(reason="Started").exists, timeout_s=20)
    assert ClusterEvent.objects.count() == 2


def page(client: Client, attempt: Attempt, query: str = "") -> str:
    whole = client.get(f"/workloads/{attempt.workload_id}/events/{query}").content.decode()
    return whole.partition('id="events"')[2]


def test_the_page_shows_both_sources_and_narrows_them(
    attempt: Attempt, owner: User, client_of: Callable[[User], Client]
) -> None:
    attempt.workload.events.create(state="queued", actor=owner)
    write(
        event(attempt, reason="Pulled", message="it is <b>here</b>"),
        event(attempt, type="Warning", reason="BackOff", count=12, lastTimestamp="2026-11-24T11:00:00Z"),
    )
    client = client_of(owner)
    everything = page(client, attempt)
    assert all(word in everything for word in ("Submitted", "Pulled", "BackOff", "12 times since", "kubelet"))
    assert "<b>here</b>" not in everything
    assert "Pulled" not in page(client, attempt, "?show=warnings")
    assert "BackOff" in page(client, attempt, "?show=warnings")
    assert "Submitted" not in page(client, attempt, "?show=cluster")
    assert "BackOff" not in page(client, attempt, "?show=berth")
    assert "BackOff" in page(client, attempt, "?show=nonsense")


def test_the_live_part_keeps_the_choice(attempt: Attempt, owner: User, client_of: Callable[[User], Client]) -> None:
    write(event(attempt, reason="Pulled"), event(attempt, type="Warning", reason="BackOff"))
    client = client_of(owner)
    whole = client.get(f"/workloads/{attempt.workload_id}/events/?show=warnings").content.decode()
    assert "tab=events&amp;show=warnings" in whole
    part = client.get(f"/workloads/{attempt.workload_id}/head/?tab=events&show=warnings").content.decode()
    assert "BackOff" in part
    assert "Pulled" not in part


def test_rest_gives_them_out_in_pages(attempt: Attempt, owner: User, client_of: Callable[[User], Client]) -> None:
    write(*(event(attempt, reason=f"R{n}", after_s=n) for n in range(3)))
    client, path = client_of(owner), f"/api/v1/workloads/{attempt.workload_id}/events/cluster/"
    first = client.get(f"{path}?limit=2").json()
    rest = client.get(first["next"]).json()
    assert len(first["results"]) == 2
    assert rest["next"] is None
    told = first["results"] + rest["results"]
    assert {row["reason"] for row in told} == {"R0", "R1", "R2"}
    assert (told[0]["kind"], told[0]["warning"], told[0]["source"]) == ("Pod", False, "kubelet")
