"""What the tap must make of the sandbox's rows, worked out without any of the tap's code.

The field lists are those of `sandbox_fields`. That they and the tap's schemas were written twice is the point: a test
that compares both finds the slips of either.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from shared.sandbox import Row
from shared.sandbox.kinds import Kind, fields_of

from .fields import FIELDS

NEVER_EMPTY = {
    "reports_domain_performance": ("domain",),
    "reports_locations": ("country_code", "region"),
    "reports_ecommerce_product_activity": ("title", "sku"),
    "list_locations": ("cc",),
    "list_clients": ("client",),
    "list_signup_forms": ("signup_form_url",),
    "chimp_chatter": ("type", "title"),
    "member_activity": ("action", "campaign_id"),
}
"""Stream → text columns of its key that the API may leave empty."""

INDEXED = {
    "reports_advice": ("campaign_id",),
    "chimp_chatter": ("update_time", "type", "title"),
    "member_activity": ("list_id", "email_id", "timestamp", "action", "campaign_id"),
    "member_activity_feed": ("list_id", "email_id", "created_at_timestamp", "activity_type"),
    "member_events": ("list_id", "email_id", "name", "occurred_at"),
}
"""Stream → what its records are equal in that `_index` tells apart."""

_WIRE = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\+00:00")
_CLASSES: dict[str, type] = {"o": dict, "b": bool, "s": str}
_MISFIT = object()


KINDS: dict[str, dict[str, Kind]] = {
    stream: fields_of(text) for stream, text in {**FIELDS, "reports_sub_reports": FIELDS["reports"]}.items()
}
"""Stream → field → kind."""


def record(stream: str, row: Row, parent: Row) -> Row:
    """The record of one row: fields of the contract, those of its parent, and whatever else in `_extra`."""
    kinds = KINDS[stream]
    extra: Row = {}
    made: Row = {}
    for name, kind in kinds.items():
        made[name] = _fit(row.get(name), kind, name, extra)
    for name, value in row.items():
        if name not in kinds and name not in parent and name != "_links":
            extra[name] = _clean(value)
    for name, value in parent.items():
        if made.get(name) is None:
            made[name] = _instant(value) if kinds.get(name) == "dt" else _clean(value)
    if stream == "conversation_messages":
        made["list_id"] = str(row["list_id"])
        extra.pop("list_id", None)
    for name in NEVER_EMPTY.get(stream, ()):
        made[name] = made[name] or "(none)"
    if stream == "reports_open_details":
        made["last_opened_at"] = max((entry["timestamp"] for entry in made["opens"]), default=None)
    if extra:
        made["_extra"] = extra
    return made


def numbered(stream: str, records: Iterable[Row]) -> Iterator[Row]:
    """The records with `_index`, where the stream has one: 0, 1.. among those equal in the columns of INDEXED."""
    names, met = INDEXED.get(stream), Counter[str]()
    for made in records:
        if names is not None:
            same = json.dumps([made[name] for name in names])
            made["_index"] = met[same]
            met[same] += 1
        yield made


def events(row: Row) -> Iterator[Row]:
    """The records of one recipient of /reports/{campaign_id}/email-activity, one an event.

    `activity_id` is the first 32 hexadecimal digits of the SHA-256 of a compact JSON array in UTF-8: [campaign_id,
    email_id, action, timestamp as it came, url or "", ip or "", type or "", n], where n = 0, 1, 2.. numbers the events
    of this recipient that are equal in all of that, in the order given.
    """
    met: Counter[str] = Counter()
    for entry in row.get("activity") or ():
        parts = [row["campaign_id"], row["email_id"], entry["action"], entry["timestamp"]]
        parts += [entry.get(name) or "" for name in ("url", "ip", "type")]
        same = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
        text = json.dumps([*parts, met[same]], ensure_ascii=False, separators=(",", ":"))
        met[same] += 1
        whole = {name: value for name, value in row.items() if name != "activity"}
        made = record("reports_email_activity", {**whole, **entry}, {})
        made["activity_id"] = hashlib.sha256(text.encode()).hexdigest()[:32]
        yield made


def _fit(value: Any, kind: Kind, path: str, extra: Row) -> Any:
    """`value` as its kind wants it; what does not fit is null here and stands in `extra` under its path."""
    fitted = _fitted(value, kind, path, extra)
    if fitted is _MISFIT:
        extra[path] = _clean(value)
        return None
    return fitted


def _fitted(value: Any, kind: Kind, path: str, extra: Row) -> Any:
    if value is None:
        return None
    if isinstance(kind, dict):
        return _fit_fields(value, kind, path, extra) if isinstance(value, dict) else _MISFIT
    if isinstance(kind, list):
        if not isinstance(value, list):
            return _MISFIT
        return [_fit(part, kind[0], f"{path}.{place}", extra) for place, part in enumerate(value)]
    if kind == "dt":
        return _instant(value)
    if kind in _CLASSES:
        return _clean(value) if isinstance(value, _CLASSES[kind]) else _MISFIT
    if isinstance(value, bool) or not isinstance(value, (int, float)) or (kind == "i" and value != int(value)):
        return _MISFIT
    return int(value) if kind == "i" else value


def _fit_fields(value: Row, kinds: dict[str, Kind], path: str, extra: Row) -> Row:
    made = {}
    for name, part in value.items():
        if name in kinds:
            made[name] = _fit(part, kinds[name], f"{path}.{name}", extra)
        elif name != "_links":
            extra[f"{path}.{name}"] = _clean(part)
    return made


def _instant(value: Any) -> Any:
    if value == "":
        return None
    match = _WIRE.fullmatch(value) if isinstance(value, str) else None
    return f"{match[1]}T{match[2]}.000000Z" if match else _MISFIT


def _clean(value: Any) -> Any:
    """`value` without links, and without the characters that databases refuse."""
    if isinstance(value, str):
        return re.sub("[\0\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, dict):
        return {_clean(name): _clean(part) for name, part in value.items() if name != "_links"}
    return [_clean(part) for part in value] if isinstance(value, list) else value
