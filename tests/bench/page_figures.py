"""`python -m tests.bench.page_figures USER HOST URL…` with an installation's environment: time, SQL, bytes of pages.

Through all of the portal's code but not the network, so that the figures are the server's own. Prints JSON.
"""

import json
import statistics
import sys
import time
from typing import Any

import django
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

ROUNDS = 9


def figures(user_name: str, host: str, urls: list[str]) -> dict[str, dict[str, Any]]:
    """Ask for each page by turns; return its median and worst time, the processor's share, statements and size."""
    client = Client(headers={"host": host})
    client.force_login(get_user_model().objects.get(username=user_name))
    times: dict[str, list[float]] = {url: [] for url in urls}
    processor: dict[str, list[float]] = {url: [] for url in urls}
    told: dict[str, dict[str, Any]] = {}
    for url in urls:
        with CaptureQueriesContext(connection) as seen:
            answer = client.get(url)
        if answer.status_code != 200:
            raise SystemExit(f"{url}: {answer.status_code}")
        told[url] = {"statements": len(seen), "bytes": len(answer.content)}
    for _ in range(ROUNDS):
        for url in urls:
            began, spent = time.perf_counter(), time.process_time()
            client.get(url)
            times[url].append((time.perf_counter() - began) * 1000)
            processor[url].append((time.process_time() - spent) * 1000)
    for url, taken in times.items():
        told[url] |= {"median_ms": round(statistics.median(taken), 1), "worst_ms": round(max(taken), 1)}
        told[url]["cpu_ms"] = round(statistics.median(processor[url]), 1)
    return told


if __name__ == "__main__":
    django.setup()
    sys.stdout.write(json.dumps(figures(sys.argv[1], sys.argv[2], sys.argv[3:])))
