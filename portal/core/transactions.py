"""Runs again what the database ended to resolve a deadlock or a conflict of concurrent transactions."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import structlog
from django.db import OperationalError, transaction

MOST_RETRIES = 3
# PostgreSQL, appendix A: serialization_failure and deadlock_detected; both say "try the whole transaction again".
_RETRYABLE = frozenset({"40001", "40P01"})

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger(__name__)


def retried(work: Callable[P, T]) -> Callable[P, T]:
    """Repeat a call that ended by a deadlock or a serialization failure, at most three times.

    The call makes its own transaction: inside the transaction of another it is not repeated, since that one is lost.
    """

    @wraps(work)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> T:
        for retry in range(MOST_RETRIES):
            try:
                return work(*args, **kwargs)
            except OperationalError as error:
                if transaction.get_connection().in_atomic_block or not is_retryable(error):
                    raise
                log.info("transaction_repeated", work=work.__qualname__, retry=retry + 1, error=str(error).strip())
        return work(*args, **kwargs)

    return repeated


def is_retryable(error: OperationalError) -> bool:
    """Tell whether an error says that the same transaction may succeed when it is tried again."""
    return getattr(error.__cause__, "sqlstate", None) in _RETRYABLE
