"""Forms of tenants and members: they parse; what is acceptable is for services to say."""

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.core.directory import person_named
from portal.core.errors import Rejected
from portal.core.fields import CpuField, MemoryField
from portal.core.models import User
from tenants import specs
from tenants.models import Membership, QuotaLine, ResourceType
from tenants.specs import CPU, GPUS, MEMORY, PODS, Unit

DEFAULT_LIMITS = {CPU: 8_000, MEMORY: 16_384, PODS: 50, GPUS: 0}


class RejectingForm(forms.Form):
    """A form that can show a service's complaints at its fields."""

    def reject(self, rejected: Rejected) -> None:
        """Show each complaint at its field; what has no field here stands on top."""
        for name, texts in rejected.fields.items():
            for text in texts:
                self.add_error(name if name in self.fields else None, str(text))


class TenantForm(RejectingForm):
    """A tenant's name and its nominal quotas: a field for each resource type, named by its key."""

    name = forms.CharField(label=_("Name"), max_length=specs.MAX_TENANT_NAME, help_text=_("As people call the team"))

    def __init__(self, *args: Any, types: Sequence[ResourceType], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._keys = [found.key for found in types]
        for found in types:
            self.fields[found.key] = _amount_field(found)

    def limit_fields(self) -> list[forms.BoundField]:
        """Return the fields of quotas, as a page shows them together."""
        return [self[key] for key in self._keys]

    def limits(self) -> dict[str, int]:
        """Return the quotas of a form that is valid."""
        return {key: self.cleaned_data[key] for key in self._keys}


def _amount_field(found: ResourceType) -> forms.Field:
    if found.unit == Unit.MILLICORES:
        return CpuField(label=found.label)
    if found.unit == Unit.MIB:
        return MemoryField(label=found.label)
    return forms.IntegerField(label=found.label, min_value=0)


class NewTenantForm(TenantForm):
    """A tenant to be: its slug names the namespace for ever."""

    slug = forms.CharField(
        label=_("Slug"),
        max_length=40,
        help_text=_("Small letters, digits and hyphens. It names the namespace and cannot be changed later."),
        widget=forms.TextInput({"spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}),
    )
    field_order = ("slug", "name")


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


def initial_of(lines: Iterable[QuotaLine] = (), *, name: str = "") -> dict[str, Any]:
    """Return the first values of a tenant's form: of its quotas, for a new one of modest ones."""
    quotas = {found.type.key: found.nominal for found in lines}
    return {"name": name, **(quotas or DEFAULT_LIMITS)}
