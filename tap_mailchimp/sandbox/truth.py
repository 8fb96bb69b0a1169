"""What the tap must make of the sandbox's rows, by the fields of `facts.json`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import md5
from typing import Any

from shared.sandbox import Row, truth
from shared.sandbox.kinds import facts_beside, kinds_by_stream

FACTS = facts_beside(__file__)["streams"]
KINDS = kinds_by_stream(FACTS)
"""Stream → field → kind."""
KINDS["reports_email_activity"] |= KINDS["reports_email_activity"].pop("activity")[0]
_ADDRESS = dict.fromkeys(("addr1", "addr2", "city", "state", "zip", "country"), "string")
TYPED = ("list_members", "list_segment_members")
"""Streams whose merge fields are typed as the lists define them."""
for _stream in TYPED:
    KINDS[_stream]["merge_fields"] = {
        **dict.fromkeys(("FNAME", "LNAME", "PHONE", "BIRTHDAY", "SIZE"), "string"),
        "POINTS": "number",
        "ADDRESS": _ADDRESS,
    }

del KINDS["campaigns"]["resend_shortcut_eligibility"]  # not selected by default

SECRET = {"batches": "response_body_url", "account_exports": "download_url"}
"""Stream → a link that is as good as a credential, which no record has."""
for _stream, _link in SECRET.items():
    KINDS[_stream].pop(_link, None)

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
    "list_locations": ("list_id", "cc"),
    "list_clients": ("list_id", "client"),
    "list_signup_forms": ("list_id", "signup_form_url"),
    "reports_domain_performance": ("campaign_id", "domain"),
    "reports_locations": ("campaign_id", "country_code", "region"),
    "reports_ecommerce_product_activity": ("campaign_id", "title", "sku"),
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
    if stream in SECRET:
        row = {name: value for name, value in row.items() if name != SECRET[stream]}
    made = truth.record(kinds, _unlinked(_filled(stream, {**row, **parent, **known})))
    for name in NEVER_EMPTY.get(stream, ()):
        made[name] = made[name] or "(none)"
    if stream == "reports_open_details":
        made["last_opened_at"] = max((entry["timestamp"] for entry in made["opens"]), default=None)
    return made


def _filled(stream: str, row: Row) -> Row:
    """With the id of a recipient, where it is empty, and null for an address and a number that are not filled in."""
    if row.get("email_id") == "" and row.get("email_address"):
        row["email_id"] = _id_of(row["email_address"])
    fields = row.get("merge_fields")
    if stream in TYPED and isinstance(fields, dict):
        row["merge_fields"] = {
            name: None if value == "" and name in ("ADDRESS", "POINTS") else value for name, value in fields.items()
        }
    return row


def _id_of(address: str) -> str:
    return md5(address.lower().encode(), usedforsecurity=False).hexdigest()


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
    of this recipient that are equal in all of that, in the order given. An empty email_id is that of the address.
    """
    row = {**row, "email_id": row["email_id"] or _id_of(row["email_address"])}

    def same(entry: Row) -> list[str]:
        parts = [row["campaign_id"], row["email_id"], entry["action"], entry["timestamp"]]
        return parts + [entry.get(name) or "" for name in ("url", "ip", "type")]

    whole = {name: value for name, value in row.items() if name != "activity"}
    for entry, parts, before in truth.occurrences(row.get("activity") or (), same):
        made = record("reports_email_activity", {**whole, **entry}, {})
        yield {**made, "activity_id": truth.digest([*parts, before])}
