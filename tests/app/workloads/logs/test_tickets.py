"""Websockets by ticket: what a program gets with a token, what a ticket is not good for, and how it ends."""

import asyncio
import datetime as dt
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.cache.backends.redis import RedisCache
from django.test import Client
from django.utils import timezone
from redis.exceptions import ConnectionError as RedisAway

from portal.core import tickets
from portal.core.models import ApiToken, Scope, User
from portal.core.tokens import token_create
from tenants.models import Membership, Tenant
from tests.app.workloads.logs.conftest import LoggedWorkload, collecting, eventually, in_thread
from tests.app.workloads.logs.sockets import ORIGIN, communicator_of, cookie_header, opened_with, served

pytestmark = pytest.mark.django_db(transaction=True)
DOCS = Path(__file__).parents[4] / "docs/api/live.md"
FOREIGN = (b"origin", b"https://elsewhere.example")
OWN = (b"origin", ORIGIN.encode())


def key_of(user: User, *scopes: Scope, tenant: Tenant | None = None, name: str = "viewer") -> str:
    later = timezone.now() + dt.timedelta(days=1)
    return token_create(actor=user, name=name, scopes=scopes or [Scope.READ], expires_at=later, tenant=tenant)[1]


def asked(key: str) -> Any:
    client = Client(raise_request_exception=False)
    return client.post("/api/v1/ws-tickets/", headers={"Authorization": f"Token {key}"})


def ticket_of(user: User, *, tenant: Tenant | None = None) -> str:
    response = asked(key_of(user, tenant=tenant))
    assert response.status_code == 201
    return str(response.json()["ticket"])


def path_of(logged: LoggedWorkload, ticket: str) -> str:
    return f"/ws/workloads/{logged.workload.pk}/logs/?ticket={ticket}"


async def code_of(path: str, *headers: tuple[bytes, bytes]) -> int:
    async with opened_with(path, list(headers)) as socket:
        return await socket.until_closed()


async def test_a_live_log_is_read_with_a_token_alone(
    logged: LoggedWorkload, owner: User, chunk_directory: Path
) -> None:
    ticket = await in_thread(ticket_of, owner)
    async with collecting(logged.logs, chunk_directory), opened_with(path_of(logged, ticket), []) as socket:
        await logged.write(*range(5))
        assert await socket.until_lines(5) == [f"line {number}" for number in range(5)]


@pytest.mark.parametrize("path", ["/ws/workloads/{id}/", "/ws/tenants/vision/workloads/", "/ws/workloads/"])
async def test_every_kind_of_socket_takes_a_ticket(logged: LoggedWorkload, owner: User, path: str) -> None:
    ticket = await in_thread(ticket_of, owner)
    async with opened_with(f"{path.format(id=logged.workload.pk)}?ticket={ticket}", []) as socket:
        await in_thread(_deactivate, owner)
        assert await socket.until_closed(5) == 4403


async def test_the_documented_program_prints_a_log_until_its_end(
    logged: LoggedWorkload, owner: User, chunk_directory: Path
) -> None:
    code = DOCS.read_text().partition("```python\n")[2].partition("```")[0]
    key = await in_thread(key_of, owner)
    async with collecting(logged.logs, chunk_directory), served() as port:
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code, str(logged.workload.pk)),
            env={"BERTH_URL": f"http://127.0.0.1:{port}", "BERTH_TOKEN": key, "PATH": ""},
            stdout=asyncio.subprocess.PIPE,
        )
        await logged.write(*range(3))
        assert program.stdout is not None
        assert await asyncio.wait_for(program.stdout.readline(), 20) == b"line 0\n"
        await logged.write(*range(3, 200))
        await logged.end()
        rest, _ = await asyncio.wait_for(program.communicate(), 20)
    assert (program.returncode, rest.decode().splitlines()) == (0, [f"line {number}" for number in range(1, 200)])


async def test_a_ticket_is_good_once(logged: LoggedWorkload, owner: User) -> None:
    path = path_of(logged, await in_thread(ticket_of, owner))
    async with opened_with(path, []) as socket:
        await socket.until_control("hello")
        assert await code_of(path) == 4401


async def test_of_two_that_come_at_once_with_a_ticket_one_is_served(owner: User) -> None:
    ticket = await in_thread(ticket_of, owner)
    found = await asyncio.gather(*[in_thread(tickets.ticket_redeem, ticket) for _ in range(8)])
    assert [holder.user_id for holder in found if holder is not None] == [owner.pk]


@pytest.mark.parametrize("forged", ["", "x", "A" * 43, "A" * 5000, "%00", "%f0%9f%94%91"])
async def test_a_forged_ticket_is_nobodys_even_beside_a_session(
    logged: LoggedWorkload, owner: User, forged: str
) -> None:
    cookie = await in_thread(cookie_header, owner)
    assert await code_of(path_of(logged, forged)) == 4401
    assert await code_of(path_of(logged, forged), OWN, cookie) == 4401


async def test_a_ticket_is_forgotten_when_its_time_is_over(
    logged: LoggedWorkload, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tickets, "LIFE_S", 1)
    ticket = await in_thread(ticket_of, owner)
    digest = tickets._key(ticket)

    async def forgotten() -> bool:
        return await cache.aget(digest) is None

    assert not await forgotten()
    await eventually(forgotten)
    assert await code_of(path_of(logged, ticket)) == 4401


def _revoke(user: User) -> None:
    ApiToken.objects.filter(user=user).delete()


def _expire(user: User) -> None:
    ApiToken.objects.filter(user=user).update(expires_at=timezone.now())


def _narrow(user: User) -> None:
    ApiToken.objects.filter(user=user).update(scopes=[Scope.SUBMIT])


def _deactivate(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def _change_password(user: User) -> None:
    user.set_password("another long password")
    user.save()


ENDS = [_revoke, _expire, _narrow, _deactivate, _change_password]


@pytest.mark.parametrize("end", ENDS)
async def test_a_ticket_ends_with_the_token_that_asked_for_it(
    logged: LoggedWorkload, owner: User, end: Callable[[User], None]
) -> None:
    ticket = await in_thread(ticket_of, owner)
    await in_thread(end, owner)
    assert await code_of(path_of(logged, ticket)) == 4401


def _leave(user: User) -> None:
    Membership.objects.filter(user=user).delete()


@pytest.mark.parametrize("end", [*ENDS, _leave])
async def test_an_open_socket_ends_with_its_token_and_with_the_seat_of_its_holder_within_five_seconds(
    logged: LoggedWorkload, owner: User, end: Callable[[User], None]
) -> None:
    async with opened_with(path_of(logged, await in_thread(ticket_of, owner)), []) as socket:
        await in_thread(end, owner)
        assert await socket.until_closed(5) == 4403


async def test_a_ticket_of_a_page_ends_with_its_session(logged: LoggedWorkload, owner: User) -> None:
    client = Client()
    await in_thread(client.force_login, owner, "allauth.account.auth_backends.AuthenticationBackend")
    ticket = (await in_thread(client.post, "/api/v1/ws-tickets/")).json()["ticket"]
    async with opened_with(path_of(logged, ticket), []) as socket:
        await socket.until_control("hello")
        await in_thread(client.logout)
        assert await socket.until_closed(5) == 4403


async def test_a_token_of_one_tenant_opens_nothing_of_another(
    logged: LoggedWorkload, owner: User, other_tenant: Tenant
) -> None:
    await in_thread(Membership.objects.create, user=owner, tenant=other_tenant, role="developer")
    ticket = await in_thread(lambda: ticket_of(owner, tenant=other_tenant))
    assert await code_of(path_of(logged, ticket)) == 4404


async def test_an_outsiders_ticket_finds_what_a_missing_id_finds(logged: LoggedWorkload, outsider: User) -> None:
    assert await code_of(path_of(logged, await in_thread(ticket_of, outsider))) == 4404


async def test_a_token_that_may_not_read_gets_no_ticket(owner: User) -> None:
    response = await in_thread(lambda: asked(key_of(owner, Scope.SUBMIT)))
    assert response.status_code == 403


async def test_a_stranger_gets_no_ticket(db: None) -> None:
    assert (await in_thread(Client().post, "/api/v1/ws-tickets/")).status_code == 401


async def test_a_cookie_without_an_origin_opens_nothing(logged: LoggedWorkload, owner: User) -> None:
    cookie = await in_thread(cookie_header, owner)
    assert await code_of(f"/ws/workloads/{logged.workload.pk}/logs/", cookie) == 4401


async def test_another_sites_page_is_refused_even_with_a_ticket_and_does_not_spend_it(
    logged: LoggedWorkload, owner: User
) -> None:
    path = path_of(logged, await in_thread(ticket_of, owner))
    communicator = communicator_of(path, [FOREIGN])
    await communicator.send_input({"type": "websocket.connect"})
    assert (await communicator.receive_output(10))["type"] == "websocket.close"
    await communicator.send_input({"type": "websocket.disconnect", "code": 1006})
    await communicator.wait(10)
    async with opened_with(path, []) as socket:
        await socket.until_control("hello")


async def test_the_ticket_itself_is_kept_nowhere(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[str] = []
    monkeypatch.setattr(RedisCache, "set", lambda *values, **_: kept.extend(str(value) for value in values))
    ticket = await in_thread(ticket_of, owner)
    assert kept
    assert ticket not in "".join(kept)


async def test_without_the_broker_a_ticket_is_refused_for_now(
    logged: LoggedWorkload, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = await in_thread(ticket_of, owner)

    def away(*_: Any, **__: Any) -> None:
        raise RedisAway

    monkeypatch.setattr(RedisCache, "get", away)
    monkeypatch.setattr(RedisCache, "set", away)
    assert await code_of(path_of(logged, ticket)) == 1013
    key = await in_thread(lambda: key_of(owner, name="another"))
    refused = await in_thread(asked, key)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (503, "unavailable")
    assert int(refused["Retry-After"]) > 0
