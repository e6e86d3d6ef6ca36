"""Routes of the inbox and the rules."""

from django.urls import path

from quotarequests import ruleviews, views

app_name = "quotainbox"
urlpatterns = [
    path("", views.inbox, name="list"),
    path("rules/", ruleviews.rule_list, name="rules"),
    path("rules/set/", ruleviews.rule_set, name="rule_set"),
    path("rules/<uuid:rule_id>/delete/", ruleviews.rule_delete, name="rule_delete"),
]
