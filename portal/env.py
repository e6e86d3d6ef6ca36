"""Typed readers of environment variables: the only place that knows how a setting is spelled outside. Stdlib only."""

import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

T = TypeVar("T")
_MOST_DAYS = 36_500


class EnvError(ValueError):
    """An environment variable has a value that cannot be used; the message names the variable."""


def text(name: str, default: str = "") -> str:
    """Return the variable, or the default where it is unset or empty."""
    return os.environ.get(name) or default


def flag(name: str, *, default: bool = False) -> bool:
    """Return a boolean spelled 1/0, true/false, yes/no or on/off."""
    raw = os.environ.get(name, "").strip().lower()
    if not raw:
        return default
    if raw in {"1", "true", "yes", "on"}:
        return True
    if raw in {"0", "false", "no", "off"}:
        return False
    raise EnvError(f"{name}={raw!r} is neither true nor false")


def integer(name: str, default: int) -> int:
    """Return a whole number."""
    return _converted(name, default, int, "a whole number")


def number(name: str, default: float) -> float:
    """Return a decimal number."""
    return _converted(name, default, float, "a number")


def days(name: str, default: int) -> int:
    """Return a number of days from 0 to 36500, a hundred years."""
    found = integer(name, default)
    if not 0 <= found <= _MOST_DAYS:
        raise EnvError(f"{name}={found} is not between 0 and {_MOST_DAYS} days")
    return found


def _converted(name: str, default: T, convert: Callable[[str], T], what: str) -> T:
    raw = os.environ.get(name)
    if not raw:
        return default
    try:
        return convert(raw)
    except ValueError as exc:
        raise EnvError(f"{name}={raw!r} is not {what}") from exc


def path(name: str, default: Path) -> Path:
    """Return an absolute path; `~` is expanded."""
    return Path(os.environ.get(name) or default).expanduser().absolute()


def data_dir() -> Path:
    """Return the directory that holds this installation's state (`BERTH_DATA_DIR`)."""
    return path("BERTH_DATA_DIR", Path("~/.local/share/berth"))


def cache_dir() -> Path:
    """Return the directory of rebuildable things (`BERTH_CACHE_DIR`)."""
    return path("BERTH_CACHE_DIR", Path("~/.cache/berth"))


def cluster_dir() -> Path:
    """Return the directory with one kubeconfig an identity (`BERTH_CLUSTER_DIR`); files may be missing."""
    return path("BERTH_CLUSTER_DIR", data_dir() / "cluster")


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """The address that people type: `url` without a path, `hostname` as a Host header spells it, without the port."""

    url: str
    hostname: str
    is_https: bool


def public_address(default: str = "http://127.0.0.1:8080") -> PublicAddress:
    """Return the address that people type (`BERTH_PUBLIC_URL`).

    Raises EnvError for plain http anywhere but on loopback: passwords and sessions would travel readable.
    """
    url = text("BERTH_PUBLIC_URL", default).rstrip("/")
    scheme, host = _scheme_and_host(url)
    if scheme == "http" and not _is_loopback(host):
        raise EnvError(
            f"BERTH_PUBLIC_URL={url!r} is plain http: passwords would travel readable. "
            "Put a proxy that speaks https in front and name its address; only on loopback is http allowed."
        )
    return PublicAddress(url=url, hostname=host, is_https=scheme == "https")


def _scheme_and_host(url: str) -> tuple[str, str]:
    found = re.fullmatch(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?", url, re.IGNORECASE)
    if found is None:
        raise EnvError(f"BERTH_PUBLIC_URL={url!r} is no address like https://berth.example")
    return found[1].lower(), found[2].lower()


def _is_loopback(hostname: str) -> bool:
    try:
        return ipaddress.ip_address(hostname.strip("[]")).is_loopback
    except ValueError:
        return hostname == "localhost"


def database(url: str) -> dict[str, Any]:
    """Turn a `postgresql://` URL into Django's settings; `?host=/dir` names a unix socket's directory.

    Raises EnvError for another scheme.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise EnvError("DATABASE_URL must start with postgresql://")
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "berth",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": query.pop("port", str(parts.port or "")),
        "OPTIONS": query,
    }


def celery_broker(redis_url: str) -> str:
    """Return the broker URL for a Redis URL: celery spells a unix socket `redis+socket://`."""
    return redis_url.replace("unix://", "redis+socket://", 1)
