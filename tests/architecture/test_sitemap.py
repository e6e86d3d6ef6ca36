"""No page is forgotten when all pages are walked in a browser."""

from tests.plugins.sitemap import NOT_WALKED, PAGES, route_names


def test_every_route_is_a_walked_page_or_says_why_it_is_none() -> None:
    names = set(route_names())
    assert names - PAGES.keys() - NOT_WALKED.keys() == set(), "add them to tests/plugins/sitemap.py"
    assert (PAGES.keys() | NOT_WALKED.keys()) - names == set(), "these are routes no more"
    assert PAGES.keys() & NOT_WALKED.keys() == set()
