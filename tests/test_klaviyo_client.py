"""Klaviyo's own client, generated from its specification, reads the sandbox: every answer has the published shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from klaviyo_api import KlaviyoAPI

from tap_klaviyo.client import REVISION
from tap_klaviyo.sandbox import API_KEY, KlaviyoSandbox

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def box() -> Iterator[KlaviyoSandbox]:
    with KlaviyoSandbox({"quotas": "0", "odd": "0"}) as served:
        yield served


@pytest.fixture(scope="module")
def api(box: KlaviyoSandbox) -> Any:
    return KlaviyoAPI(API_KEY, max_delay=1, max_retries=1, test_host=box.base_url)


def walk(call: Call, *args: Any, **params: Any) -> Iterator[dict[str, Any]]:
    """All resources of a collection, checked and typed by the client."""
    cursor = None
    while True:
        answer = call(*args, **params, **({"page_cursor": cursor} if cursor else {}))
        body = answer if isinstance(answer, dict) else answer.to_dict()
        yield from body["data"]
        following = (body.get("links") or {}).get("next")
        if not following:
            return
        (cursor,) = parse_qs(urlsplit(following).query)["page[cursor]"]


def test_it_is_the_client_of_the_tap_s_revision(api: Any) -> None:
    assert api._REVISION == REVISION


def test_every_collection_has_the_published_shape_and_every_row(api: Any, box: KlaviyoSandbox) -> None:
    calls: dict[str, Call] = {
        "accounts": api.Accounts.get_accounts,
        "catalog_categories": api.Catalogs.get_catalog_categories,
        "catalog_items": api.Catalogs.get_catalog_items,
        "catalog_variants": api.Catalogs.get_catalog_variants,
        "coupons": api.Coupons.get_coupons,
        "custom_metrics": api.Metrics.get_custom_metrics,
        "data_sources": api.Custom_Objects.get_data_sources,
        "events": api.Events.get_events,
        "flows": api.Flows.get_flows,
        "forms": api.Forms.get_forms,
        "images": api.Images.get_images,
        "lists": api.Lists.get_lists,
        "mapped_metrics": api.Metrics.get_mapped_metrics,
        "metrics": api.Metrics.get_metrics,
        "object_types": api.Custom_Objects.get_object_types,
        "profile_import_jobs": api.Profiles.get_bulk_profile_import_jobs,
        "profiles": api.Profiles.get_profiles,
        "push_tokens": api.Profiles.get_push_tokens,
        "reviews": api.Reviews.get_reviews,
        "segments": api.Segments.get_segments,
        "tag_groups": api.Tags.get_tag_groups,
        "tags": api.Tags.get_tags,
        "templates": api.Templates.get_templates,
        "tracking_settings": api.Tracking_Settings.get_tracking_settings,
        "universal_content": api.Templates.get_all_universal_content,
        "web_feeds": api.Web_Feeds.get_web_feeds,
        "webhooks": api.Webhooks.get_webhooks,
    }
    for stream, call in calls.items():
        truth = box.truth(stream, {"start_date": "2020-01-01", "undated_profiles": True, "include_future_events": True})
        assert {row["id"] for row in walk(call)} == {record["id"] for record in truth}, stream


def test_children_have_the_published_shape(api: Any, box: KlaviyoSandbox) -> None:
    actions = [row["flow_action_id"] for row in box.truth("flow_messages")]
    calls: dict[str, tuple[Call, str, str]] = {
        "campaign_messages": (api.Campaigns.get_messages_for_campaign, "campaign_id", "id"),
        "coupon_codes": (api.Coupons.get_coupon_codes, "coupon_id", "id"),
        "flow_messages": (api.Flows.get_messages_for_flow_action, "flow_action_id", "id"),
        "form_versions": (api.Forms.get_versions_for_form, "form_id", "id"),
        "list_profiles": (api.Lists.get_profiles_for_list, "list_id", "profile_id"),
        "metric_properties": (api.Metrics.get_properties_for_metric, "metric_id", "id"),
        "object_records": (api.Custom_Objects.get_records_for_object_type, "object_type_id", "id"),
        "segment_profiles": (api.Segments.get_profiles_for_segment, "segment_id", "profile_id"),
    }
    assert actions
    for stream, (call, parent, key) in calls.items():
        truth = box.truth(stream)
        first = truth[0][parent]
        asked = f'equals(coupon.id,"{first}")' if stream == "coupon_codes" else first
        expected = {record[key] for record in truth if record[parent] == first}
        assert {row["id"] for row in walk(call, asked)} == expected, stream


def test_filters_fieldsets_and_included_resources_are_understood(api: Any, box: KlaviyoSandbox) -> None:
    campaigns = walk(
        api.Campaigns.get_campaigns, 'equals(messages.channel,"sms")', include=["tags", "campaign-messages"]
    )
    truth = box.truth("campaigns")
    found = {row["id"] for row in campaigns}
    assert found == {row["id"] for row in truth if any(m["channel"] == "sms" for m in row["campaign-messages"])}
    metric = box.account.metrics[0]["id"]
    events = walk(
        api.Events.get_events,
        filter=f'equals(metric_id,"{metric}"),less-than(datetime,2026-11-01T00:00:00Z)',
        page_size=1000,
        sort="datetime",
        include=["profile", "metric", "attributions"],
        fields_profile=["email"],
    )
    expected = [row["id"] for row in box.truth("receive") if row["datetime"] < "2026-11-01"]
    assert sorted(row["id"] for row in events) == sorted(expected)


def test_reports_have_the_published_shape(api: Any) -> None:
    frame = {"start": "2026-10-01T00:00:00", "end": "2026-10-03T00:00:00"}
    asked = {"statistics": ["opens"], "timeframe": frame, "conversion_metric_id": "x", "interval": "daily"}
    answer = api.Reporting.query_flow_series({"data": {"type": "flow-series-report", "attributes": asked}})
    body = answer if isinstance(answer, dict) else answer.to_dict()
    attributes = body["data"]["attributes"]
    assert len(attributes["date_times"]) == len(attributes["results"][0]["statistics"]["opens"]) == 3
    bounds = ["greater-or-equal(datetime,2026-10-01T00:00:00)", "less-than(datetime,2026-10-04T00:00:00)"]
    asked = {"metric_id": "x", "measurements": ["count"], "filter": bounds}
    with pytest.raises(Exception, match="metric_id"):
        api.Metrics.query_metric_aggregates({"data": {"type": "metric-aggregate", "attributes": asked}})
