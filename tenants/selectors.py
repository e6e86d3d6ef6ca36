"""Reads of tenants for people and for the sweeps. Always through `visible_to` where a person asks."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import F, FilteredRelation, Q, QuerySet, Value
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from portal.core import policy
from portal.core.errors import NotVisible
from portal.core.models import AuditEntry, User
from portal.core.policy import Action
from tenants.hours import with_stretches
from tenants.ledger import Pair, Pool
from tenants.models import Cohort, LedgerCheck, Membership, QuotaLine, ResourceType, Tenant
from tenants.specs import Obstacle, Quota, TenantStatus, Unit

HISTORY_ROWS = 10


def tenant_list(*, user: User) -> QuerySet[Tenant]:
    """Return the tenants that the user may see, by name."""
    return Tenant.objects.visible_to(user).order_by("name", "id")


def tenant_get(*, user: User, slug: str) -> Tenant:
    """Return a tenant. Raises NotVisible when it is missing or not the user's to see."""
    tenant = Tenant.objects.visible_to(user).select_related("cohort").filter(slug=slug).first()
    if tenant is None:
        raise NotVisible
    return tenant


def membership_list(*, user: User, tenant: Tenant) -> QuerySet[Membership]:
    """Return who belongs to a tenant, with their accounts; nothing when the user may not see the tenant."""
    visible = Tenant.objects.visible_to(user).filter(pk=tenant.pk)
    return Membership.objects.filter(tenant__in=visible).select_related("user").order_by("user__username")


def tenant_history(*, user: User, tenant: Tenant) -> QuerySet[AuditEntry]:
    """Return what was done to a tenant and its members, but not its work, newest first. Raises NotVisible, Denied."""
    policy.require(user, Action.TENANT_HISTORY, tenant)
    about = AuditEntry.objects.filter(tenant_id=tenant.pk, action__regex="^(tenant|membership|quota_request)[.]")
    return about.order_by("-id")


def quota_lines(tenants: Collection[Tenant]) -> dict[UUID, list[QuotaLine]]:
    """Return the ledger's rows of each of these tenants with their types, in the order of types. One statement.

    The tenants were read through `visible_to`, or by who keeps the cluster in step.
    """
    found: dict[UUID, list[QuotaLine]] = defaultdict(list)
    rows = QuotaLine.objects.filter(tenant__in=[tenant.pk for tenant in tenants]).select_related("type")
    for row in rows.order_by("type__position", "type__key") if tenants else ():
        found[row.tenant_id].append(row)
    return found


def quota_pairs(*, user: User, tenant: Tenant) -> list[tuple[QuotaLine, Pair]]:
    """Return a tenant's rows of the ledger with the pools behind them, in the order of types. One statement.

    The rows have their last 30 days with them, for `hours.stretches_of`.
    """
    policy.require(user, Action.TENANT_VIEW, tenant)
    return _paired(QuotaLine.objects.filter(tenant=tenant))


def tenant_quota(*, user: User, slug: str) -> tuple[Tenant, list[tuple[QuotaLine, Pair]]]:
    """Return a tenant with its cohort, and what `quota_pairs` gives of it. Raises NotVisible.

    One statement; two for a tenant without rows.
    """
    visible = Tenant.objects.visible_to(user).filter(slug=slug)
    pairs = _paired(QuotaLine.objects.filter(tenant__in=visible).select_related("tenant__cohort"))
    return (pairs[0][0].tenant, pairs) if pairs else (tenant_get(user=user, slug=slug), [])


def _paired(rows: QuerySet[QuotaLine]) -> list[tuple[QuotaLine, Pair]]:
    of_type = Q(tenant__cohort__pool_lines__type=F("type"))
    ordered = with_stretches(rows.select_related("type", "tenant").order_by("type__position", "type__key"))
    joined = ordered.annotate(pool=FilteredRelation("tenant__cohort__pool_lines", condition=of_type)).annotate(
        pool_lendable=F("pool__lendable"), pool_used=F("pool__used"), pool_overhang=F("pool__overhang")
    )
    return [(row, Pair(row.line, _pool(row.tenant, row))) for row in joined]


def _pool(tenant: Tenant, row: Any) -> Pool | None:
    if tenant.cohort_id is None:
        return None
    return Pool(lendable=row.pool_lendable or 0, used=row.pool_used or 0, overhang=row.pool_overhang or 0)


def cohort_list(*, user: User) -> QuerySet[Cohort]:
    """Return the cohorts that the user may see by name, with `slugs` of their tenants. One statement."""
    slugs = ArrayAgg("tenants__slug", filter=Q(tenants__isnull=False), order_by="tenants__slug", default=Value([]))
    return Cohort.objects.visible_to(user).annotate(slugs=slugs).order_by("name")


def cohort_get(*, user: User, cohort_id: UUID) -> Cohort:
    """Return a cohort. Raises NotVisible when it is missing or not the user's to see."""
    cohort = Cohort.objects.visible_to(user).filter(pk=cohort_id).first()
    if cohort is None:
        raise NotVisible
    return cohort


def ledger_check(*, user: User) -> LedgerCheck | None:
    """Return when the ledger was last recomputed and where it differed; None before the first time. Raises Denied."""
    policy.require(user, Action.COHORT_VIEW)
    return LedgerCheck.objects.first()


def has_quota(tenant: Tenant, key: str) -> bool:
    """Tell whether a tenant may hold any of a resource type. One statement."""
    return any(row.line.hard for row in QuotaLine.objects.filter(tenant=tenant, type__key=key))


def quotas_of(tenant: Tenant) -> tuple[Quota, ...]:
    """Return what the cluster's quota must say of a tenant: all that the ledger lets it hold at most. One statement."""
    rows = quota_lines([tenant])[tenant.pk]
    return tuple(
        Quota(row.type.key, row.type.quota_key, Unit(row.type.unit), row.line.hard, row.type.kube_name) for row in rows
    )


def resource_types() -> list[ResourceType]:
    """Return all resource types in their order. One statement."""
    return list(ResourceType.objects.order_by("position", "key"))


def resource_type_get(*, key: str) -> ResourceType:
    """Return a resource type, which everybody may see. Raises NotVisible where there is none."""
    found = ResourceType.objects.filter(key=key).first()
    if found is None:
        raise NotVisible
    return found


def tenant_ids_not_applied() -> Sequence[UUID]:
    """Return the tenants whose namespace is not yet as their row says (for the sweep)."""
    lagging = ~Q(status=TenantStatus.READY) | Q(applied_generation__lt=F("generation"))
    return list(Tenant.objects.filter(lagging).values_list("pk", flat=True))


def tenant_ids_to_check(*, older_than_s: float) -> Sequence[UUID]:
    """Return the tenants whose namespace was last put right longer ago than this, by the database's clock."""
    old = Q(applied_at__lt=Now() - timedelta(seconds=older_than_s))
    return list(Tenant.objects.filter(old).order_by("applied_at").values_list("pk", flat=True))


def status_text(tenant: Tenant) -> str:
    """Return what stands in the way of the tenant's namespace, in the reader's language; "" when nothing does."""
    code, _colon, message = tenant.status_detail.partition(": ")
    texts = {
        Obstacle.FOREIGN: _("A namespace of this name exists in the cluster and was not made by this installation."),
        Obstacle.TERMINATING: _("The namespace is being deleted from the cluster."),
        Obstacle.WAITING: _("Waiting for the cluster to count by the new limits."),
        Obstacle.REFUSED: _("The cluster refuses: %(message)s") % {"message": message},
    }
    return texts.get(Obstacle(code), "") if code in set(Obstacle) else tenant.status_detail
