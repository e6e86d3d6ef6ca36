"""Where the owner of an account sets a password, by a link that works once. Django's view checks the link."""

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.views import PasswordResetConfirmView
from django.forms import BaseForm
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.core import people
from portal.core.models import User
from portal.web.people_forms import WelcomeForm


class WelcomeView(PasswordResetConfirmView):
    """Set the password, then sign in. An account that is switched off has no valid link."""

    form_class = WelcomeForm
    template_name = "account/welcome.html"

    def get_user(self, uidb64: str) -> Any:
        user = super().get_user(uidb64)
        return user if user is not None and user.is_active else None

    def form_valid(self, form: BaseForm) -> HttpResponse:
        user = cast("User", self.user)
        people.password_set(user=user, password=form.cleaned_data["new_password1"])
        self.request.session.flush()
        messages.success(self.request, _("Your password is set. Sign in with it."))
        return HttpResponseRedirect(reverse("account_login"))
