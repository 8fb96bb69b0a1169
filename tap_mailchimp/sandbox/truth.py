"""What the tap must make of the sandbox's rows, by the fields of `facts.json`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from shared.sandbox import Row, truth
from shared.sandbox.kinds import facts_beside, kinds_by_stream

FACTS = facts_beside(__file__)["streams"]
KINDS = kinds_by_stream(FACTS)
"""Stream → field → kind."""
KINDS["reports_email_activity"] |= KINDS["reports_email_activity"].pop("activity")[0]

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


def record(stream: str, row: Row, parent: Row) -> Row:
    """The record of one row: fields of the contract, those of its parent, and whatever else in `_extra`."""
    kinds = {**dict.fromkeys(parent, "any"), **KINDS[stream]}
    known = {name: value for name, value in row.items() if value is not None and name in KINDS[stream]}
    made = truth.record(kinds, _unlinked({**row, **parent, **known}))
    for name in NEVER_EMPTY.get(stream, ()):
        made[name] = made[name] or "(none)"
    if stream == "reports_open_details":
        made["last_opened_at"] = max((entry["timestamp"] for entry in made["opens"]), default=None)
    return made


def _unlinked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _unlinked(part) for name, part in value.items() if name != "_links"}
    return [_unlinked(part) for part in value] if isinstance(value, list) else value


def numbered(stream: str, records: Iterable[Row]) -> Iterator[Row]:
    """The records with `_index`, where the stream has one: 0, 1.. among those equal in the columns of INDEXED."""
    if stream not in INDEXED:
        yield from records
        return
    for made, _, before in truth.occurrences(records, lambda made: [made[name] for name in INDEXED[stream]]):
        yield {**made, "_index": before}


def events(row: Row) -> Iterator[Row]:
    """The records of one recipient of /reports/{campaign_id}/email-activity, one an event.

    `activity_id` is the first 32 hexadecimal digits of the SHA-256 of a compact JSON array in UTF-8: [campaign_id,
    email_id, action, timestamp as it came, url or "", ip or "", type or "", n], where n = 0, 1, 2.. numbers the events
    of this recipient that are equal in all of that, in the order given.
    """

    def same(entry: Row) -> list[str]:
        parts = [row["campaign_id"], row["email_id"], entry["action"], entry["timestamp"]]
        return parts + [entry.get(name) or "" for name in ("url", "ip", "type")]

    whole = {name: value for name, value in row.items() if name != "activity"}
    for entry, parts, before in truth.occurrences(row.get("activity") or (), same):
        made = record("reports_email_activity", {**whole, **entry}, {})
        yield {**made, "activity_id": truth.digest([*parts, before])}
