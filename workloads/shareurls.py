"""Routes of shares, below the page of a tenant's quota."""

from django.urls import path

from workloads import shareviews

app_name = "shares"
urlpatterns = [
    path("<slug:slug>/quota/shares/", shareviews.shares, name="list"),
    path("<slug:slug>/quota/shares/set/", shareviews.share_change, name="set"),
]
