"""Asking for quota and deciding on it: what becomes of the ledger, who is told, what is refused and leaves nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from portal.core.errors import Conflict, Denied, NotVisible, Rejected
from portal.core.models import AuditEntry, User
from portal.notices.models import Notice
from portal.notices.wording import text_of
from quotarequests.deciding import request_approve, request_ask_back, request_deny
from quotarequests.models import QuotaRequest, RequestEvent
from quotarequests.requesting import request_answer, request_withdraw
from quotarequests.specs import MOST_UNDECIDED
from tenants.history import sentence
from tenants.models import Tenant
from tenants.selectors import tenant_history
from tests.app.quotarequests.conftest import in_days
from tests.quota import limits_of, set_limits

pytestmark = pytest.mark.django_db
AskFor = Callable[..., QuotaRequest]


def told(user: User) -> list[str]:
    rows = Notice.objects.filter(user=user).order_by("created", "id")
    return [text_of(row.kind, row.facts) for row in rows]


def events(request: QuotaRequest) -> list[tuple[str, str]]:
    return list(RequestEvent.objects.filter(request=request).order_by("id").values_list("kind", "actor_name"))


def test_a_request_waits_for_the_platform_admins_and_they_are_told(
    ask: AskFor, tenant: Tenant, platform_admin: User, auditor: User
) -> None:
    request = ask()
    assert (request.state, request.wanted, request.had) == ("open", {"gpus": 8}, {"gpus": 4})
    assert told(platform_admin) == ["owner asks for more quota for vision."]
    assert told(auditor) == []
    assert limits_of(tenant)["gpus"] == 4


def test_an_approval_gives_all_and_tells_the_author_and_the_tenant_s_admins(
    ask: AskFor, tenant: Tenant, owner: User, colleague: User, tenant_admin: User, platform_admin: User
) -> None:
    request = request_approve(actor=platform_admin, request=ask(), amounts={"gpus": 8}, until=None)
    assert limits_of(tenant)["gpus"] == 8
    assert (request.state, request.granted, request.decided_by) == ("approved", {"gpus": 4}, platform_admin)
    assert [told(user) for user in (owner, tenant_admin, colleague)] == [
        ["The quota request of vision was approved."],
        ["The quota request of vision was approved."],
        [],
    ]
    assert events(request) == [("created", "owner"), ("approved", "root-admin")]


def test_every_write_is_in_the_audit_trail(ask: AskFor, tenant: Tenant, platform_admin: User) -> None:
    request_approve(actor=platform_admin, request=ask(), amounts={"gpus": 6}, until=in_days(3), reason="Enough.")
    trail = {entry.action: entry for entry in AuditEntry.objects.filter(tenant_id=tenant.pk)}
    assert trail["quota_request.created"].after == {"wanted": {"gpus": 8}, "until": None}
    assert trail["quota_request.approved"].after == {
        "granted": {"gpus": 2},
        "until": in_days(3).isoformat(),
        "note": "Enough.",
    }
    quota = trail["tenant.quota"]
    assert [(told or {})["quota"]["gpus"]["nominal"] for told in (quota.before, quota.after)] == [4, 6]
    assert quota.actor == platform_admin


def test_less_may_be_given_and_only_what_is_above_the_quota_of_now_counts_as_given(
    ask: AskFor, tenant: Tenant, platform_admin: User
) -> None:
    request = ask({"gpus": 8, "pods": 80})
    set_limits(tenant, gpus=6)
    approved = request_approve(actor=platform_admin, request=request, amounts={"gpus": 7, "pods": 50}, until=None)
    assert (approved.granted, limits_of(tenant)["gpus"], limits_of(tenant)["pods"]) == ({"gpus": 1}, 7, 50)


@pytest.mark.parametrize(
    ("amounts", "field"),
    [
        ({"gpus": 9}, "gpus"),
        ({"gpus": 3}, "gpus"),
        ({"gpus": -1}, "gpus"),
        ({"pods": 60}, "pods"),
        ({"warp_cores": 1}, "warp_cores"),
        ({"gpus": 4}, ""),
        ({}, ""),
    ],
)
def test_what_cannot_be_given_gets_a_message_and_nothing_is_written(
    ask: AskFor, tenant: Tenant, platform_admin: User, amounts: dict[str, int], field: str
) -> None:
    request, before = ask(), limits_of(tenant)
    with pytest.raises(Rejected) as refused:
        request_approve(actor=platform_admin, request=request, amounts=amounts, until=None)
    assert list(refused.value.fields) == [field]
    request.refresh_from_db()
    assert (request.state, limits_of(tenant), events(request)) == ("open", before, [("created", "owner")])


def test_a_day_that_has_passed_is_refused_at_its_field(ask: AskFor, platform_admin: User) -> None:
    with pytest.raises(Rejected) as refused:
        request_approve(actor=platform_admin, request=ask(), amounts={"gpus": 8}, until=in_days(-1))
    assert list(refused.value.fields) == ["until"]


def test_a_refusal_needs_a_reason_which_the_tenant_reads(
    ask: AskFor, tenant: Tenant, owner: User, platform_admin: User
) -> None:
    request = ask()
    with pytest.raises(Rejected) as refused:
        request_deny(actor=platform_admin, request=request, reason="  ")
    assert list(refused.value.fields) == ["reason"]
    denied = request_deny(actor=platform_admin, request=request, reason="Full.")
    assert (denied.state, denied.reason, limits_of(tenant)["gpus"]) == ("denied", "Full.", 4)
    assert told(owner) == ["The quota request of vision was denied."]


def test_a_question_goes_back_and_its_answer_opens_the_request_again(
    ask: AskFor, owner: User, platform_admin: User
) -> None:
    request = request_ask_back(actor=platform_admin, request=ask(), text="Which model?")
    assert request.state == "asked_back"
    assert request_answer(actor=owner, request=request, text="A small one.").state == "open"
    assert events(request) == [("created", "owner"), ("asked_back", "root-admin"), ("answered", "owner")]
    assert told(platform_admin)[-1] == "owner answered about the quota of vision."
    with pytest.raises(Conflict, match="Nothing was asked back"):
        request_answer(actor=owner, request=request, text="And another.")


def test_a_question_does_not_keep_a_request_from_being_decided(ask: AskFor, platform_admin: User) -> None:
    request = request_ask_back(actor=platform_admin, request=ask(), text="Which model?")
    assert request_approve(actor=platform_admin, request=request, amounts={"gpus": 8}, until=None).state == "approved"


@pytest.mark.parametrize("end", ["withdrawn", "denied", "approved"])
def test_what_is_closed_is_neither_decided_nor_withdrawn_again(
    ask: AskFor, tenant: Tenant, owner: User, platform_admin: User, end: str
) -> None:
    request = ask()
    ends: dict[str, Callable[[], object]] = {
        "withdrawn": lambda: request_withdraw(actor=owner, request=request),
        "denied": lambda: request_deny(actor=platform_admin, request=request, reason="No."),
        "approved": lambda: request_approve(actor=platform_admin, request=request, amounts={"gpus": 6}, until=None),
    }
    ends[end]()
    limits, kept = limits_of(tenant), events(request)
    for again in ends.values():
        with pytest.raises(Conflict, match=end):
            again()
    assert (limits_of(tenant), events(request)) == (limits, kept)


def test_a_request_whose_day_has_passed_is_not_approved_even_before_the_sweep(
    ask: AskFor, tenant: Tenant, platform_admin: User
) -> None:
    request = ask(until=in_days(0))
    QuotaRequest.objects.update(until=in_days(-1))
    with pytest.raises(Conflict, match="expired"):
        request_approve(actor=platform_admin, request=request, amounts={"gpus": 8}, until=None)
    assert limits_of(tenant)["gpus"] == 4


@pytest.mark.parametrize(
    ("wanted", "fields", "at"),
    [
        ({}, {}, ""),
        ({"gpus": 4}, {}, "gpus"),
        ({"gpus": -1}, {}, "gpus"),
        ({"gpus": 2**62}, {}, "gpus"),
        ({"warp_cores": 1}, {}, "warp_cores"),
        ({"gpus": 8}, {"justification": " "}, "justification"),
        ({"gpus": 8}, {"justification": "x" * 2001}, "justification"),
        ({"gpus": 8}, {"until": in_days(-1)}, "until"),
    ],
)
def test_bad_requests_get_a_message_at_their_field_and_are_not_kept(
    ask: AskFor, wanted: dict[str, int], fields: dict[str, Any], at: str
) -> None:
    with pytest.raises(Rejected) as refused:
        ask(wanted, **fields)
    assert list(refused.value.fields) == [at]
    assert not QuotaRequest.objects.exists()


def test_a_tenant_has_at_most_twenty_undecided_requests(ask: AskFor, owner: User) -> None:
    requests = [ask() for _ in range(MOST_UNDECIDED)]
    with pytest.raises(Conflict, match="Too many"):
        ask()
    request_withdraw(actor=owner, request=requests[0])
    assert ask().state == "open"


@pytest.mark.parametrize(("who", "error"), [("viewer", Denied), ("auditor", Denied), ("outsider", NotVisible)])
def test_who_may_not_ask(request: pytest.FixtureRequest, ask: AskFor, who: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        ask(actor=request.getfixturevalue(who))


@pytest.mark.parametrize(("who", "error"), [("tenant_admin", Denied), ("auditor", Denied), ("outsider", NotVisible)])
def test_only_platform_admins_decide(
    request: pytest.FixtureRequest, ask: AskFor, who: str, error: type[Exception]
) -> None:
    actor, asked = request.getfixturevalue(who), ask()
    with pytest.raises(error):
        request_approve(actor=actor, request=asked, amounts={"gpus": 8}, until=None)
    with pytest.raises(error):
        request_deny(actor=actor, request=asked, reason="No.")
    with pytest.raises(error):
        request_ask_back(actor=actor, request=asked, text="Why?")


@pytest.mark.parametrize(
    ("who", "error"), [("colleague", Denied), ("viewer", Denied), ("auditor", Denied), ("outsider", NotVisible)]
)
def test_only_its_author_and_who_leads_the_tenant_withdraw_a_request(
    request: pytest.FixtureRequest, ask: AskFor, tenant_admin: User, who: str, error: type[Exception]
) -> None:
    asked = ask()
    with pytest.raises(error):
        request_withdraw(actor=request.getfixturevalue(who), request=asked)
    assert request_withdraw(actor=tenant_admin, request=asked).state == "withdrawn"


def test_a_tenant_s_history_tells_of_its_requests(ask: AskFor, tenant: Tenant, platform_admin: User) -> None:
    request_deny(actor=platform_admin, request=ask(), reason="Full.")
    told_by = [sentence(entry) for entry in tenant_history(user=platform_admin, tenant=tenant)]
    assert told_by == ["root-admin denied a quota request", "owner asked for more quota"]
