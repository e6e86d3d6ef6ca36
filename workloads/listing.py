"""The list's state as it lives in the URL: which work, of whom, in which state, where in the pages. No request key
reaches a query but through these fields."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.core.models import User
from tenants import roles
from tenants.specs import slug_valid
from workloads.selectors import Cursor, Filters, cursor_of
from workloads.specs import ACTIVE, State

MAX_TEXT = 100
VIEWS: dict[str, tuple[str | Promise, bool, bool]] = {
    "mine-active": (_("Mine, active"), True, True),
    "mine": (_("All mine"), True, False),
    "active": (_("Active"), False, True),
    "all": (_("All"), False, False),
}


@dataclass(frozen=True, slots=True)
class ViewLink:
    """A preset of the list."""

    label: str | Promise
    url: str
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What the list shows and where in its pages it stands."""

    view: str
    default_view: str
    state: str = ""
    tenant: str = ""
    text: str = ""
    after: str = ""
    before: str = ""

    @property
    def filters(self) -> Filters:
        """What to ask the selector for."""
        _label, mine, active = VIEWS[self.view]
        return Filters(mine=mine, active=active, state=self.state, tenant=self.tenant, text=self.text)

    @property
    def cursor(self) -> Cursor | None:
        """Where in the pages it stands; None on the first."""
        return cursor_of(self.before, before=True) if self.before else cursor_of(self.after)

    @property
    def narrowed(self) -> bool:
        """Whether more than the view decides what is shown."""
        return bool(self.state or self.tenant or self.text)

    @property
    def first_page(self) -> bool:
        return not (self.after or self.before)

    @property
    def states(self) -> list[str]:
        """The states that rows of this list may have; empty where any will do."""
        if self.state:
            return [self.state]
        return sorted(ACTIVE) if VIEWS[self.view][2] else []

    @property
    def rows_query(self) -> str:
        """The query string with which the rows of this list are asked for: what narrows it, not where it stands."""
        fields = {"view": self.view, "state": self.state, "tenant": self.tenant, "q": self.text}
        return "?" + urlencode({name: value for name, value in fields.items() if value})

    def query(self, **changes: str) -> str:
        """Return the query string of this list with other values; the place in the pages is kept only if given."""
        wanted = replace(self, **{"after": "", "before": "", **changes})
        fields = {
            "view": "" if wanted.view == wanted.default_view else wanted.view,
            "state": wanted.state,
            "tenant": wanted.tenant,
            "q": wanted.text,
            "after": wanted.after,
            "before": wanted.before,
        }
        return "?" + urlencode({name: value for name, value in fields.items() if value})

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


def listing_of(query: Mapping[str, str], user: User) -> Listing:
    """Read a query string; values that mean nothing are left out."""
    default = "active" if user.is_platform_admin or user.is_auditor else "mine-active"
    view, state, tenant = query.get("view", ""), query.get("state", ""), query.get("tenant", "")
    return Listing(
        view=view if view in VIEWS else default,
        default_view=default,
        state=state if state in set(State) else "",
        tenant=tenant if slug_valid(tenant) else "",
        text=query.get("q", "").replace("\0", "").strip()[:MAX_TEXT],
        after=query.get("after", ""),
        before=query.get("before", ""),
    )


def shows_tenants(user: User) -> bool:
    """Tell whether the user's lists need a column that says whose tenant a row is of."""
    return user.is_platform_admin or user.is_auditor or len(roles.memberships_of(user)) > 1
