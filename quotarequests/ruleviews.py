"""Pages of the rules that grant without a person deciding."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from portal.core import policy
from portal.core.policy import Action
from portal.core.routes import person, route
from quotarequests import rules, selectors
from quotarequests.forms import RuleForm
from tenants.gauges import amount_text
from tenants.selectors import resource_types
from tenants.specs import Unit
from tenants.views import stored


@route(Action.QUOTA_REQUEST_INBOX)
@require_GET
def rule_list(request: HttpRequest) -> HttpResponse:
    policy.require(person(request), Action.QUOTA_REQUEST_INBOX)
    return _page(request, RuleForm(types=resource_types()))


@route(Action.QUOTA_REQUEST_DECIDE)
@require_POST
def rule_set(request: HttpRequest) -> HttpResponse:
    user = person(request)
    policy.require(user, Action.QUOTA_REQUEST_DECIDE)
    form = RuleForm(request.POST, types=resource_types())
    if form.is_valid():
        found, tenant, rule = form.rule()
        if stored(form, lambda: rules.rule_set(actor=user, found=found, tenant=tenant, rule=rule)):
            return redirect("quotainbox:rules")
    return _page(request, form, status=400)


@route(Action.QUOTA_REQUEST_DECIDE)
@require_POST
def rule_delete(request: HttpRequest, rule_id: uuid.UUID) -> HttpResponse:
    user = person(request)
    rules.rule_delete(actor=user, rule=selectors.rule_get(user=user, rule_id=rule_id))
    return redirect("quotainbox:rules")


def _page(request: HttpRequest, form: RuleForm, *, status: int = 200) -> HttpResponse:
    user = person(request)
    rows = [(rule, amount_text(Unit(rule.type.unit), rule.most_added)) for rule in selectors.rule_list(user=user)]
    context = {"rows": rows, "form": form, "may_edit": policy.allowed(user, Action.QUOTA_REQUEST_DECIDE)}
    return render(request, "quotarequests/rules.html", context, status=status)
