"""Endpoints of the caller's tokens and tickets, and of the cluster. A method parses, asks, and answers."""

import datetime as dt
import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from portal.core import tickets, tokens
from portal.core.api.once import created_once, replayed
from portal.core.api.paging import keyset_page, page_response, page_serializer
from portal.core.api.views import ApiView, caller, endpoint, found, parsed, token_of_caller
from portal.core.errors import NotVisible
from portal.core.models import ApiToken, Scope
from portal.core.policy import Action
from portal.core.routes import route
from portal.core.tickets import Holder, Proof
from portal.web.api.shapes import (
    ClusterSummarySerializer,
    MadeTokenSerializer,
    NewTokenSerializer,
    TicketSerializer,
    TokenSerializer,
)
from portal.web.cluster_health import cluster_health
from tenants.models import Tenant
from workloads import holdings


class TokensView(ApiView):
    """The caller's API tokens."""

    @endpoint(Action.SIGNED_IN, answers={200: page_serializer(TokenSerializer)})
    def get(self, request: Request) -> Response:
        """List your API tokens, newest first."""
        page = keyset_page(request, tokens.token_list(user=caller(request)), order=("-created", "-id"))
        return page_response(request, page, TokenSerializer)

    @endpoint(Action.SIGNED_IN, body=NewTokenSerializer, answers={201: MadeTokenSerializer}, creates=True)
    def post(self, request: Request) -> Response:
        """Make an API token; its key is shown in this answer only."""
        user, values = caller(request), parsed(NewTokenSerializer, request)
        slug, keys = values.get("tenant"), list[str]()
        tenant = found(Tenant.objects.visible_to(user).filter(slug=slug), "tenant", slug) if slug else None

        def make() -> ApiToken:
            token, key = tokens.token_create(
                actor=user,
                name=values["name"],
                scopes=[Scope(scope) for scope in values["scopes"]],
                expires_at=values["expires_at"],
                tenant=tenant,
                maker=token_of_caller(request),
            )
            keys.append(key)
            return token

        token, again = created_once(request, make, lambda first: tokens.token_get(user=user, token_id=first))
        shown = {**TokenSerializer(token).data, "key": keys[0] if keys else None}
        return replayed(Response(shown, status=201), found=again)


class TokenView(ApiView):
    """One API token of the caller."""

    @endpoint(Action.SIGNED_IN, answers={200: TokenSerializer})
    def get(self, request: Request, token_id: uuid.UUID) -> Response:
        """Show one of your API tokens."""
        return Response(TokenSerializer(tokens.token_get(user=caller(request), token_id=token_id)).data)

    @endpoint(Action.SIGNED_IN, answers={204: None})
    def delete(self, request: Request, token_id: uuid.UUID) -> Response:
        """Revoke one of your API tokens: it is refused from now on."""
        tokens.token_revoke(actor=caller(request), token_id=token_id)
        return Response(status=204)


class WsTicketsView(ApiView):
    """Tickets for websockets."""

    @endpoint(Action.SIGNED_IN, answers={201: TicketSerializer}, scope=Scope.READ)
    def post(self, request: Request) -> Response:
        """Make a ticket that opens one websocket as you, within half a minute: `?ticket=` in its address."""
        user, token = caller(request), token_of_caller(request)
        session_key = request._request.session.session_key or ""  # noqa: SLF001 (the server's own request)
        proof = Proof(token_id=str(token.pk)) if token is not None else Proof(session_key=session_key)
        expires_at = timezone.now() + dt.timedelta(seconds=tickets.LIFE_S)
        shown = {"ticket": tickets.ticket_issue(Holder(user.pk, proof)), "expires_at": expires_at}
        return Response(TicketSerializer(shown).data, status=201, headers={"Cache-Control": "no-store"})


class ClusterSummaryView(ApiView):
    """The cluster as a whole."""

    @endpoint(Action.SIGNED_IN, answers={200: ClusterSummarySerializer})
    def get(self, request: Request) -> Response:
        """Show what the cluster's usable nodes offer and what all work holds."""
        balance, health = holdings.balance_of(user=caller(request)), cluster_health()
        return Response(
            {
                "nodes": balance.nodes,
                "ready": balance.usable_nodes,
                "offers": balance.offered,
                "held": balance.held,
                "absent": health.absent,
                "stale": health.stale,
            }
        )


class UnknownView(ApiView):
    """Every path that is none: the answer of a missing object, for everybody and every method."""

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Refuse before anything else is asked."""
        raise NotVisible


@extend_schema(exclude=True)
class SchemaView(ApiView, SpectacularAPIView):
    """The OpenAPI description."""

    renderer_classes = SpectacularAPIView.renderer_classes

    @endpoint(Action.SIGNED_IN, answers={200: None})
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """Show this description."""
        describe: Any = super().get
        answer: Response = describe(request, *args, **kwargs)
        return answer


@route(Action.SIGNED_IN)
@require_GET
def docs(request: HttpRequest) -> HttpResponse:
    """Show Swagger UI from our own files: no inline script, so that the pages' policy holds here too."""
    return render(request, "web/api_docs.html")
