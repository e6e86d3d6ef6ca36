"""From what the watches say to rows: an index in memory, pure decisions, one short fenced transaction a batch.

Run by the leader only (`manage.py run_controller`). Deletes nothing in the cluster and makes nothing there: for that it
hints the workers.
"""

from workloads.controller.index import Index
from workloads.controller.loop import Controller

__all__ = ["Controller", "Index"]
