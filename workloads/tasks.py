"""Celery wrappers of at most five lines: of one id, or on beat's clock."""

from uuid import UUID

from celery import shared_task
from celery.contrib.django.task import DjangoTask

from workloads import ledgercheck, reconcile


@shared_task(base=DjangoTask, ignore_result=True)
def reconcile_workload(workload_id: str) -> None:
    """Bring the cluster to what the workload's row asks for."""
    reconcile.reconcile(UUID(workload_id))


@shared_task(base=DjangoTask, ignore_result=True)
def check_ledger() -> None:
    """Recompute the quota ledger and keep where it differs."""
    ledgercheck.check()
