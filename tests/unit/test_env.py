"""What each reader takes, what it refuses, and that the refusal names the variable."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portal import env
from portal.env import EnvError

NAME = "BERTH_EXAMPLE"


@pytest.mark.parametrize(
    ("read", "raw", "value"),
    [
        (env.flag, "Yes", True),
        (env.flag, "on", True),
        (env.flag, " 0 ", False),
        (env.flag, "off", False),
        (lambda name: env.flag(name, default=True), "", True),
        (lambda name: env.integer(name, 3), "12", 12),
        (lambda name: env.integer(name, 3), "", 3),
        (lambda name: env.number(name, 0.5), "1.5", 1.5),
        (lambda name: env.number(name, 0.5), "", 0.5),
        (lambda name: env.text(name, "default"), "", "default"),
        (lambda name: env.path(name, Path("/default")), "", Path("/default")),
        (lambda name: env.path(name, Path("/default")), "relative", Path.cwd() / "relative"),
    ],
)
def test_a_reader_takes_the_usual_spellings(
    read: Callable[[str], Any], raw: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NAME, raw)
    assert read(NAME) == value


def test_a_path_may_start_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "~/state")
    assert env.path(NAME, Path("/default")) == Path.home() / "state"


@pytest.mark.parametrize(
    ("read", "raw"),
    [
        (env.flag, "maybe"),
        (lambda name: env.integer(name, 3), "1.5"),
        (lambda name: env.number(name, 0.5), "1,5"),
    ],
)
def test_a_refused_value_is_told_with_its_variable(
    read: Callable[[str], Any], raw: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NAME, raw)
    with pytest.raises(EnvError, match=NAME) as caught:
        read(NAME)
    assert repr(raw) in str(caught.value)


def test_a_database_url_may_name_a_socket_directory() -> None:
    read = env.database("postgresql://some%20body:p%40ss@/portal?host=/run/short&sslmode=disable")
    assert (read["USER"], read["PASSWORD"], read["HOST"], read["PORT"]) == ("some body", "p@ss", "/run/short", "")
    assert (read["NAME"], read["OPTIONS"]) == ("portal", {"sslmode": "disable"})


def test_a_database_url_may_name_a_host() -> None:
    read = env.database("postgres://berth@db.example:5433/berth")
    assert (read["HOST"], read["PORT"], read["NAME"]) == ("db.example", "5433", "berth")


def test_another_database_is_refused() -> None:
    with pytest.raises(EnvError, match="DATABASE_URL"):
        env.database("mysql://berth@db/berth")


def test_celery_spells_a_socket_its_own_way() -> None:
    assert env.celery_broker("unix:///run/valkey.sock") == "redis+socket:///run/valkey.sock"
    assert env.celery_broker("redis://cache:6379/0") == "redis://cache:6379/0"


@pytest.mark.parametrize(
    ("url", "hostname"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1"),
        ("http://127.9.9.9/", "127.9.9.9"),
        ("http://localhost:80", "localhost"),
        ("http://[::1]:8080", "[::1]"),
        ("https://Berth.example", "berth.example"),
        ("https://10.0.0.7:8443", "10.0.0.7"),
    ],
)
def test_people_may_come_by_https_or_on_loopback(url: str, hostname: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_PUBLIC_URL", url)
    address = env.public_address()
    assert address.url == url.rstrip("/")
    assert address.hostname == hostname
    assert address.is_https is url.startswith("https")


@pytest.mark.parametrize(
    "url", ["http://berth.example", "http://10.0.0.7:8080", "http://127.0.0.1.example", "http://[fe80::1]"]
)
def test_plain_http_from_elsewhere_is_refused_with_the_reason(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_PUBLIC_URL", url)
    with pytest.raises(EnvError, match=r"BERTH_PUBLIC_URL=.* plain http: passwords would travel readable"):
        env.public_address()


@pytest.mark.parametrize(
    "url",
    ["berth.example", "ftp://berth.example", "https://", "https://berth.example/portal", "https://a@b", "http://["],
)
def test_what_is_no_address_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_PUBLIC_URL", url)
    with pytest.raises(EnvError, match="no address like https://"):
        env.public_address()
