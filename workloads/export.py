"""The page's list as a CSV file."""

from django.http import HttpRequest, StreamingHttpResponse
from django.views.decorators.http import require_GET

from portal.core.policy import Action
from portal.core.routes import person, route
from workloads import columns
from workloads.csvfile import csv_file
from workloads.listing import listing_of


@route(Action.WORKLOAD_VIEW)
@require_GET
def download(request: HttpRequest) -> StreamingHttpResponse:
    user = person(request)
    listing = listing_of(request.GET, user)
    chosen = columns.chosen_of(request.COOKIES.get(columns.COOKIE, ""))
    return csv_file(request, user, listing.filters, chosen=chosen, oldest_first=listing.oldest_first)
