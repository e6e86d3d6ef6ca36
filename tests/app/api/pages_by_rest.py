"""Each page beside the methods of REST that do the same. `test_pages_by_rest` holds the two together.

A new page gets a line here: in TWINS, or with a reason in ONLY_PAGES. Who gives a page of PENDING its line takes it
out there.
"""

ONE = "workloads/<uuid:workload_id>/"
TENANT = "tenants/<str:slug>/"
TEMPLATE = "templates/<uuid:template_id>/"
VERSION = f"{TEMPLATE}versions/<int:number>/"
USER = "users/<uuid:user_id>/"

TWINS: dict[str, list[str]] = {
    "home": ["GET workloads/", "GET tenants/", "GET cluster/summary/"],
    "search": ["GET workloads/", "GET templates/", "GET tenants/"],
    "set_theme": ["PATCH me/"],
    "set_language": ["PATCH me/"],
    "account_change_password": ["POST me/password/"],
    "profile:profile": ["GET me/", "PATCH me/", "GET me/sessions/"],
    "profile:sessions_end": ["DELETE me/sessions/"],
    "profile:tokens": ["GET tokens/", "POST tokens/"],
    "profile:token_revoke": ["DELETE tokens/<uuid:token_id>/"],
    "people:list": ["GET users/"],
    "people:new": ["POST users/"],
    "people:detail": [f"GET {USER}", f"GET {USER}history/"],
    "people:link": [f"POST {USER}password-link/"],
    "people:switch_off": [f"PATCH {USER}"],
    "people:switch_on": [f"PATCH {USER}"],
    "people:set_role": [f"PATCH {USER}"],
    "tenants:list": ["GET tenants/"],
    "tenants:new": ["POST tenants/"],
    "tenants:detail": [f"GET {TENANT}", f"GET {TENANT}members/", f"GET {TENANT}history/"],
    "tenants:edit": [f"PATCH {TENANT}", f"PUT {TENANT}quota/"],
    "tenants:quota": [f"GET {TENANT}quota/", f"GET {TENANT}quota/holdings/"],
    "tenants:cohort_set": [f"PUT {TENANT}cohort/"],
    "audit:list": ["GET audit/"],
    "audit:csv": ["GET audit/"],
    "audit:json": ["GET audit/"],
    "cohorts:list": ["GET cohorts/", "GET ledger/check/"],
    "cohorts:new": ["POST cohorts/"],
    "cohorts:delete": ["DELETE cohorts/<uuid:cohort_id>/"],
    "tenants:member_set": [f"POST {TENANT}members/", f"PUT {TENANT}members/<str:username>/"],
    "tenants:member_remove": [f"DELETE {TENANT}members/<str:username>/"],
    "templates:list": ["GET templates/"],
    "templates:new": ["POST templates/"],
    "templates:detail": [f"GET {TEMPLATE}", f"GET {TEMPLATE}versions/", f"GET {TEMPLATE}history/"],
    "templates:version": [f"GET {VERSION}"],
    "templates:compare": [f"GET {VERSION}diff/<int:other>/"],
    "templates:edit": [f"POST {TEMPLATE}versions/"],
    "templates:show-to": [f"PATCH {TEMPLATE}"],
    "templates:archive": [f"POST {TEMPLATE}archive/"],
    "templates:unarchive": [f"POST {TEMPLATE}unarchive/"],
    "workloads:list": ["GET workloads/", f"GET {TENANT}workloads/"],
    "workloads:rows": ["GET workloads/"],
    "workloads:filters": ["GET saved-filters/", "POST saved-filters/"],
    "workloads:filter": ["PATCH saved-filters/<uuid:filter_id>/", "DELETE saved-filters/<uuid:filter_id>/"],
    "workloads:bulk": ["POST workloads/bulk/"],
    "workloads:export": ["GET workloads/csv/"],
    "workloads:new": [f"POST {TENANT}workloads/", f"POST {ONE}clone/", "GET templates/"],
    "workloads:verdict": [f"POST {TENANT}workloads/verdict/"],
    "workloads:compare": [f"GET {ONE}diff/<uuid:other_id>/"],
    "workloads:detail": [f"GET {ONE}", f"GET {ONE}explain/"],
    "workloads:head": [f"GET {ONE}"],
    "workloads:logs": [f"GET {ONE}logs/"],
    "workloads:log-lines": [f"GET {ONE}logs/"],
    "workloads:log-download": [f"GET {ONE}logs/download/"],
    "workloads:pods": [f"GET {ONE}pods/"],
    "workloads:events": [f"GET {ONE}events/", f"GET {ONE}events/cluster/"],
    "workloads:yaml": [f"GET {ONE}manifests/"],
    "workloads:yaml-download": [f"GET {ONE}manifests/"],
    "workloads:cancel": [f"POST {ONE}cancel/"],
}
ONLY_PAGES: dict[str, str] = {
    "account_login": "a program has a token instead of a session",
    "account_logout": "a program has a token instead of a session",
    "account_reauthenticate": "asks for the password again within a session",
    "account_inactive": "says why a session could not begin",
    "account_welcome": "sets a password by a link that is meant for a person's browser",
    "docs": "the guides, as text",
    "docs_page": "the guides, as text",
    "help": "texts for people; every code's text comes with it in REST too",
    "cluster_notice": "a part of a page; programs read readyz",
    "healthz": "for probes, and readable by programs as it is",
    "readyz": "for probes, and readable by programs as it is",
    "workloads:columns": "which columns a table shows; REST gives all",
}
PENDING: dict[str, str] = {}
