"""The demo's tenants and people are made once; nothing that is there is touched."""

import stat
from pathlib import Path

import pytest
from django.core.management import call_command

from portal.core.models import User
from tenants.models import Membership, Tenant
from tests.quota import limits_of, set_limits

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, settings: object) -> Path:
    settings.DATA_DIR = tmp_path  # type: ignore[attr-defined]
    return tmp_path


def accounts(data_dir: Path) -> dict[str, str]:
    lines = (data_dir / "demo-accounts.txt").read_text().splitlines()
    return {line.split()[0]: line.split()[1] for line in lines if not line.startswith("#")}


def test_everybody_can_sign_in_and_has_their_place(data_dir: Path) -> None:
    call_command("seed_demo")
    passwords = accounts(data_dir)
    assert sorted(passwords) == ["admin", "auditor", "dev", "guest", "lead", "viewer"]
    assert all(User.objects.get(username=name).check_password(word) for name, word in passwords.items())
    assert User.objects.get(username="admin").is_platform_admin
    assert User.objects.get(username="auditor").is_auditor
    places = Membership.objects.order_by("user__username").values_list("user__username", "tenant__slug", "role")
    assert list(places) == [
        ("dev", "vision", "developer"),
        ("guest", "speech", "developer"),
        ("lead", "vision", "admin"),
        ("viewer", "vision", "viewer"),
    ]
    assert set(Tenant.objects.values_list("slug", flat=True)) == {"vision", "speech"}


def test_only_the_owner_of_the_data_directory_can_read_the_passwords(data_dir: Path) -> None:
    call_command("seed_demo")
    assert stat.S_IMODE((data_dir / "demo-accounts.txt").stat().st_mode) == 0o600


def test_a_second_start_changes_nothing(data_dir: Path) -> None:
    call_command("seed_demo")
    before = (data_dir / "demo-accounts.txt").read_text(), list(User.objects.order_by("pk").values())
    set_limits(Tenant.objects.get(slug="vision"), pods=3)
    call_command("seed_demo")
    assert ((data_dir / "demo-accounts.txt").read_text(), list(User.objects.order_by("pk").values())) == before
    assert limits_of(Tenant.objects.get(slug="vision"))["pods"] == 3


def test_an_account_that_was_there_before_keeps_its_password(data_dir: Path, platform_admin: User) -> None:
    old = User.objects.create_user("dev", password="mine, and long enough")
    call_command("seed_demo")
    old.refresh_from_db()
    assert old.check_password("mine, and long enough")
    assert "dev" not in accounts(data_dir)
    assert not old.memberships.exists()
