"""Pages of quota requests: who sees what, what the forms refuse at which field, and what each page costs."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from gpu.models import Node
from portal.core.models import User
from quotarequests.models import ApprovalRule, QuotaRequest
from tenants.ledger import Bounds
from tenants.models import Tenant
from tenants.quotaservices import cohort_create, cohort_of_tenant_set, quota_set
from tests.app.quotarequests.conftest import in_days
from tests.quota import limits_of
from workloads.models import Attempt, Workload

pytestmark = pytest.mark.django_db
AskFor = Callable[..., QuotaRequest]
ClientOf = Callable[[User], Client]
LIST = "/tenants/vision/quota/requests/"


def text_of(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status
    return answer.content.decode()


@pytest.mark.parametrize(
    ("who", "see", "ask_page", "decide", "inbox"),
    [
        ("viewer", 200, 403, 403, 403),
        ("colleague", 200, 200, 403, 403),
        ("auditor", 200, 403, 403, 200),
        ("platform_admin", 200, 200, 400, 200),
        ("outsider", 404, 404, 404, 403),
    ],
)
def test_who_may_see_ask_and_decide(
    request: pytest.FixtureRequest,
    client_of: ClientOf,
    ask: AskFor,
    who: str,
    see: int,
    ask_page: int,
    decide: int,
    inbox: int,
) -> None:
    client, one = client_of(request.getfixturevalue(who)), f"{LIST}{ask().pk}/"
    assert [client.get(path).status_code for path in (LIST, one)] == [see, see]
    assert client.get(f"{LIST}new/").status_code == ask_page
    assert [client.post(f"{one}{act}/").status_code for act in ("approve", "deny", "ask-back")] == [decide] * 3
    assert [client.get(path).status_code for path in ("/quota-requests/", "/quota-requests/rules/")] == [inbox] * 2


def test_a_request_is_made_shown_and_approved_in_part(
    client_of: ClientOf, owner: User, admin: Client, tenant: Tenant
) -> None:
    form = {"gpus": "8", "pods": "50", "justification": "A deadline.", "until": in_days(30).isoformat()}
    made = client_of(owner).post(f"{LIST}new/", form)
    request = QuotaRequest.objects.get()
    assert (made.status_code, made["Location"]) == (302, f"{LIST}{request.pk}/")
    assert request.wanted == {"gpus": 8}
    assert f"{LIST}{request.pk}/" in text_of(admin, "/quota-requests/")
    page = text_of(admin, f"{LIST}{request.pk}/")
    assert "A deadline." in page
    assert "What it would do now" in page
    assert "What it would do now" not in text_of(client_of(owner), f"{LIST}{request.pk}/")
    decided = admin.post(f"{LIST}{request.pk}/approve/", {"gpus": "6", "until": in_days(7).isoformat(), "reason": ""})
    assert decided.status_code == 302
    assert limits_of(tenant)["gpus"] == 6
    assert f"{LIST}{request.pk}/" not in text_of(admin, "/quota-requests/")
    assert f"{LIST}{request.pk}/" in text_of(admin, "/quota-requests/?show=decided")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"gpus": "-1"}, "gpus"),
        ({"gpus": "1.5"}, "gpus"),
        ({"gpus": "9" * 30}, "gpus"),
        ({"gpus": "3"}, "gpus"),
        ({"memory_mib": "a lot"}, "memory_mib"),
        ({"justification": ""}, "justification"),
        ({"until": "2020-01-01"}, "until"),
        ({"until": "soon"}, "until"),
    ],
)
def test_bad_input_gets_a_message_at_its_field_and_makes_no_request(
    client_of: ClientOf, owner: User, changes: dict[str, str], field: str
) -> None:
    form = {"gpus": "8", "justification": "A deadline.", **changes}
    answer = client_of(owner).post(f"{LIST}new/", form)
    assert answer.status_code == 400
    assert f'id="id_{field}_error"' in answer.content.decode()
    assert not QuotaRequest.objects.exists()


def test_a_form_that_asks_for_nothing_says_so(client_of: ClientOf, owner: User) -> None:
    answer = client_of(owner).post(f"{LIST}new/", {"gpus": "4", "justification": "A deadline."})
    assert answer.status_code == 400
    assert "Ask for more of at least one resource." in answer.content.decode()


@pytest.mark.parametrize(
    ("act", "form", "field"),
    [
        ("approve", {"gpus": "9"}, "gpus"),
        ("approve", {"gpus": "3"}, "gpus"),
        ("approve", {"gpus": ""}, "gpus"),
        ("approve", {"gpus": "8", "until": "2020-01-01"}, "until"),
        ("deny", {"deny-reason": " "}, "deny-reason"),
        ("ask-back", {"ask-text": ""}, "ask-text"),
    ],
)
def test_a_bad_decision_gets_a_message_at_its_field_and_decides_nothing(
    ask: AskFor, admin: Client, tenant: Tenant, act: str, form: dict[str, str], field: str
) -> None:
    request = ask()
    answer = admin.post(f"{LIST}{request.pk}/{act}/", form)
    assert answer.status_code == 400
    assert f'id="id_{field}_error"' in answer.content.decode()
    request.refresh_from_db()
    assert (request.state, limits_of(tenant)["gpus"]) == ("open", 4)


def test_a_request_that_was_withdrawn_meanwhile_is_not_approved_and_the_page_says_why(
    ask: AskFor, admin: Client, client_of: ClientOf, owner: User, tenant: Tenant
) -> None:
    request = ask()
    client_of(owner).post(f"{LIST}{request.pk}/withdraw/")
    answer = admin.post(f"{LIST}{request.pk}/approve/", {"gpus": "8"}, follow=True)
    assert "This request was withdrawn." in answer.content.decode()
    assert limits_of(tenant)["gpus"] == 4


def test_a_question_and_its_answer_are_seen_by_both_sides(
    ask: AskFor, admin: Client, client_of: ClientOf, owner: User
) -> None:
    one = f"{LIST}{ask().pk}/"
    admin.post(f"{one}ask-back/", {"ask-text": "Which model?"})
    asker = client_of(owner)
    assert "Which model?" in text_of(asker, one)
    assert asker.post(f"{one}answer/", {"answer-text": "A small one."}).status_code == 302
    assert "A small one." in text_of(admin, one)


def test_a_workload_that_waits_for_quota_leads_to_a_form_with_what_it_lacks(
    client_of: ClientOf, owner: User, viewer: User, tenant: Tenant, make_workload: Callable[..., Workload]
) -> None:
    params = {"resource": "gpus", "asked": 3, "held": 4, "limit": 4}
    waiting = make_workload(tenant, owner, reason_code="over_quota", reason_params=params)
    address = f"{LIST}new/?workload={waiting.pk}"
    assert address in text_of(client_of(owner), f"/workloads/{waiting.pk}/")
    assert address not in text_of(client_of(viewer), f"/workloads/{waiting.pk}/")
    page = text_of(client_of(owner), address)
    assert '<input type="number" name="gpus" value="7"' in page
    client_of(owner).post(address, {"gpus": "7", "justification": "It waits."})
    assert QuotaRequest.objects.get().workload == waiting


@pytest.mark.parametrize("text", ["nonsense", "00000000-0000-4000-8000-000000000000"])
def test_a_workload_that_is_none_fills_in_nothing(client_of: ClientOf, owner: User, text: str) -> None:
    assert 'name="gpus" value="4"' in text_of(client_of(owner), f"{LIST}new/?workload={text}")


def test_the_quota_page_leads_to_the_requests(client_of: ClientOf, owner: User, viewer: User) -> None:
    assert f'href="{LIST}new/"' in text_of(client_of(owner), "/tenants/vision/quota/")
    page = text_of(client_of(viewer), "/tenants/vision/quota/")
    assert f'href="{LIST}"' in page
    assert f'href="{LIST}new/"' not in page


def test_other_amounts_are_tried_before_deciding(ask: AskFor, admin: Client) -> None:
    one = f"{LIST}{ask().pk}/"
    assert "4 → 8" in text_of(admin, one)
    tried = text_of(admin, f"{one}?try=1&gpus=6")
    assert "4 → 6" in tried
    assert 'name="gpus" value="6"' in tried
    assert text_of(admin, f"{one}?try=1&gpus=nonsense")


def test_the_effect_tells_of_the_others_in_the_cohort_and_of_who_would_start(
    ask: AskFor,
    admin: Client,
    platform_admin: User,
    tenant: Tenant,
    other_tenant: Tenant,
    owner: User,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
) -> None:
    Node.objects.create(name="n", uid="n", ready=True, cpu_millicores=64_000, memory_mib=65_536, pods=110, gpus=8)
    cohort = cohort_create(actor=platform_admin, name="research")
    for member in (tenant, other_tenant):
        cohort_of_tenant_set(actor=platform_admin, tenant=member, cohort=cohort)
    quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=2, borrow_limit=3)})
    quota_set(actor=platform_admin, tenant=other_tenant, bounds={"gpus": Bounds(nominal=4, lend_limit=3)})
    admit(make_workload(tenant, owner, gpus=5))
    make_workload(tenant, owner, name="waits-for-it", gpus=1)
    page = text_of(admin, f"{LIST}{ask({'gpus': 8}).pk}/")
    assert "1 waiting workload of the tenant would start:" in page
    assert "waits-for-it" in page
    assert "speech could start 4 instead of 1: GPUs" in page
    assert "more is promised than the cluster has" in page


def test_rules_are_set_shown_and_removed(admin: Client, tenant: Tenant) -> None:
    form = {"type": "memory_mib", "tenant": "vision", "most_added": "2 GiB", "most_days": "7", "min_days_between": "0"}
    assert admin.post("/quota-requests/rules/set/", form).status_code == 302
    rule = ApprovalRule.objects.get()
    assert (rule.most_added, rule.tenant, rule.most_days) == (2_048, tenant, 7)
    assert "2 GiB" in text_of(admin, "/quota-requests/rules/")
    assert admin.post(f"/quota-requests/rules/{rule.pk}/delete/").status_code == 302
    assert not ApprovalRule.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"type": "warp_cores"}, "type"),
        ({"tenant": "nobodys"}, "tenant"),
        ({"most_added": "a lot"}, "most_added"),
        ({"most_added": "0"}, "most_added"),
        ({"most_days": "0"}, "most_days"),
        ({"min_days_between": "-1"}, "min_days_between"),
    ],
)
def test_a_bad_rule_gets_a_message_at_its_field(admin: Client, changes: dict[str, str], field: str) -> None:
    form = {"type": "gpus", "tenant": "", "most_added": "2", "most_days": "7", "min_days_between": "0", **changes}
    answer = admin.post("/quota-requests/rules/set/", form)
    assert answer.status_code == 400
    assert f'id="id_{field}_error"' in answer.content.decode()


@pytest.mark.parametrize("who", ["owner", "tenant_admin", "platform_admin", "auditor"])
def test_lists_cost_six_statements_and_a_request_eight_however_much_there_is(
    request: pytest.FixtureRequest,
    client_of: ClientOf,
    ask: AskFor,
    who: str,
    platform_admin: User,
    tenant: Tenant,
    owner: User,
    make_tenant: Callable[..., Tenant],
    make_workload: Callable[..., Workload],
) -> None:
    client, one = client_of(request.getfixturevalue(who)), f"{LIST}{ask().pk}/"
    paths = [LIST, one]
    if who in {"platform_admin", "auditor"}:
        paths += ["/quota-requests/", "/quota-requests/?show=decided", "/quota-requests/rules/"]

    def statements(path: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(path).status_code == 200
        return len(seen)

    few = [statements(path) for path in paths]
    cohort = cohort_create(actor=platform_admin, name="research")
    for number in range(10):
        cohort_of_tenant_set(actor=platform_admin, tenant=make_tenant(f"t{number}"), cohort=cohort)
        make_workload(tenant, owner)
        ask()
    cohort_of_tenant_set(actor=platform_admin, tenant=tenant, cohort=cohort)
    many = [statements(path) for path in paths]
    assert many == few
    assert few[1] <= 8
    assert max(few[:1] + few[2:]) <= 6
