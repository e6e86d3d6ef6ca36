"""What pages say of the embedded cluster's node: one that runs plain processes does less than people expect."""

from dataclasses import dataclass

_PROCESSES = "process"
_SHARING_FILES = "process-sharing-files"


@dataclass(frozen=True, slots=True)
class ProcessNode:
    """A node without containers; `shares_files`: work sees the machine's own files."""

    shares_files: bool


def process_node(kind: str) -> ProcessNode | None:
    """Return the process node that BERTH_NODE names; None for containers and for clusters of somebody's own."""
    return ProcessNode(kind == _SHARING_FILES) if kind in (_PROCESSES, _SHARING_FILES) else None
