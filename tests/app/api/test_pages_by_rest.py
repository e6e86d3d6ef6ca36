"""Everything that the pages do can be done by REST: every route of the pages has its twins, or a reason for none."""

import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from django.test import Client
from django.urls import URLResolver, get_resolver

from portal.core.models import User
from portal.core.policy import Action
from tests.app.api.pages_by_rest import ONLY_PAGES, PENDING, TWINS

API, V1 = "api/", "api/v1/"


def routes(resolver: Any, prefix: str = "", spaces: tuple[str, ...] = ()) -> Iterator[tuple[str, str, Any]]:
    """Give each route with its name and its view."""
    for entry in resolver.url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes(entry, path, (*spaces, entry.namespace) if entry.namespace else spaces)
        else:
            yield path, ":".join([*spaces, entry.name or path]), entry.callback


PAGES = {name: (path, view) for path, name, view in routes(get_resolver()) if not path.startswith(API)}
REST = {
    f"{method.upper()} {path.removeprefix(V1)}": action
    for path, _name, view in routes(get_resolver())
    if path.startswith(V1) and hasattr(view, "cls")
    for method, action in view.cls.berth_actions.items()
}


def test_every_page_has_its_twins_in_rest_or_a_reason_for_none() -> None:
    """If this fails for a page of yours, say in pages_by_rest.py which methods of REST do the same."""
    assert set(PAGES) - PENDING.keys() == TWINS.keys() | ONLY_PAGES.keys()
    assert not TWINS.keys() & ONLY_PAGES.keys()


def test_every_twin_is_there() -> None:
    assert {twin for twins in TWINS.values() for twin in twins} - REST.keys() == set()


def test_what_a_page_changes_a_twin_changes_under_the_same_action(
    platform_admin: User, client_of: Callable[[User], Client]
) -> None:
    changing = {name for name, (path, _view) in PAGES.items() if takes_posts(client_of(platform_admin), path)}
    assert len(changing) > 20
    for name in changing & TWINS.keys():
        actions = {REST[twin] for twin in TWINS[name] if not twin.startswith("GET")}
        declared = PAGES[name][1].berth_action
        assert actions == {Action.SIGNED_IN if declared is Action.PUBLIC else declared}, name


def takes_posts(client: Client, path: str) -> bool:
    """Tell whether a page takes a POST at all; ids that nothing has are given for those of its path."""
    named = re.sub(r"<uuid:\w+>", str(uuid.UUID(int=1)), path)
    named = re.sub(r"<int:\w+>", "1", named)
    return client.post("/" + re.sub(r"<[^>]+>", "nobody", named)).status_code != 405
