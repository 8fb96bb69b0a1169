"""What exported rows are: their types, by what events are told apart, and what becomes of a row.

The same event comes in several dresses: nested objects as dotted keys, objects and lists of ids as JSON text, a single
id without its list. A row is put right first, and told apart then, so that its id does not depend on the dress.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from shared.api.request import Row
from shared.timestamps import instant

IDENTITY = (
    "email", "userId", "itblUserId", "messageId", "campaignId", "templateId", "eventName", "id", "url", "hrefIndex",
    "clickedUrl", "ip", "userAgent", "recipientState", "status", "reason", "signupSource", "unsubSource",
    "emailListIds", "emailListId", "userListIds", "channelIds", "channelId", "messageTypeIds", "platformEndpoint",
    "replyToMessageId", "seenMessageId", "smsMessage", "placementId", "total",
)  # fmt: skip
"""What tells events apart before all else, besides their type and `createdAt`; the order is part of every id."""
CHANGING = frozenset({
    "itblInternal", "isBot", "labels", "campaignName", "templateName", "workflowName", "journeyName", "channelName",
    "messageTypeName", "listName", "emailSubject",
})  # fmt: skip
"""What changes after the event, or is joined to it: no part of an id."""
OBJECTS = frozenset({
    "itblInternal", "deeplink", "messageContext", "deviceInfo", "smsProviderResponse", "whatsAppMessage", "sanitized",
    "payload", "transactionalData", "dataFields",
})  # fmt: skip
"""Columns that are objects, whose members may come as dotted keys."""
JSON_TEXTS = frozenset({"transactionalData", "payload", "dataFields"})
"""Objects that may come as JSON text, or be anything."""
ID_LISTS = frozenset({"emailListIds", "userListIds", "channelIds", "messageTypeIds"})
"""Lists of ids that may come as one id, or as text."""
LISTS = frozenset({"shoppingCartItems", "impressions"})
"""Lists that may come as JSON text."""
ITEMS = "shoppingCartItems"
OWN = "dataFields"
RAW = "_raw"
"""The member under which an object's column holds what is no object."""

_TOLD = frozenset({"createdAt", "_event_id", *IDENTITY})
_IDS = re.compile(r"\[?\s*(\d+(?:\s*,\s*\d+)*)?\s*\]?")
_SECONDS = frozenset({" +00:00", "+00:00", "Z", ""})


@dataclass(frozen=True, kw_only=True, eq=False)
class Export:
    """One type of data. `also` is its name in projects that do not know the first, `declared` the fields that are not
    the event's own, where it may have its own; `only` those that are enough, where not all are wanted.
    """

    data_type: str
    also: str = ""
    is_event: bool = True
    declared: frozenset[str] = frozenset()
    only: tuple[str, ...] = ()

    @property
    def has_message_ids(self) -> bool:
        """Whether each row has a message of its own, and `messageId` tells them apart."""
        return self.data_type.endswith(("Send", "SendSkip"))

    def unwanted(self, deselected: Iterable[str]) -> list[str]:
        """The fields that need not be sent, since nobody selected their columns and nothing is worked out of them."""
        if not self.is_event or self.has_message_ids:
            needed = {"createdAt", "profileUpdatedAt", OWN, "itblInternal", *IDENTITY}
            names = [name for name in deselected if name not in needed]
        else:
            names = [name for name in deselected if name in CHANGING and name != "itblInternal"]
        return sorted(name for name in names if name[0] != "_" and "," not in name)


# A row put right


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be done with rows of the same fields, worked out once for all of them."""

    dotted: tuple[str, ...]
    texts: tuple[str, ...]
    ids: tuple[str, ...]
    lists: tuple[str, ...]
    own: tuple[str, ...]
    rest: tuple[str, ...]


@lru_cache(maxsize=4096)
def _plan(export: Export, names: tuple[str, ...]) -> _Plan:
    known = export.declared
    return _Plan(
        dotted=tuple(name for name in names if name.partition(".")[0] in OBJECTS and "." in name)
        or tuple(name for name in names if name.startswith(f"{ITEMS}.") and ITEMS in known and ITEMS not in names),
        texts=tuple(name for name in names if name in JSON_TEXTS),
        ids=tuple(name for name in names if name in ID_LISTS),
        lists=tuple(name for name in names if name in LISTS),
        own=tuple(name for name in names if name not in known) if known else (),
        rest=()
        if export.has_message_ids and "messageId" in names
        else tuple(sorted(name for name in names if name not in _TOLD and name.partition(".")[0] not in CHANGING)),
    )


def shaped(export: Export, row: Row) -> bytes:
    """Puts the row right, in place; the text that tells its event from others."""
    plan = _plan(export, tuple(row))
    if plan.dotted:
        _fold(row, plan.dotted)
        plan = _plan(export, tuple(row))
    for name in plan.texts:
        row[name] = as_object(row[name])
    for name in plan.ids:
        row[name] = as_ids(row[name])
    for name in plan.lists:
        row[name] = as_list(row[name])
    if plan.own:
        _gather(row, plan.own)
        plan = _plan(export, tuple(row))
    return identity(export, row, plan.rest)


def _fold(row: Row, dotted: Collection[str]) -> None:
    """Puts dotted members into their objects. What an object has already stays, and so does a dotted key that says
    otherwise.
    """
    if dotted and all(name.startswith(f"{ITEMS}.") for name in dotted):
        _fold_items(row, dotted)
        return
    for name in dotted:
        column, _, member = name.partition(".")
        inside = row.get(column)
        if inside is None:
            inside = row[column] = {}
        if inside.__class__ is not dict:
            continue
        if inside.get(member) is None or inside[member] == row[name]:
            inside[member] = row.pop(name)


def _fold_items(row: Row, dotted: Collection[str]) -> None:
    """Parallel arrays become a list of objects, where they are as long as each other."""
    columns = {name.partition(".")[2]: row[name] for name in dotted}
    lengths = {len(values) if isinstance(values, list) else -1 for values in columns.values()}
    if len(lengths) != 1 or -1 in lengths:
        return
    row[ITEMS] = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for name in dotted:
        del row[name]


def as_object(value: Any) -> Any:
    """An object that may come as JSON text; whatever is none stands under `_raw`."""
    if value is None or value.__class__ is dict:
        return value
    if value.__class__ is str:
        try:
            found = _parsed(value)
        except ValueError:
            found = None
        return found if found.__class__ is dict else {RAW: value}
    return {RAW: value}


def as_list(value: Any) -> Any:
    """A list that may come as JSON text; anything else as it is."""
    if value.__class__ is not str:
        return value
    try:
        found = _parsed(value)
    except ValueError:
        return value
    return found if found.__class__ is list else value


def as_ids(value: Any) -> Any:
    """Ids that may come as one number, or as text (`7`, `[7]`, `7, 8`); anything else as it is."""
    if value.__class__ is int:
        return [value]
    if value.__class__ is str and (found := _IDS.fullmatch(value.strip())) and value.strip():
        return [int(each) for each in (found[1] or "").split(",") if each.strip()]
    return value


def _gather(row: Row, own: Collection[str]) -> None:
    """Puts an event's own fields into `dataFields`. One that has another value there stays outside it as well."""
    inside = row.get(OWN)
    if inside is None:
        inside = row[OWN] = {}
    for name in own:
        if row[name] is None or name not in inside or inside[name] == row[name]:
            inside.setdefault(name, row.pop(name))


# What tells events apart


def _parsed(text: str) -> Any:
    """What JSON text holds. ValueError where it is none."""
    from shared.records.values import parse  # here, since `--about` has no use for it

    return parse(text.encode("utf-8", "surrogatepass"))[0]


def identity(export: Export, row: Mapping[str, Any], rest: Iterable[str] = ()) -> bytes:
    """The text that tells an event from others: a canonical JSON list, what is stable of all its other fields last."""
    import orjson  # here, since `--about` has no use for it

    created = row.get("createdAt")
    if created.__class__ is str:
        whole = created[10:11] in (" ", "T") and created[19:] in _SECONDS
        created = f"{created[:10]}T{created[11:19]}" if whole else (instant(created) or created)[:19]
    values = [export.data_type, created, *map(row.get, IDENTITY)]
    if others := {name: value for name in rest if (value := row.get(name)) is not None}:
        values.append(others)
    try:
        return orjson.dumps(values, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # lone surrogates, integers beyond 64 bits
        return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
