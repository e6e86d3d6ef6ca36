"""Forms about people: accounts, one's own profile, tokens. They parse; what is acceptable is for services to say."""

import datetime as dt
import zoneinfo
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import SetPasswordForm
from django.utils import timezone
from django.utils.translation import get_language_info
from django.utils.translation import gettext_lazy as _

from portal.core.models import PlatformRole, Scope, Theme, User
from portal.core.people import Account, Profile
from tenants.forms import RejectingForm
from tenants.models import Tenant

_NAME_ATTRS = {"spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}


class AccountForm(RejectingForm):
    """An account to be made."""

    username = forms.CharField(
        label=_("User name"),
        max_length=150,
        help_text=_("Letters, digits and @ . + - _; people sign in with it"),
        widget=forms.TextInput(_NAME_ATTRS),
    )
    full_name = forms.CharField(label=_("Full name"), max_length=150, required=False)
    email = forms.EmailField(label=_("Email address"), required=False)
    platform_role = forms.ChoiceField(
        label=_("Platform role"),
        choices=PlatformRole.choices,
        initial=PlatformRole.NONE,
        help_text=_("Roles in tenants are given on the tenant's page."),
    )

    def account(self) -> Account:
        """Return the account of a form that is valid."""
        return Account(**self.cleaned_data)


class ProfileForm(RejectingForm):
    """What somebody decides about themselves."""

    full_name = forms.CharField(
        label=_("Full name"), max_length=150, required=False, widget=forms.TextInput({"autocomplete": "name"})
    )
    email = forms.EmailField(
        label=_("Email address"),
        required=False,
        help_text=_("You can sign in with it too."),
        widget=forms.EmailInput({"autocomplete": "email"}),
    )
    language = forms.ChoiceField(label=_("Language"), required=False)
    theme = forms.ChoiceField(label=_("Theme"), choices=Theme.choices)
    time_zone = forms.CharField(
        label=_("Time zone"),
        required=False,
        help_text=_("Type a city, such as Shanghai or Berlin. Empty: UTC."),
        widget=forms.TextInput({"list": "time-zones", "spellcheck": "false", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = [(code, get_language_info(code)["name_local"]) for code, _name in settings.LANGUAGES]
        self.fields["language"].choices = [("", _("As the browser")), *named]  # type: ignore[attr-defined]

    def clean_time_zone(self) -> str:
        """Take a zone's name, or a city that names one zone only."""
        typed = self.cleaned_data["time_zone"].strip().replace(" ", "_").lower()
        if not typed:
            return ""
        known = time_zones()
        exact = [name for name in known if name.lower() == typed]
        found = exact or [name for name in known if name.lower().rsplit("/", 1)[-1] == typed]
        if len(found) != 1:
            raise forms.ValidationError(_("There is no such time zone. Choose one of the list."), code="unknown")
        return found[0]

    def profile(self) -> Profile:
        """Return the profile of a form that is valid."""
        return Profile(**self.cleaned_data)


class TokenForm(RejectingForm):
    """A token to be made."""

    SPANS = {"7": _("7 days"), "30": _("30 days"), "90": _("90 days"), "365": _("1 year")}

    name = forms.CharField(label=_("Name"), max_length=80, help_text=_("What it is for, such as “nightly training”"))
    scopes = forms.MultipleChoiceField(
        label=_("May"), choices=Scope.choices, initial=[Scope.READ], widget=forms.CheckboxSelectMultiple
    )
    tenant = forms.ChoiceField(label=_("Tenant"), required=False)
    days = forms.ChoiceField(label=_("Expires in"), choices=list(SPANS.items()), initial="90")

    def __init__(self, *args: Any, tenants: list[Tenant], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._tenants = {tenant.slug: tenant for tenant in tenants}
        self.fields["tenant"].choices = [  # type: ignore[attr-defined]
            ("", _("All that I can see")),
            *((slug, slug) for slug in self._tenants),
        ]

    def wanted(self) -> dict[str, Any]:
        """Return what `token_create` takes of a form that is valid."""
        values = self.cleaned_data
        return {
            "name": values["name"],
            "scopes": [Scope(scope) for scope in values["scopes"]],
            "tenant": self._tenants.get(values["tenant"]),
            "expires_at": timezone.now() + dt.timedelta(days=int(values["days"])),
        }


class WelcomeForm(SetPasswordForm):  # type: ignore[type-arg]
    """The password that an account's owner chooses."""

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self.fields["new_password1"].label = _("New password")
        self.fields["new_password2"].label = _("New password again")
        self.fields["new_password1"].help_text = _("At least 10 characters, not only digits, no common password")


def time_zones() -> list[str]:
    """Return the zones that people choose from, by name: areas with cities, and UTC."""
    return sorted(
        name for name in zoneinfo.available_timezones() if name == "UTC" or ("/" in name and name[:3] != "Etc")
    )
