"""App configuration: who may use the platform."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "tenants"

    def ready(self) -> None:
        from portal.core import policy
        from tenants import models, roles

        policy.register([models.Tenant, models.Membership], roles.grants_on_tenant_object, roles.tenant_id_of)
