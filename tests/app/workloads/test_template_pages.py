"""The pages of templates: what each person finds there, forms with complaints at their fields, and what they cost."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.core.models import User
from tenants.models import Tenant
from workloads.models import Template, TemplateVersion, Workload

pytestmark = pytest.mark.django_db
CLIENT = Callable[[User], Client]
MAKE = Callable[..., Template]
FORM = {
    "title": "Nightly train",
    "summary": "Trains",
    "name": "train",
    "image": "busybox:1",
    "script": "echo one\n",
    "cpu_millicores": "0.5",
    "memory_mib": "64 MiB",
    "max_runtime_s": "10 min",
}


@pytest.fixture
def own(make_template: MAKE, tenant: Tenant, owner: User) -> Template:
    """Two versions, seen by their owner only."""
    return make_template("mine", {}, {"image": "img:2"}, tenant=tenant, owner=owner, visibility="own", title="Keepsake")


def pages_of(template: Template) -> list[str]:
    path = f"/templates/{template.pk}/"
    return [path, f"{path}versions/1/", f"{path}compare/?a=1&b=2"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("owner", True),
        ("colleague", False),
        ("viewer", False),
        ("tenant_admin", True),
        ("platform_admin", True),
        ("outsider", False),
    ],
)
def test_pages_of_a_private_template_are_missing_pages_to_others(
    name: str, shown: bool, own: Template, client_of: CLIENT, request: pytest.FixtureRequest
) -> None:
    client = client_of(request.getfixturevalue(name))
    copy = f"/templates/new/?template={own.pk}&tenant={'vision' if shown else ''}"
    for path in [*pages_of(own), f"/templates/{own.pk}/edit/", copy]:
        assert client.get(path).status_code == (200 if shown else 404), path
    assert ("Keepsake" in client.get("/templates/").content.decode()) is shown


def test_only_those_who_may_change_a_shared_one_are_offered_it(
    own: Template, client_of: CLIENT, colleague: User, tenant_admin: User
) -> None:
    Template.objects.update(visibility="tenant")
    page = client_of(colleague).get(f"/templates/{own.pk}/").content.decode()
    assert "Use it" in page
    assert not any(text in page for text in ("/edit/", "show-to", "Archive"))
    for path in ("archive/", "unarchive/", "show-to/"):
        assert client_of(colleague).post(f"/templates/{own.pk}/{path}", {"visibility": "own"}).status_code == 403
    assert client_of(colleague).get(f"/templates/{own.pk}/edit/").status_code == 403
    led = client_of(tenant_admin).get(f"/templates/{own.pk}/").content.decode()
    assert all(text in led for text in ("/edit/", "show-to", "Archive", '<option value="own">'))
    assert '<option value="public">' not in led


def test_a_workload_is_saved_as_a_template_and_the_next_one_says_where_it_is_from(
    client_of: CLIENT, owner: User, tenant: Tenant, make_workload: Callable[..., Workload]
) -> None:
    source = make_workload(tenant, owner, spec={"image": "img:7", "script": "print(7)"})
    client = client_of(owner)
    link = f"/templates/new/?workload={source.pk}"
    assert link in client.get(f"/workloads/{source.pk}/").content.decode()
    form = client.get(link).context["form"]
    values = {field.name: field.value() for field in form if field.value() is not None}
    made = client.post(link, {**values, "title": "Seven"})
    template = Template.objects.get()
    assert (made.status_code, made["Location"]) == (302, f"/templates/{template.pk}/")
    assert (template.tenant, template.owner, template.visibility) == (tenant, owner, "own")
    use = client.get("/workloads/new/?tenant=vision&template=vision/seven")
    assert "Seven" in use.content.decode()
    values = {field.name: field.value() for field in use.context["form"] if field.value() is not None}
    answer = client.post("/workloads/new/?tenant=vision", values)
    assert answer.status_code == 302, answer.context["form"].errors
    workload = Workload.objects.get(made_from=template)
    assert (workload.spec["image"], workload.spec["template_version"]) == ("img:7", 1)
    page = client.get(f"/workloads/{workload.pk}/").content.decode()
    assert f'<a href="/templates/{template.pk}/versions/1/">Seven</a>, version 1' in page


def test_a_reader_who_may_not_see_the_template_is_told_its_name_only(
    own: Template,
    make_workload: Callable[..., Workload],
    tenant: Tenant,
    owner: User,
    client_of: CLIENT,
    colleague: User,
) -> None:
    spec = {"template": "vision/mine", "template_version": 1}
    workload = make_workload(tenant, owner, spec=spec, made_from=own)
    page = client_of(colleague).get(f"/workloads/{workload.pk}/").content.decode()
    assert "vision/mine" in page
    assert f"/templates/{own.pk}" not in page


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "x" * 81}, "title"),
        ({"summary": "x" * 201}, "summary"),
        ({"name": "Not A Name"}, "name"),
        ({"image": "Not An Image"}, "image"),
        ({"memory_mib": "900 GiB"}, "memory_mib"),
        ({"env": "no equals"}, "env"),
    ],
)
def test_complaints_stand_at_their_fields_and_nothing_is_saved(
    changes: dict[str, str], field: str, own: Template, client_of: CLIENT, owner: User
) -> None:
    client = client_of(owner)
    for path in ("/templates/new/?tenant=vision", f"/templates/{own.pk}/edit/"):
        answer = client.post(path, {**FORM, **changes})
        assert (answer.status_code, set(answer.context["form"].errors)) == (400, {field}), path
        assert "field-errors" in answer.content.decode()
    assert (Template.objects.count(), TemplateVersion.objects.count()) == (1, 2)


def test_an_edit_is_filled_from_the_newest_and_saved_as_the_next_version(
    own: Template, client_of: CLIENT, owner: User
) -> None:
    client, path = client_of(owner), f"/templates/{own.pk}/edit/"
    form = client.get(path).context["form"]
    assert (form["image"].value(), form["title"].value(), form["seen"].value()) == ("img:2", "Keepsake", 2)
    values = {field.name: field.value() for field in form if field.value() is not None}
    unchanged = client.post(path, values, follow=True).content.decode()
    assert "Nothing differs from version 2" in unchanged
    saved = client.post(path, {**values, "image": "img:3", "note": "Three"}, follow=True).content.decode()
    assert "Version 3 is saved" in saved
    assert "Three" in saved
    late = client.post(path, {**values, "image": "img:4"})
    assert late.status_code == 400
    assert "Version 3 was saved meanwhile" in late.content.decode()


def test_an_old_version_can_be_made_the_newest_again(own: Template, client_of: CLIENT, owner: User) -> None:
    client, path = client_of(owner), f"/templates/{own.pk}/edit/?from=1"
    assert path.removeprefix("/templates") in client.get(f"/templates/{own.pk}/versions/1/").content.decode()
    form = client.get(path).context["form"]
    values = {field.name: field.value() for field in form if field.value() is not None}
    client.post(path, values)
    images = TemplateVersion.objects.order_by("number").values_list("number", "spec__image")
    assert list(images) == [(1, "img:1"), (2, "img:2"), (3, "img:1")]


def test_what_changed_between_versions_is_shown(own: Template, client_of: CLIENT, owner: User) -> None:
    client = client_of(owner)
    page = client.get(f"/templates/{own.pk}/compare/?a=1&b=2").content.decode()
    assert "img:1" in page
    assert "img:2" in page
    assert "say the same" in client.get(f"/templates/{own.pk}/compare/?a=2&b=2").content.decode()
    for wrong in ("?a=9&b=2", "?a=x&b=2", f"?a={'9' * 30}&b=1"):
        assert client.get(f"/templates/{own.pk}/compare/{wrong}").status_code == 404
    assert client.get(f"/templates/{own.pk}/versions/{'9' * 30}/").status_code == 404


def test_sharing_and_archiving_change_who_finds_it(
    own: Template, client_of: CLIENT, owner: User, colleague: User, tenant_admin: User
) -> None:
    led, other = client_of(tenant_admin), client_of(colleague)
    led.post(f"/templates/{own.pk}/show-to/", {"visibility": "tenant"})
    tile = f'id="template-{own.pk}"'
    assert tile in other.get("/workloads/new/?tenant=vision").content.decode()
    led.post(f"/templates/{own.pk}/archive/")
    assert tile not in other.get("/workloads/new/?tenant=vision").content.decode()
    assert "Keepsake" not in other.get("/templates/").content.decode()
    assert "Keepsake" in other.get("/templates/?which=archived").content.decode()
    shown = led.get(f"/templates/{own.pk}/").content.decode()
    assert "lead archived it" in shown
    assert "lead shared it with the tenant" in shown
    assert "Use it" not in shown
    led.post(f"/templates/{own.pk}/unarchive/")
    assert tile in other.get("/workloads/new/?tenant=vision").content.decode()
    assert client_of(owner).post(f"/templates/{own.pk}/show-to/", {"visibility": "odd"}).status_code == 400


def test_tiles_of_an_admin_leave_out_what_others_keep_to_themselves(
    own: Template, client_of: CLIENT, tenant_admin: User
) -> None:
    page = client_of(tenant_admin).get("/workloads/new/?tenant=vision").content.decode()
    assert f'id="template-{own.pk}"' not in page
    form = client_of(tenant_admin).get("/workloads/new/?tenant=vision&template=vision/mine").context["form"]
    assert form["image"].value() == "img:2"


def test_a_form_can_be_filled_from_an_old_version(own: Template, client_of: CLIENT, owner: User) -> None:
    client = client_of(owner)
    form = client.get("/workloads/new/?tenant=vision&template=vision/mine&version=1").context["form"]
    assert (form["image"].value(), form["template_version"].value()) == ("img:1", 1)
    assert client.get("/workloads/new/?tenant=vision&template=vision/mine&version=7").status_code == 404
    odd = client.post("/workloads/new/?tenant=vision", {**FORM, "template": "vision/mine", "template_version": "odd"})
    assert odd.status_code == 400


def test_the_list_turns_its_pages_in_both_directions(
    make_template: MAKE, client_of: CLIENT, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(120):
        make_template(f"t-{n:03d}", title="Same" if n < 60 else f"T {n:03d}")
    client, titles, path = client_of(owner), [], "/templates/"
    seen: list[Any] = []
    while path:
        context = client.get(path).context
        titles.append([row["version"].title for row in context["rows"]])
        seen.append((path, context["previous_url"]))
        path = f"/templates/{context['next_url']}" if context["next_url"] else ""
    assert [len(page) for page in titles] == [50, 50, 20]
    flat = [title for page in titles for title in page]
    assert flat == sorted(flat)
    back = client.get(f"/templates/{seen[2][1]}").context
    assert [row["version"].title for row in back["rows"]] == titles[1]
    first = client.get(f"/templates/{back['previous_url']}").context
    assert [row["version"].title for row in first["rows"]] == titles[0]
    assert first["previous_url"] == ""


def test_pages_cost_few_statements_however_much_there_is(
    make_template: MAKE,
    make_workload: Callable[..., Workload],
    tenant: Tenant,
    client_of: CLIENT,
    owner: User,
    platform_admin: User,
) -> None:
    for n in range(8):
        template = make_template(f"t-{n}", *[{"image": f"i:{v}"} for v in range(6)], tenant=tenant, owner=owner)
        for _ in range(4):
            make_workload(tenant, owner, made_from=template, spec={"template": template.ref, "template_version": 2})
    workload = Workload.objects.first()
    assert workload is not None
    path = f"/templates/{workload.made_from_id}/"
    budgets = {"/templates/": 6, path: 8, f"{path}versions/2/": 8, f"{path}compare/?a=1&b=2": 8, f"{path}edit/": 8}
    budgets |= {f"/workloads/{workload.pk}/": 8}
    for who in (owner, platform_admin):
        client = client_of(who)
        for page, most in budgets.items():
            with CaptureQueriesContext(connection) as queries:
                assert client.get(page).status_code == 200, page
            assert len(queries) <= most, page
