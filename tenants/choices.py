"""What people call priorities."""

from django.utils.translation import gettext_lazy as _

from tenants.specs import Priority

PRIORITY_LABELS = {Priority.HIGH: _("High"), Priority.NORMAL: _("Normal"), Priority.LOW: _("Low")}
PRIORITY_CHOICES = [(priority.value, label) for priority, label in PRIORITY_LABELS.items()]
