"""App configuration of portal.live."""

from django.apps import AppConfig


class LiveConfig(AppConfig):
    name = "portal.live"
    label = "live"

    def ready(self) -> None:
        from portal.live import checks  # noqa: F401 (registers them)
