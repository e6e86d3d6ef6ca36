"""App configuration: what hardware there is."""

from django.apps import AppConfig


class GpuConfig(AppConfig):
    name = "gpu"
