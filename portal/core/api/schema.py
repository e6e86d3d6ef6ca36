"""OpenAPI of our endpoints: ids from the view's name, the errors that any of them can answer, paging, idempotency."""

import re
from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from portal.core.api.paging import PageQuerySerializer
from portal.core.policy import Action

_WHY = {
    "400": "The request's shape or a value in it is not acceptable.",
    "401": "Nobody known calls.",
    "403": "Known, but not allowed.",
    "404": "Missing, or of somebody else: the same for both.",
    "405": "There is no such method here.",
    "409": "The object's state does not allow it, or the idempotency key was used for another request.",
    "413": "The request is too large.",
    "415": "The body is not application/json.",
    "429": "Too many requests; Retry-After says for how long to wait.",
    "500": "A fault of ours.",
    "503": "The database or the cluster does not answer; Retry-After says when to try again.",
}
_ALWAYS = ("400", "401", "403", "404", "405", "429", "500", "503")
_OF_CHANGES = ("409", "413", "415")


class ErrorItemSerializer(serializers.Serializer[Any]):
    """One thing that is wrong."""

    code = serializers.CharField(help_text="A stable word for programs.")
    detail = serializers.CharField(help_text="A sentence for people, in their language.")
    attr = serializers.CharField(allow_null=True, help_text="The field or parameter that it speaks of.")


class ErrorSerializer(serializers.Serializer[Any]):
    """What every status from 400 on answers."""

    type = serializers.ChoiceField(choices=["validation_error", "client_error", "server_error"])
    errors = ErrorItemSerializer(many=True)  # type: ignore[assignment]


class ApiSchema(AutoSchema):
    """Reads what `@endpoint` declares."""

    def get_operation_id(self) -> str:
        """Return `<view>_<verb>`, which no other method has."""
        words = re.sub(r"(?<!^)(?=[A-Z])", "_", type(self.view).__name__.removesuffix("View")).lower()
        return f"{words}_{'list' if self._is_page() else self.method.lower()}"

    def get_tags(self) -> list[str]:
        """Return what follows the prefix of the path, but a workload's things stand with workloads."""
        parts = [part for part in self.path.removeprefix("/api/v1/").split("/") if part]
        if "workloads" in parts:
            return ["workloads"]
        return parts[:1]

    def get_override_parameters(self) -> list[Any]:
        """Return the parameters of paging and idempotency besides the declared ones."""
        shown = [PageQuerySerializer] if self._is_page() else []
        if getattr(self._handler(), "berth_creates", False):
            text = "The same key and body again get the first answer; another body is refused. Kept for 24 h."
            where = OpenApiParameter.HEADER
            shown.append(OpenApiParameter("Idempotency-Key", str, where, description=text))  # type: ignore[arg-type]
        return shown

    def get_auth(self) -> list[Any]:
        """Return nothing for what is public."""
        return [] if self._is_public() else list(super().get_auth())

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        for status in self._statuses():
            shape = OpenApiResponse(ErrorSerializer, description=_WHY[status])
            describe: Any = self._get_response_for_code
            bodies.setdefault(status, describe(shape, status, direction=direction))
        return bodies

    def _statuses(self) -> list[str]:
        return sorted({*_ALWAYS, *(() if self.method in {"GET", "HEAD"} else _OF_CHANGES)})

    def _is_page(self) -> bool:
        shape: Any = self.get_response_serializers()
        shapes = shape.values() if isinstance(shape, dict) else [shape]
        return any(getattr(each, "berth_is_page", False) for each in shapes)

    def _is_public(self) -> bool:
        return getattr(self._handler(), "berth_action", None) is Action.PUBLIC

    def _handler(self) -> Any:
        return getattr(self.view, self.method.lower(), None)
