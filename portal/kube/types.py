"""What Berth reads of Kubernetes objects, and nothing more.

Each struct names only the fields in use, so that decoding skips the rest of an object without building it.
This module must import nothing but msgspec: everybody may import it.
"""

from datetime import datetime
from urllib.parse import quote

import msgspec


class Resource(msgspec.Struct, frozen=True):
    """One kind of object and where the API server keeps it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """Return what a manifest of this kind carries as `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, *, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the URL path of the collection, or of one object. Raises ValueError for a name that could leave it."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if self.namespaced and namespace is not None:
            parts += ["namespaces", _segment(namespace)]
        parts.append(self.plural)
        if name is not None:
            parts.append(_segment(name))
        if subresource is not None:
            parts.append(subresource)
        return "/" + "/".join(parts)


def _segment(name: str) -> str:
    if name in ("", ".", ".."):
        raise ValueError(f"{name!r} is no name of a Kubernetes object")
    return quote(name, safe="")


PODS = Resource("", "v1", "pods", "Pod")
CONFIGMAPS = Resource("", "v1", "configmaps", "ConfigMap")
EVENTS = Resource("", "v1", "events", "Event")
RESOURCEQUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota")
LIMITRANGES = Resource("", "v1", "limitranges", "LimitRange")
SERVICEACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
JOBS = Resource("batch", "v1", "jobs", "Job")
NETWORKPOLICIES = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
ROLEBINDINGS = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
CLUSTERROLES = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTERROLEBINDINGS = Resource(
    "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)

KNOWN_RESOURCES = (
    PODS,
    CONFIGMAPS,
    EVENTS,
    RESOURCEQUOTAS,
    LIMITRANGES,
    SERVICEACCOUNTS,
    NODES,
    NAMESPACES,
    JOBS,
    NETWORKPOLICIES,
    ROLEBINDINGS,
    CLUSTERROLES,
    CLUSTERROLEBINDINGS,
)


class _Struct(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Frozen, camelCase on the wire, every field with a default: an absent field is never an error."""


class ObjectMeta(_Struct, frozen=True, kw_only=True):
    """Identity of an object. `resource_version` is opaque: compare for equality only."""

    name: str = ""
    namespace: str | None = None
    uid: str = ""
    resource_version: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None


class Partial(_Struct, frozen=True, kw_only=True):
    """Any object, read for its identity only."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = ObjectMeta()


class Condition(_Struct, frozen=True, kw_only=True):
    """One condition of a pod, job or node. `status` is "True", "False" or "Unknown"."""

    type: str = ""
    status: str = ""
    reason: str | None = None
    message: str | None = None
    last_transition_time: datetime | None = None


class ResourceAmounts(_Struct, frozen=True, kw_only=True):
    """Requests and limits as Kubernetes quantities (see `quantity`)."""

    requests: dict[str, str] = {}
    limits: dict[str, str] = {}


class Container(_Struct, frozen=True, kw_only=True):
    """One container of a pod's spec. `restart_policy` "Always" on an init container makes it a sidecar."""

    name: str = ""
    image: str = ""
    resources: ResourceAmounts = ResourceAmounts()
    restart_policy: str | None = None


class WaitingState(_Struct, frozen=True, kw_only=True):
    """A container that has not started, with the kubelet's word for why."""

    reason: str | None = None
    message: str | None = None


class RunningState(_Struct, frozen=True, kw_only=True):
    """A container that runs."""

    started_at: datetime | None = None


class TerminatedState(_Struct, frozen=True, kw_only=True):
    """A container that ended."""

    exit_code: int = 0
    signal: int | None = None
    reason: str | None = None
    message: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


class ContainerState(_Struct, frozen=True, kw_only=True):
    """At most one of the three is set."""

    waiting: WaitingState | None = None
    running: RunningState | None = None
    terminated: TerminatedState | None = None


class ContainerStatus(_Struct, frozen=True, kw_only=True):
    """What the kubelet says about one container; `last_state` is the run before the present one."""

    name: str = ""
    image: str = ""
    image_id: str = msgspec.field(name="imageID", default="")
    ready: bool = False
    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class PodSpec(_Struct, frozen=True, kw_only=True):
    """Where a pod runs and what it asks for."""

    node_name: str | None = None
    restart_policy: str | None = None
    priority: int | None = None
    active_deadline_seconds: int | None = None
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()


class PodStatus(_Struct, frozen=True, kw_only=True):
    """What became of a pod. `phase` is Pending, Running, Succeeded, Failed or Unknown."""

    phase: str = ""
    reason: str | None = None
    message: str | None = None
    start_time: datetime | None = None
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(_Struct, frozen=True, kw_only=True):
    """A pod."""

    metadata: ObjectMeta = ObjectMeta()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class JobSpec(_Struct, frozen=True, kw_only=True):
    """How often and how wide a Job runs."""

    parallelism: int | None = None
    completions: int | None = None


class JobStatus(_Struct, frozen=True, kw_only=True):
    """Counts of a Job's pods, and its conditions (Complete, Failed, SuccessCriteriaMet, FailureTarget, Suspended)."""

    active: int = 0
    succeeded: int = 0
    failed: int = 0
    start_time: datetime | None = None
    completion_time: datetime | None = None
    conditions: tuple[Condition, ...] = ()


class Job(_Struct, frozen=True, kw_only=True):
    """A batch Job."""

    metadata: ObjectMeta = ObjectMeta()
    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


class Taint(_Struct, frozen=True, kw_only=True):
    """Why pods are kept off a node."""

    key: str = ""
    value: str | None = None
    effect: str = ""


class NodeAddress(_Struct, frozen=True, kw_only=True):
    """One address of a node, for instance of type InternalIP or Hostname."""

    type: str = ""
    address: str = ""


class NodeInfo(_Struct, frozen=True, kw_only=True):
    """Versions on a node."""

    kubelet_version: str = ""
    container_runtime_version: str = ""


class NodeSpec(_Struct, frozen=True, kw_only=True):
    """Whether a node takes new pods."""

    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()


class NodeStatus(_Struct, frozen=True, kw_only=True):
    """What a node has; amounts are Kubernetes quantities."""

    capacity: dict[str, str] = {}
    allocatable: dict[str, str] = {}
    conditions: tuple[Condition, ...] = ()
    addresses: tuple[NodeAddress, ...] = ()
    node_info: NodeInfo = NodeInfo()


class Node(_Struct, frozen=True, kw_only=True):
    """A node."""

    metadata: ObjectMeta = ObjectMeta()
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class NamespaceStatus(_Struct, frozen=True, kw_only=True):
    """`phase` is Active or Terminating; the conditions say what holds up a deletion."""

    phase: str = ""
    conditions: tuple[Condition, ...] = ()


class Namespace(_Struct, frozen=True, kw_only=True):
    """A namespace."""

    metadata: ObjectMeta = ObjectMeta()
    status: NamespaceStatus = NamespaceStatus()


class ObjectReference(_Struct, frozen=True, kw_only=True):
    """The object that an event is about."""

    kind: str = ""
    namespace: str | None = None
    name: str = ""
    uid: str = ""


class EventSource(_Struct, frozen=True, kw_only=True):
    """Who reported an event in the old form."""

    component: str = ""
    host: str | None = None


class EventSeries(_Struct, frozen=True, kw_only=True):
    """An event that goes on."""

    count: int = 0
    last_observed_time: datetime | None = None


class Event(_Struct, frozen=True, kw_only=True):
    """A core/v1 event. Old reporters fill first/last_timestamp and count, new ones event_time and series."""

    metadata: ObjectMeta = ObjectMeta()
    involved_object: ObjectReference = ObjectReference()
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int | None = None
    first_timestamp: datetime | None = None
    last_timestamp: datetime | None = None
    event_time: datetime | None = None
    series: EventSeries | None = None
    source: EventSource = EventSource()
    reporting_component: str = ""


class QuotaStatus(_Struct, frozen=True, kw_only=True):
    """Limits and use as the API server counts them; amounts are Kubernetes quantities."""

    hard: dict[str, str] = {}
    used: dict[str, str] = {}


class ResourceQuota(_Struct, frozen=True, kw_only=True):
    """The second line of quota in a namespace."""

    metadata: ObjectMeta = ObjectMeta()
    status: QuotaStatus = QuotaStatus()
