"""What the tap must make of the sandbox's resources, worked out without any of the tap's code.

The field lists are those of the vendor's specification: `s` string, `i` integer, `n` number, `b` boolean, `dt`
date-time, `o` free-form object. That the tap's schemas and these lists were written twice is the point: a test that
compares both finds the slips of either.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from shared.sandbox import Row
from shared.sandbox.kinds import Kind, fields_of

_INTEGRATION = "{object:s, id:s, key:s, name:s, category:s}"
_PROFILE = """
    email:s, phone_number:s, external_id:s, first_name:s, last_name:s, organization:s, locale:s, title:s, image:s,
    created:dt, updated:dt, last_event_date:dt, location:{address1:s, address2:s, city:s, country:s, latitude:s,
    longitude:s, region:s, zip:s, timezone:s, ip:s}, properties:o
"""
_CONSENT = """
    consent:s, consent_timestamp:dt, last_updated:dt, created_timestamp:dt, metadata:o, can_receive:b, valid_until:dt,
    phone_number:s
"""
_SMS = "{can_receive_sms_marketing:b, can_receive_sms_transactional:b, consent:s, consent_timestamp:dt, method:s, \
    method_detail:s, last_updated:dt}"
_SUBSCRIPTIONS = f"""
    subscriptions:{{email:{{marketing:{{can_receive_email_marketing:b, consent:s, consent_timestamp:dt, last_updated:dt,
    method:s, method_detail:s, custom_method_detail:s, double_optin:b, suppression:[{{reason:s, timestamp:dt}}],
    list_suppressions:[{{list_id:s, reason:s, timestamp:dt}}]}}, open_tracking:{{consent:s, consent_timestamp:dt,
    last_updated:dt, created_timestamp:dt, metadata:o, can_receive:b, valid_until:dt}}}},
    sms:{{marketing:{_SMS}, transactional:{_SMS}}},
    mobile_push:{{marketing:{{can_receive_push_marketing:b, consent:s, consent_timestamp:dt}}}},
    whatsapp:{{marketing:{{{_CONSENT}}}, transactional:{{{_CONSENT}}}, conversational:{{{_CONSENT}}}}}}}
"""
_EVENT = f"""
    id:s, type:s, timestamp:i, datetime:s, uuid:s, event_properties:o,
    profile:[{{type:s, id:s, {_PROFILE}}}],
    metric:[{{type:s, id:s, name:s, created:s, updated:s, integration:{_INTEGRATION}}}],
    profile_id:s, metric_id:s, metric_name:s, attribution_ids:[s]
"""
_MESSAGE = """
    label:s, channel:s, content:o, render_options:{shorten_links:b, add_org_prefix:b, add_info_link:b,
    add_opt_out_language:b}, send_times:[{datetime:dt, is_local:b}], created_at:dt, updated_at:dt, definition:o,
    campaign_id:s, template_id:s, image_id:s
"""
_CONTACTS = "email:s, phone_number:s, external_id:s, first_name:s, last_name:s"
_TAGS = "tags:[{type:s, id:s, name:s, tag_group_id:s}], tag_ids:[s]"
_UTM = "{flow:{type:s, value:s}, campaign:{type:s, value:s}}"
_CATALOG = """
    external_id:s, title:s, description:s, price:n, url:s, image_full_url:s, image_thumbnail_url:s, images:[s],
    custom_metadata:o, published:b, created:dt, updated:dt
"""

FIELDS = {
    "events": _EVENT,
    "campaigns": f"""
        id:s, type:s, name:s, status:s, archived:b, channel:s, audiences:{{included:[s], excluded:[s]}},
        send_options:{{use_smart_sending:b}}, tracking_options:{{add_tracking_params:b,
        custom_tracking_params:[{{type:s, name:s, value:s}}], is_tracking_clicks:b, is_tracking_opens:b}},
        send_strategy:{{method:s, datetime:dt, date:s, throttle_percentage:i, options:{{is_local:b,
        send_past_recipients_immediately:b}}}}, created_at:dt, scheduled_at:dt, updated_at:dt, send_time:dt, {_TAGS},
        campaign-messages:[{{type:s, id:s, {_MESSAGE}}}], campaign_message_ids:[s]
    """,
    "campaign_messages": f"id:s, type:s, {_MESSAGE}",
    "lists": f"id:s, type:s, name:s, created:dt, updated:dt, opt_in_process:s, profile_count:i, {_TAGS}",
    "global_exclusions": f"""
        id:s, type:s, {_PROFILE}, {_SUBSCRIPTIONS}, reason:s, timestamp:dt, suppressions:[{{reason:s, timestamp:dt}}]
    """,
    "profiles": f"""
        id:s, type:s, {_PROFILE}, {_SUBSCRIPTIONS}, predictive_analytics:{{historic_clv:n, predicted_clv:n, total_clv:n,
        historic_number_of_orders:n, predicted_number_of_orders:n, average_days_between_orders:n,
        average_order_value:n, churn_probability:n, expected_date_of_next_order:dt, ranked_channel_affinity:[s]}}
    """,
    "metrics": f"id:s, type:s, name:s, created:s, updated:s, integration:{_INTEGRATION}",
    "segments": f"""
        id:s, type:s, name:s, definition:{{condition_groups:[{{conditions:[o]}}]}}, created:dt, updated:dt,
        is_active:b, is_processing:b, is_starred:b, {_TAGS}
    """,
    "list_profiles": f"list_id:s, profile_id:s, joined_group_at:dt, {_CONTACTS}",
    "segment_profiles": f"segment_id:s, profile_id:s, joined_group_at:dt, {_CONTACTS}",
    "flows": f"id:s, type:s, name:s, status:s, archived:b, created:dt, updated:dt, trigger_type:s, {_TAGS}",
    "flow_actions": """
        id:s, type:s, flow_id:s, action_type:s, status:s, created:dt, updated:dt, definition:o
    """,
    "flow_messages": """
        id:s, type:s, flow_action_id:s, channel:s, created:dt, updated:dt, definition:o, template_id:s
    """,
    "templates": """
        id:s, type:s, name:s, editor_type:s, html:s, text:s, amp:s, created:dt, updated:dt, definition:o
    """,
    "tags": "id:s, type:s, name:s, tag_group_id:s",
    "tag_groups": "id:s, type:s, name:s, exclusive:b, default:b",
    "accounts": """
        id:s, type:s, test_account:b, contact_information:{default_sender_name:s, default_sender_email:s,
        website_url:s, organization_name:s, street_address:{address1:s, address2:s, city:s, region:s, country:s,
        zip:s}}, industry:s, timezone:s, preferred_currency:s, public_api_key:s, locale:s
    """,
    "catalog_items": f"id:s, type:s, {_CATALOG}",
    "catalog_variants": f"id:s, type:s, {_CATALOG}, sku:s, inventory_policy:i, inventory_quantity:n, item_id:s",
    "catalog_categories": "id:s, type:s, external_id:s, name:s, updated:dt",
    "catalog_category_items": "category_id:s, item_id:s, type:s",
    "coupons": "id:s, type:s, external_id:s, description:s, monitor_configuration:o",
    "coupon_codes": "id:s, type:s, unique_code:s, expires_at:dt, status:s, coupon_id:s, profile_id:s",
    "forms": "id:s, type:s, name:s, status:s, ab_test:b, created_at:dt, updated_at:dt",
    "form_versions": """
        id:s, type:s, form_id:s, form_type:s, variation_name:s, ab_test:{variation_name:s}, status:s, created_at:dt,
        updated_at:dt
    """,
    "images": "id:s, type:s, name:s, image_url:s, format:s, size:i, hidden:b, updated_at:dt",
    "reviews": """
        id:s, type:s, email:s, status:{value:s, rejection_reason:{reason:s, status_explanation:s}}, verified:b,
        review_type:s, created:dt, updated:dt, images:[s], product:{url:s, name:s, image_url:s, external_id:s},
        rating:i, author:s, content:s, title:s, smart_quote:s, public_reply:{content:s, author:s, updated:dt},
        item_id:s, event_ids:[s]
    """,
    "universal_content": """
        id:s, type:s, name:s, definition:o, created:dt, updated:dt, screenshot_status:s, screenshot_url:s
    """,
    "push_tokens": """
        id:s, type:s, created:dt, enablement_status:s, platform:s, vendor:s, background:s, recorded_date:dt,
        metadata:{device_id:s, klaviyo_sdk:s, sdk_version:s, device_model:s, os_name:s, os_version:s, manufacturer:s,
        app_name:s, app_version:s, app_build:s, app_id:s, environment:s}, profile_id:s
    """,
    "custom_metrics": """
        id:s, type:s, name:s, created:dt, updated:dt, definition:{aggregation_method:s, metric_groups:[{metric_id:s,
        metric_filters:[o], value_property:s}]}
    """,
    "mapped_metrics": "id:s, type:s, updated:dt, metric_id:s, custom_metric_id:s",
    "metric_properties": "id:s, type:s, metric_id:s, label:s, property:s, inferred_type:s",
    "web_feeds": """
        id:s, type:s, name:s, url:s, request_method:s, content_type:s, created:dt, updated:dt, status:s
    """,
    "webhooks": """
        id:s, type:s, name:s, description:s, endpoint_url:s, enabled:b, created_at:dt, updated_at:dt,
        webhook_topic_ids:[s]
    """,
    "tracking_settings": f"""
        id:s, type:s, auto_add_parameters:b, utm_source:{_UTM}, utm_medium:{_UTM}, utm_campaign:{_UTM}, utm_id:{_UTM},
        utm_term:{_UTM}, custom_parameters:[{{flow:{{type:s, value:s}}, campaign:{{type:s, value:s}}, name:s}}]
    """,
    "profile_import_jobs": """
        id:s, type:s, status:s, created_at:dt, total_count:i, completed_count:i, failed_count:i, completed_at:dt,
        expires_at:dt, started_at:dt
    """,
    "data_sources": "id:s, type:s, title:s, visibility:s, description:s, namespace:s",
    "object_types": "id:s, type:s, title:s, description:s, status:s, namespace:s, created_at:dt, updated_at:dt",
    "object_records": "object_type_id:s, id:s, type:s, record_properties:o",
}

_REPORT = "row_id:s, report:s, timeframe:s"
_CONVERTING = f"{_REPORT}, conversion_metric_id:s"
FIELDS |= {
    "campaign_values_reports": f"{_CONVERTING}, campaign_id:s, campaign_message_id:s, send_channel:s, *messages",
    "flow_values_reports": f"{_CONVERTING}, flow_id:s, flow_message_id:s, send_channel:s, *messages",
    "flow_series_reports": f"{_CONVERTING}, date_time:dt, flow_id:s, flow_message_id:s, send_channel:s, *messages",
    "form_values_reports": f"{_REPORT}, form_id:s, form_version_id:s, *forms",
    "form_series_reports": f"{_REPORT}, date_time:dt, form_id:s, form_version_id:s, *forms",
    "segment_values_reports": f"{_REPORT}, segment_id:s, *segments",
    "segment_series_reports": f"{_REPORT}, date_time:dt, segment_id:s, *segments",
    "metric_aggregates": """
        row_id:s, report:s, metric_id:s, interval:s, dimensions:o, date_time:dt, count:n, sum_value:n, unique:n
    """,
}
STATISTICS = {
    "*messages": """average_order_value bounce_rate bounced bounced_or_failed bounced_or_failed_rate click_rate
        click_to_open_rate clicks clicks_unique conversion_rate conversion_uniques conversion_value conversions
        delivered delivery_rate failed failed_rate message_segment_count_sum open_rate opens opens_unique recipients
        revenue_per_recipient spam_complaint_rate spam_complaints text_message_credit_usage_amount text_message_roi
        text_message_spend unsubscribe_rate unsubscribe_uniques unsubscribes""",
    "*forms": """closed_form closed_form_uniques qualified_form qualified_form_uniques submit_rate submits
        submitted_form_step submitted_form_step_uniques viewed_form viewed_form_step viewed_form_step_uniques
        viewed_form_uniques""",
    "*segments": "members_added members_removed net_members_changed total_members",
}
for _stream, _text in FIELDS.items():
    for _mark, _names in STATISTICS.items():
        if _text.endswith(_mark):
            FIELDS[_stream] = _text.replace(_mark, ", ".join(f"{name}:n" for name in _names.split()))

_WIRE = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d{1,6})?(?:\+00:00|Z)")
_MISFIT = object()


KINDS: dict[str, dict[str, Kind]] = {stream: fields_of(text) for stream, text in FIELDS.items()}
"""Stream → field → kind."""

Resource = Mapping[str, Any]


def flattened(resource: Resource, beside: Mapping[str, Sequence[Resource]]) -> Row:
    """A resource as a flat row, the resources `beside` it embedded under their names."""
    names = {name: resource[name] for name in ("id", "type") if resource[name] is not None}
    row: Row = {**names, **resource.get("attributes", {})}
    for name, relation in resource.get("relationships", {}).items():
        if "data" not in relation:
            continue
        data, plain = relation["data"], name.replace("-", "_")
        if isinstance(data, list):
            row[f"{plain[:-1]}_ids"] = [each["id"] for each in data]
        else:
            row[f"{plain}_id"] = data["id"] if data else None
    for name, found in beside.items():
        row[name] = [flattened(each, {}) for each in found]
    if resource["type"] == "campaign-message":
        for name in ("label", "channel", "content", "render_options"):
            row[name] = row["definition"].get(name)
    if resource["type"] == "flow-action":
        row["action_type"] = row["definition"]["type"]
        row["status"] = (row["definition"].get("data") or {}).get("status")
    if resource["type"] == "metric" and isinstance(category := row["integration"].get("category"), dict):
        row["integration"] = {**row["integration"], "category": category["category"]}
    return row


def record(stream: str, row: Row) -> Row:
    """The record of one flat row: fields of the specification, and whatever else in `_extra`."""
    kinds = KINDS[stream]
    extra: Row = {}
    made = {name: _fit(row.get(name), kind, name, extra) for name, kind in kinds.items()}
    extra.update((name, _clean(value)) for name, value in row.items() if name not in kinds)
    return {**made, "_extra": extra} if extra else made


def _fit(value: Any, kind: Kind, path: str, extra: Row) -> Any:
    """`value` as its kind wants it; what does not fit is null here and stands in `extra` under its path."""
    fitted = _fitted(value, kind, path, extra)
    if fitted is _MISFIT:
        extra[path] = _clean(value)
        return None
    return fitted


def _fitted(value: Any, kind: Kind, path: str, extra: Row) -> Any:
    if value is None:
        return None
    if isinstance(kind, dict):
        return _fit_fields(value, kind, path, extra) if isinstance(value, dict) else _MISFIT
    if isinstance(kind, list):
        if not isinstance(value, list):
            return _MISFIT
        return [_fit(part, kind[0], f"{path}.{place}", extra) for place, part in enumerate(value)]
    if kind == "dt":
        return _instant(value)
    if kind == "s":
        return _clean(value) if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    if kind in ("o", "b"):
        return _clean(value) if isinstance(value, dict if kind == "o" else bool) else _MISFIT
    if isinstance(value, bool) or not isinstance(value, (int, float)) or (kind == "i" and value != int(value)):
        return _MISFIT
    return int(value) if kind == "i" else value


def _fit_fields(value: Row, kinds: dict[str, Kind], path: str, extra: Row) -> Row:
    made = {}
    for name, part in value.items():
        if name in kinds:
            made[name] = _fit(part, kinds[name], f"{path}.{name}", extra)
        else:
            extra[f"{path}.{name}"] = _clean(part)
    return made


def _instant(value: Any) -> Any:
    if value == "":
        return None
    match = _WIRE.fullmatch(value) if isinstance(value, str) else None
    return f"{match[1]}T{match[2]}{(match[3] or '.').ljust(7, '0')}Z" if match else _MISFIT


def _clean(value: Any) -> Any:
    """`value` without the characters that databases refuse, and with integers that they hold."""
    if isinstance(value, str):
        return re.sub("[\0\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, dict):
        return {_clean(name): _clean(part) for name, part in value.items()}
    return [_clean(part) for part in value] if isinstance(value, list) else value
