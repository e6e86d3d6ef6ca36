"""A workload's whole log as a file that is streamed to whoever asked. Callers check rights."""

from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import get_language

from portal.core.downloads import download
from workloads.logs import read
from workloads.models import Workload


def log_file(request: HttpRequest, workload: Workload) -> StreamingHttpResponse:
    """Return the log as a text file; memory stays the same for any length."""
    body = read.download(workload.pk, language=get_language())
    name = f"{workload.name}-{str(workload.pk)[:8]}.log"
    return download(request, body, name=name, content_type="text/plain; charset=utf-8")
