"""Rules that grant without a person deciding: what platform admins set, and whether they grant a request."""

from collections.abc import Mapping
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.core import audit, policy
from portal.core.errors import Text, reject
from portal.core.models import User
from portal.core.policy import Action
from portal.core.transactions import retried
from quotarequests.granting import day_of, today
from quotarequests.models import ApprovalRule, QuotaRequest
from quotarequests.specs import MOST_DAYS, Earlier, RequestState, Rule, added_by, rule_allows
from tenants.models import ResourceType, Tenant
from tenants.quotaservices import amount_errors
from tenants.specs import Amounts


@retried
def rule_set(*, actor: User, found: ResourceType, tenant: Tenant | None, rule: Rule) -> ApprovalRule:
    """Make or change the rule of a resource type, for one tenant or for all that have none of their own.

    Raises Denied, Rejected.
    """
    policy.require(actor, Action.QUOTA_REQUEST_DECIDE)
    reject(_rule_errors(found, rule))
    values = {
        "most_added": rule.most_added,
        "most_days": rule.most_days,
        "min_days_between": rule.min_days_between,
    }
    with transaction.atomic():
        # The type's row stands for its rules: two admins who make the same one come one after the other.
        ResourceType.objects.select_for_update(no_key=True).get(pk=found.pk)
        before = ApprovalRule.objects.filter(type=found, tenant=tenant).first()
        made, _is_new = ApprovalRule.objects.update_or_create(type=found, tenant=tenant, defaults=values)
        audit.record(
            actor=actor,
            action="quota_rule.set",
            target=made,
            tenant_id=tenant.pk if tenant else None,
            before=_told(before) if before else None,
            after=_told(made),
        )
    return made


@retried
def rule_delete(*, actor: User, rule: ApprovalRule) -> None:
    """Remove a rule; what it granted stays. Raises Denied."""
    policy.require(actor, Action.QUOTA_REQUEST_DECIDE)
    with transaction.atomic():
        audit.record(actor=actor, action="quota_rule.delete", target=rule, tenant_id=rule.tenant_id, before=_told(rule))
        rule.delete()


def rules_grant(request: QuotaRequest, nominal: Amounts) -> bool:
    """Tell whether rules grant a request as it is, given the tenant's nominal quota now. Two statements.

    The tenant is locked, so that no other request is granted by the same rule meanwhile.
    """
    added = added_by(request.wanted, nominal)
    rules = _rules_for(request, list(added))
    if not added or rules.keys() != added.keys():
        return False
    earlier = _earlier(request, max(rule.min_days_between for rule in rules.values()))
    return all(
        rule_allows(rules[key], added=more, until=request.until, today=today(), earlier=earlier.get(key, Earlier()))
        for key, more in added.items()
    )


def _rules_for(request: QuotaRequest, keys: list[str]) -> dict[str, Rule]:
    rows = ApprovalRule.objects.filter(Q(tenant=request.tenant_id) | Q(tenant=None), type__key__in=keys)
    # Those for all come first, and a tenant's own takes their place.
    return {row.type.key: row.rule for row in sorted(rows.select_related("type"), key=lambda row: bool(row.tenant_id))}


def _earlier(request: QuotaRequest, days: int) -> Mapping[str, Earlier]:
    since = timezone.now() - timedelta(days=days + 1)
    before = QuotaRequest.objects.filter(tenant=request.tenant_id, by_rule=True)
    decided = before.filter(decided_at__isnull=False)
    rows = decided.filter(Q(state=RequestState.APPROVED) | Q(decided_at__gte=since)).order_by("decided_at")
    found: dict[str, Earlier] = {}
    for state, granted, decided_at in rows.values_list("state", "granted", "decided_at"):
        for key, more in granted.items():
            in_force = more if state == RequestState.APPROVED else 0
            found[key] = Earlier(found.get(key, Earlier()).added + in_force, day_of(decided_at))
    return found


def _rule_errors(found: ResourceType, rule: Rule) -> dict[str, list[Text]]:
    errors: dict[str, list[Text]] = {}
    if wrong := amount_errors({found.key: found}, {found.key: rule.most_added}):
        errors["most_added"] = wrong[found.key]
    elif rule.most_added == 0:
        errors["most_added"] = [_("Enter a number of 1 or more.")]
    for name, days, least in (
        ("most_days", rule.most_days, 1),
        ("min_days_between", rule.min_days_between, 0),
    ):
        if not least <= days <= MOST_DAYS:
            errors[name] = [
                _("Enter a number of days from %(least)d to %(most)d.") % {"least": least, "most": MOST_DAYS}
            ]
    return errors


def _told(rule: ApprovalRule) -> dict[str, object]:
    """Return what the audit trail keeps of a rule."""
    return {
        "type": rule.type.key,
        "tenant": rule.tenant.slug if rule.tenant else None,
        "most_added": rule.most_added,
        "most_days": rule.most_days,
        "min_days_between": rule.min_days_between,
    }
