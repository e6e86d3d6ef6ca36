"""Routes of workloads."""

from django.urls import URLPattern

app_name = "workloads"
urlpatterns: list[URLPattern] = []
