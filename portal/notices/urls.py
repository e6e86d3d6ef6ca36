"""Routes of notices."""

from django.urls import path

from portal.notices import views

app_name = "notices"
urlpatterns = [
    path("", views.notices, name="list"),
    path("read/", views.read, name="read"),
]
