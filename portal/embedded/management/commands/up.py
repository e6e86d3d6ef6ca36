"""`manage.py up`: gives way to `portal.embedded`, which needs neither Django nor a database."""

import os
import sys

from django.core.management.base import BaseCommand

from portal.embedded.layout import ROOT


class Command(BaseCommand):
    """Start the whole product on this machine."""

    help = "Start the portal and everything that it needs on this machine."

    def run_from_argv(self, argv: list[str]) -> None:
        """Become the supervisor, with the arguments as they are."""
        os.environ["PYTHONPATH"] = str(ROOT)
        # The same program and our own arguments: nothing here passes a shell.
        os.execv(sys.executable, [sys.executable, "-P", "-m", "portal.embedded", *argv[2:]])  # noqa: S606
