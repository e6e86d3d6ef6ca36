"""Makes a platform admin. The only way to the first one: there is no default password and no open sign-up."""

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils.translation import gettext as _

from portal.core import audit
from portal.core.models import PlatformRole, User


class Command(BaseCommand):
    help = "Create a platform admin. Asks for what is not given."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--username", help="name to sign in with")
        parser.add_argument("--email", default="", help="address, optional")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        username = options["username"] or input(_("User name: "))
        user = User(username=username.strip(), email=options["email"].strip(), platform_role=PlatformRole.ADMIN)
        self._check(lambda: user.full_clean(exclude=["password"]))
        password = sys.stdin.readline().rstrip("\n") if options["password_stdin"] else _asked_password()
        self._check(lambda: validate_password(password, user))
        user.set_password(password)
        with transaction.atomic():
            user.save(force_insert=True)
            audit.record(actor=None, action="user.create_admin", target=user, after={"user": user.get_username()})
        self.stdout.write(_("%(name)s may sign in now.") % {"name": user.get_username()})

    def _check(self, check: Any) -> None:
        try:
            check()
        except ValidationError as error:
            raise CommandError("\n".join(error.messages)) from error


def _asked_password() -> str:
    if not sys.stdin.isatty():
        raise CommandError(_("There is no terminal to ask for a password: use --password-stdin."))
    password = getpass.getpass(_("Password: "))
    if password != getpass.getpass(_("Password again: ")):
        raise CommandError(_("The two passwords differ."))
    return password
