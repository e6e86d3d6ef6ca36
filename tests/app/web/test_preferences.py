"""Theme, language and time zone: kept for a person, and in a cookie for a visitor; and where one lands afterwards."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from portal.core.models import User

pytestmark = pytest.mark.django_db


def test_a_visitors_theme_is_kept_in_a_cookie(client: Client) -> None:
    answer = client.post("/preferences/theme/", {"theme": "dark"})
    assert answer.cookies["berth-theme"].value == "dark"
    assert answer.cookies["berth-theme"]["samesite"] == "Lax"


def test_a_persons_theme_is_kept_with_the_account(client_of: Callable[[User], Client], owner: User) -> None:
    client_of(owner).post("/preferences/theme/", {"theme": "dark"})
    owner.refresh_from_db()
    assert owner.theme == "dark"


@pytest.fixture
def chinese(settings: Any) -> str:
    """Offer a second language, as a complete translation of our texts will."""
    settings.LANGUAGES = [*settings.LANGUAGES, ("zh-hans", "Simplified Chinese")]
    return "zh-hans"


def test_a_persons_language_is_kept_and_spoken(client_of: Callable[[User], Client], owner: User, chinese: str) -> None:
    browser = client_of(owner)
    browser.post("/preferences/language/", {"language": chinese})
    owner.refresh_from_db()
    assert owner.language == chinese
    page = browser.get("/").content.decode()
    assert f'lang="{chinese}"' in page
    assert "/preferences/language/" in page


def test_a_visitors_language_is_spoken_on_the_sign_in_page(client: Client, chinese: str) -> None:
    client.post("/preferences/language/", {"language": chinese})
    assert f'lang="{chinese}"' in client.get("/accounts/login/").content.decode()


def test_one_language_is_no_choice(client_of: Callable[[User], Client], client: Client, owner: User) -> None:
    assert len(settings.LANGUAGES) == 1
    assert "/preferences/language/" not in client.get("/accounts/login/").content.decode()
    assert "/preferences/language/" not in client_of(owner).get("/").content.decode()


@pytest.mark.parametrize(
    ("path", "field", "cookie"),
    [
        ("/preferences/theme/", "theme", "berth-theme"),
        ("/preferences/language/", "language", settings.LANGUAGE_COOKIE_NAME),
    ],
)
@pytest.mark.parametrize("value", ["", "<script>", "no-such"])
def test_what_is_not_offered_changes_nothing(
    client_of: Callable[[User], Client], owner: User, path: str, field: str, cookie: str, value: str
) -> None:
    answer = client_of(owner).post(path, {field: value})
    assert answer.status_code == 302
    assert cookie not in answer.cookies
    before = getattr(owner, field)
    owner.refresh_from_db()
    assert getattr(owner, field) == before


@pytest.mark.parametrize("target", ["/workloads/?view=all", "tenants/", "home"])
def test_one_lands_where_one_was(client: Client, target: str) -> None:
    answer = client.post("/preferences/theme/", {"theme": "dark", "next": target})
    assert (answer.status_code, answer["Location"]) == (302, target)


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "http:///evil.example"],
)
def test_nobody_is_sent_to_a_foreign_place(client: Client, target: str) -> None:
    for path in ("/preferences/theme/", "/preferences/language/"):
        answer = client.post(path, {"next": target})
        assert (answer.status_code, answer["Location"]) == (302, "/")


def test_a_preference_is_not_set_by_following_a_link(client: Client) -> None:
    assert client.get("/preferences/theme/?theme=dark").status_code == 405


def test_a_preference_is_not_set_from_another_site(owner: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    assert browser.post("/preferences/theme/", {"theme": "dark"}).status_code == 403


def test_each_answer_has_an_id_of_its_own(client: Client) -> None:
    first, second = (client.get("/healthz")["X-Request-Id"] for _ in range(2))
    assert re.fullmatch(r"[0-9a-f]{32}", first)
    assert first != second
