"""A sealed entry that was changed shows, whoever changed it; what is not sealed yet is said."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from portal.core import audit, seals
from portal.core.models import AuditEntry, AuditSeal, User
from portal.core.tasks import seal_audit
from tenants.models import Tenant

pytestmark = pytest.mark.django_db


def later() -> dt.datetime:
    return timezone.now() + seals.SEALED_AFTER + dt.timedelta(seconds=1)


@pytest.fixture
def sealed(owner: User, tenant: Tenant) -> list[AuditEntry]:
    """Five entries in two seals."""
    for count in (3, 2):
        for number in range(count):
            audit.record(actor=owner, action="tenant.update", target=tenant, tenant_id=tenant.pk, after={"n": number})
        assert seals.seal(now=later()) == count
    return list(AuditEntry.objects.order_by("id"))


@contextmanager
def without_trigger(table: str) -> Iterator[None]:
    """Do what somebody does who owns the database."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def test_a_trail_that_nobody_touched_is_as_it_was_sealed(sealed: list[AuditEntry]) -> None:
    found = seals.verify()
    assert (found.fault, found.seals, found.entries, found.unsealed) == ("", 2, 5, 0)
    assert found.head == AuditSeal.objects.order_by("-id")[0].digest


def test_what_is_young_is_not_sealed_yet(owner: User, tenant: Tenant) -> None:
    audit.record(actor=owner, action="tenant.update", target=tenant)
    assert seals.seal() == 0
    assert seals.verify() == seals.Verdict("", 0, 0, 1, "")


def test_an_old_entry_behind_a_young_one_waits_for_it(
    owner: User, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit.record(actor=owner, action="tenant.update", target=tenant)
    late = AuditEntry.objects.get()
    with without_trigger("core_auditentry"):
        AuditEntry.objects.filter(pk=late.pk).update(time=later())
    audit.record(actor=owner, action="tenant.update", target=tenant)
    assert seals.seal(now=later() - dt.timedelta(seconds=1)) == 0


def test_each_run_seals_at_most_so_many_and_the_task_all(
    owner: User, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seals, "MOST_ENTRIES", 2)
    monkeypatch.setattr(seals, "SEALED_AFTER", dt.timedelta(seconds=-60))
    for _ in range(5):
        audit.record(actor=owner, action="tenant.update", target=tenant)
    seal_audit()
    assert list(AuditSeal.objects.order_by("id").values_list("count", flat=True)) == [2, 2, 1]
    assert seals.verify().fault == ""


Change = Callable[[list[AuditEntry]], object]
CHANGES: dict[str, Change] = {
    "another actor": lambda rows: AuditEntry.objects.filter(pk=rows[1].pk).update(actor_name="mallory"),
    "another time": lambda rows: AuditEntry.objects.filter(pk=rows[0].pk).update(time=rows[1].time),
    "another value": lambda rows: AuditEntry.objects.filter(pk=rows[4].pk).update(after={"n": 9}),
    "one gone": lambda rows: AuditEntry.objects.filter(pk=rows[2].pk).delete(),
    "the first gone": lambda rows: AuditEntry.objects.filter(pk=rows[0].pk).delete(),
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_a_change_of_a_sealed_entry_by_who_owns_the_database_shows(sealed: list[AuditEntry], change: str) -> None:
    with without_trigger("core_auditentry"):
        CHANGES[change](sealed)
    assert seals.verify().fault.startswith("seal ")


def test_an_entry_put_into_a_sealed_stretch_shows(sealed: list[AuditEntry], owner: User, tenant: Tenant) -> None:
    with without_trigger("core_auditentry"):
        AuditEntry.objects.filter(pk=sealed[1].pk).delete()
        AuditEntry.objects.create(
            pk=sealed[1].pk, actor=owner, actor_name="owner", action="tenant.update", target_type="x", target_id="y"
        )
    assert "not as it was sealed" in seals.verify().fault


def test_a_seal_made_anew_shows_in_the_next_one(sealed: list[AuditEntry]) -> None:
    first = AuditSeal.objects.order_by("id")[0]
    with without_trigger("core_auditentry"), without_trigger("core_auditseal"):
        AuditEntry.objects.filter(pk=sealed[1].pk).update(actor_name="mallory")
        entries = list(AuditEntry.objects.filter(pk__lte=first.last_id).order_by("id"))
        AuditSeal.objects.filter(pk=first.pk).update(digest=seals.digest_of("", entries))
    assert seals.verify().fault.startswith(f"seal {first.pk + 1}")


def test_seals_taken_off_the_end_show_where_a_digest_was_noted(sealed: list[AuditEntry]) -> None:
    noted = seals.verify().head
    assert seals.verify(expected=noted).fault == ""
    with without_trigger("core_auditseal"):
        AuditSeal.objects.order_by("-id")[0].delete()
    assert seals.verify().fault == ""
    assert "none of the chain's" in seals.verify(expected=noted).fault


def test_a_seal_cannot_be_changed_or_deleted(sealed: list[AuditEntry]) -> None:
    for act in (lambda: AuditSeal.objects.update(count=9), lambda: AuditSeal.objects.all().delete()):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            act()


def test_the_command_says_what_it_found(sealed: list[AuditEntry]) -> None:
    said = StringIO()
    call_command("audit", "verify", stdout=said)
    assert said.getvalue().startswith("5 entries in 2 seals are as they were sealed.\n0 entries are not sealed yet.\n")
    with without_trigger("core_auditentry"):
        AuditEntry.objects.filter(pk=sealed[0].pk).update(actor_name="mallory")
    with pytest.raises(CommandError, match="not as it was sealed"):
        call_command("audit", "verify", stdout=StringIO())


def test_beat_has_the_trail_sealed(settings: Any) -> None:
    assert seal_audit.name in [entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()]
