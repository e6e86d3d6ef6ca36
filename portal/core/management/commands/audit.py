"""`manage.py audit verify`: recomputes the seals of the audit trail, and says the first fault."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.core import seals


class Command(BaseCommand):
    help = "Check that no sealed entry of the audit trail was changed; exits with 1 where one was."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["verify"])
        parser.add_argument(
            "--expect", default="", metavar="DIGEST", help="a digest printed earlier: must be in the chain"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = seals.verify(expected=options["expect"])
        if found.fault:
            raise CommandError(f"The audit trail is not as it was sealed: {found.fault}.")
        self.stdout.write(f"{found.entries} entries in {found.seals} seals are as they were sealed.")
        self.stdout.write(f"{found.unsealed} entries are not sealed yet.")
        if found.head:
            self.stdout.write(f"Last digest, to be noted elsewhere: {found.head}")
