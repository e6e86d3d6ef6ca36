"""Removes what the demo made, so that `seed_demo` makes it anew: its tenants with all work in them, its accounts.

Runs while nothing else of the portal does. Accounts are emptied, not deleted: the audit trail keeps naming them. The
namespaces in the cluster follow when there is one again (`run_demo`).
"""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import models, transaction

from portal.core import demomarks
from portal.core.models import User
from tenants.management.commands.seed_demo import ACCOUNTS_FILE
from tenants.models import Tenant
from workloads.logs.chunkstore import chunk_store
from workloads.models import Attempt, LogChunk, Template, Workload

_KEPT_FIELDS = {"id", "username", "password", "is_active", "date_joined"}


class Command(BaseCommand):
    help = "Remove the demo's tenants, their workloads and the demo's accounts; nothing else."

    def handle(self, *_args: Any, **_options: Any) -> None:
        with transaction.atomic():
            tenants = list(Tenant.objects.filter(pk__in=demomarks.ids_made(Tenant)))
            chunks = [path for tenant in tenants for path in remove_tenant(tenant)]
            users = list(User.objects.filter(pk__in=demomarks.ids_made(User)))
            for user in users:
                empty_account(user)
        for path in chunks:
            chunk_store().delete(path)
        (settings.DATA_DIR / ACCOUNTS_FILE).unlink(missing_ok=True)
        self.stdout.write(f"{len(tenants)} tenants removed, {len(users)} accounts emptied.")


def remove_tenant(tenant: Tenant) -> list[str]:
    """Remove a tenant with all its rows, and return the paths of the log chunks that nobody needs then."""
    workloads = Workload.objects.filter(tenant=tenant)
    chunks = list(LogChunk.objects.filter(workload__in=workloads).values_list("path", flat=True))
    Attempt.objects.filter(tenant=tenant).delete()
    workloads.delete()
    Template.objects.filter(tenant=tenant).delete()
    demomarks.mark_removed(tenant, name=tenant.slug, tenant_id=tenant.pk)
    tenant.delete()
    return chunks


def empty_account(user: User) -> None:
    """Take everything from an account but its name and its past: whatever hangs on it, its settings, its password."""
    for relation in User._meta.related_objects:
        if getattr(relation, "on_delete", None) is models.CASCADE:
            rows = relation.related_model._meta.base_manager.filter(**{relation.field.name: user})
            rows.delete()
    for column in User._meta.concrete_fields:
        if column.name not in _KEPT_FIELDS:
            setattr(user, column.name, column.get_default())
    user.groups.clear()
    user.user_permissions.clear()
    user.is_active = False
    user.set_unusable_password()
    user.save()
