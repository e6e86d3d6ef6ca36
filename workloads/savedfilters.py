"""Filters that somebody keeps under a name of their own. Nobody else sees them: the person is all the policy asks."""

import uuid
from dataclasses import dataclass

from django.contrib.postgres.expressions import ArraySubquery
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import JSONObject, Lower
from django.utils.translation import gettext_lazy as _

from portal.core.errors import NotVisible, Rejected
from portal.core.models import User
from workloads.models import SavedFilter, Workload
from workloads.specs import MAX_FILTER_NAME, MAX_FILTER_QUERY

MOST_FILTERS = 30


@dataclass(frozen=True, slots=True)
class Kept:
    """A person's saved filters, and whether they ever submitted anything."""

    filters: list[SavedFilter]
    submitted: bool

    @property
    def default(self) -> SavedFilter | None:
        """The filter that the list opens with."""
        return next((one for one in self.filters if one.default), None)


def kept_by(*, user: User) -> Kept:
    """Return what the list asks of a person's habits, in one statement."""
    mine = SavedFilter.objects.filter(user=OuterRef("pk")).order_by(Lower("name"))
    filters = ArraySubquery(mine.values(row=JSONObject(id="id", name="name", query="query", default="default")))
    # By the id itself: of an owner that it does not know the database takes one for as likely as any, and reads it all.
    submitted = Exists(Workload.objects.filter(owner_id=user.pk))
    row = User.objects.filter(pk=user.pk).values(filters=filters, submitted=submitted).get()
    return Kept([SavedFilter(user=user, **one) for one in row["filters"][:MOST_FILTERS]], row["submitted"])


def filters_of(*, user: User) -> list[SavedFilter]:
    """Return a person's saved filters by name. One statement."""
    return list(SavedFilter.objects.filter(user=user).order_by(Lower("name"))[:MOST_FILTERS])


def filter_get(*, user: User, filter_id: uuid.UUID) -> SavedFilter:
    """Return one of the person's filters; raises NotVisible for any other. One statement."""
    found = SavedFilter.objects.filter(user=user, pk=filter_id).first()
    if found is None:
        raise NotVisible
    return found


def filter_save(*, actor: User, name: str, query: str) -> SavedFilter:
    """Keep a list's query string under a name. Raises Rejected by field: the name is taken, empty or too long."""
    named, asked = _name(name), query.lstrip("?")
    if len(asked) > MAX_FILTER_QUERY:
        raise Rejected({"query": [_("This filter is too long to be kept.")]})
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=actor.pk)  # two tabs cannot pass the limit together
        if SavedFilter.objects.filter(user=actor).count() >= MOST_FILTERS:
            raise Rejected({"name": [_("You have as many filters as can be kept. Delete one first.")]})
        return _stored(SavedFilter(user=actor, name=named, query=asked))


def filter_rename(*, actor: User, kept: SavedFilter, name: str) -> SavedFilter:
    """Give a filter another name. Raises NotVisible, Rejected by field."""
    found = filter_get(user=actor, filter_id=kept.pk)
    found.name = _name(name)
    return _stored(found)


def filter_make_default(*, actor: User, kept: SavedFilter, default: bool = True) -> SavedFilter:
    """Open the list with this filter from now on, or no longer. At most one is. Raises NotVisible."""
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=actor.pk)  # one after the other
        found = filter_get(user=actor, filter_id=kept.pk)
        SavedFilter.objects.filter(user=actor, default=True).update(default=False)
        if default:
            SavedFilter.objects.filter(pk=found.pk).update(default=True)
    found.default = default
    return found


def filter_delete(*, actor: User, kept: SavedFilter) -> None:
    """Forget a filter. Raises NotVisible."""
    filter_get(user=actor, filter_id=kept.pk).delete()


def _name(name: str) -> str:
    named = " ".join(name.replace("\0", "").split())
    if not named:
        raise Rejected({"name": [_("A filter needs a name.")]})
    if len(named) > MAX_FILTER_NAME:
        raise Rejected({"name": [_("The name is too long: at most 40 characters.")]})
    return named


def _stored(kept: SavedFilter) -> SavedFilter:
    try:
        with transaction.atomic():
            kept.save()
    except IntegrityError as taken:
        raise Rejected({"name": [_("You have a filter of this name.")]}) from taken
    return kept
