"""The submit form: what it fills in, what it refuses at which field, what it stores."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from portal.core.models import User
from tenants.models import Tenant
from tests.quota import set_limits
from workloads.models import Template, Workload

pytestmark = pytest.mark.django_db
GOOD = {
    "template": "",
    "name": "train",
    "image": "registry.berth.internal/busybox:1",
    "command": "sh -c 'echo \"a b\"'",
    "script": "",
    "args": "",
    "env": "LR=0.1\n# a remark\n\nMODE=a=b",
    "cpu_millicores": "0.5",
    "memory_mib": "256 MiB",
    "gpus": "",
    "max_runtime_s": "30 min",
    "retries": "1",
}


@pytest.fixture
def session(client_of: Callable[[User], Client], owner: User) -> Client:
    return client_of(owner)


@pytest.fixture
def template(make_template: Callable[..., Template]) -> Template:
    return make_template("my-pi", {"name": "pi"}, title="Pi")


def post(client: Client, **changes: Any) -> Any:
    return client.post("/workloads/new/?tenant=vision", {**GOOD, "idempotency_key": str(uuid.uuid4()), **changes})


def complains_at(page: str, field: str) -> bool:
    """Tell whether the field has an error beside it that its control points at."""
    control = re.search(rf'<[^>]*id="id_{field}"[^>]*>', page)
    described = re.search(r'aria-describedby="([^"]*)"', control[0]) if control else None
    return f'id="id_{field}_error"' in page and described is not None and f"id_{field}_error" in described[1].split()


def test_a_good_form_stores_its_spec_and_opens_the_workload(session: Client) -> None:
    answer = post(session)
    stored = Workload.objects.get()
    assert answer.headers["Location"] == f"/workloads/{stored.pk}/"
    assert stored.spec["command"] == ["sh", "-c", 'echo "a b"']
    assert stored.spec["env"] == {"LR": "0.1", "MODE": "a=b"}
    assert stored.spec["max_runtime_s"] == 1800
    assert (stored.cpu_millicores, stored.memory_mib, stored.gpus) == (500, 256, 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "Not a name"),
        ("image", ""),
        ("image", "two words"),
        ("image", "UPPER/case"),
        ("command", "echo 'open"),
        ("command", "''"),
        ("args", 'one "two'),
        ("env", "NOVALUE"),
        ("env", "LD_PRELOAD=/x.so"),
        ("env", "KUBERNETES_HOST=x"),
        ("env", "1X=2"),
        ("env", "A=1\nA=2"),
        ("cpu_millicores", "much"),
        ("cpu_millicores", "0.001"),
        ("cpu_millicores", "9"),
        ("memory_mib", "1 MiB"),
        ("memory_mib", "64 GiB"),
        ("memory_mib", "12 parsecs"),
        ("gpus", "-1"),
        ("gpus", "5"),
        ("max_runtime_s", "soon"),
        ("max_runtime_s", "99 d"),
        ("retries", "11"),
        ("script", "#" * 262_145),
    ],
)
def test_bad_input_gets_a_message_at_its_field_and_stores_nothing(session: Client, field: str, value: str) -> None:
    answer = post(session, **{field: value})
    assert answer.status_code == 400
    assert complains_at(answer.content.decode(), field)
    assert Workload.objects.count() == 0


def test_all_that_is_wrong_is_said_at_once(session: Client) -> None:
    page = post(session, name="Not A Name", image="UPPER/case", cpu_millicores="many", memory_mib="").content.decode()
    for field in ("name", "image", "cpu_millicores", "memory_mib"):
        assert complains_at(page, field), field
    assert not complains_at(page, "command")


def test_an_unknown_template_is_refused(session: Client) -> None:
    answer = post(session, template="nope")
    assert (answer.status_code, Workload.objects.count()) == (400, 0)
    assert "no such template" in answer.content.decode()


def test_a_wrong_line_of_the_environment_is_named(session: Client) -> None:
    assert "Line 3 has no “=”." in post(session, env="A=1\n\nB").content.decode()


def test_what_was_typed_is_still_there_after_an_error(session: Client) -> None:
    page = post(session, image="", memory_mib="1.5 GiB", script="print(1)").content.decode()
    assert 'value="1.5 GiB"' in page
    assert "print(1)</textarea>" in page


TYPED = {
    "cpu_millicores": "0.1",
    "memory_mib": "128 MiB",
    "max_runtime_s": "1.5 h",
    "gpus": "0",
    "retries": "2",
    "script": "\n\n  first = 1\nprint(first)  \n",
    "command": "python3 -u",
    "args": "--rate '0.1 0.2'",
    "env": "# keep\nLR=0.1\nNAME= spaced ",
    "template": "my-pi",
}


def shown(page: Any) -> dict[str, Any]:
    return {name: page.context["form"][name].value() for name in TYPED}


def test_every_value_survives_an_error_as_it_was_typed(session: Client) -> None:
    for changes in ({"name": "Not A Name"}, {"image": ""}, {"name": "x" * 64}):
        page = post(session, **TYPED, **changes)
        assert page.status_code == 400
        assert shown(page) == TYPED


def test_starting_from_a_workload_shows_what_it_was_submitted_with(session: Client, template: Template) -> None:
    post(session, **TYPED)
    first = Workload.objects.get()
    filled = session.get(f"/workloads/new/?tenant=vision&from={first.pk}")
    assert f'href="/workloads/{first.pk}/"' in filled.content.decode()
    form = {name: field.value() for name, field in ((n, filled.context["form"][n]) for n in [*GOOD, "parent"])}
    assert (form["cpu_millicores"], form["memory_mib"], form["max_runtime_s"]) == ("0.1", "128 MiB", "90 min")
    wrong = post(session, **{**form, "name": "Not A Name"})
    assert f'href="/workloads/{first.pk}/"' in wrong.content.decode()
    post(session, **form)
    second = Workload.objects.exclude(pk=first.pk).get()
    assert (second.spec, second.parent) == (first.spec, first)


def test_the_same_form_sent_twice_makes_one_workload(session: Client) -> None:
    key = str(uuid.uuid4())
    first, second = post(session, idempotency_key=key), post(session, idempotency_key=key)
    assert first.headers["Location"] == second.headers["Location"]
    assert Workload.objects.count() == 1


def test_a_changed_form_with_an_old_key_links_to_the_first_submission(session: Client) -> None:
    key = str(uuid.uuid4())
    first = post(session, idempotency_key=key)
    page = post(session, idempotency_key=key, name="other")
    assert page.status_code == 409
    assert f'href="{first.headers["Location"]}"' in page.content.decode()
    assert key not in page.content.decode()
    assert Workload.objects.count() == 1


def test_a_template_fills_the_form(session: Client, template: Template) -> None:
    page = session.get("/workloads/new/?tenant=vision&template=my-pi").content.decode()
    for shown in ('value="img:1"', "print(3)</textarea>", 'value="0.25"', 'value="64 MiB"', 'aria-current="true"'):
        assert shown in page


def test_without_a_choice_the_first_template_fills_the_form_so_that_nothing_needed_is_empty(
    session: Client, template: Template, make_template: Callable[..., Template]
) -> None:
    make_template("later", {}, position=101)
    page = session.get("/workloads/new/?tenant=vision")
    assert page.context["chosen"] == "my-pi"
    assert 'value="img:1"' in page.content.decode()


def test_a_template_can_be_submitted_as_it_is(session: Client, template: Template) -> None:
    form = session.get("/workloads/new/?tenant=vision&template=my-pi").context["form"]
    data = {name: form[name].value() or "" for name in form.fields}
    assert session.post("/workloads/new/?tenant=vision", data).status_code == 302
    assert Workload.objects.get().spec["template"] == "my-pi"


def test_an_earlier_workload_fills_the_form_and_becomes_the_parent(
    session: Client, make_workload: Callable[..., Workload], tenant: Tenant, owner: User
) -> None:
    earlier = make_workload(tenant, owner, spec={"name": "first", "command": ["echo", "a b"]})
    page = session.get(f"/workloads/new/?tenant=vision&from={earlier.pk}").content.decode()
    assert "echo &#x27;a b&#x27;</textarea>" in page
    post(session, parent=str(earlier.pk))
    assert Workload.objects.exclude(pk=earlier.pk).get().parent == earlier


def test_a_foreign_workload_cannot_be_started_from(
    session: Client, make_workload: Callable[..., Workload], other_tenant: Tenant, outsider: User
) -> None:
    foreign = make_workload(other_tenant, outsider)
    assert session.get(f"/workloads/new/?tenant=vision&from={foreign.pk}").status_code == 404
    assert post(session, parent=str(foreign.pk)).status_code == 404


def test_the_gpu_field_is_hidden_where_the_tenant_has_none(session: Client, tenant: Tenant) -> None:
    assert 'name="gpus"' in session.get("/workloads/new/").content.decode()
    set_limits(tenant, gpus=0)
    assert 'name="gpus"' not in session.get("/workloads/new/").content.decode()


def test_the_verdict_says_that_no_cluster_is_there_yet(session: Client) -> None:
    page = session.get("/workloads/new/verdict/?tenant=vision&cpu_millicores=1&memory_mib=64 MiB").content.decode()
    assert "Joins the queue" in page
    assert "not connected yet" in page


def test_sizes_that_cannot_be_read_show_the_limits_alone(session: Client) -> None:
    page = session.get("/workloads/new/verdict/?tenant=vision&cpu_millicores=x&memory_mib=64 MiB").content.decode()
    assert "Limits of vision" in page
    assert "Joins the queue" not in page


def test_a_submission_takes_at_most_twelve_statements(
    session: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    savepoints = 2  # the service's own transaction lies inside the test's here
    with django_assert_max_num_queries(12 + savepoints):
        assert post(session).status_code == 302
