"""A resource type that somebody added: asked for in the form and by REST, counted, made part of the pod, explained."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client

from gpu.models import Node
from portal.core import leases
from portal.core.models import ClusterStatus, User
from tenants.ledger import Bounds
from tenants.models import ResourceType, Tenant
from tenants.quotaservices import quota_set
from tenants.typeservices import Draft, type_create, type_update
from tests.app.api.test_people import send
from tests.quota import used_by
from workloads.admission import QUEUE, tick
from workloads.models import Attempt, Workload
from workloads.presentation import manifests_yaml

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
NAME = "xilinx.com/fpga-u250"
FORM = {"name": "flash", "image": "python:3.12", "cpu_millicores": "1", "memory_mib": "1 GiB", "retries": "0"}


@pytest.fixture
def fpga(platform_admin: User) -> ResourceType:
    draft = Draft(label_en="FPGA U250", label_zh="U250 加速卡", largest_per_pod=4)
    return type_create(actor=platform_admin, kube_name=NAME, draft=draft)


@pytest.fixture
def quota(platform_admin: User, tenant: Tenant, fpga: ResourceType) -> ResourceType:
    quota_set(actor=platform_admin, tenant=tenant, bounds={fpga.key: Bounds(nominal=6)})
    return fpga


@pytest.fixture
def five(db: None) -> None:
    """A cluster that answers, with a node that has five of them."""
    offers = {"cpu_millicores": 64_000, "memory_mib": 65_536, "pods": 110, "extended": {NAME: 5}}
    Node.objects.create(name="n1", uid="u", ready=True, **offers)
    ClusterStatus.objects.update_or_create(id=1, defaults={"reachable_at": Now(), "synced_at": Now()})


@pytest.fixture
def developer(owner: User, client_of: ClientOf) -> Client:
    return client_of(owner)


def body(**resources: Any) -> dict[str, Any]:
    return {
        "name": "flash",
        "image": "python:3.12",
        "resources": {"cpu_millicores": 1000, "memory_mib": 1024, **resources},
    }


def test_the_form_asks_for_it_where_the_tenant_has_quota_of_it(
    developer: Client, tenant: Tenant, fpga: ResourceType, platform_admin: User
) -> None:
    assert "FPGA U250" not in developer.get("/workloads/new/?tenant=vision").content.decode()
    quota_set(actor=platform_admin, tenant=tenant, bounds={fpga.key: Bounds(nominal=2)})
    page = developer.get("/workloads/new/?tenant=vision").content.decode()
    assert 'name="extra-fpga-u250"' in page
    assert "At most 4" in page
    developer.cookies["berth-language"] = "zh-hans"
    assert "U250 加速卡" in developer.get("/workloads/new/?tenant=vision").content.decode()


def test_what_the_form_asks_lands_in_the_row_the_pod_and_the_clone(developer: Client, quota: ResourceType) -> None:
    answer = developer.post("/workloads/new/?tenant=vision", {**FORM, "extra-fpga-u250": "2"})
    assert answer.status_code == 302
    workload = Workload.objects.select_related("tenant").get()
    assert workload.spec["resources"]["extra"] == {"fpga-u250": 2}
    assert workload.extra["fpga-u250"]["amount"] == 2
    yaml = manifests_yaml(workload, None, workload.pk)
    assert yaml.count("xilinx.com/fpga-u250: '2'") == 2  # a request and a limit
    page = developer.get(f"/workloads/{workload.pk}/").content.decode()
    assert "2 × FPGA U250" in page
    clone = developer.get(f"/workloads/new/?tenant=vision&from={workload.pk}").content.decode()
    assert re.search(r'name="extra-fpga-u250"[^>]*value="2"', clone)


@pytest.mark.parametrize(
    ("amount", "said"),
    [("-1", "greater than or equal to 0"), ("1.5", "whole number"), ("5", "one pod may have 4"), ("7", "in all")],
)
def test_an_amount_that_cannot_be_is_refused_at_its_field(
    developer: Client, quota: ResourceType, amount: str, said: str
) -> None:
    refused = developer.post("/workloads/new/?tenant=vision", {**FORM, "extra-fpga-u250": amount})
    assert refused.status_code == 400
    assert said in refused.content.decode()
    assert not Workload.objects.exists()


def test_it_is_asked_for_told_and_refused_by_rest(developer: Client, quota: ResourceType) -> None:
    made = send(developer, "post", "tenants/vision/workloads/", body(extra={"fpga-u250": 3}))
    assert made.status_code == 201
    assert made.json()["resources"]["extra"] == {"fpga-u250": 3}
    unknown = send(developer, "post", "tenants/vision/workloads/", body(extra={"tpu": 1}))
    assert unknown.json()["errors"][0]["attr"] == "resources.extra.tpu"
    above = send(developer, "post", "tenants/vision/workloads/", body(extra={"fpga-u250": 5}))
    assert above.json()["errors"][0]["attr"] == "resources.extra.fpga-u250"
    clone = send(developer, "post", f"workloads/{made.json()['id']}/clone/", {"resources": {"extra": {"fpga-u250": 1}}})
    assert clone.json()["resources"]["extra"] == {"fpga-u250": 1}
    without = send(developer, "post", f"workloads/{made.json()['id']}/clone/", {"resources": {"extra": None}})
    assert without.json()["resources"]["extra"] == {}


def test_it_is_counted_and_what_is_short_is_named_by_its_label(
    developer: Client, quota: ResourceType, five: None, tenant: Tenant
) -> None:
    held = leases.acquire(QUEUE, "test", ttl_s=600)
    assert held is not None
    for _ in range(2):
        send(developer, "post", "tenants/vision/workloads/", body(extra={"fpga-u250": 3}))
    tick(held)
    first, second = Workload.objects.order_by("created")
    assert Attempt.objects.get().holds["fpga-u250"] == 3
    assert used_by(tenant)["fpga-u250"] == 3
    assert (first.state, second.reason_code) == ("starting", "no_capacity")
    page = developer.get(f"/workloads/{second.pk}/").content.decode()
    assert "Asks 3 × FPGA U250; the whole cluster has 2 × FPGA U250 free." in page
    developer.cookies["berth-language"] = "zh-hans"
    assert "U250 加速卡" in developer.get(f"/workloads/{second.pk}/").content.decode()


def test_the_verdict_beside_the_form_counts_it(developer: Client, quota: ResourceType, five: None) -> None:
    asked = "cpu_millicores=1&memory_mib=1&extra-fpga-u250=7"
    page = developer.get(f"/workloads/new/verdict/?tenant=vision&{asked}").content.decode()
    assert "Can never start" in page
    assert "7 × FPGA U250" in page


def test_a_template_keeps_it(developer: Client, quota: ResourceType) -> None:
    values = {**FORM, "title": "Flash", "summary": "", "note": "", "extra-fpga-u250": "1"}
    assert developer.post("/templates/new/?tenant=vision", values).status_code == 302
    page = developer.get("/workloads/new/?tenant=vision&template=vision/flash").content.decode()
    assert re.search(r'name="extra-fpga-u250"[^>]*value="1"', page)


def test_a_bound_of_a_pod_holds_for_built_in_types_too(developer: Client, tenant: Tenant, platform_admin: User) -> None:
    cpu = ResourceType.objects.get(key="cpu_millicores")
    type_update(actor=platform_admin, found=cpu, draft=Draft(label_en="CPU cores", largest_per_pod=500))
    refused = send(developer, "post", "tenants/vision/workloads/", body())
    assert refused.json()["errors"][0] | {"code": ""} == {
        "attr": "resources.cpu_millicores",
        "code": "",
        "detail": "Asks 1 core; one pod may have 0.5 cores.",
    }


@pytest.fixture
def models(platform_admin: User, tenant: Tenant) -> None:
    """Two classes of GPUs with quota of one each, and a node of each."""
    for product in ("NVIDIA-H200", "NVIDIA-L4"):
        draft = Draft(label_en=product.removeprefix("NVIDIA-"))
        type_create(actor=platform_admin, kube_name="nvidia.com/gpu", gpu_product=product, draft=draft)
        offers = {"cpu_millicores": 64_000, "memory_mib": 65_536, "pods": 110, "gpus": 8}
        Node.objects.create(name=product.lower(), uid=product, ready=True, gpu_product=product, **offers)
    bounds = {key: Bounds(nominal=1) for key in ("nvidia-h200", "nvidia-l4")}
    quota_set(actor=platform_admin, tenant=tenant, bounds={**bounds, "gpus": Bounds(nominal=8)})
    ClusterStatus.objects.update_or_create(id=1, defaults={"reachable_at": Now(), "synced_at": Now()})


def test_any_of_several_gpu_models_is_asked_for_and_the_first_with_room_is_charged(
    developer: Client, models: None, tenant: Tenant
) -> None:
    page = developer.get("/workloads/new/?tenant=vision").content.decode()
    assert re.search(r'type="checkbox"[^>]*name="gpu_models"', page)
    asked = {**FORM, "gpus": "1", "gpu_models": ["nvidia-h200", "nvidia-l4"]}
    for _ in range(3):
        assert developer.post("/workloads/new/?tenant=vision", asked).status_code == 302
    held = leases.acquire(QUEUE, "test", ttl_s=600)
    assert held is not None
    tick(held)
    assert used_by(tenant) | {"cpu_millicores": 0, "memory_mib": 0} == {
        "cpu_millicores": 0,
        "memory_mib": 0,
        "gpus": 2,
        "pods": 2,
        "nvidia-h200": 1,
        "nvidia-l4": 1,
    }
    first, second, third = Workload.objects.select_related("tenant").order_by("created")
    for workload, product in ((first, "NVIDIA-H200"), (second, "NVIDIA-L4")):
        yaml = manifests_yaml(workload, workload.attempts.get(), workload.pk)
        assert f"nvidia.com/gpu.product: {product}" in yaml
    shown = developer.get(f"/workloads/{third.pk}/").content.decode()
    assert "Asks 1 × H200" in shown
    assert "1 (H200 or L4)" in re.sub(r"\s+", " ", shown)


def test_gpu_models_by_rest(developer: Client, models: None) -> None:
    gpu = {"count": 1, "models": ["nvidia-l4"]}
    made = send(developer, "post", "tenants/vision/workloads/", body(gpu=gpu))
    assert made.json()["resources"]["gpu"] == gpu
    for refused in ({"count": 1, "models": ["A100"]}, {"count": 2, "models": ["nvidia-l4"]}, {**gpu, "count": 0}):
        answer = send(developer, "post", "tenants/vision/workloads/", body(gpu=refused))
        assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "resources.gpu.models")
    clone = send(developer, "post", f"workloads/{made.json()['id']}/clone/", {"resources": {"gpu": None}})
    assert clone.json()["resources"]["gpu"] == {"count": 0, "models": []}


def test_a_model_of_gpus_that_nodes_have_is_offered_for_adoption(platform_admin: User, client_of: ClientOf) -> None:
    Node.objects.create(name="n", uid="u", ready=True, gpus=8, gpu_product="NVIDIA-H200")
    admin = client_of(platform_admin)
    assert "?gpu_product=NVIDIA-H200" in admin.get("/resource-types/").content.decode()
    form = admin.get("/resource-types/new/?gpu_product=NVIDIA-H200").content.decode()
    assert all(f'value="{value}"' in form for value in ("nvidia.com/gpu", "NVIDIA-H200", "nvidia-h200", "NVIDIA H200"))
