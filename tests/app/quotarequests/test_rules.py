"""Rules that grant at once: which requests they take, which they leave to a person, and who sets them."""

import datetime as dt
from collections.abc import Callable

import pytest

from portal.core.errors import Denied, NotVisible, Rejected
from portal.core.models import AuditEntry, User
from portal.notices.models import Notice
from quotarequests.models import ApprovalRule, QuotaRequest, RequestEvent
from quotarequests.rules import rule_delete, rule_set
from quotarequests.selectors import rule_get
from quotarequests.specs import Rule
from tenants.models import ResourceType, Tenant
from tests.app.quotarequests.conftest import in_days
from tests.quota import limits_of

pytestmark = pytest.mark.django_db
AskFor = Callable[..., QuotaRequest]
SetRule = Callable[..., ApprovalRule]


@pytest.fixture
def rule(platform_admin: User) -> SetRule:
    """Let GPUs be granted: four more for thirty days, as often as wanted."""

    def made(
        key: str = "gpus", *, tenant: Tenant | None = None, added: int = 4, days: int = 30, between: int = 0
    ) -> ApprovalRule:
        found = ResourceType.objects.get(key=key)
        return rule_set(actor=platform_admin, found=found, tenant=tenant, rule=Rule(added, days, between))

    return made


def test_what_a_rule_allows_is_granted_at_once_and_no_admin_is_asked(
    rule: SetRule, ask: AskFor, tenant: Tenant, owner: User, platform_admin: User
) -> None:
    rule()
    request = ask(until=in_days(29))
    assert (request.state, request.by_rule, request.decided_by) == ("approved", True, None)
    assert (limits_of(tenant)["gpus"], request.granted_until) == (8, in_days(29))
    assert list(RequestEvent.objects.order_by("id").values_list("kind", "actor_name")) == [
        ("created", "owner"),
        ("approved", "berth"),
    ]
    assert [notice.user for notice in Notice.objects.all()] == [owner]
    assert AuditEntry.objects.get(action="quota_request.approved").actor is None


@pytest.mark.parametrize(
    ("wanted", "until"),
    [
        ({"gpus": 9}, in_days(5)),
        ({"gpus": 8}, in_days(30)),
        ({"gpus": 8}, None),
        ({"gpus": 8, "pods": 60}, in_days(5)),
    ],
)
def test_what_is_too_much_too_long_or_of_a_type_without_a_rule_waits_for_a_person(
    rule: SetRule, ask: AskFor, tenant: Tenant, wanted: dict[str, int], until: dt.date | None
) -> None:
    rule()
    assert ask(wanted, until=until).state == "open"
    assert limits_of(tenant)["gpus"] == 4


def test_what_rules_granted_before_counts_while_it_is_in_force(rule: SetRule, ask: AskFor, tenant: Tenant) -> None:
    rule()
    assert ask({"gpus": 7}, until=in_days(5)).state == "approved"
    assert ask({"gpus": 9}, until=in_days(5)).state == "open"
    assert ask({"gpus": 8}, until=in_days(5)).state == "approved"
    assert limits_of(tenant)["gpus"] == 8


def test_a_rule_grants_again_only_after_its_pause(rule: SetRule, ask: AskFor) -> None:
    rule(between=7)
    first = ask({"gpus": 5}, until=in_days(5))
    assert ask({"gpus": 6}, until=in_days(5)).state == "open"
    QuotaRequest.objects.filter(pk=first.pk).update(decided_at=first.created - dt.timedelta(days=7))
    assert ask({"gpus": 6}, until=in_days(5)).state == "approved"


def test_a_tenant_s_own_rule_counts_instead_of_that_for_all(
    rule: SetRule, ask: AskFor, tenant: Tenant, other_tenant: Tenant
) -> None:
    rule(added=10)
    rule(tenant=other_tenant, added=10)
    rule(tenant=tenant, added=1)
    assert ask({"gpus": 6}, until=in_days(1)).state == "open"
    assert ask({"gpus": 5}, until=in_days(1)).state == "approved"


def test_setting_a_rule_again_replaces_it_and_removing_it_leaves_what_it_granted(
    rule: SetRule, ask: AskFor, tenant: Tenant, platform_admin: User
) -> None:
    rule(added=1)
    made = rule(added=4)
    assert ApprovalRule.objects.count() == 1
    assert ask(until=in_days(1)).state == "approved"
    rule_delete(actor=platform_admin, rule=made)
    assert (limits_of(tenant)["gpus"], ApprovalRule.objects.count()) == (8, 0)
    actions = AuditEntry.objects.filter(action__startswith="quota_rule").order_by("id")
    assert list(actions.values_list("action", flat=True)) == ["quota_rule.set", "quota_rule.set", "quota_rule.delete"]


@pytest.mark.parametrize(
    ("added", "days", "between", "field"),
    [
        (0, 1, 0, "most_added"),
        (-1, 1, 0, "most_added"),
        (100_001, 1, 0, "most_added"),
        (1, 0, 0, "most_days"),
        (1, 3_651, 0, "most_days"),
        (1, 1, -1, "min_days_between"),
    ],
)
def test_a_rule_that_makes_no_sense_gets_a_message_at_its_field(
    rule: SetRule, added: int, days: int, between: int, field: str
) -> None:
    with pytest.raises(Rejected) as refused:
        rule(added=added, days=days, between=between)
    assert list(refused.value.fields) == [field]


@pytest.mark.parametrize("who", ["tenant_admin", "auditor", "outsider"])
def test_only_platform_admins_set_rules(request: pytest.FixtureRequest, rule: SetRule, who: str) -> None:
    made, actor = rule(), request.getfixturevalue(who)
    with pytest.raises(Denied):
        rule_set(actor=actor, found=made.type, tenant=None, rule=Rule(9, 9, 0))
    with pytest.raises(Denied):
        rule_delete(actor=actor, rule=made)


def test_a_rule_is_seen_by_who_decides_and_who_audits(rule: SetRule, auditor: User, owner: User) -> None:
    made = rule()
    assert rule_get(user=auditor, rule_id=made.pk) == made
    with pytest.raises(NotVisible):
        rule_get(user=owner, rule_id=made.pk)
