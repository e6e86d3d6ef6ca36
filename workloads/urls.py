"""Routes of workloads."""

from django.urls import path

from workloads import logviews, views

app_name = "workloads"
urlpatterns = [
    path("", views.workloads, name="list"),
    path("rows/", views.rows, name="rows"),
    path("new/", views.new, name="new"),
    path("new/verdict/", views.verdict, name="verdict"),
    path("<uuid:workload_id>/", views.detail, name="detail"),
    path("<uuid:workload_id>/head/", views.head, name="head"),
    path("<uuid:workload_id>/logs/", views.logs, name="logs"),
    path("<uuid:workload_id>/logs/lines/", logviews.lines, name="log-lines"),
    path("<uuid:workload_id>/logs/download/", logviews.download, name="log-download"),
    path("<uuid:workload_id>/pods/", views.pods, name="pods"),
    path("<uuid:workload_id>/events/", views.events, name="events"),
    path("<uuid:workload_id>/yaml/", views.manifests, name="yaml"),
    path("<uuid:workload_id>/cancel/", views.cancel, name="cancel"),
]
