"""Routes of the audit trail."""

from django.urls import path

from portal.web import audit

app_name = "audit"
urlpatterns = [
    path("", audit.trail, name="list"),
    path("export.csv", audit.as_csv, name="csv"),
    path("export.json", audit.as_json, name="json"),
]
