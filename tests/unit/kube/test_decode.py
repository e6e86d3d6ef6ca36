import json
from pathlib import Path
from typing import Any

import pytest

from portal.kube.decode import decode_event, decode_object, decode_page, metadata_of, typed
from portal.kube.errors import Gone, ServerError
from portal.kube.types import ObjectMeta, Pod

FIXTURES = Path(__file__).parent / "fixtures"
BAD: dict[str, Any] = {
    "metadata": {"name": "bad", "namespace": "n", "uid": "u1", "resourceVersion": "5"},
    "status": {"phase": []},
}


def page(*items: Any, **meta: Any) -> bytes:
    return json.dumps({"items": items, "metadata": {"resourceVersion": "9", **meta}}).encode()


def event(kind: str, body: Any) -> bytes:
    return json.dumps({"type": kind, "object": body}).encode()


def test_a_bad_object_in_a_page_is_set_aside_and_named() -> None:
    found = decode_page(page({"metadata": {"name": "good"}}, BAD), Pod)
    assert [pod.metadata.name for pod in found.items] == ["good"]
    [poison] = found.poisoned
    assert (poison.name, poison.namespace, poison.uid, poison.resource_version) == ("bad", "n", "u1", "5")
    assert "$.status.phase" in poison.error


@pytest.mark.parametrize("item", [7, "x", None, {"metadata": "x"}, {"metadata": {"uid": 7, "labels": 7}}])
def test_an_object_that_is_none_is_set_aside_too(item: Any) -> None:
    assert len(decode_page(page(item), Pod).poisoned) == 1


def test_a_page_knows_where_the_next_begins() -> None:
    found = decode_page(page(**{"continue": "abc"}), Pod)
    assert (found.items, found.next_token, found.resource_version) == ([], "abc", "9")


def test_a_page_without_items_is_empty() -> None:
    assert decode_page(b'{"items":null,"metadata":{"resourceVersion":"1"}}', Pod).items == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"items":7}'])
def test_what_is_no_page_is_an_error_of_the_server(body: bytes) -> None:
    with pytest.raises(ServerError):
        decode_page(body, Pod)


def test_a_recorded_bookmark_carries_a_version_and_no_object() -> None:
    found = decode_event((FIXTURES / "watch-bookmark.json").read_bytes(), Pod)
    assert (found.type, found.object) == ("BOOKMARK", None)
    assert found.resource_version.isdigit()


def test_a_bookmark_whose_object_lacks_what_a_real_one_has_is_still_a_bookmark() -> None:
    empty = {"kind": "Pod", "metadata": {"resourceVersion": "12"}, "spec": {"containers": None}, "status": {}}
    found = decode_event(event("BOOKMARK", empty), Pod)
    assert (found.type, found.poison, found.resource_version) == ("BOOKMARK", None, "12")


def test_a_recorded_expiry_says_gone() -> None:
    with pytest.raises(Gone, match="too old resource version"):
        decode_event((FIXTURES / "watch-expired.json").read_bytes(), Pod)


def test_an_expiry_says_gone_to_an_untyped_watch_too() -> None:
    with pytest.raises(Gone):
        decode_event((FIXTURES / "watch-expired.json").read_bytes(), dict)


def test_an_event_carries_its_object() -> None:
    found = decode_event(event("MODIFIED", {"metadata": {"name": "a", "resourceVersion": "7"}}), Pod)
    assert found.type == "MODIFIED"
    assert found.object is not None
    assert (found.object.metadata.name, found.resource_version) == ("a", "7")


def test_a_bad_object_in_an_event_is_poison_and_moves_the_version_on() -> None:
    found = decode_event(event("DELETED", BAD), Pod)
    assert (found.type, found.original, found.resource_version) == ("POISON", "DELETED", "5")
    assert found.poison is not None
    assert found.poison.uid == "u1"


@pytest.mark.parametrize("line", [b"", b"{}", b"7", event("PERHAPS", {"metadata": {}})])
def test_nonsense_from_a_watch_is_an_error_of_the_server(line: bytes) -> None:
    with pytest.raises(ServerError):
        decode_event(line, Pod)


def test_an_error_event_without_a_status_is_an_error_all_the_same() -> None:
    with pytest.raises(ServerError):
        decode_event(event("ERROR", {"metadata": {}}), Pod)


def test_an_answer_that_is_no_object_is_an_error_of_the_server() -> None:
    with pytest.raises(ServerError):
        decode_object(b"[]", Pod)


def test_metadata_is_found_in_dicts_and_in_structs() -> None:
    body = {"metadata": {"name": "a", "resourceVersion": "3"}}
    assert metadata_of(body) == metadata_of(typed(body, Pod)) == ObjectMeta(name="a", resource_version="3")
