"""What the tap must make of the sandbox's rows, by the fields of `facts.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shared.sandbox import Row
from shared.sandbox.kinds import kinds_of
from shared.sandbox.truth import instant, occurrences, record

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
CELLS = {"": None, "NaN": None, "N/A": None, "12.5%": 12.5, "$5.00": 5.0, ".25": 0.25, '"1,234"': 1234}
"""Cells of CSV that are no JSON."""
_USERS = {**kinds_of(FACTS["users"]), **DOTTED}
_OWN = {"string": "string", "long": "integer", "double": "number", "boolean": "boolean", "date": "date-time"}


OWN = ("customEvent", "purchase", "emailSubscribe")
"""Types of events that have fields of their own, which stand in `dataFields`."""


def kinds_of_event(data_type: str) -> dict[str, Any]:
    """The kinds of an event's fields, and of what the tap adds."""
    more = {"dataFields": "object"} if data_type in OWN else {}
    return {"_event_id": "string", **kinds_of(FACTS["events"]["common"]), **EVENT_KINDS[data_type], **more}


def events(data_type: str, rows: Iterable[Row]) -> Iterator[Row]:
    """The records of events: equal ones are numbered."""
    kinds = kinds_of_event(data_type)
    made = (_undressed(data_type, kinds, row) for row in rows)
    for row, text, before in occurrences(made, lambda row: _apart(data_type, row)):
        yield record(kinds, {**row, "_event_id": hashlib.sha256(f"{text}#{before}".encode()).hexdigest()[:32]})


def _undressed(data_type: str, kinds: Mapping[str, Any], row: Row) -> Row:
    """An event without what its dress has to do with: members under dotted names, JSON as text, ids without a list."""
    made = {name: value for name, value in row.items() if "." not in name}
    for name, value in row.items():
        head, _, member = name.partition(".")
        if member and isinstance(kinds.get(head), dict):
            made[head] = {**(made.get(head) or {}), member: value}
        elif member:
            made[name] = value
    for name in ("transactionalData", "payload", "dataFields"):
        if name in made:
            made[name] = _object(made[name])
    for name in ("emailListIds", "userListIds", "channelIds", "messageTypeIds"):
        value = json.loads(made[name]) if isinstance(made.get(name), str) else made.get(name)
        if value is not None:
            made[name] = value if isinstance(value, list) else [value]
    if data_type in OWN and (own := {name: made[name] for name in made if name not in kinds}):
        inside = made.get("dataFields") or {}
        made = {name: value for name, value in made.items() if name in kinds or inside.get(name, value) != value}
        made["dataFields"] = {**own, **inside}
    return made


def _object(value: Any) -> Row | None:
    if isinstance(value, str):
        try:
            found = json.loads(value)
        except ValueError:
            found = None
        return found if isinstance(found, dict) else {"_raw": value}
    return value if isinstance(value, dict) or value is None else {"_raw": value}


def _apart(data_type: str, row: Row) -> str:
    """What tells an event from others: first of all what always does, then all else that stays as it is."""
    parts = [data_type, str(instant(row["createdAt"]))[:19], *(row.get(name) for name in FACTS["identity"])]
    known = {"createdAt", *FACTS["identity"], *FACTS["changing"]}
    rest = {name: value for name, value in row.items() if name not in known and value is not None}
    if rest and not data_type.endswith(("Send", "SendSkip")):  # these have a message of their own each
        parts.append(rest)
    return json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


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
            found[columns[header]] = CELLS[text] if text in CELLS else json.loads(text)
        yield found
