"""Forms of tenants and members: they parse; what is acceptable is for services to say."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.core.directory import person_named
from portal.core.errors import Rejected
from portal.core.fields import CpuField, MemoryField
from portal.core.models import User
from tenants import specs
from tenants.models import Membership, Tenant
from tenants.specs import Limits


class RejectingForm(forms.Form):
    """A form that can show a service's complaints at its fields."""

    def reject(self, rejected: Rejected) -> None:
        """Show each complaint at its field; what has no field here stands on top."""
        for name, texts in rejected.fields.items():
            for text in texts:
                self.add_error(name if name in self.fields else None, str(text))


class TenantForm(RejectingForm):
    """A tenant's name and its four limits. Field names are the columns', as services name them."""

    name = forms.CharField(label=_("Name"), max_length=specs.MAX_TENANT_NAME, help_text=_("As people call the team"))
    cpu_limit_millicores = CpuField(label=_("CPU cores"))
    memory_limit_mib = MemoryField(label=_("Memory"))
    gpu_limit = forms.IntegerField(label=_("GPUs"), min_value=0)
    pods_limit = forms.IntegerField(label=_("Pods"), min_value=0)

    def limits(self) -> Limits:
        """Return the limits of a form that is valid."""
        values = self.cleaned_data
        return Limits(
            cpu_millicores=values["cpu_limit_millicores"],
            memory_mib=values["memory_limit_mib"],
            pods=values["pods_limit"],
            gpus=values["gpu_limit"],
        )


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


def initial_of(tenant: Tenant | None = None) -> dict[str, Any]:
    """Return the first values of a tenant's form; for a new one the defaults of the table."""
    shown = tenant or Tenant()
    names = ("name", "cpu_limit_millicores", "memory_limit_mib", "gpu_limit", "pods_limit")
    return {name: getattr(shown, name) for name in names}
