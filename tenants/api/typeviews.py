"""REST of resource types: a method parses, asks one selector or service, and answers."""

from rest_framework.request import Request
from rest_framework.response import Response

from portal.core import policy
from portal.core.api.once import created_once, replayed
from portal.core.api.paging import keyset_page, page_response, page_serializer
from portal.core.api.views import ApiView, caller, endpoint, parsed
from portal.core.policy import Action
from tenants import selectors, typeservices
from tenants.api.typeshapes import NewTypeSerializer, ResourceTypeSerializer, TypeChangeSerializer
from tenants.models import ResourceType
from tenants.typeservices import Draft

_NAMES = ("kube_name", "gpu_product", "key")


class ResourceTypesView(ApiView):
    """What pods may ask for."""

    @endpoint(Action.SIGNED_IN, answers={200: page_serializer(ResourceTypeSerializer)})
    def get(self, request: Request) -> Response:
        """List the resource types by key: what limits, quotas and requests are named by."""
        page = keyset_page(request, ResourceType.objects.all(), order=("key",))
        return page_response(request, page, ResourceTypeSerializer)

    @endpoint(Action.TYPE_EDIT, body=NewTypeSerializer, answers={201: ResourceTypeSerializer}, creates=True)
    def post(self, request: Request) -> Response:
        """Add a resource type, of which tenants can then be given quota; platform admins only."""
        user, values = caller(request), parsed(NewTypeSerializer, request)
        policy.require(user, Action.TYPE_EDIT)
        names = {name: values.pop(name) for name in _NAMES}
        made, again = created_once(
            request,
            lambda: typeservices.type_create(actor=user, draft=Draft(**values), **names),
            lambda first: ResourceType.objects.get(pk=first),
        )
        return replayed(Response(ResourceTypeSerializer(made).data, status=201), found=again)


class ResourceTypeView(ApiView):
    """One resource type."""

    @endpoint(Action.SIGNED_IN, answers={200: ResourceTypeSerializer})
    def get(self, request: Request, key: str) -> Response:
        """Show a resource type."""
        return Response(ResourceTypeSerializer(selectors.resource_type_get(key=key)).data)

    @endpoint(Action.TYPE_EDIT, body=TypeChangeSerializer, answers={200: ResourceTypeSerializer})
    def patch(self, request: Request, key: str) -> Response:
        """Change what is given of a resource type; its key and its name in Kubernetes stay. Platform admins only."""
        user = caller(request)
        policy.require(user, Action.TYPE_EDIT)
        found = selectors.resource_type_get(key=key)
        changes = parsed(TypeChangeSerializer, request, partial=True)
        now = {name: getattr(found, name) for name in Draft.__dataclass_fields__}
        changed = typeservices.type_update(actor=user, found=found, draft=Draft(**{**now, **changes}))
        return Response(ResourceTypeSerializer(changed).data)

    @endpoint(Action.TYPE_EDIT, answers={204: None})
    def delete(self, request: Request, key: str) -> Response:
        """Remove a resource type of which no tenant has quota; platform admins only."""
        user = caller(request)
        policy.require(user, Action.TYPE_EDIT)
        typeservices.type_delete(actor=user, found=selectors.resource_type_get(key=key))
        return Response(status=204)
