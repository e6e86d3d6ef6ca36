"""Routes of quota requests under /api/v1/."""

from django.urls import path

from quotarequests.api import ruleviews, views

_OF_TENANT = "tenants/<str:slug>/quota-requests/"
_ONE = f"{_OF_TENANT}<uuid:request_id>/"
urlpatterns = [
    path("quota-requests/", views.InboxView.as_view(), name="quota-inbox"),
    path("quota-requests/rules/", ruleviews.RulesView.as_view(), name="quota-rules"),
    path("quota-requests/rules/<uuid:rule_id>/", ruleviews.RuleView.as_view(), name="quota-rule"),
    path(_OF_TENANT, views.TenantRequestsView.as_view(), name="quota-requests"),
    path(_ONE, views.RequestView.as_view(), name="quota-request"),
    path(f"{_ONE}approve/", views.ApproveView.as_view(), name="quota-request-approve"),
    path(f"{_ONE}deny/", views.DenyView.as_view(), name="quota-request-deny"),
    path(f"{_ONE}ask-back/", views.AskBackView.as_view(), name="quota-request-ask-back"),
    path(f"{_ONE}answer/", views.AnswerView.as_view(), name="quota-request-answer"),
    path(f"{_ONE}withdraw/", views.WithdrawView.as_view(), name="quota-request-withdraw"),
]
