"""The shipped templates: they load, load again without harm, and each can be submitted as it is."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from portal.core.models import User
from tenants.models import Tenant
from workloads.images import resolved
from workloads.management.commands.load_templates import SHIPPED
from workloads.models import Template
from workloads.services import workload_submit
from workloads.specs import State, spec_of

pytestmark = pytest.mark.django_db

ONE = """\
slug: one
title: One
summary: The only one.
icon: code
position: 1
spec:
  name: one
  image: busybox:1
  resources: {cpu_millicores: 100, memory_mib: 64}
"""


def load(directory: Path) -> None:
    call_command("load_templates", "--directory", str(directory), verbosity=0)


def test_the_shipped_ones_load_once_however_often() -> None:
    for _ in range(2):
        call_command("load_templates")
    files = [path.stem for path in SHIPPED.glob("*.yaml")]
    assert len(files) == 8
    assert sorted(Template.objects.values_list("slug", "version", "current")) == [
        (name, 1, True) for name in sorted(files)
    ]


def test_each_shipped_one_can_be_submitted_as_it_is(owner: User, tenant: Tenant) -> None:
    call_command("load_templates")
    known = {"python": "registry.berth.internal/python:abc", "busybox": "registry.berth.internal/busybox:abc"}
    for images in ({}, known):
        for template in Template.objects.all():
            workload, _ = workload_submit(actor=owner, tenant=tenant, spec=spec_of(resolved(template.spec, images)))
            assert workload.state == State.QUEUED
            assert not workload.spec["image"].startswith("@")


def test_a_changed_file_is_a_new_version_and_the_old_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(ONE)
    load(tmp_path)
    path.write_text(ONE.replace("memory_mib: 64", "memory_mib: 128"))
    load(tmp_path)
    versions = Template.objects.order_by("version").values_list("version", "current", "spec__resources__memory_mib")
    assert list(versions) == [(1, False, 64), (2, True, 128)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("slug: one\n", ""),
        ("image: busybox:1", "image: Busy Box"),
        ("memory_mib: 64", "memory: 64"),
        ("cpu_millicores: 100", "cpu_millicores: many"),
        ("slug: one", "slug: [one"),
        ("slug: one", "slug: !!python/object:os.system one"),
        (ONE, "just text"),
    ],
)
def test_a_file_that_is_no_template_is_named_and_nothing_is_loaded(tmp_path: Path, old: str, new: str) -> None:
    (tmp_path / "a.yaml").write_text(ONE)
    (tmp_path / "broken.yaml").write_text(ONE.replace(old, new))
    with pytest.raises(CommandError, match=r"broken\.yaml"):
        load(tmp_path)
    assert not Template.objects.exists()
