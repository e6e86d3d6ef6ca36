"""The client against a small HTTP server on loopback that answers as told."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from portal.kube import rest
from portal.kube.credentials import Credentials, CredentialsFile
from portal.kube.errors import (
    ClusterUnavailable,
    ResponseTooLarge,
    ServerError,
    TooManyRequests,
    Unauthorized,
)
from portal.kube.rest import RestKube
from portal.kube.types import CONFIGMAPS, PODS, Pod

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Server:
    """What to answer, and what was asked."""

    url: str = ""
    answers: list[Answer | Callable[[Any], object]] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    def answer(self, code: int, body: Any = b"", **headers: str) -> None:
        """Plan the next answer."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers.append((code, {key.replace("_", "-"): value for key, value in headers.items()}, raw))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_state: ClassVar[Server]

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server_state.asked.append((self.command, self.path, dict(self.headers), body))
        planned = self.server_state.answers.pop(0)
        if callable(planned):
            planned(self)
            return
        code, headers, raw = planned
        self.send_response(code)
        for key, value in {"Content-Length": str(len(raw)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815  the base class' names

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()
    handler = type("Handler", (_Handler,), {"server_state": state})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_address[1]}"
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def tokens() -> list[str]:
    """The token that the kubeconfig holds now is the last."""
    return ["first"]


@pytest.fixture
def kube(server: Server, tokens: list[str], tmp_path: Path) -> RestKube:
    path = tmp_path / "writer.kubeconfig"
    path.write_text("x")
    return RestKube(CredentialsFile(path, lambda _: Credentials(server.url, f"Bearer {tokens[-1]}", None)))


def test_a_create_sends_the_body_the_manager_and_the_token(server: Server, kube: RestKube) -> None:
    server.answer(201, {"metadata": {"uid": "u"}})
    assert kube.create(CONFIGMAPS, {"metadata": {"name": "a"}}, namespace="n") == {"metadata": {"uid": "u"}}
    [(method, path, headers, body)] = server.asked
    assert (method, path) == ("POST", "/api/v1/namespaces/n/configmaps?fieldManager=berth")
    assert headers["Authorization"] == "Bearer first"
    assert json.loads(body) == {"metadata": {"name": "a"}}


def test_an_apply_is_a_forced_server_side_apply(server: Server, kube: RestKube) -> None:
    server.answer(200, {})
    kube.apply(CONFIGMAPS, {"metadata": {"name": "a"}}, namespace="n")
    [(method, path, headers, _)] = server.asked
    assert (method, path) == ("PATCH", "/api/v1/namespaces/n/configmaps/a?fieldManager=berth&force=true")
    assert headers["Content-Type"] == "application/apply-patch+yaml"


def test_a_delete_sends_uid_grace_and_propagation(server: Server, kube: RestKube) -> None:
    server.answer(200, {})
    kube.delete(PODS, "a", namespace="n", uid="u", grace_s=0, propagation="Foreground")
    sent = json.loads(server.asked[0][3])
    assert (sent["preconditions"], sent["gracePeriodSeconds"], sent["propagationPolicy"]) == (
        {"uid": "u"},
        0,
        "Foreground",
    )


def test_impersonation_is_a_header_on_the_same_connection(server: Server, kube: RestKube) -> None:
    server.answer(200, {})
    kube.impersonate("system:serviceaccount:berth-x:berth-writer").get(PODS, "a", namespace="n")
    assert server.asked[0][2]["Impersonate-User"] == "system:serviceaccount:berth-x:berth-writer"


def test_pages_are_followed_by_their_token(server: Server, kube: RestKube) -> None:
    server.answer(
        200, {"items": [{"metadata": {"name": "a"}}], "metadata": {"continue": "more", "resourceVersion": "7"}}
    )
    server.answer(200, {"items": [{"metadata": {"name": "b"}}], "metadata": {"resourceVersion": "7"}})
    found = kube.list(PODS, page_size=1, as_type=Pod)
    assert [pod.metadata.name for pod in found.items] == ["a", "b"]
    assert found.resource_version == "7"
    assert server.asked[1][1] == "/api/v1/pods?limit=1&continue=more"


def test_a_refused_token_is_read_again_and_the_call_repeated(server: Server, kube: RestKube, tokens: list[str]) -> None:
    server.answer(401, b"expired")
    server.answer(200, {})
    kube._pools.file.current()
    tokens.append("second")
    kube.get(PODS, "a", namespace="n")
    assert [asked[2]["Authorization"] for asked in server.asked] == ["Bearer first", "Bearer second"]


def test_a_refused_token_without_a_new_one_is_an_error(server: Server, kube: RestKube) -> None:
    server.answer(401, b"expired")
    with pytest.raises(Unauthorized):
        kube.get(PODS, "a", namespace="n")
    assert len(server.asked) == 1


def test_a_changed_kubeconfig_is_taken_at_the_next_call(
    server: Server, kube: RestKube, tokens: list[str], tmp_path: Path
) -> None:
    server.answer(200, {})
    server.answer(200, {})
    kube.get(PODS, "a", namespace="n")
    tokens.append("second")
    (tmp_path / "writer.kubeconfig").write_text("longer than before")
    kube.get(PODS, "a", namespace="n")
    assert server.asked[1][2]["Authorization"] == "Bearer second"


def test_a_missing_kubeconfig_is_a_cluster_that_is_not_there_yet(kube: RestKube, tmp_path: Path) -> None:
    (tmp_path / "writer.kubeconfig").unlink()
    with pytest.raises(ClusterUnavailable, match="no credentials for a cluster yet"):
        kube.check_ready()


def test_a_refused_connection_is_a_cluster_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "k"
    path.write_text("x")
    kube = RestKube(CredentialsFile(path, lambda _: Credentials("http://127.0.0.1:1", None, None)))
    with pytest.raises(ClusterUnavailable):
        kube.get(PODS, "a", namespace="n")


def test_a_server_that_does_not_answer_is_given_up_in_time(server: Server, kube: RestKube) -> None:
    released = threading.Event()
    server.answers.append(lambda handler: released.wait(20))
    began = time.monotonic()
    with pytest.raises(ClusterUnavailable):
        kube.check_ready(timeout_s=0.2)
    released.set()
    assert time.monotonic() - began < 5


def test_a_server_that_is_not_ready_is_unavailable(server: Server, kube: RestKube) -> None:
    server.answer(500, b"[-]etcd failed")
    with pytest.raises(ClusterUnavailable, match="etcd failed"):
        kube.check_ready()


def test_a_busy_server_says_how_long_to_wait(server: Server, kube: RestKube) -> None:
    server.answer(429, b"slow down", Retry_After="4")
    with pytest.raises(TooManyRequests) as refused:
        kube.get(PODS, "a", namespace="n")
    assert refused.value.retry_after_s == 4


def test_a_redirect_is_not_followed(server: Server, kube: RestKube) -> None:
    server.answer(302, b"", Location="http://127.0.0.1:1/")
    with pytest.raises(Exception, match="HTTP 302"):
        kube.get(PODS, "a", namespace="n")


def test_an_answer_beyond_the_bound_is_dropped(server: Server, kube: RestKube, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "RESPONSE_MAX_BYTES", 1000)
    server.answer(200, b" " * 100_000)
    with pytest.raises(ResponseTooLarge):
        kube.get(PODS, "a", namespace="n")


def test_an_answer_that_is_no_json_is_an_error_of_the_server(server: Server, kube: RestKube) -> None:
    server.answer(200, b"<html>")
    with pytest.raises(ServerError):
        kube.get(PODS, "a", namespace="n")


def test_a_proxy_from_the_environment_is_ignored(
    server: Server, kube: RestKube, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.answer(200, {})
    assert kube.get(PODS, "a", namespace="n") == {}


def chunks(handler: Any, *parts: bytes, end: bool) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for part in parts:
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        handler.wfile.flush()
    if end:
        handler.wfile.write(b"0\r\n\r\n")
    else:
        handler.close_connection = True


def added(name: str) -> bytes:
    return (
        json.dumps({"type": "ADDED", "object": {"metadata": {"name": name, "resourceVersion": "2"}}}).encode() + b"\n"
    )


def test_events_come_whole_however_the_stream_is_cut(server: Server, kube: RestKube) -> None:
    stream = added("a") + added("b")
    server.answers.append(lambda handler: chunks(handler, stream[:10], stream[10:-3], stream[-3:], end=True))
    with kube.watch(PODS, resource_version="1", as_type=Pod) as events:
        assert [event.object.metadata.name for event in events if event.object] == ["a", "b"]
    assert "allowWatchBookmarks=true" in server.asked[0][1]


def test_a_watch_that_is_cut_off_is_told_after_what_came(server: Server, kube: RestKube) -> None:
    server.answers.append(lambda handler: chunks(handler, added("a"), end=False))
    with kube.watch(PODS, resource_version="1", as_type=Pod) as events:
        assert next(events).type == "ADDED"
        with pytest.raises(ClusterUnavailable):
            next(events)


def test_a_silent_watch_times_out(server: Server, kube: RestKube, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "SILENCE_TIMEOUT_S", 0.2)
    released = threading.Event()

    def hang(handler: Any) -> None:
        chunks(handler, added("a"), end=False)
        released.wait(20)

    server.answers.append(hang)
    with kube.watch(PODS, resource_version="1") as events:
        assert next(events).type == "ADDED"
        with pytest.raises(ClusterUnavailable):
            next(events)
    released.set()


def test_an_event_beyond_the_bound_ends_the_watch(
    server: Server, kube: RestKube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "EVENT_MAX_BYTES", 1000)
    server.answers.append(lambda handler: chunks(handler, b"x" * 5000, end=True))
    with kube.watch(PODS, resource_version="1") as events, pytest.raises(ResponseTooLarge):
        next(events)


def test_a_token_shows_in_no_text_about_credentials() -> None:
    assert "secret" not in repr(Credentials("https://127.0.0.1", "Bearer secret", None))
