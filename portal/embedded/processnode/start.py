"""Turns a container of a pod into a running process: image, environment, volumes, log. Says what stands in the way."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from portal.embedded.kubelet.crilog import LogQuery, LogWriter, read_log
from portal.embedded.kubelet.podstatus import EPOCH, ContainerRecord, Running, Terminated
from portal.embedded.processnode.containers import Container, Ended, Runner
from portal.embedded.processnode.environment import command_of, environment_of
from portal.embedded.processnode.launch import Launch, Mount, mounts_of, user_of
from portal.embedded.processnode.roots import ImageRoot, find, not_found
from portal.embedded.processnode.volumes import Objects
from portal.kube.quantity import parse_quantity

RUNTIME = "berth-process"
_MESSAGE_BYTES = 2048
_WRITTEN_BYTES = 4096
_MESSAGE_LINES = 80
_TERMINATION_LOG = "/dev/termination-log"


class ImageMissing(Exception):
    """The node does not have an image; `reason` is what a kubelet says."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class Has(Protocol):
    """The part of the node that starting a container needs."""

    @property
    def runner(self) -> Runner:
        """Return what starts processes."""

    @property
    def images(self) -> list[ImageRoot]:
        """Return the images that there are."""


@dataclass
class Starter:
    """Starts the containers of one pod."""

    pod: dict[str, Any]
    places: Path
    scratch: Path
    services: Has

    def __post_init__(self) -> None:
        self._logs: dict[str, Path] = {}
        self._messages: dict[str, Path] = {}

    def start(
        self,
        container: Mapping[str, Any],
        *,
        run: int,
        volumes: Mapping[str, Path],
        objects: Objects,
        on_end: Callable[[Ended], None],
    ) -> tuple[Container, ImageRoot]:
        """Start a container. Raises ImageMissing, MissingObject, CannotStart, KeyError, OSError."""
        image = self._image(container)
        directory = self.scratch / f"{container['name']}-{run}"
        launch = self._launch(container, image, volumes, objects, directory)
        log_path = log_file(self.places, container["name"], run)
        log = LogWriter(log_path, clock_ns=time.time_ns)
        self._logs[container["name"]] = log_path
        try:
            running = self.services.runner.start(
                launch, directory=directory, log=log, memory_bytes=memory_limit(container), on_end=on_end
            )
        except Exception:
            log.close()
            raise
        return running, image

    def ended(self, container: Mapping[str, Any], record: ContainerRecord, ended: Ended) -> Terminated:
        """Return the end of a container's latest run as its status tells it."""
        said = self._messages[container["name"]].read_bytes()[:_WRITTEN_BYTES].decode(errors="replace")
        falls_back = container.get("terminationMessagePolicy") == "FallbackToLogsOnError"
        if not said and falls_back and ended.exit_code:
            said = _last_words(self._logs[container["name"]])
        return ended_state(record, ended, message=said)

    def _image(self, container: Mapping[str, Any]) -> ImageRoot:
        reference = container["image"]
        image = find(reference, self.services.images)
        if image is None and container.get("imagePullPolicy") == "Never":
            raise ImageMissing(f'Container image "{reference}" is not present', reason="ErrImageNeverPull")
        if image is None:
            raise ImageMissing(not_found(reference, self.services.images), reason="ErrImagePull")
        return image

    def _launch(
        self,
        container: Mapping[str, Any],
        image: ImageRoot,
        volumes: Mapping[str, Path],
        objects: Objects,
        directory: Path,
    ) -> Launch:
        base = dict(word.partition("=")[::2] for word in image.config.get("Env", []))
        env = environment_of(self.pod, container, base=base, lookup=objects.text)
        directory.mkdir(parents=True, exist_ok=True)
        message = Mount(directory / "termination-log", container.get("terminationMessagePath", _TERMINATION_LOG), False)
        message.source.touch()
        self._messages[container["name"]] = message.source
        uid, gid = user_of(self.pod, container)
        return Launch(
            image=image,
            argv=command_of(container, image=image.config, env=env),
            env=env,
            working_dir=container.get("workingDir") or image.config.get("WorkingDir") or "/",
            mounts=[*mounts_of(container, volumes), message],
            hostname=self.pod["metadata"]["name"][:63],
            uid=uid,
            gid=gid,
        )


def log_file(places: Path, container: str, run: int) -> Path:
    """Return where the log of a container's `run`th run lies."""
    return places / container / f"{run}.log"


def id_of(pod: Mapping[str, Any], container: str, run: int) -> str:
    """Return the id of one run of a container, as a runtime would make one."""
    words = f"{pod['metadata']['uid']}/{container}/{run}"
    return f"{RUNTIME}://{hashlib.sha256(words.encode()).hexdigest()}"


def memory_limit(container: Mapping[str, Any]) -> int:
    """Return how many bytes a container may hold; 0 for no limit."""
    limit = (container.get("resources", {}).get("limits") or {}).get("memory")
    return int(parse_quantity(str(limit))) if limit else 0


def ended_state(record: ContainerRecord, ended: Ended, *, message: str) -> Terminated:
    """Return the end of a container as its status tells it."""
    killed_for_memory = ended.out_of_memory and ended.exit_code == 137
    return Terminated(
        exit_code=ended.exit_code,
        reason="OOMKilled" if killed_for_memory else "Completed" if ended.exit_code == 0 else "Error",
        started_at=record.state.started_at if isinstance(record.state, Running) else EPOCH,
        finished_at=ended.finished_at,
        message=message,
        container_id=record.container_id,
    )


def _last_words(log: Path) -> str:
    text = b"".join(read_log(log, LogQuery(tail_lines=_MESSAGE_LINES)))
    return text[-_MESSAGE_BYTES:].decode(errors="replace")
