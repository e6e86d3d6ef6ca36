"""People, tenants and workloads that many tests need: an owner, a colleague in the same tenant, an outsider."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import transaction
from django.test import Client
from django.utils.translation import deactivate

import portal.celery  # noqa: F401 (tasks go to our broker)
from portal.core.models import PlatformRole, User
from portal.kube.fake import FakeKube
from tenants import quotas
from tenants.models import Cohort, Membership, QuotaLine, ResourceType, Tenant
from tenants.quotaservices import cohort_create, cohort_of_tenant_set
from tenants.specs import CPU, GPUS, MEMORY, PODS, Amounts
from workloads import asks, specs
from workloads.models import Attempt, Template, TemplateVersion, Workload

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def own_language() -> Iterator[None]:
    """A request in another language leaves it to its thread; the next test has the product's own again."""
    yield
    deactivate()


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    """Make a person; `role` and `tenant` add a membership."""

    def make(username: str, *, tenant: Tenant | None = None, role: str = "developer", **fields: Any) -> User:
        password = PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1)  # cheap: nothing here is secret
        user = User.objects.create(username=username, password=password, **fields)
        if tenant is not None:
            Membership.objects.create(user=user, tenant=tenant, role=role)
        return user

    return make


@pytest.fixture
def make_tenant(db: None) -> Callable[..., Tenant]:
    """Make a tenant whose namespace counts as complete; `limits` are nominal quotas beside the usual ones."""

    def make(slug: str, *, limits: Amounts | None = None, **fields: Any) -> Tenant:
        defaults = {"name": slug.title(), "status": Tenant.Status.READY, "applied_generation": 1}
        tenant = Tenant.objects.create(slug=slug, **{**defaults, **fields})
        nominal = {CPU: 8_000, MEMORY: 16_384, PODS: 50, GPUS: 4, **(limits or {})}
        types = {found.key: found for found in ResourceType.objects.all()}
        QuotaLine.objects.bulk_create(
            QuotaLine(tenant=tenant, type=types[key], nominal=amount) for key, amount in nominal.items()
        )
        return tenant

    return make


@pytest.fixture
def tenant(make_tenant: Callable[..., Tenant]) -> Tenant:
    return make_tenant("vision")


@pytest.fixture
def other_tenant(make_tenant: Callable[..., Tenant]) -> Tenant:
    return make_tenant("speech")


@pytest.fixture
def owner(make_user: Callable[..., User], tenant: Tenant) -> User:
    """A developer of `tenant`."""
    return make_user("owner", tenant=tenant)


@pytest.fixture
def colleague(make_user: Callable[..., User], tenant: Tenant) -> User:
    """Another developer of `tenant`."""
    return make_user("colleague", tenant=tenant)


@pytest.fixture
def viewer(make_user: Callable[..., User], tenant: Tenant) -> User:
    return make_user("viewer", tenant=tenant, role="viewer")


@pytest.fixture
def tenant_admin(make_user: Callable[..., User], tenant: Tenant) -> User:
    return make_user("lead", tenant=tenant, role="admin")


@pytest.fixture
def outsider(make_user: Callable[..., User], other_tenant: Tenant) -> User:
    """A developer of another tenant."""
    return make_user("outsider", tenant=other_tenant)


@pytest.fixture
def platform_admin(make_user: Callable[..., User]) -> User:
    return make_user("root-admin", platform_role=PlatformRole.ADMIN)


@pytest.fixture
def auditor(make_user: Callable[..., User]) -> User:
    return make_user("auditor", platform_role=PlatformRole.AUDITOR)


@pytest.fixture
def client_of() -> Callable[[User], Client]:
    """Return a browser-like client that is signed in as somebody."""

    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return signed_in


@pytest.fixture
def admin(platform_admin: User, client_of: Callable[[User], Client]) -> Client:
    """The client of an administrator of the platform."""
    return client_of(platform_admin)


@pytest.fixture
def cohort(platform_admin: User, tenant: Tenant, other_tenant: Tenant) -> Cohort:
    """A cohort of `tenant` and `other_tenant`, which lend and borrow nothing yet."""
    made = cohort_create(actor=platform_admin, name="research")
    for member in (tenant, other_tenant):
        cohort_of_tenant_set(actor=platform_admin, tenant=member, cohort=made)
    return made


@pytest.fixture
def make_workload(db: None) -> Callable[..., Workload]:
    """Make a workload row as a submission leaves it; keyword arguments override columns, `spec` the spec's fields."""

    def make(tenant: Tenant, owner: User, *, spec: dict[str, Any] | None = None, **fields: Any) -> Workload:
        body = {
            "name": "hello",
            "kind": "job",
            "image": "registry.berth.internal/busybox:1",
            "command": ["sh", "-c", "echo hello"],
            "resources": {"cpu_millicores": 100, "memory_mib": 64, "gpus": 0},
            **(spec or {}),
        }
        columns = {
            "name": body["name"],
            "kind": "job",
            "spec": body,
            "spec_digest": uuid.uuid4().hex,
            "kube_name": f"w-{uuid.uuid4().hex[:10]}",
            "state": specs.State.QUEUED,
            **{key: body["resources"][key] for key in ("cpu_millicores", "memory_mib", "gpus")},
        }
        return Workload.objects.create(tenant=tenant, owner=owner, **{**columns, **fields})

    return make


@pytest.fixture
def make_template(db: None) -> Callable[..., Template]:
    """Make a template with versions of these specs, the last one the current; without a tenant a public one."""

    def make(slug: str, *specs_of_versions: dict[str, Any], title: str = "", **fields: Any) -> Template:
        kept = "tenant" if fields.get("tenant") else "public"
        template = Template.objects.create(slug=slug, **{"visibility": kept, **fields})
        sizes = {"cpu_millicores": 250, "memory_mib": 64}
        for number, changes in enumerate(specs_of_versions or ({},), start=1):
            template.current = TemplateVersion.objects.create(
                template=template,
                number=number,
                title=title or slug.title(),
                summary=f"Does {slug}",
                author=template.owner,
                spec={"name": slug, "image": "img:1", "script": "print(3)", "resources": sizes, **changes},
                digest=str(number),
            )
        template.save()
        return template

    return make


@pytest.fixture
def admit(db: None) -> Callable[..., Attempt]:
    """Write what an admission writes: the next attempt, and the workload's state starting."""

    def make(workload: Workload, **fields: Any) -> Attempt:
        n = workload.attempts_made + 1
        holds = asks.asked_by(*(getattr(workload, name) for name in asks.ASKED_COLUMNS))
        named = {"workload": workload, "tenant": workload.tenant, "n": n, "object_name": f"{workload.kube_name}-{n}"}
        with transaction.atomic():
            book = quotas.book_of(quotas.tenants_locked([workload.tenant_id]), lock=True)
            book.charge(workload.tenant_id, holds)
            quotas.book_write(book)
            attempt = Attempt.objects.create(**{**named, "holds": holds, **fields})
        Workload.objects.filter(pk=workload.pk).update(state="starting", reason_code="creating", attempts_made=n)
        workload.refresh_from_db()
        return attempt

    return make


@pytest.fixture
def fake_kube() -> FakeKube:
    return FakeKube()
