"""Members of audiences, streams of single members, and members as contacts of every channel.

Tags and notes take a request per member who has any, and only of members that changed since: both move `last_changed`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.pagination import Params, Row, cursor, keyset
from shared.streams import Parent, Record, Settings, Unit
from shared.timestamps import rfc3339

from .activity import has
from .parts import IN_LIST, oldest_first, page, since, stream, without

MEMBER = {"list_id": "list_id", "email_id": "id"}


def sweeps(settings: Settings) -> dict[str, Params]:
    """The plain listing leaves archived members out (2026-06). Archiving and its reverse move `last_changed`, so each
    sweep has a bookmark of its own: with one for both, a member that changes sides between them would be missed.
    """
    return {"default": {}, **({"archived": {"status": "archived"}} if settings["include_archived"] else {})}


def members_of_list(unit: Unit) -> int:
    """About how many members a sweep over a list meets."""
    known = sum(int(unit.parent.get(f"stats.{name}_count") or 0) for name in ("member", "unsubscribe", "cleaned"))
    if unit.partition == "archived":
        return max(0, int(unit.parent.get("stats.total_contacts") or 0) - known)
    return known


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
        name="list_members",
        description="Members of each audience, archived ones included",
        path="/lists/{list_id}/members",
        records="members",
        parent=IN_LIST,
        params=page(**oldest_first("last_changed")),
        sparse=without("members", keep=("list_id", "tags_count", "last_note")),
        partitions=sweeps,
        key_properties=("id", "list_id"),
        identity=("id",),
        replication_key="last_changed",
        order="ascending",
        since=since("since_last_changed"),
        full_refresh="full_refresh_members_days",
        next_page=keyset(
            "last_changed",
            since="since_last_changed",
            before="before_last_changed",
            count="count",
            start="offset",
            stamp=rfc3339,
        ),
        size=members_of_list,
        seed=True,
        cost="1 request per 1000 changed members, 2 at least per list",
        deletions="archived members say so; deleted ones vanish, and so does the old id after a change of address",
    ),
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
