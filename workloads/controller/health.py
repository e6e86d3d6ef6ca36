"""Says in one row when the cluster last answered and when the watches were last in step (see ClusterStatus)."""

import threading
from collections.abc import Callable
from typing import Any

import structlog
from django.db import DatabaseError, connection, transaction

from portal.core.leases import Held, LeaseLost, fence
from portal.kube.errors import KubeError
from portal.kube.gateway import Kube

CHECK_EVERY_S = 3.0
CHECK_TIMEOUT_S = 2.0
_PROBLEM_MAX_CHARS = 500
log = structlog.get_logger(__name__)

_WRITE = """
INSERT INTO core_clusterstatus AS s (id, reachable_at, synced_at, version, problem)
VALUES (1, CASE WHEN %(reachable)s THEN clock_timestamp() END, CASE WHEN %(synced)s THEN clock_timestamp() END,
        '', %(problem)s)
ON CONFLICT (id) DO UPDATE SET
  reachable_at = COALESCE(EXCLUDED.reachable_at, s.reachable_at),
  synced_at = COALESCE(EXCLUDED.synced_at, s.synced_at), problem = EXCLUDED.problem
"""


def keep_status(*, held: Held, kube: Kube, in_step: Callable[[], bool], stop: threading.Event) -> None:
    """Check and write every three seconds until `stop`; ends early when the lease is lost."""
    try:
        while not stop.is_set():
            try:
                status_check(held=held, kube=kube, in_step=in_step)
            except LeaseLost:
                return
            except DatabaseError as error:
                log.warning("status_not_written", error=str(error).strip())
                connection.close()
            stop.wait(CHECK_EVERY_S)
    finally:
        connection.close()


def status_check(*, held: Held, kube: Kube, in_step: Callable[[], bool]) -> None:
    """Ask the API server once and write the row by the database's clock. Raises LeaseLost, DatabaseError."""
    problem = ""
    try:
        kube.check_ready(timeout_s=CHECK_TIMEOUT_S)
    except KubeError as error:
        problem = error.message[:_PROBLEM_MAX_CHARS].replace("\0", "")
    given: dict[str, Any] = {"reachable": not problem, "synced": not problem and in_step(), "problem": problem}
    with transaction.atomic():
        fence(held)
        with connection.cursor() as cursor:
            cursor.execute(_WRITE, given)
