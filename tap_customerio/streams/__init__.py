"""What can be read from Customer.io: the API's table of contents, and the few hooks it needs.

Facts marked (live) were seen on a real workspace in 2026-10; the rest is the vendor's documentation of 2026-09.

- Only deliveries can be asked for by time; other incremental streams are whole lists of which the changed rows are
  written. A parent's `updated` does not follow its children (live), so children are read under every parent.
- A cursor may be there although nothing follows it (live), an empty list may be null, and ids of children may be text.
- People are addressed by `cio_id` throughout: some have no id (live).
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared.api.paginators import offset
from shared.api.request import Params, Request
from shared.errors import ApiError, GoneError, RefusedError, UnavailableError
from shared.streams import Settings, Step, Unit, Window
from shared.timestamps import parse, seconds_between

from .. import checks, exports
from ..defaults import changed, full, listed, lookback, stream
from ..metrics import METRICS
from ..pages import after, delivery_pages, people_pages, people_read
from ..rows import (
    addresses,
    delivery,
    is_always_new,
    is_wanted_activity,
    of_person,
    old_addresses,
    people,
    person,
    suppressed,
    suppression,
    without_password,
)
from .children import CHILDREN

if TYPE_CHECKING:
    from shared.api.client import Client

logger = logging.getLogger("tap-customerio")

KEPT_DAYS = 30
"""For so long the API keeps activities."""
SUPPRESSIONS = ("bounces", "blocks", "spam_reports", "invalid_emails")

# Parameters


def found_people(unit: Unit) -> dict[str, Any]:
    """The search's filter. Everybody has a cio_id, but not everybody an id (live: 119 of 121)."""
    segments = unit.settings["customers_segment_ids"]
    if segments:
        return {"filter": {"or": [{"segment": {"id": each}} for each in segments]}}
    return {"filter": {"and": [{"attribute": {"field": "cio_id", "operator": "exists"}}]}}


def search_from(unit: Unit) -> Params:
    """A full page, from where a broken search had got to."""
    start = unit.resume.get("search_start") if isinstance(unit.resume, dict) else None
    return {"limit": 1000, "start": start}


def delivered_in(unit: Unit) -> Params:
    """The unit's window. Both bounds are inclusive (live); without them only six months come."""
    assert unit.window is not None
    start, end = (int(parse(edge).timestamp()) for edge in unit.window)
    tracked = {"get_tracked_responses": True} if unit.settings["get_tracked_responses"] else {}
    return {"limit": 1000, "start_ts": start, "end_ts": end - 1, **tracked}


def newest_activities(unit: Unit) -> Params:
    """Those of deleted people too: `deleted` does not drop the others (live)."""
    if unit.bookmark and seconds_between(unit.bookmark, unit.now) > KEPT_DAYS * 86_400:
        logger.warning(
            "activities: the last complete read was on %s; activities are kept %d days, so some are lost for good",
            unit.bookmark[:10],
            KEPT_DAYS,
        )
    return {"limit": 100, "deleted": True}


# Partitions


def drafts(settings: Settings) -> dict[str, Params]:
    """Drafts come alone and only when asked for."""
    return {"": {}, "drafts": {"drafts": True}} if settings["include_drafts"] else {"": {}}


def activity_types(settings: Settings) -> dict[str, Params]:
    """A walk for each type that is named."""
    return {str(name): {"type": name} for name in settings["activities_types"] or ()} or {"": {}}


def suppression_lists(settings: Settings) -> dict[str, Params]:
    """The four lists, of each sending domain that is named."""
    domains = settings["esp_suppression_domains"] or [""]
    return {f"{kind}/{domain}" if domain else kind: {} for domain in domains for kind in SUPPRESSIONS}


def suppressed_addresses(client: Client, unit: Unit) -> Generator[Step, None, None]:
    """One list: the account's own, or that of a sending domain, which is elsewhere and paged by cursor.

    An account that has no lists is told from one whose one list cannot be read by asking for the others.
    """
    from shared.sync.paging import pages  # heavy

    kind, _, domain = unit.partition.partition("/")
    by_cursor = replace(BY_OFFSET, path=list_path(kind, domain), params={"limit": 1000}, next_page=after())
    try:
        yield from pages(client, unit, by_cursor if domain else BY_OFFSET)
    except UnavailableError as error:
        others = (each for each in SUPPRESSIONS if each != kind)
        if any(_is_readable(client, Request(list_path(each, domain), {"limit": 1}), unit.stream) for each in others):
            raise ApiError(f"{error} Yet another list can be read.") from error
        raise


def list_path(kind: str, domain: str) -> str:
    """Where a list is."""
    return f"/esp/domains/{domain}/suppression/{kind}" if domain else f"/esp/suppression/{kind}"


def _is_readable(client: Client, request: Request, stream: str) -> bool:
    try:
        client.json(request, stream=stream)
    except (UnavailableError, GoneError, RefusedError):
        return False
    return True


# The table

BY_OFFSET = stream(
    name="eps_suppression",
    description="Addresses the e-mail provider suppresses: bounces, blocks, spam reports, invalid ones.",
    path="/esp/suppression/{partition}",
    params={"limit": 1000, "offset": 0},
    records=suppressed,
    identity=("email",),
    next_page=offset("limit", "offset"),
    seed=True,
)
"""One list of suppressions by offset, ordered by address: pages overlap by one, so that a lifted entry hides none."""

STREAMS = (
    listed(
        name="broadcasts",
        description="API-triggered broadcasts.",
        path="/broadcasts",
        records="broadcasts",
        replication_key="updated",
    ),
    listed(
        name="campaigns",
        description="Campaigns, called automations in the app.",
        path="/campaigns",
        records="campaigns",
        replication_key="updated",
    ),
    listed(
        name="newsletters",
        description="Newsletters, called one-time sends in the app.",
        path="/newsletters",
        params={"limit": 100, "sort": "asc"},
        records="newsletters",
        replication_key="updated",
        next_page=after(),
    ),
    listed(
        name="transactional_messages",
        description="Templates of transactional messages; the first `messages` of the contract.",
        path="/transactional",
        records="messages",
        replication_key="updated_at",
    ),
    changed(
        name="messages",
        description="Deliveries, with the times at which they were sent, opened, clicked.",
        path="/messages",
        params=delivered_in,
        records="messages",
        replication_key="created",
        lookback=lookback("messages_lookback_days", 86_400, at_least="lookback_minutes"),
        partitions=drafts,
        next_page=delivery_pages,
        transform=delivery,
        size=lambda unit: 5_000_000,
        window=Window(
            first=lambda settings: float(settings["messages_window_days"]),
            largest=180,
            lag_seconds=60,
            origin="2012-01-01T00:00:00.000000Z",
        ),
    ),
    full(
        name="customers",
        description="People with all their attributes and devices.",
        path="/customers",
        method="POST",
        params=search_from,
        body=found_people,
        records=people,
        next_page=people_pages,
        keep=people_read,
        fetch=exports.everybody,
        checks=checks.of_people,
        weigh=checks.requests_for_people,
        identity=of_person,
        transform=person,
        size=lambda unit: 1_000_000,
        cost="12 requests per 1000 people",
    ),
    listed(
        name="segments",
        description="Segments; archived ones are not listed.",
        path="/segments",
        records="segments",
        replication_key="updated_at",
    ),
    listed(
        name="exports",
        description="Exports that were made in the workspace.",
        path="/exports",
        records="exports",
        replication_key="updated_at",
    ),
    changed(
        name="activities",
        description="What people did and what was done to them, of the last 30 days; opens and clicks of messages too.",
        path="/activities",
        params=newest_activities,
        records="activities",
        replication_key="timestamp",
        order="descending",
        lookback=lookback("activities_lookback_hours", 3600),
        is_new=is_wanted_activity,
        partitions=activity_types,
        next_page=after(empty_ends=True),
        unique=True,
        ahead=True,  # no time filter and 100 rows a page: the longest walk of all
    ),
    full(
        name="sender_identities",
        description="Senders, hidden ones too.",
        path="/sender_identities",
        params={"limit": 100},
        records="sender_identities",
        # hidden=true is documented to include the hidden ones, and gives these alone (live).
        partitions={"shown": {"hidden": False}, "hidden": {"hidden": True}},
        next_page=after(empty_ends=True),
        unique=True,
    ),
    full(
        name="reporting_webhooks",
        description="Webhooks that report what happens to messages.",
        path="/reporting_webhooks",
        records="reporting_webhooks",
        transform=without_password,
    ),
    listed(
        name="snippets",
        description="Snippets of content.",
        path="/snippets",
        records="snippets",
        key_properties=("name",),
        replication_key="updated_at",
    ),
    full(
        name="ip_addresses",
        description="Addresses that Customer.io sends from.",
        path="/info/ip_addresses",
        records=addresses,
        aliases=("info",),
    ),
    listed(
        name="collections",
        description="Collections of data for messages; all of them in each run.",
        path="/collections",
        records="collections",
        replication_key="updated_at",
        is_new=is_always_new,
    ),
    full(
        name="topics",
        description="Topics of the subscription center.",
        path="/subscription_topics",
        records="topics",
        aliases=("subscription_center",),
    ),
    full(
        name="workspaces",
        description="All workspaces of the account, with counts.",
        path="/workspaces",
        records="workspaces",
    ),
    full(
        name="types",
        description="Types of custom objects.",
        path="/object_types",
        records="types",
        aliases=("objects",),
    ),
    replace(
        BY_OFFSET,
        partitions=suppression_lists,
        fetch=suppressed_addresses,
        transform=suppression,
        checks=checks.of_suppressions,
    ),
    *CHILDREN,
    *METRICS,
)

LEGACY: dict[str, dict[str, Any]] = {
    "ip_addresses": {"name": "info", "key_properties": ("ip_addresses",), "records": old_addresses},
    "topics": {"name": "subscription_center"},
    "types": {"name": "objects"},
}
"""What `legacy_stream_names` changes."""
