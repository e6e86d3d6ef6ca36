"""Loads the shipped templates: again and again without harm, a changed file as a new version."""

from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.db.models import Max
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from workloads import images
from workloads.explain import problem_texts
from workloads.models import Template
from workloads.specs import digest_of, spec_of, spec_problems

SHIPPED = Path(__file__).resolve().parents[2] / "templates"
_COLUMNS = ("slug", "title", "summary", "icon", "position", "spec")


class Command(BaseCommand):
    help = "Load the shipped templates; what has not changed is left alone."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--directory", type=Path, default=SHIPPED, help="where the YAML files lie")

    def handle(self, *_args: Any, directory: Path, **_options: Any) -> None:
        found = [read_template(path) for path in sorted(directory.glob("*.yaml"))]
        with transaction.atomic():
            loaded = [template["slug"] for template in found if load(template)]
        self.stdout.write(f"{len(found)} templates, {len(loaded)} new or changed.")


def read_template(path: Path) -> dict[str, Any]:
    """Return what a file holds, checked as a submission is. Raises CommandError that names the file."""
    try:
        found = YAML(typ="safe", pure=True).load(path)
        template = {name: found[name] for name in _COLUMNS}
        spec = spec_of(images.resolved(template["spec"], {}))
    except (YAMLError, KeyError, TypeError, AttributeError, msgspec.ValidationError) as error:
        raise CommandError(f"{path.name} is not a template: {error}") from error
    if problems := spec_problems(spec):
        raise CommandError(f"{path.name}: {problem_texts(problems)}")
    return template


def load(template: dict[str, Any]) -> bool:
    """Make a changed template the current version; tell whether it was changed."""
    digest = digest_of(template)
    versions = Template.objects.filter(tenant__isnull=True, slug=template["slug"])
    if versions.filter(current=True, digest=digest).exists():
        return False
    latest = versions.aggregate(latest=Max("version"))["latest"] or 0
    versions.update(current=False)
    Template.objects.create(version=latest + 1, digest=digest, **template)
    return True
