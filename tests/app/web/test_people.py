"""Accounts: who may make, see and switch them off, and what that ends."""

import re
from collections.abc import Callable

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.core.models import AuditEntry, User
from tenants.models import Tenant
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
NEW = {"username": "newcomer", "full_name": "New Comer", "email": "new@example.org", "platform_role": "none"}
CHOSEN = "a long enough phrase"


def link_in(page: str) -> str:
    found = re.search(r"http://testserver(/accounts/welcome/[^<\"]+)", page)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("who", "listing", "page", "change"),
    [
        ("owner", 403, 404, 404),
        ("tenant_admin", 403, 404, 404),
        ("auditor", 200, 200, 403),
        ("platform_admin", 200, 200, 302),
    ],
)
def test_who_may_see_and_change_accounts(
    who: str,
    listing: int,
    page: int,
    change: int,
    client_of: Callable[[User], Client],
    colleague: User,
    request: pytest.FixtureRequest,
) -> None:
    client = client_of(request.getfixturevalue(who))
    assert client.get("/users/").status_code == listing
    assert client.get(f"/users/{colleague.pk}/").status_code == page
    assert client.post(f"/users/{colleague.pk}/off/").status_code == change
    assert client.post(f"/users/{colleague.pk}/role/", {"platform_role": "auditor"}).status_code == change
    made = client.post("/users/new/", NEW).status_code
    assert made == (200 if who == "platform_admin" else 403)


def test_a_new_account_signs_in_after_its_owner_set_a_password_by_the_link(admin: Client) -> None:
    link = link_in(admin.post("/users/new/", NEW).content.decode())
    assert not User.objects.get(username="newcomer").has_usable_password()
    newcomer = Client()
    form = newcomer.get(link, follow=True)
    path = form.redirect_chain[-1][0]
    newcomer.post(path, {"new_password1": CHOSEN, "new_password2": CHOSEN})
    answer = newcomer.post("/accounts/login/", {"login": "new@example.org", "password": CHOSEN})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_a_link_works_once(admin: Client) -> None:
    link = link_in(admin.post("/users/new/", NEW).content.decode())
    first = Client()
    path = first.get(link, follow=True).redirect_chain[-1][0]
    first.post(path, {"new_password1": CHOSEN, "new_password2": CHOSEN})
    assert "This link does not work" in Client().get(link, follow=True).content.decode()


def test_a_link_is_dead_while_the_account_is_switched_off(admin: Client) -> None:
    link = link_in(admin.post("/users/new/", NEW).content.decode())
    User.objects.filter(username="newcomer").update(is_active=False)
    assert "This link does not work" in Client().get(link, follow=True).content.decode()


def test_a_weak_password_is_refused_at_its_field(admin: Client) -> None:
    link = link_in(admin.post("/users/new/", NEW).content.decode())
    newcomer = Client()
    path = newcomer.get(link, follow=True).redirect_chain[-1][0]
    page = newcomer.post(path, {"new_password1": "12345678", "new_password2": "12345678"}).content.decode()
    assert "field-errors" in page
    assert not User.objects.get(username="newcomer").has_usable_password()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", ""),
        ("username", "a b"),
        ("username", "OWNER"),
        ("email", "nothing"),
        ("email", "Owner@Example.org"),
        ("platform_role", "king"),
    ],
)
def test_bad_input_gets_a_message_at_its_field(field: str, value: str, admin: Client, owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(email="owner@example.org")
    before = User.objects.count()
    answer = admin.post("/users/new/", {**NEW, field: value})
    assert (answer.status_code, User.objects.count()) == (400, before)
    assert f'id="id_{field}_error"' in answer.content.decode()


def test_switching_off_ends_sessions_for_good(admin: Client, owner: User) -> None:
    browser = Client()
    browser.post("/accounts/login/", {"login": "owner", "password": PASSWORD})
    assert browser.get("/").status_code == 200
    admin.post(f"/users/{owner.pk}/off/")
    assert browser.get("/").status_code == 302
    admin.post(f"/users/{owner.pk}/on/")
    assert browser.get("/").status_code == 302
    assert not any(row.get_decoded().get("_auth_user_id") == str(owner.pk) for row in Session.objects.all())


def test_nobody_switches_themselves_off_or_takes_the_last_admin_away(admin: Client, platform_admin: User) -> None:
    assert admin.post(f"/users/{platform_admin.pk}/off/").status_code == 409
    assert admin.post(f"/users/{platform_admin.pk}/role/", {"platform_role": "none"}).status_code == 409
    platform_admin.refresh_from_db()
    assert (platform_admin.is_active, platform_admin.platform_role) == (True, "admin")


def test_each_change_is_in_the_trail_without_the_link(admin: Client, owner: User) -> None:
    admin.post(f"/users/{owner.pk}/role/", {"platform_role": "auditor"})
    admin.post(f"/users/{owner.pk}/link/")
    page = admin.post(f"/users/{owner.pk}/off/", follow=True).content.decode()
    actions = list(AuditEntry.objects.order_by("id").values_list("action", flat=True))
    assert actions == ["user.set_role", "user.password_link", "user.switch_off"]
    assert "root-admin switched the account off" in page
    assert "root-admin set the platform role: Auditor" in page
    assert "welcome/" not in str(list(AuditEntry.objects.values_list("before", "after")))


def test_a_tenant_admin_is_not_called_a_platform_admin(admin: Client, tenant: Tenant, owner: User) -> None:
    admin.post("/tenants/vision/members/", {"username": "owner", "role": "admin"})
    assert "root-admin changed the role of owner to Tenant admin" in admin.get("/tenants/vision/").content.decode()


def test_people_are_found_by_parts_of_their_names_and_addresses(admin: Client, owner: User, colleague: User) -> None:
    User.objects.filter(pk=owner.pk).update(first_name="Ada Example", email="ada@example.org")
    for text in ("OWN", "ada ex", "@example"):
        page = admin.get("/users/", {"q": text}).content.decode()
        assert f"/users/{owner.pk}/" in page
        assert f"/users/{colleague.pk}/" not in page
    assert "No account fits" in admin.get("/users/", {"q": "%"}).content.decode()


def test_the_list_is_walked_in_pages_both_ways(admin: Client) -> None:
    User.objects.bulk_create(User(username=f"person-{number:03}") for number in range(120))
    seen: list[str] = []
    url, pages = "/users/", [""]
    while url:
        page = admin.get(url).content.decode()
        seen += re.findall(r'row-name" href="/users/[^>]+>([^<]+)<', page)
        pages.append(page)
        found = re.search(r'rel="next" href="([^"]+)"', page)
        url = "/users/" + found[1] if found else ""
    assert seen == sorted(User.objects.values_list("username", flat=True))
    back = re.search(r'rel="prev" href="([^"]+)"', pages[-1])
    assert back
    again = admin.get("/users/" + back[1]).content.decode()
    assert re.findall(r'row-name" href="/users/[^>]+>([^<]+)<', again) == seen[50:100]


def test_the_list_costs_the_same_for_few_and_for_many(admin: Client, owner: User) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert admin.get("/users/").status_code == 200
        return len(seen)

    before = statements()
    User.objects.bulk_create(User(username=f"person-{number:03}") for number in range(60))
    assert statements() == before <= 6
