"""A request of `tenant` for four GPUs more than the four that it has."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from portal.core.models import User
from quotarequests import granting
from quotarequests.models import QuotaRequest
from quotarequests.requesting import Ask, request_create
from tenants.models import Tenant


def in_days(days: int) -> dt.date:
    """Return a day by UTC, counted from today."""
    return granting.today() + dt.timedelta(days=days)


@pytest.fixture
def ask(tenant: Tenant, owner: User) -> Callable[..., QuotaRequest]:
    """Ask as `owner`, for GPUs unless something else is said."""

    def asked(wanted: dict[str, int] | None = None, *, actor: User = owner, **fields: Any) -> QuotaRequest:
        values = {"justification": "A deadline.", **fields}
        return request_create(
            actor=actor, tenant=tenant, ask=Ask(wanted={"gpus": 8} if wanted is None else wanted, **values)
        )

    return asked
