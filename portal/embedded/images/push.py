"""Pushes packed images to a plain registry. Run as a file inside the node's network, so it imports nothing of ours.

Use: push.py REGISTRY_URL NAME=VERSION=DIRECTORY...
"""

import json
import sys
import time
import urllib.error
import urllib.request
from http.client import HTTPResponse
from pathlib import Path

_WAIT_S = 30.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def wait_for(url: str) -> None:
    """Wait until the registry answers. Raises OSError when it does not."""
    deadline = time.monotonic() + _WAIT_S
    while True:
        try:
            _call("GET", f"{url}/v2/")
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def push(url: str, name: str, version: str, directory: Path) -> None:
    """Push one image, blob by blob; what the registry has already is not sent. Raises OSError."""
    content = (directory / "manifest.json").read_bytes()
    manifest = json.loads(content)
    if _exists(f"{url}/v2/{name}/manifests/{version}", accept=manifest["mediaType"]):
        return
    for digest in (manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])):
        if not _exists(f"{url}/v2/{name}/blobs/{digest}"):
            _upload(f"{url}/v2/{name}/blobs/uploads/", digest, directory / digest.partition(":")[2])
    _call("PUT", f"{url}/v2/{name}/manifests/{version}", body=content, kind=manifest["mediaType"])


def _upload(url: str, digest: str, blob: Path) -> None:
    location = _call("POST", url, body=b"").headers["Location"]
    joint = "&" if "?" in location else "?"
    request = urllib.request.Request(f"{location}{joint}digest={digest}", method="PUT")  # noqa: S310 - our registry
    request.add_header("Content-Type", "application/octet-stream")
    request.add_header("Content-Length", str(blob.stat().st_size))
    with blob.open("rb") as stream:
        request.data = stream
        with _OPENER.open(request, timeout=120):
            pass


def _exists(url: str, *, accept: str = "*/*") -> bool:
    try:
        _call("HEAD", url, accept=accept)
    except urllib.error.HTTPError as exc:
        if exc.code == 404:
            return False
        raise
    return True


def _call(
    method: str, url: str, *, body: bytes | None = None, kind: str = "application/octet-stream", accept: str = "*/*"
) -> HTTPResponse:
    headers = {"Accept": accept, **({"Content-Type": kind} if body is not None else {})}
    request = urllib.request.Request(url, data=body, method=method, headers=headers)  # noqa: S310 - our registry
    answer: HTTPResponse
    with _OPENER.open(request, timeout=30) as answer:
        answer.read()
        return answer


def main(arguments: list[str]) -> int:
    """Push every image named on the command line; say in one line what failed."""
    url, *images = arguments
    try:
        wait_for(url)
        for image in images:
            name, version, directory = image.split("=", 2)
            push(url, name, version, Path(directory))
    except OSError as exc:
        sys.stderr.write(f"the registry at {url} did not take the images: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
