"""Asks for lists as a thread of the server does, without the server: `python -m tests.bench.listprobe PERSON ROUNDS`.

The environment names the installation. Prints seconds and statements of each list as JSON.
"""

import json
import os
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

import django
from django.apps import apps
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils.module_loading import import_string

ROWS_ALONE = "the rows of REST alone"
BY_HAND = "SQL by hand, as JSON"
REQUEST_BY_HAND = "a request by hand"
DEEPEST_ROW = 20_000
_BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
_SQL = """
SELECT w.id, t.slug, w.name, w.kind, u.username, w.image, w.state, w.reason_code, w.reason_params, w.created,
    w.started_at, w.ended_at, w.exit_code, w.cpu_millicores, w.memory_mib, w.gpus
FROM workloads_workload w
JOIN tenants_tenant t ON t.id = w.tenant_id
JOIN tenants_membership m ON m.tenant_id = t.id AND m.user_id = %s
JOIN core_user u ON u.id = w.owner_id
WHERE NOT w.hidden ORDER BY w.created DESC, w.id DESC LIMIT 51
"""

Ask = Callable[[], object]


def by_hand_view(request: HttpRequest) -> HttpResponse:
    """Answer the rows by hand to who is signed in: the least that a request of a list does in this installation."""
    if not request.user.is_authenticated:
        return HttpResponse(status=401)
    return HttpResponse(_by_hand(request.user.pk), content_type="application/json")


urlpatterns = [path("by-hand", by_hand_view)]  # this module is a URLconf for that one request


def probe(username: str, rounds: int) -> dict[str, Any]:
    """Ask each list in turn, `rounds` times, as this person, and the same rows by hand."""
    user = apps.get_model("core", "User").objects.get(username=username)
    client = Client(HTTP_HOST="127.0.0.1")
    client.force_login(user, backend=_BACKEND)
    ways = _ways(client, user)
    statements = {name: _statements(ask) for name, ask in ways.items()}  # this round warms everything as well
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, ask in ways.items():
            begun = time.perf_counter()
            ask()
            seconds[name].append(time.perf_counter() - begun)
    return {"seconds": seconds, "statements": statements}


def _ways(client: Client, user: Any) -> dict[str, Ask]:
    deep = _deep_page(client)
    return {
        "page, everything": lambda: _got(client, "/workloads/?view=all"),
        "page, one state": lambda: _got(client, "/workloads/?view=all&state=succeeded"),
        "REST": lambda: _got(client, "/api/v1/workloads/?limit=50"),
        "REST, a deep page": lambda: _got(client, deep),
        ROWS_ALONE: lambda: _rows_alone(user),
        BY_HAND: lambda: _by_hand(user.pk),
        REQUEST_BY_HAND: lambda: _request_by_hand(client),
    }


def _got(client: Client, address: str) -> bytes:
    answer = client.get(address)
    if answer.status_code != 200:
        raise RuntimeError(f"{address}: {answer.status_code}")
    return answer.content


def _request_by_hand(client: Client) -> bytes:
    with override_settings(ROOT_URLCONF="tests.bench.listprobe"):
        return _got(client, "/by-hand")


def _deep_page(client: Client) -> str:
    """Return the address of a page of 50 that begins in the middle of what can be seen, at row 20,000 at most."""
    address, read, pages = "/api/v1/workloads/?limit=200", 0, ["/api/v1/workloads/?limit=50"]
    while address and read < DEEPEST_ROW:
        answer = json.loads(_got(client, address))
        read += len(answer["results"])
        address = str(answer["next"] or "")
        if address:
            pages.append(address.replace("limit=200", "limit=50"))
    return pages[len(pages) - 1 if read >= DEEPEST_ROW else len(pages) // 2]


def _rows_alone(user: Any) -> str:
    """Return what REST answers without the request around it: no session, no permissions, no renderer."""
    listed, told = import_string("workloads.selectors.workload_list"), import_string("workloads.api.told.row_told")
    filters = import_string("workloads.selectors.Filters")()
    return json.dumps([told(row) for row in listed(user=user, filters=filters).rows])


def _by_hand(user_id: uuid.UUID) -> str:
    """Return the rows of the first page as JSON, written as one would without any framework."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL, [user_id])
        names = [column.name for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return json.dumps({"results": rows[:50], "next": None}, default=str)


def _statements(ask: Ask) -> int:
    with CaptureQueriesContext(connection) as captured:
        ask()
    return len(captured)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    print(json.dumps(probe(sys.argv[1], int(sys.argv[2]))))  # noqa: T201 - its only output
