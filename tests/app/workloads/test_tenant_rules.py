"""A tenant's rules at work: what a submission may ask for, how many wait, how many run."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client

from portal.core.errors import Conflict, Rejected
from portal.core.leases import Held
from portal.core.models import User
from tenants.models import Tenant
from tests.app.workloads.test_admission import between_plan_and_write, reason_of, statements
from tests.app.workloads.test_priorities import held as held
from tests.app.workloads.test_views_submit import GOOD
from workloads.admission import tick
from workloads.models import Attempt, Workload
from workloads.services import submission_problems, workload_clone, workload_submit
from workloads.specs import JobSpec, Reason, Resources, State

pytestmark = pytest.mark.django_db
Make = Callable[..., Workload]
ClientOf = Callable[[User], Client]


def spec(**changes: Any) -> JobSpec:
    sizes = Resources(cpu_millicores=100, memory_mib=64)
    return JobSpec(**{"name": "train", "image": "img:1", "resources": sizes, **changes})


def set_rules(tenant: Tenant, **rules: Any) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(**rules)
    tenant.refresh_from_db()


@pytest.mark.parametrize(
    ("rules", "asked", "field", "says"),
    [
        ({"priorities": ["low"]}, {}, "priority", "The tenant does not allow this priority, but: low."),
        ({}, {"priority": "high"}, "priority", "The tenant does not allow this priority, but: normal, low."),
        ({"max_runtime_s": 5400}, {"max_runtime_s": 5401}, "max_runtime_s", "The tenant allows at most 1 h 30 min."),
    ],
)
def test_what_the_tenant_does_not_allow_is_refused_at_its_field(
    tenant: Tenant, owner: User, rules: dict[str, Any], asked: dict[str, Any], field: str, says: str
) -> None:
    set_rules(tenant, **rules)
    with pytest.raises(Rejected) as refused:
        workload_submit(actor=owner, tenant=tenant, spec=spec(**asked))
    assert {name: [str(text) for text in texts] for name, texts in refused.value.fields.items()} == {field: [says]}
    assert [each.field for each in submission_problems(actor=owner, tenant=tenant, spec=spec(**asked))] == [field]


def test_work_that_names_no_time_limit_gets_the_tenant_s(tenant: Tenant, owner: User) -> None:
    set_rules(tenant, max_runtime_s=3600)
    unlimited, _ = workload_submit(actor=owner, tenant=tenant, spec=spec())
    shorter, _ = workload_submit(actor=owner, tenant=tenant, spec=spec(max_runtime_s=60))
    assert (unlimited.spec["max_runtime_s"], shorter.spec["max_runtime_s"]) == (3600, 60)


def test_the_form_says_the_longest_time_limit_and_begins_within_it(
    tenant: Tenant, owner: User, client_of: ClientOf
) -> None:
    set_rules(tenant, max_runtime_s=1800)
    page = client_of(owner).get("/workloads/new/?tenant=vision").content.decode()
    assert "At most 30 min here; empty: this limit" in page
    assert 'value="30 min"' in page


def test_a_clone_of_what_was_allowed_once_is_refused_at_its_field(
    tenant: Tenant, owner: User, make_workload: Make
) -> None:
    source = make_workload(tenant, owner, spec={"priority": "low", "max_runtime_s": 7200})
    set_rules(tenant, priorities=["normal"], max_runtime_s=3600)
    with pytest.raises(Rejected) as refused:
        workload_clone(actor=owner, source=source)
    assert set(refused.value.fields) == {"priority", "max_runtime_s"}
    workload_clone(actor=owner, source=source, overrides={"priority": "normal", "max_runtime_s": 3600})


def test_one_more_than_may_wait_is_refused_with_the_numbers_on_the_page_and_by_rest(
    tenant: Tenant, owner: User, client_of: ClientOf, make_workload: Make
) -> None:
    set_rules(tenant, max_waiting=2)
    for _ in range(2):
        make_workload(tenant, owner)
    client, says = client_of(owner), "2 workloads of the tenant wait; it lets 2 wait."
    answer = client.post("/workloads/new/?tenant=vision", GOOD)
    assert (answer.status_code, says in answer.content.decode()) == (409, True)
    page = client.get("/workloads/new/?tenant=vision").content.decode()
    assert "Cannot be submitted now" in page
    sizes = {"cpu_millicores": 100, "memory_mib": 64}
    body = json.dumps({"name": "a", "image": "img:1", "resources": sizes})
    refused = client.post("/api/v1/tenants/vision/workloads/", body, content_type="application/json")
    assert (refused.status_code, says in refused.content.decode()) == (409, True)
    told = client.post("/api/v1/tenants/vision/workloads/verdict/", body, content_type="application/json").json()
    assert (told["verdict"], [each["code"] for each in told["violations"]]) == ("never", ["queue_full"])
    Workload.objects.update(state=State.CANCELLED, ended_at=Now())
    assert client.post("/workloads/new/?tenant=vision", GOOD).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_of_submissions_at_once_no_more_wait_than_may(tenant: Tenant, owner: User) -> None:
    set_rules(tenant, max_waiting=3)
    go = threading.Barrier(8)

    def submit(_number: int) -> bool:
        try:
            go.wait(30)
            workload_submit(actor=owner, tenant=tenant, spec=spec())
        except Conflict:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(submit, range(8))) == Workload.objects.count() == 3


def test_no_more_run_at_once_than_the_tenant_may_and_the_others_say_the_numbers(
    held: Held, tenant: Tenant, other_tenant: Tenant, owner: User, outsider: User, make_workload: Make
) -> None:
    set_rules(tenant, max_running=2)
    mine = [make_workload(tenant, owner) for _ in range(4)]
    theirs = make_workload(other_tenant, outsider)
    assert tick(held) == 3
    assert [reason_of(each)[1] for each in mine[2:]] == [Reason.MAX_RUNNING, Reason.MAX_RUNNING]
    mine[3].refresh_from_db()
    assert mine[3].reason_params == {"running": 2, "limit": 2}
    assert reason_of(theirs)[0] == State.STARTING
    Attempt.objects.filter(workload=mine[0]).update(ended_at=Now(), released_at=Now())
    assert tick(held) == 1
    assert reason_of(mine[2])[0] == State.STARTING


def test_a_rule_lowered_between_plan_and_write_is_kept(
    held: Held, tenant: Tenant, owner: User, make_workload: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        make_workload(tenant, owner)
    between_plan_and_write(monkeypatch, lambda: set_rules(tenant, max_running=1))
    assert tick(held) == 1


def test_a_tick_costs_one_statement_more_before_the_locks_and_one_under_them_only_where_something_is_bounded(
    held: Held, tenant: Tenant, owner: User, make_workload: Make
) -> None:
    make_workload(tenant, owner)
    plain = statements(held)
    set_rules(tenant, max_running=50)
    make_workload(tenant, owner)
    assert statements(held) == plain + 2
