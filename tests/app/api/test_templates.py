"""Templates by REST: who sees, makes, changes and shares them, and what a submission from one keeps."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.core.models import AuditEntry, User
from tenants.models import Tenant
from workloads.models import Template, Workload

pytestmark = pytest.mark.django_db
CLIENT = Callable[[User], Client]
MAKE = Callable[..., Template]
SIZES = {"cpu_millicores": 100, "memory_mib": 64}
SPEC = {"name": "train", "image": "busybox:1", "script": "echo one\necho two\n", "resources": SIZES}
PATH = "/api/v1/templates/"


def body(**changes: Any) -> dict[str, Any]:
    return {"tenant": "vision", "title": "Nightly train", "summary": "Trains", "spec": SPEC, **changes}


def sent(client: Client, path: str, data: Any = None, *, method: str = "post", **headers: str) -> Any:
    return getattr(client, method)(path, data or {}, content_type="application/json", headers=headers)


def attrs(response: Any) -> set[str]:
    return {error["attr"] for error in response.json()["errors"]}


@pytest.fixture
def own(client_of: CLIENT, owner: User) -> str:
    """The path of a template that only its owner sees."""
    return f"{PATH}{sent(client_of(owner), PATH, body()).json()['id']}/"


def test_a_template_is_made_and_shown_as_a_submission_that_can_be_sent(client_of: CLIENT, owner: User) -> None:
    client = client_of(owner)
    made = sent(client, PATH, body())
    assert made.status_code == 201
    told = made.json()
    assert (told["ref"], told["visibility"], told["version"]) == ("vision/nightly-train", "own", 1)
    assert client.get(f"{PATH}{told['id']}/").json() == told
    submitted = sent(client, "/api/v1/tenants/vision/workloads/", told["spec"])
    assert submitted.status_code == 201
    assert submitted.json()["spec"] == told["spec"]
    assert client.get(f"{PATH}{told['id']}/").json()["uses"] == 1
    assert AuditEntry.objects.get(action="template.create").target_id == told["id"]


def test_a_repeated_request_with_the_same_key_makes_one(client_of: CLIENT, owner: User) -> None:
    client = client_of(owner)
    answers = [sent(client, PATH, body(), **{"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.json()["id"] for answer in answers] == [str(Template.objects.get().pk)] * 2
    assert answers[1].headers["Idempotency-Replayed"] == "true"


def test_titles_that_are_alike_get_slugs_of_their_own_and_a_chosen_slug_is_taken_once(
    client_of: CLIENT, owner: User
) -> None:
    client = client_of(owner)
    slugs = [sent(client, PATH, body()).json()["slug"] for _ in range(3)]
    assert slugs == ["nightly-train", "nightly-train-2", "nightly-train-3"]
    assert sent(client, PATH, body(title="训练")).json()["slug"] == "template"
    assert attrs(sent(client, PATH, body(slug="template"))) == {"slug"}
    assert attrs(sent(client, PATH, body(slug="No Slug"))) == {"slug"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": "  "}, "title"),
        ({"summary": "x" * 201}, "summary"),
        ({"tenant": "speech"}, "tenant"),
        ({"spec": {**SPEC, "image": "Not An Image"}}, "spec.image"),
        ({"spec": {**SPEC, "resources": {**SIZES, "memory_mib": 10**6}}}, "spec.resources.memory_mib"),
        ({"spec": {**SPEC, "resources": {**SIZES, "gpu": {"count": 5}}}}, "spec.resources.gpu.count"),
    ],
)
def test_what_a_submission_would_be_refused_for_is_refused_at_its_field(
    changes: dict[str, Any], field: str, client_of: CLIENT, owner: User, other_tenant: Tenant
) -> None:
    answer = sent(client_of(owner), PATH, body(**changes))
    assert (answer.status_code, attrs(answer)) == (400, {field})
    assert not Template.objects.exists()


def test_a_viewer_makes_none(client_of: CLIENT, viewer: User) -> None:
    assert sent(client_of(viewer), PATH, body()).status_code == 403


@pytest.mark.parametrize(
    ("visibility", "seen_by"),
    [
        ("own", {"owner", "tenant_admin", "platform_admin", "auditor"}),
        ("tenant", {"owner", "colleague", "viewer", "tenant_admin", "platform_admin", "auditor"}),
        ("public", {"owner", "colleague", "viewer", "tenant_admin", "platform_admin", "auditor", "outsider"}),
    ],
)
def test_who_sees_it_is_as_it_says_and_to_others_it_is_as_missing(
    visibility: str, seen_by: set[str], own: str, client_of: CLIENT, request: pytest.FixtureRequest
) -> None:
    Template.objects.update(visibility=visibility)
    people = ("owner", "colleague", "viewer", "tenant_admin", "platform_admin", "auditor", "outsider")
    for name in people:
        client = client_of(request.getfixturevalue(name))
        listed = client.get(PATH).json()["results"]
        paths = (own, f"{own}versions/", f"{own}versions/1/", f"{own}versions/1/diff/1/")
        if name in seen_by:
            assert [len(listed), *(client.get(path).status_code for path in paths)] == [1, 200, 200, 200, 200], name
        else:
            missing = client.get(f"{PATH}{uuid.uuid4()}/")
            assert listed == []
            assert [client.get(path).content for path in paths] == [missing.content] * 4, name


def test_who_made_a_public_one_is_not_told_outside_its_tenant(own: str, client_of: CLIENT, outsider: User) -> None:
    Template.objects.update(visibility="public")
    client = client_of(outsider)
    assert client.get(own).json()["owner"] is None
    assert client.get(f"{own}versions/").json()["results"][0]["author"] is None


CHANGES = ("versions", "share", "publish", "archive")


@pytest.mark.parametrize(
    ("name", "visibility", "may"),
    [
        ("owner", "own", {"versions", "archive"}),
        ("owner", "tenant", {"versions", "archive", "share"}),  # it is shared already: nothing changes
        ("owner", "public", set()),
        ("colleague", "tenant", set()),
        ("viewer", "tenant", set()),
        ("tenant_admin", "own", {"versions", "archive", "share"}),
        ("tenant_admin", "tenant", {"versions", "archive", "share"}),
        ("tenant_admin", "public", set()),
        ("auditor", "tenant", set()),
        ("outsider", "public", set()),
        ("platform_admin", "own", set(CHANGES)),
        ("platform_admin", "public", set(CHANGES)),
    ],
)
def test_who_may_change_share_publish_and_archive(
    name: str, visibility: str, may: set[str], own: str, client_of: CLIENT, request: pytest.FixtureRequest
) -> None:
    client = client_of(request.getfixturevalue(name))
    for change in CHANGES:
        Template.objects.update(visibility=visibility, archived_at=None)
        if change in ("share", "publish"):
            to = {"share": "tenant", "publish": "public"}[change]
            answer = sent(client, own, {"visibility": to}, method="patch")
        else:
            data = {"title": f"Of {name}"} if change == "versions" else None
            answer = sent(client, f"{own}{change}/", data)
        assert answer.status_code == ({"versions": 201}.get(change, 200) if change in may else 403), change


def test_what_one_may_not_see_cannot_be_changed_and_is_as_missing(own: str, client_of: CLIENT, colleague: User) -> None:
    client = client_of(colleague)
    missing = f"{PATH}{uuid.uuid4()}/"
    for path in ("archive/", "unarchive/", "versions/"):
        foreign, gone = (sent(client, f"{each}{path}") for each in (own, missing))
        assert (foreign.status_code, foreign.content) == (404, gone.content)
    assert sent(client, own, {"visibility": "tenant"}, method="patch").status_code == 404


def test_an_edit_is_the_next_version_and_old_ones_stay(own: str, client_of: CLIENT, owner: User) -> None:
    client = client_of(owner)
    spec = {**SPEC, "script": "echo one\necho three\n"}
    made = sent(client, f"{own}versions/", {"spec": spec, "note": "Three"})
    assert (made.status_code, made.json()["number"], made.json()["title"]) == (201, 2, "Nightly train")
    again = sent(client, f"{own}versions/", {"spec": spec, "note": "Three"})
    assert (again.status_code, again.json()["number"]) == (200, 2)
    assert client.get(f"{own}versions/1/").json()["spec"]["script"] == SPEC["script"]
    assert [row["number"] for row in client.get(f"{own}versions/").json()["results"]] == [2, 1]
    differences = client.get(f"{own}versions/1/diff/2/").json()["differences"]
    assert [found["field"] for found in differences] == ["script"]
    assert client.get(f"{own}versions/3/").status_code == 404


def test_two_who_edit_at_once_do_not_overwrite_each_other(own: str, client_of: CLIENT, owner: User) -> None:
    client = client_of(owner)
    sent(client, f"{own}versions/", {"title": "First", "seen": 1})
    late = sent(client, f"{own}versions/", {"title": "Second", "seen": 1})
    assert late.status_code == 409
    assert "Version 2" in late.json()["errors"][0]["detail"]


def test_an_archived_one_leaves_the_list_and_stays_readable(own: str, client_of: CLIENT, owner: User) -> None:
    client = client_of(owner)
    for _ in range(2):
        assert sent(client, f"{own}archive/").json()["archived"] is True
    assert client.get(PATH).json()["results"] == []
    assert len(client.get(f"{PATH}?archived=true").json()["results"]) == 1
    assert client.get(f"{own}versions/1/").status_code == 200
    assert sent(client, f"{own}versions/", {"title": "New"}).status_code == 409
    assert sent(client, f"{own}unarchive/").json()["archived"] is False
    actions = AuditEntry.objects.filter(action__startswith="template.").values_list("action", flat=True)
    assert list(actions.order_by("id")) == ["template.create", "template.archive", "template.unarchive"]


def test_the_list_is_narrowed_by_text_visibility_and_tenant(
    own: str, make_template: MAKE, other_tenant: Tenant, client_of: CLIENT, platform_admin: User
) -> None:
    make_template("shell")
    make_template("other", tenant=other_tenant)
    client = client_of(platform_admin)
    wanted = {
        "": ["Nightly train", "Other", "Shell"],
        "?q=night": ["Nightly train"],
        "?visibility=public": ["Shell"],
        "?tenant=speech": ["Other"],
        "?limit=2": ["Nightly train", "Other"],
    }
    for query, titles in wanted.items():
        assert [row["title"] for row in client.get(f"{PATH}{query}").json()["results"]] == titles, query
    second = client.get(client.get(f"{PATH}?limit=2").json()["next"]).json()
    assert [row["title"] for row in second["results"]] == ["Shell"]
    assert attrs(client.get(f"{PATH}?visibility=odd")) == {"visibility"}


def test_a_submission_keeps_the_version_it_came_of(make_template: MAKE, client_of: CLIENT, owner: User) -> None:
    template, client = make_template("two", {}, {"image": "img:2"}), client_of(owner)
    path = "/api/v1/tenants/vision/workloads/"
    newest = sent(client, path, {**SPEC, "template": "two"}).json()
    asked = sent(client, path, {**SPEC, "template": "two", "template_version": 1}).json()
    assert [each["spec"]["template_version"] for each in (newest, asked)] == [2, 1]
    assert set(Workload.objects.values_list("made_from", flat=True)) == {template.pk}
    for wrong in ({"template": "two", "template_version": 3}, {"template_version": 1}):
        assert attrs(sent(client, path, {**SPEC, **wrong})) == {"template_version"}
    assert attrs(sent(client, path, {**SPEC, "template": "vision/two"})) == {"template"}


def test_a_clone_keeps_its_template_even_where_its_maker_cannot_see_it(
    own: str, client_of: CLIENT, owner: User, colleague: User
) -> None:
    spec = client_of(owner).get(own).json()["spec"]
    source = sent(client_of(owner), "/api/v1/tenants/vision/workloads/", spec).json()
    client = client_of(colleague)
    assert attrs(sent(client, "/api/v1/tenants/vision/workloads/", spec)) == {"template"}
    clone = sent(client, f"/api/v1/workloads/{source['id']}/clone/", {"retries": 1})
    assert clone.status_code == 201
    assert clone.json()["spec"]["template"] == "vision/nightly-train"
    assert set(Workload.objects.values_list("made_from", flat=True)) == {Template.objects.get().pk}


def test_a_tenants_template_is_not_for_another_tenant_of_the_same_person(
    make_template: MAKE, tenant: Tenant, other_tenant: Tenant, client_of: CLIENT, platform_admin: User
) -> None:
    make_template("ours", tenant=tenant)
    client, spec = client_of(platform_admin), {**SPEC, "template": "vision/ours"}
    assert attrs(sent(client, "/api/v1/tenants/speech/workloads/", spec)) == {"template"}
    assert sent(client, "/api/v1/tenants/vision/workloads/", spec).status_code == 201
    Template.objects.update(visibility="public")
    assert sent(client, "/api/v1/tenants/speech/workloads/", spec).status_code == 201


def test_what_ships_with_berth_cannot_be_hidden_from_people(
    make_template: MAKE, client_of: CLIENT, platform_admin: User
) -> None:
    template = make_template("shell")
    answer = sent(client_of(platform_admin), f"{PATH}{template.pk}/", {"visibility": "tenant"}, method="patch")
    assert answer.status_code == 409


def test_reading_templates_costs_few_statements(
    make_template: MAKE, make_workload: Callable[..., Workload], tenant: Tenant, client_of: CLIENT, owner: User
) -> None:
    template = make_template("many", *[{"image": f"img:{n}"} for n in range(5)], tenant=tenant, owner=owner)
    for _ in range(3):
        make_workload(tenant, owner, made_from=template)
    client = client_of(owner)
    for path, most in ((PATH, 6), (f"{PATH}{template.pk}/", 8), (f"{PATH}{template.pk}/versions/", 6)):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(path).status_code == 200
        assert len(queries) <= most, path
