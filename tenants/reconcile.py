"""Makes a tenant's namespace hold what its row says, by server-side apply: as often as wanted, always the same.

Never adopts a namespace that it did not make: one that carries other labels, or none, is an error for people to see.
"""

import dataclasses
import time
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db.models.functions import Now

from portal import env
from portal.core import installation
from portal.core.hints import wake
from portal.kube.client import connect
from portal.kube.errors import AlreadyExists, BadRequest, Forbidden, Invalid, KubeError, NotFound
from portal.kube.gateway import Kube, Object
from portal.kube.quantity import parse_quantity
from portal.kube.types import (
    LIMITRANGES,
    NAMESPACES,
    NETWORKPOLICIES,
    RESOURCEQUOTAS,
    ROLEBINDINGS,
    SERVICEACCOUNTS,
    Namespace,
    ResourceQuota,
)
from tenants import manifests, selectors, specs
from tenants.models import Tenant
from tenants.specs import NamespaceSpec, Obstacle, TenantStatus

QUOTA_WAIT_S = 3.0
_QUOTA_LOOK_EVERY_S = 0.1
_DETAIL_MAX_CHARS = 500
_RESOURCES = {
    resource.kind: resource
    for resource in (RESOURCEQUOTAS, LIMITRANGES, NETWORKPOLICIES, SERVICEACCOUNTS, ROLEBINDINGS)
}
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: the status to show, or None to leave the present one, and what stands in the way."""

    status: TenantStatus | None
    obstacle: Obstacle = Obstacle.NONE
    message: str = ""

    @property
    def complete(self) -> bool:
        return self.status is TenantStatus.READY

    @property
    def detail(self) -> str:
        return f"{self.obstacle}: {self.message}"[:_DETAIL_MAX_CHARS] if self.message else str(self.obstacle)


def reconcile_tenant(tenant_id: UUID, kube: Kube | None = None, *, quota_wait_s: float = QUOTA_WAIT_S) -> None:
    """Apply the namespace of a tenant and record how far it came; nothing happens for an unknown id.

    A cluster that is away or busy changes nothing here: a sweep asks again.
    """
    tenant = Tenant.objects.filter(pk=tenant_id).first()
    if tenant is None:
        return
    spec = namespace_spec(tenant)
    try:
        outcome = _applied(kube or connect("writer"), spec, quota_wait_s)
    except (Forbidden, Invalid, BadRequest) as error:
        outcome = Outcome(TenantStatus.ERROR, Obstacle.REFUSED, error.message)
    except KubeError as error:
        log.warning("tenant_not_applied", tenant=tenant.slug, error=error.message)
        return
    _record(tenant, outcome)


def namespace_removed(*, slug: str, tenant_id: UUID, kube: Kube | None = None) -> bool:
    """Ask for the removal of the namespace of a tenant that is no more; tell whether it is gone. Raises KubeError.

    A namespace of that name which is not this very tenant's, of this installation, is none of ours and left alone.
    """
    kube = kube or connect("writer")
    found = _namespace(kube, specs.namespace_of(slug))
    ours = manifests.labels_of_owner(installation.installation_id(), tenant_id)
    if found is None or not ours.items() <= found.metadata.labels.items():
        return True
    if found.metadata.deletion_timestamp is None:
        kube.delete(NAMESPACES, found.metadata.name, uid=found.metadata.uid)
    return False


def namespace_spec(tenant: Tenant) -> NamespaceSpec:
    """Return what decides the contents of the tenant's namespace.

    `BERTH_CLUSTER_DNS` names name servers that are no pods, by comma.
    """
    dns = tuple(address.strip() for address in env.text("BERTH_CLUSTER_DNS").split(",") if address.strip())
    return NamespaceSpec(
        slug=tenant.slug,
        tenant_id=tenant.pk,
        installation_id=installation.installation_id(),
        quotas=selectors.quotas_of(tenant),
        dns_addresses=dns,
    )


def _applied(kube: Kube, spec: NamespaceSpec, quota_wait_s: float) -> Outcome:
    namespace = _own_namespace(kube, spec)
    if isinstance(namespace, Outcome):
        return namespace
    body = manifests.namespace_manifest(spec)
    # The uid makes it a change of the very namespace that was looked at, never the making or taking of another.
    body["metadata"] |= {"uid": namespace.metadata.uid}
    kube.apply(NAMESPACES, body)
    for manifest in manifests.content_manifests(spec):
        kube.apply(_RESOURCES[manifest["kind"]], manifest, namespace=spec.namespace)
    return _completeness(kube, spec, quota_wait_s)


def _own_namespace(kube: Kube, spec: NamespaceSpec) -> Namespace | Outcome:
    """Return the tenant's namespace, made if need be by a POST that cannot take over somebody else's."""
    found = _namespace(kube, spec.namespace)
    if found is None:
        try:
            kube.create(NAMESPACES, manifests.namespace_manifest(spec))
        except AlreadyExists:
            log.info("namespace_made_meanwhile", namespace=spec.namespace)
        found = kube.get(NAMESPACES, spec.namespace, as_type=Namespace)
    if not manifests.owner_labels(spec).items() <= found.metadata.labels.items():
        return Outcome(TenantStatus.ERROR, Obstacle.FOREIGN)
    if found.metadata.deletion_timestamp or found.status.phase == "Terminating":
        return Outcome(TenantStatus.ERROR, Obstacle.TERMINATING)
    return found


def _namespace(kube: Kube, name: str) -> Namespace | None:
    try:
        return kube.get(NAMESPACES, name, as_type=Namespace)
    except NotFound:
        return None


def _completeness(kube: Kube, spec: NamespaceSpec, wait_s: float) -> Outcome:
    """Wait a little for the cluster to count by the new quota: before that it lets everything or nothing through."""
    wanted = manifests.quota_hard(spec.quotas)
    deadline = time.monotonic() + wait_s
    while True:
        quota = kube.get(RESOURCEQUOTAS, manifests.QUOTA_NAME, namespace=spec.namespace, as_type=ResourceQuota)
        if _same_amounts(quota.status.hard, wanted):
            return Outcome(TenantStatus.READY)
        if time.monotonic() >= deadline:
            return Outcome(None if quota.status.hard else TenantStatus.CREATING, Obstacle.WAITING)
        time.sleep(_QUOTA_LOOK_EVERY_S)


def _same_amounts(found: Object, wanted: dict[str, str]) -> bool:
    try:
        return all(
            parse_quantity(str(found.get(key, "none"))) == parse_quantity(value) for key, value in wanted.items()
        )
    except ValueError:
        return False


def _record(tenant: Tenant, outcome: Outcome) -> None:
    """Write the outcome unless the row asks for something else by now; one statement."""
    values: dict[str, object] = {"status_detail": outcome.detail}
    if outcome.status is not None:
        values["status"] = outcome.status
    if outcome.complete:
        values |= {"applied_generation": tenant.generation, "applied_at": Now()}
    written = Tenant.objects.filter(pk=tenant.pk, generation=tenant.generation).update(**values)
    if written and outcome.complete and (tenant.status != TenantStatus.READY or tenant.applied_generation == 0):
        wake("queue")
    if outcome.obstacle:
        log.warning(
            "tenant_incomplete", tenant=tenant.slug, **{k: str(v) for k, v in dataclasses.asdict(outcome).items()}
        )
