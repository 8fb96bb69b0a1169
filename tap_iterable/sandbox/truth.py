"""What the tap must make of the sandbox's rows, by the fields of `facts.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shared.sandbox import Row
from shared.sandbox.kinds import kinds_of
from shared.sandbox.truth import compact, instant, occurrences, record

from .account import EVENT_KINDS, FACTS, LONG_FIELD, OWN_FIELDS

KINDS = {stream: kinds_of(fields) for stream, fields in FACTS["rows"].items()}
"""Stream → field → kind; events have theirs in `account`."""
DOTTED = {
    "itblInternal.emailDomain": "string",
    "itblInternal.phoneCountry": "string",
    "itblInternal.phoneType": "string",
    "itblInternal.isUnknownUser": "boolean",
    "itblInternal.documentCreatedAt": "date-time",
    "itblInternal.documentUpdatedAt": "date-time",
    "itblDS.brandAffinityLabel": "string",
    "itblDS.predictiveGoals": "string",
}
_USERS = {**kinds_of(FACTS["users"]), **DOTTED}
_OWN = {"string": "string", "long": "integer", "double": "number", "boolean": "boolean", "date": "date-time"}


def kinds_of_event(data_type: str) -> dict[str, Any]:
    """The kinds of an event's fields, and of what the tap adds."""
    more = {"dataFields": "object"} if data_type == "customEvent" else {}
    return {"_event_id": "string", **kinds_of(FACTS["events"]["common"]), **EVENT_KINDS[data_type], **more}


def events(data_type: str, rows: Iterable[Row]) -> Iterator[Row]:
    """The records of events: equal ones are numbered."""
    kinds = kinds_of_event(data_type)

    def same(row: Row) -> list[Any]:
        return [data_type, str(instant(row["createdAt"]))[:19], *(row.get(name) for name in FACTS["identity"])]

    for row, parts, before in occurrences(rows, same):
        made = {**row, "_event_id": hashlib.sha256(f"{compact(parts)}#{before}".encode()).hexdigest()[:32]}
        if data_type == "customEvent":
            own = {name: made.pop(name) for name in list(made) if name not in kinds}
            made["dataFields"] = {**own, **row.get("dataFields", {})}
        if isinstance(made.get("transactionalData"), str):
            made["transactionalData"] = _parsed(made["transactionalData"])
        yield record(kinds, made)


def _parsed(text: str) -> Row:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"_raw": text}


def user(row: Row, project: str, *, in_one: bool = False) -> Row:
    """The record of a profile."""
    if in_one:
        own = {name: value for name, value in row.items() if name not in _USERS}
        made = {**{name: value for name, value in row.items() if name in _USERS}, "dataFields": own or None}
        return record({**_USERS, "dataFields": "object"}, made)
    names = {"Industry": "_industry", LONG_FIELD: _shortened(LONG_FIELD)}
    kinds = _USERS | {names.get(name, name): _OWN.get(kind, "string") for name, kind in OWN_FIELDS.items()}
    return record(kinds, {names.get(name, name): value for name, value in row.items()})


def _shortened(name: str) -> str:
    return f"{name[:55]}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def metrics(
    rows: Iterable[tuple[int, Mapping[str, str]]], columns: Mapping[str, str], all_columns: str
) -> Iterator[Row]:
    """Campaign metrics: `columns` are the CSV's headers and what they are called."""
    for number, cells in rows:
        found: Row = {"id": number, **dict.fromkeys(all_columns.split())}
        for header, text in cells.items():
            found[columns[header]] = json.loads(text) if text and text not in ("NaN", "N/A") else None
        yield found
