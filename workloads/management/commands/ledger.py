"""`manage.py ledger check`: recomputes the quota ledger from rows and from the cluster, and says every difference."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.core.installation import installation_id
from portal.kube.client import connect
from portal.kube.errors import KubeError
from portal.kube.types import PODS, Pod
from workloads.ledgercheck import Difference, check, cluster_differences

UNKNOWN = 3


class Command(BaseCommand):
    help = "Recompute the quota ledger from rows and from the cluster; exits with 1 where anything differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["check"])
        parser.add_argument("--rows-only", action="store_true", help="leave the cluster out")

    def handle(self, *args: Any, **options: Any) -> None:
        found = check()
        if not options["rows_only"]:
            found += self._cluster()
        for fault in found:
            self.stdout.write(f"{fault.owner} {fault.key} {fault.what}: says {fault.said}, counted {fault.counted}")
        self.stdout.write(f"{len(found)} differences")
        if found:
            raise CommandError("The ledger differs from what is held.")

    def _cluster(self) -> list[Difference]:
        selector = f"berth.dev/installation={installation_id()}"
        try:
            pods = connect("watcher").list(PODS, label_selector=selector, as_type=Pod).items
        except KubeError as error:
            raise CommandError(f"The cluster cannot be asked: {error.message}", returncode=UNKNOWN) from error
        return cluster_differences(pods)
