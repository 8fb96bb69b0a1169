"""What can be read from Klaviyo: the API's table of contents, and the few hooks it needs.

Facts are from the published specification, revision 2026-07-15. What may surprise, over all of the table:

- Pages are followed by `links.next`, verbatim: it holds all parameters, and only its absence ends a walk.
- Quotas are per endpoint, in tiers; a row's `quota` is "<tier> <endpoint>". Pages are small unless asked.
- Profiles, lists and segments know `greater-than` alone, so one second less is asked for, and what is older is dropped.
- Nothing tells of what was deleted, but for merged profiles; what left a list or a segment shows in a full read alone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from shared.api.request import Params, Request, Row
from shared.errors import ApiError, AuthError, GoneError, QuotaError
from shared.streams import LeftOut, Parent, Record, Settings, Step, Stream, Unit, Window

from . import events, profiles
from .aggregates import AGGREGATES
from .defaults import after, newer, page, updated_lookback
from .fieldsets import fields
from .jsonapi import collection, included, joined, resources
from .newest import NEWEST
from .reports import REPORTS

if TYPE_CHECKING:
    from shared.api.client import Client

DAY_SECONDS = 86_400
TAGGED = {"tags": ("tags", "tag_ids")}

# Campaigns and flows


def campaign_partitions(settings: Settings) -> dict[str, Params]:
    """A filter on the channel is mandatory, and without one on `archived` the archived ones are left out."""
    channels = settings.get("campaign_channels") or ("email", "sms", "mobile_push")
    return {
        f"{channel}{suffix}": {"filter": f'and(equals(messages.channel,"{channel}"),equals(archived,{value}))'}
        for channel in channels
        for suffix, value in (("", "false"), ("_archived", "true"))
    }


def with_channel(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Campaigns with their channel: that of the first message, for one with several is found by each of them."""
    for row in rows:
        held = [each.get("channel") for each in row.get("campaign-messages") or ()]
        row["channel"] = next(filter(None, held), unit.partition.removesuffix("_archived"))
        yield row


FLOWS: Mapping[str, Params] = {
    "live": {"filter": "equals(archived,false)"},
    "archived": {"filter": "equals(archived,true)"},
}


def moved(name: str) -> Callable[[Unit], Any]:
    """The unit's fingerprint: a date-time of its parent."""

    def gate(unit: Unit) -> Any:
        return unit.parent.get(name) or True

    return gate


def sends(unit: Unit) -> bool:
    """Whether a flow's action is one that has messages."""
    return str(unit.parent.get("action_type") or "").startswith("send-")


def as_item(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """An item of a category: its id and type alone."""
    for row in rows:
        yield {"item_id": row.get("id"), "type": row.get("type")}


def of_coupon(unit: Unit) -> Params:
    """The codes of one coupon; without it the API answers 400."""
    return {**page(100)(unit), "filter": f'equals(coupon.id,"{unit.parent["coupon_id"]}")'}


PUSH_TOKEN = ("created", "enablement_status", "platform", "vendor", "background", "recorded_date", "metadata")


def template_params(unit: Unit) -> Params:
    """Templates, with their definition where that is wanted."""
    more = {"additional-fields[template]": "definition"} if unit.settings["template_definition"] else {}
    return {**page(10, "templates")(unit), **more, "sort": "updated"}


def tagged(kind: str, source: str) -> Stream:
    """Which resource of a kind has which tag, out of the pages of the stream `source`."""
    return collection(
        name=f"{kind}_tags",
        description=f"Which tag is on which {kind}",
        path=f"/api/{source}",
        records=joined("tags", "tag"),
        pages_of=source,
        key_properties=(f"{kind}_id", "tag_id"),
        is_new=events.is_asked_for,
        unique=True,
        selected=False,
        cost=f"none beside {source}",
    )


LIST_SUPPRESSION = "subscriptions.email.marketing.list_suppressions"


def of_list(unit: Unit) -> Params:
    """Profiles that get no e-mail of one list."""
    clause = f'equals({LIST_SUPPRESSION}.list_id,"{unit.parent["list_id"]}")'
    wanted = {"additional-fields[profile]": "subscriptions", "fields[profile]": "email,subscriptions"}
    return {**page(100, sort="id")(unit), **wanted, "filter": clause}


def counted(client: Client, unit: Unit) -> Generator[Step, None, None] | None:
    """With `list_profile_count`: each list once more, with the number of its profiles, which 15 a minute can tell."""
    return _counted(client, unit) if unit.settings["list_profile_count"] else None


def _counted(client: Client, unit: Unit) -> Generator[Step, None, None]:
    from shared.sync.paging import pages

    for batch in pages(client, unit, LISTS):
        for row in batch.rows:
            count = {"additional-fields[list]": "profile_count", "fields[list]": "profile_count"}
            request = Request(f"/api/lists/{quote(str(row['id']), safe='')}", count, quota="XS list")
            try:
                found = client.json(request, stream=unit.stream)
                row["profile_count"] = found["data"]["attributes"].get("profile_count")
            except GoneError:  # deleted meanwhile
                pass
            except (AuthError, QuotaError):
                raise
            except ApiError as error:
                yield LeftOut(f"profile_count of list {row['id']}", str(error))
        yield batch


# The table

extra = partial(collection, selected=False)
by_updated = partial(
    collection, replication_key="updated", since=newer("updated"), lookback=updated_lookback, selected=False
)
by_updated_at = partial(
    collection, replication_key="updated_at", since=newer("updated_at"), lookback=updated_lookback, selected=False
)
members = partial(
    collection,
    params=profiles.member_params,
    replication_key="joined_group_at",
    full_table=True,  # only that shows who left
    since=newer("joined_group_at"),
    lookback=DAY_SECONDS,
    start_date=False,
    identity=("id",),
    transform=profiles.as_member,
    unselected=profiles.CONTACTS,
    selected=False,
)

LISTS = collection(
    name="lists",
    description="Lists, with tags",
    sparse=fields("list", "lists", added=("profile_count",), embedded=TAGGED, shared=("tags",)),
    path="/api/lists",
    quota="L lists",
    params=page(10, "lists", include="tags", sort="id"),
    records=resources("tags"),
    ahead=True,  # ten lists a page
    fetch=counted,
    seed=True,
)

PROFILES = collection(
    name="profiles",
    description="Profiles",
    sparse=fields("profile", "profiles"),
    path="/api/profiles",
    quota="L profiles",
    params=profiles.profile_window,
    transform=profiles.in_window,
    replication_key="updated",
    lookback=updated_lookback,
    window=Window(first=30, largest=3650, lag_seconds=3, resize=profiles.resize, pages=events.MANY_PAGES),
    deletions="deleted profiles vanish; merged_profiles tells of merged ones",
)

RESOURCES = (
    # Pages of ten and of a hundred make the longest chains, so they begin first.
    LISTS,
    collection(
        name="global_exclusions",
        description="Profiles that get no e-mail, each once, with all their suppressions",
        sparse=fields(
            "profile",
            "global_exclusions",
            added=("reason", "timestamp", "suppressions"),
            always=("subscriptions",),
        ),
        path="/api/profiles",
        quota="L profiles",
        params=page(100, sort="id", **{"additional-fields[profile]": "subscriptions"}),
        partitions=profiles.suppression_partitions,
        transform=profiles.suppressed,
        unique=True,
        contract_key=("email",),
        seed=True,
    ),
    collection(
        name="campaigns",
        description="Campaigns of e-mail, text messages and mobile push, archived ones too, with tags and messages",
        sparse=fields(
            "campaign",
            "campaigns",
            added=("channel",),
            embedded={
                "tags": ("tags", "tag_ids"),
                "campaign-messages": ("campaign-messages", "campaign_message_ids", "channel"),
            },
            shared=("tags",),
        ),
        path="/api/campaigns",
        quota="M campaigns",
        params=page(100, "campaigns", include="tags,campaign-messages", sort="id"),
        partitions=campaign_partitions,
        records=resources("tags", "campaign-messages"),
        transform=with_channel,
        unique=True,  # a campaign may have messages in two channels
        replication_key="updated_at",
        full_table=True,
        since=newer("updated_at"),
        lookback=updated_lookback,
        start_date=False,
        seed=True,
    ),
    replace(PROFILES, fetch=partial(profiles.with_undated, PROFILES)),
    events.METRICS,
    collection(
        name="segments",
        description="Segments, with tags",
        sparse=fields("segment", "segments", embedded=TAGGED, shared=("tags",)),
        path="/api/segments",
        quota="L segments",
        params=page(10, "segments", include="tags", sort="id"),
        records=resources("tags"),
        replication_key="updated",
        full_table=True,
        since=after("updated"),
        lookback=updated_lookback,
        start_date=False,
    ),
    members(
        name="list_profiles",
        description="Who is in which list; who that is only if these columns are selected",
        path="/api/lists/{list_id}/profiles",
        quota="L list profiles",
        parent=Parent(stream="lists", keys={"list_id": "id"}),
        key_properties=("list_id", "profile_id"),
        cost="1 request per list, and per 100 members of it",
    ),
    extra(
        name="list_suppressions",
        description="Who gets no e-mail of which list, and why",
        path="/api/profiles",
        quota="L profiles",
        params=of_list,
        parent=Parent(stream="lists", keys={"list_id": "id"}),
        key_properties=("list_id", "profile_id"),
        identity=("id",),
        transform=profiles.excluded,
        cost="1 request per list, and per 100 exclusions from it",
    ),
    members(
        name="segment_profiles",
        description="Who is in which segment; who that is only if these columns are selected",
        path="/api/segments/{segment_id}/profiles",
        quota="L segment profiles",
        parent=Parent(stream="segments", keys={"segment_id": "id"}),
        key_properties=("segment_id", "profile_id"),
        cost="1 request per segment, and per 100 members of it",
    ),
    extra(
        name="campaign_messages",
        description="Messages of each campaign, with template and image",
        sparse=fields(
            "campaign-message",
            "campaign_messages",
            added=("label", "channel", "content", "render_options", "campaign_id", "template_id", "image_id"),
            always=("definition",),
        ),
        path="/api/campaigns/{campaign_id}/campaign-messages",
        quota="M campaign messages",
        params={"include": "template,image", "fields[template]": "name", "fields[image]": "name"},
        parent=Parent(stream="campaigns", keys={"campaign_id": "id"}, carry=("updated_at",)),
        gate=moved("updated_at"),
        gate_full_table=True,
        next_page=None,
        cost="1 request per campaign that moved",
    ),
    collection(
        name="flows",
        description="Flows, archived ones too, with tags",
        sparse=fields("flow", "flows", embedded=TAGGED, shared=("tags",)),
        path="/api/flows",
        quota="S flows",
        params=page(50, include="tags", sort="updated"),
        partitions=FLOWS,
        records=resources("tags"),
        replication_key="updated",
        since=newer("updated"),
        lookback=updated_lookback,
        start_date=False,
        unique=True,
    ),
    collection(
        name="flow_actions",
        description="Actions of each flow",
        path="/api/flows",  # side-loaded: all actions of 50 flows with one request of a small quota
        quota="S flows",
        params=page(50, include="flow-actions", sort="id", **{"fields[flow]": "name"}),
        partitions=FLOWS,
        records=included("flow-action", relation="flow-actions", column="flow_id"),
        unique=True,
    ),
    extra(
        name="flow_messages",
        description="Messages that the actions of flows send",
        sparse=fields("flow-message", "flow_messages", added=("flow_action_id", "template_id"), always=("definition",)),
        path="/api/flow-actions/{flow_action_id}/flow-messages",
        quota="S flow messages",
        params=page(50, sort="id"),
        parent=Parent(
            stream="flow_actions", keys={"flow_action_id": "id"}, carry=("updated", "action_type"), where=sends
        ),
        gate=moved("updated"),
        gate_full_table=True,
        cost="1 request per sending action that moved",
    ),
    by_updated(
        name="templates",
        description="Templates of e-mails",
        sparse=fields("template", "templates"),
        path="/api/templates",
        quota="L templates",
        params=template_params,
        start_date=False,
    ),
    collection(
        name="tags",
        description="Tags",
        path="/api/tags",
        quota="S tags",
        params=page(50, include="tag-group", sort="id"),
    ),
    extra(
        name="tag_groups",
        description="Groups of tags",
        sparse=fields("tag-group", "tag_groups"),
        path="/api/tag-groups",
        quota="S tag groups",
        params=page(25, sort="id"),
    ),
    extra(
        name="accounts",
        description="The account itself",
        sparse=fields("account", "accounts"),
        path="/api/accounts",
        quota="XS accounts",
        next_page=None,
    ),
    extra(
        name="catalog_items",
        description="Items of the catalog",
        sparse=fields("catalog-item", "catalog_items"),
        path="/api/catalog-items",
        quota="XL catalog items",
        params=page(100, sort="created"),
    ),
    extra(
        name="catalog_variants",
        description="Variants of the catalog's items",
        sparse=fields("catalog-variant", "catalog_variants", added=("item_id",)),
        path="/api/catalog-items",  # variants on their own do not tell of which item they are
        quota="XL catalog items",
        params=page(100, include="variants", sort="created", **{"fields[catalog-item]": "external_id"}),
        records=included("catalog-variant", relation="variants", column="item_id"),
    ),
    extra(
        name="catalog_categories",
        description="Categories of the catalog",
        sparse=fields("catalog-category", "catalog_categories"),
        path="/api/catalog-categories",
        quota="XL catalog categories",
        params=page(100, sort="created"),
    ),
    extra(
        name="catalog_category_items",
        description="Which item is in which category",
        path="/api/catalog-categories/{category_id}/relationships/items",
        quota="XL category items",
        params=page(100),
        parent=Parent(stream="catalog_categories", keys={"category_id": "id"}),
        key_properties=("category_id", "item_id"),
        identity=("id",),
        transform=as_item,
        cost="1 request per category, and per 100 items in it",
    ),
    extra(
        name="coupons",
        description="Coupons",
        sparse=fields("coupon", "coupons"),
        path="/api/coupons",
        quota="L coupons",
        params=page(100),
    ),
    extra(
        name="coupon_codes",
        description="Codes of each coupon",
        sparse=fields("coupon-code", "coupon_codes", added=("coupon_id", "profile_id")),
        path="/api/coupon-codes",
        quota="XL coupon codes",
        params=of_coupon,
        parent=Parent(stream="coupons", keys={"coupon_id": "id"}),
        cost="1 request per coupon, and per 100 codes of it",
    ),
    by_updated_at(
        name="forms",
        description="Forms",
        sparse=fields("form", "forms"),
        path="/api/forms",
        quota="S forms",
        params=page(100, sort="updated_at"),
        start_date=False,
    ),
    extra(
        name="form_versions",
        description="Versions of each form",
        sparse=fields("form-version", "form_versions", added=("form_id",)),
        path="/api/forms/{form_id}/form-versions",
        quota="S form versions",
        params=page(100, sort="updated_at"),
        parent=Parent(stream="forms", keys={"form_id": "id"}),
        cost="1 request per form",
    ),
    by_updated_at(
        name="images",
        description="Images",
        sparse=fields("image", "images"),
        path="/api/images",
        quota="M images",
        params=page(100, sort="updated_at"),
        start_date=False,
    ),
    extra(
        name="reviews",
        description="Reviews of products and of the shop",
        sparse=fields("review", "reviews", added=("item_id", "event_ids")),
        path="/api/reviews",
        quota="M reviews",
        params=page(100, sort="created"),
    ),
    by_updated(
        name="universal_content",
        description="Blocks that templates share",
        sparse=fields("template-universal-content", "universal_content"),
        path="/api/template-universal-content",
        quota="L universal content",
        params=page(100, sort="updated"),
        start_date=False,
    ),
    extra(
        name="push_tokens",
        description="Devices that get push messages, without the tokens themselves, which are as good as secrets",
        path="/api/push-tokens",
        quota="M push tokens",
        params=page(100, include="profile", **{"fields[push-token]": ",".join(PUSH_TOKEN), "fields[profile]": "id"}),
    ),
    extra(
        name="custom_metrics",
        description="Metrics computed from others",
        sparse=fields("custom-metric", "custom_metrics"),
        path="/api/custom-metrics",
        quota="S custom metrics",
    ),
    extra(
        name="mapped_metrics",
        description="Which metric stands for revenue and the like",
        path="/api/mapped-metrics",
        quota="S mapped metrics",
        params={"include": "metric,custom-metric", "fields[metric]": "name", "fields[custom-metric]": "name"},
    ),
    extra(
        name="metric_properties",
        description="What is known of the events of each metric",
        sparse=fields("metric-property", "metric_properties", added=("metric_id",)),
        path="/api/metrics/{metric_id}/metric-properties",
        quota="XS metric properties",
        parent=Parent(stream="metrics", keys={"metric_id": "id"}),
        key_properties=("metric_id", "id"),
        cost="1 request per metric, of 15 a minute",
    ),
    extra(
        name="web_feeds",
        description="Web feeds that messages draw on",
        sparse=fields("web-feed", "web_feeds"),
        path="/api/web-feeds",
        quota="XS web feeds",
        params=page(20, sort="created"),
    ),
    extra(
        name="webhooks",
        description="Webhooks, with their topics",
        sparse=fields("webhook", "webhooks", added=("webhook_topic_ids",)),
        path="/api/webhooks",
        quota="XS webhooks",
        params={"include": "webhook-topics"},
    ),
    extra(
        name="tracking_settings",
        description="How links are tagged",
        sparse=fields("tracking-setting", "tracking_settings"),
        path="/api/tracking-settings",
        quota="M tracking settings",
        params={"page[size]": 1},
    ),
    extra(
        name="profile_import_jobs",
        description="Bulk imports of profiles",
        sparse=fields("profile-bulk-import-job", "profile_import_jobs"),
        path="/api/profile-bulk-import-jobs",
        quota="M import jobs",
        params=page(100, sort="created_at"),
    ),
    extra(
        name="data_sources",
        description="Sources of custom objects",
        sparse=fields("data-source", "data_sources"),
        path="/api/data-sources",
        quota="S data sources",
        params=page(100),
        optional=True,
    ),
    extra(
        name="object_types",
        description="Types of custom objects",
        sparse=fields("object-type", "object_types"),
        path="/api/object-types",
        quota="S object types",
        optional=True,
    ),
    extra(
        name="object_records",
        description="Custom objects of each type",
        sparse=fields("object-record", "object_records", added=("object_type_id",)),
        path="/api/object-types/{object_type_id}/object-records",
        quota="S object records",
        params=page(100),
        parent=Parent(stream="object_types", keys={"object_type_id": "id"}),
        key_properties=("object_type_id", "id"),
        optional=True,
        cost="1 request per type, and per 100 objects of it",
    ),
)

TAGS = (
    tagged("campaign", "campaigns"),
    tagged("flow", "flows"),
    tagged("list", "lists"),
    tagged("segment", "segments"),
)

STREAMS = (
    *events.CONTRACT,
    *RESOURCES,
    *NEWEST,
    *TAGS,
    events.ALL,
    events.ATTRIBUTED,
    events.MERGED,
    *REPORTS,
    AGGREGATES,
)
