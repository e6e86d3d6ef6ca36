"""A few plain requests to the cluster's API as its administrator, before any client library is there."""

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

_FIELD_MANAGER = "berth-node"


@dataclass(frozen=True)
class Reply:
    """An answer of the API server; status 0 means that it could not be reached."""

    status: int
    text: str

    @property
    def body(self) -> dict[str, Any]:
        """Return the decoded object."""
        decoded: dict[str, Any] = json.loads(self.text)
        return decoded


class Api:
    """The API server at an URL, asked as the administrator whose keys lie in `pki`."""

    def __init__(self, url: str, *, pki: Path, timeout_s: float = 5.0) -> None:
        self.url = url
        self._pki = pki
        self._timeout_s = timeout_s

    def is_ready(self) -> bool:
        """Ask whether the server says of itself that it can serve."""
        return self.request("GET", "/readyz").status == 200

    def get(self, path: str) -> Reply:
        """Read an object or a list."""
        return self.request("GET", path)

    def apply(self, path: str, manifest: dict[str, Any]) -> Reply:
        """Create or update the object at its path by server-side apply."""
        query = f"?fieldManager={_FIELD_MANAGER}&force=true"
        return self.request("PATCH", path + query, manifest, content_type="application/apply-patch+yaml")

    def request(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, content_type: str = "application/json"
    ) -> Reply:
        """Send a request; a server that can't be reached is a reply with status 0."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data=data, method=method)  # noqa: S310 - always https
        request.add_header("Accept", "application/json, */*")
        if data is not None:
            request.add_header("Content-Type", content_type)
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                return Reply(answer.status, answer.read().decode(errors="replace"))
        except urllib.error.HTTPError as exc:
            with exc:
                return Reply(exc.code, exc.read().decode(errors="replace"))
        except OSError as exc:
            return Reply(0, str(exc))

    @cached_property
    def _opener(self) -> urllib.request.OpenerDirector:
        context = ssl.create_default_context(cafile=str(self._pki / "ca.crt"))
        context.load_cert_chain(self._pki / "admin.crt", self._pki / "admin.key")
        # Never by a proxy of the environment: the cluster is on this machine.
        return urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
