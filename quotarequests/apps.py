"""App configuration: who asks for more quota, and who decides."""

from django.apps import AppConfig


class QuotaRequestsConfig(AppConfig):
    name = "quotarequests"

    def ready(self) -> None:
        from portal.core import policy
        from portal.notices import wording
        from quotarequests import models, telling
        from tenants import roles

        policy.register([models.QuotaRequest], roles.grants_on_tenant_object, roles.tenant_id_of)
        wording.register(telling.TELLERS)
