"""Runs again what the database ended to resolve a deadlock or a conflict of concurrent transactions."""

from collections.abc import Callable
from contextvars import ContextVar
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
_inside: ContextVar[bool] = ContextVar("inside_retried", default=False)


def retried(work: Callable[P, T]) -> Callable[P, T]:
    """Repeat a call that ended by a deadlock or a serialization failure, at most three times.

    The call makes its own transaction: inside the transaction of another it is not repeated, since that one is lost. Of
    such calls within each other only the outer one is repeated, so that three times stay three.
    """

    @wraps(work)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> T:
        if _inside.get():
            return work(*args, **kwargs)
        token = _inside.set(True)
        try:
            return _repeat(lambda: work(*args, **kwargs), work.__qualname__)
        finally:
            _inside.reset(token)

    return repeated


def is_retryable(error: OperationalError) -> bool:
    """Tell whether an error says that the same transaction may succeed when it is tried again."""
    return getattr(error.__cause__, "sqlstate", None) in _RETRYABLE


def _repeat(work: Callable[[], T], name: str) -> T:
    for retry in range(MOST_RETRIES):
        try:
            return work()
        except OperationalError as error:
            if transaction.get_connection().in_atomic_block or not is_retryable(error):
                raise
            log.info("transaction_repeated", work=name, retry=retry + 1, error=str(error).strip())
    return work()
