"""The first admin is made by command, with a password that passes the same checks as everybody's."""

import io
import sys

import pytest
from django.core.management import CommandError, call_command

from portal.core.models import AuditEntry, User

pytestmark = pytest.mark.django_db


def create(monkeypatch: pytest.MonkeyPatch, password: str, username: str = "boss") -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(password + "\n"))
    call_command("createadmin", username=username, password_stdin=True, stdout=io.StringIO())


def test_an_admin_is_made_who_can_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    create(monkeypatch, "a long and odd passphrase")
    user = User.objects.get(username="boss")
    assert user.is_platform_admin
    assert user.check_password("a long and odd passphrase")
    entry = AuditEntry.objects.get(action="user.create_admin")
    assert "passphrase" not in str(entry.after)


@pytest.mark.parametrize("password", ["short", "password1234", ""])
def test_a_weak_password_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    with pytest.raises(CommandError):
        create(monkeypatch, password)
    assert not User.objects.exists()


@pytest.mark.parametrize("username", ["BOSS", "no spaces"])
def test_a_name_that_is_taken_or_unfit_is_refused(monkeypatch: pytest.MonkeyPatch, username: str) -> None:
    create(monkeypatch, "a long and odd passphrase")
    with pytest.raises(CommandError):
        create(monkeypatch, "a long and odd passphrase", username)
    assert User.objects.count() == 1


def test_without_a_terminal_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(CommandError, match="--password-stdin"):
        call_command("createadmin", username="boss")
