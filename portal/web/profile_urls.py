"""Routes of one's own account."""

from django.urls import path

from portal.web import profile

app_name = "profile"
urlpatterns = [
    path("", profile.profile, name="profile"),
    path("sessions/end/", profile.sessions_end, name="sessions_end"),
    path("tokens/", profile.token_page, name="tokens"),
    path("tokens/<uuid:token_id>/revoke/", profile.token_revoke, name="token_revoke"),
]
