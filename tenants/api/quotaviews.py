"""REST of quotas and cohorts: a method parses, asks one selector or service, and answers."""

from uuid import UUID

from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.core import policy
from portal.core.api.once import created_once, replayed
from portal.core.api.paging import keyset_page, page_response, page_serializer
from portal.core.api.views import ApiView, caller, endpoint, found, parsed
from portal.core.errors import Rejected
from portal.core.models import User
from portal.core.policy import Action
from tenants import quotaservices, selectors
from tenants.api.quotashapes import (
    CohortOfTenantSerializer,
    CohortSerializer,
    LedgerCheckSerializer,
    NewCohortSerializer,
    QuotaChangeSerializer,
    QuotaSerializer,
)
from tenants.ledger import Bounds
from tenants.models import Cohort, Tenant
from tenants.specs import Excess


class QuotaView(ApiView):
    """A tenant's quota."""

    @endpoint(Action.TENANT_VIEW, answers={200: QuotaSerializer})
    def get(self, request: Request, slug: str) -> Response:
        """Show what a tenant may hold of each resource type, what it holds, and what it borrows."""
        user = caller(request)
        return _shown(user, selectors.tenant_get(user=user, slug=slug))

    @endpoint(Action.TENANT_EDIT_LIMITS, body=QuotaChangeSerializer, answers={200: QuotaSerializer})
    def put(self, request: Request, slug: str) -> Response:
        """Set a tenant's quota of the resource types that are named; platform admins only.

        Where more is held than would be allowed, the change is refused unless `excess` says what becomes of it.
        """
        user = caller(request)
        tenant = selectors.tenant_get(user=user, slug=slug)
        policy.require(user, Action.TENANT_EDIT_LIMITS, tenant)
        values = parsed(QuotaChangeSerializer, request)
        bounds = {line["type"]: _bounds(line) for line in values["lines"]}
        if len(bounds) < len(values["lines"]):
            raise Rejected({"lines": [_("A resource type is named twice.")]})
        quotaservices.quota_set(actor=user, tenant=tenant, bounds=bounds, excess=Excess(values["excess"]))
        return _shown(user, selectors.tenant_get(user=user, slug=slug))


class CohortOfTenantView(ApiView):
    """The cohort that a tenant is in."""

    @endpoint(Action.COHORT_EDIT, body=CohortOfTenantSerializer, answers={200: QuotaSerializer})
    def put(self, request: Request, slug: str) -> Response:
        """Bring a tenant into a cohort, or out of all; platform admins only. What it lent and may borrow is 0 then."""
        user = caller(request)
        tenant = selectors.tenant_get(user=user, slug=slug)
        policy.require(user, Action.TENANT_EDIT_LIMITS, tenant)
        values = parsed(CohortOfTenantSerializer, request)
        wanted = values["cohort"]
        cohort = found(Cohort.objects.visible_to(user).filter(pk=wanted), "cohort", str(wanted)) if wanted else None
        quotaservices.cohort_of_tenant_set(actor=user, tenant=tenant, cohort=cohort, keep=values["keep"])
        return _shown(user, selectors.tenant_get(user=user, slug=slug))


class CohortsView(ApiView):
    """All cohorts."""

    @endpoint(Action.COHORT_VIEW, answers={200: page_serializer(CohortSerializer)})
    def get(self, request: Request) -> Response:
        """List the cohorts by name; for platform admins and auditors."""
        policy.require(caller(request), Action.COHORT_VIEW)
        page = keyset_page(request, Cohort.objects.visible_to(caller(request)), order=("name",))
        return page_response(request, page, CohortSerializer)

    @endpoint(Action.COHORT_EDIT, body=NewCohortSerializer, answers={201: CohortSerializer}, creates=True)
    def post(self, request: Request) -> Response:
        """Make a cohort without tenants; platform admins only."""
        user, values = caller(request), parsed(NewCohortSerializer, request)
        policy.require(user, Action.COHORT_EDIT)
        cohort, again = created_once(
            request,
            lambda: quotaservices.cohort_create(actor=user, name=values["name"]),
            lambda first: selectors.cohort_get(user=user, cohort_id=first),
        )
        return replayed(Response(CohortSerializer(cohort).data, status=201), found=again)


class LedgerCheckView(ApiView):
    """The last check of the ledger."""

    @endpoint(Action.COHORT_VIEW, answers={200: LedgerCheckSerializer})
    def get(self, request: Request) -> Response:
        """Show when the quota ledger was last recomputed, and where it differed; for platform admins and auditors."""
        check = selectors.ledger_check(user=caller(request))
        return Response(LedgerCheckSerializer(check or {"checked_at": None, "differences": []}).data)


class CohortView(ApiView):
    """One cohort."""

    @endpoint(Action.COHORT_VIEW, answers={200: CohortSerializer})
    def get(self, request: Request, cohort_id: UUID) -> Response:
        """Show a cohort; for platform admins and auditors."""
        return Response(CohortSerializer(selectors.cohort_get(user=caller(request), cohort_id=cohort_id)).data)

    @endpoint(Action.COHORT_EDIT, answers={204: None})
    def delete(self, request: Request, cohort_id: UUID) -> Response:
        """Remove a cohort that no tenant is in; platform admins only."""
        user = caller(request)
        quotaservices.cohort_delete(actor=user, cohort=selectors.cohort_get(user=user, cohort_id=cohort_id))
        return Response(status=204)


def _bounds(line: dict[str, int]) -> Bounds:
    return Bounds(nominal=line["nominal"], borrow_limit=line["borrow_limit"], lend_limit=line["lend_limit"])


def _shown(user: User, tenant: Tenant) -> Response:
    rows = selectors.quota_pairs(user=user, tenant=tenant)
    lines = [
        {
            "type": row.type.key,
            "nominal": row.nominal,
            "borrow_limit": row.borrow_limit,
            "lend_limit": row.lend_limit,
            "used": row.used,
            "borrowed": pair.line.borrowed,
            "overhang": row.overhang,
            "free": pair.room,
        }
        for row, pair in rows
    ]
    return Response(QuotaSerializer({"cohort": tenant.cohort, "lines": lines}).data)
