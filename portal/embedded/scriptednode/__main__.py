"""`python -m portal.embedded.scriptednode`: scripted nodes, in the foreground, until SIGTERM or Ctrl-C."""

import argparse
import signal
import sys
import threading
from pathlib import Path

from portal.embedded.node import gpulabels
from portal.embedded.scriptednode.nodes import CrowdSettings, ScriptedNodes

# Each log that is followed has a thread, of which there may be thousands; they call nothing deep.
_STACK_BYTES = 256 * 1024


def main(words: list[str] | None = None) -> int:
    """Run the nodes and return the exit code."""
    options = _parser().parse_args(words)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.stack_size(_STACK_BYTES)
    settings = CrowdSettings(**{**vars(options), "pki": options.pki.absolute()})
    ScriptedNodes(settings, say=_say).run(stop)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m portal.embedded.scriptednode", description="Scripted nodes.")
    parser.add_argument("--count", type=int, required=True, help="how many nodes")
    parser.add_argument("--api-url", required=True, help="the API server")
    parser.add_argument("--pki", type=Path, required=True, help="directory with the cluster's certificates")
    parser.add_argument("--control-file", type=Path, required=True, help="JSON: scripts of pods, silent nodes")
    parser.add_argument("--cpus", type=int, default=CrowdSettings.cpus, help="processor cores of each node")
    parser.add_argument("--memory-mib", type=int, default=CrowdSettings.memory_mib, help="memory of each node")
    parser.add_argument("--pods", type=int, default=CrowdSettings.pods, help="how many pods each node takes")
    parser.add_argument("--gpus", type=int, default=0, help="how many GPUs each node has")
    parser.add_argument("--gpu-product", default=gpulabels.PRODUCTS[0], choices=gpulabels.PRODUCTS)
    return parser


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
