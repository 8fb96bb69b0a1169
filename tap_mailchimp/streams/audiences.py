"""Audiences, which the API calls lists, and what hangs below one but its members."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared.errors import ApiError, AuthError, QuotaError
from shared.streams import LeftOut, Parent, Record, Step, Unit
from shared.timestamps import instant

from ..activity import has, list_mark
from ..defaults import (
    IN_LIST,
    by_person,
    by_type,
    carried,
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

if TYPE_CHECKING:
    from shared.api.client import Client

DAY_SECONDS = 86_400
EVERY_MEMBER = {"include_cleaned": True, "include_transactional": True, "include_unsubscribed": True}
"""Segments count and list subscribed members alone unless asked (2026-06)."""


def is_recent(record: Record, unit: Unit) -> bool:
    """Days are dates without a time, and are compared as the instants at which they begin."""
    return unit.since is None or (instant(record.get("day")) or "") >= unit.since[:10]


def interests(client: Client, unit: Unit) -> Generator[Step, None, None]:
    """The interests of a list, group by group: of a list whose counters stand still not even the groups are asked for,
    which they would be if each were a parent.
    """
    from shared.sync.paging import pages

    failed: ApiError | None = None
    for groups in pages(client, replace(unit, deselected=frozenset()), INTEREST_CATEGORIES):
        listed: Sequence[Any] = groups.rows
        for group in listed:
            category = group.get("id") if isinstance(group, dict) else None
            if not category:
                yield LeftOut("the interests of a group without an id", f"interests: a group of {unit.key} has no id.")
                continue
            in_group = replace(unit, parent={**unit.parent, "category_id": category}, scratch={})
            try:
                for found in pages(client, in_group, INTERESTS):
                    given: Sequence[Any] = found.rows
                    rows = [{**row, "category_id": category} if isinstance(row, dict) else row for row in given]
                    yield replace(found, rows=rows)
            except (AuthError, QuotaError):
                raise
            except ApiError as error:
                failed = failed or error
    if failed is not None:  # the other groups are written; the next run asks for all of them
        raise failed


INTEREST_CATEGORIES = stream(
    name="interest_categories",
    description="Groups of interests",
    path="/lists/{list_id}/interest-categories",
    records="categories",
    sparse=without("categories"),
    parent=IN_LIST,
    gate=list_mark,
    gate_full_table=True,
    key_properties=("list_id", "id"),
    cost="1 request per list",
)

INTERESTS = stream(
    name="interests",
    description="Interests in each group",
    path="/lists/{list_id}/interest-categories/{category_id}/interests",
    records="interests",
    sparse=without("interests"),
    parent=IN_LIST,
    gate=list_mark,
    gate_full_table=True,
    fetch=interests,
    key_properties=("list_id", "category_id", "id"),
    identity=("id",),
    cost="1 request per list, and per group of interests",
)

AUDIENCE_STREAMS = (
    stream(
        name="lists",
        description="Audiences, with their counters",
        path="/lists",
        records="lists",
        params=page(include_total_contacts=True, **oldest_first("date_created")),
        sparse=without("lists", keep=("stats",)),
        seed=True,
    ),
    stream(
        name="list_segments",
        description="Segments and tags of each audience",
        path="/lists/{list_id}/segments",
        records="segments",
        parent=IN_LIST,
        params=page(**EVERY_MEMBER),
        sparse=without("segments", keep=("list_id", "member_count")),
        partitions=by_type("segment_types"),
        replication_key="updated_at",
        full_table=True,  # updated_at stays when the members of a dynamic segment change
        since=since("since_updated_at"),
        seed=True,
        cost="1 request per list",
    ),
    stream(
        name="list_segment_members",
        description="Which members are in which segment",
        path="/lists/{list_id}/segments/{segment_id}/members",
        records="members",
        parent=Parent(
            stream="list_segments",
            keys={"list_id": "list_id", "segment_id": "id"},
            carry=("member_count",),
            where=has("member_count"),
        ),
        params=page(**EVERY_MEMBER),
        sparse=without("members"),
        key_properties=("id", "list_id", "segment_id"),
        contract_key=("id",),
        identity=person("id"),
        transform=chained(by_person("id", strict=True), emptied),
        extend_schema=typed,
        size=carried("member_count"),
        seed=True,
        cost="1 request per segment, and per 1000 members of it",
    ),
    stream(
        name="tags",
        description="Tags of each audience: its static segments",
        path="/lists/{list_id}/tag-search",
        records="tags",
        sparse=without("tags"),
        parent=IN_LIST,
        gate=list_mark,
        gate_full_table=True,
        key_properties=("list_id", "id"),
        cost="1 request per list",
    ),
    INTEREST_CATEGORIES,
    INTERESTS,
    stream(
        name="merge_fields",
        description="Fields that members of an audience may have",
        path="/lists/{list_id}/merge-fields",
        records="merge_fields",
        sparse=without("merge_fields"),
        parent=IN_LIST,
        gate=list_mark,
        gate_full_table=True,
        key_properties=("list_id", "merge_id"),
        cost="1 request per list",
    ),
    stream(
        name="list_growth_history",
        description="Members gained and lost by month",
        path="/lists/{list_id}/growth-history",
        records="history",
        params=page(**oldest_first("month")),
        sparse=without("history"),
        parent=IN_LIST,
        gate=list_mark,
        gate_full_table=True,
        key_properties=("list_id", "month"),
        cost="1 request per list",
    ),
    stream(
        name="list_activity",
        description="What happened in each audience by day, up to 180 days back",
        path="/lists/{list_id}/activity",
        records="activity",
        sparse=without("activity"),
        parent=IN_LIST,
        gate=list_mark,
        key_properties=("list_id", "day"),
        replication_key="day",
        lookback=7 * DAY_SECONDS,  # the counters of the latest days still move
        is_new=is_recent,
        cost="1 request per list",
    ),
    stream(
        name="list_locations",
        description="Where the members of each audience are",
        path="/lists/{list_id}/locations",
        records="locations",
        sparse=without("locations"),
        parent=IN_LIST,
        gate=list_mark,
        gate_full_table=True,
        key_properties=("list_id", "cc", "_index"),
        contract_key=("list_id", "cc"),
        identity=whole_row,
        counted=True,
        transform=numbered(texts=("cc",)),
        cost="1 request per list",
    ),
    stream(
        name="list_clients",
        description="Which mail programs the members of each audience use",
        path="/lists/{list_id}/clients",
        records="clients",
        sparse=without("clients"),
        parent=IN_LIST,
        gate=list_mark,
        gate_full_table=True,
        key_properties=("list_id", "client", "_index"),
        contract_key=("list_id", "client"),
        identity=whole_row,
        counted=True,
        transform=numbered(texts=("client",)),
        cost="1 request per list",
    ),
    stream(
        name="list_abuse_reports",
        description="Spam complaints by audience",
        path="/lists/{list_id}/abuse-reports",
        records="abuse_reports",
        sparse=without("abuse_reports"),
        parent=IN_LIST,
        gate=list_mark,
        gate_full_table=True,
        key_properties=("list_id", "id"),
        cost="1 request per list",
    ),
    stream(
        name="list_webhooks",
        description="Webhooks of each audience",
        path="/lists/{list_id}/webhooks",
        records="webhooks",
        sparse=without("webhooks"),
        parent=IN_LIST,
        key_properties=("list_id", "id"),
        identity=("id",),
        selected=False,
        cost="1 request per list",
    ),
    stream(
        name="list_signup_forms",
        description="Signup forms of each audience",
        path="/lists/{list_id}/signup-forms",
        records="signup_forms",
        sparse=without("signup_forms"),
        parent=IN_LIST,
        key_properties=("list_id", "signup_form_url", "_index"),
        contract_key=("list_id", "signup_form_url"),
        identity=whole_row,
        counted=True,
        transform=numbered(texts=("signup_form_url",)),
        selected=False,
        cost="1 request per list",
    ),
    stream(
        name="list_surveys",
        description="Surveys of each audience, those not yet published too",
        path="/lists/{list_id}/surveys",
        records="surveys",
        sparse=without("surveys"),
        parent=IN_LIST,
        key_properties=("list_id", "id"),
        identity=("id",),
        optional=True,
        selected=False,
        cost="1 request per list",
    ),
)
