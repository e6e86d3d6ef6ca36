"""App configuration: what runs."""

from django.apps import AppConfig


class WorkloadsConfig(AppConfig):
    name = "workloads"

    def ready(self) -> None:
        from portal.core import policy
        from tenants import roles, usage
        from workloads import models, selectors

        policy.register([models.Workload, models.Attempt], roles.grants_on_tenant_object, roles.tenant_id_of)
        usage.register(selectors.held_by_tenants)
