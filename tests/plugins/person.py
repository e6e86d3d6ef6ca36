"""Somebody who uses a running product over HTTP as a browser does: cookies, CSRF, the same forms."""

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import requests

FORM = {
    "name": "job",
    "image": "registry.berth.internal/busybox:1",
    "command": "sh -c 'echo hello'",
    "script": "",
    "args": "",
    "env": "",
    "cpu_millicores": "10m",
    "memory_mib": "32 MiB",
    "gpus": "0",
    "max_runtime_s": "",
    "retries": "0",
    "template": "",
}
TIMEOUT_S = 30


class Person:
    """A signed-in session."""

    def __init__(self, url: str, name: str, password: str) -> None:
        self.url = url
        self.name = name
        self.session = requests.Session()
        self.session.trust_env = False
        # Browsers take loopback for secure; the library's jar does not, and so never sends our Secure cookies.
        self.session.auth = self._with_cookies
        answer = self.post("/accounts/login/", {"login": name, "password": password})
        assert answer.status_code == 302, f"{name} cannot sign in: {answer.status_code}"

    def get(self, path: str) -> requests.Response:
        """Ask for a page; redirects are not followed."""
        return self.session.get(self.url + path, timeout=TIMEOUT_S, allow_redirects=False)

    def post(self, path: str, fields: Mapping[str, str | Sequence[str]]) -> requests.Response:
        """Send a form with the token of a page that has one; redirects are not followed."""
        token = self._token(path)
        headers = {"Referer": self.url + path}
        return self.session.post(
            self.url + path,
            {**fields, "csrfmiddlewaretoken": token},
            headers=headers,
            timeout=TIMEOUT_S,
            allow_redirects=False,
        )

    def submit(self, tenant: str, **fields: str) -> str:
        """Submit a job and return the workload's id."""
        form = {**FORM, "idempotency_key": str(uuid.uuid4()), **fields}
        answer = self.post(f"/workloads/new/?tenant={tenant}", form)
        assert answer.status_code == 302, f"{answer.status_code}: {_complaints(answer.text)}"
        return urlsplit(answer.headers["Location"]).path.split("/")[2]

    def cancel(self, workload_id: str) -> requests.Response:
        """Cancel a workload."""
        return self.post(f"/workloads/{workload_id}/cancel/", {})

    def ask_for_quota(self, tenant: str, **amounts: str) -> str:
        """Ask for more quota, and return the request's id."""
        answer = self.post(f"/tenants/{tenant}/quota/requests/new/", {"justification": "A deadline.", **amounts})
        assert answer.status_code == 302, f"{answer.status_code}: {_complaints(answer.text)}"
        return urlsplit(answer.headers["Location"]).path.split("/")[5]

    def lines(self, workload_id: str) -> list[list[Any]]:
        """Return every stored line of a workload's log: [seq, time_ms, attempt, pod, container, text, kind]."""
        lines: list[list[Any]] = []
        while True:
            after = lines[-1][0] if lines else 0
            answer = self.get(f"/workloads/{workload_id}/logs/lines/?after={after}&limit=1000")
            assert answer.status_code == 200, answer.status_code
            more = answer.json()["lines"]
            if not more:
                return lines
            lines += more

    def api_key(self, name: str, *scopes: str) -> str:
        """Make an API token of these scopes and return its key."""
        page = self.post("/profile/tokens/", {"name": name, "scopes": scopes, "tenant": "", "days": "7"}).text
        found = re.search(r"berth_[A-Za-z0-9_-]+", page)
        assert found, _complaints(page)
        return found[0]

    def cookie_header(self) -> str:
        """Return the session's cookies as a websocket client sends them."""
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.session.cookies)

    def _with_cookies(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Cookie"] = self.cookie_header()
        return request

    def _token(self, path: str) -> str:
        page = path if not path.endswith("/cancel/") else "/workloads/"
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.get(page).text)
        assert found, f"no form on {page}"
        return found[1]


def _complaints(html: str) -> str:
    return "; ".join(re.findall(r"<span>([^<]+)</span></div></div>", html)) or html[:2000]
