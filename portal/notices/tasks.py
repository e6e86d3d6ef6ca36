"""Celery wrappers of at most five lines, hinted or on beat's clock."""

from celery import shared_task
from celery.contrib.django.task import DjangoTask

from portal.notices import delivery


@shared_task(base=DjangoTask, ignore_result=True)
def send_notices() -> None:
    """Send what is due to the addresses outside."""
    while delivery.deliver() == delivery.MOST_AT_ONCE:
        continue


@shared_task(base=DjangoTask, ignore_result=True)
def forget_notices() -> None:
    """Delete what is old."""
    delivery.forget()
