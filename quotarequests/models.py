"""Requests for more quota, what happened to them, and rules that grant without a person. No I/O, no logic in save()."""

from collections.abc import Iterable

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from portal.core.models import User, UUIDModel
from quotarequests import specs
from quotarequests.specs import EventKind, RequestState
from tenants.models import ResourceType, Tenant
from workloads.models import Workload

_UNDECIDED = [state.value for state in sorted(specs.UNDECIDED)]


class QuotaRequestQuerySet(models.QuerySet["QuotaRequest"]):
    def visible_to(self, user: User | AnonymousUser) -> "QuotaRequestQuerySet":
        """Return the requests of the tenants that somebody may see."""
        return self.filter(tenant__in=Tenant.objects.visible_to(user))


class QuotaRequest(UUIDModel):
    """Somebody asks for more nominal quota for a tenant. Amounts are by the key of resource types, in their units.

    `wanted` and `had` are nominal amounts, `granted` is what was added to them; days are inclusive, by UTC. `types`
    says how the resource types were called and counted then, so that a request reads the same when they are gone.
    """

    class State(models.TextChoices):
        OPEN = RequestState.OPEN, pgettext_lazy("request", "Open")
        ASKED_BACK = RequestState.ASKED_BACK, pgettext_lazy("request", "Asked back")
        APPROVED = RequestState.APPROVED, pgettext_lazy("request", "Approved")
        DENIED = RequestState.DENIED, pgettext_lazy("request", "Denied")
        WITHDRAWN = RequestState.WITHDRAWN, pgettext_lazy("request", "Withdrawn")
        EXPIRED = RequestState.EXPIRED, pgettext_lazy("request", "Expired")
        ENDED = RequestState.ENDED, pgettext_lazy("request", "Ended")

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="quota_requests", db_index=False)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    workload = models.ForeignKey(Workload, null=True, on_delete=models.SET_NULL, related_name="+")
    created = models.DateTimeField(auto_now_add=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    wanted = models.JSONField()
    had = models.JSONField()
    types = models.JSONField()
    justification = models.TextField()
    until = models.DateField(null=True)
    evidence = models.JSONField()

    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    by_rule = models.BooleanField(default=False)
    reason = models.TextField(blank=True, default="")
    granted = models.JSONField(default=dict)
    granted_until = models.DateField(null=True)
    warned_days = models.PositiveSmallIntegerField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = QuotaRequestQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "-created", "-id"], name="quotarequest_by_tenant"),
            models.Index(fields=["-created", "-id"], name="quotarequest_by_time"),
            models.Index(
                fields=["-created", "-id"], condition=models.Q(state__in=_UNDECIDED), name="quotarequest_undecided"
            ),
            models.Index(
                fields=["granted_until"],
                condition=models.Q(state=RequestState.APPROVED, granted_until__isnull=False),
                name="quotarequest_to_end",
            ),
        ]

    @property
    def resource_types(self) -> dict[str, ResourceType]:
        """The types that it names by key, as they were then; not to be saved."""
        return {key: ResourceType(key=key, **kept) for key, kept in self.types.items()}


def kept_types(types: Iterable[ResourceType]) -> dict[str, dict[str, str | int]]:
    """Return what a request keeps of resource types."""
    return {
        found.key: {
            "label_en": found.label_en,
            "label_zh": found.label_zh,
            "unit": found.unit,
            "position": found.position,
        }
        for found in types
    }


class RequestEvent(models.Model):
    """Something that happened to a request; never changed. Without an actor the portal did it."""

    class Kind(models.TextChoices):
        CREATED = EventKind.CREATED, _("asked")
        ASKED_BACK = EventKind.ASKED_BACK, _("asked back")
        ANSWERED = EventKind.ANSWERED, _("answered")
        APPROVED = EventKind.APPROVED, _("approved it")
        DENIED = EventKind.DENIED, _("denied it")
        WITHDRAWN = EventKind.WITHDRAWN, _("withdrew it")
        EXPIRED = EventKind.EXPIRED, _("closed it, since its day had passed")
        ENDED = EventKind.ENDED, _("took back what was granted, since its time was over")

    id = models.BigAutoField(primary_key=True)
    request = models.ForeignKey(QuotaRequest, on_delete=models.CASCADE, related_name="events")
    time = models.DateTimeField(auto_now_add=True)
    actor_name = models.CharField(max_length=150)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    note = models.TextField(blank=True, default="")


class ApprovalRule(UUIDModel):
    """What is granted of a resource type without a person deciding; of two the tenant's own counts."""

    type = models.ForeignKey(ResourceType, on_delete=models.CASCADE, related_name="+")
    tenant = models.ForeignKey(Tenant, null=True, on_delete=models.CASCADE, related_name="+")
    most_added = models.PositiveBigIntegerField()
    most_days = models.PositiveSmallIntegerField()
    min_days_between = models.PositiveSmallIntegerField(default=0)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["type", "tenant"], nulls_distinct=False, name="approvalrule_once")
        ]

    @property
    def rule(self) -> specs.Rule:
        """The row as decisions take it."""
        return specs.Rule(self.most_added, self.most_days, self.min_days_between)
