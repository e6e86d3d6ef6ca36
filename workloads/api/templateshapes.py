"""Templates by REST: what comes in, what goes out as OpenAPI tells of it, and the answers themselves."""

from typing import Any

from rest_framework import serializers

from portal.core.models import User
from workloads import specs, templatereads
from workloads.api.requests import SpecSerializer
from workloads.api.shapes import DifferenceSerializer, StoredSpecSerializer
from workloads.api.strict import NumberField, StrictSerializer, TextField
from workloads.api.told import Told, spec_told, stamp
from workloads.models import Template, TemplateVersion

MAX_TEXT = 100
VISIBILITIES = [visibility.value for visibility in specs.Visibility]
_Shape = serializers.Serializer[Any]


class TemplateQuerySerializer(StrictSerializer):
    """Which templates; every parameter narrows the list."""

    berth_allowed = frozenset({"limit", "cursor"})
    q = serializers.CharField(required=False, max_length=MAX_TEXT, help_text="Part of a title, summary or slug.")
    visibility = serializers.ChoiceField(choices=VISIBILITIES, required=False)
    tenant = serializers.CharField(required=False, max_length=40, help_text="A slug.")
    mine = serializers.BooleanField(required=False, default=False)
    archived = serializers.BooleanField(required=False, default=False, help_text="Archived ones instead of the others.")


class _TextsSerializer(StrictSerializer):
    summary = TextField(required=False, allow_blank=True, max_length=specs.MAX_TEMPLATE_SUMMARY)
    note = TextField(
        required=False, allow_blank=True, max_length=specs.MAX_TEMPLATE_NOTE, help_text="What is new in this version."
    )


class NewTemplateSerializer(_TextsSerializer):
    """A template; only you and the tenant's admins see it until it is shared."""

    tenant = TextField(max_length=40, help_text="The slug of the tenant that it belongs to.")
    slug = TextField(required=False, max_length=specs.MAX_TEMPLATE_SLUG, help_text="Made of the title by default.")
    title = TextField(max_length=specs.MAX_TEMPLATE_TITLE)
    spec = SpecSerializer()


class NewVersionSerializer(_TextsSerializer):
    """The next version; what is left out stays as it is."""

    title = TextField(required=False, max_length=specs.MAX_TEMPLATE_TITLE)
    spec = SpecSerializer(required=False)
    seen = NumberField(
        required=False, min_value=1, max_value=specs.MAX_TEMPLATE_VERSION, help_text="409 if it is not the newest one."
    )


class TemplateChangeSerializer(StrictSerializer):
    """Who may see and use a template."""

    visibility = serializers.ChoiceField(choices=VISIBILITIES)


class TemplateRowSerializer(_Shape):
    """A template in a list."""

    id = serializers.UUIDField()
    ref = serializers.CharField(help_text="What the `template` of a submission names.")
    slug = serializers.CharField()
    tenant = serializers.CharField(allow_null=True, help_text="A slug; null: it comes with Berth.")
    owner = serializers.CharField(allow_null=True, help_text="A user name, for those of its tenant.")
    visibility = serializers.ChoiceField(choices=VISIBILITIES)
    archived = serializers.BooleanField()
    version = serializers.IntegerField(help_text="The newest one.")
    title = serializers.CharField()
    summary = serializers.CharField(allow_blank=True)
    created = serializers.DateTimeField()
    updated = serializers.DateTimeField(help_text="When its newest version was made.")


class TemplateSerializer(TemplateRowSerializer):
    """A starting point for submissions, as its newest version says."""

    spec = StoredSpecSerializer(help_text="The body of a submission, with the image that it means here.")
    uses = serializers.IntegerField(help_text="Workloads from it that you may see, counted up to 100.")


class VersionRowSerializer(_Shape):
    """A version in a list."""

    number = serializers.IntegerField()
    title = serializers.CharField()
    summary = serializers.CharField(allow_blank=True)
    note = serializers.CharField(allow_blank=True)
    author = serializers.CharField(allow_null=True, help_text="A user name, for those of its tenant.")
    shipped = serializers.BooleanField(help_text="Whether it came with Berth.")
    created = serializers.DateTimeField()


class VersionSerializer(VersionRowSerializer):
    """What a template said from one change to the next."""

    spec = StoredSpecSerializer(help_text="The body of a submission, with the image that it means here.")


class VersionDiffSerializer(_Shape):
    """What differs between two versions' specs."""

    left = serializers.IntegerField()
    right = serializers.IntegerField()
    differences = DifferenceSerializer(many=True)


def row_told(template: Template, user: User) -> Told:
    """Return a template as a list shows it; its tenant, owner and current version must be loaded."""
    version = _current(template)
    owner = template.owner if templatereads.shows_people(user, template) else None
    return {
        "id": str(template.pk),
        "ref": template.ref,
        "slug": template.slug,
        "tenant": template.tenant.slug if template.tenant else None,
        "owner": owner.username if owner else None,
        "visibility": template.visibility,
        "archived": template.archived_at is not None,
        "version": version.number,
        "title": version.title,
        "summary": version.summary,
        "created": stamp(template.created),
        "updated": stamp(version.created),
    }


def template_told(template: Template, user: User) -> Told:
    """Return a template with what it says now; it comes from `template_get`."""
    return {
        **row_told(template, user),
        "spec": spec_told(templatereads.starting_spec(template, _current(template))),
        "uses": template.uses,  # type: ignore[attr-defined]
    }


def version_row_told(version: TemplateVersion, *, people: bool) -> Told:
    """Return a version as a list shows it; its author must be loaded. `people`: whether the caller may know them."""
    return {
        "number": version.number,
        "title": version.title,
        "summary": version.summary,
        "note": version.note,
        "author": version.author.username if version.author and people else None,
        "shipped": version.shipped,
        "created": stamp(version.created),
    }


def version_told(template: Template, version: TemplateVersion, *, people: bool) -> Told:
    """Return a version with its spec."""
    spec = spec_told(templatereads.starting_spec(template, version))
    return {**version_row_told(version, people=people), "spec": spec}


def _current(template: Template) -> TemplateVersion:
    current: TemplateVersion = template.current  # type: ignore[assignment]
    return current
