"""The list's state as it lives in the URL: which work, of whom, in which state, where in the pages. No request key
reaches a query but through these fields."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.core.models import User
from tenants import roles
from tenants.choices import PRIORITY_CHOICES
from tenants.specs import Priority, slug_valid
from workloads.choices import STATE_CHOICES
from workloads.models import SavedFilter
from workloads.selectors import Cursor, Filters, cursor_of
from workloads.specs import ACTIVE, KINDS, State

MAX_TEXT = 100
MAX_OWNER = 150
VIEWS: dict[str, tuple[str | Promise, bool, bool]] = {
    "mine-active": (_("Mine, active"), True, True),
    "mine": (_("All mine"), True, False),
    "active": (_("Active"), False, True),
    "all": (_("All"), False, False),
}
WITHIN: dict[str, tuple[Promise, dt.timedelta]] = {
    "1d": (_("Last day"), dt.timedelta(days=1)),
    "7d": (_("Last 7 days"), dt.timedelta(days=7)),
    "30d": (_("Last 30 days"), dt.timedelta(days=30)),
}
NARROWING = ("state", "kind", "priority", "tenant", "owner", "text", "within", "since", "until")
KEYS = {"text": "q"}  # fields whose name in the URL is another


@dataclass(frozen=True, slots=True)
class ViewLink:
    """A preset of the list, or a saved filter."""

    label: str | Promise
    url: str
    current: bool


@dataclass(frozen=True, slots=True)
class SetFilter:
    """A filter that is set and stands in no field in sight, with the list without it."""

    label: str | Promise
    value: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What the list shows and where in its pages it stands."""

    view: str
    default_view: str
    state: str = ""
    kind: str = ""
    priority: str = ""
    tenant: str = ""
    owner: str = ""
    text: str = ""
    within: str = ""
    since: str = ""
    until: str = ""
    order: str = ""
    after: str = ""
    before: str = ""

    @property
    def filters(self) -> Filters:
        """What to ask the selector for."""
        _label, mine, active = VIEWS[self.view]
        return Filters(
            mine=mine,
            active=active,
            state=self.state,
            tenant=self.tenant,
            text=self.text,
            kind=self.kind,
            priority=self.priority,
            owner=self.owner,
            created_from=self._created_from(),
            created_until=_midnight(self.until, days=1),
        )

    @property
    def cursor(self) -> Cursor | None:
        """Where in the pages it stands; None on the first."""
        return cursor_of(self.before, before=True) if self.before else cursor_of(self.after)

    @property
    def oldest_first(self) -> bool:
        return self.order == "oldest"

    @property
    def narrowed(self) -> bool:
        """Whether more than the view decides what is shown."""
        return any(getattr(self, name) for name in NARROWING)

    @property
    def first_page(self) -> bool:
        return not (self.after or self.before)

    @property
    def takes_new(self) -> bool:
        """Whether rows that are submitted from now on belong to what is shown."""
        return self.first_page and not self.oldest_first and not self.until

    @property
    def states(self) -> list[str]:
        """The states that rows of this list may have; empty where any will do."""
        if self.state:
            return [self.state]
        return sorted(ACTIVE) if VIEWS[self.view][2] else []

    @property
    def rows_query(self) -> str:
        """The query string with which the rows of this list are asked for: what narrows it, not where it stands."""
        return self.query_of(("view", *NARROWING))

    @property
    def saved_query(self) -> str:
        """The query string that a saved filter keeps."""
        return self.query_of(("view", *NARROWING, "order"))

    def query(self, **changes: str) -> str:
        """Return the query string of this list with other values; the place in the pages is kept only if given."""
        wanted = replace(self, **{"after": "", "before": "", **changes})
        return wanted.query_of(("view", *NARROWING, "order", "after", "before"))

    def at(self, cursor: Cursor | None) -> str:
        """Return the query string of the page at a cursor; "" where there is none."""
        if cursor is None:
            return ""
        return self.query(before=cursor.token()) if cursor.before else self.query(after=cursor.token())

    def views(self) -> list[ViewLink]:
        """Return the presets as links that keep tenant and search."""
        return [
            ViewLink(label, self.query(view=name, state=""), name == self.view)
            for name, (label, _mine, _active) in VIEWS.items()
        ]

    def saved(self, kept: Iterable[SavedFilter]) -> list[ViewLink]:
        """Return a person's saved filters as links."""
        return [ViewLink(one.name, f"?{one.query}", f"?{one.query}" == self.saved_query) for one in kept]

    def set_filters(self) -> list[SetFilter]:
        """Return the filters that stand in no field in sight, as what can be taken away."""
        words: list[tuple[str, str | Promise, str]] = [
            ("kind", _("Kind"), self.kind),
            ("priority", _("Priority"), str(dict(PRIORITY_CHOICES).get(self.priority, ""))),
            ("owner", _("Owner"), self.owner),
            ("since", _("From"), self.since),
            ("until", _("To"), self.until),
        ]
        return [SetFilter(label, value, self.query(**{name: ""})) for name, label, value in words if value]

    def order_url(self) -> str:
        """Return the query string of this list the other way round."""
        return self.query(order="" if self.oldest_first else "oldest")

    def query_of(self, names: Iterable[str]) -> str:
        """Return the query string of some of the fields."""
        fields = {KEYS.get(name, name): getattr(self, name) for name in names}
        return "?" + urlencode({name: value for name, value in fields.items() if value})

    def _created_from(self) -> dt.datetime | None:
        if self.within:
            return timezone.now() - WITHIN[self.within][1]
        return _midnight(self.since)


def listing_of(query: Mapping[str, str], user: User) -> Listing:
    """Read a query string; values that mean nothing are left out."""
    default = "active" if user.is_platform_admin or user.is_auditor else "mine-active"
    view, tenant, within = query.get("view", ""), query.get("tenant", ""), query.get("within", "")
    return Listing(
        view=view if view in VIEWS else default,
        default_view=default,
        state=_one_of(query.get("state", ""), set(State)),
        kind=_one_of(query.get("kind", ""), KINDS),
        priority=_one_of(query.get("priority", ""), set(Priority)),
        tenant=tenant if slug_valid(tenant) else "",
        owner=_text(query.get("owner", ""), MAX_OWNER),
        text=_text(query.get("q", ""), MAX_TEXT),
        within=within if within in WITHIN else "",
        since="" if within in WITHIN else _date(query.get("since", "")),
        until=_date(query.get("until", "")),
        order=_one_of(query.get("order", ""), {"oldest"}),
        after=query.get("after", ""),
        before=query.get("before", ""),
    )


def choices() -> dict[str, list[tuple[str, str | Promise]]]:
    """Return what the fields of the filter offer."""
    return {
        "states": [(value, label) for value, label in STATE_CHOICES],
        "withins": [(value, label) for value, (label, _span) in WITHIN.items()],
        "kinds": [("job", _("Job"))],
        "priorities": [(value, label) for value, label in PRIORITY_CHOICES],
    }


def shows_tenants(user: User) -> bool:
    """Tell whether the user's lists need a column that says whose tenant a row is of."""
    return user.is_platform_admin or user.is_auditor or len(roles.memberships_of(user)) > 1


def _one_of(value: str, known: Iterable[str]) -> str:
    return value if value in set(known) else ""


def _text(value: str, most: int) -> str:
    return value.replace("\0", "").strip()[:most]


def _date(value: str) -> str:
    try:
        found = parse_date(value)
    except ValueError:
        return ""
    # the ends of the calendar have no midnight in every zone
    return found.isoformat() if found and dt.date.min.year < found.year < dt.date.max.year else ""


def _midnight(day: str, *, days: int = 0) -> dt.datetime | None:
    found = parse_date(day) if day else None
    if found is None:
        return None
    return timezone.make_aware(dt.datetime.combine(found + dt.timedelta(days=days), dt.time()))
