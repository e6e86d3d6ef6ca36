"""The quota ledger in the database: rows locked, read into a `Book`, and written back changed.

Locks are taken tenants first (by id), then pools of cohorts (by id); whoever holds a tenant's lock may change its
lines. Nothing here decides anything: the arithmetic is in `tenants.ledger`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from portal.core.hints import hint
from tenants import tasks
from tenants.ledger import Book
from tenants.models import Cohort, PoolLine, QuotaLine, ResourceType, Tenant

_LINE_COLUMNS = ("nominal", "borrow_limit", "lend_limit", "used", "overhang")
_POOL_COLUMNS = ("lendable", "used", "overhang")


def tenants_locked(tenant_ids: Collection[UUID]) -> list[Tenant]:
    """Lock these tenants, in the order of their ids, until the transaction ends; return them. One statement."""
    return list(Tenant.objects.filter(pk__in=tenant_ids).order_by("pk").select_for_update(no_key=True))


def book_of(tenants: Collection[Tenant], *, lock: bool = False, cohort_ids: Collection[UUID] = ()) -> Book:
    """Return the ledger of these tenants; with `lock`, of tenants that are locked, to be written back.

    `cohort_ids` are cohorts whose pools are wanted beside those of the tenants. Two statements, one without a cohort.
    """
    cohorts = {tenant.pk: tenant.cohort_id for tenant in tenants if tenant.cohort_id is not None}
    wanted = {*cohorts.values(), *cohort_ids}
    pools = _pools(wanted, lock=lock) if wanted else []
    lines = QuotaLine.objects.filter(tenant__in=[tenant.pk for tenant in tenants]).select_related("type")
    return Book(
        {(row.tenant_id, row.type.key): row.line for row in lines},
        {(row.cohort_id, row.type.key): row.pool for row in pools},
        cohorts,
    )


def book_write(book: Book) -> None:
    """Write what has changed; tenants whose bounds moved with it are brought to the cluster after the commit.

    Three statements at most. Raises IntegrityError where a row would pass its bounds.
    """
    lines = {
        key: {**asdict(line.bounds), "used": line.used, "overhang": line.overhang}
        for key, line in book.changed_lines().items()
    }
    _write(QuotaLine, "tenant_id", _LINE_COLUMNS, lines)
    _write(PoolLine, "cohort_id", _POOL_COLUMNS, {key: asdict(pool) for key, pool in book.changed_pools().items()})
    bounds_moved(book.tenants_with_other_bounds())


def lines_ensured(tenant: Tenant, keys: Collection[str]) -> None:
    """Make empty rows for these types where a tenant has none. One statement, three where one is missing."""
    _ensure(QuotaLine, "tenant_id", {(tenant.pk, key) for key in keys})


def pools_ensured(cohort: Cohort, keys: Collection[str]) -> None:
    """Make empty rows for these types where a cohort has none. One statement, three where one is missing."""
    _ensure(PoolLine, "cohort_id", {(cohort.pk, key) for key in keys})


def rows_ensured(tenants: Collection[Tenant], places: Collection[tuple[UUID, str]]) -> None:
    """Make empty rows for these tenants and keys of types, and for the pools behind them. Six statements at most."""
    cohorts = {tenant.pk: tenant.cohort_id for tenant in tenants if tenant.cohort_id is not None}
    _ensure(QuotaLine, "tenant_id", places)
    _ensure(PoolLine, "cohort_id", {(cohorts[tenant_id], key) for tenant_id, key in places if tenant_id in cohorts})


def bounds_moved(tenant_ids: Collection[UUID]) -> None:
    """Have the namespaces of these tenants follow what the ledger lets them hold. One statement, none for none."""
    if not tenant_ids:
        return
    Tenant.objects.filter(pk__in=tenant_ids).update(generation=F("generation") + 1)
    for tenant_id in tenant_ids:
        hint(tasks.reconcile_tenant, str(tenant_id))


def _ensure(model: type[QuotaLine | PoolLine], owner: str, places: Collection[tuple[UUID, str]]) -> None:
    keys = {key for _owner, key in places}
    of_owners = {f"{owner}__in": {owner_id for owner_id, _key in places}, "type__key__in": keys}
    missing = set(places) - set(model.objects.filter(**of_owners).values_list(owner, "type__key"))
    if not missing:
        return
    types = {found.key: found for found in ResourceType.objects.filter(key__in=keys)}
    # In one order everywhere: whoever else makes the same rows is waited for, and must not wait for this.
    rows: list[Any] = [
        model(**{owner: place[0], "type": types[place[1]]}) for place in sorted(missing) if place[1] in types
    ]
    model.objects.bulk_create(rows, ignore_conflicts=True)


def _pools(cohort_ids: Collection[UUID], *, lock: bool) -> list[PoolLine]:
    rows = PoolLine.objects.filter(cohort__in=cohort_ids).select_related("type").order_by("cohort_id", "type_id")
    return list(rows.select_for_update(of=("self",), no_key=True) if lock else rows)


def _write(
    model: type[QuotaLine | PoolLine],
    owner: str,
    columns: Sequence[str],
    rows: Mapping[tuple[UUID, str], Mapping[str, int]],
) -> None:
    if not rows:
        return
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a ledger is written under the locks of its tenants: call it inside a transaction")
    table, given = model._meta.db_table, ", ".join(f"%({name})s::bigint[]" for name in columns)
    statement = f"""
        UPDATE {table} AS q SET {", ".join(f"{name} = c.{name}" for name in columns)}
        FROM unnest(%(owners)s::uuid[], %(keys)s::text[], {given}) AS c(owner, key, {", ".join(columns)})
        JOIN {ResourceType._meta.db_table} t ON t.key = c.key
        WHERE q.{owner} = c.owner AND q.type_id = t.id
    """  # noqa: S608 (names of tables and columns, none from outside)
    values: dict[str, Any] = {name: [row[name] for row in rows.values()] for name in columns}
    values |= {"owners": [key[0] for key in rows], "keys": [key[1] for key in rows]}
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        if cursor.rowcount != len(rows):
            raise RuntimeError(f"{len(rows) - cursor.rowcount} rows of {table} are missing")
