"""The form of a share: of whom, of what, how much. It parses; what is acceptable is for services to say."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.core.directory import person_named
from tenants.choices import PRIORITY_CHOICES
from tenants.forms import RejectingForm, amount_field
from tenants.models import QuotaShare, ResourceType
from tenants.shareservices import Whose

_EACH, _USER = QuotaShare.Whose.EACH, QuotaShare.Whose.USER


class ShareForm(RejectingForm):
    """One share to be set, or to be taken away where no amount is given."""

    whose = forms.ChoiceField(label=_("Whose"))
    user = forms.CharField(
        label=_("Username or email"),
        max_length=254,
        required=False,
        help_text=_("For one person only"),
        widget=forms.TextInput({"spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}),
    )
    type = forms.ChoiceField(label=_("Resource"))
    limit = forms.CharField(
        label=_("At most"),
        max_length=40,
        required=False,
        help_text=_("Such as 4 or 64 GiB. Empty: no share"),
    )

    def __init__(self, *args: Any, types: Sequence[ResourceType], priorities: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._types = {found.key: found for found in types}
        whose: Any = self.fields["whose"]
        whose.choices = [(_EACH.value, _EACH.label), (_USER.value, _USER.label)]
        if priorities:
            whose.choices += [(value, _("Priority: %(name)s") % {"name": label}) for value, label in PRIORITY_CHOICES]
        kind: Any = self.fields["type"]
        kind.choices = [(found.key, found.label) for found in types]

    def clean(self) -> dict[str, Any]:
        """Read the amount in the unit of its type, and who is meant."""
        values: dict[str, Any] = super().clean() or {}
        if values.get("type") and values.get("limit"):
            try:
                values["limit"] = amount_field(self._types[values["type"]]).clean(values["limit"])
            except forms.ValidationError as error:
                self.add_error("limit", error)
        if values.get("whose") == _USER:
            values["person"] = person_named(values.get("user", ""))
            if values["person"] is None:
                self.add_error("user", _("There is no account of that name or address."))
        return values

    def share(self) -> dict[str, Any]:
        """Return what a form that is valid asks of `share_set`."""
        values = self.cleaned_data
        chosen = values["whose"]
        whose = Whose(user=values.get("person"), priority="" if chosen in (_EACH, _USER) else chosen)
        return {"whose": whose, "key": values["type"], "limit": values["limit"] if values["limit"] != "" else None}
