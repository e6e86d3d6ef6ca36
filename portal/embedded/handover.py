"""Management commands that become another program at once: one without Django, with the arguments as they are."""

import os
import sys

from django.core.management.base import BaseCommand

from portal.embedded.layout import ROOT


class Handover(BaseCommand):
    """Gives way to `module`."""

    module = ""

    def run_from_argv(self, argv: list[str]) -> None:
        """Become the other program."""
        os.environ["PYTHONPATH"] = str(ROOT)
        # The same program and our own arguments: nothing here passes a shell.
        os.execv(sys.executable, [sys.executable, "-P", "-m", self.module, *argv[2:]])  # noqa: S606
