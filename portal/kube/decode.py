"""From bytes of the API server to typed objects, fast where all is well and careful where one object is not.

A whole page, or an event, is first decoded in one go; only when that fails is each object looked at by itself,
so that one that cannot be understood is set aside and the others live. Pure.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from portal.kube.errors import ServerError, Status, error_from_status
from portal.kube.gateway import Object, Poison, WatchEvent
from portal.kube.types import ObjectMeta

T = TypeVar("T")
_ERROR_MAX_CHARS = 500


class _ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class _Page(msgspec.Struct, Generic[T]):
    items: list[T] | None = None
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)


class _Line(msgspec.Struct, Generic[T]):
    type: str
    object: T


class _LooseMeta(msgspec.Struct, rename="camel"):
    name: Any = ""
    namespace: Any = None
    uid: Any = ""
    resource_version: Any = ""


class _Loose(msgspec.Struct):
    metadata: _LooseMeta = msgspec.field(default_factory=_LooseMeta)


class _WithMeta(msgspec.Struct):
    metadata: ObjectMeta = ObjectMeta()


class Page(msgspec.Struct, Generic[T]):
    """One page of a list; `next_token` is empty on the last."""

    items: list[T]
    poisoned: list[Poison]
    resource_version: str
    next_token: str


_decoders: dict[tuple[Any, Any], "msgspec.json.Decoder[Any]"] = {}


def _decoder(wrapper: Any, as_type: Any) -> "msgspec.json.Decoder[Any]":
    """Return the decoder of a type, or of a generic wrapper around it; each is built once."""
    key = (wrapper, as_type)
    if key not in _decoders:
        _decoders[key] = msgspec.json.Decoder(as_type if wrapper is None else wrapper[as_type])
    return _decoders[key]


def decode_object(body: bytes, as_type: type[T]) -> T:
    """Return one object. Raises ServerError when the answer is no such object."""
    try:
        decoded: T = _decoder(None, as_type).decode(body)
    except msgspec.DecodeError as error:
        raise ServerError(f"the answer is no {as_type.__name__}: {error}") from error
    return decoded


def decode_page(body: bytes, as_type: type[T]) -> Page[T]:
    """Return one page of a list. Raises ServerError when the answer is no list at all."""
    try:
        page = _decoder(_Page, as_type).decode(body)
    except msgspec.ValidationError:
        return _decode_page_one_by_one(body, as_type)
    except msgspec.DecodeError as error:
        raise ServerError(f"the answer is no list: {error}") from error
    return Page(page.items or [], [], page.metadata.resource_version, page.metadata.continue_)


def _decode_page_one_by_one(body: bytes, as_type: type[T]) -> Page[T]:
    try:
        page = _decoder(_Page, msgspec.Raw).decode(body)
    except msgspec.DecodeError as error:
        raise ServerError(f"the answer is no list: {error}") from error
    result: Page[T] = Page([], [], page.metadata.resource_version, page.metadata.continue_)
    for raw in page.items or []:
        decoded = _decode_or_poison(raw, as_type)
        if isinstance(decoded, Poison):
            result.poisoned.append(decoded)
        else:
            result.items.append(decoded)
    return result


def _decode_or_poison(raw: bytes, as_type: type[T]) -> T | Poison:
    try:
        decoded: T = _decoder(None, as_type).decode(raw)
    except msgspec.DecodeError as error:
        return _poison(raw, error)
    return decoded


def _poison(raw: bytes, error: Exception) -> Poison:
    try:
        loose = msgspec.json.decode(raw, type=_Loose).metadata
    except msgspec.DecodeError:
        loose = _LooseMeta()
    namespace = loose.namespace if isinstance(loose.namespace, str) else None
    return Poison(
        name=str(loose.name or ""),
        namespace=namespace,
        uid=str(loose.uid or ""),
        resource_version=str(loose.resource_version or ""),
        error=str(error)[:_ERROR_MAX_CHARS],
    )


def decode_event(line: bytes, as_type: type[T]) -> WatchEvent[T]:
    """Return one event of a watch. Raises the error that an ERROR event carries, or ServerError for nonsense."""
    try:
        event = _decoder(_Line, as_type).decode(line)
    except msgspec.DecodeError:
        return _decode_event_carefully(line, as_type)
    return _event(event.type, event.object, lambda: event.object)


def _decode_event_carefully(line: bytes, as_type: type[T]) -> WatchEvent[T]:
    try:
        event = _decoder(_Line, msgspec.Raw).decode(line)
    except msgspec.DecodeError as error:
        raise ServerError(f"the watch sent no event: {error}") from error
    if event.type == "ERROR":
        raise error_from_status(msgspec.json.decode(event.object, type=Status))
    decoded = _decode_or_poison(event.object, as_type)
    if isinstance(decoded, Poison) and event.type == "BOOKMARK":
        # An empty object of the kind: where a real one must have something, it says null.
        return WatchEvent("BOOKMARK", None, decoded.resource_version)
    if isinstance(decoded, Poison):
        return WatchEvent("POISON", None, decoded.resource_version, decoded, event.type)
    return _event(event.type, decoded, lambda: msgspec.json.decode(event.object))


def _event(kind: str, decoded: T, plain: Callable[[], Any]) -> WatchEvent[T]:
    if kind == "ERROR":
        raise error_from_status(_status_of(plain()))
    meta = metadata_of(decoded)
    if kind == "BOOKMARK":
        return WatchEvent("BOOKMARK", None, meta.resource_version)
    if kind not in ("ADDED", "MODIFIED", "DELETED"):
        raise ServerError(f"the watch sent an event of the unknown type {kind[:40]!r}")
    return WatchEvent(kind, decoded, meta.resource_version)  # type: ignore[arg-type]  # narrowed above


def _status_of(plain: Any) -> Status:
    try:
        return msgspec.convert(plain, Status)
    except msgspec.ValidationError:
        return Status(message="the watch ended with an error")


def metadata_of(decoded: Any) -> ObjectMeta:
    """Return the metadata of a typed object or of a dict."""
    if isinstance(decoded, dict):
        return msgspec.convert(decoded, _WithMeta).metadata
    found: ObjectMeta = decoded.metadata
    return found


def typed(body: Object, as_type: type[T]) -> T:
    """Return a plain dict as a typed object. Raises msgspec.ValidationError."""
    return msgspec.convert(body, as_type)
