"""What the cluster's nodes offer, as the node watch saw it last. No I/O."""

from django.contrib.auth.models import AnonymousUser
from django.db import models

from portal.core.models import User, UUIDModel


class NodeQuerySet(models.QuerySet["Node"]):
    def visible_to(self, user: User | AnonymousUser) -> "NodeQuerySet":
        """Return the nodes that somebody may see: anybody signed in, since everyone's work waits for them."""
        return self if isinstance(user, User) and user.is_active else self.none()


class Node(UUIDModel):
    """A node of the cluster: what pods can ask of it."""

    name = models.CharField(max_length=253, unique=True)
    uid = models.CharField(max_length=64)
    ready = models.BooleanField(default=False)
    unschedulable = models.BooleanField(default=False)
    cpu_millicores = models.PositiveBigIntegerField(default=0)
    memory_mib = models.PositiveBigIntegerField(default=0)
    pods = models.PositiveIntegerField(default=0)
    gpus = models.PositiveIntegerField(default=0)
    extended = models.JSONField(default=dict)  # Kubernetes' name → amount, of all else that it offers and has some of
    gpu_product = models.CharField(max_length=120, blank=True, default="")
    runtime_version = models.CharField(max_length=120, blank=True, default="")
    kubelet_version = models.CharField(max_length=60, blank=True, default="")
    labels = models.JSONField(default=dict)
    taints = models.JSONField(default=list)
    resource_version = models.CharField(max_length=64, blank=True, default="")
    seen_at = models.DateTimeField(auto_now=True)

    objects = NodeQuerySet.as_manager()
