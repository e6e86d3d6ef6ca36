"""The ledger of all tenants as one table, for platform admins and auditors: rows, and sums by resource type.

One statement gives rows and sums together, since a page has few to spend. Who of a cohort lends what is borrowed is
not in the ledger: it is told in proportion to what each lends and does not use itself, in whole units that add up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from portal.core import policy
from portal.core.models import User
from portal.core.policy import Action
from tenants.models import QuotaLine, ResourceType

_SQL = """
WITH line AS (
    SELECT t.id AS tenant_id, t.slug, t.name, t.cohort_id, COALESCE(c.name, '') AS cohort, r.key, r.position,
           COALESCE(q.nominal, 0) AS nominal, COALESCE(q.borrow_limit, 0) AS borrow_limit,
           COALESCE(q.lend_limit, 0) AS lend_limit, COALESCE(q.used, 0) AS used, COALESCE(q.overhang, 0) AS overhang
    FROM tenants_tenant t CROSS JOIN tenants_resourcetype r
    LEFT JOIN tenants_quotaline q ON q.tenant_id = t.id AND q.type_id = r.id
    LEFT JOIN tenants_cohort c ON c.id = t.cohort_id
    WHERE %(key)s IN ('', r.key)
), spare AS (
    SELECT *, GREATEST(used - nominal, 0) AS borrowed, LEAST(lend_limit, GREATEST(nominal - used, 0)) AS spare FROM line
), pooled AS (
    SELECT *, SUM(spare) OVER pool AS spare_of_all, SUM(spare) OVER (pool ORDER BY tenant_id) AS spare_so_far,
           LEAST(SUM(borrowed) OVER pool, SUM(spare) OVER pool) AS lent_by_all
    FROM spare WINDOW pool AS (PARTITION BY cohort_id, key)
), told AS (
    SELECT *, CASE WHEN cohort_id IS NULL OR spare_of_all = 0 THEN 0
                   ELSE div(lent_by_all * spare_so_far, spare_of_all)
                        - div(lent_by_all * (spare_so_far - spare), spare_of_all) END::bigint AS lent,
           CASE WHEN nominal > 0 THEN used::float8 / nominal WHEN used > 0 THEN 'Infinity' ELSE -1 END AS share
    FROM pooled
), fitting AS (
    SELECT *, row_number() OVER (ORDER BY {order}) AS n FROM told
    WHERE (%(key)s <> '' OR nominal + borrow_limit + used > 0) AND %(cohort)s IN ('', cohort)
          AND strpos(lower(slug || ' ' || name), lower(%(text)s)) > 0
), page AS (
    SELECT n, tenant_id, slug, name, cohort, key, position, nominal, borrow_limit, lend_limit, used, overhang, lent
    FROM fitting WHERE (slug, position, key) > (%(slug)s, %(position)s, %(after)s)
    ORDER BY n OFFSET %(offset)s LIMIT %(limit)s
), total AS (
    SELECT r.id, r.key, r.kube_name, r.gpu_product, r.label_en, r.label_zh, r.unit, r.position,
           COALESCE(SUM(q.nominal), 0)::bigint AS nominal,
           COALESCE(SUM(q.used), 0)::bigint AS used, COALESCE(SUM(q.overhang), 0)::bigint AS overhang
    FROM tenants_resourcetype r LEFT JOIN tenants_quotaline q ON q.type_id = r.id GROUP BY r.id
)
SELECT (SELECT json_agg(page ORDER BY n) FROM page), (SELECT count(*) FROM fitting),
       (SELECT json_agg(total ORDER BY position, key) FROM total)
"""
_ORDERS = {True: "share DESC, slug, position, key", False: "slug, position, key"}
_BOUNDS = ("nominal", "borrow_limit", "lend_limit", "used", "overhang")


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """Which rows; empty texts narrow nothing. Without a `key`, those are left out of which there is nothing."""

    key: str = ""
    cohort: str = ""
    text: str = ""


class Place(NamedTuple):
    """Where a row stands in the order of tenants."""

    slug: str
    position: int
    key: str


@dataclass(frozen=True, slots=True)
class TableRow:
    """A tenant's row of a resource type with its type, which may not be stored yet; `cohort` "" = in none.

    `lent` is what others of the cohort use of what it lends.
    """

    tenant_id: UUID
    slug: str
    name: str
    cohort: str
    line: QuotaLine
    lent: int

    @property
    def key(self) -> str:
        """The key of its resource type."""
        return self.line.type.key

    @property
    def place(self) -> Place:
        """Where it stands in the order of tenants."""
        return Place(self.slug, self.line.type.position, self.key)


@dataclass(frozen=True, slots=True)
class Total:
    """What all tenants have of a resource type together."""

    type: ResourceType
    nominal: int
    used: int
    overhang: int


@dataclass(frozen=True, slots=True)
class QuotaTable:
    """Some rows, how many fit in all, and the sums over all tenants of every type in their order."""

    rows: list[TableRow]
    fitting: int
    totals: list[Total]


FIRST = Place("", -1, "")


def quota_table(
    *, user: User, narrowing: Narrowing, limit: int, offset: int = 0, by_share: bool = False, after: Place = FIRST
) -> QuotaTable:
    """Return the rows that fit, by tenant and type, or by the share of the nominal quota that is used, fullest first.

    `after` goes on behind a row in the order of tenants. One statement at any size. Raises Denied.
    """
    policy.require(user, Action.COHORT_VIEW)
    values: dict[str, str | int] = {
        "key": narrowing.key,
        "cohort": narrowing.cohort,
        "text": narrowing.text,
        "slug": after.slug,
        "position": after.position,
        "after": after.key,
        "limit": limit,
        "offset": offset,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SQL.format(order=_ORDERS[by_share]), values)
        rows, fitting, totals = cursor.fetchone()
    told = [_total(found) for found in totals or []]
    types = {total.type.key: total.type for total in told}
    return QuotaTable([_row(found, types) for found in rows or []], fitting, told)


def _total(found: dict[str, Any]) -> Total:
    sums = [found.pop(name) for name in ("nominal", "used", "overhang")]
    return Total(ResourceType(**found), *sums)


def _row(found: dict[str, Any], types: Mapping[str, ResourceType]) -> TableRow:
    line = QuotaLine(type=types[found["key"]], **{name: found[name] for name in _BOUNDS})
    line.tenant_id = UUID(found["tenant_id"])
    return TableRow(line.tenant_id, found["slug"], found["name"], found["cohort"], line, found["lent"])
