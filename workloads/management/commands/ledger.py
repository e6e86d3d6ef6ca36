"""`manage.py ledger check` and `repair`: the quota ledger beside what is held, as rows and the cluster say it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.core.installation import installation_id
from portal.kube.client import connect
from portal.kube.errors import KubeError
from portal.kube.types import PODS, Pod
from workloads.ledgercheck import Difference, check, cluster_differences, repair

UNKNOWN = 3


class Command(BaseCommand):
    help = (
        "check: recompute the quota ledger from rows and from the cluster; exits with 1 where anything differs. "
        "repair: first make the rows say what is held, and print what they said before."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["check", "repair"])
        parser.add_argument("--rows-only", action="store_true", help="leave the cluster out")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["what"] == "repair":
            for fault in repair():
                self.stdout.write(f"put right: {self._line(fault)}")
        found = check()
        if not options["rows_only"]:
            found += self._cluster()
        for fault in found:
            self.stdout.write(self._line(fault))
        self.stdout.write(f"{len(found)} differences")
        if found:
            raise CommandError("The ledger differs from what is held.")

    @staticmethod
    def _line(fault: Difference) -> str:
        return f"{fault.owner} {fault.key} {fault.what}: says {fault.said}, counted {fault.counted}"

    def _cluster(self) -> list[Difference]:
        selector = f"berth.dev/installation={installation_id()}"
        try:
            pods = connect("watcher").list(PODS, label_selector=selector, as_type=Pod).items
        except KubeError as error:
            raise CommandError(f"The cluster cannot be asked: {error.message}", returncode=UNKNOWN) from error
        return cluster_differences(pods)
