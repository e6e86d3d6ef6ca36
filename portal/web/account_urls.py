"""The account pages that Berth offers: sign in, sign out, change password. No sign-up, no reset by mail yet."""

from allauth.account import views
from django.urls import path

from portal.core.policy import Action
from portal.core.routes import route
from portal.web.welcome import WelcomeView

urlpatterns = [
    path("login/", route(Action.PUBLIC)(views.login), name="account_login"),
    path("logout/", route(Action.PUBLIC)(views.logout), name="account_logout"),
    path("password/change/", route(Action.SIGNED_IN)(views.password_change), name="account_change_password"),
    path("reauthenticate/", route(Action.SIGNED_IN)(views.reauthenticate), name="account_reauthenticate"),
    path("inactive/", route(Action.PUBLIC)(views.account_inactive), name="account_inactive"),
    path("welcome/<uidb64>/<token>/", route(Action.PUBLIC)(WelcomeView.as_view()), name="account_welcome"),
]
