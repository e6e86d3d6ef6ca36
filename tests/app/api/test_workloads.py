"""Workloads by REST: what is listed, submitted, changed and read; who may; what is refused by name."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gpu.models import Node
from portal.core.models import AuditEntry, User
from portal.live.payloads import GAP, Line
from tenants.models import Tenant
from workloads.logs.codec import encode_lines
from workloads.models import Attempt, LogTail, Pod, Template, Workload, WorkloadEvent

pytestmark = pytest.mark.django_db
CLIENT = Callable[[User], Client]
BODY: dict[str, Any] = {
    "name": "train",
    "image": "registry.example/team/train:1",
    "command": ["python", "train.py"],
    "env": {"LR": "0.1"},
    "resources": {"cpu_millicores": 100, "memory_mib": 64},
}
READS = ["", "explain/", "events/", "events/cluster/", "pods/", "manifests/", "logs/", "logs/download/"]


@pytest.fixture
def workload(make_workload: Callable[..., Workload], tenant: Tenant, owner: User) -> Workload:
    return make_workload(tenant, owner, name="train")


@pytest.fixture
def ended(make_workload: Callable[..., Workload], tenant: Tenant, owner: User) -> Workload:
    return make_workload(tenant, owner, state="succeeded", ended_at=timezone.now())


def post(client: Client, path: str, body: Any = None, **headers: str) -> Any:
    return client.post(
        f"/api/v1/{path}", {} if body is None else body, content_type="application/json", headers=headers
    )


def attrs(response: Any) -> set[str]:
    return {error["attr"] for error in response.json()["errors"]}


def log_lines(workload: Workload, *lines: Line) -> None:
    first, last = lines[0].seq, lines[-1].seq
    LogTail.objects.create(workload=workload, first_seq=first, last_seq=last, payload=encode_lines(list(lines)))
    Workload.objects.filter(pk=workload.pk).update(log_last_seq=last)


def line(seq: int, text: str, **fields: Any) -> Line:
    return Line(
        **{"seq": seq, "time_ns": seq * 10**9, "attempt": 1, "pod": "r0", "container": "main", "text": text, **fields}
    )


@pytest.mark.parametrize("who", ["owner", "colleague", "viewer", "tenant_admin", "platform_admin", "auditor"])
def test_members_and_platform_roles_read_all_of_a_workload(
    who: str, workload: Workload, client_of: CLIENT, request: pytest.FixtureRequest
) -> None:
    client = client_of(request.getfixturevalue(who))
    assert {client.get(f"/api/v1/workloads/{workload.pk}/{part}").status_code for part in READS} == {200}


@pytest.mark.parametrize("part", READS)
def test_a_foreign_workload_answers_exactly_as_a_missing_one(
    part: str, workload: Workload, client_of: CLIENT, outsider: User
) -> None:
    client = client_of(outsider)
    foreign = client.get(f"/api/v1/workloads/{workload.pk}/{part}")
    missing = client.get(f"/api/v1/workloads/{uuid.uuid4()}/{part}")
    assert (foreign.status_code, foreign.content) == (404, missing.content)


@pytest.mark.parametrize("verb", ["cancel/", "clone/"])
def test_a_foreign_workload_cannot_be_changed_and_answers_as_a_missing_one(
    verb: str, workload: Workload, client_of: CLIENT, outsider: User
) -> None:
    client = client_of(outsider)
    foreign = post(client, f"workloads/{workload.pk}/{verb}")
    missing = post(client, f"workloads/{uuid.uuid4()}/{verb}")
    assert (foreign.status_code, foreign.content) == (404, missing.content)


def test_a_foreign_workload_can_neither_be_deleted_nor_compared(
    workload: Workload, make_workload: Callable[..., Workload], client_of: CLIENT, outsider: User, other_tenant: Tenant
) -> None:
    client, own, missing = client_of(outsider), make_workload(other_tenant, outsider), uuid.uuid4()
    answers = [client.delete(f"/api/v1/workloads/{each}/") for each in (workload.pk, missing)]
    answers += [client.get(f"/api/v1/workloads/{own.pk}/diff/{each}/") for each in (workload.pk, missing)]
    answers += [client.get(f"/api/v1/workloads/{each}/diff/{own.pk}/") for each in (workload.pk, missing)]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}


@pytest.mark.parametrize("path", ["workloads/", "workloads/verdict/"])
def test_a_foreign_tenant_answers_as_a_missing_one(
    path: str, tenant: Tenant, client_of: CLIENT, outsider: User
) -> None:
    client = client_of(outsider)
    foreign, missing = post(client, f"tenants/vision/{path}", BODY), post(client, f"tenants/nobody/{path}", BODY)
    assert (foreign.status_code, foreign.content) == (404, missing.content)


def test_strangers_get_401(workload: Workload, client: Client) -> None:
    assert client.get(f"/api/v1/workloads/{workload.pk}/").status_code == 401


def test_a_submission_is_queued_and_shown_in_the_shape_in_which_it_came(
    owner: User, tenant: Tenant, client_of: CLIENT
) -> None:
    response = post(client_of(owner), "tenants/vision/workloads/", BODY)
    shown = response.json()
    assert response.status_code == 201
    assert (shown["state"], shown["owner"], shown["tenant"]) == ("queued", "owner", "vision")
    assert shown["spec"]["resources"] == {
        "cpu_millicores": 100,
        "memory_mib": 64,
        "gpu": {"count": 0, "models": []},
        "extra": {},
    }
    again = post(client_of(owner), "tenants/vision/workloads/", shown["spec"])
    assert again.status_code == 201
    assert again.json()["spec"] == shown["spec"]


@pytest.mark.parametrize(
    ("changes", "attr"),
    [
        ({"secrets": []}, "secrets"),
        ({"priority": "urgent"}, "priority"),
        ({"nmae": "x"}, "nmae"),
        ({"name": 5}, "name"),
        ({"name": "Train"}, "name"),
        ({"retries": "2"}, "retries"),
        ({"retries": True}, "retries"),
        ({"kind": "spark"}, "kind"),
        ({"env": {"LD_PRELOAD": "x"}}, "env"),
        ({"template": "nothing-of-the-kind"}, "template"),
        ({"resources": {"cpu_millicores": 100, "memory_mib": 1}}, "resources.memory_mib"),
        ({"resources": {"cpu_millicores": 100, "memory_mib": 64, "rdma": 1}}, "resources.rdma"),
        ({"resources": {"cpu_millicores": 100, "memory_mib": 2**40}}, "resources.memory_mib"),
        ({"resources": {"cpu_millicores": 100, "memory_mib": 64, "gpu": {"count": 99}}}, "resources.gpu.count"),
        (
            {"resources": {"cpu_millicores": 100, "memory_mib": 64, "gpu": {"count": 1, "models": ["A100"]}}},
            "resources.gpu.models",
        ),
    ],
)
def test_what_is_not_acceptable_is_refused_by_name(
    changes: dict[str, Any], attr: str, owner: User, tenant: Tenant, client_of: CLIENT
) -> None:
    response = post(client_of(owner), "tenants/vision/workloads/", BODY | changes)
    assert (response.status_code, attrs(response)) == (400, {attr})
    assert not Workload.objects.exists()


def test_what_no_node_can_hold_is_refused_at_its_field(owner: User, tenant: Tenant, client_of: CLIENT) -> None:
    Node.objects.create(name="n0", uid="u", ready=True, cpu_millicores=50, memory_mib=9000, gpus=0, pods=10)
    response = post(client_of(owner), "tenants/vision/workloads/", BODY)
    assert (response.status_code, attrs(response)) == (400, {"resources.cpu_millicores"})


def test_the_same_key_and_body_get_the_first_workload_and_another_body_is_refused(
    owner: User, tenant: Tenant, client_of: CLIENT
) -> None:
    client = client_of(owner)
    first, again = (post(client, "tenants/vision/workloads/", BODY, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    other = post(client, "tenants/vision/workloads/", BODY | {"name": "x"}, **{"Idempotency-Key": "k"})
    assert other.status_code == 409


@pytest.mark.parametrize(
    ("who", "status"), [("viewer", 403), ("auditor", 403), ("outsider", 404), ("tenant_admin", 201)]
)
def test_who_may_submit(
    who: str, status: int, tenant: Tenant, client_of: CLIENT, request: pytest.FixtureRequest
) -> None:
    assert post(client_of(request.getfixturevalue(who)), "tenants/vision/workloads/", BODY).status_code == status


def test_the_verdict_writes_nothing_and_names_what_can_never_be(owner: User, tenant: Tenant, client_of: CLIENT) -> None:
    client = client_of(owner)
    waits = post(client, "tenants/vision/workloads/verdict/", BODY).json()
    assert (waits["verdict"], waits["position"], waits["reasons"][0]["code"]) == ("queued", 1, "cluster_absent")
    huge = BODY | {"resources": {"cpu_millicores": 100, "memory_mib": 2**40}}
    never = post(client, "tenants/vision/workloads/verdict/", huge).json()
    assert never["verdict"] == "never"
    assert [violation["attr"] for violation in never["violations"]] == ["resources.memory_mib"]
    assert not Workload.objects.exists()


def test_a_clone_takes_changes_and_names_its_source(workload: Workload, colleague: User, client_of: CLIENT) -> None:
    changes = {"name": "bigger", "resources": {"memory_mib": 128, "gpu": {"count": 1}}, "env": {"A": "1"}}
    response = post(client_of(colleague), f"workloads/{workload.pk}/clone/", changes)
    shown = response.json()
    assert response.status_code == 201
    assert (shown["name"], shown["parent"], shown["owner"]) == ("bigger", str(workload.pk), "colleague")
    assert shown["spec"]["resources"] == {
        "cpu_millicores": 100,
        "memory_mib": 128,
        "gpu": {"count": 1, "models": []},
        "extra": {},
    }
    assert (shown["spec"]["command"], shown["spec"]["env"]) == (["sh", "-c", "echo hello"], {"A": "1"})


def test_a_cancel_ends_a_queued_workload_and_is_refused_after_its_end(
    workload: Workload, ended: Workload, owner: User, client_of: CLIENT
) -> None:
    client = client_of(owner)
    assert post(client, f"workloads/{workload.pk}/cancel/").json()["state"] == "cancelled"
    assert post(client, f"workloads/{ended.pk}/cancel/").status_code == 409


def test_a_deleted_workload_is_gone_from_everywhere_and_audited(
    ended: Workload, owner: User, client_of: CLIENT
) -> None:
    client = client_of(owner)
    assert client.delete(f"/api/v1/workloads/{ended.pk}/").status_code == 204
    assert client.get(f"/api/v1/workloads/{ended.pk}/").status_code == 404
    assert client.delete(f"/api/v1/workloads/{ended.pk}/").status_code == 404
    assert client.get("/api/v1/workloads/").json()["results"] == []
    assert AuditEntry.objects.get(action="workload.hide").target_id == str(ended.pk)


@pytest.mark.parametrize(("who", "status"), [("colleague", 403), ("viewer", 403), ("tenant_admin", 204)])
def test_who_may_delete_the_work_of_others(
    who: str, status: int, ended: Workload, client_of: CLIENT, request: pytest.FixtureRequest
) -> None:
    assert client_of(request.getfixturevalue(who)).delete(f"/api/v1/workloads/{ended.pk}/").status_code == status


def test_what_runs_cannot_be_deleted(workload: Workload, owner: User, client_of: CLIENT) -> None:
    assert client_of(owner).delete(f"/api/v1/workloads/{workload.pk}/").status_code == 409


def test_a_list_is_narrowed_and_read_page_by_page(
    make_workload: Callable[..., Workload], tenant: Tenant, owner: User, colleague: User, client_of: CLIENT
) -> None:
    for n in range(5):
        make_workload(tenant, owner if n % 2 else colleague, name=f"job-{n}", spec={"name": f"job-{n}"})
    client, names, url = client_of(owner), [], "/api/v1/workloads/?limit=2"
    while url:
        page = client.get(url).json()
        names += [row["name"] for row in page["results"]]
        url = page["next"]
    assert names == [f"job-{n}" for n in (4, 3, 2, 1, 0)]
    for query, found in {"owner=colleague": 3, "q=job-3": 1, "state=running": 0, "tenant=vision": 5}.items():
        assert len(client.get(f"/api/v1/workloads/?{query}").json()["results"]) == found, query


def test_a_list_shows_what_came_of_one_template(
    make_workload: Callable[..., Workload],
    make_template: Callable[..., Template],
    tenant: Tenant,
    owner: User,
    client_of: CLIENT,
) -> None:
    template = make_template("nightly", tenant=tenant)
    make_workload(tenant, owner)
    made = make_workload(tenant, owner, made_from=template)
    found = client_of(owner).get(f"/api/v1/workloads/?template={template.pk}").json()["results"]
    assert [row["id"] for row in found] == [str(made.pk)]


@pytest.mark.parametrize("query", ["state=odd", "stat=failed", "limit=0", "cursor=nonsense", "created_from=yesterday"])
def test_a_query_that_means_nothing_is_refused_by_name(query: str, owner: User, client_of: CLIENT) -> None:
    response = client_of(owner).get(f"/api/v1/workloads/?{query}")
    assert (response.status_code, attrs(response)) == (400, {query.partition("=")[0]})


def test_a_list_takes_at_most_six_statements_whatever_its_length(
    make_workload: Callable[..., Workload], tenant: Tenant, owner: User, client_of: CLIENT
) -> None:
    client, counts = client_of(owner), []
    for rows in (1, 60):
        for _ in range(rows):
            make_workload(tenant, owner)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get("/api/v1/tenants/vision/workloads/?limit=200").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 6


def test_a_workload_with_runs_and_pods_takes_at_most_eight_statements(
    attempt: Attempt, workload: Workload, owner: User, client_of: CLIENT
) -> None:
    client = client_of(owner)
    with CaptureQueriesContext(connection) as queries:
        shown = client.get(f"/api/v1/workloads/{attempt.workload_id}/").json()
    assert len(queries) <= 8
    assert [step["step"] for step in shown["timeline"]] == ["submitted", "admitted"]
    assert shown["pods"][0]["attempt"] == shown["attempts"][0]["n"] == 1


@pytest.fixture
def attempt(workload: Workload, admit: Callable[..., Attempt]) -> Attempt:
    made = admit(workload)
    Pod.objects.create(uid=uuid.uuid4(), attempt=made, name="w-x-1-0", phase="Pending")
    return made


def test_events_and_pods_come_in_pages(attempt: Attempt, owner: User, client_of: CLIENT) -> None:
    for state in ("queued", "starting", "running"):
        WorkloadEvent.objects.create(workload=attempt.workload, state=state, actor=owner)
    client, path = client_of(owner), f"/api/v1/workloads/{attempt.workload_id}"
    first = client.get(f"{path}/events/?limit=2").json()
    rest = client.get(first["next"]).json()
    assert [event["state"] for event in first["results"] + rest["results"]] == ["running", "starting", "queued"]
    assert [pod["name"] for pod in client.get(f"{path}/pods/").json()["results"]] == ["w-x-1-0"]


def test_a_log_is_read_from_both_ends_and_goes_on_where_it_stopped(
    workload: Workload, owner: User, client_of: CLIENT
) -> None:
    log_lines(workload, *[line(seq, f"line {seq}") for seq in range(1, 8)])
    client, path = client_of(owner), f"/api/v1/workloads/{workload.pk}/logs/"

    def read(query: str) -> tuple[list[int], int | None, int | None]:
        found = client.get(f"{path}?{query}").json()
        return [each["seq"] for each in found["lines"]], found["next"], found["prev"]

    assert read("limit=3") == ([5, 6, 7], 7, 5)
    assert read("before=5&limit=3") == ([2, 3, 4], 4, 2)
    assert read("before=2&limit=3") == ([1], 1, None)
    assert read("after=5") == ([6, 7], 7, 6)
    assert read("after=7") == ([], 7, 8)
    assert read("after=2&before=5") == ([3, 4], 4, 3)
    assert read("since=1970-01-01T00:00:06Z") == ([6, 7], 7, 6)
    assert read("grep=line%203") == ([3], 7, None)
    Workload.objects.filter(pk=workload.pk).update(log_sealed=True)
    assert read("after=5") == ([6, 7], None, 6)


def test_a_log_is_narrowed_by_pod_and_attempt_and_tells_lost_lines_apart(
    workload: Workload, owner: User, client_of: CLIENT
) -> None:
    lost = line(2, '{"code":"removed","from":1000}', kind=GAP)
    log_lines(workload, line(1, "a"), lost, line(3, "b", pod="r1"), line(4, "c", attempt=2))
    path = f"/api/v1/workloads/{workload.pk}/logs/"
    found = client_of(owner).get(path).json()
    assert [each["text"] for each in found["lines"]] == ["a", "b", "c"]
    assert "1970-01-01T00:00:01.000000000Z" in found["gaps"][0]["text"]
    for query, text in {"pod=r1": "b", "attempt=2": "c"}.items():
        assert [each["text"] for each in client_of(owner).get(f"{path}?{query}").json()["lines"]] == [text]


def test_a_log_downloads_as_text(workload: Workload, owner: User, client_of: CLIENT) -> None:
    log_lines(workload, line(1, "one"), line(2, "two"))
    response = client_of(owner).get(f"/api/v1/workloads/{workload.pk}/logs/download/")
    assert response.getvalue() == b"one\ntwo\n"
    assert response.headers["Content-Type"].startswith("text/plain")


def test_manifests_are_yaml(workload: Workload, owner: User, client_of: CLIENT) -> None:
    response = client_of(owner).get(f"/api/v1/workloads/{workload.pk}/manifests/")
    assert response.headers["Content-Type"].startswith("application/yaml")
    assert b"kind: Job" in response.content


def test_two_workloads_are_told_apart_by_field(
    workload: Workload, make_workload: Callable[..., Workload], tenant: Tenant, owner: User, client_of: CLIENT
) -> None:
    other = make_workload(tenant, owner, spec={"retries": 2, "env": {"LR": "1"}})
    shown = client_of(owner).get(f"/api/v1/workloads/{workload.pk}/diff/{other.pk}/").json()
    assert {found["field"] for found in shown["differences"]} == {"retries", "env.LR"}
    assert shown["right"]["id"] == str(other.pk)


def test_why_it_waits_is_said_with_numbers_and_its_place(workload: Workload, owner: User, client_of: CLIENT) -> None:
    params = {"resource": "memory_mib", "asked": 64, "held": 1000, "limit": 1024}
    Workload.objects.filter(pk=workload.pk).update(reason_code="over_quota", reason_params=params)
    shown = client_of(owner).get(f"/api/v1/workloads/{workload.pk}/explain/").json()
    assert (shown["reason_code"], shown["position"]) == ("over_quota", 1)
    assert shown["explanation"]["options"]
