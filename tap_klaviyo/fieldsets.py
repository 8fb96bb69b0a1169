"""Sparse fieldsets: what nobody selected is not asked for.

The schema files say which attributes a resource has. Without a fieldset the API sends all, also those that the schema
does not know yet and that go to `_extra`; so one is asked for only where nobody wants that column, and another one was
deselected too. Whole resources that are side-loaded are left out whenever no column shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from shared.api.request import Params
from shared.protocol import schema
from shared.protocol.schema import EXTRA

UNPUBLISHED = frozenset(("anonymous_id", "whatsapp_bsuid", "assigner_configuration", "screenshot_url"))
"""Attributes that come without being asked for, and that no fieldset may name (seen live, 2026)."""
SCHEMAS = Path(__file__).with_name("schemas")
Sparse = Callable[[Sequence[str]], Params]


def without_extra(sparse: Sparse, deselected: Sequence[str]) -> Params:
    """What `sparse` asks for where the settings have no column `_extra` at all."""
    return sparse([*deselected, EXTRA])


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
    shared: Sequence[str] = (),
) -> Sparse:
    """Keeps deselected attributes of the rows off the wire, and included resources that no selected column shows.

    `added` are columns that are no attributes, `always` attributes that hooks or other columns need, `embedded`
    included relations with the columns that need them; those in `shared` other streams take from the same pages.
    """

    def params(deselected: Sequence[str]) -> Params:
        gone = set(deselected)
        made: dict[str, Any] = {}
        beside = {*added, *(name for names in (embedded or {}).values() for name in names)}
        attributes = [name for name in _columns(stream) if name not in beside and name not in UNPUBLISHED]
        if EXTRA in gone and gone & set(attributes):
            wanted = [name for name in attributes if name not in gone or name in always]
            made[f"fields[{kind}]"] = ",".join(wanted or attributes[:1])
        if embedded and gone & beside:
            needed = [name for name, columns in embedded.items() if name in shared or not gone.issuperset(columns)]
            made["include"] = ",".join(needed) or None
        return made

    return params


def of_embedded(kind: str, stream: str, column: str) -> Callable[[Iterable[str]], Params]:
    """The same for the resources embedded in a column, by the dotted names of their deselected members."""

    def params(deselected: Iterable[str]) -> Params:
        names = set(deselected)
        gone = {name.removeprefix(f"{column}.") for name in names if name.startswith(f"{column}.")}
        attributes = _columns(stream, column)
        if EXTRA not in names or not gone & set(attributes):
            return {}
        wanted = [name for name in attributes if name not in gone and name not in UNPUBLISHED]
        return {f"fields[{kind}]": ",".join(wanted or attributes[:1])}

    return params
