"""What can be read from Customer.io: the API's table of contents, and the few hooks it needs.

Facts marked (live) were seen on a real workspace in 2026-10; the rest is the vendor's documentation of 2026-09.

- Only deliveries can be asked for by time; other incremental streams are whole lists of which the changed rows are
  written. A parent's `updated` does not follow its children (live), so children are read under every parent.
- A cursor may be there although nothing follows it (live), an empty list may be null, and ids of children may be text.
- People are addressed by `cio_id` throughout: some have no id (live).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.pagination import NextPage, Page, Params, Request, Row, offset
from shared.streams import Parent, Record, Settings, Step, Stream, Unit, Window
from shared.timestamps import parse, seconds_between

if TYPE_CHECKING:
    from shared.client import Client

logger = logging.getLogger("tap-customerio")

PEOPLE_A_REQUEST = 100
KEPT_DAYS = 30
"""For so long the API keeps activities."""
SUPPRESSIONS = ("bounces", "blocks", "spam_reports", "invalid_emails")

# Pages


def after(*, empty_ends: bool = False) -> NextPage:
    """Send the page's `next` as `start`. `empty_ends`: a page without rows is the last one, whatever its `next`."""

    def next_page(page: Page) -> Sequence[Request]:
        token = page.at("next")
        if token in (None, "", 0):
            return []
        is_same = str(token) == page.request.params.get("start")
        if not page.rows and (empty_ends or is_same):
            return []
        return [page.request.with_params({"start": str(token)})]

    return next_page


def people_pages(page: Page) -> Sequence[Request]:
    """After a page of the search: the next one, and the people found, a hundred a request, all side by side.

    The last of these requests remembers where the search goes on, for then all people before that have been read.
    """
    if page.request.path != "/customers":
        return []
    token = page.at("next")
    following = [page.request.with_params({"start": str(token)})] if token else []
    if following and following[0] == page.request:
        return following if page.at("identifiers") else []
    ids = [str(each["cio_id"]) for each in page.at("identifiers") or () if each.get("cio_id")]
    for place in range(0, len(ids), PEOPLE_A_REQUEST):
        is_last = place + PEOPLE_A_REQUEST >= len(ids)
        following.append(
            Request(
                path="/customers/attributes",
                params={"id_type": "cio_id"},
                method="POST",
                body={"ids": ids[place : place + PEOPLE_A_REQUEST]},
                memo=str(token) if token and is_last else None,
            )
        )
    return following


def people_read(page: Page) -> Any:
    """Where a broken search goes on."""
    return {"search_start": page.request.memo} if isinstance(page.request.memo, str) else None


# Parameters


def lookback(name: str, unit_seconds: float, *, at_least: str = "") -> Callable[[Settings], float]:
    """Seconds to read again, from a setting, but never less than the minutes of another."""

    def of(settings: Settings) -> float:
        return max(float(settings[name]) * unit_seconds, float(settings[at_least]) * 60 if at_least else 0.0)

    return of


RECENT = lookback("lookback_minutes", 60)


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


def every_object(unit: Unit) -> dict[str, Any]:
    """A filter is required; this one matches every object of the type that has the field."""
    identity = str(unit.parent["object_type_id"])
    field = unit.settings["objects_filter_field"]
    condition = {"type_id": identity, "field": field, "operator": "exists"}
    return {"object_type_id": identity, "filter": {"and": [{"object_attribute": condition}]}}


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


# Rows of a body


def one_of(*names: str) -> Callable[[Any], Sequence[Any]]:
    """The rows under whichever of `names` the body has: a list, a single row, or null. ValueError without any."""

    def rows(body: Any) -> Sequence[Any]:
        for name in names:
            if isinstance(body, dict) and name in body:
                found = body[name]
                return found if isinstance(found, list) else [] if found is None else [found]
        raise ValueError(f"the answer has no {names[0]!r}")

    return rows


def addresses(body: Any) -> Sequence[Row]:
    """Plain texts as rows; an address is its own id."""
    texts = one_of("ip_addresses")(body)
    return [{"id": text, "ip_address": text} for text in dict.fromkeys(texts)]


def old_addresses(body: Any) -> Sequence[Row]:
    """The same as singer-io's tap names them."""
    return [{"ip_addresses": row["id"], "ip_address": row["id"]} for row in addresses(body)]


def suppressed(body: Any) -> Sequence[Row]:
    """The rows with what stands once above them."""
    return [{"category": body.get("category"), **row} for row in one_of("suppressions")(body)]


def people(body: Any) -> Sequence[Row]:
    """The people of a hydrating answer, which may be wrapped one by one; a page of the search has none."""
    if isinstance(body, dict) and "customers" not in body and "identifiers" in body:
        return []
    return [row["customer"] if isinstance(row.get("customer"), dict) else row for row in one_of("customers")(body)]


def usage(body: Any) -> Sequence[Row]:
    """One object, at the top or under used_by."""
    if not isinstance(body, dict):
        raise ValueError("the answer is no object")
    return [body["used_by"] if isinstance(body.get("used_by"), dict) else body]


def contents(body: Any) -> Sequence[Row]:
    """A list of rows, or a single one; numbered as they come, since they have no key of their own."""
    rows = body if isinstance(body, list) else [] if body is None else [body]
    return [{"row": number, "data": row} for number, row in enumerate(rows)]


# Hooks


def person(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """People by their own id, or by `cio_` and their cio_id: the `id` that comes is the one that was asked with."""
    for row in rows:
        identifiers = row.get("identifiers") or {}
        cio_id = str(identifiers.get("cio_id") or row.get("id"))
        yield {
            **row,
            "id": identifiers.get("id") or f"cio_{cio_id}",
            "cio_id": cio_id,
            "email": identifiers.get("email"),
        }


def suppression(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """With an id that tells lists and domains apart: an address may stand on several."""
    kind, _, domain = unit.partition.partition("/")
    for row in rows:
        yield {**row, "id": f"{kind}:{domain}:{row.get('email')}", "suppression_type": kind, "domain": domain}


def suppression_pages(client: Client, unit: Unit) -> Generator[Step, None, None]:
    """One list, by offset; that of a domain is elsewhere and paged by cursor."""
    from shared.extract import pages  # heavy

    kind, _, domain = unit.partition.partition("/")
    if domain:
        at_domain = f"/esp/domains/{domain}/suppression/{kind}"
        listing = replace(BY_OFFSET, path=at_domain, params={"limit": 1000}, next_page=after())
    else:
        listing = replace(BY_OFFSET, path=f"/esp/suppression/{kind}")
    yield from pages(client, unit, listing)


def delivery(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Drafts are marked, since nothing else tells them."""
    return ({**row, "draft": True} for row in rows) if unit.partition == "drafts" else iter(rows)


def opted_out(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Ids as elsewhere, without the prefix of the documented example."""
    return ({**row, "cio_id": str(row.get("cio_id") or "").removeprefix("cio_")} for row in rows)


_USER = re.compile(r"(?<=://)[^/@]*@")


def without_password(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Endpoints may hold a user and a password; nobody needs these in a table."""
    for row in rows:
        endpoint = row.get("endpoint")
        if unit.settings["redact_webhook_credentials"] and isinstance(endpoint, str):
            row = {**row, "endpoint": _USER.sub("", endpoint)}
        yield row


def is_always_new(record: Record, unit: Unit) -> bool:
    """Few rows, of which it is not known whether every change moves their time."""
    return True


def is_wanted_activity(record: Record, unit: Unit) -> bool:
    """In a first read what the start date says; later all that was met, for events may be back-dated."""
    at, end = record.get("timestamp"), unit.settings.get("end_date")
    if not isinstance(at, str):
        return True
    return (unit.since is None or bool(unit.bookmark) or at >= unit.since) and (not end or at < end)


def ids_as_text(schema: dict[str, Any], client: Client) -> dict[str, Any]:
    """With `string_ids` the schema that singer-io's tap has: whole-number ids are text."""
    if not client.settings["string_ids"]:
        return schema
    properties = dict(schema["properties"])
    for name, part in properties.items():
        if (name == "id" or name.endswith("_id")) and "integer" in part["type"]:
            properties[name] = {**part, "type": ["null", "string"]}
    return {**schema, "properties": properties}


# The table

stream = partial(Stream, extend_schema=ids_as_text)
changed = partial(stream, seed=True, lookback=RECENT)
full = partial(stream, seed=True)
UNDER_CAMPAIGN = Parent(stream="campaigns", keys={"campaign_id": "id"})
UNDER_BROADCAST = Parent(stream="broadcasts", keys={"broadcast_id": "id"})
UNDER_NEWSLETTER = Parent(stream="newsletters", keys={"newsletter_id": "id"})
UNDER_TEMPLATE = Parent(stream="transactional_messages", keys={"transactional_id": "id"})
UNDER_SEGMENT = Parent(stream="segments", keys={"segment_id": "id"})

BY_OFFSET = stream(
    name="eps_suppression",
    description="Addresses the e-mail provider suppresses: bounces, blocks, spam reports, invalid ones.",
    path="/esp/suppression/{type}",
    params={"limit": 1000, "offset": 0},
    records=suppressed,
    identity=("email",),
    next_page=offset("limit", "offset"),
    seed=True,
)
"""One list of suppressions by offset, ordered by address: pages overlap by one, so that a lifted entry hides none."""

STREAMS = (
    changed(
        name="broadcasts",
        description="API-triggered broadcasts.",
        path="/broadcasts",
        records="broadcasts",
        replication_key="updated",
    ),
    changed(
        name="campaigns",
        description="Campaigns, called automations in the app.",
        path="/campaigns",
        records="campaigns",
        replication_key="updated",
    ),
    changed(
        name="newsletters",
        description="Newsletters, called one-time sends in the app.",
        path="/newsletters",
        params={"limit": 100, "sort": "asc"},
        records="newsletters",
        replication_key="updated",
        next_page=after(),
    ),
    changed(
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
        next_page=after(),
        transform=delivery,
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
        identity=("id",),
        unique=True,
        transform=person,
        size=lambda unit: 1_000_000,
        cost="11 requests per 1000 people",
    ),
    changed(
        name="segments",
        description="Segments; archived ones are not listed.",
        path="/segments",
        records="segments",
        replication_key="updated_at",
    ),
    changed(
        name="exports",
        description="Exports that were made in the workspace.",
        path="/exports",
        records="exports",
        replication_key="updated_at",
    ),
    changed(
        name="activities",
        description="What people did and what was done to them, of the last 30 days.",
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
        size=lambda unit: 10_000_000,
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
    changed(
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
    changed(
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
        fetch=suppression_pages,
        transform=suppression,
    ),
    # Not in the contract.
    stream(
        name="campaign_actions",
        description="Steps and messages of campaigns, one row per language.",
        path="/campaigns/{campaign_id}/actions",
        records="actions",
        parent=UNDER_CAMPAIGN,
        key_properties=("campaign_id", "id"),
        replication_key="updated",
        lookback=RECENT,
        next_page=after(),
        aliases=("campaigns_actions",),
    ),
    stream(
        name="broadcast_actions",
        description="Messages of broadcasts.",
        path="/broadcasts/{broadcast_id}/actions",
        records="actions",
        parent=UNDER_BROADCAST,
        key_properties=("broadcast_id", "id"),
        replication_key="updated",
        lookback=RECENT,
    ),
    stream(
        name="newsletter_contents",
        description="Variants of newsletters.",
        path="/newsletters/{newsletter_id}/contents",
        records="contents",
        parent=UNDER_NEWSLETTER,
        key_properties=("newsletter_id", "id"),
        aliases=("newsletter_variants",),
    ),
    stream(
        name="newsletter_test_groups",
        description="Groups of A/B tests.",
        path="/newsletters/{newsletter_id}/test_groups",
        records="test_groups",
        parent=UNDER_NEWSLETTER,
        key_properties=("newsletter_id", "id"),
        selected=False,
        cost="1 request per newsletter",
    ),
    stream(
        name="transactional_contents",
        description="Variants of transactional messages, one row per language.",
        path="/transactional/{transactional_id}/contents",
        records=one_of("contents", "content"),
        parent=UNDER_TEMPLATE,
        key_properties=("transactional_id", "id"),
        selected=False,
        cost="1 request per transactional message",
    ),
    stream(
        name="broadcast_triggers",
        description="When broadcasts were triggered.",
        path="/broadcasts/{broadcast_id}/triggers",
        records="triggers",
        parent=UNDER_BROADCAST,
        key_properties=("broadcast_id", "id"),
        replication_key="created_at",
        lookback=RECENT,
        selected=False,
        cost="1 request per broadcast",
    ),
    stream(
        name="segment_members",
        description="Who is in which segment; while a segment is being built the rows may be stale.",
        path="/segments/{segment_id}/membership",
        params={"limit": 30_000},
        records="identifiers",
        parent=UNDER_SEGMENT,
        key_properties=("segment_id", "cio_id"),
        next_page=after(),
        selected=False,
        cost="1 request per segment and 30,000 members",
        aliases=("segment_memberships",),
    ),
    stream(
        name="segment_customer_counts",
        description="How many people are in a segment.",
        path="/segments/{segment_id}/customer_count",
        parent=UNDER_SEGMENT,
        key_properties=("segment_id",),
        selected=False,
        cost="1 request per segment",
    ),
    stream(
        name="segment_usage",
        description="Which campaigns and newsletters use a segment.",
        path="/segments/{segment_id}/used_by",
        records=usage,
        parent=UNDER_SEGMENT,
        key_properties=("segment_id",),
        selected=False,
        cost="1 request per segment",
    ),
    stream(
        name="sender_usage",
        description="Which campaigns and newsletters use a sender.",
        path="/sender_identities/{sender_id}/used_by",
        records=usage,
        parent=Parent(stream="sender_identities", keys={"sender_id": "id"}),
        key_properties=("sender_id",),
        unique=True,
        selected=False,
        cost="1 request per sender",
    ),
    stream(
        name="collection_contents",
        description="Rows of collections, numbered as they come.",
        path="/collections/{collection_id}/content",
        records=contents,
        parent=Parent(stream="collections", keys={"collection_id": "id"}),
        key_properties=("collection_id", "row"),
        selected=False,
        cost="1 request per collection",
    ),
    stream(
        name="custom_objects",
        description="Objects of each type.",
        path="/objects",
        method="POST",
        params={"limit": 100},
        body=every_object,
        records="identifiers",
        parent=Parent(stream="types", keys={"object_type_id": "id"}),
        key_properties=("object_type_id", "cio_object_id"),
        next_page=after(),
        selected=False,
        cost="1 request per type and 100 objects",
    ),
    stream(
        name="custom_object_relationships",
        description="People related to objects.",
        path="/objects/{object_type_id}/{cio_object_id}/relationships",
        params={"id_type": "cio_object_id", "limit": 100},
        records="cio_relationships",
        parent=Parent(
            stream="custom_objects",
            keys={"object_type_id": "object_type_id", "cio_object_id": "cio_object_id"},
        ),
        key_properties=("object_type_id", "cio_object_id", "cio_id"),
        next_page=after(),
        selected=False,
        cost="1 request per object",
    ),
    stream(
        name="subscription_channels",
        description="Channels of the subscription center.",
        path="/subscription_channels",
        records="channels",
        optional=True,
        selected=False,
    ),
    stream(
        name="optouts",
        description="People who opted out of SMS or WhatsApp, by sender.",
        path="/optouts",
        params={"limit": 1000},
        records="optouts",
        key_properties=("cio_id",),
        next_page=after(),
        transform=opted_out,
        selected=False,
    ),
)

LEGACY: dict[str, dict[str, Any]] = {
    "ip_addresses": {"name": "info", "key_properties": ("ip_addresses",), "records": old_addresses},
    "topics": {"name": "subscription_center"},
    "types": {"name": "objects"},
}
"""What `legacy_stream_names` changes."""
