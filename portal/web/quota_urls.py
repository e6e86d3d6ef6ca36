"""Routes of the quota table."""

from django.urls import path

from portal.web import quotachanges, quotas

app_name = "quotas"
urlpatterns = [
    path("", quotas.table, name="list"),
    path("export.csv", quotas.as_csv, name="csv"),
    path("import/", quotachanges.import_csv, name="import"),
    path("preview/", quotachanges.preview, name="preview"),
    path("apply/", quotachanges.apply, name="apply"),
]
