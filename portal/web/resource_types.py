"""Pages of resource types: what pods may ask for, and what nodes offer that no type stands for yet."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from gpu.selectors import Offered, extended_resources, gpu_products
from portal.core import policy
from portal.core.errors import Conflict, Rejected
from portal.core.fields import CpuField, MemoryField
from portal.core.policy import Action
from portal.core.routes import person, route
from tenants import kubenames, typeservices
from tenants.forms import RejectingForm
from tenants.gauges import amount_text
from tenants.models import ResourceType, label_of
from tenants.presets import KNOWN, Known
from tenants.selectors import resource_type_get, resource_types
from tenants.specs import Unit
from tenants.typeservices import MAX_LABEL, MOST_POSITION, Draft

_NAMES = ("kube_name", "gpu_product", "key")
_WORD = {"spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}


class TypeForm(RejectingForm):
    """What a resource type is called, and its bounds; a new one also has a name in Kubernetes and a key."""

    kube_name = forms.CharField(
        label=gettext_lazy("Name in Kubernetes"),
        max_length=317,
        help_text=gettext_lazy("As nodes offer it, such as rdma/hca. It cannot be changed later."),
        widget=forms.TextInput(_WORD),
    )
    gpu_product = forms.CharField(
        label=gettext_lazy("GPU model"),
        max_length=63,
        required=False,
        help_text=gettext_lazy("The value of the nodes' label nvidia.com/gpu.product. Empty: no class of GPUs"),
        widget=forms.TextInput(_WORD),
    )
    key = forms.CharField(
        label=gettext_lazy("Key"),
        max_length=kubenames.MAX_KEY,
        required=False,
        help_text=gettext_lazy("What programs name it by. Empty: made of the name. It cannot be changed later."),
        widget=forms.TextInput(_WORD),
    )
    label_en = forms.CharField(label=gettext_lazy("Name in English"), max_length=MAX_LABEL)
    label_zh = forms.CharField(
        label=gettext_lazy("Name in Chinese"),
        max_length=MAX_LABEL,
        required=False,
        help_text=gettext_lazy("Empty: the English one"),
    )
    largest_per_pod = forms.IntegerField(
        label=gettext_lazy("Most in one pod"), required=False, help_text=gettext_lazy("Empty: as much as a node has")
    )
    price_weight = forms.DecimalField(
        label=gettext_lazy("Price weight"),
        max_digits=12,
        decimal_places=4,
        initial=0,
        help_text=gettext_lazy("Of a core, a GiB or a piece for an hour. 0: free"),
    )
    position = forms.IntegerField(
        label=gettext_lazy("Place"),
        min_value=0,
        max_value=MOST_POSITION,
        help_text=gettext_lazy("Lists and forms show smaller numbers first."),
    )

    def __init__(self, *args: Any, found: ResourceType | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if found is None:
            return
        for name in _NAMES:
            del self.fields[name]
        sized: dict[str, Callable[..., forms.Field]] = {Unit.MILLICORES: CpuField, Unit.MIB: MemoryField}
        if found.unit in sized:
            old = self.fields["largest_per_pod"]
            self.fields["largest_per_pod"] = sized[found.unit](label=old.label, required=False, help_text=old.help_text)
        names = ("label_en", "label_zh", "largest_per_pod", "price_weight", "position")
        values = {name: getattr(found, name) for name in names} | {"price_weight": _weight_text(found)}
        self.initial = {**values, **self.initial}

    def draft(self) -> Draft:
        """Return what a form that is valid says."""
        return Draft(**{name: value for name, value in self.cleaned_data.items() if name not in _NAMES})


@dataclass(frozen=True, slots=True)
class Shown:
    """A resource type as the table shows it."""

    item: ResourceType
    largest: str
    weight: str


@dataclass(frozen=True, slots=True)
class Adoptable:
    """Something that nodes offer and no type stands for: its name, the query of the form that adds it, and how much."""

    name: str
    query: str
    nodes: int
    amount: str


@route(Action.SIGNED_IN)
@require_GET
def types(request: HttpRequest) -> HttpResponse:
    found = resource_types()
    may_edit = policy.allowed(person(request), Action.TYPE_EDIT)
    context = {
        "rows": [_shown(one) for one in found],
        "unknown": _unknown(found) if may_edit else [],
        "may_edit": may_edit,
    }
    return render(request, "resource_types/list.html", context)


@route(Action.TYPE_EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    user = person(request)
    policy.require(user, Action.TYPE_EDIT)
    form = TypeForm(request.POST or None, initial=_first_values(request.GET))
    if form.is_valid():
        values = form.cleaned_data
        try:
            typeservices.type_create(actor=user, draft=form.draft(), **{name: values[name] for name in _NAMES})
        except Rejected as rejected:
            form.reject(rejected)
        else:
            messages.success(
                request, _("%(name)s is added. Give tenants quota of it next.") % {"name": values["label_en"]}
            )
            return redirect("resource_types:list")
    taken = {found.kube_name for found in resource_types()}
    context = {
        "form": form,
        "known": [(one.kube_name, label_of(one.label_en, one.label_zh)) for one in KNOWN if one.kube_name not in taken],
    }
    return render(request, "resource_types/form.html", context, status=400 if form.errors else 200)


@route(Action.TYPE_EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, key: str) -> HttpResponse:
    user = person(request)
    policy.require(user, Action.TYPE_EDIT)
    found = resource_type_get(key=key)
    form = TypeForm(request.POST or None, found=found)
    if form.is_valid():
        try:
            typeservices.type_update(actor=user, found=found, draft=form.draft())
        except Rejected as rejected:
            form.reject(rejected)
        else:
            messages.success(request, _("%(name)s is saved.") % {"name": found.label})
            return redirect("resource_types:list")
    context = {"form": form, "found": found}
    return render(request, "resource_types/form.html", context, status=400 if form.errors else 200)


@route(Action.TYPE_EDIT)
@require_POST
def delete(request: HttpRequest, key: str) -> HttpResponse:
    user = person(request)
    policy.require(user, Action.TYPE_EDIT)
    found = resource_type_get(key=key)
    try:
        typeservices.type_delete(actor=user, found=found)
    except Conflict as conflict:
        messages.error(request, str(conflict.message))
    else:
        messages.success(request, _("%(name)s is removed.") % {"name": found.label})
    return redirect("resource_types:list")


def _unknown(found: list[ResourceType]) -> list[Adoptable]:
    """Return what nodes offer and no type stands for: resources, and models of GPUs."""
    names, products = {one.kube_name for one in found}, {one.gpu_product for one in found}
    resources = [
        Adoptable(one.kube_name, urlencode({"kube_name": one.kube_name}), one.nodes, _amount(one))
        for one in extended_resources()
        if one.kube_name not in names
    ]
    models = [
        Adoptable(one.kube_name, urlencode({"gpu_product": one.kube_name}), one.nodes, str(one.amount))
        for one in gpu_products()
        if one.kube_name not in products
    ]
    return resources + models


def _first_values(query: QueryDict) -> dict[str, Any]:
    """Return the values of a new type's form: those of a known one, where the name is that of one."""
    name, product = (query.get(part, "").replace("\0", "")[:317] for part in ("kube_name", "gpu_product"))
    name = kubenames.GPU if product else name
    own = Known(name, kubenames.key_of(product or name), product.replace("-", " "), "")
    found = next((one for one in KNOWN if one.kube_name == name), own)
    return {**found._asdict(), "gpu_product": product, "position": typeservices.next_position(), "price_weight": 0}


def _shown(found: ResourceType) -> Shown:
    most = found.largest_per_pod
    largest = "" if most is None else amount_text(Unit(found.unit), most)
    return Shown(found, largest, _weight_text(found) if found.price_weight else "")


def _weight_text(found: ResourceType) -> str:
    """Return a price weight without the zeros that say nothing."""
    return f"{found.price_weight.normalize():f}"


def _amount(offered: Offered) -> str:
    return amount_text(kubenames.unit_of(offered.kube_name), offered.amount)
