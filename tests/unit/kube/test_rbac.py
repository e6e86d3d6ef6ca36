"""What deploy/rbac.yaml may never grow into."""

from portal.kube.gateway import Object
from portal.kube.ownership import RBAC_FILE, load_documents, resource_of

BY_NAME_ONLY = {"bind", "impersonate"}
NEVER = {"escalate", "*"}
TOO_MUCH = {"*", "secrets", "nodes/proxy", "pods/exec", "pods/ephemeralcontainers", "pods/resize"}


def roles() -> dict[str, list[Object]]:
    return {
        body["metadata"]["name"]: body["rules"] for body in load_documents(RBAC_FILE) if body["kind"] == "ClusterRole"
    }


def test_every_document_is_of_a_kind_that_we_can_apply() -> None:
    assert [resource_of(document).kind for document in load_documents(RBAC_FILE)].count("ServiceAccount") == 3


def test_no_role_has_a_wildcard_or_a_right_that_opens_everything() -> None:
    for rules in roles().values():
        for rule in rules:
            assert not NEVER & set(rule["verbs"])
            assert not TOO_MUCH & set(rule.get("resources", []))


def test_binding_and_impersonating_are_limited_to_names() -> None:
    limited = {
        (name, verb): rule["resourceNames"]
        for name, rules in roles().items()
        for rule in rules
        for verb in BY_NAME_ONLY & set(rule["verbs"])
    }
    assert limited == {
        ("berth-writer", "bind"): ["berth-tenant-writer"],
        ("berth-writer", "impersonate"): ["berth-writer"],
    }


def test_the_watcher_and_the_log_reader_change_nothing() -> None:
    for name in ("berth-watcher", "berth-logs"):
        assert {verb for rule in roles()[name] for verb in rule["verbs"]} <= {"get", "list", "watch"}


def test_the_role_for_tenants_is_bound_nowhere_by_itself() -> None:
    bound = [body["roleRef"]["name"] for body in load_documents(RBAC_FILE) if body["kind"] == "ClusterRoleBinding"]
    assert sorted(bound) == ["berth-logs", "berth-watcher", "berth-writer"]
