"""Measures what docs/performance.md tells, and writes it: `python -m tests.bench [--quick] [--write FILE]`.

Starts products of its own in temporary directories, which go away with it, and stops by itself after half an hour.
"""

import argparse
import contextlib
import signal
import string
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench import lists, live, startup, submit
from tests.bench.machine import this_machine
from tests.plugins.product import running_product

MOST_S = 1800
TEMPLATE = Path(__file__).with_name("performance.md.in")


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    submit_rounds: int = 20
    phase_rounds: int = 15
    viewers: int = 50
    lines: int = 400
    list_sizes: tuple[int, ...] = (1_000, 20_000, 100_000)
    list_rounds: int = 60
    starts: int = 2


QUICK = Sizes(submit_rounds=2, phase_rounds=2, viewers=3, lines=100, list_sizes=(100, 400), list_rounds=7, starts=1)


def figures(sizes: Sizes) -> dict[str, str]:
    """Measure everything, one part after the other, and return the parts of the page."""
    found, before = {"viewers": str(sizes.viewers)}, this_machine()
    with running_product("--demo", "--no-samples") as product, tempfile.TemporaryDirectory() as directory:
        product.wait_cluster()
        with _told("submissions"):
            found["submit"] = submit.measure(product, rounds=sizes.submit_rounds, directory=Path(directory))
        with _told("phases"):
            found["phases"] = live.phases(product, rounds=sizes.phase_rounds, viewers=sizes.viewers)
        with _told("log lines"):
            found["lines"] = live.log_lines(product, lines=sizes.lines)
    with running_product("--demo", "--no-samples", "--no-cluster") as product, _told("lists"):
        found["lists"] = lists.measure(product, sizes=sizes.list_sizes, rounds=sizes.list_rounds)
    with _told("starts"):
        found["starts"] = startup.measure(rounds=sizes.starts)
    return {**found, "machine": before.sentence(this_machine())}


def page(found: dict[str, str]) -> str:
    """Return the page with these figures."""
    return string.Template(TEMPLATE.read_text(encoding="utf-8")).substitute(found)


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    begun = time.monotonic()
    sys.stderr.write(f"{what} …\n")
    yield
    sys.stderr.write(f"{what}: {time.monotonic() - begun:.0f} s\n")


def _stopped(number: int, _frame: object) -> None:
    """End as an error does, so that the products are stopped on the way out."""
    why = f"they took more than {MOST_S} s" if number == signal.SIGALRM else "a signal came"
    raise SystemExit(f"The measurements were stopped: {why}.")


def main() -> None:
    """Measure and write."""
    options = argparse.ArgumentParser(description="Measure what docs/performance.md tells.")
    options.add_argument("--quick", action="store_true", help="a few rounds, to see that it works")
    options.add_argument("--write", type=Path, help="write the page there; otherwise it is printed")
    chosen = options.parse_args()
    for number in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stopped)
    signal.alarm(MOST_S)
    written = page(figures(QUICK if chosen.quick else Sizes()))
    if chosen.write:
        chosen.write.write_text(written, encoding="utf-8")
    else:
        sys.stdout.write(written)


if __name__ == "__main__":
    main()
