"""What the shell remembers of a person: when they last looked at the start page."""

from django.conf import settings
from django.db import models


class Visit(models.Model):
    """`seen_at`: the newest look at the start page; `before_at`: the newest look of the visit before this one."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+")
    seen_at = models.DateTimeField()
    before_at = models.DateTimeField(null=True)
