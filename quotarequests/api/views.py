"""REST of quota requests: a method parses, asks one selector or service, and answers."""

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.core import policy
from portal.core.api.once import created_once, replayed
from portal.core.api.paging import keyset_page, page_response, page_serializer
from portal.core.api.views import ApiView, caller, endpoint, found, parsed, parsed_query
from portal.core.errors import Rejected
from portal.core.models import Scope, User
from portal.core.policy import Action
from quotarequests import deciding, requesting, selectors
from quotarequests.api.shapes import (
    ApproveSerializer,
    DenySerializer,
    InboxFilterSerializer,
    NewQuotaRequestSerializer,
    QuotaRequestDetailSerializer,
    QuotaRequestSerializer,
    RequestQuerySerializer,
    RequestTextSerializer,
)
from quotarequests.effects import Simulated, simulated
from quotarequests.evidence import evidence_of
from quotarequests.models import QuotaRequest
from quotarequests.requesting import Ask
from quotarequests.specs import UNDECIDED
from tenants.selectors import tenant_get
from tenants.specs import Amounts
from workloads.models import Workload

_ORDER = ("-created", "-id")


class InboxView(ApiView):
    """Quota requests of all tenants."""

    @endpoint(
        Action.QUOTA_REQUEST_INBOX, query=InboxFilterSerializer, answers={200: page_serializer(QuotaRequestSerializer)}
    )
    def get(self, request: Request) -> Response:
        """List the quota requests of all tenants, newest first; for platform admins and auditors."""
        undecided = parsed_query(InboxFilterSerializer, request)["undecided"]
        rows = selectors.inbox(user=caller(request), undecided=undecided)
        return page_response(request, keyset_page(request, rows, order=_ORDER), QuotaRequestSerializer)


class TenantRequestsView(ApiView):
    """A tenant's quota requests."""

    @endpoint(Action.TENANT_VIEW, answers={200: page_serializer(QuotaRequestSerializer)})
    def get(self, request: Request, slug: str) -> Response:
        """List a tenant's quota requests, newest first."""
        user = caller(request)
        rows = selectors.request_list(user=user, tenant=tenant_get(user=user, slug=slug))
        return page_response(request, keyset_page(request, rows, order=_ORDER), QuotaRequestSerializer)

    @endpoint(
        Action.QUOTA_REQUEST_CREATE,
        body=NewQuotaRequestSerializer,
        answers={201: QuotaRequestDetailSerializer},
        scope=Scope.SUBMIT,
        creates=True,
    )
    def post(self, request: Request, slug: str) -> Response:
        """Ask for more quota. Where rules grant it, it is approved at once."""
        user = caller(request)
        tenant = tenant_get(user=user, slug=slug)
        policy.require(user, Action.QUOTA_REQUEST_CREATE, tenant)
        values = parsed(NewQuotaRequestSerializer, request)
        wanted = values["workload"]
        rows = Workload.objects.visible_to(user).filter(tenant=tenant, pk=wanted)
        workload = found(rows, "workload", str(wanted)) if wanted else None
        ask = Ask(values["items"], values["justification"], values["until"], workload)
        made, again = created_once(
            request,
            lambda: requesting.request_create(actor=user, tenant=tenant, ask=ask),
            lambda first: selectors.request_get(user=user, slug=slug, request_id=first),
        )
        return replayed(_shown(user, slug, made.pk, status=201), found=again)


class RequestView(ApiView):
    """One quota request."""

    @endpoint(Action.TENANT_VIEW, query=RequestQuerySerializer, answers={200: QuotaRequestDetailSerializer})
    def get(self, request: Request, slug: str, request_id: UUID) -> Response:
        """Show a quota request with its history and evidence; to who may decide also what granting it would do."""
        text = parsed_query(RequestQuerySerializer, request)["effect_of"]
        return _shown(caller(request), slug, request_id, trying=_amounts_in(text))


class ApproveView(ApiView):
    """Approves a request."""

    @endpoint(Action.QUOTA_REQUEST_DECIDE, body=ApproveSerializer, answers={200: QuotaRequestDetailSerializer})
    def post(self, request: Request, slug: str, request_id: UUID) -> Response:
        """Grant a request, wholly or in part, for good or for a time; platform admins only."""
        user, asked = _to_decide(request, slug, request_id)
        values = parsed(ApproveSerializer, request)
        amounts, until = values.get("items", asked.wanted), values.get("until", asked.until)
        deciding.request_approve(actor=user, request=asked, amounts=amounts, until=until, reason=values["reason"])
        return _shown(user, slug, request_id)


class DenyView(ApiView):
    """Denies a request."""

    @endpoint(Action.QUOTA_REQUEST_DECIDE, body=DenySerializer, answers={200: QuotaRequestDetailSerializer})
    def post(self, request: Request, slug: str, request_id: UUID) -> Response:
        """Refuse a request, with a reason; platform admins only."""
        user, asked = _to_decide(request, slug, request_id)
        deciding.request_deny(actor=user, request=asked, reason=parsed(DenySerializer, request)["reason"])
        return _shown(user, slug, request_id)


class AskBackView(ApiView):
    """Asks something back."""

    @endpoint(Action.QUOTA_REQUEST_DECIDE, body=RequestTextSerializer, answers={200: QuotaRequestDetailSerializer})
    def post(self, request: Request, slug: str, request_id: UUID) -> Response:
        """Ask who asked something before deciding; platform admins only."""
        user, asked = _to_decide(request, slug, request_id)
        deciding.request_ask_back(actor=user, request=asked, text=parsed(RequestTextSerializer, request)["text"])
        return _shown(user, slug, request_id)


class AnswerView(ApiView):
    """Answers what was asked back."""

    @endpoint(
        Action.QUOTA_REQUEST_CREATE,
        body=RequestTextSerializer,
        answers={200: QuotaRequestDetailSerializer},
        scope=Scope.SUBMIT,
    )
    def post(self, request: Request, slug: str, request_id: UUID) -> Response:
        """Answer the question; its author and admins of the tenant only."""
        user, asked = _own(request, slug, request_id)
        requesting.request_answer(actor=user, request=asked, text=parsed(RequestTextSerializer, request)["text"])
        return _shown(user, slug, request_id)


class WithdrawView(ApiView):
    """Withdraws a request."""

    @endpoint(Action.QUOTA_REQUEST_CREATE, answers={200: QuotaRequestDetailSerializer}, scope=Scope.SUBMIT)
    def post(self, request: Request, slug: str, request_id: UUID) -> Response:
        """Withdraw a request that is not decided; its author and admins of the tenant only."""
        user, asked = _own(request, slug, request_id)
        requesting.request_withdraw(actor=user, request=asked)
        return _shown(user, slug, request_id)


def _to_decide(request: Request, slug: str, request_id: UUID) -> tuple[User, QuotaRequest]:
    user = caller(request)
    asked = selectors.request_get(user=user, slug=slug, request_id=request_id)
    policy.require(user, Action.QUOTA_REQUEST_DECIDE, asked)
    return user, asked


def _own(request: Request, slug: str, request_id: UUID) -> tuple[User, QuotaRequest]:
    user = caller(request)
    asked = selectors.request_get(user=user, slug=slug, request_id=request_id)
    policy.require(user, Action.QUOTA_REQUEST_CREATE, asked)
    return user, asked


def _shown(user: User, slug: str, request_id: UUID, *, trying: Amounts | None = None, status: int = 200) -> Response:
    asked: Any = selectors.request_get(user=user, slug=slug, request_id=request_id)
    asked.told_evidence, asked.told_effect = evidence_of(asked.evidence), None
    if asked.state in UNDECIDED and policy.allowed(user, Action.QUOTA_REQUEST_INBOX):
        asked.told_effect = _effect(simulated(user=user, tenant=asked.tenant, amounts=_tried(asked, trying)))
    return Response(QuotaRequestDetailSerializer(asked).data, status=status)


def _effect(found: Simulated) -> dict[str, Any]:
    effect = found.effect
    others = [{"tenant": found.slugs[other.tenant], "key": other.key, "room": other.room} for other in effect.others]
    return {
        "types": effect.types,
        "others": others,
        "starts": effect.starts,
        "still_waits": effect.still_waits,
        "others_start": effect.others_start,
        "others_delayed": effect.others_delayed,
    }


def _tried(asked: QuotaRequest, trying: Amounts | None) -> Amounts:
    """Return the amounts that the effect is reckoned for. Raises Rejected for a type that was not asked for."""
    if not trying:
        return asked.wanted  # type: ignore[no-any-return]
    if trying.keys() - asked.wanted.keys():
        raise Rejected({"effect_of": [_("This was not asked for.")]})
    return trying


def _amounts_in(text: str) -> dict[str, int]:
    """Return amounts written as `gpus:6,pods:20`. Raises Rejected."""
    found: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        key, _colon, number = part.partition(":")
        if not (number.isascii() and number.isdigit() and len(number) <= 10):
            raise Rejected({"effect_of": [_("Write amounts as in gpus:6,pods:20.")]})
        found[key] = int(number)
    return found
