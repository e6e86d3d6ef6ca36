"""What administrators do to resource types: policy, rows, audit. What nobody has quota of can go again."""

import re
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from portal.core import audit, policy
from portal.core.errors import Conflict, NotVisible, Rejected, Text, reject
from portal.core.models import User
from portal.core.policy import Action
from portal.core.transactions import retried
from tenants import kubenames
from tenants.models import PoolLine, QuotaLine, ResourceType
from tenants.specs import MOST, Unit

MAX_LABEL = 60
MOST_WEIGHT = Decimal(10_000_000)
MOST_POSITION = 32_767
_CONSTRAINT = re.compile(r"resourcetype_kube_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What an administrator says of a resource type. An empty Chinese label is the English one."""

    label_en: str
    label_zh: str = ""
    largest_per_pod: int | None = None
    price_weight: Decimal = Decimal(0)
    position: int = 100

    def values(self) -> dict[str, Any]:
        """Return the columns, as they are stored."""
        label, weight = self.label_en.strip(), Decimal(self.price_weight)
        return {**asdict(self), "label_en": label, "label_zh": self.label_zh.strip() or label, "price_weight": weight}


@retried
def type_create(*, actor: User, kube_name: str, draft: Draft, key: str = "", gpu_product: str = "") -> ResourceType:
    """Add a resource type; without a key one is made of its name. From then on tenants can be given quota of it.

    With `gpu_product` it is a class of GPUs. Raises Denied, Rejected by field.
    """
    policy.require(actor, Action.TYPE_EDIT)
    chosen = key or kubenames.key_of(gpu_product or kube_name)
    errors = _name_errors(kube_name, gpu_product, chosen)
    reject({**errors, **_draft_errors(draft, kubenames.unit_of(kube_name))})
    found = ResourceType(
        key=chosen,
        kube_name=kube_name,
        unit=kubenames.unit_of(kube_name),
        quota_key=kubenames.quota_key_of(kube_name, gpu_product),
        gpu_product=gpu_product,
        **draft.values(),
    )
    try:
        with transaction.atomic():
            found.save(force_insert=True)
            audit.record(actor=actor, action="resource_type.create", target=found, after=_told(found))
    except IntegrityError as error:
        field = "kube_name" if _CONSTRAINT.search(str(error)) else "key"
        text = {"kube_name": _("There is a type of this name already."), "key": _("Another type has this key.")}
        raise Rejected({field: [text[field]]}) from error
    return found


@retried
def type_update(*, actor: User, found: ResourceType, draft: Draft) -> ResourceType:
    """Change what a resource type is called, its largest amount in a pod, its price or place; its name stays.

    Raises Denied, Rejected by field, NotVisible where it was removed meanwhile.
    """
    policy.require(actor, Action.TYPE_EDIT)
    reject(_draft_errors(draft, Unit(found.unit)))
    with transaction.atomic():
        locked = ResourceType.objects.select_for_update(no_key=True).filter(pk=found.pk).first()
        if locked is None:
            raise NotVisible
        before = _told(locked)
        for name, value in draft.values().items():
            setattr(locked, name, value)
        after = _told(locked)
        if after != before:
            locked.save(update_fields=list(draft.values()))
            audit.record(actor=actor, action="resource_type.update", target=locked, before=before, after=after)
    return locked


@retried
def type_delete(*, actor: User, found: ResourceType) -> None:
    """Remove a resource type of which no tenant has or holds anything. Raises Denied, Conflict."""
    policy.require(actor, Action.TYPE_EDIT)
    if found.built_in:
        raise Conflict(_("It comes with Berth and cannot be removed."))
    with transaction.atomic():
        locked = ResourceType.objects.select_for_update().filter(pk=found.pk).first()
        if locked is None:
            return
        lines = QuotaLine.objects.select_for_update().filter(type=locked)
        if any(line.line.hard or line.used for line in lines):
            raise Conflict(_("Tenants have quota of it. Take that away first."))
        lines.delete()
        PoolLine.objects.filter(type=locked).delete()
        audit.record(actor=actor, action="resource_type.delete", target=locked, before=_told(locked))
        locked.delete()


def next_position() -> int:
    """Return the place after all types. One statement."""
    last = ResourceType.objects.order_by(F("position").desc()).values_list("position", flat=True).first() or 0
    return min(last + 10, MOST_POSITION)


def _told(found: ResourceType) -> dict[str, Any]:
    names = ("key", "kube_name", "gpu_product", "label_en", "label_zh", "largest_per_pod", "position")
    return {**{name: getattr(found, name) for name in names}, "price_weight": str(found.price_weight.normalize())}


def _name_errors(kube_name: str, gpu_product: str, key: str) -> dict[str, list[Text]]:
    errors: dict[str, list[Text]] = {}
    if gpu_product and kube_name != kubenames.GPU:
        errors["gpu_product"] = [_("Only %(name)s has classes.") % {"name": kubenames.GPU}]
    elif gpu_product and not kubenames.product_valid(gpu_product):
        errors["gpu_product"] = [_("Enter the value of the nodes' label nvidia.com/gpu.product.")]
    elif not kubenames.nameable(kube_name):
        errors["kube_name"] = [_("Enter a name such as rdma/hca or xilinx.com/fpga-u250, as nodes offer it.")]
    elif not kubenames.key_valid(key):
        errors["key"] = [_("Use small letters, digits, hyphens and underscores, at most 40.")]
    return errors


def _draft_errors(draft: Draft, unit: Unit) -> dict[str, list[Text]]:
    errors: dict[str, list[Text]] = {}
    if not 0 < len(draft.label_en.strip()) <= MAX_LABEL:
        errors["label_en"] = [_("Enter a name of at most %(most)d characters.") % {"most": MAX_LABEL}]
    if len(draft.label_zh.strip()) > MAX_LABEL:
        errors["label_zh"] = [_("Enter a name of at most %(most)d characters.") % {"most": MAX_LABEL}]
    if draft.largest_per_pod is not None and not 1 <= draft.largest_per_pod <= MOST[unit]:
        errors["largest_per_pod"] = [_("Enter a number from 1 to %(most)d.") % {"most": MOST[unit]}]
    if not 0 <= draft.price_weight <= MOST_WEIGHT:
        errors["price_weight"] = [_("Enter a number from 0 to %(most)d.") % {"most": MOST_WEIGHT}]
    if not 0 <= draft.position <= MOST_POSITION:
        errors["position"] = [_("Enter a number from 0 to %(most)d.") % {"most": MOST_POSITION}]
    return errors
