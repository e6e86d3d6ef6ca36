"""Quota requests by REST: asked for, shown, decided, refused; and the rules."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.core.models import User
from quotarequests.models import QuotaRequest
from tenants.models import Tenant
from tests.app.api.test_people import send
from tests.app.quotarequests.conftest import in_days
from tests.quota import limits_of
from workloads.models import Workload

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
LIST = "tenants/vision/quota-requests/"
ASK = {"items": {"gpus": 8}, "justification": "A deadline."}


@pytest.fixture
def asker(client_of: ClientOf, owner: User) -> Client:
    return client_of(owner)


def test_a_request_is_made_once_for_a_key_and_shown_with_its_evidence(asker: Client, tenant: Tenant) -> None:
    first, again = (send(asker, "post", LIST, ASK, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, again["Idempotency-Replayed"]) == (201, "true")
    made = first.json()
    assert again.json()["id"] == made["id"]
    assert (made["state"], made["wanted"], made["had"], made["author"]) == ("open", {"gpus": 8}, {"gpus": 4}, "owner")
    assert [event["kind"] for event in made["events"]] == ["created"]
    assert [found["key"] for found in made["evidence"]["types"]] == ["gpus"]
    assert made["effect"] is None
    assert [row["id"] for row in asker.get(f"/api/v1/{LIST}").json()["results"]] == [made["id"]]


def test_who_decides_sees_the_effect_also_of_other_amounts(asker: Client, admin: Client, tenant: Tenant) -> None:
    made = send(asker, "post", LIST, ASK).json()
    one = f"/api/v1/{LIST}{made['id']}/"
    assert admin.get(one).json()["effect"]["types"][0]["nominal"] == {"before": 4, "after": 8}
    tried = admin.get(f"{one}?effect_of=gpus:6").json()["effect"]["types"][0]
    assert tried["nominal"] == {"before": 4, "after": 6}
    for bad in ("gpus", "gpus:-1", "gpus:99999999999", "pods:60", ":"):
        refused = admin.get(f"{one}?effect_of={bad}")
        assert (refused.status_code, refused.json()["errors"][0]["attr"]) == (400, "effect_of")


def test_a_request_is_granted_as_asked_unless_less_is_said(asker: Client, admin: Client, tenant: Tenant) -> None:
    until = in_days(9).isoformat()
    whole, part = (
        send(asker, "post", LIST, {**ASK, "items": {key: 60}, "until": until}).json() for key in ("gpus", "pods")
    )
    shown = send(admin, "post", f"{LIST}{whole['id']}/approve/").json()
    assert (shown["state"], shown["granted"], shown["granted_until"]) == ("approved", {"gpus": 56}, until)
    body = {"items": {"pods": 55}, "until": None, "reason": "Enough."}
    shown = send(admin, "post", f"{LIST}{part['id']}/approve/", body).json()
    assert (shown["granted"], shown["granted_until"], shown["decided_by"]) == ({"pods": 5}, None, "root-admin")
    assert (limits_of(tenant)["gpus"], limits_of(tenant)["pods"]) == (60, 55)


def test_a_question_an_answer_and_a_refusal(asker: Client, admin: Client) -> None:
    one = f"{LIST}{send(asker, 'post', LIST, ASK).json()['id']}/"
    assert send(admin, "post", f"{one}ask-back/", {"text": "Why?"}).json()["state"] == "asked_back"
    assert send(asker, "post", f"{one}answer/", {"text": "A deadline."}).json()["state"] == "open"
    denied = send(admin, "post", f"{one}deny/", {"reason": "Full."}).json()
    assert (denied["state"], denied["reason"]) == ("denied", "Full.")
    assert [event["kind"] for event in denied["events"]] == ["created", "asked_back", "answered", "denied"]


def test_what_is_closed_answers_conflict(asker: Client, admin: Client, tenant: Tenant) -> None:
    one = f"{LIST}{send(asker, 'post', LIST, ASK).json()['id']}/"
    assert send(asker, "post", f"{one}withdraw/").json()["state"] == "withdrawn"
    for act, body in (("approve", {}), ("deny", {"reason": "No."}), ("ask-back", {"text": "Why?"}), ("withdraw", {})):
        client = asker if act == "withdraw" else admin
        assert send(client, "post", f"{one}{act}/", body).status_code == 409
    assert limits_of(tenant)["gpus"] == 4


@pytest.mark.parametrize(
    ("body", "attr"),
    [
        ({"items": {"gpus": -1}}, "items.gpus"),
        ({"items": {"gpus": 1.5}}, "items.gpus"),
        ({"items": {"gpus": 2**63}}, "items.gpus"),
        ({"items": {"gpus": 100_001}}, "gpus"),
        ({"items": {"gpus": 4}}, "gpus"),
        ({"items": {"warp_cores": 1}}, "warp_cores"),
        ({"items": {}}, "items"),
        ({"justification": ""}, "justification"),
        ({"until": "2020-01-01"}, "until"),
        ({"until": "soon"}, "until"),
        ({"workload": "00000000-0000-4000-8000-000000000000"}, "workload"),
    ],
)
def test_bad_requests_get_a_message_at_their_place_and_are_not_kept(
    asker: Client, tenant: Tenant, body: dict[str, Any], attr: str
) -> None:
    refused = send(asker, "post", LIST, {**ASK, **body})
    assert (refused.status_code, refused.json()["errors"][0]["attr"]) == (400, attr)
    assert not QuotaRequest.objects.exists()


def test_the_workload_of_another_tenant_is_missing(
    asker: Client, tenant: Tenant, other_tenant: Tenant, outsider: User, make_workload: Callable[..., Workload]
) -> None:
    refused = send(asker, "post", LIST, {**ASK, "workload": str(make_workload(other_tenant, outsider).pk)})
    assert (refused.status_code, refused.json()["errors"][0]["attr"]) == (400, "workload")


@pytest.mark.parametrize(("items", "attr"), [({"gpus": 9}, "gpus"), ({"gpus": 3}, "gpus"), ({"pods": 60}, "pods")])
def test_what_cannot_be_given_gets_a_message_and_nothing_is_given(
    asker: Client, admin: Client, tenant: Tenant, items: dict[str, int], attr: str
) -> None:
    one = f"{LIST}{send(asker, 'post', LIST, ASK).json()['id']}/"
    refused = send(admin, "post", f"{one}approve/", {"items": items})
    assert (refused.status_code, refused.json()["errors"][0]["attr"]) == (400, attr)
    assert limits_of(tenant)["gpus"] == 4


@pytest.mark.parametrize(
    ("who", "see", "make", "decide", "inbox"),
    [("viewer", 200, 403, 403, 403), ("auditor", 200, 403, 403, 200), ("outsider", 404, 404, 404, 403)],
)
def test_who_may_see_ask_and_decide(
    request: pytest.FixtureRequest,
    client_of: ClientOf,
    asker: Client,
    who: str,
    see: int,
    make: int,
    decide: int,
    inbox: int,
) -> None:
    one = f"{LIST}{send(asker, 'post', LIST, ASK).json()['id']}/"
    client = client_of(request.getfixturevalue(who))
    assert [client.get(f"/api/v1/{path}").status_code for path in (LIST, one)] == [see, see]
    assert send(client, "post", LIST, ASK).status_code == make
    assert send(client, "post", f"{one}approve/").status_code == decide
    assert send(client, "post", f"{one}withdraw/").status_code in {403, 404}
    assert client.get("/api/v1/quota-requests/").status_code == inbox
    assert client.get("/api/v1/quota-requests/rules/").status_code == inbox


def test_the_inbox_is_narrowed_to_what_is_undecided(asker: Client, admin: Client) -> None:
    first, second = (send(asker, "post", LIST, ASK).json()["id"] for _ in range(2))
    send(asker, "post", f"{LIST}{first}/withdraw/")
    inbox = "/api/v1/quota-requests/"
    assert [row["id"] for row in admin.get(inbox).json()["results"]] == [second, first]
    assert [row["id"] for row in admin.get(f"{inbox}?undecided=true").json()["results"]] == [second]
    assert [row["id"] for row in admin.get(f"{inbox}?undecided=false").json()["results"]] == [first]


def test_a_rule_is_set_changed_and_removed(asker: Client, admin: Client, tenant: Tenant) -> None:
    rules = "quota-requests/rules/"
    made = send(admin, "post", rules, {"type": "gpus", "most_added": 2, "most_days": 30}).json()
    assert (made["tenant"], made["min_days_between"]) == (None, 0)
    values = {"most_added": 4, "most_days": 30, "min_days_between": 1}
    assert send(admin, "put", f"{rules}{made['id']}/", values).json() == {**made, **values}
    granted = send(asker, "post", LIST, {**ASK, "until": in_days(3).isoformat()}).json()
    assert (granted["state"], granted["by_rule"]) == ("approved", True)
    assert send(admin, "delete", f"{rules}{made['id']}/").status_code == 204
    assert admin.get(f"/api/v1/{rules}").json()["results"] == []
    unknown = send(admin, "post", rules, {"type": "warp_cores", "most_added": 2, "most_days": 30})
    assert (unknown.status_code, unknown.json()["errors"][0]["attr"]) == (400, "type")


def test_lists_cost_six_statements_and_a_request_eight(asker: Client, admin: Client) -> None:
    made = [send(asker, "post", LIST, ASK).json()["id"] for _ in range(5)]
    for path, most in ((LIST, 6), ("quota-requests/", 6), ("quota-requests/rules/", 6), (f"{LIST}{made[0]}/", 8)):
        with CaptureQueriesContext(connection) as seen:
            assert admin.get(f"/api/v1/{path}").status_code == 200
        assert len(seen) <= most
