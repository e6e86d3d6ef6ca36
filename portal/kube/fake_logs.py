"""Container output held in memory, behind the Protocol of the real log source. For tests; one event loop only."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime

from portal.kube.errors import ClusterUnavailable, KubeError, NotFound
from portal.kube.lines import LineSplitter, parse_line

_Key = tuple[str, str, str, bool]


@dataclass
class _Output:
    chunks: list[bytes] = field(default_factory=list)
    ended: bool = False


class FakeLogSource:
    """Output by (namespace, pod, container, previous). Lines are written with their timestamps."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, str, str, datetime | None]] = []
        self._outputs: dict[_Key, _Output] = {}
        self._errors: deque[KubeError] = deque()
        self._changed = asyncio.Condition()
        self._cut_count = 0

    def fail_next(self, error: KubeError, *, times: int = 1) -> None:
        """Make the next calls of `follow` raise."""
        self._errors.extend([error] * times)

    async def write(self, namespace: str, pod: str, container: str, *lines: bytes, previous: bool = False) -> None:
        """Append lines such as `b"2026-01-01T00:00:00.5Z text"` and wake the readers."""
        output = self._outputs.setdefault((namespace, pod, container, previous), _Output())
        output.chunks.extend(line + b"\n" for line in lines)
        await self._wake()

    async def end(self, namespace: str, pod: str, container: str, *, previous: bool = False) -> None:
        """End a container's output: readers finish once they have read it all."""
        self._outputs.setdefault((namespace, pod, container, previous), _Output()).ended = True
        await self._wake()

    async def remove(self, namespace: str, pod: str, container: str, *, previous: bool = False) -> None:
        """Forget a container: `follow` raises NotFound."""
        self._outputs.pop((namespace, pod, container, previous), None)
        await self._wake()

    async def cut_all(self) -> None:
        """Cut every open stream: its reader gets ClusterUnavailable."""
        self._cut_count += 1
        await self._wake()

    async def follow(
        self,
        *,
        namespace: str,
        pod: str,
        container: str,
        since: datetime | None = None,
        previous: bool = False,
        follow: bool = True,
    ) -> AsyncGenerator[bytes, None]:
        """Yield lines as the real source does: cut at 64 KiB, `since` rounded down to the second."""
        self.opened.append((namespace, pod, container, since))
        if self._errors:
            raise self._errors.popleft()
        output = self._outputs.get((namespace, pod, container, previous))
        if output is None:
            raise NotFound(f'pods "{pod}" not found')
        splitter = LineSplitter()
        async for chunk in self._chunks(output, follow):
            for line in splitter.feed(chunk):
                if _is_wanted(line, since):
                    yield line

    async def aclose(self) -> None:
        """Hold nothing open."""

    async def _chunks(self, output: _Output, follow: bool) -> AsyncIterator[bytes]:
        position, cut_count = 0, self._cut_count
        while True:
            while position < len(output.chunks):
                position += 1
                yield output.chunks[position - 1]
                if self._cut_count != cut_count:
                    raise ClusterUnavailable("the log stream was cut off")
            if output.ended or not follow:
                return
            async with self._changed:
                await self._changed.wait_for(self._news(output, position, cut_count))
            if self._cut_count != cut_count:
                raise ClusterUnavailable("the log stream was cut off")

    def _news(self, output: _Output, position: int, cut_count: int) -> Callable[[], bool]:
        return lambda: position < len(output.chunks) or output.ended or self._cut_count != cut_count

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _is_wanted(line: bytes, since: datetime | None) -> bool:
    time_ns = parse_line(line).time_ns
    if since is None or time_ns is None:
        return True
    return time_ns >= int(since.timestamp()) * 1_000_000_000
