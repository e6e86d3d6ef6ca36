"""Health as pages and probes tell it: of the cluster from one row and one file, never by asking it."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from portal.core.models import ClusterStatus, User
from portal.web import health
from portal.web.cluster_health import STALE_AFTER_S, cluster_health

pytestmark = pytest.mark.django_db


@pytest.fixture
def progress_file(tmp_path: Path, settings: Any) -> Path:
    settings.CLUSTER_DIR = tmp_path
    return tmp_path / "progress.json"


def heard(*, reachable_s: float, synced_s: float | None) -> None:
    """Write when the cluster last answered and was last in step, in seconds before now."""
    now = timezone.now()
    synced_at = None if synced_s is None else now - dt.timedelta(seconds=synced_s)
    ClusterStatus.objects.update(reachable_at=now - dt.timedelta(seconds=reachable_s), synced_at=synced_at, problem="")


def test_a_cluster_that_never_answered_is_absent(progress_file: Path) -> None:
    ClusterStatus.objects.update(reachable_at=None, problem="connection refused")
    told = cluster_health()
    assert (told.absent, told.stale, told.since, told.problem) == (True, True, None, "connection refused")
    assert (told.stage, told.stage_detail, told.stage_percent) == ("", "", None)


def test_an_installation_without_a_row_has_no_cluster(progress_file: Path) -> None:
    ClusterStatus.objects.all().delete()
    assert cluster_health().absent


def test_while_it_is_absent_the_start_says_how_far_it_is(progress_file: Path) -> None:
    progress_file.write_text(json.dumps({"stage": "build", "detail": "kube-apiserver", "percent": 40.0}))
    told = cluster_health()
    assert (told.stage, told.stage_detail, told.stage_percent) == ("Compiling Kubernetes, once", "kube-apiserver", 40)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "null", '{"stage": 7, "percent": "many"}', "\udcff"])
def test_a_broken_progress_file_tells_nothing_and_breaks_nothing(progress_file: Path, text: str) -> None:
    progress_file.write_bytes(text.encode(errors="surrogateescape"))
    told = cluster_health()
    assert told.absent
    assert told.stage_percent is None


def test_a_cluster_that_answers_and_is_in_step_is_fresh() -> None:
    heard(reachable_s=1, synced_s=2)
    told = cluster_health()
    assert (told.absent, told.stale, told.since) == (False, False, None)
    assert told.reachable_age_s is not None
    assert told.reachable_age_s < STALE_AFTER_S


@pytest.mark.parametrize(
    ("reachable_s", "synced_s"),
    [(60, 1), (1, 60), (60, 120), (1, None)],
    ids=["away", "behind", "both", "never synced"],
)
def test_old_news_are_stale_since_the_older_of_both(reachable_s: float, synced_s: float | None) -> None:
    heard(reachable_s=reachable_s, synced_s=synced_s)
    told = cluster_health()
    assert (told.absent, told.stale) == (False, True)
    row = ClusterStatus.objects.get()
    assert told.since == min(moment for moment in (row.reachable_at, row.synced_at) if moment)


def test_a_clock_that_was_set_back_makes_no_negative_age() -> None:
    heard(reachable_s=-30, synced_s=-30)
    told = cluster_health()
    assert (told.reachable_age_s, told.synced_age_s, told.stale) == (0.0, 0.0, False)


def test_a_process_that_answers_says_so(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


def test_all_is_well_when_everything_answers(client: Client) -> None:
    heard(reachable_s=0, synced_s=0)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["status"], told["database"], told["broker"]) == ("ok", "ok", "ok")
    assert told["cluster"]["state"] == "ok"


@pytest.mark.parametrize(("reachable_s", "state"), [(60, "stale"), (None, "absent")])
def test_without_a_cluster_the_portal_still_serves(client: Client, reachable_s: float | None, state: str) -> None:
    ClusterStatus.objects.update(reachable_at=None)
    if reachable_s:
        heard(reachable_s=reachable_s, synced_s=reachable_s)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["cluster"]["state"]) == ("degraded", state)


def test_without_a_broker_the_portal_still_serves(client: Client, settings: Any, tmp_path: Path) -> None:
    heard(reachable_s=0, synced_s=0)
    nowhere = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": f"unix://{tmp_path}/none.sock"}
    settings.CACHES = {"default": nowhere}
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["broker"]) == ("degraded", "away")


def test_without_a_database_it_takes_no_visitors(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def cursor(self) -> None:
            raise OperationalError("gone")

    monkeypatch.setattr(health, "connection", Away())
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "down", "database": "away"}


def test_what_a_page_says_of_the_cluster_can_be_asked_alone_and_is_nothing_when_all_is_well(
    client_of: Callable[[User], Client], make_user: Callable[..., User], progress_file: Path
) -> None:
    client = client_of(make_user("reader"))
    ClusterStatus.objects.update(reachable_at=None)
    assert "cluster-absent" in client.get("/cluster-notice/").content.decode()
    heard(reachable_s=1, synced_s=2)
    assert client.get("/cluster-notice/").content.strip() == b""
