"""REST of the rules that grant without a person deciding."""

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from portal.core import policy
from portal.core.api.paging import keyset_page, page_response, page_serializer
from portal.core.api.views import ApiView, caller, endpoint, found, parsed
from portal.core.policy import Action
from quotarequests import rules, selectors
from quotarequests.api.shapes import ApprovalRuleSerializer, NewRuleSerializer, RuleValuesSerializer
from quotarequests.specs import Rule
from tenants.models import ResourceType, Tenant


class RulesView(ApiView):
    """All rules."""

    @endpoint(Action.QUOTA_REQUEST_INBOX, answers={200: page_serializer(ApprovalRuleSerializer)})
    def get(self, request: Request) -> Response:
        """List the rules, oldest first; for platform admins and auditors."""
        rows = selectors.rule_list(user=caller(request))
        return page_response(request, keyset_page(request, rows, order=("created", "id")), ApprovalRuleSerializer)

    @endpoint(Action.QUOTA_REQUEST_DECIDE, body=NewRuleSerializer, answers={200: ApprovalRuleSerializer})
    def post(self, request: Request) -> Response:
        """Set the rule of a resource type, for one tenant or all others; one that is there is replaced."""
        user = caller(request)
        policy.require(user, Action.QUOTA_REQUEST_DECIDE)
        values = parsed(NewRuleSerializer, request)
        of_type = found(ResourceType.objects.filter(key=values["type"]), "type", values["type"])
        slug = values["tenant"]
        tenant = found(Tenant.objects.visible_to(user).filter(slug=slug), "tenant", slug) if slug else None
        rule = Rule(values["most_added"], values["most_days"], values["min_days_between"])
        made = rules.rule_set(actor=user, found=of_type, tenant=tenant, rule=rule)
        return Response(ApprovalRuleSerializer(made).data)


class RuleView(ApiView):
    """One rule."""

    @endpoint(Action.QUOTA_REQUEST_INBOX, answers={200: ApprovalRuleSerializer})
    def get(self, request: Request, rule_id: UUID) -> Response:
        """Show a rule; for platform admins and auditors."""
        return Response(ApprovalRuleSerializer(selectors.rule_get(user=caller(request), rule_id=rule_id)).data)

    @endpoint(Action.QUOTA_REQUEST_DECIDE, body=RuleValuesSerializer, answers={200: ApprovalRuleSerializer})
    def put(self, request: Request, rule_id: UUID) -> Response:
        """Change what a rule allows; platform admins only."""
        user = caller(request)
        row = selectors.rule_get(user=user, rule_id=rule_id)
        policy.require(user, Action.QUOTA_REQUEST_DECIDE)
        values = parsed(RuleValuesSerializer, request)
        rule = Rule(values["most_added"], values["most_days"], values["min_days_between"])
        made = rules.rule_set(actor=user, found=row.type, tenant=row.tenant, rule=rule)
        return Response(ApprovalRuleSerializer(made).data)

    @endpoint(Action.QUOTA_REQUEST_DECIDE, answers={204: None})
    def delete(self, request: Request, rule_id: UUID) -> Response:
        """Remove a rule; what it granted stays. Platform admins only."""
        user = caller(request)
        rules.rule_delete(actor=user, rule=selectors.rule_get(user=user, rule_id=rule_id))
        return Response(status=204)
