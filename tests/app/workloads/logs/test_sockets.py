"""What opens, what is refused and with which code, and how lines and rows arrive."""

import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session

from portal.core.models import User
from portal.live.publish import WorkloadChanged, publish_workloads
from tenants.models import Membership, Tenant
from tests.app.workloads.logs.conftest import LoggedWorkload, collecting, eventually, in_thread
from tests.app.workloads.logs.sockets import communicator_of, opened
from workloads.models import Workload

pytestmark = pytest.mark.django_db(transaction=True)
NOBODYS = uuid.UUID("00000000-0000-4000-8000-000000000000")


def log_path(workload_id: uuid.UUID, after: int | None = None) -> str:
    return f"/ws/workloads/{workload_id}/logs/" + ("" if after is None else f"?after={after}")


def change_of(workload: Workload, *, state: str, version: int) -> WorkloadChanged:
    return WorkloadChanged(id=workload.pk, tenant_id=workload.tenant_id, state=state, version=version)


async def test_the_owner_sees_stored_lines_and_then_live_ones(
    logged: LoggedWorkload, owner: User, chunk_directory: Path
) -> None:
    await logged.write(*range(30))
    async with collecting(logged.logs, chunk_directory):
        await eventually(lambda: logged.has_lines(30))
        async with opened(log_path(logged.workload.pk), owner) as socket:
            assert await socket.until_control("hello") == {"type": "hello", "seq": 30, "sealed": False}
            await socket.until_lines(30)
            await logged.write(*range(30, 40))
            assert await socket.until_lines(40) == [f"line {number}" for number in range(40)]
            await logged.end()
            await socket.until_control("sealed")
    assert [line[0] for line in socket.lines] == list(range(1, 41))


async def test_a_live_line_arrives_within_a_second(logged: LoggedWorkload, owner: User, chunk_directory: Path) -> None:
    await logged.write(0)
    async with collecting(logged.logs, chunk_directory):
        await eventually(lambda: logged.has_lines(1))
        async with opened(log_path(logged.workload.pk), owner) as socket:
            await socket.until_lines(1)
            begun = time.monotonic()
            await logged.write(1)
            await socket.until_lines(2)
            assert time.monotonic() - begun < 1


async def test_a_viewer_with_a_cursor_gets_only_what_follows_it(
    logged: LoggedWorkload, owner: User, chunk_directory: Path
) -> None:
    await logged.write(*range(30))
    async with collecting(logged.logs, chunk_directory):
        await eventually(lambda: logged.has_lines(30))
        async with opened(log_path(logged.workload.pk, after=20), owner) as socket:
            await socket.until_lines(10)
            await logged.write(30)
            await socket.until_lines(11)
    assert [line[0] for line in socket.lines] == list(range(21, 32))


async def test_lines_arrive_while_no_message_does(
    logged: LoggedWorkload, owner: User, chunk_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workloads.logs.publisher.Publisher.put", lambda *_: None)
    async with collecting(logged.logs, chunk_directory), opened(log_path(logged.workload.pk), owner) as socket:
        await logged.write(*range(5))
        assert await socket.until_lines(5) == [f"line {number}" for number in range(5)]


@pytest.mark.parametrize("path", ["/ws/workloads/{id}/logs/", "/ws/workloads/{id}/"])
async def test_an_outsider_is_refused_as_for_a_missing_id(logged: LoggedWorkload, outsider: User, path: str) -> None:
    async with opened(path.format(id=logged.workload.pk), outsider) as foreign:
        assert await foreign.until_closed() == 4404
    async with opened(path.format(id=NOBODYS), outsider) as missing:
        assert await missing.until_closed() == 4404
    assert foreign.controls == missing.controls == []


async def test_a_foreign_tenants_rows_are_refused_as_missing_ones(outsider: User, tenant: Tenant) -> None:
    for slug in (tenant.slug, "nobodys"):
        async with opened(f"/ws/tenants/{slug}/workloads/", outsider) as socket:
            assert await socket.until_closed() == 4404


@pytest.mark.parametrize("path", ["/ws/workloads/{id}/logs/", "/ws/workloads/{id}/", "/ws/workloads/"])
async def test_who_is_not_signed_in_is_told_so(logged: LoggedWorkload, path: str) -> None:
    async with opened(path.format(id=logged.workload.pk), None) as socket:
        assert await socket.until_closed() == 4401


async def test_an_unknown_path_closes_like_a_missing_object(owner: User) -> None:
    async with opened("/ws/nothing/here", owner) as socket:
        assert await socket.until_closed() == 4404


async def test_another_sites_page_cannot_open_a_socket(logged: LoggedWorkload) -> None:
    communicator = communicator_of(log_path(logged.workload.pk), [(b"origin", b"https://elsewhere.example")])
    await communicator.send_input({"type": "websocket.connect"})
    assert (await communicator.receive_output(10))["type"] == "websocket.close"
    await communicator.send_input({"type": "websocket.disconnect", "code": 1006})
    await communicator.wait(10)


@pytest.mark.parametrize("path", ["/ws/workloads/{id}/logs/", "/ws/workloads/{id}/", "/ws/tenants/vision/workloads/"])
async def test_a_revoked_member_is_out_within_five_seconds(logged: LoggedWorkload, owner: User, path: str) -> None:
    async with opened(path.format(id=logged.workload.pk), owner) as socket:
        await in_thread(Membership.objects.filter(user=owner).delete)
        assert await socket.until_closed(5) == 4403


def _sign_out(user: User) -> None:
    Session.objects.all().delete()


def _deactivate(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def _change_password(user: User) -> None:
    user.set_password("another long password")
    user.save()


@pytest.mark.parametrize("revoke", [_sign_out, _deactivate, _change_password])
async def test_who_may_not_be_signed_in_any_more_is_out_within_five_seconds(
    logged: LoggedWorkload, owner: User, revoke: Callable[[User], None]
) -> None:
    async with opened(log_path(logged.workload.pk), owner) as socket:
        await in_thread(revoke, owner)
        assert await socket.until_closed(5) == 4403


async def test_a_changed_row_reaches_its_own_socket_and_those_of_its_tenant(
    logged: LoggedWorkload, owner: User
) -> None:
    workload = logged.workload
    paths = [f"/ws/workloads/{workload.pk}/", "/ws/tenants/vision/workloads/", "/ws/workloads/"]
    for version, path in enumerate(paths, 5):
        async with opened(path, owner) as socket:
            await in_thread(publish_workloads, [change_of(workload, state="succeeded", version=version)])
            while socket.controls[-1:] == [] or socket.controls[-1]["version"] != version:
                await socket.next()
        assert socket.controls[-1] == {
            "type": "workload",
            "id": str(workload.pk),
            "state": "succeeded",
            "version": version,
        }


async def test_a_state_that_no_message_spoke_of_is_told_within_five_seconds(
    logged: LoggedWorkload, owner: User
) -> None:
    async with opened(f"/ws/workloads/{logged.workload.pk}/", owner) as socket:
        await socket.until_control("workload")
        await in_thread(Workload.objects.filter(pk=logged.workload.pk).update, state="stopping", version=9)
        begun = time.monotonic()
        while socket.controls[-1]["version"] != 9:
            await socket.next()
        assert time.monotonic() - begun < 5


async def test_rows_of_other_tenants_are_not_told(
    logged: LoggedWorkload, outsider: User, other_tenant: Tenant, make_workload: Callable[..., Workload]
) -> None:
    own = await in_thread(make_workload, other_tenant, outsider)
    async with opened("/ws/workloads/", outsider) as socket:
        await in_thread(publish_workloads, [change_of(logged.workload, state="failed", version=7)])
        await in_thread(publish_workloads, [change_of(own, state="running", version=2)])
        await socket.until_control("workload")
    assert [frame["id"] for frame in socket.controls] == [str(own.pk)]
