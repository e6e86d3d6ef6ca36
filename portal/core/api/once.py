"""The Idempotency-Key header: a repeated POST gets what the first one made."""

import hashlib
import json
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Model
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.core import idempotency
from portal.core.api.views import caller
from portal.core.errors import Rejected
from portal.core.transactions import retried

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
M = TypeVar("M", bound=Model)


def idempotency_key(request: Request) -> str | None:
    """Return the header's key, None without one. Raises Rejected for one that is empty or too long."""
    key = request.headers.get(HEADER)
    if key is not None and not 0 < len(key) <= idempotency.MAX_KEY:
        raise Rejected({HEADER: [_("Use a key of 1 to 200 characters.")]})
    return key


@retried
def created_once(request: Request, make: Callable[[], M], find: Callable[[UUID], M]) -> tuple[M, bool]:
    """Make something, or find what an earlier request of the same key and body made; say whether it was found.

    One transaction. `find` raises NotVisible when it is gone. Raises IdempotencyReplay for another body.
    """
    key, actor = idempotency_key(request), caller(request)
    if key is None:
        return make(), False
    with transaction.atomic():
        first = idempotency.claim(actor=actor, key=key, digest=_digest(request), object_id=uuid4())
        if first is not None:
            return find(first), True
        made = make()
        idempotency.bind(actor=actor, key=key, object_id=made.pk)
    return made, False


def replayed(response: Response, *, found: bool) -> Response:
    """Say in a header whether an answer is that of an earlier request."""
    if found:
        response[REPLAYED] = "true"
    return response


def _digest(request: Request) -> str:
    body = json.dumps(request.data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{request.method} {request.path} {body}".encode()).hexdigest()
