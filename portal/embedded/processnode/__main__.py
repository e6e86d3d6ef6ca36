"""`python -m portal.embedded.processnode`: one process node, in the foreground, until SIGTERM or its parent's end."""

import argparse
import signal
import sys
import threading
from pathlib import Path

from portal import env
from portal.embedded.errors import StartError
from portal.embedded.node import gpulabels
from portal.embedded.processnode import roots
from portal.embedded.processnode.isolation import why_not
from portal.embedded.processnode.node import NodeSettings, ProcessNode
from portal.embedded.processnode.volumes import remove_volumes


def main(words: list[str] | None = None) -> int:
    """Run the node and return its exit code."""
    options = _parser().parse_args(words)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        _run(options, stop)
    except StartError as exc:
        print(exc, file=sys.stderr, flush=True)
        return 1
    return 0


def _run(options: argparse.Namespace, stop: threading.Event) -> None:
    state_dir: Path = options.state_dir.absolute()
    images = roots.prepare(cache_dir=env.cache_dir(), directory=state_dir / "images", say=_say)
    obstacle = why_not()
    if obstacle:
        _say(f"containers share this machine's file system, with paths rewritten: {obstacle}")
    remove_volumes(state_dir / "pods")  # of pods that ended with an earlier run of this node
    settings = NodeSettings(
        name=options.node_name,
        api_url=options.api_url,
        pki=options.pki.absolute(),
        state_dir=state_dir,
        gpus=options.gpus,
        gpu_product=options.gpu_product,
        isolated=not obstacle,
    )
    ProcessNode(settings, images, say=_say).run(stop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m portal.embedded.processnode", description="The process node.")
    parser.add_argument("--api-url", required=True, help="the API server")
    parser.add_argument("--pki", type=Path, required=True, help="directory with the node's certificates")
    parser.add_argument("--state-dir", type=Path, required=True, help="where pods, logs and images are kept")
    parser.add_argument("--node-name", default="berth-node", help="the node's name, as in its certificate")
    parser.add_argument("--gpus", type=int, default=0, help="how many GPUs the node pretends to have")
    parser.add_argument("--gpu-product", default=gpulabels.PRODUCTS[0], choices=gpulabels.PRODUCTS)
    return parser


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
