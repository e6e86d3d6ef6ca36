"""How long the product takes to start: the first time on a machine, and every other time."""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from portal import env
from tests.bench.figures import spread_s, table
from tests.plugins.polling import until
from tests.plugins.product import Product

COMPILED = ("devcluster",)  # ten minutes of work: a cold start keeps it, as it keeps the virtual environment
WHOLE_TIMEOUT_S = 300.0


@dataclass
class Starts:
    """Seconds from the command to each moment, one entry a start."""

    answers_s: list[float] = field(default_factory=list)
    cluster_s: list[float] = field(default_factory=list)
    docs_s: list[float] = field(default_factory=list)


def measure(*, rounds: int, with_cluster: bool = True) -> str:
    """Return the table of starts: each round is one cold start and, on what it made, one warm start."""
    cold, warm = Starts(), Starts()
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="berth-bench-") as directory, _nearly_empty_cache(Path(directory)):
            arguments = () if with_cluster else ("--no-cluster",)
            product = Product(Path(directory) / "data", *arguments)
            for starts in (cold, warm):
                _start(product, starts, with_cluster=with_cluster)
    rows = [_row("cold", cold, with_cluster=with_cluster), _row("warm", warm, with_cluster=with_cluster)]
    head = ["start", "portal answers, s", "cluster is in step, s", "documentation is there, s", "starts"]
    return table(head, rows)


def _row(name: str, starts: Starts, *, with_cluster: bool) -> list[str]:
    cluster = spread_s(starts.cluster_s) if with_cluster else "not asked for"
    return [name, spread_s(starts.answers_s), cluster, spread_s(starts.docs_s), str(len(starts.answers_s))]


def _start(product: Product, starts: Starts, *, with_cluster: bool) -> None:
    seen: dict[str, float] = {}
    begun = time.monotonic()
    product.start()
    try:
        product.wait_answering()
        starts.answers_s.append(time.monotonic() - begun)

        def is_whole() -> bool:
            if product.state()["children"]["docs"]["state"] == "done":
                seen.setdefault("docs", time.monotonic() - begun)
            if not with_cluster or product.ready().get("state") == "ok":
                seen.setdefault("cluster", time.monotonic() - begun)
            return len(seen) == 2

        until(f"all is there but {seen}", is_whole, timeout_s=WHOLE_TIMEOUT_S)
        starts.docs_s.append(seen["docs"])
        starts.cluster_s.append(seen["cluster"])
    finally:
        product.stop()


@contextlib.contextmanager
def _nearly_empty_cache(directory: Path) -> Iterator[None]:
    """Have a cache with nothing but what takes minutes to compile, for as long as the block runs."""
    real, bare = env.cache_dir(), directory / "cache"
    bare.mkdir()
    for name in COMPILED:
        if (real / name).exists():
            (bare / name).symlink_to(real / name)
    before = os.environ.get("BERTH_CACHE_DIR")
    os.environ["BERTH_CACHE_DIR"] = str(bare)
    try:
        yield
    finally:
        if before is None:
            del os.environ["BERTH_CACHE_DIR"]
        else:
            os.environ["BERTH_CACHE_DIR"] = before
