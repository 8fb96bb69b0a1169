"""Members of audiences, streams of single members, and members as contacts of every channel.

Streams of single members take a request per member, so none is selected by default. `last_changed` moves with a
member's profile, status and tags; it does not with opens and clicks (2026-06), and nobody says whether it does with
events, goals and notes. So tags are read of members that changed since, the others of all members, lest any be missed.
Where the catalog makes these INCREMENTAL, they too are read of members that changed since, at that risk, and of all
when `full_refresh_members_days` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from shared.api.paginators import cursor, keyset
from shared.api.request import Params, Row
from shared.streams import Parent, Record, Settings, Unit
from shared.timestamps import rfc3339

from ..activity import archived_mark, has
from ..defaults import (
    IN_LIST,
    Transform,
    by_person,
    chained,
    numbered,
    oldest_first,
    page,
    person,
    since,
    stream,
    whole_row,
    without,
)
from ..merge_fields import emptied, typed


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


def under_members(*carry: str, where: Callable[[Unit], bool] | None = None) -> Parent:
    """Under each member; under those alone that changed since, where the replication method is INCREMENTAL."""
    return Parent(
        stream="list_members",
        keys={"list_id": "list_id", "email_id": "id"},
        carry=("last_changed", *carry),
        where=where,
        changed_only=True,
    )


def has_note(unit: Unit) -> bool:
    """Members carry their latest note."""
    return unit.parent.get("last_note") is not None


def stamped(transform: Transform | None = None) -> Transform:
    """The rows, or what `transform` makes of them, with their bookmark: when the member changed."""

    def stamp(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
        for row in transform(rows, unit) if transform else rows:
            yield {**row, "member_last_changed": unit.parent["last_changed"]}

    return stamp


def is_wanted_audience(unit: Unit) -> bool:
    """Audiences are lists, so `list_ids` names them too."""
    wanted = unit.settings["list_ids"]
    return not wanted or unit.parent["audience_id"] in wanted


# Of all members, in every run: see above.
of_all_members = partial(
    stream,
    replication_key="member_last_changed",
    full_table=True,
    full_refresh="full_refresh_members_days",
    lookback=1,
    selected=False,
)

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
        identity=person("id"),
        transform=chained(by_person("id", strict=True), emptied),
        extend_schema=typed,
        replication_key="last_changed",
        order="ascending",
        since=since("since_last_changed"),
        full_refresh="full_refresh_members_days",
        gate=archived_mark,
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
        parent=under_members("tags_count", where=has("tags_count")),
        key_properties=("list_id", "email_id", "id"),
        identity=("id",),
        replication_key="member_last_changed",
        lookback=1,
        transform=stamped(),
        selected=False,
        cost="1 request per member with tags who changed",
        deletions="a tag taken off stays in the table",
    ),
    of_all_members(
        name="member_notes",
        description="Notes on members",
        path="/lists/{list_id}/members/{email_id}/notes",
        records="notes",
        params=page(**oldest_first("created_at")),
        sparse=without("notes"),
        parent=under_members("last_note", where=has_note),
        key_properties=("list_id", "email_id", "id"),
        identity=("id",),
        transform=stamped(),
        cost="1 request per member with notes",
    ),
    of_all_members(
        name="member_activity",
        description="The last 50 things that each member did",
        path="/lists/{list_id}/members/{email_id}/activity",
        records="activity",
        sparse=without("activity"),
        parent=under_members(),
        total="",  # the latest 50 alone come
        next_page=None,  # comes whole, and the same action twice is two
        shrink=None,
        key_properties=("list_id", "email_id", "timestamp", "action", "campaign_id", "_index"),
        transform=stamped(numbered("timestamp", texts=("action", "campaign_id"))),
        cost="1 request per member",
        deletions="what is no longer among the last 50 is missing too",
    ),
    of_all_members(
        name="member_activity_feed",
        description="What each member did and what happened to them, of every kind",
        path="/lists/{list_id}/members/{email_id}/activity-feed",
        records="activity",
        sparse=without("activity"),
        parent=under_members(),
        key_properties=("list_id", "email_id", "created_at_timestamp", "activity_type", "_index"),
        identity=whole_row,
        counted=True,
        transform=stamped(numbered("created_at_timestamp", texts=("activity_type",))),
        cost="1 request per member, and per 1000 items of theirs",
    ),
    of_all_members(
        name="member_events",
        description="Events that the account's own applications reported of each member",
        path="/lists/{list_id}/members/{email_id}/events",
        records="events",
        sparse=without("events"),
        parent=under_members(),
        key_properties=("list_id", "email_id", "name", "occurred_at", "_index"),
        identity=whole_row,
        counted=True,
        transform=stamped(numbered("occurred_at", texts=("name",))),
        cost="1 request per member, and per 1000 events of theirs",
    ),
    of_all_members(
        name="member_goals",
        description="Goals that each member reached",
        path="/lists/{list_id}/members/{email_id}/goals",
        records="goals",
        sparse=without("goals"),
        parent=under_members(),
        next_page=None,  # comes whole
        shrink=None,
        key_properties=("list_id", "email_id", "goal_id"),
        transform=stamped(),
        cost="1 request per member",
    ),
    stream(
        name="audience_contacts",
        description="Contacts of each audience with all their channels (a beta of 2025)",
        path="/audiences/{audience_id}/contacts",
        records="contacts",
        params=page(**oldest_first("updated_at")),
        sparse=without("contacts"),
        parent=Parent(stream="lists", keys={"audience_id": "id"}, where=is_wanted_audience),
        total="",
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
