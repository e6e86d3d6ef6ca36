"""P1: from a submission to the Job at the API server, against `kubectl create` of the same Job in the same rounds."""

import copy
import json
import re
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from portal import env
from portal.embedded.cluster.build import cached_path
from tests.bench.apiserver import ApiServer
from tests.bench.figures import milliseconds, ratio, table
from tests.plugins.person import FORM
from tests.plugins.polling import until
from tests.plugins.product import Product

TENANT = "vision"
NAMESPACE = f"berth-{TENANT}"
JOBS = "/apis/batch/v1/jobs"
SEEN_TIMEOUT_S = 60.0
ROUND_TIMEOUT_S = 90.0
WAYS = ("page", "rest", "kubectl", "kept")
_TITLES = {
    "page": "the form of the portal",
    "rest": "`POST /api/v1/tenants/…/workloads/`",
    "kubectl": "`kubectl create -f`",
    "kept": "one kept connection to the API server",
}
_FORM_PATH = f"/workloads/new/?tenant={TENANT}"


@dataclass
class Timed:
    """What one way took in each round, in seconds: until it answered, and until the API server told of the Job."""

    answered_s: list[float] = field(default_factory=list)
    created_s: list[float] = field(default_factory=list)


class Births:
    """When the watch heard of each Job, by what it is called after: a workload's id or a name of ours."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._news = threading.Condition()

    def hear(self, kind: str, job: dict[str, Any], moment: float) -> None:
        """Note a new Job."""
        if kind == "ADDED":
            labels = job["metadata"].get("labels") or {}
            with self._news:
                self._at[labels.get("berth.dev/workload", job["metadata"]["name"])] = moment
                self._news.notify_all()

    def wait(self, name: str) -> float:
        """Return when a Job was heard of. Raises TimeoutError after a minute."""
        with self._news:
            if not self._news.wait_for(lambda: name in self._at, SEEN_TIMEOUT_S):
                raise TimeoutError(f"no Job of {name}")
            return self._at[name]


class Bench:
    """The four ways to the same Job."""

    def __init__(self, product: Product, api: ApiServer, directory: Path) -> None:
        self.timed = {way: Timed() for way in WAYS}
        self._product = product
        self._dev = product.person("dev")
        self._api = api
        self._births = Births()
        self._file = directory / "job.json"
        self._image = product.image("busybox")
        self._form_token = _field(self._dev.get(_FORM_PATH).text, "csrfmiddlewaretoken")
        self._rest = requests.Session()
        self._rest.trust_env = False
        self._rest.headers["Authorization"] = f"Token {self._dev.api_key('bench', 'submit')}"
        self._template: dict[str, Any] = {}

    def run(self, rounds: int) -> None:
        """Take all ways in turn, `rounds` times, after one time of each that is not counted."""
        with self._api.watching(JOBS, self._births.hear):
            workload = self._by_page()
            self._births.wait(workload)
            found = self._api.request("GET", f"{JOBS}?labelSelector=berth.dev/workload={workload}")["items"]
            self._template = baseline_job(found[0])
            self._settle()
            self._round()
            self.timed = {way: Timed() for way in WAYS}
            for _ in range(rounds):
                self._round()

    def _round(self) -> None:
        for way, timed in self.timed.items():
            take = {"page": self._by_page, "rest": self._by_rest, "kubectl": self._by_kubectl, "kept": self._by_kept}
            begun = time.monotonic()
            name = take[way]()
            timed.answered_s.append(time.monotonic() - begun)
            timed.created_s.append(self._births.wait(name) - begun)
            self._settle()

    def _settle(self) -> None:
        """Wait until no Job is active, so that no pod is started while something else is timed."""
        until("all Jobs have ended", self._is_idle, timeout_s=ROUND_TIMEOUT_S, every_s=0.2)

    def _is_idle(self) -> bool:
        jobs = self._api.request("GET", f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs")["items"]
        return all(job.get("status", {}).get("conditions") for job in jobs)

    def _by_page(self) -> str:
        """Send the form as a browser does; the form was opened before."""
        wanted = {"name": "bench", "image": self._image, "command": "true", "idempotency_key": str(uuid.uuid4())}
        answer = self._dev.session.post(
            self._product.url + _FORM_PATH,
            {**FORM, **wanted, "csrfmiddlewaretoken": self._form_token},
            headers={"Referer": self._product.url + _FORM_PATH},
            timeout=SEEN_TIMEOUT_S,
            allow_redirects=False,
        )
        if answer.status_code != 302:
            raise RuntimeError(f"the form was answered with {answer.status_code}")
        return urlsplit(answer.headers["Location"]).path.split("/")[2]

    def _by_rest(self) -> str:
        sizes = {"cpu_millicores": 10, "memory_mib": 32, "gpu": {"count": 0}}
        answer = self._rest.post(
            f"{self._product.url}/api/v1/tenants/{TENANT}/workloads/",
            json={"name": "bench", "image": self._image, "command": ["true"], "resources": sizes},
            headers={"Idempotency-Key": str(uuid.uuid4())},
            timeout=SEEN_TIMEOUT_S,
        )
        answer.raise_for_status()
        return str(answer.json()["id"])

    def _by_kubectl(self) -> str:
        manifest = self._named()
        self._file.write_text(json.dumps(manifest))
        program = str(cached_path(cache_dir=env.cache_dir()))
        options = ("--kubeconfig", str(self._product.admin_kubeconfig))
        subprocess.run([program, "kubectl", *options, "create", "-f", str(self._file)], check=True, capture_output=True)
        return str(manifest["metadata"]["name"])

    def _by_kept(self) -> str:
        manifest = self._named()
        self._api.request("POST", f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs", manifest)
        return str(manifest["metadata"]["name"])

    def _named(self) -> dict[str, Any]:
        manifest = copy.deepcopy(self._template)
        manifest["metadata"]["name"] = f"bench-{uuid.uuid4().hex[:10]}"
        return manifest


def measure(product: Product, *, rounds: int, directory: Path) -> str:
    """Return the table of P1; it takes about ten seconds a round."""
    with ApiServer(product.admin_kubeconfig) as api:
        bench = Bench(product, api, directory)
        bench.run(rounds)
    theirs = bench.timed["kubectl"].created_s
    rows = [
        [
            _TITLES[way],
            *milliseconds(timed.answered_s)[:2],
            *milliseconds(timed.created_s),
            ratio(timed.created_s, theirs),
        ]
        for way, timed in bench.timed.items()
    ]
    head = ["way", "answer p50, ms", "p99", "Job at the API server p50, ms", "p99", "rounds", "to `kubectl create`"]
    return table(head, rows)


def baseline_job(job: dict[str, Any]) -> dict[str, Any]:
    """Return the same Job without what makes it Berth's, so that Berth takes no notice of the copy."""
    pod = copy.deepcopy(job["spec"]["template"])
    pod["metadata"] = {"labels": {"app": "bench"}}
    kept = {"parallelism", "completions", "completionMode", "backoffLimit", "podReplacementPolicy"}
    spec = {name: value for name, value in job["spec"].items() if name in kept}
    metadata = {"namespace": NAMESPACE, "labels": {"app": "bench"}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {**spec, "template": pod}}


def _field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    if found is None:
        raise RuntimeError(f"the page has no field {name}")
    return found[1]
