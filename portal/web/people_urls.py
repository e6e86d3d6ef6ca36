"""Routes of people's accounts, for those who run the platform."""

from django.urls import path

from portal.web import people

app_name = "people"
urlpatterns = [
    path("", people.users, name="list"),
    path("new/", people.new, name="new"),
    path("<uuid:user_id>/", people.detail, name="detail"),
    path("<uuid:user_id>/link/", people.link, name="link"),
    path("<uuid:user_id>/off/", people.switch_off, name="switch_off"),
    path("<uuid:user_id>/on/", people.switch_on, name="switch_on"),
    path("<uuid:user_id>/role/", people.set_role, name="set_role"),
]
