"""One's own account: profile, sign-ins elsewhere, tokens."""

import re
from collections.abc import Callable

import pytest
from django.test import Client

from portal.core.models import ApiToken, User
from portal.core.tokens import token_of_key
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
PROFILE = {"full_name": "", "email": "", "language": "", "theme": "auto", "time_zone": ""}
TOKEN = {"name": "nightly", "scopes": ["read"], "tenant": "", "days": "30"}


@pytest.fixture
def browser(client_of: Callable[[User], Client], owner: User) -> Client:
    return client_of(owner)


def test_a_profile_is_kept(browser: Client, owner: User) -> None:
    sent = {
        "full_name": "Own Er",
        "email": "o@example.org",
        "language": "en",
        "theme": "dark",
        "time_zone": "Asia/Shanghai",
    }
    assert browser.post("/profile/", sent).status_code == 302
    owner.refresh_from_db()
    assert (owner.get_full_name(), owner.email, owner.language) == ("Own Er", "o@example.org", "en")
    assert (owner.theme, owner.time_zone) == ("dark", "Asia/Shanghai")


@pytest.mark.parametrize(
    ("typed", "meant"), [("shanghai", "Asia/Shanghai"), ("new york", "America/New_York"), ("utc", "UTC"), (" ", "")]
)
def test_a_city_is_enough_for_a_time_zone(typed: str, meant: str, browser: Client, owner: User) -> None:
    browser.post("/profile/", {**PROFILE, "time_zone": typed})
    owner.refresh_from_db()
    assert owner.time_zone == meant


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("time_zone", "Atlantis"),
        ("time_zone", "../etc/passwd"),
        ("language", "xx"),
        ("theme", "pink"),
        ("email", "x"),
        ("email", "taken@example.org"),
    ],
)
def test_what_is_not_acceptable_is_told_at_its_field(field: str, value: str, browser: Client, colleague: User) -> None:
    User.objects.filter(pk=colleague.pk).update(email="TAKEN@example.org")
    answer = browser.post("/profile/", {**PROFILE, field: value})
    assert answer.status_code == 400
    assert f'id="id_{field}_error"' in answer.content.decode()


def test_an_address_that_was_changed_signs_nobody_in_any_more(owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(email="old@example.org")
    browser = Client()
    assert browser.post("/accounts/login/", {"login": "old@example.org", "password": PASSWORD}).status_code == 302
    browser.post("/profile/", {**PROFILE, "email": "new@example.org"})
    answers = [
        Client().post("/accounts/login/", {"login": f"{name}@example.org", "password": PASSWORD}).status_code
        for name in ("old", "new")
    ]
    assert answers == [200, 302]


def test_one_signs_out_everywhere_else_and_stays_here(owner: User) -> None:
    here, elsewhere = Client(), Client(headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"})
    for each in (here, elsewhere):
        each.post("/accounts/login/", {"login": "owner", "password": PASSWORD})
    assert "Firefox on Linux" in here.get("/profile/").content.decode()
    here.post("/profile/sessions/end/")
    assert [each.get("/profile/").status_code for each in (here, elsewhere)] == [200, 302]


def test_a_tokens_key_is_shown_once_and_works(browser: Client, owner: User) -> None:
    page = browser.post("/profile/tokens/", TOKEN).content.decode()
    found = re.search(r'id="token-key">([^<]+)<', page)
    assert found
    token = token_of_key(found[1])
    assert token is not None
    assert token.user == owner
    again = browser.get("/profile/tokens/").content.decode()
    assert found[1] not in again
    assert "nightly" in again


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("scopes", []), ("scopes", ["root"]), ("tenant", "speech"), ("days", "9999"), ("name", "taken")],
)
def test_a_token_that_may_not_be_is_refused(field: str, value: object, browser: Client, outsider: User) -> None:
    browser.post("/profile/tokens/", {**TOKEN, "name": "taken"})
    answer = browser.post("/profile/tokens/", {**TOKEN, field: value})
    assert (answer.status_code, ApiToken.objects.count()) == (400, 1)
    assert f'id="id_{field}_error"' in answer.content.decode()


def test_a_revoked_token_is_gone_and_nobody_revokes_anothers(
    browser: Client, client_of: Callable[[User], Client], colleague: User
) -> None:
    browser.post("/profile/tokens/", TOKEN)
    token = ApiToken.objects.get()
    assert client_of(colleague).post(f"/profile/tokens/{token.pk}/revoke/").status_code == 404
    assert browser.post(f"/profile/tokens/{token.pk}/revoke/").status_code == 302
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("path", ["/profile/", "/profile/tokens/", "/users/", "/users/new/"])
def test_who_is_signed_out_is_asked_to_sign_in(path: str) -> None:
    answer = Client().get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")
