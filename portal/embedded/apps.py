"""Makes `manage.py up` known to Django; no models, no start-up work."""

from django.apps import AppConfig


class EmbeddedConfig(AppConfig):
    """The one-machine start."""

    name = "portal.embedded"
    label = "embedded"
