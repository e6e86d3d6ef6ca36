"""Which work is stopped to be rid of an excess. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from tenants.specs import Amounts, Priority


class Running(NamedTuple):
    """Work that holds something: since when, and what by resource type."""

    id: UUID
    priority: Priority
    since: datetime
    holds: Amounts


def victims_of(running: Iterable[Running], excess: Amounts) -> list[UUID]:
    """Return the work to stop, in that order: low priority first, within one the newest, and none that need not go.

    Where all of it holds less than the excess, all that holds any of it.
    """
    order = sorted(running, key=lambda each: (each.priority.rank, each.since, each.id), reverse=True)
    held = {key: sum(each.holds.get(key, 0) for each in order) for key in excess}
    missing = {key: min(amount, held[key]) for key, amount in excess.items() if amount > 0}
    chosen: list[Running] = []
    for each in order:
        if any(each.holds.get(key, 0) for key, amount in missing.items() if amount > 0):
            chosen.append(each)
            missing = {key: amount - each.holds.get(key, 0) for key, amount in missing.items()}
    # what came after may have made an earlier one needless: the last to be chosen is spared first
    for each in reversed(chosen[:]):
        if all(amount + each.holds.get(key, 0) <= 0 for key, amount in missing.items()):
            chosen.remove(each)
            missing = {key: amount + each.holds.get(key, 0) for key, amount in missing.items()}
    return [each.id for each in chosen]
