"""Celery wrappers: one id in, at most five lines each."""

from uuid import UUID

from celery import shared_task
from celery.contrib.django.task import DjangoTask

from workloads import reconcile


@shared_task(base=DjangoTask, ignore_result=True)
def reconcile_workload(workload_id: str) -> None:
    """Bring the cluster to what the workload's row asks for."""
    reconcile.reconcile(UUID(workload_id))
