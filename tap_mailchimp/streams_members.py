"""Streams of single members, and members as contacts of every channel: costly or new, so off by default.

Tags and notes take a request per member who has any, and only of members that changed since: both move `last_changed`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.pagination import Row, cursor
from shared.streams import Parent, Record, Unit

from .activity import has
from .parts import oldest_first, page, since, stream, without

MEMBER = {"list_id": "list_id", "email_id": "id"}


def has_note(unit: Unit) -> bool:
    """Members carry their latest note."""
    return unit.parent.get("last_note") is not None


def of_member(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """The rows with their bookmark: when the member changed."""
    for row in rows:
        yield {**row, "member_last_changed": unit.parent["last_changed"]}


def is_wanted_audience(unit: Unit) -> bool:
    """Audiences are lists, so `list_ids` names them too."""
    wanted = unit.settings["list_ids"]
    return not wanted or unit.parent["audience_id"] in wanted


MEMBER_STREAMS = (
    stream(
        name="member_tags",
        description="Tags of each member, with the time each was put on",
        path="/lists/{list_id}/members/{email_id}/tags",
        records="tags",
        sparse=without("tags"),
        parent=Parent(
            stream="list_members",
            keys=MEMBER,
            carry=("last_changed", "tags_count"),
            where=has("tags_count"),
            changed_only=True,
        ),
        key_properties=("list_id", "email_id", "id"),
        identity=("id",),
        replication_key="member_last_changed",
        lookback=1,
        transform=of_member,
        selected=False,
        cost="1 request per member with tags who changed",
        deletions="a tag taken off stays in the table",
    ),
    stream(
        name="member_notes",
        description="Notes on members",
        path="/lists/{list_id}/members/{email_id}/notes",
        records="notes",
        params=page(**oldest_first("created_at")),
        sparse=without("notes"),
        parent=Parent(
            stream="list_members",
            keys=MEMBER,
            carry=("last_changed", "last_note"),
            where=has_note,
            changed_only=True,
        ),
        key_properties=("list_id", "email_id", "id"),
        identity=("id",),
        replication_key="member_last_changed",
        lookback=1,
        transform=of_member,
        selected=False,
        cost="1 request per member with notes who changed",
        deletions="a deleted note stays in the table",
    ),
    stream(
        name="audience_contacts",
        description="Contacts of each audience with all their channels (a beta of 2025)",
        path="/audiences/{audience_id}/contacts",
        records="contacts",
        params=page(**oldest_first("updated_at")),
        sparse=without("contacts"),
        parent=Parent(stream="lists", keys={"audience_id": "id"}, where=is_wanted_audience),
        next_page=cursor("next_cursor", param="cursor"),
        key_properties=("audience_id", "id"),
        identity=("id",),
        replication_key="last_updated_at",
        since=since("updated_since"),
        optional=True,
        selected=False,
        cost="1 request per 1000 changed contacts, 1 at least per list",
    ),
)
