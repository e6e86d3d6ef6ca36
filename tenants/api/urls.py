"""Routes of tenants under /api/v1/."""

from django.urls import path

from tenants.api import quotaviews, typeviews, views

urlpatterns = [
    path("tenants/", views.TenantsView.as_view(), name="tenants"),
    path("tenants/<str:slug>/", views.TenantView.as_view(), name="tenant"),
    path("tenants/<str:slug>/quota/", quotaviews.QuotaView.as_view(), name="quota"),
    path("tenants/<str:slug>/cohort/", quotaviews.CohortOfTenantView.as_view(), name="tenant-cohort"),
    path("cohorts/", quotaviews.CohortsView.as_view(), name="cohorts"),
    path("ledger/check/", quotaviews.LedgerCheckView.as_view(), name="ledger-check"),
    path("cohorts/<uuid:cohort_id>/", quotaviews.CohortView.as_view(), name="cohort"),
    path("resource-types/", typeviews.ResourceTypesView.as_view(), name="resource-types"),
    path("resource-types/<slug:key>/", typeviews.ResourceTypeView.as_view(), name="resource-type"),
    path("tenants/<str:slug>/history/", views.TenantHistoryView.as_view(), name="tenant-history"),
    path("tenants/<str:slug>/members/", views.MembersView.as_view(), name="members"),
    path("tenants/<str:slug>/members/<str:username>/", views.MemberView.as_view(), name="member"),
]
