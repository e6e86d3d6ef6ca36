"""`python -m gpu.bench [--folder DIR] [--traces NAME …] [--seeds N] [--json] …`: ours beside published policies.

Without a folder (or BERTH_TRACE_DIR) the cluster that is made here is replayed. Every policy gets the same cluster and
requests in the same order; ours has its nodes in another order for each seed, the others in that of their names.
Changes hold for all policies alike, and are drawn anew for each seed. Devices that turn sick stay part of the cluster
in all figures. Figures of one machine: look at the ratios and differences, which are taken seed by seed.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from gpu.bench.bound import NoSolver
from gpu.bench.contest import FIRST_SEED, Contest
from gpu.bench.figures import Report, churning, filling, repacking, scaling
from gpu.bench.perturb import Changes
from gpu.bench.traces import Trace, made_here, read_trace, traces_in

NO_DATA, NO_SOLVER = 3, 4


def main(words: list[str]) -> int:
    """Replay what is asked for and print it; return the exit status: 3 without the data, 4 without scipy."""
    parser = _parser()
    asked = parser.parse_args(words)
    contest = _contest(asked)
    if asked.churn and contest.changes.in_mid_run:
        parser.error("--sick, --shift and --gangs are of runs that fill a cluster: not with --churn")
    if asked.scale and asked.repack:
        parser.error("--repack is of runs that fill a cluster or that --churn: not with --scale")
    folder = Path(asked.folder) if asked.folder else None
    if folder is not None and not traces_in(folder):
        sys.stderr.write(f"No traces in {folder}: it has no openb_pod_list_*.csv.\n")
        return NO_DATA
    names = (asked.traces or traces_in(folder)) if folder else [""]
    told: dict[str, object] = {}
    for name in names:
        trace = read_trace(folder, name) if folder else made_here()
        try:
            report = _report(trace, asked, contest)
        except NoSolver as missing:
            sys.stderr.write(f"{missing}\nWith --bounds 0 there is all the rest.\n")
            return NO_SOLVER
        told[report.name] = report.plain
        if not asked.json:
            sys.stdout.writelines(f"{line}\n" for line in report.lines)
            sys.stdout.flush()
    if asked.json:
        sys.stdout.write(json.dumps({"arguments": vars(asked), "traces": told}, indent=1) + "\n")
    return 0


def _report(trace: Trace, asked: argparse.Namespace, contest: Contest) -> Report:
    if asked.churn:
        return churning(trace, contest)
    if asked.repack:
        return repacking(trace, contest)
    return scaling(trace, contest, asked.scale) if asked.scale else filling(trace, contest)


def _contest(asked: argparse.Namespace) -> Contest:
    changes = Changes(
        without_nodes=asked.without_nodes,
        cpu=asked.cpu,
        cpu_spread=asked.cpu_spread,
        memory=asked.memory,
        sick=asked.sick,
        shift=asked.shift,
        gangs=asked.gangs,
        tenants=asked.tenants,
    )
    seeds = range(asked.first_seed, asked.first_seed + asked.seeds)
    return Contest(
        seeds=seeds, changes=changes, permuted=asked.nodes == "permuted", bounds=asked.bounds, repack=asked.repack
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gpu.bench", description=__doc__)
    parser.add_argument("--folder", default=os.environ.get("BERTH_TRACE_DIR", ""), help="in the format of openb")
    parser.add_argument("--traces", nargs="*", help="some of the folder's, by name")
    parser.add_argument("--seeds", type=_number(int, 1), default=10, help="how many")
    parser.add_argument("--first-seed", type=_number(int, 0), default=FIRST_SEED)
    parser.add_argument("--nodes", choices=["permuted", "named"], default="permuted", help="the order of ours")
    parser.add_argument("--bounds", type=_number(int, 0), default=3, help="of so many seeds, by scipy; seconds each")
    parser.add_argument("--json", action="store_true", help="all figures of each seed, and the arguments")
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--churn", action="store_true", help="requests come and go instead of filling the cluster")
    modes.add_argument("--scale", type=_number(int, 2), default=0, help="ours alone, with so many times the nodes too")
    parser.add_argument(
        "--repack", action="store_true", help="ours with few pods moved; alone, or beside all that churn"
    )
    _add_changes(parser)
    return parser


def _add_changes(parser: argparse.ArgumentParser) -> None:
    changes = parser.add_argument_group("changes, for all policies alike")
    part = _number(float, 0, 1)
    changes.add_argument("--without-nodes", type=part, default=0.0, metavar="PART", help="removed at random")
    changes.add_argument("--cpu", type=_number(float, 0), default=1.0, metavar="FACTOR", help="of each node's")
    changes.add_argument("--cpu-spread", type=part, default=0.0, metavar="PART", help="each node's by 1 ± so much")
    changes.add_argument("--memory", type=_number(float, 0), default=1.0, metavar="FACTOR", help="of each node's")
    changes.add_argument("--sick", type=part, default=0.0, metavar="PART", help="of the devices, at random moments")
    changes.add_argument("--shift", action="store_true", help="half of the classes first, then the others")
    changes.add_argument("--gangs", type=part, default=0.0, metavar="PART", help="of the requests, 2 to 8 pods each")
    changes.add_argument("--tenants", type=_number(int, 0), default=0, help="Zipf's; every other shares with nobody")


def _number(kind: Callable[[str], float], least: float, most: float = float("inf")) -> Callable[[str], float]:
    def number(word: str) -> float:
        found = kind(word)
        if not least <= found <= most:
            raise argparse.ArgumentTypeError(f"{word} is not from {least} to {most}")
        return found

    return number


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
