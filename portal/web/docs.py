"""The documentation under /docs/: files of the built site, under a policy that knows their inline scripts by hash."""

import mimetypes
from pathlib import Path

from csp.constants import HEADER
from csp.utils import build_policy
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from portal.core.policy import Action
from portal.core.routes import route
from portal.web import docsite

BUILDING_RETRY_S = 5


@route(Action.SIGNED_IN)
@require_safe
def docs(request: HttpRequest, path: str = "") -> HttpResponseBase:
    site = docsite.site_dir()
    if not docsite.is_built(site):
        return _being_built(request)
    wanted = docsite.file_of(site, path)
    if wanted is None:
        raise Http404
    if wanted.is_dir():
        return HttpResponseRedirect(f"{request.path}/")
    etag = f'"{site.name}"'  # the name tells the content
    answer = get_conditional_response(request, etag=etag) or _file(wanted, etag)
    # A 304 carries it as well: browsers put the headers of a 304 in place of those they have kept.
    answer[HEADER] = _policy(site)
    return answer


def _file(wanted: Path, etag: str) -> HttpResponse:
    content_type = mimetypes.guess_type(wanted.name)[0] or "application/octet-stream"
    answer = HttpResponse(wanted.read_bytes(), content_type=content_type)
    answer["ETag"] = etag
    answer["Cache-Control"] = "private, no-cache"
    return answer


def _policy(site: Path) -> str:
    """Return the policy of the portal's pages, opened for the site's own inline scripts and its search worker."""
    scripts = [*settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["script-src"], *docsite.script_hashes(site)]
    return str(build_policy(replace={"script-src": scripts, "worker-src": ["'self'"]}))


def _being_built(request: HttpRequest) -> HttpResponse:
    answer = render(request, "web/docs_being_built.html", status=503)
    answer["Retry-After"] = str(BUILDING_RETRY_S)
    return answer
