"""Tables that belong to no app: people, the installation, leases, idempotency keys, the audit trail, cluster health."""

import uuid

from django.conf import settings
from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

EMAIL_TAKEN = "email_taken"


class UUIDModel(models.Model):
    """Base of every table with a public id."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)

    class Meta:
        abstract = True


class PlatformRole(models.TextChoices):
    """What somebody may do beyond their tenants."""

    NONE = "none", _("No platform role")
    AUDITOR = "auditor", _("Auditor")
    ADMIN = "admin", _("Platform admin")


class Theme(models.TextChoices):
    AUTO = "auto", _("As the system")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


class User(AbstractUser, UUIDModel):
    """A person who signs in."""

    platform_role = models.CharField(max_length=10, choices=PlatformRole.choices, default=PlatformRole.NONE)
    language = models.CharField(max_length=10, blank=True, default="")
    theme = models.CharField(max_length=5, choices=Theme.choices, default=Theme.AUTO)
    time_zone = models.CharField(max_length=64, blank=True, default="")

    # Not a column: the one tenant that this request may see, where an API token is bound to it (see `visible_to`).
    bound_tenant_id: uuid.UUID | None = None

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(Lower("username"), name="user_username_ci", violation_error_message=_("Taken.")),
            models.UniqueConstraint(  # people may sign in by their address
                Lower("email"),
                name="user_email_ci",
                condition=~models.Q(email=""),
                violation_error_code=EMAIL_TAKEN,
                violation_error_message=_("Another account has this address."),
            ),
        ]

    @property
    def is_platform_admin(self) -> bool:
        return self.platform_role == PlatformRole.ADMIN

    @property
    def is_auditor(self) -> bool:
        return self.platform_role == PlatformRole.AUDITOR


class Installation(models.Model):
    """The one row that names this Berth; its id is a label on every object in the cluster."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    singleton = models.BooleanField(default=True, unique=True, editable=False)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(singleton=True), name="installation_is_one")]


class Lease(models.Model):
    """Leadership or ownership by name: who holds it, in which epoch, until when by the database's clock."""

    name = models.CharField(primary_key=True, max_length=120)
    holder = models.CharField(max_length=200)
    epoch = models.BigIntegerField(default=1)
    expires_at = models.DateTimeField()


class ClusterStatus(models.Model):
    """One row, written by the controller: when the API server last answered and the watches were last in step."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    reachable_at = models.DateTimeField(null=True)
    synced_at = models.DateTimeField(null=True)
    version = models.CharField(max_length=40, blank=True, default="")
    problem = models.TextField(blank=True, default="")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="clusterstatus_is_one")]


class IdempotencyKey(models.Model):
    """What a client's key made, so that a repeated request gets the first answer."""

    actor = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    status = models.SmallIntegerField()
    object_id = models.UUIDField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["actor", "key"], name="idempotencykey_once")]


class AuditEntry(models.Model):
    """One action: append-only (a trigger refuses UPDATE and DELETE)."""

    id = models.BigAutoField(primary_key=True)
    time = models.DateTimeField(auto_now_add=True, db_index=True)
    actor = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    actor_name = models.CharField(max_length=150)
    action = models.CharField(max_length=60, db_index=True)
    target_type = models.CharField(max_length=60)
    target_id = models.CharField(max_length=64, db_index=True)
    tenant_id = models.UUIDField(null=True, db_index=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    request_id = models.CharField(max_length=64, blank=True, default="")


class AuditSeal(models.Model):
    """A digest of a stretch of the audit trail and of the seal before it: append-only (see `portal.core.seals`)."""

    id = models.BigAutoField(primary_key=True)
    created = models.DateTimeField(auto_now_add=True)
    first_id = models.BigIntegerField(unique=True)
    last_id = models.BigIntegerField(unique=True)
    count = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)


class Scope(models.TextChoices):
    """What an API token may be used for; its holder's own rights bound it further."""

    READ = "read", _("Read")
    SUBMIT = "submit", _("Submit and cancel work")
    MANAGE = "manage", _("Manage templates, tenants, members and tokens")


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def visible_to(self, user: User | AnonymousUser) -> "ApiTokenQuerySet":
        """Return the tokens that somebody may see: their own; of these only a tenant's where they are bound to one."""
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        own = self.filter(user=user)
        return own.filter(tenant_id=user.bound_tenant_id) if user.bound_tenant_id else own


class ApiToken(UUIDModel):
    """A key for programs: only its digest is kept. `tenant_id` null = every tenant of its holder."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=128, unique=True)
    shown_start = models.CharField(max_length=12)  # what people tell their keys apart by; no secret
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope.choices))
    tenant_id = models.UUIDField(null=True)
    holder_mark = models.CharField(max_length=64)  # the holder's session hash: a new password ends the token
    created = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="apitoken_name_once")]
        indexes = [models.Index(fields=["user", "-created", "-id"], name="apitoken_by_user")]
