"""Brings the images into the node's registry while the control plane starts: a thread of its own, asked when done."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from portal import env
from portal.embedded.errors import StartError
from portal.embedded.images import build, push
from portal.embedded.images.oci import Image
from portal.embedded.node.configs import REGISTRY_URL, RUNTIME_SOCKET
from portal.embedded.node.inside import run_inside

_PUSH_TIMEOUT_S = 180.0
_PUSH_FILE = str(Path(push.__file__))


class ImageStore:
    """Makes the images, pushes them, and writes their references where the portal reads them."""

    def __init__(self, *, images_file: Path, registries_dir: Path, say: Callable[[str], None]) -> None:
        self._images_file = images_file
        self._registries_dir = registries_dir
        self._say = say
        self._cache_dir = env.cache_dir()
        self._done: Future[None] | None = None

    def prepare(self) -> Image:
        """Make the one image that the runtime's configuration names. Raises StartError."""
        return build.pause(cache_dir=self._cache_dir, say=self._say)

    def start(self, pause: Image, *, holder_pid: int, ctr: Path) -> None:
        """Make the others and push all in the background."""
        self._done = Future()
        # A daemon: a stop of the node must not wait for an image.
        threading.Thread(
            target=self._work, args=(self._done, pause, holder_pid, ctr), name="images", daemon=True
        ).start()

    def is_done(self) -> bool:
        """Ask whether the images can be pulled. Raises StartError when they never will."""
        if self._done is None or not self._done.done():
            return False
        self._done.result()
        return True

    def _work(self, done: Future[None], pause: Image, holder_pid: int, ctr: Path) -> None:
        try:
            self._publish(pause, holder_pid)
        except StartError as exc:
            done.set_exception(exc)
        except (OSError, subprocess.SubprocessError) as exc:
            done.set_exception(StartError(f"The images could not be made: {exc}"))
        else:
            done.set_result(None)
            self._warm_up(holder_pid, ctr)

    def _warm_up(self, holder_pid: int, ctr: Path) -> None:
        """Pull the largest image already: the first job would otherwise wait for it. A failure costs only that wait."""
        reference = json.loads(self._images_file.read_text())["python"]
        pull = [str(ctr), "--address", RUNTIME_SOCKET, "--namespace", "k8s.io", "images", "pull", "--hosts-dir"]
        try:
            done = run_inside([*pull, str(self._registries_dir), reference], holder_pid=holder_pid, timeout_s=120.0)
        except subprocess.TimeoutExpired:
            self._say("the python image was not pulled beforehand: it took too long")
            return
        if done.returncode != 0:
            self._say(f"the python image was not pulled beforehand: {done.stderr.strip()}")

    def _publish(self, pause: Image, holder_pid: int) -> None:
        made = [
            pause,
            build.busybox(cache_dir=self._cache_dir, say=self._say),
            build.python(cache_dir=self._cache_dir, say=self._say),
        ]
        # By version for whoever looks it up, and by a name that is known before the images are made.
        words = [f"{image.name}={tag}={image.directory}" for image in made for tag in (image.version, "latest")]
        try:
            done = run_inside(
                [sys.executable, "-I", _PUSH_FILE, REGISTRY_URL, *words],
                holder_pid=holder_pid,
                mounts=False,
                timeout_s=_PUSH_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired as exc:
            raise StartError(f"The images could not be pushed within {_PUSH_TIMEOUT_S:.0f} s.") from exc
        if done.returncode != 0:
            raise StartError(f"The images could not be pushed: {done.stderr.strip()}")
        references = {image.name: image.reference for image in made}
        unfinished = self._images_file.with_suffix(".new")
        unfinished.write_text(json.dumps(references, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(self._images_file)
