"""Celery wrappers of at most five lines: of one id, or on beat's clock."""

from uuid import UUID

from celery import shared_task
from celery.contrib.django.task import DjangoTask

from tenants import hours, reconcile


@shared_task(base=DjangoTask, ignore_result=True)
def reconcile_tenant(tenant_id: str) -> None:
    """Make the tenant's namespace hold what its row says."""
    reconcile.reconcile_tenant(UUID(tenant_id))


@shared_task(base=DjangoTask, ignore_result=True)
def sample_quota() -> None:
    """Note what each tenant holds, and forget what is too old."""
    hours.sample()
    hours.forget()
