"""Tenants, who belongs to them, and the quota ledger. No I/O, no logic in save()."""

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from portal.core.models import User, UUIDModel
from tenants import ledger, specs
from tenants.hourmodels import QuotaHour

__all__ = [
    "Cohort",
    "LedgerCheck",
    "Membership",
    "PoolLine",
    "QuotaHour",
    "QuotaLine",
    "ResourceType",
    "Tenant",
]


def label_of(english: str, chinese: str) -> str:
    """Return the one of two names that is in the reader's language; the English one where there is no other."""
    return chinese if chinese and (get_language() or "").startswith("zh") else english


class CohortQuerySet(models.QuerySet["Cohort"]):
    def visible_to(self, user: User | AnonymousUser) -> "CohortQuerySet":
        """Return the cohorts that somebody may see: all with a platform role, else none."""
        if not isinstance(user, User) or not user.is_active or user.bound_tenant_id:
            return self.none()
        return self if user.is_platform_admin or user.is_auditor else self.none()


class Cohort(UUIDModel):
    """Tenants that lend each other the quota that they do not use."""

    name = models.CharField(max_length=120, unique=True)
    created = models.DateTimeField(auto_now_add=True)

    objects = CohortQuerySet.as_manager()


class ResourceType(UUIDModel):
    """Something that pods ask for and quotas count. `quota_key` "" = no ResourceQuota can count it.

    Which names can be one, and what follows from them, is in `tenants.kubenames`. `gpu_product` makes it a class of
    GPUs, those of nodes whose label nvidia.com/gpu.product says so, counted beside `gpus`. `largest_per_pod` null = no
    bound of its own; `price_weight` is for one core, one GiB or one piece in an hour.
    """

    class Unit(models.TextChoices):
        MILLICORES = specs.Unit.MILLICORES, _("Thousandths of a core")
        MIB = specs.Unit.MIB, _("MiB")
        COUNT = specs.Unit.COUNT, _("Pieces")

    key = models.SlugField(max_length=40, unique=True, editable=False)
    kube_name = models.CharField(max_length=317)
    label_en = models.CharField(max_length=60)
    label_zh = models.CharField(max_length=60)
    unit = models.CharField(max_length=10, choices=Unit.choices, default=Unit.COUNT)
    quota_key = models.CharField(max_length=330, blank=True, default="")
    gpu_product = models.CharField(max_length=63, blank=True, default="")
    largest_per_pod = models.PositiveBigIntegerField(null=True, blank=True)
    price_weight = models.DecimalField(max_digits=12, decimal_places=4, default=0)
    position = models.PositiveSmallIntegerField(default=100)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kube_name", "gpu_product"], name="resourcetype_kube_name"),
            models.CheckConstraint(condition=models.Q(price_weight__gte=0), name="resourcetype_price_weight"),
        ]

    @property
    def built_in(self) -> bool:
        """Whether it comes with Berth and stays."""
        return self.key in specs.BUILT_IN

    @property
    def whole(self) -> bool:
        """Whether it is asked for in whole pieces only, which Kubernetes demands of all but the three it knows."""
        return self.unit == specs.Unit.COUNT

    @property
    def request_is_limit(self) -> bool:
        """Whether a pod gets no more of it than it asks for: all but CPU, of which idle cores may be used."""
        return self.kube_name != "cpu"

    @property
    def label(self) -> str:
        """Its name in the reader's language."""
        return label_of(self.label_en, self.label_zh)


class TenantQuerySet(models.QuerySet["Tenant"]):
    def visible_to(self, user: User | AnonymousUser) -> "TenantQuerySet":
        """Return the tenants that somebody may see: their own, or all with a platform role."""
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        rows = self.filter(pk=user.bound_tenant_id) if user.bound_tenant_id else self
        if user.is_platform_admin or user.is_auditor:
            return rows
        return rows.filter(memberships__user=user)


class Tenant(UUIDModel):
    """A team: one namespace, limits, members."""

    class Status(models.TextChoices):
        CREATING = specs.TenantStatus.CREATING, _("Being set up")
        READY = specs.TenantStatus.READY, _("Ready")
        ERROR = specs.TenantStatus.ERROR, _("Cannot be set up")

    slug = models.SlugField(max_length=40, unique=True, editable=False)
    name = models.CharField(max_length=120)
    created = models.DateTimeField(auto_now_add=True)
    generation = models.PositiveIntegerField(default=1)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.CREATING)
    status_detail = models.TextField(blank=True, default="")
    applied_generation = models.PositiveIntegerField(default=0)
    applied_at = models.DateTimeField(null=True)
    cohort = models.ForeignKey("Cohort", null=True, blank=True, on_delete=models.PROTECT, related_name="tenants")

    # what its work may be and how much of it at once (see `tenants.rules`); null = no bound
    priorities = ArrayField(models.CharField(max_length=6), default=specs.usual_priorities)
    max_runtime_s = models.PositiveIntegerField(null=True, blank=True)
    max_running = models.PositiveIntegerField(null=True, blank=True)
    max_waiting = models.PositiveIntegerField(null=True, blank=True)
    # whether it has any row of QuotaShare: whoever locks the tenant sees it as it is then
    has_shares = models.BooleanField(default=False)

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return self.slug

    @property
    def namespace(self) -> str:
        return specs.namespace_of(self.slug)


class Membership(models.Model):
    """A person's role in a tenant; the only thing that decides it."""

    class Role(models.TextChoices):
        VIEWER = specs.Role.VIEWER, _("Viewer")
        DEVELOPER = specs.Role.DEVELOPER, _("Developer")
        ADMIN = specs.Role.ADMIN, _("Tenant admin")

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "tenant"], name="membership_once")]


class QuotaLine(models.Model):
    """What a tenant may hold of a resource type, and holds: a row of the ledger (see `tenants.ledger`).

    Whoever changes one has locked its tenant, and then the pools of its cohort.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="quota_lines")
    type = models.ForeignKey(ResourceType, on_delete=models.PROTECT, related_name="quota_lines")
    nominal = models.PositiveBigIntegerField(default=0)
    borrow_limit = models.PositiveBigIntegerField(default=0)
    lend_limit = models.PositiveBigIntegerField(default=0)
    used = models.PositiveBigIntegerField(default=0)
    overhang = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "type"], name="quotaline_once"),
            models.CheckConstraint(
                condition=models.Q(used__lte=models.F("nominal") + models.F("borrow_limit") + models.F("overhang")),
                name="quotaline_within_its_bounds",
            ),
            models.CheckConstraint(
                condition=models.Q(lend_limit__lte=models.F("nominal")), name="quotaline_lends_its_own"
            ),
        ]

    @property
    def line(self) -> ledger.Line:
        """The row as the arithmetic takes it."""
        bounds = ledger.Bounds(nominal=self.nominal, borrow_limit=self.borrow_limit, lend_limit=self.lend_limit)
        return ledger.Line(bounds=bounds, used=self.used, overhang=self.overhang)


class QuotaShare(models.Model):
    """What of a tenant's quota of a resource type one person or one priority may hold; `each` is whoever has no row.

    Whoever changes one has locked its tenant.
    """

    class Whose(models.TextChoices):
        EACH = "each", _("Each person")
        USER = "user", _("One person")
        PRIORITY = "priority", _("One priority")

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="quota_shares")
    type = models.ForeignKey(ResourceType, on_delete=models.PROTECT, related_name="quota_shares")
    whose = models.CharField(max_length=8, choices=Whose.choices)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+")
    priority = models.CharField(max_length=6, blank=True, default="")
    limit = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "type", "whose", "user", "priority"], nulls_distinct=False, name="quotashare_once"
            ),
            models.CheckConstraint(
                condition=models.Q(whose="each", user__isnull=True, priority="")
                | models.Q(whose="user", user__isnull=False, priority="")
                | (models.Q(whose="priority", user__isnull=True) & ~models.Q(priority="")),
                name="quotashare_of_one",
            ),
        ]


class PoolLine(models.Model):
    """What a cohort's tenants lend of a resource type together, and what is used of that: a row of the ledger."""

    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="pool_lines")
    type = models.ForeignKey(ResourceType, on_delete=models.PROTECT, related_name="pool_lines")
    lendable = models.PositiveBigIntegerField(default=0)
    used = models.PositiveBigIntegerField(default=0)
    overhang = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cohort", "type"], name="poolline_once"),
            models.CheckConstraint(
                condition=models.Q(used__lte=models.F("lendable") + models.F("overhang")),
                name="poolline_within_its_bounds",
            ),
        ]

    @property
    def pool(self) -> ledger.Pool:
        """The row as the arithmetic takes it."""
        return ledger.Pool(lendable=self.lendable, used=self.used, overhang=self.overhang)


class LedgerCheck(models.Model):
    """One row: when the ledger was last recomputed, and where it differed (see `workloads.ledgercheck`)."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    checked_at = models.DateTimeField()
    differences = models.JSONField(default=list)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="ledgercheck_is_one")]
