"""Routes of tenants under /api/v1/."""

from django.urls import path

from tenants.api import views

urlpatterns = [
    path("tenants/", views.TenantsView.as_view(), name="tenants"),
    path("tenants/<str:slug>/", views.TenantView.as_view(), name="tenant"),
    path("tenants/<str:slug>/history/", views.TenantHistoryView.as_view(), name="tenant-history"),
    path("tenants/<str:slug>/members/", views.MembersView.as_view(), name="members"),
    path("tenants/<str:slug>/members/<str:username>/", views.MemberView.as_view(), name="member"),
]
