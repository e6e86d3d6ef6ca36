"""Brings the demo to life beside the running portal: submits its work once, and lets one run be cancelled by somebody.

After a reset it first takes the old tenants' namespaces out of the cluster. Ends when nothing is left to do; without a
cluster what needs one waits for the next start.
"""

import time
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from portal import env
from portal.core import demomarks
from portal.core.errors import Conflict, Denied, NotVisible
from portal.core.hints import hint
from portal.core.models import User
from portal.kube.errors import KubeError
from tenants.models import Tenant
from tenants.reconcile import namespace_removed
from tenants.tasks import reconcile_tenant
from workloads import demo
from workloads.services import workload_cancel
from workloads.specs import TERMINAL, Desired, State

LOOK_EVERY_S = 2.0
CANCEL_AFTER_S = 5.0
log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Submit the demo's workloads, once; stays until the one that is to be cancelled has been."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-samples", action="store_true", help="submit nothing, only clear up after a reset")

    def handle(self, *_args: Any, **options: Any) -> None:
        made = [] if options["no_samples"] else demo.submit_missing()
        self.stdout.write(f"{len(made)} workloads submitted.")
        if env.text("BERTH_CLUSTER", "none") == "none":
            return
        while not (old_namespaces_are_gone() & is_cancelled()):
            time.sleep(LOOK_EVERY_S)


def old_namespaces_are_gone() -> bool:
    """Ask the cluster to remove the namespaces of tenants that a reset removed; tell whether none is left."""
    left = {tenant_id: slug for tenant_id, slug in demomarks.removed(Tenant).items() if slug}
    if not left:
        return True
    try:
        gone = [namespace_removed(slug=slug, tenant_id=tenant_id) for tenant_id, slug in left.items()]
    except KubeError as error:
        log.info("old_namespaces_wait", error=error.message)
        return False
    if all(gone):
        for tenant in Tenant.objects.filter(slug__in=left.values()):
            hint(reconcile_tenant, str(tenant.pk))
    return all(gone)


def is_cancelled() -> bool:
    """Have one workload cancelled once it has run for a few seconds; tell whether nothing is left to wait for."""
    workload = demo.sample_workload(demo.CANCELLED)
    actor = User.objects.filter(username=demo.CANCELLED_BY, is_active=True).first()
    if workload is None or actor is None or workload.state in TERMINAL or workload.desired == Desired.STOP:
        return True
    ran_s = (timezone.now() - workload.started_at).total_seconds() if workload.started_at else 0.0
    if workload.state != State.RUNNING or ran_s < CANCEL_AFTER_S:
        return False
    try:
        workload_cancel(actor=actor, workload=workload)
    except (Conflict, Denied, NotVisible) as error:
        log.info("demo_cancel_refused", error=str(error))
    return True
