"""Workloads, their attempts, pods, events and logs. No I/O, no logic in save()."""

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils.functional import Promise

from portal.core.models import User, UUIDModel
from portal.core.policy import Action
from tenants import roles
from tenants.choices import PRIORITY_LABELS
from tenants.models import Tenant
from tenants.specs import PODS, Priority
from workloads import shippedtexts, specs
from workloads.choices import STATE_CHOICES, VISIBILITY_CHOICES
from workloads.generated import priority_rank_of_spec, text_of_spec

_TERMINAL = [state.value for state in sorted(specs.TERMINAL)]
_SHOWN = models.Q(hidden=False)


class TemplateQuerySet(models.QuerySet["Template"]):
    def visible_to(self, user: User | AnonymousUser) -> "TemplateQuerySet":
        """Return what somebody may see: public ones; in their tenants their own and the shared, as an admin all."""
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        public = models.Q(visibility=specs.Visibility.PUBLIC)
        tenants = Tenant.objects.visible_to(user)
        if user.is_platform_admin or user.is_auditor:
            return self.filter(public | models.Q(tenant__in=tenants)) if user.bound_tenant_id else self
        theirs = models.Q(visibility=specs.Visibility.TENANT) | models.Q(owner=user)
        led = tenants.filter(memberships__user=user, memberships__role__in=roles.with_grant(Action.TEMPLATE_EDIT))
        return self.filter(public | models.Q(tenant__in=tenants) & theirs | models.Q(tenant__in=led))


class Template(UUIDModel):
    """A starting point for submissions; what it says is in its versions. tenant null = it comes with Berth."""

    slug = models.SlugField(max_length=specs.MAX_TEMPLATE_SLUG)
    tenant = models.ForeignKey(Tenant, null=True, blank=True, on_delete=models.CASCADE, related_name="templates")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="templates"
    )
    visibility = models.CharField(max_length=6, choices=VISIBILITY_CHOICES, default=specs.Visibility.OWN)
    position = models.PositiveSmallIntegerField(default=100)
    current = models.ForeignKey("TemplateVersion", null=True, on_delete=models.SET_NULL, related_name="+")
    archived_at = models.DateTimeField(null=True, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    objects = TemplateQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "slug"], nulls_distinct=False, name="template_slug"),
        ]

    @property
    def ref(self) -> str:
        """What a submission names it by; its tenant must be loaded."""
        return f"{self.tenant.slug}/{self.slug}" if self.tenant else self.slug


class TemplateVersion(UUIDModel):
    """What a template said from one change to the next; never changed. `shipped`: it came in a file with Berth."""

    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField(default=1)
    title = models.CharField(max_length=specs.MAX_TEMPLATE_TITLE)
    summary = models.CharField(max_length=specs.MAX_TEMPLATE_SUMMARY)
    icon = models.CharField(max_length=40, default="terminal-2")
    note = models.CharField(max_length=specs.MAX_TEMPLATE_NOTE, blank=True, default="")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    shipped = models.BooleanField(default=False)
    spec = models.JSONField()
    digest = models.CharField(max_length=64)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["template", "number"], name="templateversion_number")]

    @property
    def title_text(self) -> str:
        """The title, of a shipped one in the reader's language."""
        return shippedtexts.shown(self.title) if self.shipped else self.title

    @property
    def summary_text(self) -> str:
        """The summary, of a shipped one in the reader's language."""
        return shippedtexts.shown(self.summary) if self.shipped else self.summary


class WorkloadQuerySet(models.QuerySet["Workload"]):
    def visible_to(self, user: User | AnonymousUser) -> "WorkloadQuerySet":
        """Return the workloads of the tenants that somebody may see."""
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        shown = self.filter(hidden=False)
        if user.bound_tenant_id:
            shown = shown.filter(tenant_id=user.bound_tenant_id)
        if user.is_platform_admin or user.is_auditor:
            return shown
        return shown.filter(tenant__memberships__user=user)


class Workload(UUIDModel):
    """What somebody wants run: a frozen spec, what is desired of it, and the state that was last observed."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="workloads")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="workloads")
    name = models.CharField(max_length=specs.MAX_NAME)
    kind = models.CharField(max_length=20)
    spec = models.JSONField()
    spec_digest = models.CharField(max_length=64)
    kube_name = models.CharField(max_length=20)
    parent = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="clones")
    made_from = models.ForeignKey(
        Template, null=True, on_delete=models.SET_NULL, related_name="workloads", db_index=False
    )
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)
    hidden = models.BooleanField(default=False)

    desired = models.CharField(max_length=8, default=specs.Desired.RUN)
    generation = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=12, choices=STATE_CHOICES, default=specs.State.QUEUED)
    reason_code = models.CharField(max_length=40, blank=True, default="")
    reason_params = models.JSONField(default=dict)
    version = models.PositiveBigIntegerField(default=1)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    exit_code = models.IntegerField(null=True)
    attempts_made = models.PositiveSmallIntegerField(default=0)

    # asked per pod, copied from the spec so that sums need no JSON
    cpu_millicores = models.PositiveBigIntegerField()
    memory_mib = models.PositiveBigIntegerField()
    gpus = models.PositiveIntegerField(default=0)
    extra = models.JSONField(default=dict)  # by key of a resource type, each as `specs.Extra` has it

    # copied from the spec by the database, so that lists and searches read no script of 256 KiB
    image = models.GeneratedField(expression=text_of_spec("image"), output_field=models.TextField(), db_persist=True)
    template = models.GeneratedField(
        expression=text_of_spec("template"), output_field=models.TextField(), db_persist=True
    )

    # 0 comes first in the queue (see `tenants.specs.Priority.rank`)
    priority_rank = models.GeneratedField(
        expression=priority_rank_of_spec(), output_field=models.PositiveSmallIntegerField(), db_persist=True
    )

    # row claim of a worker, by the database's clock
    claimed_by = models.CharField(max_length=200, blank=True, default="")
    claimed_until = models.DateTimeField(null=True)
    claim_epoch = models.PositiveBigIntegerField(default=0)
    hinted_at = models.DateTimeField(null=True)

    # log ownership (see workloads.logs)
    log_collector = models.CharField(max_length=120, blank=True, default="")
    log_epoch = models.PositiveBigIntegerField(default=0)
    log_last_seq = models.PositiveBigIntegerField(default=0)
    log_bytes = models.PositiveBigIntegerField(default=0)
    log_sealed = models.BooleanField(default=False)
    log_expired_at = models.DateTimeField(null=True)

    objects = WorkloadQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "kube_name"], name="workload_kube_name"),
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=False) | ~models.Q(state__in=_TERMINAL),
                name="workload_end_has_a_time",
            ),
        ]
        indexes = [
            # Without hidden rows, which no list shows: so a search counts its way through the index alone.
            models.Index(fields=["tenant", "-created", "-id"], condition=_SHOWN, name="workload_by_tenant"),
            models.Index(fields=["-created", "-id"], condition=_SHOWN, name="workload_by_time"),
            models.Index(fields=["state", "-created", "-id"], condition=_SHOWN, name="workload_by_state"),
            models.Index(fields=["owner", "-created", "-id"], name="workload_by_owner"),
            models.Index(fields=["tenant", "state", "-created", "-id"], name="workload_by_tenant_state"),
            models.Index(
                fields=["state", "created", "id"], condition=~models.Q(state__in=_TERMINAL), name="workload_active"
            ),
            # the queue in its order
            models.Index(
                fields=["priority_rank", "created", "id"],
                condition=models.Q(state=specs.State.QUEUED.value),
                name="workload_queue",
            ),
            models.Index(
                fields=["made_from", "tenant", "-created"],
                condition=models.Q(made_from__isnull=False),
                name="workload_by_template",
            ),
            models.Index(fields=["log_collector"], condition=models.Q(log_sealed=False), name="workload_open_log"),
            models.Index(
                fields=["ended_at"],
                condition=models.Q(log_sealed=True, log_expired_at__isnull=True, log_last_seq__gt=0),
                name="workload_kept_log",
            ),
        ]

    @property
    def priority(self) -> Priority:
        """Its priority, by the row."""
        rank: int = self.priority_rank
        return list(Priority)[rank]

    @property
    def priority_text(self) -> Promise:
        """Its priority in the reader's language."""
        return PRIORITY_LABELS[self.priority]

    @property
    def readable_last_seq(self) -> int:
        """The number of the last line that can still be read; 0 without any."""
        return 0 if self.log_expired_at else self.log_last_seq


class SavedFilter(UUIDModel):
    """A narrowing of the list of workloads that somebody gave a name; `query` is its query string."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_filters")
    name = models.CharField(max_length=specs.MAX_FILTER_NAME)
    query = models.CharField(max_length=specs.MAX_FILTER_QUERY)
    default = models.BooleanField(default=False)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("user", Lower("name"), name="savedfilter_name"),
            models.UniqueConstraint(fields=["user"], condition=models.Q(default=True), name="savedfilter_one_default"),
        ]


class Attempt(UUIDModel):
    """One run of a workload: one root object in the cluster, named `<kube_name>-<n>`."""

    workload = models.ForeignKey(Workload, on_delete=models.CASCADE, related_name="attempts")
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="attempts")
    n = models.PositiveSmallIntegerField()
    object_name = models.CharField(max_length=40)
    object_uid = models.CharField(max_length=64, blank=True, default="")
    created = models.DateTimeField(auto_now_add=True)
    object_created_at = models.DateTimeField(null=True)
    scheduled_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    end_state = models.CharField(max_length=12, blank=True, default="")
    reason_code = models.CharField(max_length=40, blank=True, default="")
    reason_params = models.JSONField(default=dict)
    exit_code = models.IntegerField(null=True)
    node_name = models.CharField(max_length=253, blank=True, default="")
    image_digest = models.CharField(max_length=300, blank=True, default="")
    released_at = models.DateTimeField(null=True)
    cleaned_at = models.DateTimeField(null=True)

    # what it holds by the key of resource types, charged to the tenant's quota with its making; the ledger has got it
    # back once `settled`, which follows its release (see workloads.settling)
    holds = models.JSONField()
    settled = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workload", "n"], name="attempt_number"),
            models.UniqueConstraint(
                fields=["workload"], condition=models.Q(released_at__isnull=True), name="attempt_one_unreleased"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant"], condition=models.Q(settled=False), name="attempt_held"),
            models.Index(
                fields=["released_at"],
                condition=models.Q(settled=False, released_at__isnull=False),
                name="attempt_to_settle",
            ),
            models.Index(fields=["ended_at"], condition=models.Q(cleaned_at__isnull=True), name="attempt_to_clean"),
        ]

    @property
    def pods(self) -> int:
        """How many pods it has at most."""
        return int(self.holds.get(PODS, 1))


class Pod(models.Model):
    """A pod of an attempt as last observed; kept after the pod is gone."""

    uid = models.UUIDField(primary_key=True)
    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="pod_rows")
    name = models.CharField(max_length=253)
    index = models.PositiveIntegerField(default=0)
    phase = models.CharField(max_length=12)
    reason_code = models.CharField(max_length=40, blank=True, default="")
    reason_params = models.JSONField(default=dict)
    node_name = models.CharField(max_length=253, blank=True, default="")
    containers = models.JSONField(default=list)
    resource_version = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    gone = models.BooleanField(default=False)

    class Meta:
        indexes = [models.Index(fields=["attempt", "index"], name="pod_by_attempt")]


class WorkloadEvent(models.Model):
    """One change of state or reason, or something a person should know; never changed."""

    id = models.BigAutoField(primary_key=True)
    workload = models.ForeignKey(Workload, on_delete=models.CASCADE, related_name="events")
    time = models.DateTimeField(auto_now_add=True)
    attempt_n = models.PositiveSmallIntegerField(null=True)
    state = models.CharField(max_length=12, choices=STATE_CHOICES)
    reason_code = models.CharField(max_length=40, blank=True, default="")
    reason_params = models.JSONField(default=dict)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["workload", "id"], name="event_by_workload")]


class ClusterEvent(models.Model):
    """What Kubernetes reported about an attempt's Job or pod; bounded for each workload, kept after both are gone."""

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(unique=True)
    workload = models.ForeignKey(Workload, on_delete=models.CASCADE, related_name="cluster_events")
    attempt_n = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=20)
    name = models.CharField(max_length=253)
    warning = models.BooleanField(default=False)
    reason = models.CharField(max_length=128)
    message = models.TextField()
    source = models.CharField(max_length=128)
    count = models.PositiveIntegerField(default=1)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["workload", "-last_seen", "-id"], name="clusterevent_by_workload")]


class LogTail(models.Model):
    """A batch of log lines that is not in a chunk yet: what every process can read and a new owner resumes from."""

    id = models.BigAutoField(primary_key=True)
    workload = models.ForeignKey(Workload, on_delete=models.CASCADE, related_name="log_tail")
    first_seq = models.PositiveBigIntegerField()
    last_seq = models.PositiveBigIntegerField()
    payload = models.BinaryField()
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workload", "first_seq"], name="logtail_first_seq")]


class LogChunk(models.Model):
    """A compressed stretch of the log in the chunk store (at most 1 MiB of text or 60 s)."""

    id = models.BigAutoField(primary_key=True)
    workload = models.ForeignKey(Workload, on_delete=models.CASCADE, related_name="log_chunks")
    first_seq = models.PositiveBigIntegerField()
    last_seq = models.PositiveBigIntegerField()
    first_time_ns = models.BigIntegerField()
    last_time_ns = models.BigIntegerField()
    attempts = ArrayField(models.PositiveSmallIntegerField(), default=list)
    pods = ArrayField(models.CharField(max_length=36), default=list)
    lines = models.PositiveIntegerField()
    text_bytes = models.PositiveBigIntegerField()
    path = models.CharField(max_length=300)
    expired = models.BooleanField(default=False)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workload", "first_seq"], name="logchunk_first_seq")]
        indexes = [models.Index(fields=["id"], condition=models.Q(expired=True), name="logchunk_to_remove")]


class LogSource(models.Model):
    """How far a container's log has been read: the identity of the last stored line, so that none is stored twice."""

    id = models.BigAutoField(primary_key=True)
    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="log_sources")
    pod_uid = models.UUIDField()
    container = models.CharField(max_length=63)
    restart = models.PositiveIntegerField(default=0)
    last_time_ns = models.BigIntegerField(default=0)
    last_ordinal = models.PositiveIntegerField(default=0)
    done = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pod_uid", "container", "restart"], name="logsource_once")]
