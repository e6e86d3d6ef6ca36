"""Celery wrappers of at most five lines, on beat's clock."""

from celery import shared_task
from celery.contrib.django.task import DjangoTask

from portal.core import seals


@shared_task(base=DjangoTask, ignore_result=True)
def seal_audit() -> None:
    """Seal the entries of the audit trail that are old enough."""
    while seals.seal() == seals.MOST_ENTRIES:
        continue
