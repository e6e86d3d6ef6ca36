"""Celery wrappers: one id in, at most five lines each."""

from uuid import UUID

from celery import shared_task
from celery.contrib.django.task import DjangoTask

from tenants import reconcile


@shared_task(base=DjangoTask, ignore_result=True)
def reconcile_tenant(tenant_id: str) -> None:
    """Make the tenant's namespace hold what its row says."""
    reconcile.reconcile_tenant(UUID(tenant_id))
