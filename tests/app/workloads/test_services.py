"""Submitting and cancelling: who may, what is written, what a repetition gets."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gpu.models import Node
from portal.core.errors import Conflict, Denied, IdempotencyReplay, NotVisible, Rejected
from portal.core.models import AuditEntry, IdempotencyKey, User
from tenants.models import Membership, Tenant
from tests.quota import set_limits
from workloads.models import Template, Workload, WorkloadEvent
from workloads.services import workload_cancel, workload_submit
from workloads.specs import JobSpec, Reason, Resources, State, digest_of, spec_of

pytestmark = pytest.mark.django_db

SPEC = JobSpec(
    name="hello",
    image="registry.example/team/train:1",
    resources=Resources(cpu_millicores=100, memory_mib=64),
    command=("sh", "-c", "echo $HOME"),
    env={"LR": "0.1"},
)


def spec_with(**changes: object) -> JobSpec:
    return msgspec.structs.replace(SPEC, **changes)


def asks(**amounts: int) -> JobSpec:
    return spec_with(resources=msgspec.structs.replace(SPEC.resources, **amounts))


def node(**offers: int) -> Node:
    return Node.objects.create(name=f"n{Node.objects.count()}", uid="u", ready=True, **offers)


def test_a_submission_is_queued_with_its_spec_an_event_and_an_audit_row(owner: User, tenant: Tenant) -> None:
    workload, replayed = workload_submit(actor=owner, tenant=tenant, spec=SPEC)
    stored = Workload.objects.get(pk=workload.pk)
    assert not replayed
    assert (stored.state, stored.owner, stored.tenant, stored.generation) == (State.QUEUED, owner, tenant, 1)
    assert spec_of(stored.spec) == SPEC
    assert stored.spec_digest == digest_of(SPEC)
    assert (stored.cpu_millicores, stored.memory_mib, stored.gpus) == (100, 64, 0)
    assert stored.kube_name.startswith("w-")
    assert len(stored.kube_name) == 12
    assert [event.state for event in stored.events.all()] == [State.QUEUED]
    assert AuditEntry.objects.get(action="workload.submit").target_id == str(workload.pk)


def test_a_submission_needs_at_most_twelve_statements(
    owner: User,
    tenant: Tenant,
    make_template: Callable[..., Template],
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[object]],
) -> None:
    make_template("python")
    node(cpu_millicores=4000, memory_mib=8192)
    actor = User.objects.get(pk=owner.pk)
    with (
        CaptureQueriesContext(
            connection,
        ) as queries,
        django_capture_on_commit_callbacks(execute=True),
    ):
        workload_submit(actor=actor, tenant=tenant, spec=spec_with(template="python"), idempotency_key="k")
    assert len(queries) <= 12


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (spec_with(name="Not A Name"), "name"),
        (spec_with(image="Team/Train"), "image"),
        (spec_with(env={"LD_PRELOAD": "/x.so"}), "env"),
        (spec_with(script="x" * 262_145), "script"),
        (spec_with(command=("a\0b",)), "command"),
        (spec_with(template="no-such-template"), "template"),
        (spec_with(template="\0"), "template"),
        (spec_with(retries=11), "retries"),
        (spec_with(max_runtime_s=0), "max_runtime_s"),
        (asks(memory_mib=1), "memory_mib"),
        (asks(cpu_millicores=8_001), "cpu_millicores"),
        (asks(gpus=5), "gpus"),
    ],
)
def test_bad_input_gets_a_message_at_its_field_and_stores_nothing(
    spec: JobSpec, field: str, owner: User, tenant: Tenant
) -> None:
    with pytest.raises(Rejected) as refused:
        workload_submit(actor=owner, tenant=tenant, spec=spec, idempotency_key="k")
    assert list(refused.value.fields) == [field]
    assert not Workload.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert not AuditEntry.objects.exists()


def test_more_than_every_known_node_has_is_refused_at_the_field(owner: User, tenant: Tenant) -> None:
    node(cpu_millicores=2000, memory_mib=1024)
    node(cpu_millicores=1000, memory_mib=4096)
    with pytest.raises(Rejected) as refused:
        workload_submit(actor=owner, tenant=tenant, spec=asks(cpu_millicores=2001, memory_mib=4096))
    assert [str(text) for text in refused.value.fields["cpu_millicores"]] == [
        "Asks 2.001 cores; the largest node has 2 cores."
    ]


def test_without_a_known_node_any_size_within_the_limit_is_taken(owner: User, tenant: Tenant) -> None:
    workload, _ = workload_submit(actor=owner, tenant=tenant, spec=asks(cpu_millicores=8_000, gpus=4))
    assert workload.state == State.QUEUED


def test_a_viewer_may_not_submit(viewer: User, tenant: Tenant) -> None:
    with pytest.raises(Denied):
        workload_submit(actor=viewer, tenant=tenant, spec=SPEC)


def test_an_outsider_does_not_even_see_the_tenant(outsider: User, tenant: Tenant) -> None:
    with pytest.raises(NotVisible):
        workload_submit(actor=outsider, tenant=tenant, spec=SPEC)


def test_a_parent_of_another_tenant_is_not_there(
    outsider: User, other_tenant: Tenant, owner: User, tenant: Tenant
) -> None:
    parent, _ = workload_submit(actor=owner, tenant=tenant, spec=SPEC)
    with pytest.raises(NotVisible):
        workload_submit(actor=outsider, tenant=other_tenant, spec=SPEC, parent=parent)


def test_a_repeated_key_gets_the_first_workload(owner: User, tenant: Tenant) -> None:
    first, _ = workload_submit(actor=owner, tenant=tenant, spec=SPEC, idempotency_key="k")
    again, replayed = workload_submit(actor=owner, tenant=tenant, spec=SPEC, idempotency_key="k")
    assert (again.pk, replayed) == (first.pk, True)
    assert Workload.objects.count() == 1
    assert WorkloadEvent.objects.count() == 1


def test_a_repeated_key_gets_the_first_answer_even_if_the_limits_changed(owner: User, tenant: Tenant) -> None:
    first, _ = workload_submit(actor=owner, tenant=tenant, spec=SPEC, idempotency_key="k")
    set_limits(tenant, cpu_millicores=10)
    again, replayed = workload_submit(actor=owner, tenant=tenant, spec=SPEC, idempotency_key="k")
    assert (again.pk, replayed) == (first.pk, True)


def test_a_key_with_other_values_is_a_conflict_that_names_the_first(owner: User, tenant: Tenant) -> None:
    first, _ = workload_submit(actor=owner, tenant=tenant, spec=SPEC, idempotency_key="k")
    with pytest.raises(IdempotencyReplay) as conflict:
        workload_submit(actor=owner, tenant=tenant, spec=spec_with(name="other"), idempotency_key="k")
    assert conflict.value.object_id == str(first.pk)
    assert Workload.objects.count() == 1


def test_keys_of_two_people_are_strangers(owner: User, colleague: User, tenant: Tenant) -> None:
    workload_submit(actor=owner, tenant=tenant, spec=SPEC, idempotency_key="k")
    _, replayed = workload_submit(actor=colleague, tenant=tenant, spec=SPEC, idempotency_key="k")
    assert not replayed
    assert Workload.objects.count() == 2


def test_a_key_older_than_a_day_counts_as_new(owner: User, tenant: Tenant) -> None:
    workload_submit(actor=owner, tenant=tenant, spec=SPEC, idempotency_key="k")
    IdempotencyKey.objects.update(expires_at="2026-01-01T00:00:00Z")
    _, replayed = workload_submit(actor=owner, tenant=tenant, spec=spec_with(name="other"), idempotency_key="k")
    assert not replayed
    assert Workload.objects.count() == 2


@pytest.mark.parametrize("key", ["", "k" * 201, "a\0b"])
def test_a_key_that_cannot_be_stored_is_refused(key: str, owner: User, tenant: Tenant) -> None:
    with pytest.raises(Rejected):
        workload_submit(actor=owner, tenant=tenant, spec=SPEC, idempotency_key=key)


@pytest.mark.django_db(transaction=True)
def test_the_same_key_sent_ten_times_at_once_makes_one_workload(owner: User, tenant: Tenant) -> None:
    barrier = threading.Barrier(10)

    def submit(_: int) -> tuple[object, bool]:
        try:
            barrier.wait(30)
            workload, replayed = workload_submit(
                actor=User.objects.get(pk=owner.pk), tenant=tenant, spec=SPEC, idempotency_key="k"
            )
        finally:
            connection.close()
        return workload.pk, replayed

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(submit, range(10)))
    assert Workload.objects.count() == 1
    assert len({pk for pk, _ in answers}) == 1
    assert [replayed for _, replayed in answers].count(False) == 1


def test_a_queued_workload_is_cancelled_at_once(owner: User, tenant: Tenant) -> None:
    workload, _ = workload_submit(actor=owner, tenant=tenant, spec=SPEC)
    cancelled = workload_cancel(actor=owner, workload=workload)
    assert (cancelled.state, cancelled.desired, cancelled.generation) == (State.CANCELLED, "stop", 2)
    assert cancelled.ended_at is not None
    assert (cancelled.reason_code, cancelled.reason_params) == (Reason.CANCELLED_BY, {"user": "owner"})
    assert AuditEntry.objects.get(action="workload.cancel").after == {"state": "cancelled"}
    assert cancelled.events.order_by("-id")[0].actor == owner


def test_a_running_workload_is_stopped_first_and_twice_is_the_same_as_once(
    owner: User, tenant: Tenant, make_workload: Callable[..., Workload]
) -> None:
    workload = make_workload(tenant, owner, state=State.RUNNING, attempts_made=1)
    workload_cancel(actor=owner, workload=workload)
    stopped = workload_cancel(actor=owner, workload=workload)
    assert (stopped.state, stopped.desired, stopped.generation) == (State.STOPPING, "stop", 2)
    assert stopped.ended_at is None
    assert AuditEntry.objects.filter(action="workload.cancel").count() == 1


def test_what_has_ended_cannot_be_cancelled(
    owner: User, tenant: Tenant, make_workload: Callable[..., Workload]
) -> None:
    workload = make_workload(tenant, owner, state=State.SUCCEEDED, ended_at="2026-11-24T10:00:00Z")
    with pytest.raises(Conflict):
        workload_cancel(actor=owner, workload=workload)
    assert Workload.objects.get(pk=workload.pk).state == State.SUCCEEDED


@dataclass(frozen=True)
class Case:
    who: str
    outcome: type[Exception] | None


@pytest.mark.parametrize(
    "case",
    [
        Case("colleague", Denied),
        Case("viewer", Denied),
        Case("auditor", Denied),
        Case("outsider", NotVisible),
        Case("tenant_admin", None),
        Case("platform_admin", None),
    ],
    ids=lambda case: case.who,
)
def test_others_work_is_cancelled_only_by_admins(
    case: Case, owner: User, tenant: Tenant, make_workload: Callable[..., Workload], request: pytest.FixtureRequest
) -> None:
    workload = make_workload(tenant, owner)
    actor = request.getfixturevalue(case.who)
    if case.outcome is None:
        assert workload_cancel(actor=actor, workload=workload).state == State.CANCELLED
        return
    with pytest.raises(case.outcome):
        workload_cancel(actor=actor, workload=workload)
    assert Workload.objects.get(pk=workload.pk).state == State.QUEUED


def test_a_former_developer_cannot_cancel_their_own(
    owner: User, tenant: Tenant, make_workload: Callable[..., Workload]
) -> None:
    workload = make_workload(tenant, owner)
    Membership.objects.filter(user=owner).delete()
    with pytest.raises(NotVisible):
        workload_cancel(actor=User.objects.get(pk=owner.pk), workload=workload)
