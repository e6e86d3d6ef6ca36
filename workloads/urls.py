"""Routes of workloads."""

from django.urls import path

from workloads import compareviews, export, listviews, logviews, tabviews, views

app_name = "workloads"
urlpatterns = [
    path("", listviews.workloads, name="list"),
    path("rows/", listviews.rows, name="rows"),
    path("columns/", listviews.choose_columns, name="columns"),
    path("filters/", listviews.filters, name="filters"),
    path("filters/<uuid:filter_id>/", listviews.filter_change, name="filter"),
    path("bulk/", listviews.act_on_several, name="bulk"),
    path("export.csv", export.download, name="export"),
    path("new/", views.new, name="new"),
    path("new/verdict/", views.verdict, name="verdict"),
    path("compare/", compareviews.compare, name="compare"),
    path("<uuid:workload_id>/", tabviews.detail, name="detail"),
    path("<uuid:workload_id>/head/", tabviews.head, name="head"),
    path("<uuid:workload_id>/logs/", tabviews.logs, name="logs"),
    path("<uuid:workload_id>/logs/lines/", logviews.lines, name="log-lines"),
    path("<uuid:workload_id>/logs/download/", logviews.download, name="log-download"),
    path("<uuid:workload_id>/pods/", tabviews.pods, name="pods"),
    path("<uuid:workload_id>/events/", tabviews.events, name="events"),
    path("<uuid:workload_id>/yaml/", tabviews.manifests, name="yaml"),
    path("<uuid:workload_id>/yaml/download/", tabviews.manifests_download, name="yaml-download"),
    path("<uuid:workload_id>/cancel/", views.cancel, name="cancel"),
]
