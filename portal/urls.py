"""All routes of the pages: assembly only."""

from django.urls import include, path

urlpatterns = [
    path("", include("portal.web.urls")),
    path("accounts/", include("portal.web.account_urls")),
    path("profile/", include("portal.web.profile_urls")),
    path("users/", include("portal.web.people_urls")),
    path("api/", include("portal.web.api.urls")),
    path("audit/", include("portal.web.audit_urls")),
    path("notifications/", include("portal.notices.urls")),
    path("quota-requests/", include("quotarequests.urls")),
    path("quotas/", include("portal.web.quota_urls")),
    path("resource-types/", include("portal.web.resource_type_urls")),
    path("cohorts/", include("tenants.cohorturls")),
    path("tenants/<slug:slug>/quota/requests/", include("quotarequests.tenanturls")),
    path("tenants/", include("tenants.urls")),
    path("tenants/", include("workloads.shareurls")),
    path("templates/", include("workloads.templateurls")),
    path("workloads/", include("workloads.urls")),
]

handler400 = "portal.web.views.bad_request"
handler403 = "portal.web.views.forbidden"
handler404 = "portal.web.views.not_found"
handler500 = "portal.web.views.server_error"
