"""What people call the words that rows keep: states and who may see a template."""

from django.utils.translation import gettext_lazy as _

from workloads import specs

_STATE_LABELS = {
    specs.State.QUEUED: _("Queued"),
    specs.State.STARTING: _("Starting"),
    specs.State.RUNNING: _("Running"),
    specs.State.STOPPING: _("Stopping"),
    specs.State.SUSPENDED: _("Suspended"),
    specs.State.SUCCEEDED: _("Succeeded"),
    specs.State.FAILED: _("Failed"),
    specs.State.CANCELLED: _("Cancelled"),
}
STATE_CHOICES = [(state.value, label) for state, label in _STATE_LABELS.items()]
_VISIBILITY_LABELS = {
    specs.Visibility.OWN: _("Only me"),
    specs.Visibility.TENANT: _("The tenant"),
    specs.Visibility.PUBLIC: _("Everyone"),
}
VISIBILITY_CHOICES = [(visibility.value, label) for visibility, label in _VISIBILITY_LABELS.items()]
