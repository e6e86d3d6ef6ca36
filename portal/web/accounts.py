"""Sign-in policy for django-allauth: no open sign-up, ever."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts are made by an admin (`createadmin`, tenant members page), not by visitors."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
