"""Websockets of workloads: a log, one workload's state, a tenant's rows, all rows that somebody may see."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar
from urllib.parse import parse_qs
from uuid import UUID

from channels.db import database_sync_to_async

from portal.core.models import User
from portal.core.policy import Action
from portal.live.consumers import RESTART, TOO_SLOW, LiveConsumer
from portal.live.logview import RESUME_LINES, LogView
from portal.live.payloads import Line, WorkloadChanged
from portal.live.process import live_process
from portal.live.rows import RowRelay
from tenants.models import Tenant
from workloads.logs import read
from workloads.models import Workload


class WorkloadConsumer(LiveConsumer):
    """Base of sockets that show one workload."""

    berth_action: ClassVar[Action] = Action.WORKLOAD_VIEW
    _FACTS: ClassVar = ("tenant_id", "state", "version", "log_last_seq", "log_sealed", "log_expired_at")

    @classmethod
    def look(cls, user: User, keys: Collection[str]) -> Mapping[str, Workload]:
        """Return the visible workloads by id."""
        rows = Workload.objects.visible_to(user).filter(pk__in=keys)
        return {str(row.pk): row for row in rows.only(*cls._FACTS)}


class WorkloadLogConsumer(WorkloadConsumer):
    """A workload's log from a cursor on; without one, from its last thousand lines on."""

    _view: LogView | None = None

    async def begin(self, facts: Workload) -> None:
        """Say where the log stands, then send lines."""
        if self.outbox is None:
            return
        self.tell({"type": "hello", "seq": facts.readable_last_seq, "sealed": facts.log_sealed})
        self._view = LogView(
            outbox=self.outbox,
            read_after=self._read_after,
            cursor=self._cursor(facts.readable_last_seq),
            known_seq=facts.readable_last_seq,
            on_stuck=lambda: self.close(TOO_SLOW),
        )
        self._view.start(await live_process().feeds.join(facts.pk, self._view))
        self.refresh(facts)

    def refresh(self, facts: Workload) -> None:
        """Find lines that no message spoke of."""
        if self._view is not None:
            self._view.on_facts(facts.readable_last_seq, sealed=facts.log_sealed)

    async def end(self) -> None:
        """Stop watching."""
        if self._view is not None:
            await live_process().feeds.leave(UUID(self.key_of()), self._view)
            await self._view.stop()

    def _cursor(self, last_seq: int) -> int:
        given = parse_qs(self.scope["query_string"].decode("ascii", "replace")).get("after", [""])[0]
        if given.isascii() and given.isdigit() and len(given) < 19:
            return min(int(given), last_seq)
        return max(0, last_seq - RESUME_LINES)

    async def _read_after(self, seq: int, limit: int) -> Sequence[Line]:
        reading = database_sync_to_async(read.lines_after, thread_sensitive=False)
        return await reading(UUID(self.key_of()), seq, limit)


class WorkloadStateConsumer(WorkloadConsumer):
    """One workload's versions as they come."""

    _relay: RowRelay | None = None

    async def begin(self, facts: Workload) -> None:
        """Follow its tenant's changes and say where it stands."""
        self._relay = RowRelay(hub=live_process().hub, tell=self.tell, on_gap=lambda: None, only=UUID(self.key_of()))
        await self._relay.follow([facts.tenant_id])
        self.refresh(facts)

    def refresh(self, facts: Workload) -> None:
        """Tell a version that no message spoke of."""
        if self._relay is not None:
            self._relay.add(WorkloadChanged(facts.pk, facts.tenant_id, facts.state, facts.version))

    async def end(self) -> None:
        """Stop following."""
        if self._relay is not None:
            await self._relay.stop()


class RowsConsumer(LiveConsumer):
    """Base of sockets that show the changed rows of some tenants; facts are the tenants' ids."""

    berth_action: ClassVar[Action] = Action.WORKLOAD_VIEW
    _relay: RowRelay | None = None
    _following: asyncio.Task[None] | None = None

    async def begin(self, facts: Collection[UUID]) -> None:
        """Follow the tenants. After an outage the socket closes: the page fetches its rows again and comes back."""
        self._relay = RowRelay(hub=live_process().hub, tell=self.tell, on_gap=lambda: self.close(RESTART))
        await self._relay.follow(facts)
        self._tenants = set(facts)

    def refresh(self, facts: Collection[UUID]) -> None:
        """Follow tenants that were added, drop those that may not be seen any more."""
        if self._relay is not None and set(facts) != self._tenants:
            self._tenants = set(facts)
            self._following = asyncio.create_task(self._relay.follow(self._tenants))

    async def end(self) -> None:
        """Stop following."""
        if self._following is not None:
            await asyncio.gather(self._following, return_exceptions=True)
        if self._relay is not None:
            await self._relay.stop()


class TenantWorkloadsConsumer(RowsConsumer):
    """The changed rows of one tenant."""

    @classmethod
    def look(cls, user: User, keys: Collection[str]) -> Mapping[str, list[UUID]]:
        """Return the visible tenants by slug."""
        rows = Tenant.objects.visible_to(user).filter(slug__in=keys)
        return {slug: [pk] for slug, pk in rows.values_list("slug", "pk")}


class AllWorkloadsConsumer(RowsConsumer):
    """The changed rows of every tenant that the user may see."""

    @classmethod
    def look(cls, user: User, keys: Collection[str]) -> Mapping[str, list[UUID]]:
        """Return all visible tenants; there is nothing that could be missing."""
        tenants = list(Tenant.objects.visible_to(user).values_list("pk", flat=True))
        return dict.fromkeys(keys, tenants)
