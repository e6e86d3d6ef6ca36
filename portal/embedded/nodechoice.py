"""Which node `up` starts, and the sentences that say so. Pure: what was found out about the machine is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from portal.embedded.errors import StartError

AUTO = "auto"
_PROCESSES = "Work runs as plain processes, not in containers."
_MISSES = (
    "So there are only two images, busybox and python, made of this machine's own programs; work shares the network of "
    "this machine; network policies and CPU limits do nothing. Run only what you trust."
)
_SHARES = (
    "User namespaces are not allowed here ({why}), so work also sees the files of this machine, with the rights of "
    "whoever started Berth."
)
_ROOT_NEEDS_NAMESPACES = (
    "The process node is not started as root here: user namespaces are not allowed ({why}), and work would have the "
    "rights of root over this machine's files. Start as an ordinary user."
)


class Node(Enum):
    """What runs the pods of the embedded cluster; the value is what `--node` and BERTH_NODE call it."""

    CONTAINER = "container"
    PROCESS = "process"
    # The process node where nothing can be mounted. Not to be asked for: the machine decides.
    PROCESS_SHARING_FILES = "process-sharing-files"


@dataclass(frozen=True)
class Machine:
    """What matters for the choice: why containers cannot be had, and why namespaces cannot (empty: they can)."""

    is_root: bool
    against_containers: Sequence[str] = ()
    against_namespaces: str = ""


@dataclass(frozen=True)
class NodeChoice:
    """The node, None where the machine can have none; and what people are told: which, why, what it does not do."""

    node: Node | None
    told: tuple[str, ...]


def choose(wanted: str, machine: Machine) -> NodeChoice:
    """Choose a node. Raises StartError where the wanted one cannot be had; with `auto` that is a choice of none."""
    if wanted == Node.CONTAINER.value and machine.against_containers:
        raise StartError("\n".join(machine.against_containers))
    if wanted != Node.PROCESS.value and not machine.against_containers:
        return NodeChoice(Node.CONTAINER, (_containers(wanted),))
    if machine.is_root and machine.against_namespaces:
        refusal = _ROOT_NEEDS_NAMESPACES.format(why=machine.against_namespaces)
        if wanted == Node.PROCESS.value:
            raise StartError(refusal)
        return NodeChoice(None, (*machine.against_containers, refusal))
    return _processes(wanted, machine)


def _containers(wanted: str) -> str:
    asked = "as --node asks for" if wanted == Node.CONTAINER.value else "root started it and everything is there"
    return f"Work runs in real containers: {asked}."


def _processes(wanted: str, machine: Machine) -> NodeChoice:
    why, *more = ("As --node asks for.",) if wanted == Node.PROCESS.value else machine.against_containers
    told = [f"{_PROCESSES} {why}", *more, _MISSES]
    if not machine.against_namespaces:
        return NodeChoice(Node.PROCESS, tuple(told))
    told.append(_SHARES.format(why=machine.against_namespaces))
    return NodeChoice(Node.PROCESS_SHARING_FILES, tuple(told))
