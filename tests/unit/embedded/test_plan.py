"""Which children each way of starting has. Pure: nothing is started."""

from dataclasses import replace
from pathlib import Path

import pytest

from portal.embedded import plan
from portal.embedded.children import ChildSpec, Restart, ResultOf
from portal.embedded.layout import Layout
from portal.embedded.nodechoice import Node
from portal.embedded.plan import Cluster, Options

LAYOUT = Layout(data_dir=Path("/state"), socket_dir=Path("/run/short"))
PLAIN = Options(layout=LAYOUT, port=8080, public_url="http://127.0.0.1:8080", cluster=Cluster.NONE)
PORTAL = ["web", "worker", "beat", "controller", "queue", "logcollector"]
BESIDE = ["docs"]  # nothing waits for it
STEPS = ["static", "migrate", "templates"]


def planned(options: Options) -> dict[str, ChildSpec]:
    specs = plan.children(options, web_fd=7, is_answering=lambda: True)
    return {spec.name: spec for spec in specs}


def test_a_plain_start_has_its_own_servers_and_no_cluster() -> None:
    assert list(planned(PLAIN)) == ["postgres", "valkey", *STEPS, *PORTAL, *BESIDE]


def test_given_servers_are_used_and_not_started() -> None:
    given = replace(PLAIN, database_url="postgresql://somebody@db/portal", redis_url="redis://cache:6379/0")
    assert list(planned(given)) == [*STEPS, *PORTAL, *BESIDE]
    environment = plan.environment(given)
    assert environment["DATABASE_URL"] == "postgresql://somebody@db/portal"
    assert environment["REDIS_URL"] == "redis://cache:6379/0"


def test_the_demo_seeds_after_the_templates_and_before_the_pages() -> None:
    specs = planned(replace(PLAIN, demo=True))
    assert specs["demo"].after == ("templates",)
    assert "demo" in specs["web"].after


def test_a_reset_of_the_demo_comes_before_its_making_and_its_work_after_the_pages() -> None:
    specs = planned(replace(PLAIN, demo=True, reset_demo=True))
    assert specs["demo-reset"].after == ("templates",)
    assert specs["demo"].after == ("demo-reset",)
    assert "web" in specs["demo-work"].after
    assert "demo-reset" not in planned(replace(PLAIN, demo=True))


def test_a_demo_without_samples_has_work_only_after_a_reset() -> None:
    quiet = replace(PLAIN, demo=True, samples=False)
    assert "demo-work" not in planned(quiet)
    assert planned(replace(quiet, reset_demo=True))["demo-work"].argv[-1] == "--no-samples"
    assert planned(replace(PLAIN, demo=True))["demo-work"].argv[-1] == "run_demo"


def test_nothing_of_the_portal_starts_before_every_step_is_done() -> None:
    specs = planned(PLAIN)
    assert all(set(STEPS) <= set(specs[name].after) for name in PORTAL)
    assert all(specs[name].restart is Restart.NEVER for name in STEPS)


def test_the_pages_do_not_wait_for_the_other_processes() -> None:
    specs = planned(PLAIN)
    assert not set(specs["web"].after) & set(PORTAL)
    assert all("web" in specs[name].after for name in PORTAL if name != "web")


def test_the_embedded_cluster_is_built_while_the_portal_answers() -> None:
    specs = planned(replace(PLAIN, cluster=Cluster.EMBEDDED, gpus=4))
    build, node, access = specs["cluster-build"], specs["node"], specs["cluster-access"]
    assert build.after == ("web",)
    assert build.niceness == 19
    assert node.argv[3:] == (
        *("portal.embedded.node", "up", "--state-dir", "/state/node", "--binary"),
        *(ResultOf("cluster-build"), "--gpus", "4"),
    )
    assert node.after == ("cluster-build",)
    assert access.argv[-1] == ResultOf("node")


def test_a_node_without_pretended_gpus_is_not_asked_for_any() -> None:
    assert "--gpus" not in planned(replace(PLAIN, cluster=Cluster.EMBEDDED))["node"].argv


def test_a_process_node_needs_nothing_of_what_containers_need() -> None:
    specs = planned(replace(PLAIN, cluster=Cluster.EMBEDDED, node=Node.PROCESS, gpus=4))
    assert specs["node"].argv[-3:] == ("--gpus", "4", "--processes")
    assert specs["cluster-build"].argv[-1] == "--without-containers"


@pytest.mark.parametrize("node", list(Node))
def test_the_pages_learn_which_node_there_is(node: Node) -> None:
    assert plan.environment(replace(PLAIN, cluster=Cluster.EMBEDDED, node=node))["BERTH_NODE"] == node.value
    assert plan.environment(replace(PLAIN, cluster=Cluster.GIVEN, node=node))["BERTH_NODE"] == ""


def test_a_given_cluster_only_needs_access() -> None:
    specs = planned(replace(PLAIN, cluster=Cluster.GIVEN, kubeconfig=Path("/home/admin.conf")))
    assert list(specs)[-1] == "cluster-access"
    assert specs["cluster-access"].argv[-1] == "/home/admin.conf"
    assert "node" not in specs


def test_the_web_process_gets_the_bound_socket() -> None:
    web = planned(PLAIN)["web"]
    assert web.pass_fds == (7,)
    assert web.argv[web.argv.index("--fd") :][:2] == ("--fd", "7")


def test_the_environment_names_every_place() -> None:
    assert plan.environment(PLAIN) == {
        "BERTH_DATA_DIR": "/state",
        "BERTH_CLUSTER": "none",
        "BERTH_NODE": "",
        "BERTH_CLUSTER_DIR": "/state/cluster",
        "BERTH_SECRET_KEY_FILE": "/state/secret.key",
        "BERTH_PUBLIC_URL": "http://127.0.0.1:8080",
        "DATABASE_URL": "postgresql://berth@/berth?host=/run/short",
        "REDIS_URL": "unix:///run/short/valkey.sock",
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }


@pytest.mark.parametrize("cluster", list(Cluster))
def test_every_child_comes_after_what_it_needs(cluster: Cluster) -> None:
    seen: set[str] = set()
    for spec in planned(replace(PLAIN, cluster=cluster, kubeconfig=Path("/k"), demo=True)).values():
        assert set(spec.after) <= seen
        seen.add(spec.name)


def test_the_documentation_is_built_beside_the_running_portal() -> None:
    spec = planned(PLAIN)["docs"]
    assert "web" in spec.after
    assert spec.restart is Restart.UNTIL_SUCCESS
    assert not any("docs" in other.after for other in planned(replace(PLAIN, demo=True)).values())
