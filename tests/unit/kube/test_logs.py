"""The log reader against a small server on loopback that streams as told."""

import asyncio
from asyncio.sslproto import SSLProtocol
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from portal.kube.credentials import Credentials, CredentialsFile
from portal.kube.errors import BadRequest, ClusterUnavailable
from portal.kube.lines import MAX_LINE_BYTES, parse_line
from portal.kube.logs import HttpLogSource

Serve = Callable[[web.StreamResponse], Awaitable[None]]
STAMP = b"2026-11-24T10:00:00Z "


@dataclass
class Upstream:
    """What the server does next, and what it was asked."""

    url: str = ""
    serve: Serve | None = None
    refusals: list[tuple[int, str]] = field(default_factory=list)
    asked: list[web.Request] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        if self.refusals:
            code, text = self.refusals.pop(0)
            return web.Response(status=code, text=text)
        response = web.StreamResponse()
        await response.prepare(request)
        assert self.serve is not None
        await self.serve(response)
        return response


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    state = Upstream()
    application = web.Application()
    application.router.add_get("/{path:.*}", state.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    state.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield state
    await runner.cleanup()


@pytest.fixture
def tokens() -> list[str]:
    return ["first"]


@pytest.fixture
async def source(upstream: Upstream, tokens: list[str], tmp_path: Path) -> AsyncIterator[HttpLogSource]:
    path = tmp_path / "logs.kubeconfig"
    path.write_text("x")
    made = HttpLogSource(CredentialsFile(path, lambda _: Credentials(upstream.url, f"Bearer {tokens[-1]}", None)))
    yield made
    await made.aclose()


def follow(source: HttpLogSource, **options: Any) -> AsyncGenerator[bytes, None]:
    return source.follow(namespace="berth-x", pod="w-a-1", container="main", **options)


def sends(*chunks: bytes) -> Serve:
    async def serve(response: web.StreamResponse) -> None:
        for chunk in chunks:
            await response.write(chunk)

    return serve


async def test_lines_come_as_written(upstream: Upstream, source: HttpLogSource) -> None:
    upstream.serve = sends(STAMP + b"a\n" + STAMP, b"b\n", STAMP + b"no newline")
    assert [line async for line in follow(source)] == [STAMP + b"a", STAMP + b"b", STAMP + b"no newline"]


async def test_the_request_says_what_is_wanted(upstream: Upstream, source: HttpLogSource) -> None:
    upstream.serve = sends()
    since = datetime(2026, 11, 24, 10, 0, 0, 999_999, tzinfo=UTC)
    assert [line async for line in follow(source, since=since, previous=True)] == []
    [asked] = upstream.asked
    assert asked.path == "/api/v1/namespaces/berth-x/pods/w-a-1/log"
    assert dict(asked.query) == {
        "container": "main",
        "timestamps": "true",
        "sinceTime": "2026-11-24T10:00:00Z",
        "previous": "true",
        "follow": "true",
    }
    assert asked.headers["Authorization"] == "Bearer first"


async def test_a_line_arrives_while_the_stream_is_open(upstream: Upstream, source: HttpLogSource) -> None:
    released = asyncio.Event()

    async def serve(response: web.StreamResponse) -> None:
        await response.write(STAMP + b"a\n")
        await released.wait()

    upstream.serve = serve
    lines = follow(source)
    assert await asyncio.wait_for(anext(lines), 5) == STAMP + b"a"
    released.set()
    assert [line async for line in lines] == []


async def test_a_stream_that_is_cut_off_is_told_after_what_came(upstream: Upstream, source: HttpLogSource) -> None:
    async def serve(response: web.StreamResponse) -> None:
        await response.write(STAMP + b"a\n" + STAMP + b"half")
        assert response._req is not None
        assert response._req.transport is not None
        response._req.transport.close()

    upstream.serve = serve
    lines = follow(source)
    assert await anext(lines) == STAMP + b"a"
    with pytest.raises(ClusterUnavailable):
        await anext(lines)


async def test_a_container_that_has_not_started_is_a_bad_request(upstream: Upstream, source: HttpLogSource) -> None:
    upstream.refusals = [(400, '{"kind":"Status","reason":"BadRequest","message":"ContainerCreating"}')]
    with pytest.raises(BadRequest, match="ContainerCreating"):
        await anext(follow(source))


async def test_a_refused_token_is_read_again(upstream: Upstream, source: HttpLogSource, tokens: list[str]) -> None:
    upstream.refusals = [(401, "expired")]
    upstream.serve = sends(STAMP + b"a\n")
    source._file.current()
    tokens.append("second")
    assert [line async for line in follow(source)] == [STAMP + b"a"]
    assert [asked.headers["Authorization"] for asked in upstream.asked] == ["Bearer first", "Bearer second"]


async def test_a_server_that_is_away_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "k"
    path.write_text("x")
    source = HttpLogSource(CredentialsFile(path, lambda _: Credentials("http://127.0.0.1:1", None, None)))
    with pytest.raises(ClusterUnavailable):
        await anext(follow(source))
    await source.aclose()


async def test_a_huge_line_comes_in_pieces(upstream: Upstream, source: HttpLogSource) -> None:
    upstream.serve = sends(STAMP, *[b"x" * 50_000] * 10, b"\n", STAMP + b"next\n")
    lines = [parse_line(line) async for line in follow(source)]
    assert sum(len(line.text) for line in lines[:-1]) == 500_000
    assert max(len(line.text) for line in lines) == MAX_LINE_BYTES
    assert [line.continuation for line in lines] == [False, *[True] * 7, False]
    assert lines[-1].text == b"next"


async def test_a_reader_that_leaves_closes_the_connection(upstream: Upstream, source: HttpLogSource) -> None:
    gone = asyncio.Event()

    async def serve(response: web.StreamResponse) -> None:
        try:
            while True:
                await response.write(STAMP + b"a\n")
                await asyncio.sleep(0.01)
        except (ConnectionError, asyncio.CancelledError):
            gone.set()
            raise

    upstream.serve = serve
    lines = source.follow(namespace="n", pod="p", container="c")
    await anext(lines)
    await lines.aclose()
    await asyncio.wait_for(gone.wait(), 5)


def test_tls_connections_keep_small_read_buffers() -> None:
    assert SSLProtocol.max_size == 32 * 1024
