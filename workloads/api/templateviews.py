"""Endpoints of templates and their versions. A handler parses, asks one selector or service, and tells."""

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from portal.core.api.once import created_once, replayed
from portal.core.api.paging import keyset_page, list_response, page_response, page_serializer
from portal.core.api.views import ApiView, caller, endpoint, found, parsed, parsed_query
from portal.core.errors import Rejected
from portal.core.models import User
from portal.core.policy import Action
from tenants.api.shapes import HistorySerializer
from tenants.models import Tenant
from workloads import specs, templatereads, templating
from workloads.api import templateshapes as shapes
from workloads.api.requests import attr_of, spec_of
from workloads.compare import spec_differences
from workloads.models import Template, TemplateVersion
from workloads.specs import Visibility
from workloads.templatereads import Wanted, shows_people, version_get
from workloads.templating import Draft


class TemplatesView(ApiView):
    @endpoint(
        Action.TEMPLATE_VIEW,
        answers={200: page_serializer(shapes.TemplateRowSerializer)},
        query=shapes.TemplateQuerySerializer,
    )
    def get(self, request: Request) -> Response:
        """List the templates that you may see by title: yours, your tenants', everybody's."""
        user, asked = caller(request), parsed_query(shapes.TemplateQuerySerializer, request)
        wanted = Wanted(
            text=asked.get("q", ""),
            visibility=asked.get("visibility", ""),
            tenant=asked.get("tenant", ""),
            mine=asked["mine"],
            archived=asked["archived"],
        )
        page = keyset_page(
            request, templatereads.template_rows(user=user, wanted=wanted), order=("current__title", "id")
        )
        return list_response(request, [shapes.row_told(row, user) for row in page.rows], page.token)

    @endpoint(
        Action.TEMPLATE_CREATE,
        body=shapes.NewTemplateSerializer,
        answers={201: shapes.TemplateSerializer},
        creates=True,
    )
    def post(self, request: Request) -> Response:
        """Make a template of a tenant."""
        user, values = caller(request), parsed(shapes.NewTemplateSerializer, request)
        tenant = found(Tenant.objects.visible_to(user).filter(slug=values["tenant"]), "tenant", values["tenant"])
        draft = Draft(
            title=values["title"],
            summary=values.get("summary", ""),
            note=values.get("note", ""),
            spec=spec_of(values["spec"]),
        )
        template, again = created_once(
            request,
            lambda: _by_attr(
                templating.template_create, actor=user, tenant=tenant, draft=draft, slug=values.get("slug", "")
            ),
            lambda first: _get(user, first),
        )
        return replayed(_shown(user, template.pk, status=201), found=again)


class TemplateView(ApiView):
    @endpoint(Action.TEMPLATE_VIEW, answers={200: shapes.TemplateSerializer})
    def get(self, request: Request, template_id: UUID) -> Response:
        """Show a template as its newest version says."""
        return _shown(caller(request), template_id)

    @endpoint(Action.TEMPLATE_EDIT, body=shapes.TemplateChangeSerializer, answers={200: shapes.TemplateSerializer})
    def patch(self, request: Request, template_id: UUID) -> Response:
        """Say who may see and use a template: tenant admins share it in the tenant, platform admins with everybody."""
        user = caller(request)
        template = _get(user, template_id)
        visibility = Visibility(parsed(shapes.TemplateChangeSerializer, request)["visibility"])
        templating.template_show_to(actor=user, template=template, visibility=visibility)
        return _shown(user, template_id)


class TemplateArchiveView(ApiView):
    @endpoint(Action.TEMPLATE_EDIT, answers={200: shapes.TemplateSerializer})
    def post(self, request: Request, template_id: UUID) -> Response:
        """Take a template out of lists and the submit form; it stays readable. Twice is the same as once."""
        user = caller(request)
        templating.template_archive(actor=user, template=_get(user, template_id))
        return _shown(user, template_id)


class TemplateUnarchiveView(ApiView):
    @endpoint(Action.TEMPLATE_EDIT, answers={200: shapes.TemplateSerializer})
    def post(self, request: Request, template_id: UUID) -> Response:
        """Bring an archived template back. Twice is the same as once."""
        user = caller(request)
        templating.template_unarchive(actor=user, template=_get(user, template_id))
        return _shown(user, template_id)


class TemplateHistoryView(ApiView):
    @endpoint(Action.TEMPLATE_EDIT, answers={200: page_serializer(HistorySerializer)})
    def get(self, request: Request, template_id: UUID) -> Response:
        """List what was done to a template, newest first; for those who may change it."""
        user = caller(request)
        rows = templatereads.template_history(user=user, template=_get(user, template_id))
        return page_response(request, keyset_page(request, rows, order=("-id",)), HistorySerializer)


class TemplateVersionsView(ApiView):
    @endpoint(Action.TEMPLATE_VIEW, answers={200: page_serializer(shapes.VersionRowSerializer)})
    def get(self, request: Request, template_id: UUID) -> Response:
        """List a template's versions, newest first."""
        user = caller(request)
        template = _get(user, template_id)
        rows = TemplateVersion.objects.filter(template=template).select_related("author").defer("spec")
        page = keyset_page(request, rows, order=("-number",))
        people = shows_people(user, template)
        return list_response(request, [shapes.version_row_told(row, people=people) for row in page.rows], page.token)

    @endpoint(
        Action.TEMPLATE_EDIT,
        body=shapes.NewVersionSerializer,
        answers={200: shapes.VersionSerializer, 201: shapes.VersionSerializer},
    )
    def post(self, request: Request, template_id: UUID) -> Response:
        """Make the next version; 200 with the newest one where nothing differs from it."""
        user = caller(request)
        template = _get(user, template_id)
        values = parsed(shapes.NewVersionSerializer, request)
        version, made = _by_attr(
            templating.template_new_version,
            actor=user,
            template=template,
            draft=_draft(template, values),
            seen=values.get("seen"),
        )
        told = shapes.version_told(template, version, people=shows_people(user, template))
        return Response(told, status=201 if made else 200)


class TemplateVersionView(ApiView):
    @endpoint(Action.TEMPLATE_VIEW, answers={200: shapes.VersionSerializer})
    def get(self, request: Request, template_id: UUID, number: int) -> Response:
        """Show one version of a template."""
        user = caller(request)
        template = _get(user, template_id)
        version = version_get(template=template, number=number)
        return Response(shapes.version_told(template, version, people=shows_people(user, template)))


class TemplateVersionDiffView(ApiView):
    @endpoint(Action.TEMPLATE_VIEW, answers={200: shapes.VersionDiffSerializer})
    def get(self, request: Request, template_id: UUID, number: int, other: int) -> Response:
        """Tell what changed between two versions, field by field."""
        template = _get(caller(request), template_id)
        left, right = (version_get(template=template, number=asked) for asked in (number, other))
        differences = [
            {"field": each.field, "change": each.change.value, "left": each.left, "right": each.right}
            for each in spec_differences(*(templatereads.plain_spec(version) for version in (left, right)))
        ]
        return Response({"left": left.number, "right": right.number, "differences": differences})


def _get(user: User, template_id: UUID) -> Template:
    return templatereads.template_get(user=user, template_id=template_id)


def _shown(user: User, template_id: UUID, *, status: int = 200) -> Response:
    return Response(shapes.template_told(_get(user, template_id), user), status=status)


def _draft(template: Template, values: dict[str, Any]) -> Draft:
    """Return what the next version says: the newest one's words where the body has none."""
    current: TemplateVersion = template.current  # type: ignore[assignment]
    kept = specs.spec_of(templatereads.plain_spec(current))
    return Draft(
        title=values.get("title", current.title),
        summary=values.get("summary", current.summary),
        note=values.get("note", ""),
        spec=spec_of(values["spec"]) if "spec" in values else kept,
        base=current,
    )


def _by_attr(service: Any, **arguments: Any) -> Any:
    """Call a service, and let its complaints name the body's fields: those of the spec below `spec`."""
    try:
        return service(**arguments)
    except Rejected as rejected:
        own = {"title", "summary", "note", "slug"}
        named = {field if field in own else f"spec.{attr_of(field)}": texts for field, texts in rejected.fields.items()}
        raise Rejected(named) from rejected
