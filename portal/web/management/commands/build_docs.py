"""Builds the documentation that the portal serves under /docs/, unless these very texts are built already."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.web import docsite


class Command(BaseCommand):
    help = "Build the documentation from docs/ into the cache, and print where it lies."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        site = docsite.site_dir()
        try:
            docsite.build(site, root=settings.BASE_DIR)
        except docsite.DocsBuildError as exc:
            raise CommandError(f"The documentation cannot be built:\n{exc}") from exc
        self.stdout.write(str(site))
