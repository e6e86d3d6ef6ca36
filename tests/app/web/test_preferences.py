"""Theme, language and time zone: kept for a person, and in a cookie for a visitor; and where one lands afterwards."""

import re
from collections.abc import Callable
from typing import Any

import pytest
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
def chinese() -> str:
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
    page = client.get("/accounts/login/").content.decode()
    assert f'<html lang="{chinese}"' in page
    assert "用户名或邮箱" in page


def test_a_visitor_is_spoken_to_as_their_browser_asks(client: Client) -> None:
    page = client.get("/accounts/login/", headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5"}).content.decode()
    assert '<html lang="zh-hans"' in page
    refused = client.post(
        "/accounts/login/", {"login": "nobody", "password": "wrong"}, headers={"Accept-Language": "zh-CN"}
    )
    assert "用户名或密码错误" in refused.content.decode()
    missing = client.get("/no-such-page/", headers={"Accept-Language": "zh-CN"}).content.decode()
    assert "这里没有内容" in missing


def test_what_a_person_chose_counts_more_than_their_browser(
    client_of: Callable[[User], Client], owner: User, chinese: str
) -> None:
    User.objects.filter(pk=owner.pk).update(language="en")
    page = client_of(owner).get("/", headers={"Accept-Language": "zh-CN"}).content.decode()
    assert '<html lang="en"' in page


def test_one_language_is_no_choice(
    client_of: Callable[[User], Client], client: Client, owner: User, settings: Any
) -> None:
    settings.LANGUAGES = [("en", "English")]
    assert "/preferences/language/" not in client.get("/accounts/login/").content.decode()
    assert "/preferences/language/" not in client_of(owner).get("/").content.decode()


@pytest.mark.parametrize(
    ("path", "field", "cookie"),
    [
        ("/preferences/theme/", "theme", "berth-theme"),
        ("/preferences/language/", "language", "berth-language"),
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


@pytest.mark.parametrize(("chosen", "offset"), [("Asia/Shanghai", "+08:00"), ("", "+00:00"), ("No/Such", "+00:00")])
def test_pages_are_in_a_persons_zone_without_a_walk_through_all_zones(
    client_of: Callable[[User], Client], owner: User, chosen: str, offset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.filter(pk=owner.pk).update(time_zone=chosen)
    monkeypatch.delattr("zoneinfo.available_timezones")  # it reads hundreds of files each time
    page = client_of(owner).get("/").content.decode()
    assert re.search(r'data-now="[^"]+"', page)[0].endswith(f'{offset}"')  # type: ignore[index]
