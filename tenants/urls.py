"""Routes of tenants."""

from django.urls import path

from tenants import quotaviews, views

app_name = "tenants"
urlpatterns = [
    path("", views.tenants, name="list"),
    path("new/", views.new, name="new"),
    path("<slug:slug>/", views.detail, name="detail"),
    path("<slug:slug>/edit/", views.edit, name="edit"),
    path("<slug:slug>/quota/", quotaviews.quota, name="quota"),
    path("<slug:slug>/cohort/", quotaviews.cohort_set, name="cohort_set"),
    path("<slug:slug>/members/", views.member_set, name="member_set"),
    path("<slug:slug>/members/remove/", views.member_remove, name="member_remove"),
]
