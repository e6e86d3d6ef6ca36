"""App configuration: what people are told of."""

from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "portal.notices"
