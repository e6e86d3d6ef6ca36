"""Tenants and people to try the product with; run by `up --demo` at each start, and changes nothing that is there.

Passwords are random and written once, for the owner of the data directory only, before the accounts are made: a start
that is cut short makes the rest of them the next time.
"""

import os
import secrets
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from portal.core import demomarks
from portal.core.models import PlatformRole, User
from tenants.models import Tenant
from tenants.services import membership_set, tenant_create
from tenants.specs import CPU, GPUS, MEMORY, PODS, Role

ACCOUNTS_FILE = "demo-accounts.txt"
_PASSWORD_BYTES = 12


class Person(NamedTuple):
    """An account of the demo; `tenant` and `role` are empty for one that belongs nowhere."""

    username: str
    about: str
    platform_role: PlatformRole = PlatformRole.NONE
    tenant: str = ""
    role: Role = Role.VIEWER


TENANTS = {
    "vision": ("Vision", {CPU: 2_000, MEMORY: 4_096, PODS: 80, GPUS: 2}),
    "speech": ("Speech", {CPU: 1_000, MEMORY: 2_048, PODS: 20, GPUS: 0}),
}
PEOPLE = (
    Person("admin", "platform admin", platform_role=PlatformRole.ADMIN),
    Person("lead", "tenant admin of vision", tenant="vision", role=Role.ADMIN),
    Person("dev", "developer of vision", tenant="vision", role=Role.DEVELOPER),
    Person("viewer", "viewer of vision", tenant="vision", role=Role.VIEWER),
    Person("auditor", "auditor: reads everything, changes nothing", platform_role=PlatformRole.AUDITOR),
    Person("guest", "developer of speech, an outsider to vision", tenant="speech", role=Role.DEVELOPER),
)


class Command(BaseCommand):
    help = "Make the demo's tenants and accounts where they are missing."

    def handle(self, *args: Any, **options: Any) -> None:
        missing = [person for person in PEOPLE if not _is_there(person)]
        passwords = _passwords(settings.DATA_DIR / ACCOUNTS_FILE, missing)
        with transaction.atomic():
            made = [_user(person, passwords[person.username]) for person in missing]
            self._give_places(missing, made)

    def _give_places(self, people: list[Person], made: list[User]) -> None:
        admin = next((user for user in made if user.is_platform_admin), None) or _some_admin()
        if admin is None:
            self.stderr.write("The account “admin” is no platform admin: no tenants are made.")
            return
        for slug, (name, limits) in TENANTS.items():
            if not Tenant.objects.filter(slug=slug).exists():
                tenant = tenant_create(actor=admin, slug=slug, name=name, limits=limits)
                demomarks.mark_made(tenant, tenant_id=tenant.pk, name=slug)
        for person, user in zip(people, made, strict=True):
            if person.tenant:
                tenant = Tenant.objects.get(slug=person.tenant)
                membership_set(actor=admin, tenant=tenant, user=user, role=person.role)


def _some_admin() -> User | None:
    return User.objects.filter(platform_role=PlatformRole.ADMIN, is_active=True).order_by("date_joined").first()


def _is_there(person: Person) -> bool:
    """Tell whether the name is in use; an account that a reset of the demo has emptied is made anew."""
    user = User.objects.filter(username__iexact=person.username).first()
    return user is not None and not _is_emptied(user)


def _is_emptied(user: User) -> bool:
    return not user.is_active and not user.has_usable_password() and demomarks.was_made(user)


def _user(person: Person, password: str) -> User:
    user = User.objects.filter(username__iexact=person.username).first() or User(username=person.username)
    user.platform_role, user.is_active = person.platform_role, True
    user.set_password(password)
    user.save()
    demomarks.mark_made(user, name=person.username)
    return user


def _passwords(path: Path, missing: list[Person]) -> dict[str, str]:
    """Return the passwords by user name, after adding those of the missing people to the file."""
    known = _read(path)
    new = {p.username: secrets.token_urlsafe(_PASSWORD_BYTES) for p in missing if p.username not in known}
    if new or not path.exists():
        passwords = known | new
        _write(path, [f"{p.username} {passwords[p.username]} {p.about}" for p in PEOPLE if p.username in passwords])
    return known | new


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    words = (line.split() for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return {pair[0]: pair[1] for pair in words if len(pair) > 1}


def _write(path: Path, lines: list[str]) -> None:
    """Replace the file as a whole, readable by its owner only from its first byte on."""
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(["# user name, password, what for", *lines, ""]))
    draft.replace(path)
