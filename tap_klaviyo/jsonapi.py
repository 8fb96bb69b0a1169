"""From a JSON:API answer to flat rows: `attributes` at top level, relations as ids, and some resources embedded.

    {"id", "type", **attributes, "<relation>_id" or "<relation>_ids", "<embedded relation>": [{"type", "id", ...}]}

Linkage (`data`) is missing where a relation was not asked for, and null for what was deleted: both give no id. Arrays
of embedded objects have the shape that earlier taps for this API write, also where there can be one object only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, TypedDict

from shared.api.paginators import link
from shared.api.request import Row, at
from shared.protocol.schema import copied
from shared.streams import Stream

Records = Callable[[Any], Sequence[Any]]


class _Relation(TypedDict, total=False):
    data: Any


class _Resource(TypedDict, total=False):
    type: Any
    id: Any
    attributes: Any
    relationships: dict[str, _Relation | None] | None


class Document(TypedDict, total=False):
    """What is read of an answer; `links` of resources and relations are half of all that many answers hold."""

    data: list[_Resource] | _Resource | None
    included: list[_Resource] | None
    links: Any


def resources(*embedded: str) -> Records:
    """The rows in `data`, with the resources of the relations `embedded` in them, out of `included`."""

    def rows(body: Any) -> list[Row]:
        found = _data(body)
        side = _Included(body)
        return [flat(resource, side, embedded) for resource in found]

    return rows


def included(kind: str, *, relation: str, column: str) -> Records:
    """The side-loaded resources of one type, as rows of their own. `column` is the id of the resource whose `relation`
    names them: their own relation to it may hold links only.
    """

    def rows(body: Any) -> list[Row]:
        if body.get("included", ()) is None:
            raise ValueError("'included' of the answer is null")
        owners = dict(pairs(body, relation))
        found = [flat(each) for each in filter(_is_resource, body.get("included") or ()) if each.get("type") == kind]
        for row in found:
            row[column] = row.get(column) or owners.get(row.get("id"))
        return found

    return rows


def pairs(body: Any, relation: str) -> Iterator[tuple[Any, Any]]:
    """Which resource (second) names which others (first) in its `relation`."""
    for resource in filter(_is_resource, _data(body)):
        relations = resource.get("relationships")
        data = at(relations, f"{relation}.data") if relations else None
        for each in data if isinstance(data, list) else ():
            if isinstance(each, dict):
                yield each.get("id"), resource.get("id")


def joined(relation: str, other: str) -> Records:
    """A row for each pair of a resource and another one that its `relation` names: `<own type>_id`, `<other>_id`, and
    the other one's name, as far as it was side-loaded.
    """

    def rows(body: Any) -> list[Row]:
        own = {each.get("id"): str(each.get("type")).replace("-", "_") for each in filter(_is_resource, _data(body))}
        side = filter(_is_resource, body.get("included") or ())
        names = {each.get("id"): at(each, "attributes.name") for each in side}
        return [
            {f"{own[owner]}_id": owner, f"{other}_id": found, f"{other}_name": names.get(found)}
            for found, owner in pairs(body, relation)
        ]

    return rows


collection = partial(Stream, records=resources(), answer=Document, next_page=link("links.next"))
"""A stream of resources."""


def _is_resource(each: Any) -> bool:
    return isinstance(each, dict)


def flat(resource: Any, found: _Included | None = None, embedded: Sequence[str] = ()) -> Any:
    """One resource as a row; what is none stays as it is, to be left out by name."""
    if resource.__class__ is not dict:
        return resource
    kind, attributes = resource.get("type"), resource.get("attributes")
    row: Row = {**(attributes if attributes.__class__ is dict else {}), "type": kind, "id": resource.get("id")}
    relations = resource.get("relationships")
    relations = relations if relations.__class__ is dict else {}
    for name, relation in relations.items():
        if relation.__class__ is dict and "data" in relation:
            data, (one, many) = relation["data"], _columns(name)
            if data.__class__ is dict:
                row[one] = data.get("id")
            elif data.__class__ is list:
                row[many] = [each.get("id") for each in data]
            else:
                row[one] = None
    for name in embedded:
        row[name] = found.of(relations.get(name)) if found is not None else []
    reshape = _RESHAPE.get(str(kind))
    return reshape(row) if reshape else row


def _data(body: Any) -> list[Any]:
    """The resources of an answer. ValueError where there is no place for them: such a 200 is no answer."""
    if not isinstance(body, dict) or "data" not in body:
        raise ValueError("the answer has no 'data'")
    data = body["data"]
    if not isinstance(data, (list, dict)):
        raise ValueError(f"'data' of the answer is {'null' if data is None else 'neither a resource nor a list'}")
    return data if isinstance(data, list) else [data]


@lru_cache
def _columns(relation: str) -> tuple[str, str]:
    """The columns of a relation to one resource, and of one to many."""
    name = relation.replace("-", "_")
    return f"{name}_id", f"{name.removesuffix('s')}_ids"


class _Included:
    """The side-loaded resources of an answer. Each is there once, however many point to it."""

    def __init__(self, body: Any) -> None:
        side = filter(_is_resource, body.get("included") or ())
        self._by_id = {(each.get("type"), each.get("id")): each for each in side}
        self._rows: dict[Any, Row] = {}

    def of(self, relation: Any) -> list[Row]:
        """What a relation points to, as far as it was side-loaded. Rows share no objects: fitting changes them."""
        data = relation.get("data") if relation.__class__ is dict else None
        rows = []
        for one in data if data.__class__ is list else (data,):
            key = (one.get("type"), one.get("id")) if one.__class__ is dict else None
            if key in self._rows:
                rows.append(copied(self._rows[key]))
            elif key in self._by_id:
                self._rows[key] = flat(self._by_id[key])
                rows.append(self._rows[key])
        return rows


# What reads better another way


def _lifted_message(row: Row) -> Row:
    """Label, channel, content and render options stood beside the definition until revision 2025-01-15."""
    definition = row.get("definition")
    if isinstance(definition, dict):
        for name in ("label", "channel", "content", "render_options"):
            row.setdefault(name, copied(definition.get(name)))
    return row


def _lifted_action(row: Row) -> Row:
    """Type and status stood beside the definition until revision 2025-10-15."""
    definition = row.get("definition")
    if isinstance(definition, dict):
        row.setdefault("action_type", definition.get("type"))
        data = definition.get("data")
        row.setdefault("status", data.get("status") if isinstance(data, dict) else None)
    return row


def _with_template(row: Row) -> Row:
    """The template stands in the definition too, and the relation may hold links only."""
    definition = row.get("definition")
    if row.get("template_id") is None and isinstance(definition, dict):
        row["template_id"] = definition.get("template_id")
    return row


def plain_category(row: Row) -> Row:
    """The integration's category is text, or on some rows an object that holds it."""
    integration = row.get("integration")
    if isinstance(integration, dict) and isinstance(category := integration.get("category"), dict):
        row["integration"] = {**integration, "category": category.get("category")}
    return row


_RESHAPE: Mapping[str, Callable[[Row], Row]] = {
    "campaign-message": _lifted_message,
    "flow-action": _lifted_action,
    "flow-message": _with_template,
    "metric": plain_category,
}
