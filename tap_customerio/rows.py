"""From a body to its rows, and from rows to records: what is odd about some answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from shared.api.request import Row
from shared.streams import Record, Unit

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
    return [{"category": body.get("category"), **row} for row in one_of("suppressions")(body)]


def people(body: Any) -> Sequence[Row]:
    """The people of a hydrating answer, which may be wrapped one by one; a page of the search has none."""
    if isinstance(body, dict) and "customers" not in body and "identifiers" in body:
        return []
    return [row["customer"] if isinstance(row.get("customer"), dict) else row for row in one_of("customers")(body)]


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
    """People by their own id, or by `cio_` and their cio_id: the `id` that comes is the one that was asked with."""
    for row in rows:
        identifiers = row.get("identifiers") or {}
        cio_id = str(identifiers.get("cio_id") or row.get("id"))
        yield {
            **row,
            "id": identifiers.get("id") or f"cio_{cio_id}",
            "cio_id": cio_id,
            "email": identifiers.get("email"),
        }


def suppression(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """With an id that tells lists and domains apart: an address may stand on several."""
    kind, _, domain = unit.partition.partition("/")
    for row in rows:
        yield {**row, "id": f"{kind}:{domain}:{row.get('email')}", "suppression_type": kind, "domain": domain}


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
    return ({**row, "cio_id": str(row.get("cio_id") or "").removeprefix("cio_")} for row in rows)


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
