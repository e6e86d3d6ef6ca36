"""App configuration: what runs."""

from django.apps import AppConfig


class WorkloadsConfig(AppConfig):
    name = "workloads"

    def ready(self) -> None:
        from portal.core import policy
        from tenants import drains, holders, roles
        from workloads import draining, models, quotaholders, templatereads

        policy.register([models.Workload, models.Attempt], roles.grants_on_tenant_object, roles.tenant_id_of)
        drains.register(draining.victims, draining.stop)
        holders.register(quotaholders.holders_of)
        policy.register([models.Template], templatereads.grants_on_template, roles.tenant_id_of)
