"""The short form in which sandboxes hold what fields an API publishes: `id:s, stats:{opens:i}, tags:[s]`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Kind = Any
"""A parsed type: one of the letters, a list holding the items' kind, or a mapping of fields."""

_TOKEN = re.compile(r"\s*([A-Za-z_0-9-]+|[{}\[\]:,])")


def fields_of(text: str) -> dict[str, Kind]:
    """The kind of each field in `text`."""
    return _fields(iter(_TOKEN.findall(text)))


def _kind(parts: Iterator[str], part: str) -> Kind:
    if part == "[":
        kind = [_kind(parts, next(parts))]
        next(parts)
        return kind
    return _fields(parts) if part == "{" else part


def _fields(parts: Iterator[str]) -> dict[str, Kind]:
    fields: dict[str, Kind] = {}
    for part in parts:
        if part == "}":
            break
        if part != ",":
            next(parts)
            fields[part] = _kind(parts, next(parts))
    return fields
