"""From what was asked for to the list of children: pure, so that every variant of `up` is a test of a few lines."""

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from portal.embedded import postgres as postgres_server
from portal.embedded.children import ChildSpec, OnExit, OnLine, OnProbe, Restart, ResultOf
from portal.embedded.layout import ROOT, Layout
from portal.embedded.nodechoice import Node
from portal.embedded.postgres import Postgres
from portal.embedded.valkey import Valkey

_BUILD_NICENESS = 19
_DEMO_NICENESS = 10
_NODE_GRACE_S = 40.0
_WORKER_THREADS = 8


class Cluster(Enum):
    """Which Kubernetes the portal writes to."""

    NONE = "none"
    EMBEDDED = "embedded"
    GIVEN = "given"


@dataclass(frozen=True)
class Options:
    """What was asked for, after every default is filled in."""

    layout: Layout
    port: int
    public_url: str
    cluster: Cluster
    kubeconfig: Path | None = None
    node: Node = Node.CONTAINER  # of the embedded cluster
    gpus: int = 0
    demo: bool = False
    reset_demo: bool = False
    samples: bool = True
    database_url: str = ""  # empty: the embedded server
    redis_url: str = ""
    settings: tuple[tuple[str, str], ...] = ()


def postgres_of(options: Options) -> Postgres | None:
    """Return the embedded PostgreSQL, unless one was given."""
    layout = options.layout
    return None if options.database_url else Postgres(layout.data_dir / "postgres", layout.socket_dir)


def valkey_of(options: Options) -> Valkey | None:
    """Return the embedded Valkey, unless one was given."""
    return None if options.redis_url else Valkey(options.layout.socket_dir)


def environment(options: Options) -> dict[str, str]:
    """Return the variables of every Django process of the installation."""
    postgres, valkey = postgres_of(options), valkey_of(options)
    layout = options.layout
    return {
        "BERTH_DATA_DIR": str(layout.data_dir),
        "BERTH_CLUSTER": options.cluster.value,
        "BERTH_NODE": options.node.value if options.cluster is Cluster.EMBEDDED else "",
        "BERTH_CLUSTER_DIR": str(layout.cluster_dir),
        "BERTH_SECRET_KEY_FILE": str(layout.secret_key_file),
        "BERTH_PUBLIC_URL": options.public_url,
        "DATABASE_URL": postgres.url if postgres else options.database_url,
        "REDIS_URL": valkey.url if valkey else options.redis_url,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }


def children(options: Options, *, web_fd: int, is_answering: Callable[[], bool]) -> list[ChildSpec]:
    """Return all children in the order in which they may start."""
    servers = _servers(options)
    steps = _steps(options, after=tuple(spec.name for spec in servers))
    built = tuple(spec.name for spec in (*servers, *steps))
    return [*servers, *steps, *_portal(options, built, web_fd=web_fd, is_answering=is_answering), *_cluster(options)]


def _servers(options: Options) -> list[ChildSpec]:
    specs = []
    if postgres := postgres_of(options):
        specs.append(
            ChildSpec(
                "postgres",
                "PostgreSQL",
                tuple(postgres.command()),
                ready=OnProbe(postgres.is_ready),
                stop_signal=postgres_server.STOP_SIGNAL,
                death_signal=postgres_server.STOP_SIGNAL,
                grace_s=30.0,
                leave_root=True,
            )
        )
    if valkey := valkey_of(options):
        specs.append(ChildSpec("valkey", "Valkey", tuple(valkey.command()), ready=OnProbe(valkey.is_ready)))
    return specs


def _steps(options: Options, *, after: tuple[str, ...]) -> list[ChildSpec]:
    # Static files need no database: they are collected while the others wait for it.
    # Packages bring pages that are not served here: compressing those took most of the time to the first answer.
    collect = ("collectstatic", "--noinput", "--verbosity", "0", "--ignore", "redoc", "--ignore", "rest_framework")
    specs = [_step("static", "Static files", *collect, after=())]
    specs.append(_step("migrate", "Database tables", "migrate", "--noinput", "--verbosity", "0", after=after))
    specs.append(_step("templates", "Templates", "load_templates", after=("migrate",)))
    if options.reset_demo:
        specs.append(_step("demo-reset", "Demo, removal of the old one", "reset_demo", after=("templates",)))
    if options.demo:
        specs.append(_step("demo", "Demo accounts", "seed_demo", after=(specs[-1].name,)))
    return specs


def _step(name: str, title: str, *words: str, after: tuple[str, ...]) -> ChildSpec:
    return ChildSpec(name, title, _manage(*words), after=after, ready=OnExit(), restart=Restart.NEVER)


def _portal(
    options: Options, after: tuple[str, ...], *, web_fd: int, is_answering: Callable[[], bool]
) -> list[ChildSpec]:
    beat_file = str(options.layout.data_dir / "beat-schedule")
    web = _module(
        "uvicorn", "portal.asgi:application", "--fd", str(web_fd), "--no-access-log", "--timeout-graceful-shutdown", "8"
    )
    worker = _celery("worker", "--pool", "threads", "--concurrency", str(_WORKER_THREADS), "--without-mingle")
    # The pages come first: the others would only take their cores while people wait for an answer.
    after_web = (*after, "web")
    services = [
        ChildSpec("web", "Portal", web, after=after, ready=OnProbe(is_answering), pass_fds=(web_fd,), grace_s=12.0),
        _service("worker", "Worker", worker, after_web),
        _service("beat", "Scheduler", _celery("beat", "--schedule", beat_file, "--pidfile="), after_web),
        _service("controller", "Controller", _manage("run_controller"), after_web),
        _service("queue", "Queue", _manage("run_queue"), after_web),
        _service("logcollector", "Log collector", _manage("run_logcollector"), after_web),
    ]
    services.append(_docs(after_web))
    # A reset needs it as well: the old namespaces are taken away beside the running portal.
    has_work = options.demo and (options.samples or options.reset_demo)
    return [*services, _demo_work(options, after_web)] if has_work else services


def _docs(after: tuple[str, ...]) -> ChildSpec:
    return ChildSpec(
        "docs",
        "Documentation",
        _manage("build_docs"),
        after=after,
        ready=OnExit(),
        restart=Restart.UNTIL_SUCCESS,
        niceness=_BUILD_NICENESS,
        announced=False,
    )


def _demo_work(options: Options, after: tuple[str, ...]) -> ChildSpec:
    return ChildSpec(
        "demo-work",
        "Demo workloads",
        _manage("run_demo", *([] if options.samples else ["--no-samples"])),
        after=after,
        ready=OnExit(),
        restart=Restart.UNTIL_SUCCESS,
        niceness=_DEMO_NICENESS,
        announced=False,
    )


def _cluster(options: Options) -> list[ChildSpec]:
    """Return what makes or reaches the cluster; all of it starts when the portal already answers."""
    if options.cluster is Cluster.GIVEN:
        return [_access(str(options.kubeconfig), after="web")]
    if options.cluster is Cluster.NONE:
        return []
    node = _module("portal.embedded.node", "up", "--state-dir", str(options.layout.data_dir / "node"), "--binary")
    gpus = ("--gpus", str(options.gpus)) if options.gpus else ()
    has_containers = options.node is Node.CONTAINER
    return [
        ChildSpec(
            "cluster-build",
            "Embedded Kubernetes, build",
            _module("portal.embedded.cluster.build", *([] if has_containers else ["--without-containers"])),
            after=("web",),
            ready=OnExit(),
            restart=Restart.UNTIL_SUCCESS,
            niceness=_BUILD_NICENESS,
        ),
        ChildSpec(
            "node",
            "Embedded Kubernetes, node",
            (*node, ResultOf("cluster-build"), *gpus, *([] if has_containers else ["--processes"])),
            after=("cluster-build",),
            ready=OnLine("ready "),
            stop_whole_group=False,
            death_signal=signal.SIGTERM,  # so that it can still take its cgroups away
            grace_s=_NODE_GRACE_S,
        ),
        _access(ResultOf("node"), after="node"),
    ]


def _access(kubeconfig: str | ResultOf, *, after: str) -> ChildSpec:
    argv = (*_module("portal.embedded.cluster_access", "keep", "--admin-kubeconfig"), kubeconfig)
    return ChildSpec("cluster-access", "Kubernetes", argv, after=(after,), ready=OnLine("ready"))


def _service(name: str, title: str, argv: tuple[str, ...], after: tuple[str, ...]) -> ChildSpec:
    return ChildSpec(name, title, argv, after=after, announced=False)


def _module(name: str, *words: str) -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", name, *words)


def _manage(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-P", str(ROOT / "manage.py"), *words)


def _celery(*words: str) -> tuple[str, ...]:
    return _module("celery", "-A", "portal", *words, "--loglevel", "INFO")
