"""The product with more processes than `up` starts: two web processes and two queues that both admit.

The second queue leads under a lease of its own, so neither keeps the other from ticking, and each has its fence.
"""

import contextlib
import itertools
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psycopg
import requests

from portal.embedded.tether import tethered
from tests.plugins.polling import until
from tests.plugins.product import ROOT, Product, free_port

TIMEOUT_S = 60.0
SCOPES = ("read", "submit", "manage")
KEYS = 4  # by turns, since each may call only so often a minute
TRIES = 8
PAUSE_S = 1.0
# What a web process logs of an answer that could not be given. Another reason is a processor that others use: a request
# that has waited for a connection for 5 s is answered with 503 as well.
CONFLICTS = re.compile(r"database away.*(?:deadlock|serialize|injected).*")
_QUEUE = (
    "from portal.core.processes import run_leader\n"
    "from workloads.management.commands.run_queue import lead\n"
    "run_leader('queue-beside', lead)\n"
)
# What no state of the database may show: a row beyond its bounds, one that is not what attempts hold, an overhang that
# is none. One statement, so one state.
_WRONG = """
WITH held AS (
  SELECT a.tenant_id, e.key, sum(e.value::bigint) AS amount
  FROM workloads_attempt a CROSS JOIN LATERAL jsonb_each_text(a.holds) AS e WHERE NOT a.settled GROUP BY 1, 2),
lines AS (
  SELECT n.slug, n.cohort_id, q.*, t.key, COALESCE(h.amount, 0) AS held FROM tenants_quotaline q
  JOIN tenants_tenant n ON n.id = q.tenant_id JOIN tenants_resourcetype t ON t.id = q.type_id
  LEFT JOIN held h ON h.tenant_id = q.tenant_id AND h.key = t.key),
members AS (
  SELECT cohort_id, type_id, sum(lend_limit) AS lends, sum(GREATEST(0, used - (nominal - lend_limit))) AS pooled
  FROM lines WHERE cohort_id IS NOT NULL GROUP BY 1, 2)
SELECT slug, key, used, nominal + borrow_limit, overhang, held FROM lines
WHERE used <> held OR used > nominal + borrow_limit + overhang
  OR overhang <> GREATEST(0, used - nominal - borrow_limit)
UNION ALL
SELECT c.name, t.key, p.used, p.lendable, p.overhang, COALESCE(m.pooled, 0) FROM tenants_poolline p
JOIN tenants_cohort c ON c.id = p.cohort_id JOIN tenants_resourcetype t ON t.id = p.type_id
LEFT JOIN members m ON m.cohort_id = p.cohort_id AND m.type_id = p.type_id
WHERE p.used <> COALESCE(m.pooled, 0) OR p.lendable <> COALESCE(m.lends, 0) OR p.used > p.lendable + p.overhang
  OR p.overhang <> GREATEST(0, p.used - p.lendable)
"""


class Rest:
    """REST from many threads, by turns to each web process; counts every answer.

    A 503, "try again shortly", is asked again under the same key, as it is meant; 500 is a failure.
    """

    def __init__(self, urls: Sequence[str], keys: Sequence[str]) -> None:
        self.answers: Counter[int] = Counter()
        self._ways = itertools.cycle(itertools.product(keys, urls))
        self._lock = threading.Lock()
        self._local = threading.local()

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None, *, may_be_late: bool = False) -> Any:
        """Return what is answered; `may_be_late`: 409 is as good, since what was asked for has happened already."""
        with self._lock:
            key, url = next(self._ways)
        headers = {"Authorization": f"Token {key}", "Idempotency-Key": str(uuid.uuid4())}
        for _ in range(TRIES):
            answer = self._session().request(
                method, f"{url}/api/v1/{path}", json=body, headers=headers, timeout=TIMEOUT_S
            )
            with self._lock:
                self.answers[answer.status_code] += 1
            if answer.status_code != 503:
                break
            time.sleep(PAUSE_S)
        good = (200, 201, 409) if may_be_late else (200, 201)
        assert answer.status_code in good, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False
        found: requests.Session = self._local.session
        return found


@dataclass
class Sampler:
    """Reads the ledger without a pause while a block runs: `wrong` are rows that no state of it may show."""

    product: Product
    samples: int = 0
    wrong: list[tuple[Any, ...]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._read, name="sampler", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(TIMEOUT_S)

    def check(self) -> None:
        """Fail where something was wrong, or where nothing was read since the last time."""
        assert self.wrong == []
        before = self.samples
        until("the ledger is read", lambda: self.samples > before, timeout_s=TIMEOUT_S, every_s=0.01)

    def _read(self) -> None:
        with psycopg.connect(self.product.settings()["DATABASE_URL"], autocommit=True) as connection:
            while not self._stop.wait(0.02):
                self.wrong += connection.execute(_WRONG).fetchall()
                self.samples += 1


@dataclass(frozen=True)
class Field:
    """A product with two web processes, told of by `rest`, and a second queue, `queue`."""

    product: Product
    rest: Rest
    queue: subprocess.Popen[bytes]
    logs: Path

    def log(self, name: str) -> str:
        """Return what both processes of a kind have printed: web or queue."""
        return self.product.log(name) + (self.logs / name).read_text(errors="replace")

    def check(self) -> None:
        """Fail where the ledger is wrong now, or where somebody was told of a conflict in the database."""
        checked = self.product.berth("ledger", "check")
        assert (checked.returncode, checked.stdout.strip()) == (0, "0 differences"), checked.stdout
        assert CONFLICTS.findall(self.log("web")) == []


@contextlib.contextmanager
def doubled(product: Product) -> Iterator[Field]:
    """Start a second web process and a second queue of a running product."""
    url = f"http://127.0.0.1:{free_port()}"
    web = ["-m", "uvicorn", "portal.asgi:application", "--no-access-log", "--port", url.rpartition(":")[2]]
    with tempfile.TemporaryDirectory(prefix="berth-beside-") as directory:
        logs = Path(directory)
        with (
            _beside(product, logs / "web", *web),
            _beside(product, logs / "queue", str(ROOT / "manage.py"), "shell", "--no-imports", "-c", _QUEUE) as queue,
        ):
            until("the second web process answers", lambda: _answers(url), timeout_s=TIMEOUT_S)
            until("the second queue leads", lambda: "lease_taken" in (logs / "queue").read_text(), timeout_s=TIMEOUT_S)
            admin = product.person("admin")
            keys = [admin.api_key(f"rounds-{n}", *SCOPES) for n in range(KEYS)]
            yield Field(product, Rest([product.url, url], keys), queue, logs)


@contextlib.contextmanager
def _beside(product: Product, log: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run Python with the environment that the product's own processes have."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with log.open("wb") as said:
        process = subprocess.Popen(
            tethered([sys.executable, "-P", *words]),
            cwd=ROOT,
            env={**kept, **product.settings(), "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
