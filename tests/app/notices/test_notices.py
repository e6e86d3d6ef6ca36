"""Notices: one's own, marked as read, counted on Home; and what is sent out of the portal, again where it fails."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.core.models import User
from portal.notices import delivery
from portal.notices.models import Notice, Outgoing
from portal.notices.services import notify
from tenants.models import Tenant

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


def tell(*users: User, author: str = "ada") -> None:
    facts = {"author": author, "tenant": "vision"}
    notify(users=[user.pk for user in users], kind="quota_request.created", facts=facts, url="/quota-requests/")


class Receiver:
    """A server on loopback that keeps what is posted to it, and answers as it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.bodies: list[dict[str, Any]] = []
        outer: Any = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.bodies.append(json.loads(body))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://name:secret@127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    settings.NOTIFY_URLS = [made.url]
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def due_now() -> None:
    Outgoing.objects.update(next_try_at=Now())


def test_everybody_sees_their_own_notices_only(client_of: ClientOf, owner: User, colleague: User) -> None:
    tell(owner)
    text = "ada asks for more quota for vision."
    assert text in client_of(owner).get("/notifications/").content.decode()
    assert text not in client_of(colleague).get("/notifications/").content.decode()


def test_one_or_all_are_marked_as_read_and_never_those_of_others(
    client_of: ClientOf, owner: User, colleague: User
) -> None:
    for _ in range(3):
        tell(owner, colleague)
    client, theirs = client_of(owner), Notice.objects.filter(user=colleague)
    first = Notice.objects.filter(user=owner)[0]
    client.post("/notifications/read/", {"notice": str(first.pk)})
    client.post("/notifications/read/", {"notice": str(theirs[0].pk)})
    client.post("/notifications/read/", {"notice": "nonsense"})
    assert Notice.objects.filter(user=owner, read_at=None).count() == 2
    client.post("/notifications/read/")
    assert Notice.objects.filter(user=owner, read_at=None).count() == 0
    assert theirs.filter(read_at=None).count() == 3


def test_home_tells_the_newest_three_and_how_many_there_are(client_of: ClientOf, owner: User) -> None:
    for number in range(5):
        tell(owner, author=f"person-{number}")
    page = client_of(owner).get("/").content.decode()
    assert [f"person-{number}" in page for number in range(5)] == [False, False, True, True, True]
    assert "5 unread" in page
    client_of(owner).post("/notifications/read/")
    assert "unread" not in client_of(owner).get("/").content.decode()


def test_notices_by_rest(client_of: ClientOf, owner: User) -> None:
    tell(owner)
    tell(owner)
    client = client_of(owner)
    first, second = client.get("/api/v1/notifications/?unread=true").json()["results"]
    assert first["text"] == "ada asks for more quota for vision."
    marked = client.post("/api/v1/notifications/read/", {"ids": [first["id"]]}, content_type="application/json")
    assert marked.json() == {"marked": 1}
    [left] = client.get("/api/v1/notifications/?unread=true").json()["results"]
    assert left["id"] == second["id"]
    assert client.post("/api/v1/notifications/read/", {}, content_type="application/json").json() == {"marked": 1}


def test_the_page_costs_five_statements_however_many_there_are(client_of: ClientOf, owner: User) -> None:
    client, counts = client_of(owner), []
    for _ in range(2):
        for _number in range(20):
            tell(owner)
        with CaptureQueriesContext(connection) as seen:
            client.get("/notifications/")
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 5


def test_a_notice_goes_to_the_address_outside_with_a_link(receiver: Receiver, owner: User) -> None:
    tell(owner)
    assert delivery.deliver() == 1
    [body] = receiver.bodies
    assert body["message"].splitlines()[0] == "ada asks for more quota for vision."
    assert body["message"].splitlines()[1].endswith("/quota-requests/")
    due_now()
    assert delivery.deliver() == 0
    assert len(receiver.bodies) == 1


def test_what_was_refused_is_tried_again_later_each_time_and_given_up_in_the_end(
    receiver: Receiver, owner: User
) -> None:
    receiver.status = 500
    tell(owner)
    assert (delivery.deliver(), delivery.deliver()) == (0, 0)
    assert len(receiver.bodies) == 1  # the second time nothing was due yet
    for _ in range(delivery.MOST_TRIES + 2):
        due_now()
        delivery.deliver()
    assert len(receiver.bodies) == delivery.MOST_TRIES
    assert Outgoing.objects.get().given_up_at is not None


def test_what_failed_once_is_sent_by_the_next_try(receiver: Receiver, owner: User) -> None:
    receiver.status = 500
    tell(owner)
    delivery.deliver()
    receiver.status = 200
    due_now()
    assert delivery.deliver() == 1
    assert Outgoing.objects.get().sent_at is not None


def test_an_address_that_is_configured_no_more_gets_nothing(receiver: Receiver, owner: User, settings: Any) -> None:
    tell(owner)
    settings.NOTIFY_URLS = []
    assert delivery.deliver() == 0
    assert receiver.bodies == []
    assert Outgoing.objects.get().given_up_at is not None


def test_an_address_is_neither_stored_nor_logged(
    receiver: Receiver, owner: User, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = 500
    tell(owner)
    for _ in range(delivery.MOST_TRIES):
        due_now()
        delivery.deliver()
    stored = json.dumps(list(Outgoing.objects.values()), default=str)
    said = "".join(capfd.readouterr()) + caplog.text
    assert "notice given up" in said
    assert "secret" not in stored + said


def test_without_an_address_nothing_waits_to_be_sent(owner: User, settings: Any) -> None:
    settings.NOTIFY_URLS = []
    tell(owner)
    assert not Outgoing.objects.exists()


def test_old_notices_are_forgotten(owner: User, tenant: Tenant) -> None:
    tell(owner)
    tell(owner)
    newest = Notice.objects.order_by("-created")[0]
    Notice.objects.exclude(pk=newest.pk).update(created="2020-01-01T00:00:00Z")
    delivery.forget()
    assert [row.pk for row in Notice.objects.all()] == [newest.pk]
