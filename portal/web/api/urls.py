"""All routes under /api/: assembly only. The last one takes every path that is none."""

from django.urls import include, path, re_path

from gpu.api import NodesView, OfferedView
from portal.notices.api import NoticesReadView, NoticesView
from portal.web.api import account, audit, people, quotas, views

app_name = "api"
_v1 = [
    path("me/", account.MeView.as_view(), name="me"),
    path("me/sessions/", account.SessionsView.as_view(), name="my-sessions"),
    path("me/password/", account.PasswordView.as_view(), name="my-password"),
    path("users/", people.UsersView.as_view(), name="users"),
    path("users/<uuid:user_id>/", people.UserView.as_view(), name="user"),
    path("users/<uuid:user_id>/password-link/", people.PasswordLinkView.as_view(), name="user-password-link"),
    path("users/<uuid:user_id>/history/", people.UserHistoryView.as_view(), name="user-history"),
    path("audit/", audit.AuditView.as_view(), name="audit"),
    path("quotas/", quotas.QuotasView.as_view(), name="quotas"),
    path("quotas/csv/", quotas.QuotasCsvView.as_view(), name="quotas-csv"),
    path("notifications/", NoticesView.as_view(), name="notifications"),
    path("notifications/read/", NoticesReadView.as_view(), name="notifications-read"),
    path("tokens/", views.TokensView.as_view(), name="tokens"),
    path("tokens/<uuid:token_id>/", views.TokenView.as_view(), name="token"),
    path("ws-tickets/", views.WsTicketsView.as_view(), name="ws-tickets"),
    path("gpu/nodes/", NodesView.as_view(), name="nodes"),
    path("gpu/resources/", OfferedView.as_view(), name="gpu-resources"),
    path("cluster/summary/", views.ClusterSummaryView.as_view(), name="cluster-summary"),
    path("schema/", views.SchemaView.as_view(), name="schema"),
    path("", include("tenants.api.urls")),
    path("", include("workloads.api.urls")),
    path("", include("quotarequests.api.urls")),
]
urlpatterns = [
    path("v1/", include(_v1)),
    path("docs/", views.docs, name="docs"),
    re_path(r"", views.UnknownView.as_view(), name="unknown"),
]
