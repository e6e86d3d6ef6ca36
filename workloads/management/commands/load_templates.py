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
from workloads.models import Template, TemplateVersion
from workloads.specs import Visibility, digest_of, spec_of, spec_problems

SHIPPED = Path(__file__).resolve().parents[2] / "templates"
_VERSIONED = ("title", "summary", "icon", "spec")
_COLUMNS = ("slug", *_VERSIONED, "position")


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
    """Add a changed file as a version; tell whether it was changed. What a version ever held is never loaded again.

    It becomes the current one, unless a person edited the template: theirs stays, and the new one waits beside it.
    """
    digest = digest_of(template)
    found = Template.objects.select_related("current").filter(tenant__isnull=True, slug=template["slug"]).first()
    if found is None:
        found = Template.objects.create(slug=template["slug"], visibility=Visibility.PUBLIC)
    elif found.versions.filter(digest=digest).exists():
        return False
    latest = found.versions.aggregate(latest=Max("number"))["latest"] or 0
    content = {name: template[name] for name in _VERSIONED}
    version = TemplateVersion.objects.create(template=found, number=latest + 1, shipped=True, digest=digest, **content)
    if found.current is None or found.current.shipped:
        found.current, found.position = version, template["position"]
        found.save(update_fields=["current", "position"])
    return True
