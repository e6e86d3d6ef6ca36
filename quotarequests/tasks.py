"""Celery wrappers of at most five lines, on beat's clock."""

from celery import shared_task
from celery.contrib.django.task import DjangoTask

from quotarequests import sweeps


@shared_task(base=DjangoTask, ignore_result=True)
def sweep_grants() -> None:
    """End grants whose time is over, warn of those that end soon, close requests that nobody decided."""
    sweeps.sweep()
