"""Routes of cohorts."""

from django.urls import path

from tenants import quotaviews

app_name = "cohorts"
urlpatterns = [
    path("", quotaviews.cohorts, name="list"),
    path("new/", quotaviews.cohort_new, name="new"),
    path("<uuid:cohort_id>/delete/", quotaviews.cohort_delete, name="delete"),
]
