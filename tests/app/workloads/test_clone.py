"""A workload submitted again, changed, with its parent kept."""

import uuid
from collections.abc import Callable

import pytest

from portal.core.errors import Denied, NotVisible, Rejected
from portal.core.models import User
from tenants.models import Tenant
from workloads.models import Workload
from workloads.services import workload_clone

pytestmark = pytest.mark.django_db


@pytest.fixture
def source(make_workload: Callable[..., Workload], tenant: Tenant, owner: User) -> Workload:
    return make_workload(tenant, owner, spec={"env": {"LR": "0.1", "SEED": "1"}})


def test_a_clone_keeps_the_spec_and_names_its_parent(source: Workload, colleague: User) -> None:
    clone = workload_clone(actor=colleague, source=source)
    clone.refresh_from_db()
    assert clone.parent == source
    assert clone.owner == colleague
    assert clone.spec["command"] == source.spec["command"]


def test_a_clone_takes_changes_as_a_merge_patch(source: Workload, owner: User) -> None:
    clone = workload_clone(actor=owner, source=source, overrides={"env": {"LR": "0.2"}, "name": "hello-2"})
    assert clone.spec["env"] == {"LR": "0.2", "SEED": "1"}
    assert clone.name == "hello-2"
    assert source.spec["env"]["LR"] == "0.1"


def test_the_same_key_makes_one_clone(source: Workload, owner: User) -> None:
    key = str(uuid.uuid4())
    first = workload_clone(actor=owner, source=source, idempotency_key=key)
    assert workload_clone(actor=owner, source=source, idempotency_key=key) == first
    assert source.clones.count() == 1


def test_a_change_of_the_wrong_shape_is_told_at_its_field(source: Workload, owner: User) -> None:
    with pytest.raises(Rejected) as refused:
        workload_clone(actor=owner, source=source, overrides={"resources": {"memory_mib": "much"}})
    assert list(refused.value.fields) == ["memory_mib"]
    assert not source.clones.exists()


def test_a_change_that_cannot_run_is_told_at_its_field(source: Workload, owner: User) -> None:
    with pytest.raises(Rejected) as refused:
        workload_clone(actor=owner, source=source, overrides={"image": "Not An Image"})
    assert list(refused.value.fields) == ["image"]


def test_a_viewer_may_not_clone_and_an_outsider_learns_nothing(source: Workload, viewer: User, outsider: User) -> None:
    with pytest.raises(Denied):
        workload_clone(actor=viewer, source=source)
    with pytest.raises(NotVisible):
        workload_clone(actor=outsider, source=source, overrides={"image": 5})
