"""Tenants and who belongs to them. No I/O, no logic in save()."""

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.core.models import User, UUIDModel
from tenants import specs


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
    cpu_limit_millicores = models.PositiveBigIntegerField(default=8_000)
    memory_limit_mib = models.PositiveBigIntegerField(default=16_384)
    pods_limit = models.PositiveIntegerField(default=50)
    gpu_limit = models.PositiveIntegerField(default=0)

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return self.slug

    @property
    def namespace(self) -> str:
        return specs.namespace_of(self.slug)

    @property
    def limits(self) -> specs.Limits:
        return specs.Limits(
            cpu_millicores=self.cpu_limit_millicores,
            memory_mib=self.memory_limit_mib,
            pods=self.pods_limit,
            gpus=self.gpu_limit,
        )


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
