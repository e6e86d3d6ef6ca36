"""The demo's own work is submitted once, really; a reset removes what the demo made and nothing else."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from portal.core.models import AuditEntry, User
from portal.kube.fake import FakeKube
from portal.kube.types import NAMESPACES
from tenants import manifests
from tenants.models import Membership, Tenant
from tenants.reconcile import namespace_removed, namespace_spec
from tenants.services import tenant_create
from tests.quota import limits_of
from workloads import demo
from workloads.management.commands import run_demo
from workloads.models import Workload
from workloads.specs import State, spec_of, spec_problems

pytestmark = pytest.mark.django_db
LIMITS = {"cpu_millicores": 1000, "memory_mib": 1024, "pods": 5, "gpus": 0}


@pytest.fixture(autouse=True)
def _data_dir(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path


def start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_CLUSTER", "none")
    for command in ("load_templates", "seed_demo", "run_demo"):
        call_command(command)


def names() -> list[str]:
    return sorted(Workload.objects.values_list("name", flat=True))


def test_each_sample_is_submitted_once_however_often_the_demo_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    start(monkeypatch)
    first = set(Workload.objects.values_list("pk", "state"))
    start(monkeypatch)
    assert set(Workload.objects.values_list("pk", "state")) == first
    assert names() == sorted(sample.name for sample in demo.SAMPLES)
    assert {state for _pk, state in first} == {State.QUEUED}
    assert Workload.objects.get(name="train-spirals-slow").parent == Workload.objects.get(name="train-spirals")


def test_a_sample_that_somebody_cannot_submit_any_more_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_CLUSTER", "none")
    call_command("load_templates")
    call_command("seed_demo")
    Membership.objects.filter(user__username="dev").delete()
    call_command("run_demo")
    assert names() == ["look-around", "prints-fast", "transcribe-archive", "transcribe-new"]


def test_what_waits_for_quota_fits_the_tenant_but_not_beside_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    start(monkeypatch)
    limit = limits_of(Tenant.objects.get(slug="speech"))["memory_mib"]
    memory = {sample.name: sample.memory_mib for sample in demo.SAMPLES}
    assert memory["transcribe-new"] < limit < memory["transcribe-new"] + memory["transcribe-archive"]


def test_the_one_to_be_cancelled_is_cancelled_by_the_tenants_admin_after_it_has_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start(monkeypatch)
    assert not run_demo.is_cancelled()
    rows = Workload.objects.filter(name=demo.CANCELLED)
    rows.update(state=State.RUNNING, started_at=timezone.now())
    assert not run_demo.is_cancelled()
    rows.update(started_at=timezone.now() - timedelta(seconds=10))
    assert run_demo.is_cancelled()
    workload = rows.get()
    assert (workload.state, workload.reason_params) == (State.STOPPING, {"user": "lead"})


def test_a_reset_makes_everything_of_the_demo_anew_and_touches_nothing_else(
    monkeypatch: pytest.MonkeyPatch, platform_admin: User, tmp_path: Path
) -> None:
    tenant_create(actor=platform_admin, slug="own", name="Own", limits=LIMITS)
    start(monkeypatch)
    own = list(Tenant.objects.filter(slug="own").values())
    admin = list(User.objects.filter(pk=platform_admin.pk).values())
    old_tenants = set(Tenant.objects.exclude(slug="own").values_list("pk", flat=True))
    old_work = set(Workload.objects.values_list("pk", flat=True))
    passwords = (tmp_path / "demo-accounts.txt").read_text()
    dev = User.objects.get(username="dev")
    dev.theme = "dark"
    dev.save()
    call_command("reset_demo")
    assert not Workload.objects.exists()
    assert not User.objects.get(username="dev").is_active
    start(monkeypatch)
    assert list(Tenant.objects.filter(slug="own").values()) == own
    assert list(User.objects.filter(pk=platform_admin.pk).values()) == admin
    assert not old_tenants & set(Tenant.objects.values_list("pk", flat=True))
    assert not old_work & set(Workload.objects.values_list("pk", flat=True))
    assert names() == sorted(sample.name for sample in demo.SAMPLES)
    assert (tmp_path / "demo-accounts.txt").read_text() != passwords
    dev.refresh_from_db()
    assert (dev.is_active, dev.theme, dev.memberships.get().tenant.slug) == (True, "auto", "vision")


def test_an_account_that_the_demo_did_not_make_survives_its_reset(
    monkeypatch: pytest.MonkeyPatch, platform_admin: User
) -> None:
    User.objects.create_user("dev", password="mine, and long enough")
    start(monkeypatch)
    call_command("reset_demo")
    assert User.objects.get(username="dev").check_password("mine, and long enough")
    assert AuditEntry.objects.filter(action="demo.remove").count() == 2


def test_the_namespace_of_a_removed_tenant_goes_and_a_foreign_one_of_its_name_stays(tenant: Tenant) -> None:
    kube = FakeKube()
    spec = namespace_spec(tenant)
    kube.create(NAMESPACES, manifests.namespace_manifest(spec))
    assert not namespace_removed(slug=tenant.slug, tenant_id=tenant.pk, kube=kube)
    assert namespace_removed(slug=tenant.slug, tenant_id=tenant.pk, kube=kube)
    kube.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": spec.namespace}})
    assert namespace_removed(slug=tenant.slug, tenant_id=tenant.pk, kube=kube)
    assert kube.get(NAMESPACES, spec.namespace)


def test_every_sample_is_a_whole_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    start(monkeypatch)
    for workload in Workload.objects.all():
        assert spec_problems(spec_of(workload.spec)) == []
