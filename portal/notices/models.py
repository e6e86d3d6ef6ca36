"""What somebody was told of, and what is still to be sent out of the portal. No I/O, no logic in save()."""

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models

from portal.core.models import User, UUIDModel


class NoticeQuerySet(models.QuerySet["Notice"]):
    def visible_to(self, user: User | AnonymousUser) -> "NoticeQuerySet":
        """Return the notices that somebody may see: their own; by a token of one tenant only those about it."""
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        own = self.filter(user=user)
        return own.filter(tenant_id=user.bound_tenant_id) if user.bound_tenant_id else own


class Notice(UUIDModel):
    """Something that one person should know; put into words when it is read (see `portal.notices.wording`)."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices", db_index=False)
    tenant_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=60)
    facts = models.JSONField(default=dict)
    url = models.CharField(max_length=300)
    created = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["user", "-created", "-id"], name="notice_by_user"),
            models.Index(
                fields=["user", "-created"], condition=models.Q(read_at__isnull=True), name="notice_unread_by_user"
            ),
            models.Index(fields=["created"], name="notice_by_time"),
        ]


class Outgoing(models.Model):
    """A message for one of the addresses in BERTH_NOTIFY_URLS; `target` is a digest of it, since it holds secrets."""

    id = models.BigAutoField(primary_key=True)
    target = models.CharField(max_length=64)
    kind = models.CharField(max_length=60)
    facts = models.JSONField(default=dict)
    url = models.CharField(max_length=300)
    created = models.DateTimeField(auto_now_add=True, db_index=True)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_try_at"],
                condition=models.Q(sent_at__isnull=True, given_up_at__isnull=True),
                name="outgoing_waiting",
            )
        ]
