"""Forms of tenants and members: they parse; what is acceptable is for services to say."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.core.directory import person_named
from portal.core.errors import Rejected
from portal.core.fields import CpuField, DurationField, MemoryField
from portal.core.models import User
from tenants import rules, specs
from tenants.choices import PRIORITY_CHOICES
from tenants.models import Cohort, Membership, ResourceType, Tenant
from tenants.quotaservices import MAX_COHORT_NAME
from tenants.specs import CPU, GPUS, MEMORY, PODS, Unit

DEFAULT_LIMITS = {CPU: 8_000, MEMORY: 16_384, PODS: 50, GPUS: 0}


class RejectingForm(forms.Form):
    """A form that can show a service's complaints at its fields."""

    def reject(self, rejected: Rejected) -> None:
        """Show each complaint at its field; what has no field here stands on top."""
        for name, texts in rejected.fields.items():
            for text in texts:
                self.add_error(name if name in self.fields else None, str(text))


class ExcessField(forms.TypedChoiceField):
    """What becomes of what is held beyond a new limit; with `refuse`, to change nothing may be chosen, and is first."""

    _WAYS = (
        (specs.Excess.REFUSE.value, _("Say so, and change nothing")),
        (specs.Excess.KEEP.value, _("Keep it until its work ends")),
        (specs.Excess.DRAIN.value, _("Stop it: low priority first, then the newest; it waits in the queue again")),
    )

    def __init__(self, *, refuse: bool) -> None:
        super().__init__(
            label=_("What is held beyond a new limit"),
            choices=self._WAYS if refuse else self._WAYS[1:],
            coerce=specs.Excess,
            empty_value=specs.Excess.REFUSE,
            initial=specs.Excess.REFUSE.value if refuse else None,
            required=not refuse,
            error_messages={"required": _("Choose what becomes of it.")},
            widget=forms.RadioSelect,
            help_text=_("New work waits until the tenant is below its limits again."),
        )


class NewTenantForm(RejectingForm):
    """A tenant to be: its slug, which names the namespace for ever, and a nominal quota of each resource type."""

    slug = forms.CharField(
        label=_("Slug"),
        max_length=40,
        help_text=_("Small letters, digits and hyphens. It names the namespace and cannot be changed later."),
        widget=forms.TextInput({"spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}),
    )
    name = forms.CharField(label=_("Name"), max_length=specs.MAX_TENANT_NAME, help_text=_("As people call the team"))

    def __init__(self, *args: Any, types: Sequence[ResourceType], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {**DEFAULT_LIMITS, **self.initial}
        self._keys = [found.key for found in types]
        for found in types:
            self.fields[found.key] = amount_field(found)

    def limit_fields(self) -> list[forms.BoundField]:
        """Return the fields of quotas, as a page shows them together."""
        return [self[key] for key in self._keys]

    def limits(self) -> dict[str, int]:
        """Return the quotas of a form that is valid."""
        return {key: self.cleaned_data[key] for key in self._keys}


class TenantForm(RejectingForm):
    """A tenant's name and the bounds of its quota: `<key>-<bound>`, borrowing and lending only within a cohort."""

    name = forms.CharField(label=_("Name"), max_length=specs.MAX_TENANT_NAME, help_text=_("As people call the team"))
    priorities = forms.MultipleChoiceField(
        label=_("Priorities that its work may have"),
        choices=PRIORITY_CHOICES,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("High goes before the work of all tenants."),
    )
    max_runtime_s = DurationField(
        label=_("Longest time limit"),
        required=False,
        help_text=_("Work that names none gets this one. Empty: no bound"),
    )
    max_running = forms.IntegerField(
        label=_("Workloads that run at once"), min_value=1, required=False, help_text=_("Empty: no bound")
    )
    max_waiting = forms.IntegerField(
        label=_("Workloads that wait"),
        min_value=1,
        required=False,
        help_text=_("One more is refused at submission. Empty: no bound"),
    )
    excess = ExcessField(refuse=True)

    def __init__(self, *args: Any, tenant: Tenant, types: Sequence[ResourceType], **kwargs: Any) -> None:
        lines = {line.type_id: line for line in kwargs.pop("lines")}
        super().__init__(*args, **kwargs)
        self.initial = {"name": tenant.name, **rules.rules_of(tenant), **self.initial}
        self._bounds = BOUNDS if tenant.cohort_id else BOUNDS[:1]
        self._types = list(types)
        for found in self._types:
            for bound, label in self._bounds:
                text = f"{found.label}: {label}" if len(self._bounds) > 1 else found.label
                self.fields[f"{found.key}-{bound}"] = amount_field(found, text)
                self.initial[f"{found.key}-{bound}"] = getattr(lines.get(found.pk), bound, 0)

    def rows(self) -> list[tuple[ResourceType, list[forms.BoundField]]]:
        """Return the fields of each resource type."""
        return [(found, [self[f"{found.key}-{bound}"] for bound, _label in self._bounds]) for found in self._types]

    def rules(self) -> dict[str, Any]:
        """Return the rules of a form that is valid."""
        return {name: self.cleaned_data[name] for name in rules.NAMES}

    def quota(self) -> dict[str, dict[str, int]]:
        """Return the bounds of a form that is valid."""
        values = self.cleaned_data
        return {
            found.key: {bound: values[f"{found.key}-{bound}"] for bound, _label in self._bounds}
            for found in self._types
        }

    def reject(self, rejected: Rejected) -> None:
        """Show what is wrong with a resource type at its first field."""
        moved = {
            name if name in self.fields or f"{name}-nominal" not in self.fields else f"{name}-nominal": texts
            for name, texts in rejected.fields.items()
        }
        super().reject(Rejected(moved))


class CohortForm(RejectingForm):
    """The cohort that a tenant is to be in."""

    cohort = forms.ModelChoiceField(
        Cohort.objects.none(), label=_("Cohort"), required=False, empty_label=_("No cohort"), blank=True
    )
    keep_lent = forms.BooleanField(label=_("Keep what is lent and borrowed until its work ends"), required=False)

    def __init__(self, *args: Any, user: User, tenant: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {"cohort": tenant.cohort_id, **self.initial}
        field: Any = self.fields["cohort"]
        field.queryset = Cohort.objects.visible_to(user).order_by("name")
        field.label_from_instance = lambda cohort: cohort.name


class NewCohortForm(RejectingForm):
    """A cohort to be."""

    name = forms.CharField(label=_("Name"), max_length=MAX_COHORT_NAME)


BOUNDS = (("nominal", _("Nominal")), ("borrow_limit", _("May borrow")), ("lend_limit", _("Lends")))


def amount_field(found: ResourceType, label: str = "", *, required: bool = True) -> forms.Field:
    """Return the field for an amount of a resource type, as people write it; cleans to the type's unit."""
    if found.unit == Unit.MILLICORES:
        return CpuField(label=label or found.label, required=required)
    if found.unit == Unit.MIB:
        return MemoryField(label=label or found.label, required=required)
    return forms.IntegerField(label=label or found.label, min_value=0, required=required)


class MemberForm(RejectingForm):
    """Somebody with an account, and the role they get."""

    username = forms.CharField(
        label=_("Username or email"),
        max_length=254,
        widget=forms.TextInput({"spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}),
    )
    role = forms.ChoiceField(label=_("Role"), choices=Membership.Role.choices, initial=Membership.Role.DEVELOPER)

    def clean_username(self) -> User:
        user = person_named(self.cleaned_data["username"])
        if user is None:
            raise forms.ValidationError(_("There is no account of that name or address."), code="unknown")
        return user
