"""Shares of a tenant's quota: who sets them, what the queue makes of them, what the page and REST show."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.core.errors import Denied, NotVisible, Rejected
from portal.core.leases import Held
from portal.core.models import AuditEntry, User
from tenants.history import sentence
from tenants.models import QuotaShare, ResourceType, Tenant
from tenants.shareservices import Whose, share_set
from tests.app.workloads.test_admission import between_plan_and_write, reason_of, statements
from tests.app.workloads.test_priorities import held as held
from workloads.admission import preview, tick
from workloads.models import Attempt, Workload
from workloads.specs import Reason, Resources, State
from workloads.verdict import asking, forecast_of

pytestmark = pytest.mark.django_db
Make = Callable[..., Workload]
ClientOf = Callable[[User], Client]
URL = "/api/v1/tenants/vision/quota/shares/"
EACH = Whose()


@pytest.fixture
def two_each(tenant: Tenant, platform_admin: User) -> Tenant:
    """A tenant of four GPUs of which each person may hold two."""
    share_set(actor=platform_admin, tenant=tenant, whose=EACH, key="gpus", limit=2)
    return tenant


def put(client: Client, **body: Any) -> Any:
    return client.put(URL, json.dumps(body), content_type="application/json")


def test_who_is_over_their_share_waits_with_the_numbers_and_holds_up_nobody_else(
    held: Held, two_each: Tenant, owner: User, colleague: User, make_workload: Make
) -> None:
    mine = [make_workload(two_each, owner, gpus=1) for _ in range(4)]
    theirs = make_workload(two_each, colleague, gpus=2)
    assert tick(held) == 3
    assert reason_of(theirs)[0] == State.STARTING
    assert [reason_of(each)[1] for each in mine[2:]] == [Reason.OVER_SHARE, Reason.BEHIND_OTHERS]
    numbers = {"whose": "user", "resource": "gpus", "asked": 1, "held": 2, "limit": 2}
    assert (mine[2].reason_params, mine[3].reason_params) == (numbers, {"scope": "user"})
    Attempt.objects.filter(workload=mine[0]).update(ended_at=Now(), released_at=Now())
    assert tick(held) == 1
    assert reason_of(mine[2])[0] == State.STARTING


def test_a_row_of_one_person_goes_before_that_of_all(
    held: Held, two_each: Tenant, owner: User, colleague: User, platform_admin: User, make_workload: Make
) -> None:
    share_set(actor=platform_admin, tenant=two_each, whose=Whose(user=owner), key="gpus", limit=3)
    large, too_large = make_workload(two_each, owner, gpus=3), make_workload(two_each, colleague, gpus=3)
    assert tick(held) == 1
    assert (reason_of(large)[0], reason_of(too_large)) == (State.STARTING, (State.QUEUED, Reason.OVER_SHARE))


def test_a_priority_s_share_counts_all_of_its_work(
    held: Held, tenant: Tenant, owner: User, colleague: User, platform_admin: User, make_workload: Make
) -> None:
    share_set(actor=platform_admin, tenant=tenant, whose=Whose(priority="low"), key="gpus", limit=1)
    low = [make_workload(tenant, each, gpus=1, spec={"priority": "low"}) for each in (owner, colleague)]
    normal = make_workload(tenant, colleague, gpus=2)
    assert tick(held) == 2
    assert [reason_of(each)[0] for each in (normal, low[0], low[1])] == [
        State.STARTING,
        State.STARTING,
        State.QUEUED,
    ]
    assert low[1].reason_params["priority"] == "low"


def test_a_share_lowered_between_plan_and_write_is_kept(
    held: Held,
    two_each: Tenant,
    owner: User,
    platform_admin: User,
    make_workload: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(2):
        make_workload(two_each, owner, gpus=1)
    lower: dict[str, Any] = {"actor": platform_admin, "tenant": two_each, "whose": EACH, "key": "gpus", "limit": 1}
    between_plan_and_write(monkeypatch, lambda: share_set(**lower))
    assert tick(held) == 1


def test_the_first_share_of_a_tenant_between_plan_and_write_is_kept(
    held: Held, tenant: Tenant, owner: User, platform_admin: User, make_workload: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_workload(tenant, owner, gpus=1)
    first: dict[str, Any] = {"actor": platform_admin, "tenant": tenant, "whose": EACH, "key": "gpus", "limit": 0}
    between_plan_and_write(monkeypatch, lambda: share_set(**first))
    assert tick(held) == 0


def test_a_tick_costs_two_statements_more_before_the_locks_and_two_under_them_only_with_shares(
    held: Held, tenant: Tenant, owner: User, platform_admin: User, make_workload: Make
) -> None:
    make_workload(tenant, owner)
    plain = statements(held)
    share_set(actor=platform_admin, tenant=tenant, whose=EACH, key="gpus", limit=4)
    make_workload(tenant, owner)
    assert statements(held) == plain + 4


def test_the_forecast_of_a_request_knows_the_shares_of_who_asks(
    held: Held, two_each: Tenant, owner: User, colleague: User, make_workload: Make
) -> None:
    make_workload(two_each, owner, gpus=2)
    tick(held)

    def asked(user: User, gpus: int) -> Any:
        sizes = Resources(cpu_millicores=100, memory_mib=64, gpus=gpus)
        return asking(user=user, tenant=two_each, resources=sizes, priority="normal")

    assert preview(asked(colleague, 2).item) is None
    waits, never = forecast_of(asked(owner, 1)), forecast_of(asked(owner, 3))
    assert (waits.answer, waits.reason, never.answer) == ("queued", Reason.OVER_SHARE, "never")


@pytest.mark.parametrize(
    ("who", "people", "priorities"),
    [
        ("colleague", Denied, Denied),
        ("auditor", Denied, Denied),
        ("tenant_admin", None, Denied),
        ("platform_admin", None, None),
        ("outsider", NotVisible, NotVisible),
    ],
)
def test_tenant_admins_set_the_shares_of_people_and_platform_admins_all(
    request: pytest.FixtureRequest,
    tenant: Tenant,
    owner: User,
    who: str,
    people: type[Exception] | None,
    priorities: type[Exception] | None,
) -> None:
    actor = request.getfixturevalue(who)
    for whose, error in ((EACH, people), (Whose(user=owner), people), (Whose(priority="low"), priorities)):
        wanted = {"actor": actor, "tenant": tenant, "whose": whose, "key": "gpus", "limit": 1}
        if error is None:
            share_set(**wanted)
        else:
            with pytest.raises(error):
                share_set(**wanted)


@pytest.mark.parametrize(
    ("whose", "key", "limit", "field"),
    [
        (EACH, "warp_cores", 1, "type"),
        (EACH, "gpus", -1, "limit"),
        (EACH, "gpus", 10**9, "limit"),
        (Whose(priority="urgent"), "gpus", 1, "priority"),
    ],
)
def test_a_share_that_cannot_be_is_refused_at_its_field(
    tenant: Tenant, platform_admin: User, whose: Whose, key: str, limit: int, field: str
) -> None:
    with pytest.raises(Rejected) as refused:
        share_set(actor=platform_admin, tenant=tenant, whose=whose, key=key, limit=limit)
    assert set(refused.value.fields) == {field}
    assert not QuotaShare.objects.exists()


def test_a_share_is_for_members_and_goes_when_it_is_taken_away(
    two_each: Tenant, outsider: User, platform_admin: User
) -> None:
    with pytest.raises(Rejected) as refused:
        share_set(actor=platform_admin, tenant=two_each, whose=Whose(user=outsider), key="gpus", limit=1)
    assert set(refused.value.fields) == {"user"}
    two_each.refresh_from_db()
    assert two_each.has_shares
    share_set(actor=platform_admin, tenant=two_each, whose=EACH, key="gpus", limit=None)
    two_each.refresh_from_db()
    assert (two_each.has_shares, QuotaShare.objects.count()) == (False, 0)


def test_changes_are_told_in_words_and_the_same_again_is_none(
    two_each: Tenant, owner: User, platform_admin: User
) -> None:
    for limit in (2, 3, None, None):
        share_set(actor=platform_admin, tenant=two_each, whose=EACH, key="gpus", limit=limit)
    share_set(actor=platform_admin, tenant=two_each, whose=Whose(user=owner), key="gpus", limit=0)
    told = [sentence(entry) for entry in AuditEntry.objects.filter(action="tenant.share").order_by("id")]
    assert told == [
        "root-admin changed a share of the quota (each person, gpus: – → 2)",
        "root-admin changed a share of the quota (each person, gpus: 2 → 3)",
        "root-admin changed a share of the quota (each person, gpus: 3 → –)",
        "root-admin changed a share of the quota (owner, gpus: – → 0)",
    ]


@pytest.mark.parametrize("wrong", [{"whose": "each", "priority": "low"}, {"whose": "user"}, {"whose": "priority"}])
def test_the_database_itself_refuses_a_share_of_nobody_or_of_two(tenant: Tenant, wrong: dict[str, str]) -> None:
    kind = ResourceType.objects.get(key="gpus")
    with pytest.raises(IntegrityError), transaction.atomic():
        QuotaShare.objects.create(tenant=tenant, type=kind, limit=1, **wrong)


def test_a_tenant_admin_sets_a_share_on_the_page_which_shows_what_is_held(
    tenant: Tenant, tenant_admin: User, owner: User, client_of: ClientOf, make_workload: Make, admit: Callable[..., Any]
) -> None:
    admit(make_workload(tenant, owner, gpus=1, memory_mib=1024))
    client = client_of(tenant_admin)
    url = "/tenants/vision/quota/shares/"
    assert "No shares yet" in client.get(url).content.decode()
    sent = {"whose": "each", "user": "", "type": "memory_mib", "limit": "2 GiB"}
    assert client.post(f"{url}set/", sent).status_code == 302
    assert QuotaShare.objects.get().limit == 2048
    sent = {"whose": "user", "user": "OWNER", "type": "gpus", "limit": "3"}
    assert client.post(f"{url}set/", sent).status_code == 302
    page = client.get(url).content.decode()
    for text in ("2 GiB", "1 GiB", "as each person", "owner"):
        assert text in page
    assert "Priority: High" not in page
    assert client.post(f"{url}set/", {**sent, "limit": ""}).status_code == 302
    assert QuotaShare.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"limit": "many"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"type": "warp"}, "type"),
        ({"whose": "low"}, "whose"),
        ({"whose": "user", "user": "nobody"}, "user"),
        ({"whose": "user", "user": "outsider"}, "user"),
    ],
)
def test_a_bad_share_gets_a_message_at_its_field(
    tenant: Tenant, tenant_admin: User, outsider: User, client_of: ClientOf, changes: dict[str, str], field: str
) -> None:
    sent = {"whose": "each", "user": "", "type": "gpus", "limit": "1", **changes}
    answer = client_of(tenant_admin).post("/tenants/vision/quota/shares/set/", sent)
    assert answer.status_code == 400
    assert f'id="id_{field}_error"' in answer.content.decode()


def test_rest_sets_and_shows_shares(
    tenant: Tenant, tenant_admin: User, platform_admin: User, viewer: User, outsider: User, client_of: ClientOf
) -> None:
    admin, lead = client_of(platform_admin), client_of(tenant_admin)
    assert put(admin, type="gpus", priority="low", limit=1).status_code == 200
    assert put(lead, type="gpus", priority="low", limit=4).status_code == 403
    assert put(lead, type="gpus", user="viewer", limit=0).status_code == 200
    assert put(client_of(viewer), type="gpus", user="viewer", limit=4).status_code == 403
    assert put(client_of(outsider), type="gpus", limit=4).status_code == client_of(outsider).get(URL).status_code == 404
    assert put(lead, type="gpus", user="nobody", limit=0).status_code == 400
    assert client_of(viewer).get(URL).json() == {
        "shares": [
            {"type": "gpus", "whose": "priority", "user": "", "priority": "low", "limit": 1},
            {"type": "gpus", "whose": "user", "user": "viewer", "priority": "", "limit": 0},
        ],
        "uses": [
            {"type": "gpus", "user": "viewer", "priority": "", "held": 0, "limit": 0, "own": True},
            {"type": "gpus", "user": "", "priority": "low", "held": 0, "limit": 1, "own": True},
        ],
    }


def test_page_and_rest_cost_the_same_few_statements_however_many_people_there_are(
    two_each: Tenant,
    platform_admin: User,
    client_of: ClientOf,
    make_user: Callable[..., User],
    make_workload: Make,
    admit: Callable[..., Any],
) -> None:
    client = client_of(platform_admin)

    def cost(path: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(path).status_code == 200
        return len(seen)

    paths = ("/tenants/vision/quota/shares/", URL)
    few = [cost(path) for path in paths]
    for number in range(10):
        user = make_user(f"u{number}", tenant=two_each)
        admit(make_workload(two_each, user))
        share_set(actor=platform_admin, tenant=two_each, whose=Whose(user=user), key="gpus", limit=number)
    assert [cost(path) for path in paths] == few
    assert max(few) <= 6
