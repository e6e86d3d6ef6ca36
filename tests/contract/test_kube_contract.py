"""What callers may rely on, whichever cluster stands behind the Protocol."""

import threading
import time
from itertools import islice
from typing import Any

import pytest

from portal.kube.errors import AlreadyExists, BadRequest, Gone, Invalid, NotFound
from portal.kube.types import CONFIGMAPS, JOBS, NAMESPACES, PODS, Namespace, Partial, Pod, Resource
from tests.contract.conftest import Cluster, pod
from tests.plugins.polling import until


def next_changes(cluster: Cluster, resource: Resource, *, count: int, **options: Any) -> list[Any]:
    """Return the first events with an object that a watch of the playground delivers."""
    with cluster.kube.watch(resource, namespace=cluster.namespace, timeout_s=20, **options) as stream:
        return list(islice((event for event in stream if event.object), count))


def names(cluster: Cluster, **selectors: Any) -> list[str]:
    found = cluster.kube.list(CONFIGMAPS, namespace=cluster.namespace, as_type=Partial, **selectors)
    return sorted(item.metadata.name for item in found.items if item.metadata.name != "kube-root-ca.crt")


def test_a_ready_cluster_says_so(cluster: Cluster) -> None:
    cluster.kube.check_ready()


def test_a_created_object_has_an_identity_and_comes_back_as_it_was_sent(cluster: Cluster) -> None:
    made = cluster.config_map("a", colour="red")
    found = cluster.kube.get(CONFIGMAPS, "a", namespace=cluster.namespace)
    assert found["data"] == {"colour": "red"}
    assert found["metadata"]["uid"] == made["metadata"]["uid"] != ""
    assert found["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"] != ""
    assert found["metadata"]["namespace"] == cluster.namespace


def test_a_name_can_be_taken_only_once(cluster: Cluster) -> None:
    cluster.config_map("a")
    with pytest.raises(AlreadyExists) as refused:
        cluster.config_map("a")
    assert 'configmaps "a" already exists' in refused.value.message


def test_nothing_can_be_created_in_a_namespace_that_is_not_there(cluster: Cluster) -> None:
    cluster.namespace = "berth-nowhere"
    with pytest.raises(NotFound):
        cluster.config_map("a")


def test_a_name_that_is_no_dns_name_is_invalid(cluster: Cluster) -> None:
    with pytest.raises(Invalid):
        cluster.config_map("Not_A_Name")


def test_an_object_of_another_kind_is_a_bad_request(cluster: Cluster) -> None:
    with pytest.raises(BadRequest):
        cluster.kube.create(CONFIGMAPS, pod("a"), namespace=cluster.namespace)


def test_a_missing_object_is_not_found(cluster: Cluster) -> None:
    with pytest.raises(NotFound) as refused:
        cluster.kube.get(CONFIGMAPS, "a", namespace=cluster.namespace)
    assert refused.value.reason == "NotFound"


def test_deleting_twice_says_that_it_was_gone(cluster: Cluster) -> None:
    cluster.config_map("a")
    assert cluster.kube.delete(CONFIGMAPS, "a", namespace=cluster.namespace) is True
    assert cluster.kube.delete(CONFIGMAPS, "a", namespace=cluster.namespace) is False


def test_deleting_by_uid_leaves_a_successor_of_the_same_name_alone(cluster: Cluster) -> None:
    first = cluster.config_map("a")["metadata"]["uid"]
    cluster.kube.delete(CONFIGMAPS, "a", namespace=cluster.namespace, uid=first)
    cluster.config_map("a")
    assert cluster.kube.delete(CONFIGMAPS, "a", namespace=cluster.namespace, uid=first) is False
    assert names(cluster) == ["a"]


def test_a_pod_on_a_node_stays_marked_until_its_kubelet_or_force_ends_it(cluster: Cluster) -> None:
    cluster.kube.create(PODS, pod("a", nodeName="ghost"), namespace=cluster.namespace)
    assert cluster.kube.delete(PODS, "a", namespace=cluster.namespace) is True
    marked = cluster.kube.get(PODS, "a", namespace=cluster.namespace, as_type=Pod)
    assert marked.metadata.deletion_timestamp is not None
    assert cluster.kube.delete(PODS, "a", namespace=cluster.namespace, grace_s=0) is True
    assert cluster.kube.delete(PODS, "a", namespace=cluster.namespace) is False


def test_a_pod_on_no_node_goes_at_once(cluster: Cluster) -> None:
    cluster.kube.create(PODS, pod("a"), namespace=cluster.namespace)
    assert cluster.kube.delete(PODS, "a", namespace=cluster.namespace) is True
    assert cluster.kube.delete(PODS, "a", namespace=cluster.namespace) is False


def test_what_an_object_owns_goes_with_it(cluster: Cluster) -> None:
    owner = cluster.config_map("owner")["metadata"]
    owned = pod("owned")
    owned["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["uid"]}
    ]
    cluster.kube.create(PODS, owned, namespace=cluster.namespace)
    cluster.kube.delete(CONFIGMAPS, "owner", namespace=cluster.namespace)
    until("the pod is gone", lambda: not cluster.kube.list(PODS, namespace=cluster.namespace).items, timeout_s=20)


def applied(labels: dict[str, str], **data: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "labels": labels}, "data": data}


def test_applying_creates_what_is_missing(cluster: Cluster) -> None:
    cluster.kube.apply(CONFIGMAPS, applied({"x": "1"}, colour="red"), namespace=cluster.namespace)
    assert cluster.kube.get(CONFIGMAPS, "a", namespace=cluster.namespace)["data"] == {"colour": "red"}


def test_applying_the_same_again_changes_nothing(cluster: Cluster) -> None:
    first = cluster.kube.apply(CONFIGMAPS, applied({"x": "1"}, colour="red"), namespace=cluster.namespace)
    again = cluster.kube.apply(CONFIGMAPS, applied({"x": "1"}, colour="red"), namespace=cluster.namespace)
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert again["metadata"]["uid"] == first["metadata"]["uid"]


def test_applying_removes_what_we_applied_before_and_leaves_out_now(cluster: Cluster) -> None:
    cluster.kube.apply(CONFIGMAPS, applied({"x": "1", "y": "1"}, a="1", b="1"), namespace=cluster.namespace)
    after = cluster.kube.apply(CONFIGMAPS, applied({"y": "2"}, b="2"), namespace=cluster.namespace)
    assert after["metadata"]["labels"] == {"y": "2"}
    assert after["data"] == {"b": "2"}


def test_selectors_choose_by_label(cluster: Cluster) -> None:
    cluster.config_map("a", labels={"app": "x", "tier": "front"})
    cluster.config_map("b", labels={"app": "y"})
    cluster.config_map("c", labels={"app": "z", "tier": "back"})
    assert names(cluster, label_selector="app=x") == ["a"]
    assert names(cluster, label_selector="app in (x, y)") == ["a", "b"]
    assert names(cluster, label_selector="app notin (x,y),app") == ["c"]
    assert names(cluster, label_selector="tier") == ["a", "c"]
    assert names(cluster, label_selector="!tier,app") == ["b"]
    assert names(cluster, label_selector="app!=x,tier==back") == ["c"]


def test_a_selector_that_cannot_be_read_is_a_bad_request(cluster: Cluster) -> None:
    with pytest.raises(BadRequest):
        names(cluster, label_selector="app in x")


def test_selectors_choose_by_name_and_phase(cluster: Cluster) -> None:
    cluster.config_map("a")
    cluster.config_map("b")
    cluster.kube.create(PODS, pod("p"), namespace=cluster.namespace)
    assert names(cluster, field_selector="metadata.name=b") == ["b"]
    pending = cluster.kube.list(PODS, namespace=cluster.namespace, field_selector="status.phase=Pending")
    running = cluster.kube.list(PODS, namespace=cluster.namespace, field_selector="status.phase!=Pending")
    assert [len(pending.items), len(running.items)] == [1, 0]


def test_a_field_that_cannot_be_selected_by_is_a_bad_request(cluster: Cluster) -> None:
    with pytest.raises(BadRequest):
        names(cluster, field_selector="data.colour=red")


def test_a_list_in_small_pages_is_whole(cluster: Cluster) -> None:
    for n in range(7):
        cluster.config_map(f"m{n}", labels={"page": "yes"})
    found = cluster.kube.list(CONFIGMAPS, namespace=cluster.namespace, label_selector="page", page_size=3)
    assert sorted(item["metadata"]["name"] for item in found.items) == [f"m{n}" for n in range(7)]
    assert found.poisoned == ()


def test_a_cluster_wide_list_sees_all_namespaces(cluster: Cluster) -> None:
    cluster.config_map("only-here", labels={"contract": cluster.namespace})
    found = cluster.kube.list(CONFIGMAPS, label_selector=f"contract={cluster.namespace}", as_type=Partial)
    assert [item.metadata.namespace for item in found.items] == [cluster.namespace]


def test_a_namespace_is_read_without_a_namespace(cluster: Cluster) -> None:
    assert cluster.kube.get(NAMESPACES, cluster.namespace, as_type=Namespace).status.phase == "Active"


def test_a_watch_tells_what_happened_after_the_list_in_order(cluster: Cluster) -> None:
    cluster.config_map("before", labels={"w": "1"})
    version = cluster.kube.list(CONFIGMAPS, namespace=cluster.namespace, label_selector="w").resource_version
    body = applied({"w": "1"}, colour="red")
    cluster.kube.apply(CONFIGMAPS, body, namespace=cluster.namespace)
    cluster.kube.apply(CONFIGMAPS, applied({"w": "1"}, colour="blue"), namespace=cluster.namespace)
    cluster.kube.delete(CONFIGMAPS, "a", namespace=cluster.namespace)
    seen = next_changes(cluster, CONFIGMAPS, count=3, label_selector="w", resource_version=version)
    assert [(event.type, event.object["metadata"]["name"]) for event in seen] == [
        ("ADDED", "a"),
        ("MODIFIED", "a"),
        ("DELETED", "a"),
    ]
    assert seen[1].object["data"] == {"colour": "blue"}
    assert len({event.resource_version for event in seen}) == 3


def test_a_watch_can_go_on_from_any_event(cluster: Cluster) -> None:
    version = cluster.kube.list(CONFIGMAPS, namespace=cluster.namespace).resource_version
    first = cluster.config_map("a", labels={"w": "1"})
    cluster.config_map("b", labels={"w": "1"})
    for start, wanted in ((version, "a"), (first["metadata"]["resourceVersion"], "b")):
        [event] = next_changes(
            cluster, CONFIGMAPS, count=1, label_selector="w", resource_version=start, as_type=Partial
        )
        assert event.object.metadata.name == wanted


def test_an_object_that_stops_matching_is_deleted_for_the_watch(cluster: Cluster) -> None:
    cluster.kube.apply(CONFIGMAPS, applied({"w": "1"}), namespace=cluster.namespace)
    version = cluster.kube.list(CONFIGMAPS, namespace=cluster.namespace).resource_version
    cluster.kube.apply(CONFIGMAPS, applied({"w": "2"}), namespace=cluster.namespace)
    [event] = next_changes(cluster, CONFIGMAPS, count=1, label_selector="w=1", resource_version=version)
    assert event.type == "DELETED"
    assert event.resource_version != version


def test_a_version_that_is_forgotten_is_gone(cluster: Cluster) -> None:
    late = cluster.make_late_kind()
    with pytest.raises(Gone):
        next_changes(cluster, late, count=1, resource_version="1")


def test_a_watch_ends_by_itself_after_its_time(cluster: Cluster) -> None:
    version = cluster.kube.list(JOBS, namespace=cluster.namespace).resource_version
    with cluster.kube.watch(JOBS, namespace=cluster.namespace, resource_version=version, timeout_s=1) as stream:
        assert [event for event in stream if event.type != "BOOKMARK"] == []


def test_a_waiting_watch_can_be_cancelled_from_another_thread(cluster: Cluster) -> None:
    version = cluster.kube.list(JOBS, namespace=cluster.namespace).resource_version
    began = time.monotonic()
    with cluster.kube.watch(JOBS, namespace=cluster.namespace, resource_version=version, timeout_s=60) as stream:
        threading.Timer(0.2, stream.cancel).start()
        assert [event for event in stream if event.type != "BOOKMARK"] == []
    assert time.monotonic() - began < 10


def test_a_typed_watch_and_a_typed_get_read_the_same(cluster: Cluster) -> None:
    version = cluster.kube.list(PODS, namespace=cluster.namespace).resource_version
    cluster.kube.create(PODS, pod("a"), namespace=cluster.namespace)
    [event] = next_changes(cluster, PODS, count=1, resource_version=version, as_type=Pod)
    assert event.object.spec.containers[0].resources.requests == {"cpu": "10m"}
    found = cluster.kube.get(PODS, "a", namespace=cluster.namespace, as_type=Pod)
    assert found.metadata.uid == event.object.metadata.uid
    assert found.status.phase == "Pending"
