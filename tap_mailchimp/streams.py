"""What can be read from Mailchimp: the API's table of contents, and the few hooks it needs.

Facts without a date are from the published contract 3.0.55 and its successors up to 3.0.91 (2026); those dated 2026-06
were observed on a live account. What may surprise, over all of the table:

- `count` defaults to 10, and a request that forgets it loses data without a word. It is sent everywhere, also where the
  contract does not list it: `tag-search` obeys it all the same (2026-06), and others ignore it.
- `since_*` is exclusive, `before_*` inclusive, both compared in whole seconds (2026-06).
- Every object carries `_links`, a third to a half of all bytes: excluded, at every depth where the contract has them.
- Nothing says when a list, a campaign or a report was last changed, so most streams are read whole: few pages each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.pagination import Params, Row, halve, keyset, offset
from shared.streams import Parent, Record, Settings, Step, Stream, Unit
from shared.timestamps import instant, rfc3339, shift

from . import batches
from .activity import (
    COUNTERS,
    activity_mark,
    events,
    has,
    in_window,
    opens,
    opens_mark,
    sent_to_mark,
    unchanged,
)

if TYPE_CHECKING:
    from shared.client import Client

DAY_SECONDS = 86_400

# Parameters


def page(**params: Any) -> Callable[[Unit], Params]:
    """A full page of rows, and `params`."""

    def of(unit: Unit) -> Params:
        return {"count": unit.settings["page_size"], **params}

    return of


def oldest_first(field: str) -> dict[str, str]:
    """Sorted so that what is new comes at the end, where it moves nothing."""
    return {"sort_field": field, "sort_dir": "ASC"}


def without(
    items: str, *, links: Collection[str] = (), keep: Collection[str] = ()
) -> Callable[[Sequence[str]], Params]:
    """Keeps `_links` and deselected fields of the rows under `items` off the wire.

    `links` are members of a row with `_links` of their own. `keep` are fields that children, gates and hooks need
    whether or not somebody selected them.
    """
    root = f"{items}." if items else ""
    always = dict.fromkeys(("_links", f"{root}_links", *(f"{root}{member}._links" for member in links)))

    def excluded(deselected: Sequence[str]) -> Params:
        names = [f"{root}{name}" for name in deselected if name not in keep and not name.startswith("_")]
        return {"exclude_fields": ",".join([*always, *names])}

    return excluded


def since(param: str) -> Callable[[Unit], Params]:
    """Asks for what is at or after `Unit.since`: the filter is exclusive, so for what is after the second before."""

    def of(unit: Unit) -> Params:
        assert unit.since is not None
        return {param: rfc3339(shift(unit.since, -1))}

    return of


EVERY_MEMBER = {"include_cleaned": True, "include_transactional": True, "include_unsubscribed": True}
"""Segments count and list subscribed members alone unless asked (2026-06)."""

# Partitions


def sweeps(settings: Settings) -> dict[str, Params]:
    """The plain listing leaves archived members out (2026-06). Archiving and its reverse move `last_changed`, so each
    sweep has a bookmark of its own: with one for both, a member that changes sides between them would be missed.
    """
    return {"default": {}, **({"archived": {"status": "archived"}} if settings["include_archived"] else {})}


def by_type(setting: str) -> Callable[[Settings], dict[str, Params]]:
    """A partition for each type named in `setting`; a single one, of all types, when it names none."""

    def partitions(settings: Settings) -> dict[str, Params]:
        return {name: {"type": name} for name in settings[setting] or ()} or {"": {}}

    return partitions


# Parents


def is_wanted_list(unit: Unit) -> bool:
    """Whether `list_ids` names the list, or nothing."""
    wanted = unit.settings["list_ids"]
    return not wanted or unit.parent["list_id"] in wanted


def members_of_list(unit: Unit) -> int:
    """About how many members a sweep over a list meets."""
    known = sum(int(unit.parent.get(f"stats.{name}_count") or 0) for name in ("member", "unsubscribe", "cleaned"))
    if unit.partition == "archived":
        return max(0, int(unit.parent.get("stats.total_contacts") or 0) - known)
    return known


IN_LIST = Parent(
    stream="lists",
    keys={"list_id": "id"},
    carry=("stats.member_count", "stats.unsubscribe_count", "stats.cleaned_count", "stats.total_contacts"),
    where=is_wanted_list,
)
IN_STORE = Parent(stream="ecommerce_stores", keys={"store_id": "id"})


def in_report(
    *carry: str,
    where: Callable[[Unit], bool] | None = None,
    batch: int | Callable[[Settings], int] = 1,
) -> tuple[Parent, ...]:
    """Under each campaign that has a report; with `report_automation_emails` also under e-mails of automations, whose
    ids answer under `/reports` as well (not documented).

    `/reports` says which campaigns these are: drafts have none, and whether a status filter on `/campaigns` would find
    archived ones is unknown.
    """
    carried = tuple(dict.fromkeys((*COUNTERS, "send_time", "emails_sent", *carry)))
    return (
        Parent(stream="reports", keys={"campaign_id": "id"}, carry=carried, where=where, batch=batch),
        Parent(
            stream="automation_emails",
            keys={"campaign_id": "id"},
            carry=("emails_sent",),
            batch=batch,
            when="report_automation_emails",
        ),
    )


def carried(name: str) -> Callable[[Unit], int]:
    """The size of a unit: a counter of its parent."""

    def size(unit: Unit) -> int:
        return int(unit.parent.get(name) or 0)

    return size


# Hooks


NONE = "(none)"
"""What stands in a text column of a key where the API says nothing. Empty text would not do: many loaders read it as
null, which a key refuses (target-duckdb 0.8, COPY with EMPTYASNULL).
"""


def filled(*names: str) -> Callable[[Sequence[Row], Unit], Iterator[Record]]:
    """NONE for key columns that the API leaves empty or out."""

    def transform(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
        for row in rows:
            yield {**row, **{name: NONE for name in names if row.get(name) in (None, "")}}

    return transform


def of_status(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """The campaigns whose status `campaign_status` names. Filtered here, since the API's filter takes one status, and a
    campaign that moves on between two walks would be in neither.
    """
    wanted = unit.settings["campaign_status"]
    return (row for row in rows if not wanted or row.get("status") in wanted)


def is_recent(record: Record, unit: Unit) -> bool:
    """Days are dates without a time, and are compared as the instants at which they begin."""
    return unit.since is None or (instant(record.get("day")) or "") >= unit.since[:10]


def is_always_new(record: Record, unit: Unit) -> bool:
    """A campaign that moved is written whole: an open may become visible after later ones of other members."""
    return True


def email_activity(client: Client, unit: Unit) -> Generator[Step, None, None] | None:
    """Directly or through batches, as `email_activity_mode` says."""
    return batches.fetch(client, unit, EMAIL_ACTIVITY)


# The table

stream = partial(
    Stream,
    params=page(),
    next_page=offset("count", "offset", overlap=1),
    ignored=("_links",),
    shrink=halve("count", smallest=50),  # pages of 1000 members with many merge fields fail with 500 or 504
)

EMAIL_ACTIVITY = stream(
    name="reports_email_activity",
    description="Opens, clicks and bounces, one record each, of campaigns whose report moved",
    path="/reports/{campaign_id}/email-activity",
    records="emails",
    sparse=without("emails", keep=("activity", "email_id", "action", "timestamp", "url", "ip", "type")),
    parent=in_report(where=in_window, batch=batches.campaigns),
    key_properties=("campaign_id", "action", "email_id", "timestamp", "activity_id"),
    contract_key=("campaign_id", "action", "email_id", "timestamp"),
    identity=("email_id",),
    replication_key="timestamp",
    lookback=lambda settings: float(settings["email_activity_lookback_seconds"]),
    since=since("since"),  # filters the events; the recipients come all the same
    gate=activity_mark,
    size=carried("emails_sent"),
    transform=events,
    fetch=email_activity,
    at_once=batches.at_once,
    seed=True,
    cost="1 request per 1000 recipients of each campaign that moved",
    deletions="a permanently deleted member's activity vanishes without a trace",
)

STREAMS = (
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
        name="list_members",
        description="Members of each audience, archived ones included",
        path="/lists/{list_id}/members",
        records="members",
        parent=IN_LIST,
        params=page(**oldest_first("last_changed")),
        sparse=without("members"),
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
        identity=("id",),
        size=carried("member_count"),
        seed=True,
        cost="1 request per segment, and per 1000 members of it",
    ),
    stream(
        name="campaigns",
        description="Campaigns in every status",
        path="/campaigns",
        records="campaigns",
        params=page(**oldest_first("create_time")),
        sparse=without("campaigns", keep=("status",)),
        transform=of_status,
        seed=True,
    ),
    EMAIL_ACTIVITY,
    stream(
        name="unsubscribes",
        description="Who unsubscribed through which campaign, and why",
        path="/reports/{campaign_id}/unsubscribed",
        records="unsubscribes",
        sparse=without("unsubscribes"),
        parent=in_report("unsubscribed", where=has("unsubscribed")),
        key_properties=("campaign_id", "email_id"),
        identity=("email_id",),
        gate=unchanged("unsubscribed"),
        gate_full_table=True,
        size=carried("unsubscribed"),
        seed=True,
        cost="1 request per campaign with unsubscribes",
    ),
    stream(
        name="automations",
        description="Classic automations; customer journeys cannot be listed",
        path="/automations",
        records="automations",
        sparse=without("automations"),
        replication_key="create_time",
        full_table=True,  # create_time never changes, status and report_summary do
        since=since("since_create_time"),
        seed=True,
    ),
    # Reports
    stream(
        name="reports",
        description="Results of each sent campaign",
        path="/reports",
        records="reports",
        sparse=without(
            "reports",
            keep=(
                *("emails_sent", "send_time", "opens", "clicks", "bounces"),
                *("unsubscribed", "abuse_reports", "ecommerce"),
            ),
        ),
    ),
    stream(
        name="reports_sent_to",
        description="Every recipient of every campaign",
        path="/reports/{campaign_id}/sent-to",
        records="sent_to",
        sparse=without("sent_to"),
        parent=in_report(where=has("emails_sent")),
        key_properties=("campaign_id", "email_id"),
        identity=("email_id",),
        gate=sent_to_mark,
        gate_full_table=True,
        size=carried("emails_sent"),
        selected=False,  # the largest there is: the sum of all emails_sent
        cost="1 request per 1000 recipients of each campaign that moved",
    ),
    stream(
        name="reports_open_details",
        description="Who opened which campaign, and when",
        path="/reports/{campaign_id}/open-details",
        records="members",
        sparse=without("members", keep=("opens",)),
        parent=in_report(where=has("opens.opens_total")),
        key_properties=("campaign_id", "email_id"),
        identity=("email_id",),
        replication_key="last_opened_at",
        start_date=False,
        is_new=is_always_new,
        gate=opens_mark,
        size=carried("opens.opens_total"),
        transform=opens,
        cost="1 request per 1000 members who opened, of each campaign opened since",
    ),
    stream(
        name="reports_click_details",
        description="Clicks by link",
        path="/reports/{campaign_id}/click-details",
        records="urls_clicked",
        sparse=without("urls_clicked"),
        parent=in_report(),  # links that nobody clicked are rows too
        key_properties=("campaign_id", "id"),
        gate=unchanged("clicks.clicks_total", "clicks.last_click"),
        gate_full_table=True,
        cost="1 request per campaign",
    ),
    stream(
        name="reports_domain_performance",
        description="Results by the recipients' mail domain",
        path="/reports/{campaign_id}/domain-performance",
        records="domains",
        sparse=without("domains"),
        parent=in_report("unsubscribed", where=has("emails_sent")),
        key_properties=("campaign_id", "domain"),
        gate=unchanged(*COUNTERS, "emails_sent", "unsubscribed"),
        gate_full_table=True,
        transform=filled("domain"),
        cost="1 request per campaign",
    ),
    stream(
        name="reports_locations",
        description="Opens by country and region",
        path="/reports/{campaign_id}/locations",
        records="locations",
        sparse=without("locations"),
        parent=in_report(where=has("opens.opens_total")),
        key_properties=("campaign_id", "country_code", "region"),
        gate=unchanged("opens.opens_total", "opens.last_open"),
        gate_full_table=True,
        transform=filled("country_code", "region"),
        cost="1 request per campaign with opens",
    ),
    stream(
        name="reports_abuse",
        description="Spam complaints by campaign",
        path="/reports/{campaign_id}/abuse-reports",
        records="abuse_reports",
        sparse=without("abuse_reports"),
        parent=in_report("abuse_reports", where=has("abuse_reports")),
        key_properties=("campaign_id", "id"),
        gate=unchanged("abuse_reports"),
        gate_full_table=True,
        cost="1 request per campaign with complaints",
    ),
    stream(
        name="reports_ecommerce_product_activity",
        description="Revenue by campaign and product",
        path="/reports/{campaign_id}/ecommerce-product-activity",
        records="products",
        sparse=without("products"),
        parent=in_report("ecommerce.total_orders", "ecommerce.total_revenue"),
        key_properties=("campaign_id", "title", "sku"),
        gate=unchanged(*COUNTERS, "ecommerce.total_orders", "ecommerce.total_revenue"),
        gate_full_table=True,
        transform=filled("title", "sku"),
        cost="1 request per campaign",
    ),
    # Campaigns and automations
    stream(
        name="campaign_folders",
        description="Folders of campaigns",
        path="/campaign-folders",
        records="folders",
        sparse=without("folders"),
    ),
    stream(
        name="automation_emails",
        description="E-mails of classic automations",
        path="/automations/{workflow_id}/emails",
        records="emails",
        sparse=without("emails", keep=("emails_sent",)),
        parent=Parent(stream="automations", keys={"workflow_id": "id"}),
        cost="1 request per automation",
    ),
    stream(
        name="templates",
        description="Templates: the account's own, unless template_types says otherwise",
        path="/templates",
        records="templates",
        params=page(**oldest_first("date_created")),
        sparse=without("templates"),
        partitions=by_type("template_types"),
    ),
    # Audiences
    stream(
        name="interest_categories",
        description="Groups of interests",
        path="/lists/{list_id}/interest-categories",
        records="categories",
        sparse=without("categories"),
        parent=IN_LIST,
        key_properties=("list_id", "id"),
        cost="1 request per list",
    ),
    stream(
        name="interests",
        description="Interests in each group",
        path="/lists/{list_id}/interest-categories/{category_id}/interests",
        records="interests",
        sparse=without("interests"),
        parent=Parent(stream="interest_categories", keys={"list_id": "list_id", "category_id": "id"}),
        key_properties=("list_id", "category_id", "id"),
        cost="1 request per group of interests",
    ),
    stream(
        name="merge_fields",
        description="Fields that members of an audience may have",
        path="/lists/{list_id}/merge-fields",
        records="merge_fields",
        sparse=without("merge_fields"),
        parent=IN_LIST,
        key_properties=("list_id", "merge_id"),
        cost="1 request per list",
    ),
    stream(
        name="tags",
        description="Tags of each audience: its static segments",
        path="/lists/{list_id}/tag-search",
        records="tags",
        sparse=without("tags"),
        parent=IN_LIST,
        key_properties=("list_id", "id"),
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
        key_properties=("list_id", "cc"),
        transform=filled("cc"),
        cost="1 request per list",
    ),
    stream(
        name="list_clients",
        description="Which mail programs the members of each audience use",
        path="/lists/{list_id}/clients",
        records="clients",
        sparse=without("clients"),
        parent=IN_LIST,
        key_properties=("list_id", "client"),
        transform=filled("client"),
        cost="1 request per list",
    ),
    stream(
        name="list_abuse_reports",
        description="Spam complaints by audience",
        path="/lists/{list_id}/abuse-reports",
        records="abuse_reports",
        sparse=without("abuse_reports"),
        parent=IN_LIST,
        key_properties=("list_id", "id"),
        cost="1 request per list",
    ),
    # E-commerce
    stream(
        name="ecommerce_stores",
        description="Connected shops",
        path="/ecommerce/stores",
        records="stores",
        sparse=without("stores"),
    ),
    stream(
        name="ecommerce_orders",
        description="Orders of all shops",
        path="/ecommerce/orders",  # one walk for all shops; the rows know theirs
        records="orders",
        sparse=without("orders", links=("customer", "lines")),
        key_properties=("store_id", "id"),
    ),
    stream(
        name="ecommerce_customers",
        description="Customers of each shop",
        path="/ecommerce/stores/{store_id}/customers",
        records="customers",
        sparse=without("customers"),
        parent=IN_STORE,
        key_properties=("store_id", "id"),
        cost="1 request per 1000 customers of each shop",
    ),
    stream(
        name="ecommerce_products",
        description="Products of each shop, with variants and images",
        path="/ecommerce/stores/{store_id}/products",
        records="products",
        sparse=without("products", links=("images", "variants")),
        parent=IN_STORE,
        key_properties=("store_id", "id"),
        cost="1 request per 1000 products of each shop",
    ),
    stream(
        name="ecommerce_carts",
        description="Carts of each shop",
        path="/ecommerce/stores/{store_id}/carts",
        records="carts",
        sparse=without("carts", links=("customer", "lines")),
        parent=IN_STORE,
        key_properties=("store_id", "id"),
        cost="1 request per 1000 carts of each shop",
    ),
    # Landing pages and the account
    stream(
        name="landing_pages",
        description="Landing pages",
        path="/landing-pages",
        records="landing_pages",
        params=page(**oldest_first("created_at")),
        sparse=without("landing_pages"),
    ),
    stream(
        name="reporting_landing_pages",
        description="Results of published landing pages",
        path="/reporting/landing-pages",
        records="landing_pages",
        sparse=without("landing_pages"),
    ),
    stream(
        name="account",
        description="The account itself",
        path="/",
        params={},
        sparse=without(""),
        key_properties=("account_id",),
        next_page=None,
        shrink=None,
    ),
)
