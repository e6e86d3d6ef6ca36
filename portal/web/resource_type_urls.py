"""Routes of resource types."""

from django.urls import path

from portal.web import resource_types

app_name = "resource_types"
urlpatterns = [
    path("", resource_types.types, name="list"),
    path("new/", resource_types.new, name="new"),
    path("<slug:key>/", resource_types.edit, name="edit"),
    path("<slug:key>/delete/", resource_types.delete, name="delete"),
]
