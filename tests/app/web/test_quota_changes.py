"""Changing quotas from their table: inputs, one bound for many and a file lead to one preview, and it to a change."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.functions import Now
from django.test import Client

from gpu.models import Node
from portal.core.models import ClusterStatus, User
from portal.web import quotachanges
from tenants.ledger import Bounds
from tenants.models import Cohort, QuotaLine, Tenant
from tenants.quotaservices import quota_set
from tests.app.web.test_quotas import body
from workloads.models import Attempt, Workload

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
HEAD = "tenant,type,nominal,borrow_limit,lend_limit\n"


def rows(admin: Client, query: str = "?type=gpus", **cells: str) -> Any:
    named = {name.replace("__", "."): value for name, value in cells.items()}
    return admin.post(f"/quotas/preview/{query}", {"act": "rows", **named})


def bulk(admin: Client, query: str = "?type=gpus", **fields: Any) -> Any:
    return admin.post(f"/quotas/preview/{query}", {"act": "bulk", "bound": "nominal", "how": "to", **fields})


def pasted(admin: Client, text: str) -> Any:
    return admin.post("/quotas/import/", {"text": text})


def hidden(answer: Any) -> dict[str, str]:
    """Return what the form of a preview posts."""
    assert answer.status_code in (200, 400, 409)
    found = re.findall(r'<input type="hidden" name="(changes|seen|back)" value="([^"]*)"', answer.content.decode())
    return {name: unescape(value) for name, value in found}


def confirmed(admin: Client, answer: Any, **more: str) -> Any:
    return admin.post("/quotas/apply/", {**hidden(answer), **more})


def gpus() -> dict[str, tuple[int, int, int]]:
    lines = QuotaLine.objects.filter(type__key="gpus").select_related("tenant")
    return {line.tenant.slug: (line.nominal, line.borrow_limit, line.lend_limit) for line in lines}


def text_of(answer: Any) -> str:
    plain = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return re.sub(r"\s+", " ", unescape(plain))


@pytest.mark.parametrize("path", ["/quotas/preview/", "/quotas/apply/", "/quotas/import/"])
@pytest.mark.parametrize("who", ["tenant_admin", "auditor", "outsider"])
def test_only_a_platform_admin_changes_quotas(
    request: pytest.FixtureRequest, client_of: ClientOf, tenant: Tenant, path: str, who: str
) -> None:
    client = client_of(request.getfixturevalue(who))
    changes = {"changes": f"{HEAD}vision,gpus,9,,\n", "text": f"{HEAD}vision,gpus,9,,\n", "vision.gpus.nominal": "9"}
    assert client.post(path, changes).status_code == 403
    assert gpus() == {"vision": (4, 0, 0)} | ({"speech": (4, 0, 0)} if who == "outsider" else {})


def test_a_row_is_edited_in_place_previewed_and_then_changed(admin: Client, cohort: Cohort) -> None:
    page = admin.get("/quotas/?type=gpus&edit=vision").content.decode()
    assert 'name="vision.gpus.lend_limit"' in page
    assert "speech.gpus" not in page
    preview = rows(admin, vision__gpus__nominal="6", vision__gpus__borrow_limit="2", vision__gpus__lend_limit="3")
    assert gpus()["vision"] == (4, 0, 0)
    assert "4 6" in text_of(preview)
    done = confirmed(admin, preview)
    assert (done.status_code, done["Location"]) == (302, "/quotas/?type=gpus")
    assert gpus() == {"vision": (6, 2, 3), "speech": (4, 0, 0)}
    assert "1 quota is changed." in text_of(admin.get(done["Location"]))


def test_a_whole_page_of_rows_is_edited_at_once(admin: Client, cohort: Cohort) -> None:
    page = admin.get("/quotas/?edit=*").content.decode()
    names = re.findall(r'name="([a-z]+\.\w+\.\w+)" value="([^"]*)"', page)
    assert len(names) == 2 * 4 * 3
    unchanged = admin.post("/quotas/preview/?edit=*", {"act": "rows", **dict(names)})
    assert unchanged.status_code == 302
    changed = admin.post("/quotas/preview/", {"act": "rows", **dict(names), "speech.memory_mib.nominal": "8 GiB"})
    assert "16 GiB 8 GiB" in text_of(changed)


@pytest.mark.parametrize(
    ("cell", "value", "says"),
    [
        ("vision.gpus.nominal", "-1", "greater than or equal to 0"),
        ("vision.gpus.nominal", "1.5", "whole number"),
        ("vision.gpus.nominal", "9" * 30, "from 0 to"),
        ("vision.gpus.nominal", "", "required"),
        ("vision.gpus.nominal", "1\0", ""),
        ("vision.gpus.lend_limit", "5", "at most its nominal quota"),
        ("vision.memory_mib.nominal", "a lot", "such as 512 MiB"),
    ],
)
def test_a_bad_cell_gets_a_message_at_its_input_and_changes_nothing(
    admin: Client, cohort: Cohort, cell: str, value: str, says: str
) -> None:
    answer = admin.post("/quotas/preview/", {"act": "rows", "speech.gpus.nominal": "7", cell: value})
    assert answer.status_code == 400
    assert f'id="id_{cell}_error"' in answer.content.decode()
    assert says in text_of(answer)
    assert gpus()["speech"] == (4, 0, 0)


def test_cells_that_are_none_are_left_out_and_unknown_tenants_told(admin: Client, tenant: Tenant) -> None:
    assert rows(admin, vision__warp__nominal="1", vision__gpus__colour="1", a__b="1").status_code == 302
    answer = rows(admin, nobody__gpus__nominal="1")
    assert answer.status_code == 400
    assert "nobody, GPUs: Nominal: There is no such tenant." in text_of(answer)
    assert gpus() == {"vision": (4, 0, 0)}


@pytest.mark.parametrize(
    ("how", "value", "nominal"),
    [("to", "9", 9), ("by", "+3", 7), ("by", "-3", 1), ("by", "2", 6), ("percent", "150", 6), ("percent", "30 %", 1)],
)
def test_one_bound_is_changed_for_all_ticked_tenants(
    admin: Client,
    tenant: Tenant,
    other_tenant: Tenant,
    make_tenant: Callable[..., Tenant],
    how: str,
    value: str,
    nominal: int,
) -> None:
    make_tenant("alone")
    confirmed(admin, bulk(admin, ids=["vision", "speech", "nobody"], how=how, value=value))
    assert gpus() == {"vision": (nominal, 0, 0), "speech": (nominal, 0, 0), "alone": (4, 0, 0)}


def test_one_bound_is_changed_for_all_that_fit(
    admin: Client, cohort: Cohort, make_tenant: Callable[..., Tenant]
) -> None:
    make_tenant("alone")
    confirmed(admin, bulk(admin, "?type=gpus&cohort=research", every="1", value="2"))
    assert gpus() == {"vision": (2, 0, 0), "speech": (2, 0, 0), "alone": (4, 0, 0)}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"value": "1"}, "Tick at least one tenant."),
        ({"ids": "vision", "value": ""}, "required"),
        ({"ids": "vision", "value": "x"}, "whole number"),
        ({"ids": "vision", "value": "1.5"}, "whole number"),
        ({"ids": "vision", "how": "percent", "value": "-5"}, "greater than or equal to 0"),
        ({"ids": "vision", "how": "percent", "value": "NaN"}, "Enter a number"),
        ({"ids": "vision", "how": "by", "value": "-5"}, "from 0 to"),
        ({"ids": "vision", "value": "9" * 25}, "from 0 to"),
        ({"ids": "vision", "bound": "lend_limit", "value": "1"}, "in a cohort"),
        ({"ids": "vision", "bound": "colour", "value": "1"}, "colour"),
    ],
)
def test_a_bad_change_of_many_gets_a_message_at_its_field(
    admin: Client, tenant: Tenant, fields: dict[str, str], says: str
) -> None:
    answer = bulk(admin, **fields)
    assert answer.status_code == 400
    assert says in text_of(answer)
    assert gpus() == {"vision": (4, 0, 0)}


def test_what_is_held_beyond_a_new_limit_is_kept_only_when_it_is_said(
    admin: Client,
    tenant: Tenant,
    owner: User,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
) -> None:
    admit(make_workload(tenant, owner, gpus=4))
    preview = rows(admin, vision__gpus__nominal="1")
    assert "3 more than allowed is held" in text_of(preview)
    refused = confirmed(admin, preview)
    assert refused.status_code == 400
    assert ("1 field needs a change." in text_of(refused), "Choose what becomes of it." in text_of(refused)) == (
        True,
        True,
    )
    assert gpus() == {"vision": (4, 0, 0)}
    assert confirmed(admin, refused, excess="keep").status_code == 302
    assert gpus() == {"vision": (1, 0, 0)}


def test_what_would_be_stopped_is_named_beforehand_and_stopped_when_it_is_said(
    admin: Client,
    tenant: Tenant,
    owner: User,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
) -> None:
    attempt = admit(make_workload(tenant, owner, name="long-one", gpus=4))
    preview = rows(admin, vision__gpus__nominal="1")
    assert "to stop 1 workload, which then waits again: long-one (owner)" in text_of(preview)
    assert confirmed(admin, preview, excess="everything").status_code == 400
    answer = confirmed(admin, preview, excess="drain")
    assert "1 workload is stopped and waits again." in text_of(admin.get(answer["Location"]))
    attempt.workload.refresh_from_db()
    assert (attempt.workload.state, gpus()) == ("queued", {"vision": (1, 0, 0)})


def test_numbers_that_changed_meanwhile_are_told_and_shown_anew(
    admin: Client, tenant: Tenant, platform_admin: User
) -> None:
    preview = rows(admin, vision__gpus__nominal="6")
    quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=5)})
    conflict = confirmed(admin, preview)
    assert conflict.status_code == 409
    assert "changed meanwhile" in text_of(conflict)
    assert "5 6" in text_of(conflict)
    assert gpus() == {"vision": (5, 0, 0)}
    assert confirmed(admin, conflict).status_code == 302
    assert gpus() == {"vision": (6, 0, 0)}


@pytest.mark.parametrize(
    ("nominal", "says"), [("2", "could ever hold"), ("12", "1 waiting workload starts."), ("5", "")]
)
def test_a_preview_says_what_waiting_work_would_make_of_it(
    admin: Client,
    tenant: Tenant,
    owner: User,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
    nominal: str,
    says: str,
) -> None:
    Node.objects.create(name="n1", uid="u", ready=True, cpu_millicores=64_000, memory_mib=65_536, pods=110, gpus=8)
    ClusterStatus.objects.update_or_create(id=1, defaults={"reachable_at": Now(), "synced_at": Now()})
    admit(make_workload(tenant, owner, gpus=2))
    make_workload(tenant, owner, gpus=4)
    told = text_of(rows(admin, vision__gpus__nominal=nominal))
    assert says in told
    assert ("waiting workload" in told) is bool(says)
    assert ("More is given than the nodes offer." in told) is (nominal == "12")


def test_a_file_taken_out_and_in_again_changes_nothing(admin: Client, cohort: Cohort) -> None:
    text = body(admin.get("/quotas/export.csv"))
    answer = pasted(admin, text)
    assert answer.status_code == 302
    assert "nothing changes" in text_of(admin.get(answer["Location"]))


def test_a_file_is_uploaded_previewed_and_taken(admin: Client, cohort: Cohort) -> None:
    text = body(admin.get("/quotas/export.csv?type=gpus")).replace("vision,gpus,4,0,0", "vision,gpus,6,2,3")
    file = SimpleUploadedFile("quotas.csv", b"\xef\xbb\xbf" + text.encode(), content_type="text/csv")
    assert confirmed(admin, admin.post("/quotas/import/", {"file": file})).status_code == 302
    assert gpus() == {"vision": (6, 2, 3), "speech": (4, 0, 0)}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Choose a file"),
        ("tenant,type,colour\n", "1 colour There is no column of this name."),
        (HEAD + "vision,gpus,-1,,\n", "2 nominal Enter a whole number"),
        (HEAD + "speech,gpus,7,,\nnobody,gpus,1,,\n", "3 tenant There is no such tenant."),
        (HEAD + "speech,gpus,7,,\nvision,warp,1,,\n", "3 type There is no such resource type."),
        (HEAD + "speech,gpus,7,,\nvision,gpus,,,9\n", "3 lend_limit A tenant can lend"),
        (HEAD + "vision,gpus," + "9" * 29 + ",,\n", "2 nominal Enter a number from 0 to"),
        (HEAD + "vision\0,gpus,1,,\n", "Null characters"),
    ],
)
def test_each_fault_of_a_file_is_told_and_nothing_taken(admin: Client, cohort: Cohort, text: str, says: str) -> None:
    answer = pasted(admin, text)
    assert answer.status_code == 400
    assert says in text_of(answer)
    assert gpus() == {"vision": (4, 0, 0), "speech": (4, 0, 0)}


@pytest.mark.parametrize(
    ("content", "says"), [(b"\xff\xfe", "not text in UTF-8"), (b"x" * 1_048_577, "larger than 1 MiB"), (b"", "empty")]
)
def test_a_file_that_cannot_be_read_gets_a_message_at_its_field(admin: Client, content: bytes, says: str) -> None:
    file = SimpleUploadedFile("quotas.csv", content, content_type="text/csv")
    answer = admin.post("/quotas/import/", {"file": file})
    assert answer.status_code == 400
    assert says in text_of(answer)
    assert 'id="id_file_error"' in answer.content.decode()


def test_a_preview_that_was_tampered_with_is_refused(admin: Client, tenant: Tenant) -> None:
    assert (
        admin.post("/quotas/apply/", {"changes": "nonsense", "seen": "x", "back": "//evil"})["Location"] == "/quotas/?"
    )
    stale = admin.post("/quotas/apply/", {"changes": f"{HEAD}vision,gpus,9,,\n", "seen": "x"})
    assert stale.status_code == 409
    gone = admin.post("/quotas/apply/", {"changes": f"{HEAD}nobody,gpus,9,,\n", "seen": "x"})
    assert gone.status_code == 302
    assert gpus() == {"vision": (4, 0, 0)}


def test_more_than_a_form_can_hand_on_is_refused_before_the_preview(
    admin: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotachanges, "MOST_HANDED_ON", 60)
    answer = rows(admin, vision__gpus__nominal="6")
    assert answer.status_code == 302
    assert "too many lines for one step" in text_of(admin.get(answer["Location"]))
