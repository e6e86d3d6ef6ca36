"""Every page of the product: who opens it, at which address. A route is in one of the two tables, or a test fails."""

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

# Route → who opens it ("" is nobody) and its address; {workload}, {template}, {user} and {request} are filled in.
PAGES: dict[str, tuple[str, str]] = {
    "home": ("dev", "/"),
    "help": ("dev", "/help/"),
    "search": ("dev", "/search/?q=fails"),
    "account_login": ("", "/accounts/login/"),
    "account_logout": ("dev", "/accounts/logout/"),
    "account_inactive": ("", "/accounts/inactive/"),
    "account_change_password": ("dev", "/accounts/password/change/"),
    "account_reauthenticate": ("dev", "/accounts/reauthenticate/"),
    "profile:profile": ("dev", "/profile/"),
    "profile:tokens": ("dev", "/profile/tokens/"),
    "people:list": ("admin", "/users/"),
    "people:new": ("admin", "/users/new/"),
    "people:detail": ("admin", "/users/{user}/"),
    "tenants:list": ("admin", "/tenants/"),
    "tenants:new": ("admin", "/tenants/new/"),
    "tenants:detail": ("admin", "/tenants/vision/"),
    "tenants:edit": ("admin", "/tenants/vision/edit/"),
    "tenants:quota": ("admin", "/tenants/vision/quota/"),
    "shares:list": ("admin", "/tenants/vision/quota/shares/"),
    "quotarequests:list": ("dev", "/tenants/vision/quota/requests/"),
    "quotarequests:new": ("dev", "/tenants/vision/quota/requests/new/"),
    "quotarequests:detail": ("admin", "/tenants/vision/quota/requests/{request}/"),
    "quotainbox:list": ("admin", "/quota-requests/"),
    "quotainbox:rules": ("admin", "/quota-requests/rules/"),
    "notices:list": ("admin", "/notifications/"),
    "cohorts:list": ("admin", "/cohorts/"),
    "resource_types:list": ("admin", "/resource-types/"),
    "resource_types:new": ("admin", "/resource-types/new/?kube_name=rdma/hca"),
    "resource_types:edit": ("admin", "/resource-types/gpus/"),
    "quotas:list": ("admin", "/quotas/"),
    "quotas:import": ("admin", "/quotas/import/"),
    "audit:list": ("admin", "/audit/"),
    "templates:list": ("dev", "/templates/"),
    "templates:new": ("dev", "/templates/new/?workload={workload}"),
    "templates:detail": ("dev", "/templates/{template}/"),
    "templates:version": ("dev", "/templates/{template}/versions/1/"),
    "templates:compare": ("dev", "/templates/{template}/compare/?a=1&b=1"),
    "templates:edit": ("admin", "/templates/{template}/edit/"),
    "workloads:list": ("dev", "/workloads/?view=all"),
    "workloads:filters": ("dev", "/workloads/filters/?view=all&state=failed"),
    "workloads:new": ("dev", "/workloads/new/"),
    "workloads:compare": ("dev", "/workloads/compare/?a={workload}"),
    "workloads:detail": ("dev", "/workloads/{workload}/"),
    "workloads:logs": ("dev", "/workloads/{workload}/logs/"),
    "workloads:pods": ("dev", "/workloads/{workload}/pods/"),
    "workloads:events": ("dev", "/workloads/{workload}/events/"),
    "workloads:yaml": ("dev", "/workloads/{workload}/yaml/"),
}

_POSTED = "only takes what a form posts"
_PART = "a part of a page, drawn into one that is walked"
_DATA = "no page: data or a file"
_OWN = "foreign pages under a policy of their own, exempt from the weight of ours; tried in their own tests"
NOT_WALKED: dict[str, str] = {
    "healthz": _DATA,
    "readyz": _DATA,
    "api:unknown": _DATA,
    "workloads:export": _DATA,
    "audit:csv": _DATA,
    "quotas:csv": _DATA,
    "audit:json": _DATA,
    "workloads:log-lines": _DATA,
    "workloads:log-download": _DATA,
    "workloads:yaml-download": _DATA,
    "cluster_notice": _PART,
    "workloads:rows": _PART,
    "workloads:head": _PART,
    "workloads:verdict": _PART,
    "set_theme": _POSTED,
    "set_language": _POSTED,
    "profile:sessions_end": _POSTED,
    "profile:token_revoke": _POSTED,
    "people:link": _POSTED,
    "people:switch_off": _POSTED,
    "people:switch_on": _POSTED,
    "people:set_role": _POSTED,
    "tenants:cohort_set": _POSTED,
    "shares:set": _POSTED,
    "quotarequests:approve": _POSTED,
    "quotarequests:deny": _POSTED,
    "quotarequests:ask_back": _POSTED,
    "quotarequests:answer": _POSTED,
    "quotarequests:withdraw": _POSTED,
    "quotainbox:rule_set": _POSTED,
    "quotainbox:rule_delete": _POSTED,
    "notices:read": _POSTED,
    "cohorts:new": _POSTED,
    "resource_types:delete": _POSTED,
    "quotas:preview": _POSTED,
    "quotas:apply": _POSTED,
    "cohorts:delete": _POSTED,
    "tenants:member_set": _POSTED,
    "tenants:member_remove": _POSTED,
    "templates:show-to": _POSTED,
    "templates:archive": _POSTED,
    "templates:unarchive": _POSTED,
    "workloads:columns": _POSTED,
    "workloads:filter": _POSTED,
    "workloads:bulk": "follows from ticked rows; tried with the list",
    "workloads:cancel": _POSTED,
    "account_welcome": "opens with a link for one person; tried where an account is made",
    "docs": _OWN,
    "docs_page": _OWN,
    "api:docs": _OWN,
}


def route_names(resolver: Any = None, space: str = "", prefix: str = "") -> Iterator[str]:
    """Yield the names of all routes but those of REST."""
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from route_names(entry, f"{space}{entry.namespace}:" if entry.namespace else space, path)
        elif isinstance(entry, URLPattern) and not path.startswith("api/v1/"):
            yield f"{space}{entry.name}"
