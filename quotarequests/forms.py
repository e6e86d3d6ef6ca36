"""Forms of quota requests and rules: they parse; what is acceptable is for services to say."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from quotarequests.models import QuotaRequest
from quotarequests.specs import MAX_JUSTIFICATION, MAX_NOTE, MOST_DAYS, Rule
from tenants.forms import RejectingForm, amount_field
from tenants.models import ResourceType, Tenant
from tenants.specs import Amounts

_DATE = {"type": "date"}


class AskForm(RejectingForm):
    """What a tenant should have in all of each resource type, why, and until when; an amount as it is asks nothing."""

    justification = forms.CharField(
        label=_("What it is for"),
        max_length=MAX_JUSTIFICATION,
        widget=forms.Textarea({"rows": 4}),
        help_text=_("Whoever decides reads this, beside your tenant's use and waits, which are added by themselves."),
    )
    until = forms.DateField(
        label=_("Needed until"),
        required=False,
        widget=forms.DateInput(_DATE),
        help_text=_("What is granted ends with this day, by UTC. Leave it empty to keep it."),
    )

    def __init__(self, *args: Any, types: Sequence[ResourceType], nominal: Amounts, **kwargs: Any) -> None:
        wanted: Mapping[str, int] = kwargs.pop("wanted", {})
        super().__init__(*args, **kwargs)
        self._nominal, self._keys = nominal, [found.key for found in types]
        for found in types:
            self.fields[found.key] = amount_field(found, required=False)
            self.initial[found.key] = wanted.get(found.key, nominal.get(found.key, 0))

    def amount_fields(self) -> list[forms.BoundField]:
        """Return the fields of amounts, as a page shows them together."""
        return [self[key] for key in self._keys]

    def wanted(self) -> dict[str, int]:
        """Return the amounts of a valid form that are not as they are."""
        given = {key: self.cleaned_data[key] for key in self._keys if self.cleaned_data[key] is not None}
        return {key: amount for key, amount in given.items() if amount != self._nominal.get(key, 0)}


class AmountsForm(RejectingForm):
    """What a tenant is to have in all of each type that a request names."""

    def __init__(self, *args: Any, request: QuotaRequest, amounts: Amounts, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        types = request.resource_types
        self._keys = sorted(types, key=lambda key: (types[key].position, key))
        for key in self._keys:
            self.fields[key] = amount_field(types[key])
            self.initial[key] = amounts[key]

    def amount_fields(self) -> list[forms.BoundField]:
        """Return the fields of amounts, as a page shows them together."""
        return [self[key] for key in self._keys]

    def amounts(self) -> dict[str, int]:
        """Return the amounts of a form that is valid."""
        return {key: self.cleaned_data[key] for key in self._keys}


class ApproveForm(AmountsForm):
    """The same, until when, and a word for the tenant."""

    until = forms.DateField(
        label=_("Until"),
        required=False,
        widget=forms.DateInput(_DATE),
        help_text=_("Empty gives it for good."),
    )
    reason = forms.CharField(label=_("Note"), required=False, max_length=MAX_NOTE, help_text=_("The tenant reads it."))


class DenyForm(RejectingForm):
    """Why a request is refused."""

    reason = forms.CharField(label=_("Reason"), max_length=MAX_NOTE, widget=forms.Textarea({"rows": 2}))


class TextForm(RejectingForm):
    """A question, or the answer to one."""

    text = forms.CharField(label=_("Text"), max_length=MAX_NOTE, widget=forms.Textarea({"rows": 2}))


class RuleForm(RejectingForm):
    """A rule: of which type, for whom, how much at most, how long at most, how often."""

    type = forms.ChoiceField(label=_("Resource"))
    tenant = forms.CharField(
        label=_("Tenant"),
        required=False,
        max_length=40,
        help_text=_("A slug. Empty makes it count for every tenant without a rule of its own."),
        widget=forms.TextInput({"spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}),
    )
    most_added = forms.CharField(
        label=_("At most, above the present quota"), max_length=30, help_text=_("As you write limits: 4, 512 MiB, 1.5")
    )
    most_days = forms.IntegerField(label=_("For at most (days)"), min_value=1, max_value=MOST_DAYS, initial=30)
    min_days_between = forms.IntegerField(label=_("Days between two"), min_value=0, max_value=MOST_DAYS, initial=30)

    def __init__(self, *args: Any, types: Sequence[ResourceType], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._types = {found.key: found for found in types}
        choices: Any = self.fields["type"]
        choices.choices = [(found.key, found.label) for found in types]

    def clean_tenant(self) -> Tenant | None:
        slug = self.cleaned_data["tenant"]
        found = Tenant.objects.filter(slug=slug).first() if slug else None
        if slug and found is None:
            raise forms.ValidationError(_("There is no tenant of this slug."), code="unknown")
        return found

    def clean(self) -> dict[str, Any]:
        """Read the amount by the unit of the type."""
        values: dict[str, Any] = super().clean() or {}
        found = self._types.get(values.get("type", ""))
        if found is not None and "most_added" in values:
            try:
                values["most_added"] = amount_field(found).clean(values["most_added"])
            except forms.ValidationError as error:
                self.add_error("most_added", error)
        return values

    def rule(self) -> tuple[ResourceType, Tenant | None, Rule]:
        """Return what a valid form says."""
        values = self.cleaned_data
        rule = Rule(values["most_added"], values["most_days"], values["min_days_between"])
        return self._types[values["type"]], values["tenant"], rule
