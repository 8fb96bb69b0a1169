"""Sparse fieldsets: what nobody selected is not asked for.

The schema files say which attributes a resource has. Without a fieldset the API sends all, also those that the schema
does not know yet; so one is only asked for where something was deselected.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from shared.api.request import Params
from shared.protocol import schema

SCHEMAS = Path(__file__).with_name("schemas")
Sparse = Callable[[Sequence[str]], Params]


@lru_cache
def _columns(stream: str, member: str = "") -> tuple[str, ...]:
    """The columns of a stream, or the members of the resources embedded in one of its columns."""
    found: dict[str, Any] = schema.load(SCHEMAS, stream)
    if member:
        found = found["properties"][member]["items"]
    return tuple(name for name in found["properties"] if name not in ("id", "type"))


def fields(
    kind: str,
    stream: str,
    *,
    added: Collection[str] = (),
    always: Collection[str] = (),
    embedded: Mapping[str, Sequence[str]] | None = None,
) -> Sparse:
    """Keeps deselected attributes of the rows off the wire, and included resources that no selected column shows.

    `added` are columns that are no attributes, `always` attributes that hooks or other columns need, `embedded`
    included relations with the columns that need them.
    """

    def params(deselected: Sequence[str]) -> Params:
        gone = set(deselected)
        made: dict[str, Any] = {}
        beside = {*added, *(name for names in (embedded or {}).values() for name in names)}
        attributes = [name for name in _columns(stream) if name not in beside]
        if gone & set(attributes):
            wanted = [name for name in attributes if name not in gone or name in always]
            made[f"fields[{kind}]"] = ",".join(wanted or attributes[:1])
        if embedded and gone & beside:
            needed = [relation for relation, names in embedded.items() if not gone.issuperset(names)]
            made["include"] = ",".join(needed) or None
        return made

    return params


def of_embedded(kind: str, stream: str, column: str) -> Callable[[Iterable[str]], Params]:
    """The same for the resources embedded in a column, by the dotted names of their deselected members."""

    def params(deselected: Iterable[str]) -> Params:
        gone = {name.removeprefix(f"{column}.") for name in deselected if name.startswith(f"{column}.")}
        attributes = _columns(stream, column)
        if not gone & set(attributes):
            return {}
        wanted = [name for name in attributes if name not in gone]
        return {f"fields[{kind}]": ",".join(wanted or attributes[:1])}

    return params
