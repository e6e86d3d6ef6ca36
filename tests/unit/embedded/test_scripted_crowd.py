"""How the pods of scripted nodes are told to a cluster: an API that only notes what it hears."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from portal.embedded.kubelet.crilog import LogQuery
from portal.embedded.kubelet.endpoint import LogTarget, NoSuchLog
from portal.embedded.node.api import Reply
from portal.embedded.scriptednode.control import ControlFile
from portal.embedded.scriptednode.crowd import Crowd
from portal.embedded.scriptednode.script import ANNOTATION
from tests.plugins.polling import until

NODE = "scripted-0001"
SOON_S = 10.0


class NotingApi:
    """Stands for the cluster: takes every status and deletion, and notes them by pod."""

    def __init__(self) -> None:
        self.phases: dict[str, list[str]] = {}
        self.removed: list[str] = []
        self.refuse_next = 0

    def patch(self, path: str, body: dict[str, Any], *, kind: str) -> Reply:
        if self.refuse_next:
            self.refuse_next -= 1
            return Reply(0, "away")
        self.phases.setdefault(path.split("/")[-2], []).append(body["status"]["phase"])
        return Reply(200, "{}")

    def delete(self, path: str, *, uid: str, grace_s: int = 0) -> Reply:
        self.removed.append(path.split("/")[-1])
        return Reply(200, "{}")


def pod(name: str, script: dict[str, Any], *, node: str = NODE, **metadata: Any) -> dict[str, Any]:
    annotations = {ANNOTATION: json.dumps({"start_s": 0, **script})}
    return {
        "metadata": {"namespace": "red", "name": name, "uid": f"uid-{name}", "annotations": annotations, **metadata},
        "spec": {
            "nodeName": node, "restartPolicy": "Never", "containers": [{"name": "main", "image": "x", "env": []}],
        },
    }  # fmt: skip


@pytest.fixture
def api() -> NotingApi:
    return NotingApi()


@pytest.fixture
def crowd(api: NotingApi, tmp_path: Path) -> Iterator[Crowd]:
    control = ControlFile(tmp_path / "none.json", say=print)
    playing = Crowd(api, frozenset({NODE}), script_of=control.script_for)  # type: ignore[arg-type]  # what it asks for
    stop = threading.Event()
    thread = threading.Thread(target=playing.run, args=(stop,), kwargs={"workers": 2})
    thread.start()
    yield playing
    stop.set()
    thread.join()


def phases(api: NotingApi, name: str, wanted: list[str]) -> None:
    until(f"{name} is told as {wanted}", lambda: api.phases.get(name) == wanted, timeout_s=SOON_S, every_s=0.01)


def text(crowd: Crowd, name: str, query: LogQuery | None = None) -> bytes:
    target = LogTarget("red", name, "main", previous=False)
    return b"".join(crowd.open_log(target, query or LogQuery()))


def test_each_change_of_a_pod_is_told_once(crowd: Crowd, api: NotingApi) -> None:
    crowd.take(pod("slow", {"start_s": 0.2, "run_s": 0.2}))
    crowd.take(pod("slow", {"start_s": 0.2, "run_s": 0.2}))
    phases(api, "slow", ["Pending", "Running", "Succeeded"])


def test_a_pod_of_another_node_is_left_alone(crowd: Crowd, api: NotingApi) -> None:
    crowd.take(pod("foreign", {}, node="berth-node"))
    crowd.take(pod("ours", {"run_s": 0}))
    phases(api, "ours", ["Succeeded"])
    assert "foreign" not in api.phases


def test_a_status_that_was_not_taken_is_told_again(crowd: Crowd, api: NotingApi) -> None:
    api.refuse_next = 1
    crowd.take(pod("again", {"run_s": 0}))
    phases(api, "again", ["Succeeded"])


def test_a_deleted_pod_ends_and_then_its_object_goes(crowd: Crowd, api: NotingApi) -> None:
    crowd.take(pod("deleted", {"end": "never"}))
    phases(api, "deleted", ["Running"])
    gone = (datetime.now(UTC) + timedelta(seconds=30)).isoformat()
    crowd.take(pod("deleted", {"end": "never"}, deletionTimestamp=gone, deletionGracePeriodSeconds=30))
    phases(api, "deleted", ["Running", "Failed"])
    until("the object goes", lambda: api.removed == ["deleted"], timeout_s=SOON_S)


def test_a_silent_node_says_nothing_and_tells_all_when_it_is_back(crowd: Crowd, api: NotingApi) -> None:
    crowd.take(pod("quiet", {"run_s": 0.3}))
    phases(api, "quiet", ["Running"])
    crowd.silence(frozenset({NODE}))
    with pytest.raises(ConnectionResetError):
        text(crowd, "quiet")
    time.sleep(0.5)  # the time in which it would have told its end
    assert api.phases["quiet"] == ["Running"]
    crowd.silence(frozenset())
    phases(api, "quiet", ["Running", "Succeeded"])


def test_silence_cuts_a_log_that_is_followed(crowd: Crowd, api: NotingApi) -> None:
    crowd.take(pod("followed", {"end": "never"}))
    phases(api, "followed", ["Running"])
    chunks = crowd.open_log(LogTarget("red", "followed", "main", previous=False), LogQuery(follow=True))
    assert next(chunks) == b"line 1 of followed\n"
    crowd.silence(frozenset({NODE}))
    with pytest.raises(ConnectionResetError):
        next(chunks)


def test_a_followed_log_ends_with_its_pod(crowd: Crowd, api: NotingApi) -> None:
    crowd.take(pod("brief", {"run_s": 0.3, "lines_at_start": 2}))
    assert text(crowd, "brief", LogQuery(follow=True)) == b"line 1 of brief\nline 2 of brief\n"


def test_a_pod_that_ended_before_the_start_keeps_its_log_and_is_not_told_again(crowd: Crowd, api: NotingApi) -> None:
    ended = pod("earlier", {"run_s": 1, "lines_at_start": 1})
    ended["status"] = {"phase": "Succeeded", "startTime": "2026-01-01T00:00:00Z"}
    crowd.take(ended)
    assert text(crowd, "earlier") == b"line 1 of earlier\n"
    crowd.take(pod("later", {"run_s": 0}))
    phases(api, "later", ["Succeeded"])
    assert "earlier" not in api.phases


def test_endless_pods_are_ended_at_a_rate_the_oldest_first(crowd: Crowd, api: NotingApi) -> None:
    names = [f"endless-{n}" for n in range(6)]
    for name in names:
        crowd.take(pod(name, {"end": "never", "exit_code": 4}))
    until("all run", lambda: all(api.phases.get(name) == ["Running"] for name in names), timeout_s=SOON_S)
    crowd.end_per_s = 10.0
    until("the oldest has ended", lambda: api.phases[names[0]][-1] == "Failed", timeout_s=SOON_S, every_s=0.01)
    assert api.phases[names[-1]] == ["Running"]
    until("the newest has ended", lambda: api.phases[names[-1]][-1] == "Failed", timeout_s=SOON_S)


def test_a_pod_that_is_gone_has_no_log(crowd: Crowd) -> None:
    there = pod("gone", {})
    crowd.take(there)
    crowd.gone(there)
    with pytest.raises(NoSuchLog):
        text(crowd, "gone")


def test_a_script_that_cannot_be_played_keeps_the_pod_waiting_and_says_why(crowd: Crowd, api: NotingApi) -> None:
    crowd.take(pod("odd", {"end": "soon"}))
    phases(api, "odd", ["Pending"])
    with pytest.raises(NoSuchLog, match="waiting to start"):
        text(crowd, "odd")


def test_a_control_file_that_breaks_changes_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    path = tmp_path / "scripted.json"
    control = ControlFile(path, say=said.append)
    assert not control.look()
    path.write_text('{"silent": ["scripted-0001"]}')
    assert control.look()
    path.write_text('{"silent": [')
    assert not control.look()
    assert control.control.silent == ("scripted-0001",)
    assert len(said) == 1
    path.unlink()
    assert control.look()
    assert not control.control.silent
