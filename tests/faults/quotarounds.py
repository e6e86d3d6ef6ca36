"""Rounds of submissions, all at once against a small quota, while it moves and work fails, is cancelled and deleted."""

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from tenants.ledger import Bounds
from tests.faults.quotafield import Rest, Sampler
from tests.plugins.polling import until
from tests.plugins.product import Product

AT_ONCE = 50
KEY = "pods"
BULK = 100
MOST_TRIMS = 20
_STANDS = """
SELECT n.slug, q.nominal, q.borrow_limit, q.lend_limit, q.used, q.overhang, GREATEST(p.lendable - p.used, 0),
  COALESCE(p.overhang, 0), w.running, w.moving, w.queued, a.held
FROM tenants_tenant n JOIN tenants_quotaline q ON q.tenant_id = n.id
JOIN tenants_resourcetype t ON t.id = q.type_id AND t.key = 'pods'
LEFT JOIN tenants_poolline p ON p.cohort_id = n.cohort_id AND p.type_id = t.id
CROSS JOIN LATERAL (
  SELECT count(*) FILTER (WHERE state = 'running') AS running, count(*) FILTER (WHERE state = 'queued') AS queued,
    count(*) FILTER (WHERE state IN ('starting', 'stopping')) AS moving
  FROM workloads_workload WHERE tenant_id = n.id) w
CROSS JOIN LATERAL (SELECT count(*) AS held FROM workloads_attempt WHERE tenant_id = n.id AND NOT settled) a
WHERE n.slug = ANY(%s)
"""
_ACTIVE = """
SELECT w.id::text, w.state FROM workloads_workload w JOIN tenants_tenant n ON n.id = w.tenant_id
WHERE n.slug = ANY(%s) AND w.state IN ('queued', 'starting', 'running', 'stopping') ORDER BY w.created, w.id
"""
_WAITING = """
SELECT w.reason_code FROM workloads_workload w JOIN tenants_tenant n ON n.id = w.tenant_id
WHERE n.slug = %s AND w.state = 'queued' ORDER BY w.created, w.id
"""
_LEFT = """
SELECT n.slug, w.id::text, w.state, w.reason_code, w.desired, a.object_name, a.ended_at, a.end_state, a.released_at
FROM workloads_attempt a JOIN workloads_workload w ON w.id = a.workload_id JOIN tenants_tenant n ON n.id = w.tenant_id
WHERE n.slug = ANY(%s) AND NOT a.settled AND NOT w.state IN ('starting', 'running', 'stopping')
"""
_ATTEMPTS = "SELECT count(*) FROM workloads_attempt"


@dataclass(frozen=True)
class Stand:
    """How a tenant stands in one state of the database; `pool_free` is None without a cohort."""

    slug: str
    nominal: int
    borrow_limit: int
    lend_limit: int
    used: int
    overhang: int
    pool_free: int | None
    pool_overhang: int
    running: int
    moving: int
    queued: int
    held: int

    @property
    def room(self) -> int:
        """How many more it may hold."""
        own = max(0, self.nominal + self.borrow_limit - self.used)
        kept = max(0, self.nominal - self.lend_limit - self.used)
        return own if self.pool_free is None else min(own, kept + self.pool_free)

    @property
    def is_quiet(self) -> bool:
        """Nothing starts or ends, and whoever waits does not fit."""
        return not self.moving and self.running == self.used == self.held and not (self.queued and self.room)


@dataclass(frozen=True)
class Load:
    """What a round submits: an image, and a command that is drawn for each; `patience_s` bounds each wait."""

    image: str
    commands: Sequence[list[str]]
    patience_s: float


class Rounds:
    """Plays rounds on some tenants, whose quota of pods is `usual` before and after each."""

    def __init__(self, product: Product, rest: Rest, load: Load, usual: Mapping[str, Bounds]) -> None:
        self._product, self._rest, self._load = product, rest, load
        self._usual = usual
        for slug in usual:
            self._set_quota(slug, usual[slug])

    def play(self, submitting: Sequence[str], sampler: Sampler, *, seed: int) -> dict[str, int]:
        """Play one round; return what each tenant held when all was quiet again, with its quota as usual."""
        self._all_at_once(submitting, seed)
        for slug, bounds in self._usual.items():
            self._set_quota(slug, bounds)
        self._work_off_overhang()
        self._check_reasons(submitting)
        stands = self._quiet()
        self._end_all()
        sampler.check()
        return {stand.slug: stand.used for stand in stands}

    def _all_at_once(self, submitting: Sequence[str], seed: int) -> None:
        """Submit, with a cancel after some; meanwhile change quotas and delete what runs, from other threads."""
        dice = random.Random(seed)  # noqa: S311 (a seed to repeat it by)
        draws = [(slug, dice.choice(self._load.commands), dice.random()) for _ in range(AT_ONCE) for slug in submitting]
        done = threading.Event()
        disturbers: list[Callable[[random.Random], None]] = [self._move_quotas, self._delete_some]
        with ThreadPoolExecutor(len(disturbers)) as beside, ThreadPoolExecutor(AT_ONCE) as pool:
            others = [beside.submit(_until_set, done, act, random.Random(dice.random())) for act in disturbers]  # noqa: S311
            try:
                submitted = [pool.submit(self._submit, *draw) for draw in draws]
                for each in submitted:
                    each.result()
            finally:
                done.set()
            for other in others:
                other.result()

    def _submit(self, slug: str, command: list[str], draw: float) -> None:
        sizes = {"cpu_millicores": 10, "memory_mib": 16}
        body = {"name": "round", "image": self._load.image, "command": command, "resources": sizes}
        made = self._rest.ask("POST", f"tenants/{slug}/workloads/", body)
        if draw < 0.15:
            self._rest.ask("POST", f"workloads/{made['id']}/cancel/", may_be_late=True)

    def _move_quotas(self, dice: random.Random) -> None:
        slug = dice.choice(list(self._usual))
        usual, nominal = self._usual[slug], dice.randrange(2, 14)
        lend, borrow = (dice.randrange(usual.lend_limit + 3), dice.randrange(usual.borrow_limit + 1))
        in_cohort = usual.lend_limit or usual.borrow_limit
        moved = Bounds(nominal=nominal, lend_limit=min(nominal, lend), borrow_limit=borrow)
        self._set_quota(slug, moved if in_cohort else Bounds(nominal=nominal))

    def _set_quota(self, slug: str, bounds: Bounds) -> None:
        self._rest.ask("PUT", f"tenants/{slug}/quota/", {"lines": [{"type": KEY, **asdict(bounds)}], "excess": "keep"})

    def _delete_some(self, dice: random.Random) -> None:
        """Delete a pod and a Job behind Berth's back, where there are any."""
        namespace = f"berth-{dice.choice(list(self._usual))}"
        for kind in ("pods", "jobs"):
            found = self._product.kubectl("get", kind, "-n", namespace, "-o", "name").split()
            if found:
                words = ("--wait=false", "--ignore-not-found", "-n", namespace)
                self._product.kubectl("delete", dice.choice(found), *words)

    def _stands(self) -> list[Stand]:
        return [Stand(*row) for row in self._product.sql(_STANDS, list(self._usual))]

    def _quiet(self) -> list[Stand]:
        """Wait until each tenant is quiet in one and the same state of the database."""

        def found() -> list[Stand]:
            stands = self._stands()
            return stands if all(stand.is_quiet for stand in stands) else []

        return until(lambda: f"all is quiet: {self._told()}", found, timeout_s=self._load.patience_s)

    def _told(self) -> str:
        """Tell how things stand, and of what has ended and yet is held: its pods should be gone."""
        slugs = list(self._usual)
        left = self._product.sql(_LEFT, slugs)
        pods = [self._product.kubectl("get", "pods,jobs", "-n", f"berth-{slug}", "-l", f"berth.dev/workload={id_}")
                for slug, id_, *_rest in left]  # fmt: skip
        return f"{self._stands()}; ended and held: {left}; there: {pods}"

    def _work_off_overhang(self) -> None:
        """Cancel as much as is held above the usual quotas; what is cancelled so makes room for nobody."""
        for _ in range(MOST_TRIMS):
            stands = self._quiet()
            above = next((stand for stand in stands if stand.overhang), None)
            borrower = max(stands, key=lambda stand: stand.used - (stand.nominal - stand.lend_limit))
            if above is None and not borrower.pool_overhang:
                return
            [(before,)] = self._product.sql(_ATTEMPTS)
            chosen = above or borrower
            self._cancel([chosen.slug], "running", most=chosen.overhang if above else borrower.pool_overhang)
            alone = chosen.pool_free is None
            self._quiet()
            assert not alone or self._product.sql(_ATTEMPTS) == [(before,)], "something was admitted above the quota"
        raise AssertionError(f"the overhang stays: {self._stands()}")

    def _check_reasons(self, submitting: Sequence[str]) -> None:
        """Wait until the first that waits says that the quota is used up, and the others that they are behind it."""
        for slug in submitting:
            until(
                lambda slug=slug: f"{slug}: they say why they wait: {self._product.sql(_WAITING, slug)}",  # type: ignore[misc]
                partial(self._says_why, slug),
                timeout_s=self._load.patience_s,
            )

    def _says_why(self, slug: str) -> bool:
        reasons = [row[0] for row in self._product.sql(_WAITING, slug)]
        borrows = self._usual[slug].borrow_limit > 0
        expected = {"over_quota", "behind_others"} if borrows else {"over_quota"}
        return bool(reasons) and reasons[0] in expected and set(reasons[1:]) <= {"behind_others"}

    def _cancel(self, slugs: Sequence[str], *states: str, most: int | None = None) -> None:
        ids = [row[0] for row in self._product.sql(_ACTIVE, list(slugs)) if row[1] in states][:most]
        parts = [ids[at : at + BULK // 4] for at in range(0, len(ids), BULK // 4)]
        with ThreadPoolExecutor(max(1, len(parts))) as pool:
            list(
                pool.map(lambda part: self._rest.ask("POST", "workloads/bulk/", {"act": "cancel", "ids": part}), parts)
            )

    def _end_all(self) -> None:
        """Cancel all that is left, and wait until nothing of it is held."""
        self._cancel(list(self._usual), "queued", "starting", "running")

        def nothing_held() -> bool:
            ended = not self._product.sql(_ACTIVE, list(self._usual))
            return ended and not any(stand.used or stand.held for stand in self._stands())

        until(lambda: f"nothing is held: {self._told()}", nothing_held, timeout_s=self._load.patience_s)


def _until_set(done: threading.Event, act: Callable[[random.Random], Any], dice: random.Random) -> None:
    while not done.is_set():
        act(dice)
