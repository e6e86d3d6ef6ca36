"""What pages say where work runs as plain processes: no page lets people believe in containers that are not there."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from gpu.models import Node
from portal.core.models import User

NOT_CONTAINERS = "Work runs as plain processes on one machine, not in containers."
SEES_FILES = "It also sees the machine&#x27;s files."
PAGES = ("/", "/help/", "/workloads/new/")


def text_of(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode().replace("'", "&#x27;")


@pytest.fixture
def reader(client_of: Callable[[User], Client], owner: User) -> Client:
    """A member on a cluster with one node, so that the home page has its card."""
    Node.objects.create(
        name="berth-node", uid="1", ready=True, cpu_millicores=2000, memory_mib=4096, pods=110, seen_at=timezone.now()
    )
    return client_of(owner)


@pytest.mark.parametrize("path", PAGES)
def test_a_process_node_is_told_where_work_is_submitted_and_explained(reader: Client, settings: Any, path: str) -> None:
    settings.NODE = "process"
    assert NOT_CONTAINERS in text_of(reader, path)
    assert SEES_FILES not in text_of(reader, path)


@pytest.mark.parametrize("path", PAGES)
def test_a_process_node_that_shares_its_files_says_so(reader: Client, settings: Any, path: str) -> None:
    settings.NODE = "process-sharing-files"
    assert SEES_FILES in text_of(reader, path)


@pytest.mark.parametrize("kind", ["", "container"])
def test_other_clusters_say_nothing_of_it(reader: Client, settings: Any, kind: str) -> None:
    settings.NODE = kind
    assert all(NOT_CONTAINERS not in text_of(reader, path) for path in PAGES)
