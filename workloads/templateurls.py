"""Routes of the pages of templates."""

from django.urls import path

from workloads import templateviews as views

app_name = "templates"
urlpatterns = [
    path("", views.templates, name="list"),
    path("new/", views.new, name="new"),
    path("<uuid:template_id>/", views.detail, name="detail"),
    path("<uuid:template_id>/versions/<int:number>/", views.detail, name="version"),
    path("<uuid:template_id>/compare/", views.compare, name="compare"),
    path("<uuid:template_id>/edit/", views.edit, name="edit"),
    path("<uuid:template_id>/show-to/", views.show_to, name="show-to"),
    path("<uuid:template_id>/archive/", views.archive, name="archive"),
    path("<uuid:template_id>/unarchive/", views.unarchive, name="unarchive"),
]
