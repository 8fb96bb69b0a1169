"""URLs: parameters as text, the origin that a credential belongs to, and what is safe to ask."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from .errors import ConfigError


def query(params: Mapping[str, Any]) -> str:
    """`params` as text for a URL; "+" and spaces are percent-encoded, since not every API reads "+" alike."""
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        for one in value if isinstance(value, (list, tuple)) else (value,):
            if one is not None:
                pairs.append((name, str(one).lower() if isinstance(one, bool) else str(one)))
    return urlencode(pairs, quote_via=quote)


@lru_cache(maxsize=64)
def origin(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def is_url(text: str) -> bool:
    """Whether `text` can be asked for at all: it names a host, and a port that there is."""
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_loopback(host: str | None) -> bool:
    """Whether `host` is this machine itself."""
    import ipaddress  # here, since `--version` has no use for it

    if host in ("localhost", "::1"):
        return True
    try:
        return ipaddress.IPv4Address(host or "").is_loopback
    except ValueError:
        return False


def is_safe(url: str) -> bool:
    """Whether `url` is https, or http on this machine."""
    try:
        parts = urlsplit(url)
        return is_url(url) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname)))
    except ValueError:
        return False


def check_base_url(url: str) -> None:
    """Raises ConfigError unless `url` is https, or http on this machine."""
    if not is_safe(url):
        raise ConfigError("base_url has to be an https URL (http is for this machine only). Check base_url.")
