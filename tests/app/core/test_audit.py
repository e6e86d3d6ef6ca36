"""The audit trail keeps who did what, and nobody changes it afterwards."""

import pytest
import structlog
from django.db import DatabaseError, transaction
from django.db.models.deletion import ProtectedError

from portal.core import audit
from portal.core.models import AuditEntry, User
from tenants.models import Tenant


@pytest.fixture
def entry(owner: User, tenant: Tenant) -> AuditEntry:
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        audit.record(
            actor=owner,
            action="tenant.edit_limits",
            target=tenant,
            tenant_id=tenant.pk,
            before={"a": 1},
            after={"a": 2},
        )
    return AuditEntry.objects.get()


def test_an_entry_says_who_did_what_to_what_in_which_request(entry: AuditEntry, owner: User, tenant: Tenant) -> None:
    assert (entry.actor, entry.actor_name, entry.action) == (owner, "owner", "tenant.edit_limits")
    assert (entry.target_type, entry.target_id, entry.tenant_id) == ("tenants.tenant", str(tenant.pk), tenant.pk)
    assert (entry.before, entry.after, entry.request_id) == ({"a": 1}, {"a": 2}, "r-1")


def test_what_berth_did_by_itself_carries_its_name(tenant: Tenant) -> None:
    audit.record(actor=None, action="tenant.view", target=tenant)
    assert AuditEntry.objects.get().actor_name == "berth"


def test_an_entry_cannot_be_changed(entry: AuditEntry) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEntry.objects.update(actor_name="somebody else")
    assert AuditEntry.objects.get().actor_name == "owner"


def test_an_entry_cannot_be_deleted(entry: AuditEntry) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        entry.delete()
    assert AuditEntry.objects.count() == 1


def test_who_stands_in_the_trail_cannot_be_deleted(entry: AuditEntry, owner: User) -> None:
    with pytest.raises(ProtectedError):
        owner.delete()


def test_a_change_that_is_undone_leaves_no_entry(owner: User, tenant: Tenant) -> None:
    with transaction.atomic():
        audit.record(actor=owner, action="tenant.members", target=tenant)
        transaction.set_rollback(True)
    assert not AuditEntry.objects.exists()
