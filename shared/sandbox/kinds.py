"""The one language in which sandboxes hold what fields an API publishes, read from the `facts.json` beside them.

A field's name says where it stands, its type what it is: {"id": "string", "stats.opens": "number", "tags[]": "string"}.
`object` is free-form unless fields below it are listed; the types are the keys of `truth.TYPES`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Kind = Any
"""A type, a list that holds the kind of its items, or a mapping of members."""


def facts_beside(module: str) -> Any:
    """The content of the `facts.json` in the folder of `module`, a file."""
    return json.loads(Path(module).with_name("facts.json").read_text("utf-8"))


def kinds_of(fields: Mapping[str, str]) -> dict[str, Kind]:
    """The kind of each field, those below it inside."""
    below: dict[str, dict[str, str]] = {}
    for path, kind in fields.items():
        name, _, rest = path.partition(".")
        below.setdefault(name, {})[rest] = kind
    return {
        name.removesuffix("[]"): [_kind(inner)] if name.endswith("[]") else _kind(inner)
        for name, inner in below.items()
    }


def _kind(inner: Mapping[str, str]) -> Kind:
    members = {name: kind for name, kind in inner.items() if name}
    return kinds_of(members) if members else inner[""]


def kinds_by_stream(facts: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Kind]]:
    """Stream → its kinds: the fields published, those published `later`, and those that the tap `added`."""
    return {
        stream: kinds_of({**fact["fields"], **fact.get("later", {}), **fact.get("added", {})})
        for stream, fact in facts.items()
    }
