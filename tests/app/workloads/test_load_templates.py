"""The shipped templates: they load, load again without harm, and each can be submitted as it is."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from portal.core.models import User
from tenants.models import Tenant
from workloads.images import resolved
from workloads.management.commands.load_templates import SHIPPED
from workloads.models import Template, TemplateVersion
from workloads.services import workload_submit
from workloads.specs import State, spec_of
from workloads.templating import Draft, template_archive, template_new_version

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
    shipped = TemplateVersion.objects.filter(shipped=True).values_list("template__slug", "number")
    assert sorted(shipped) == [(name, 1) for name in sorted(files)]
    assert Template.objects.filter(visibility="public", tenant=None, current__number=1).count() == len(files)


def test_each_shipped_one_can_be_submitted_as_it_is(owner: User, tenant: Tenant) -> None:
    call_command("load_templates")
    known = {"python": "registry.berth.internal/python:abc", "busybox": "registry.berth.internal/busybox:abc"}
    for images in ({}, known):
        for version in TemplateVersion.objects.all():
            workload, _ = workload_submit(actor=owner, tenant=tenant, spec=spec_of(resolved(version.spec, images)))
            assert workload.state == State.QUEUED
            assert not workload.spec["image"].startswith("@")


def test_a_changed_file_is_a_new_version_and_the_old_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(ONE)
    load(tmp_path)
    path.write_text(ONE.replace("memory_mib: 64", "memory_mib: 128"))
    load(tmp_path)
    versions = TemplateVersion.objects.order_by("number").values_list("number", "spec__resources__memory_mib")
    assert list(versions) == [(1, 64), (2, 128)]
    assert Template.objects.get().current == TemplateVersion.objects.get(number=2)


def test_a_file_that_a_version_already_held_is_not_loaded_again(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    for text in (ONE, ONE.replace("memory_mib: 64", "memory_mib: 128"), ONE):
        path.write_text(text)
        load(tmp_path)
    assert Template.objects.get().current == TemplateVersion.objects.get(number=2)


def test_what_a_person_edited_stays_and_the_new_file_waits_beside_it(tmp_path: Path, platform_admin: User) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(ONE)
    load(tmp_path)
    template, base = Template.objects.get(), TemplateVersion.objects.get()
    spec = spec_of(resolved(base.spec, {}) | {"image": "busybox:2"})
    draft = Draft(title="Ours", summary="With our image", spec=spec, base=base)
    edited, made = template_new_version(actor=platform_admin, template=template, draft=draft)
    assert made
    path.write_text(ONE.replace("title: One", "title: Two").replace("position: 1", "position: 7"))
    load(tmp_path)
    load(tmp_path)
    template.refresh_from_db()
    assert (template.current, template.position) == (edited, 1)
    versions = TemplateVersion.objects.order_by("number").values_list("number", "title", "shipped")
    assert list(versions) == [(1, "One", True), (2, "Ours", False), (3, "Two", True)]


def test_what_was_archived_stays_so(tmp_path: Path, platform_admin: User) -> None:
    (tmp_path / "one.yaml").write_text(ONE)
    load(tmp_path)
    template_archive(actor=platform_admin, template=Template.objects.get())
    (tmp_path / "one.yaml").write_text(ONE.replace("title: One", "title: Two"))
    load(tmp_path)
    assert Template.objects.get().archived_at is not None


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
