"""From a body to its rows, and from rows to records: what is odd about some answers."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from shared.api.request import Row
from shared.streams import Record, Unit

from .met import Met

logger = logging.getLogger("tap-customerio")

IDENTIFIERS = ("cio_id", "id", "email", "phone")
OF_OBJECT = ("object_type_id", "cio_object_id")
NAMED_TWINS = 20
UNREAD = "unread"
"""The only member of a row that stands for a person whom the API could not give: the cio_id."""

# Rows of a body


def one_of(*names: str) -> Callable[[Any], Sequence[Any]]:
    """The rows under whichever of `names` the body has: a list, a single row, or null. ValueError without any."""

    def rows(body: Any) -> Sequence[Any]:
        for name in names:
            if isinstance(body, dict) and name in body:
                found = body[name]
                return found if isinstance(found, list) else [] if found is None else [found]
        raise ValueError(f"the answer has no {names[0]!r}")

    return rows


def anywhere(name: str) -> Callable[[Any], Sequence[Any]]:
    """The rows at `name`, where that is not confirmed: else the body itself, or the one list in it."""

    def rows(body: Any) -> Sequence[Any]:
        if isinstance(body, dict) and name not in body:
            lists = [value for value in body.values() if isinstance(value, list)]
            body = lists[0] if len(lists) == 1 else body
        return body if isinstance(body, list) else one_of(name)(body)

    return rows


def addresses(body: Any) -> Sequence[Row]:
    """Plain texts as rows; an address is its own id."""
    texts = one_of("ip_addresses")(body)
    return [{"id": text, "ip_address": text} for text in dict.fromkeys(texts)]


def old_addresses(body: Any) -> Sequence[Row]:
    """The same as singer-io's tap names them."""
    return [{"ip_addresses": row["id"], "ip_address": row["id"]} for row in addresses(body)]


def suppressed(body: Any) -> Sequence[Row]:
    """The rows with what stands once above them."""
    category = body.get("category")
    return [{"category": category, **row} if isinstance(row, dict) else row for row in one_of("suppressions")(body)]


def people(body: Any) -> Sequence[Any]:
    """The people of a hydrating answer, which may be wrapped one by one; of a page of the search, what names nobody."""
    if isinstance(body, dict) and "customers" not in body and "identifiers" in body:
        return [{**row, "id": None} if isinstance(row, dict) else row for row in _identified(body, False)]
    return [_unwrapped(row, "customer") for row in one_of("customers")(body)]


def found(body: Any) -> Sequence[Row]:
    """The people that a page of the search names."""
    return _identified(body, True)


def _identified(body: Any, is_named: bool) -> list[Any]:
    rows = one_of("identifiers")(body)
    return [row for row in rows if (isinstance(row, dict) and bool(row.get("cio_id"))) == is_named]


def relationships(body: Any) -> Sequence[Row]:
    """People related to an object, by the identifiers that are nested in the row.

    The `object_type_id` of such a row is the type of people, never the object's: the parent has that one.
    """
    return [_named(row) for row in one_of("cio_relationships")(body)]


def _named(row: Any) -> Any:
    if not isinstance(row, dict):
        return row
    own = {name: value for name, value in row.items() if name not in ("identifiers", *OF_OBJECT)}
    known = row.get("identifiers")
    return {**own, **dict.fromkeys(set(IDENTIFIERS) - own.keys()), **(known if isinstance(known, dict) else {})}


def _unwrapped(row: Any, name: str) -> Any:
    return row[name] if isinstance(row, dict) and isinstance(row.get(name), dict) else row


def errors(body: Any) -> Sequence[Row]:
    """The errors of a trigger, texts or objects, as rows."""
    return [{"error": each} for each in one_of("errors")(body)]


def of_person(row: Any) -> object:
    """The identity of a person who was read, or of a row that names nobody, which each walk of the search meets."""
    return (row.get("id") if isinstance(row, dict) else None) or repr(row)


def of_its_own(row: Any) -> object:
    """The identity of rows of which several may be equal, none of them a repeat."""
    return object()


def whole(body: Any) -> Sequence[Row]:
    """The body as one free-form object."""
    if not isinstance(body, dict):
        raise ValueError("the answer is no object")
    return [{"details": body}]


def usage(body: Any) -> Sequence[Row]:
    """One object, at the top or under used_by."""
    if not isinstance(body, dict):
        raise ValueError("the answer is no object")
    return [body["used_by"] if isinstance(body.get("used_by"), dict) else body]


def contents(body: Any) -> Sequence[Row]:
    """A list of rows, or a single one; numbered as they come, since they have no key of their own."""
    rows = body if isinstance(body, list) else [] if body is None else [body]
    return [{"row": number, "data": row} for number, row in enumerate(rows)]


# Records


def person(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """People by their own id, or by `cio_` and their cio_id: the `id` that comes is the one that was asked with.

    While people are merged, two may have one id: the second one met is named, and written by its cio_id too.
    """
    ids = unit.scratch.setdefault("ids", Met()) if unit.settings["customers_key"] == "id" else None
    for row in rows:
        if UNREAD in row:  # without its key, so that it is left out, and named by what else it has
            yield {"cio_id": row[UNREAD]} if ids is not None else {"id": f"cio_{row[UNREAD]}"}
            continue
        identifiers = row.get("identifiers") or {}
        cio_id, own = str(identifiers.get("cio_id") or row.get("id") or ""), identifiers.get("id") or None
        if ids is not None and own and not ids.add(str(own)):
            _tell_of_twins(unit, own, cio_id)
            own = None
        names = {"id": own or (f"cio_{cio_id}" if cio_id else None), "cio_id": cio_id or None}
        yield {**row, **names, **{name: identifiers.get(name) or row.get(name) for name in ("email", "phone")}}


def _tell_of_twins(unit: Unit, own: Any, cio_id: str) -> None:
    told = unit.scratch["twins"] = unit.scratch.get("twins", 0) + 1
    if told <= NAMED_TWINS:
        text = "customers: more than one person has the id %s: the one with cio_id %s is written as cio_%s"
        logger.warning(text, own, cio_id, cio_id)
    elif told == NAMED_TWINS + 1:
        logger.warning("customers: further people share ids too; each is written as cio_ and its cio_id")


def suppression(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """With an id that tells lists and domains apart: an address may stand on several."""
    kind, _, domain = unit.partition.partition("/")
    for row in rows:
        identity = f"{kind}:{domain}:{row['email']}" if row.get("email") else None
        yield {**row, "id": identity, "suppression_type": kind, "domain": domain}


def delivery(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Drafts are marked, since nothing else tells them."""
    return ({**row, "draft": True} for row in rows) if unit.partition == "drafts" else iter(rows)


def hydrated(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Attributes of an object, with what is known of it from the list."""
    for row in rows:
        own = {name: value for name, value in row.items() if name != "identifiers"}
        yield {"object_id": unit.parent.get("object_id"), **own}


def opted_out(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Ids as elsewhere, without the prefix of the documented example."""
    for row in rows:
        if row.get("cio_id"):
            row = {**row, "cio_id": str(row["cio_id"]).removeprefix("cio_")}
        yield row


def numbered(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Rows with their numbers, since they have no key."""
    for row in rows:
        number = unit.scratch["row"] = unit.scratch.get("row", -1) + 1
        yield {**row, "row": number}


_USER = re.compile(r"(?<=://)[^/@]*@")


def without_password(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Endpoints may hold a user and a password; nobody needs these in a table."""
    for row in rows:
        endpoint = row.get("endpoint")
        if unit.settings["redact_webhook_credentials"] and isinstance(endpoint, str):
            row = {**row, "endpoint": _USER.sub("", endpoint)}
        yield row


def is_always_new(record: Record, unit: Unit) -> bool:
    """Few rows, of which it is not known whether every change moves their time."""
    return True


def is_wanted_activity(record: Record, unit: Unit) -> bool:
    """In a first read what the start date says; later all that was met, for events may be back-dated."""
    at, end = record.get("timestamp"), unit.settings.get("end_date")
    if not isinstance(at, str):
        return True
    return (unit.since is None or bool(unit.bookmark) or at >= unit.since) and (not end or at < end)
