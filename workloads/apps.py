"""App configuration: what runs."""

from django.apps import AppConfig


class WorkloadsConfig(AppConfig):
    name = "workloads"

    def ready(self) -> None:
        from portal.core import policy
        from tenants import roles
        from workloads import models

        policy.register([models.Workload, models.Attempt], roles.grants_on_tenant_object)
