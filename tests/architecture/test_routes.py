"""Every way in declares what it needs."""

from collections.abc import Iterator
from typing import Any, cast

from django.urls import URLPattern, URLResolver, get_resolver

from portal.core.policy import Action
from workloads.routing import websocket_urlpatterns


def patterns(resolver: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from patterns(entry, prefix + str(entry.pattern))
        elif isinstance(entry, URLPattern):
            yield prefix + str(entry.pattern), entry.callback


def test_every_page_declares_an_action() -> None:
    silent = [
        route for route, view in patterns(get_resolver()) if not isinstance(getattr(view, "berth_action", None), Action)
    ]
    assert silent == []


def test_every_websocket_declares_an_action() -> None:
    silent = [
        str(entry.pattern)
        for entry in websocket_urlpatterns
        if not isinstance(getattr(cast("Any", entry.callback).consumer_class, "berth_action", None), Action)
    ]
    assert silent == []


def test_only_few_pages_are_public() -> None:
    public = {route for route, view in patterns(get_resolver()) if view.berth_action is Action.PUBLIC}
    assert public == {
        "healthz",
        "readyz",
        "preferences/theme/",
        "preferences/language/",
        "accounts/login/",
        "api/",  # every path under it that is none: 404
        "accounts/logout/",
        "accounts/inactive/",
        "accounts/welcome/<uidb64>/<token>/",
    }


def test_every_method_of_rest_declares_an_action() -> None:
    classes = [(route, view.cls) for route, view in patterns(get_resolver()) if hasattr(view, "cls")]
    methods = {"get", "post", "put", "patch", "delete", "options", "head"}
    silent = [
        f"{route} {method}"
        for route, cls in classes
        for method in methods & set(cls.http_method_names)
        if hasattr(cls, method) and not isinstance(getattr(getattr(cls, method), "berth_action", None), Action)
    ]
    assert len(classes) > 10
    assert silent == []
