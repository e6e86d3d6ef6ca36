"""App configuration: who may use the platform."""

from dataclasses import asdict
from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class TenantsConfig(AppConfig):
    name = "tenants"

    def ready(self) -> None:
        from portal.core import policy
        from tenants import models, roles

        policy.register([models.Tenant, models.Membership], roles.grants_on_tenant_object, roles.tenant_id_of)
        post_migrate.connect(_make_presets, sender=self)


def _make_presets(**_of_signal: Any) -> None:
    """Make the resource types that every installation has, after each migration and each flush of a test."""
    from tenants.models import ResourceType
    from tenants.presets import ALWAYS

    ResourceType.objects.bulk_create((ResourceType(**asdict(preset)) for preset in ALWAYS), ignore_conflicts=True)
