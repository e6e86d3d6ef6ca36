"""A limit lowered below use with the choice to drain: what is stopped, what is held meanwhile, how it goes on."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from portal.core.errors import Rejected
from portal.core.leases import Held
from portal.core.models import AuditEntry, User
from portal.kube.fake import FakeKube
from portal.kube.types import JOBS, Job
from tenants.history import sentence
from tenants.ledger import Bounds
from tenants.models import QuotaLine, Tenant
from tenants.quotaservices import quota_set
from tenants.specs import Excess
from tests.app.workloads.test_priorities import held as held
from tests.app.workloads.watched import RUNNING, Watched, ended, released, states
from tests.quota import set_limits, used_by
from workloads import sweeps
from workloads.admission import tick
from workloads.models import Attempt, Workload
from workloads.reconcile import reconcile
from workloads.services import workload_cancel
from workloads.specs import Reason, State
from workloads.transitions import Change, apply_changes

pytestmark = pytest.mark.django_db
Make = Callable[..., Workload]
Admit = Callable[..., Attempt]


@pytest.fixture
def lower(tenant: Tenant, platform_admin: User) -> Callable[..., None]:
    """Set the tenant's GPUs; what is held beyond is drained unless told otherwise."""

    def quota(gpus: int, excess: Excess = Excess.DRAIN) -> None:
        quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=gpus)}, excess=excess)

    return quota


@pytest.fixture
def three(make_workload: Make, admit: Admit, tenant: Tenant, owner: User) -> list[Attempt]:
    """Work of one GPU each: a low one, a normal one, and a normal one that began last."""
    return [
        admit(make_workload(tenant, owner, name=f"w{n}", gpus=1, spec={"priority": priority}))
        for n, priority in enumerate(("low", "normal", "normal"))
    ]


def overhang(tenant: Tenant) -> int:
    return QuotaLine.objects.get(tenant=tenant, type__key="gpus").overhang


def test_what_is_beyond_goes_back_to_the_queue_and_counts_until_its_pods_are_gone(
    tenant: Tenant, three: list[Attempt], lower: Callable[..., None]
) -> None:
    lower(1)
    assert [states(each) for each in three] == [
        ("queued", Reason.DRAINED),
        ("starting", Reason.CREATING),
        ("queued", Reason.DRAINED),
    ]
    assert [(each.end_state, each.reason_code) for each in three] == [
        ("cancelled", "drained"),
        ("", ""),
        ("cancelled", "drained"),
    ]
    assert (used_by(tenant)["gpus"], overhang(tenant)) == (3, 2)


def test_the_choice_is_asked_for_with_how_many_would_be_stopped_and_which(
    three: list[Attempt], lower: Callable[..., None]
) -> None:
    with pytest.raises(Rejected) as refused:
        lower(2, Excess.REFUSE)
    assert [str(text) for text in refused.value.fields["gpus"]] == [
        "1 more than this is held now. Choose to keep it until its work ends, or to stop it."
    ]
    assert [str(text) for text in refused.value.fields["excess"]] == [
        "To stop what is beyond means to stop 1 workload, which then waits again: w0 (owner)"
    ]
    assert [states(each)[0] for each in three] == ["starting"] * 3
    lower(2, Excess.KEEP)
    assert [states(each)[0] for each in three] == ["starting"] * 3
    lower(2, Excess.DRAIN)  # what was kept may be drained later
    assert [states(each)[0] for each in three] == ["queued", "starting", "starting"]


def test_what_is_ending_anyway_counts_as_gone(
    tenant: Tenant, three: list[Attempt], lower: Callable[..., None], owner: User
) -> None:
    workload_cancel(actor=owner, workload=three[1].workload)
    lower(2)
    assert [states(each)[0] for each in three] == ["starting", "stopping", "starting"]
    lower(1)
    lower(1)
    assert [states(each)[0] for each in three] == ["queued", "stopping", "starting"]


def test_it_is_told_in_the_trail_of_the_tenant_and_of_the_work(
    three: list[Attempt], lower: Callable[..., None], tenant: Tenant
) -> None:
    lower(2)
    [changed] = AuditEntry.objects.filter(action="tenant.quota")
    assert (changed.after or {})["stopped"] == [str(three[0].workload_id)]
    [stopped] = AuditEntry.objects.filter(action="workload.drain")
    assert sentence(stopped) == "root-admin stopped w0 by lowering a limit"
    event = three[0].workload.events.order_by("-id")[0]
    assert (event.reason_code, event.reason_params, event.actor) == ("drained", {"user": "root-admin"}, changed.actor)


def test_once_its_pods_are_gone_it_is_released_and_starts_anew_when_there_is_room(
    held: Held,
    tenant: Tenant,
    made: Attempt,
    cluster: FakeKube,
    watched: Watched,
    owner: User,
    platform_admin: User,
) -> None:
    watched.job(made)
    watched.pod(made, phase="Running", state=RUNNING)
    watched.turn()
    bounds = {"pods": Bounds(nominal=0)}
    quota_set(actor=platform_admin, tenant=tenant, bounds=bounds, excess=Excess.DRAIN)
    watched.pod(made, phase="Running", state=RUNNING, version="2")
    watched.turn()
    assert (states(made), released(made)) == (("queued", Reason.DRAINED), False)
    reconcile(made.workload_id, cluster)
    assert not list(cluster.list(JOBS, namespace=tenant.namespace, as_type=Job).items)
    assert released(made)
    tick(held)
    assert used_by(tenant) == {}
    assert states(made) == ("queued", Reason.OVER_QUOTA)
    set_limits(tenant, pods=5)
    assert tick(held) == 1
    assert Workload.objects.get().attempts_made == 2


def test_being_drained_uses_up_no_retry(
    made: Attempt, cluster: FakeKube, watched: Watched, admit: Admit, tenant: Tenant, platform_admin: User
) -> None:
    Workload.objects.update(spec=made.workload.spec | {"retries": 1})
    bounds = {"pods": Bounds(nominal=0)}
    quota_set(actor=platform_admin, tenant=tenant, bounds=bounds, excess=Excess.DRAIN)
    reconcile(made.workload_id, cluster)
    set_limits(tenant, pods=50)
    for n, expected in ((2, "queued"), (3, "failed")):
        attempt = admit(Workload.objects.get())
        assert attempt.n == n
        reconcile(attempt.workload_id, cluster)
        watched.pod(attempt, phase="Failed", state=ended(3))
        watched.ended_job(attempt, "Failed")
        watched.turn()
        assert states(attempt)[0] == expected
        watched.turn()


def test_a_late_word_of_the_cluster_does_not_bring_a_drained_attempt_back(
    made: Attempt, tenant: Tenant, platform_admin: User
) -> None:
    bounds = {"pods": Bounds(nominal=0)}
    quota_set(actor=platform_admin, tenant=tenant, bounds=bounds, excess=Excess.DRAIN)
    with transaction.atomic():
        assert apply_changes([Change(workload_id=made.workload_id, state=State.RUNNING, attempt_n=1)]) == set()
    assert states(made) == ("queued", Reason.DRAINED)


def test_a_lost_hint_is_repeated_until_a_drained_attempt_is_released(
    made: Attempt, watched: Watched, hints: list[str], tenant: Tenant, platform_admin: User
) -> None:
    bounds = {"pods": Bounds(nominal=0)}
    quota_set(actor=platform_admin, tenant=tenant, bounds=bounds, excess=Excess.DRAIN)
    sweeps.Sweeper(watched.held, every_s=0).sweep()
    assert str(made.workload_id) in hints


def test_cancelling_what_was_drained_ends_it(
    made: Attempt, cluster: FakeKube, owner: User, tenant: Tenant, platform_admin: User
) -> None:
    bounds = {"pods": Bounds(nominal=0)}
    quota_set(actor=platform_admin, tenant=tenant, bounds=bounds, excess=Excess.DRAIN)
    workload_cancel(actor=owner, workload=Workload.objects.get())
    reconcile(made.workload_id, cluster)
    assert (states(made)[0], released(made)) == ("cancelled", True)


def test_the_form_and_rest_drain(
    three: list[Attempt], tenant: Tenant, platform_admin: User, client_of: Callable[[User], Client]
) -> None:
    client = client_of(platform_admin)

    def put(**body: Any) -> Any:
        sent = json.dumps({"lines": [{"type": "gpus", "nominal": 2}], **body})
        return client.put("/api/v1/tenants/vision/quota/", sent, content_type="application/json")

    refused = put()
    assert (refused.status_code, "stop 1 workload" in refused.content.decode()) == (400, True)
    assert put(excess="nonsense").status_code == 400
    assert put(excess="drain").status_code == 200
    page = client.get("/tenants/vision/edit/").content.decode()
    assert 'name="excess" value="drain"' in page
