"""What a reader gets when something is wrong, and what it must not cost."""

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from portal.core.errors import Conflict, Denied, NotVisible, Rejected
from portal.core.models import User
from portal.web.faults import fault_response, page


def answer(fault: Exception, user: User) -> HttpResponse:
    request = RequestFactory().get("/")
    request.user = user
    request.session = {}  # type: ignore[assignment]
    return fault_response(request, fault)


@pytest.mark.parametrize(
    ("fault", "status"),
    [(NotVisible(), 404), (Denied(), 403), (Rejected({"name": ["no"]}), 400), (Conflict("no"), 409)],
)
def test_each_error_has_its_status(owner: User, fault: Exception, status: int) -> None:
    assert answer(fault, owner).status_code == status


def test_a_database_that_is_away_is_told_without_asking_it(
    owner: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        response = answer(OperationalError("gone"), owner)
    assert response.status_code == 503
    assert response["Retry-After"] == "5"


def test_a_server_error_page_asks_nothing(owner: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    request = RequestFactory().get("/")
    request.user = owner
    with django_assert_num_queries(0):
        assert page(request, 500).status_code == 500


@pytest.mark.django_db
def test_an_unknown_address_is_a_404_page(client: Client) -> None:
    response = client.get("/no/such/page/")
    assert response.status_code == 404
    assert b"<h1" in response.content
