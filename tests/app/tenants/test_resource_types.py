"""Resource types: who adds, changes and removes them, by page and by REST, and what is refused."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.test import Client

from gpu.models import Node
from portal.core.errors import Conflict, Denied, NotVisible, Rejected
from portal.core.models import AuditEntry, User
from tenants.ledger import Bounds
from tenants.models import ResourceType, Tenant
from tenants.quotaservices import quota_set
from tenants.typeservices import Draft, type_create, type_delete, type_update
from tests.app.api.test_people import send

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
FPGA = Draft(label_en="FPGA U250", label_zh="U250 加速卡")


@pytest.fixture
def fpga(platform_admin: User) -> ResourceType:
    return type_create(actor=platform_admin, kube_name="xilinx.com/fpga-u250", draft=FPGA)


def test_a_type_is_added_with_what_follows_from_its_name(fpga: ResourceType) -> None:
    assert (fpga.key, fpga.unit, fpga.quota_key) == ("fpga-u250", "count", "requests.xilinx.com/fpga-u250")
    assert (fpga.whole, fpga.request_is_limit, fpga.built_in) == (True, True, False)
    entry = AuditEntry.objects.get(action="resource_type.create")
    assert entry.after is not None
    assert entry.after["kube_name"] == "xilinx.com/fpga-u250"


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("kube_name", {"kube_name": "kubernetes.io/x"}),
        ("kube_name", {"kube_name": "xilinx.com/fpga-u250", "key": "other"}),
        ("key", {"kube_name": "rdma/hca", "key": "fpga-u250"}),
        ("key", {"kube_name": "rdma/hca", "key": "Ä"}),
        ("label_en", {"draft": Draft(label_en=" ")}),
        ("label_zh", {"draft": Draft(label_en="x", label_zh="x" * 61)}),
        ("largest_per_pod", {"draft": Draft(label_en="x", largest_per_pod=0)}),
        ("price_weight", {"draft": Draft(label_en="x", price_weight=Decimal(-1))}),
        ("position", {"draft": Draft(label_en="x", position=-1)}),
    ],
)
def test_what_cannot_be_a_type_is_refused_at_its_field(
    platform_admin: User, fpga: ResourceType, field: str, given: dict[str, object]
) -> None:
    whole: dict[str, object] = {"kube_name": "rdma/hca", "draft": FPGA, **given}
    with pytest.raises(Rejected) as refused:
        type_create(actor=platform_admin, **whole)  # type: ignore[arg-type]
    assert list(refused.value.fields) == [field]
    assert ResourceType.objects.count() == 5  # the four built in, and the one of the fixture


def test_only_platform_admins_change_types(owner: User, auditor: User, fpga: ResourceType) -> None:
    for actor in (owner, auditor):
        with pytest.raises(Denied):
            type_create(actor=actor, kube_name="rdma/hca", draft=FPGA)
        with pytest.raises(Denied):
            type_update(actor=actor, found=fpga, draft=FPGA)
        with pytest.raises(Denied):
            type_delete(actor=actor, found=fpga)


def test_a_type_of_which_a_tenant_has_quota_stays_until_that_is_taken_away(
    platform_admin: User, tenant: Tenant, fpga: ResourceType
) -> None:
    quota_set(actor=platform_admin, tenant=tenant, bounds={fpga.key: Bounds(nominal=1)})
    with pytest.raises(Conflict):
        type_delete(actor=platform_admin, found=fpga)
    quota_set(actor=platform_admin, tenant=tenant, bounds={fpga.key: Bounds()})
    type_delete(actor=platform_admin, found=fpga)
    assert not ResourceType.objects.filter(key=fpga.key).exists()


def test_a_change_of_a_type_that_another_admin_removed_meanwhile_is_told_that_it_is_gone(
    platform_admin: User, fpga: ResourceType
) -> None:
    stale = ResourceType.objects.get(pk=fpga.pk)
    type_delete(actor=platform_admin, found=fpga)
    with pytest.raises(NotVisible):
        type_update(actor=platform_admin, found=stale, draft=FPGA)


def test_what_comes_with_berth_cannot_be_removed(platform_admin: User) -> None:
    with pytest.raises(Conflict):
        type_delete(actor=platform_admin, found=ResourceType.objects.get(key="gpus"))


def test_what_nodes_offer_without_a_type_is_shown_for_adoption(admin: Client, fpga: ResourceType) -> None:
    for n in (1, 2):
        Node.objects.create(name=f"node-{n}", uid=str(n), extended={"rdma/hca": 4, "xilinx.com/fpga-u250": 1})
    page = admin.get("/resource-types/").content.decode()
    assert "/resource-types/new/?kube_name=rdma%2Fhca" in page
    assert "?kube_name=xilinx.com%2Ffpga-u250" not in page
    form = admin.get("/resource-types/new/?kube_name=rdma/hca").content.decode()
    assert 'value="rdma/hca"' in form
    assert 'value="rdma_hca"' in form  # a known one: with its key and names
    offered = admin.get("/api/v1/gpu/resources/").json()["resources"]
    assert offered == [
        {"kube_name": "rdma/hca", "nodes": 2, "amount": 8, "type": None},
        {"kube_name": "xilinx.com/fpga-u250", "nodes": 2, "amount": 2, "type": "fpga-u250"},
    ]


def test_a_type_is_added_changed_and_removed_by_its_pages(admin: Client) -> None:
    values = {"kube_name": "rdma/hca", "key": "", "label_en": "RDMA", "price_weight": "0.5", "position": "60"}
    assert admin.post("/resource-types/new/", values).status_code == 302
    found = ResourceType.objects.get(kube_name="rdma/hca")
    assert (found.key, found.label_zh, found.price_weight) == ("hca", "RDMA", Decimal("0.5"))
    assert 'name="price_weight" value="0.5"' in admin.get("/resource-types/hca/").content.decode()
    changed = {"label_en": "Adapters", "label_zh": "网卡", "largest_per_pod": "2", "price_weight": "0", "position": "5"}
    assert admin.post("/resource-types/hca/", changed).status_code == 302
    found.refresh_from_db()
    assert (found.label_en, found.largest_per_pod, found.position) == ("Adapters", 2, 5)
    assert admin.post("/resource-types/hca/delete/").status_code == 302
    assert admin.get("/resource-types/hca/").status_code == 404


def test_a_refused_type_keeps_what_was_typed_and_says_why(admin: Client) -> None:
    values = {"kube_name": "nonsense", "label_en": "X", "price_weight": "0", "position": "1"}
    refused = admin.post("/resource-types/new/", values)
    assert refused.status_code == 400
    assert "as nodes offer it" in refused.content.decode()
    assert 'value="nonsense"' in refused.content.decode()


def test_types_by_rest(admin: Client, owner: User, client_of: ClientOf) -> None:
    body = {"kube_name": "rdma/hca", "label_en": "RDMA"}
    first, again = (send(admin, "post", "resource-types/", body, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, again["Idempotency-Replayed"]) == (201, "true")
    assert first.json()["quota_key"] == "requests.rdma/hca"
    changed = send(admin, "patch", "resource-types/hca/", {"largest_per_pod": 3})
    assert (changed.json()["largest_per_pod"], changed.json()["label_en"]) == (3, "RDMA")
    refused = send(admin, "post", "resource-types/", {"kube_name": "cpu", "label_en": "CPU"})
    assert (refused.status_code, refused.json()["errors"][0]["attr"]) == (400, "kube_name")
    developer = client_of(owner)
    assert developer.get("/api/v1/resource-types/hca/").status_code == 200
    assert send(developer, "patch", "resource-types/hca/", {"position": 1}).status_code == 403
    assert send(developer, "delete", "resource-types/hca/").status_code == 403
    assert send(admin, "delete", "resource-types/gpus/").status_code == 409
    assert send(admin, "delete", "resource-types/hca/").status_code == 204
    assert admin.get("/api/v1/resource-types/hca/").status_code == 404
