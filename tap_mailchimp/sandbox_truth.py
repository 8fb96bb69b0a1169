"""What the tap must make of the sandbox's rows, worked out without any of the tap's code.

The field lists are those of the vendor's contract: `s` string, `i` integer, `n` number, `b` boolean, `dt` date-time,
`o` free-form object. That the tap's schemas and these lists were written twice is the point: a test that compares both
finds the slips of either.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from shared.sandbox import Row

from .sandbox_fields import FURTHER

FIELDS = {
    "lists": """
        beamer_address:s, campaign_defaults:{from_email:s, from_name:s, language:s, subject:s},
        contact:{address1:s, address2:s, city:s, company:s, country:s, phone:s, state:s, zip:s},
        date_created:dt, double_optin:b, email_type_option:b, has_welcome:b, id:s, list_rating:i,
        marketing_permissions:b, modules:[s], name:s, notify_on_subscribe:s, notify_on_unsubscribe:s,
        permission_reminder:s, stats:{avg_sub_rate:n, avg_unsub_rate:n, campaign_count:i, campaign_last_sent:dt,
        cleaned_count:i, cleaned_count_since_send:i, click_rate:n, last_sub_date:dt, last_unsub_date:dt,
        member_count:i, member_count_since_send:i, merge_field_count:i, open_rate:n, target_sub_rate:n,
        total_contacts:i, unsubscribe_count:i, unsubscribe_count_since_send:i}, subscribe_url_long:s,
        subscribe_url_short:s, use_archive_bar:b, visibility:s, web_id:i
    """,
    "list_members": """
        consents_to_one_to_one_messaging:b, contact_id:s, email_address:s, email_client:s, email_type:s,
        full_name:s, id:s, interests:o, ip_opt:s, ip_signup:s, language:s, last_changed:dt,
        last_note:{created_at:dt, created_by:s, note:s, note_id:i}, list_id:s, location:{country_code:s,
        dstoff:i, gmtoff:i, latitude:n, longitude:n, region:s, timezone:s}, marketing_permissions:[{enabled:b,
        marketing_permission_id:s, text:s}], member_rating:i, merge_fields:o, source:s, stats:{avg_click_rate:n,
        avg_open_rate:n, ecommerce_data:{currency_code:s, number_of_orders:n, total_revenue:n}}, status:s,
        tags:[{id:i, name:s}], tags_count:i, timestamp_opt:dt, timestamp_signup:dt, unique_email_id:s,
        unsubscribe_reason:s, vip:b, web_id:i, sms_phone_number:s, sms_subscription_status:s,
        sms_subscription_last_updated:dt
    """,
    "list_segments": """
        created_at:dt, id:i, list_id:s, member_count:i, name:s, options:{conditions:[o], match:s}, type:s,
        updated_at:dt
    """,
    "list_segment_members": """
        segment_id:i, email_address:s, email_client:s, email_type:s, id:s, interests:o, ip_opt:s, ip_signup:s,
        language:s, last_changed:dt, last_note:{created_at:dt, created_by:s, note:s, note_id:i}, list_id:s,
        location:{country_code:s, dstoff:i, gmtoff:i, latitude:n, longitude:n, timezone:s}, member_rating:i,
        merge_fields:o, stats:{avg_click_rate:n, avg_open_rate:n}, status:s, timestamp_opt:dt,
        timestamp_signup:dt, unique_email_id:s, vip:b
    """,
    "campaigns": """
        ab_split_opts:{from_name_a:s, from_name_b:s, pick_winner:s, reply_email_a:s, reply_email_b:s,
        send_time_a:dt, send_time_b:dt, send_time_winner:s, split_size:i, split_test:s, subject_a:s,
        subject_b:s, wait_time:i, wait_units:s}, archive_url:s, content_type:s, create_time:dt,
        delivery_status:{can_cancel:b, emails_canceled:i, emails_sent:i, enabled:b, status:s}, emails_sent:i,
        id:s, long_archive_url:s, needs_block_refresh:b, parent_campaign_id:s, recipients:{list_id:s,
        list_is_active:b, list_name:s, recipient_count:i, segment_opts:{conditions:[o], match:s,
        prebuilt_segment_id:s, saved_segment_id:i}, segment_text:s}, report_summary:{click_rate:n, clicks:i,
        ecommerce:{total_orders:i, total_revenue:n, total_spent:n}, open_rate:n, opens:i, subscriber_clicks:i,
        unique_opens:i}, resendable:b, rss_opts:{constrain_rss_img:b, feed_url:s, frequency:s, last_sent:dt,
        schedule:{daily_send:{friday:b, monday:b, saturday:b, sunday:b, thursday:b, tuesday:b, wednesday:b},
        hour:i, monthly_send_date:n, weekly_send_day:s}}, send_time:dt, settings:{authenticate:b,
        auto_fb_post:[s], auto_footer:b, auto_tweet:b, drag_and_drop:b, fb_comments:b, folder_id:s, from_name:s,
        inline_css:b, preview_text:s, reply_to:s, subject_line:s, template_id:i, timewarp:b, title:s, to_name:s,
        use_conversation:b}, social_card:{description:s, image_url:s, title:s}, status:s,
        tracking:{capsule:{notes:b}, clicktale:s, ecomm360:b, goal_tracking:b, google_analytics:s,
        html_clicks:b, opens:b, salesforce:{campaign:b, notes:b}, text_clicks:b}, type:s,
        variate_settings:{combinations:[{content_description:i, from_name:i, id:s, recipients:i, reply_to:i,
        send_time:i, subject_line:i}], contents:[s], from_names:[s], reply_to_addresses:[s], send_times:[dt],
        subject_lines:[s], test_size:i, wait_time:i, winner_criteria:s, winning_campaign_id:s,
        winning_combination_id:s}, web_id:i, has_logo_merge_tag:b
    """,
    "reports_email_activity": """
        campaign_id:s, list_id:s, list_is_active:b, email_id:s, email_address:s, action:s, type:s, timestamp:dt,
        ip:s, url:s
    """,
    "unsubscribes": """
        campaign_id:s, email_address:s, email_id:s, list_id:s, list_is_active:b, merge_fields:o, reason:s,
        timestamp:dt, vip:b
    """,
    "automations": """
        create_time:dt, emails_sent:i, id:s, recipients:{list_id:s, list_is_active:b, list_name:s,
        segment_opts:{conditions:[o], match:s, saved_segment_id:i}, store_id:s}, report_summary:{click_rate:n,
        clicks:i, open_rate:n, opens:i, subscriber_clicks:i, unique_opens:i}, settings:{authenticate:b,
        auto_footer:b, from_name:s, inline_css:b, reply_to:s, title:s, to_name:s, use_conversation:b},
        start_time:dt, status:s, tracking:{capsule:{notes:b}, clicktale:s, ecomm360:b, goal_tracking:b,
        google_analytics:s, html_clicks:b, opens:b, salesforce:{campaign:b, notes:b}, text_clicks:b},
        trigger_settings:{runtime:{days:[s], hours:{type:s}}, workflow_emails_count:i, workflow_title:s,
        workflow_type:s}
    """,
    "reports": """
        ab_split:{a:{abuse_reports:i, bounces:i, forwards:i, forwards_opens:i, last_open:s, opens:i,
        recipient_clicks:i, unique_opens:i, unsubs:i}, b:{abuse_reports:i, bounces:i, forwards:i,
        forwards_opens:i, last_open:s, opens:i, recipient_clicks:i, unique_opens:i, unsubs:i}}, abuse_reports:i,
        bounces:{hard_bounces:i, soft_bounces:i, syntax_errors:i}, campaign_title:s, clicks:{click_rate:n,
        clicks_total:i, last_click:dt, unique_clicks:i, unique_subscriber_clicks:i},
        delivery_status:{can_cancel:b, emails_canceled:i, emails_sent:i, enabled:b, status:s},
        ecommerce:{currency_code:s, total_orders:i, total_revenue:n, total_spent:n}, emails_sent:i,
        facebook_likes:{facebook_likes:i, recipient_likes:i, unique_likes:i}, forwards:{forwards_count:i,
        forwards_opens:i}, id:s, industry_stats:{abuse_rate:n, bounce_rate:n, click_rate:n, open_rate:n, type:s,
        unopen_rate:n, unsub_rate:n}, list_id:s, list_is_active:b, list_name:s, list_stats:{click_rate:n,
        open_rate:n, sub_rate:n, unsub_rate:n}, opens:{last_open:dt, open_rate:n, opens_total:i, unique_opens:i,
        proxy_excluded_opens:i, proxy_excluded_unique_opens:i, proxy_excluded_open_rate:n}, preview_text:s,
        rss_last_send:dt, send_time:dt, share_report:{share_password:s, share_url:s}, subject_line:s,
        timeseries:[{emails_sent:i, recipients_clicks:i, timestamp:dt, unique_opens:i}], timewarp:[{bounces:i,
        clicks:i, gmt_offset:i, last_click:dt, last_open:dt, opens:i, unique_clicks:i, unique_opens:i}], type:s,
        unsubscribed:i
    """,
    "reports_sent_to": """
        absplit_group:s, campaign_id:s, email_address:s, email_id:s, gmt_offset:i, last_open:dt, list_id:s,
        list_is_active:b, merge_fields:o, open_count:i, status:s, vip:b
    """,
    "reports_open_details": """
        campaign_id:s, contact_status:s, email_address:s, email_id:s, list_id:s, list_is_active:b,
        merge_fields:o, opens:[{timestamp:dt, is_proxy_open:b}], opens_count:i, vip:b,
        proxy_excluded_opens_count:i
    """,
    "reports_click_details": """
        ab_split:{a:{click_percentage_a:n, total_clicks_a:i, unique_click_percentage_a:n, unique_clicks_a:i},
        b:{click_percentage_b:n, total_clicks_b:i, unique_click_percentage_b:n, unique_clicks_b:i}},
        campaign_id:s, click_percentage:n, id:s, last_click:dt, total_clicks:i, unique_click_percentage:n,
        unique_clicks:i, url:s
    """,
    "reports_domain_performance": """
        bounces:i, bounces_pct:n, clicks:i, clicks_pct:n, delivered:i, domain:s, emails_pct:n, emails_sent:i,
        opens:i, opens_pct:n, unsubs:i, unsubs_pct:n
    """,
    "reports_locations": """
        country_code:s, opens:i, proxy_excluded_opens:i , region:s, region_name:s
    """,
    "reports_abuse": """
        campaign_id:s, date:dt, email_address:s, email_id:s, id:i, list_id:s, list_is_active:b, merge_fields:o,
        vip:b
    """,
    "reports_ecommerce_product_activity": """
        currency_code:s, image_url:s, recommendation_purchased:i, recommendation_total:i, sku:s, title:s,
        total_purchased:n, total_revenue:n
    """,
    "campaign_folders": """
        count:i, id:s, name:s
    """,
    "automation_emails": """
        archive_url:s, content_type:s, create_time:dt, delay:{action:s, action_description:s, amount:i,
        direction:s, full_description:s, type:s}, emails_sent:i, has_logo_merge_tag:b, id:s,
        needs_block_refresh:b, position:i, recipients:{list_id:s, list_is_active:b, list_name:s,
        recipient_count:i, segment_opts:{conditions:[o], match:s, prebuilt_segment_id:s, saved_segment_id:i},
        segment_text:s}, report_summary:{click_rate:n, clicks:i, open_rate:n, opens:i, subscriber_clicks:i,
        unique_opens:i}, send_time:dt, settings:{authenticate:b, auto_fb_post:[s], auto_footer:b, auto_tweet:b,
        drag_and_drop:b, fb_comments:b, from_name:s, inline_css:b, preview_text:s, reply_to:s, subject_line:s,
        template_id:i, title:s}, social_card:{description:s, image_url:s, title:s}, start_time:dt, status:s,
        tracking:{capsule:{notes:b}, clicktale:s, ecomm360:b, goal_tracking:b, google_analytics:s,
        html_clicks:b, opens:b, salesforce:{campaign:b, notes:b}, text_clicks:b},
        trigger_settings:{runtime:{days:[s], hours:{type:s}}, workflow_emails_count:i, workflow_title:s,
        workflow_type:s}, web_id:i, workflow_id:s
    """,
    "interest_categories": """
        display_order:i, id:s, list_id:s, title:s, type:s
    """,
    "interests": """
        category_id:s, display_order:i, id:s, list_id:s, name:s, subscriber_count:s
    """,
    "merge_fields": """
        default_value:s, display_order:i, help_text:s, list_id:s, merge_id:i, name:s, options:{choices:[s],
        date_format:s, default_country:i, phone_format:s, size:i}, public:b, required:b, tag:s, type:s
    """,
    "tags": """
        id:i, name:s
    """,
    "list_growth_history": """
        cleaned:i, deleted:i, existing:i, imports:i, list_id:s, month:s, optins:i, pending:i, reconfirm:i,
        subscribed:i, transactional:i, unsubscribed:i
    """,
    "list_activity": """
        day:s, emails_sent:i, hard_bounce:i, other_adds:i, other_removes:i, recipient_clicks:i, soft_bounce:i,
        subs:i, unique_opens:i, unsubs:i
    """,
    "list_locations": """
        cc:s, country:s, percent:n, total:i
    """,
    "list_clients": """
        client:s, members:i
    """,
    "list_abuse_reports": """
        campaign_id:s, date:s, email_address:s, email_id:s, id:i, list_id:s, merge_fields:o, vip:b
    """,
    "templates": """
        active:b, category:s, content_type:s, created_by:s, date_created:dt, date_edited:dt, drag_and_drop:b,
        edited_by:s, folder_id:s, id:i, name:s, responsive:b, share_url:s, thumbnail:s, type:s
    """,
    "ecommerce_stores": """
        address:{address1:s, address2:s, city:s, country:s, country_code:s, latitude:n, longitude:n,
        postal_code:s, province:s, province_code:s}, automations:{abandoned_browse:{id:s, is_supported:b,
        status:s}, abandoned_cart:{id:s, is_supported:b, status:s}}, connected_site:{site_foreign_id:s,
        site_script:{fragment:s, url:s}}, created_at:dt, currency_code:s, domain:s, email_address:s, id:s,
        is_syncing:b, list_id:s, list_is_active:b, money_format:s, name:s, phone:s, platform:s,
        primary_locale:s, timezone:s, updated_at:dt
    """,
    "ecommerce_orders": """
        billing_address:{address1:s, address2:s, city:s, company:s, country:s, country_code:s, latitude:n,
        longitude:n, name:s, phone:s, postal_code:s, province:s, province_code:s}, campaign_id:s,
        cancelled_at_foreign:dt, currency_code:s, customer:{address:{address1:s, address2:s, city:s, country:s,
        country_code:s, postal_code:s, province:s, province_code:s}, company:s, created_at:dt, email_address:s,
        first_name:s, id:s, last_name:s, opt_in_status:b, orders_count:i, total_spent:n, updated_at:dt},
        discount_total:n, financial_status:s, fulfillment_status:s, id:s, landing_site:s, lines:[{discount:n,
        id:s, image_url:s, price:n, product_id:s, product_title:s, product_variant_id:s,
        product_variant_title:s, quantity:i}], order_total:n, order_url:s, outreach:{id:s, name:s,
        published_time:dt, type:s}, processed_at_foreign:dt, promos:[{amount_discounted:n, code:s, type:s}],
        shipping_address:{address1:s, address2:s, city:s, company:s, country:s, country_code:s, latitude:n,
        longitude:n, name:s, phone:s, postal_code:s, province:s, province_code:s}, shipping_total:n, store_id:s,
        tax_total:n, tracking_carrier:s, tracking_code:s, tracking_number:s, tracking_url:s,
        updated_at_foreign:dt
    """,
    "ecommerce_customers": """
        address:{address1:s, address2:s, city:s, country:s, country_code:s, postal_code:s, province:s,
        province_code:s}, company:s, created_at:dt, email_address:s, first_name:s, id:s, last_name:s,
        opt_in_status:b, orders_count:i, total_spent:n, updated_at:dt
    """,
    "ecommerce_products": """
        currency_code:s, description:s, handle:s, id:s, image_url:s, images:[{id:s, url:s, variant_ids:[s]}],
        published_at_foreign:dt, title:s, type:s, url:s, variants:[{backorders:s, created_at:dt, id:s,
        image_url:s, inventory_quantity:i, price:n, sku:s, title:s, updated_at:dt, url:s, visibility:s}],
        vendor:s
    """,
    "ecommerce_carts": """
        campaign_id:s, checkout_url:s, created_at:dt, currency_code:s, customer:{address:{address1:s,
        address2:s, city:s, country:s, country_code:s, postal_code:s, province:s, province_code:s}, company:s,
        created_at:dt, email_address:s, first_name:s, id:s, last_name:s, opt_in_status:b, orders_count:i,
        total_spent:n, updated_at:dt}, id:s, lines:[{id:s, price:n, product_id:s, product_title:s,
        product_variant_id:s, product_variant_title:s, quantity:i}], order_total:n, tax_total:n, updated_at:dt
    """,
    "landing_pages": """
        created_at:dt, created_by_source:s, description:s, id:s, list_id:s, name:s, published_at:dt, status:s,
        store_id:s, template_id:i, title:s, tracking:{enable_restricted_data_processing:b,
        track_with_mailchimp:b}, unpublished_at:dt, updated_at:dt, url:s, web_id:i
    """,
    "reporting_landing_pages": """
        clicks:i, conversion_rate:n, ecommerce:{average_order_revenue:n, currency_code:s, total_orders:i,
        total_revenue:n}, id:s, list_id:s, list_name:s, name:s, published_at:dt, signup_tags:[{tag_id:i,
        tag_name:s}], status:s, subscribes:i, timeseries:{daily_stats:{clicks:[{date:s, val:i}],
        unique_visits:[{date:s, val:i}], visits:[{date:s, val:i}]}, weekly_stats:{clicks:[{date:s, val:i}],
        unique_visits:[{date:s, val:i}], visits:[{date:s, val:i}]}}, title:s, unique_visits:i,
        unpublished_at:dt, url:s, visits:i, web_id:i
    """,
    "account": """
        account_id:s, account_industry:s, account_name:s, account_timezone:s, avatar_url:s, contact:{addr1:s,
        addr2:s, city:s, company:s, country:s, state:s, zip:s}, email:s, first_name:s, first_payment:dt,
        industry_stats:{bounce_rate:n, click_rate:n, open_rate:n}, last_login:dt, last_name:s, login_id:s,
        member_since:dt, pricing_plan_type:s, pro_enabled:b, role:s, total_subscribers:i, username:s
    """,
}

NEVER_EMPTY = {
    "reports_domain_performance": ("domain",),
    "reports_locations": ("country_code", "region"),
    "reports_ecommerce_product_activity": ("title", "sku"),
    "list_locations": ("cc",),
    "list_clients": ("client",),
    "list_signup_forms": ("signup_form_url",),
    "chimp_chatter": ("type", "title"),
}
"""Stream → text columns of its key that the API may leave empty."""

INDEXED = {"reports_advice": ("campaign_id",), "chimp_chatter": ("update_time", "type", "title")}
"""Stream → what its records are equal in that `_index` tells apart."""

Kind = Any
"""A parsed type: one of the letters, a list holding the items' kind, or a mapping of fields."""

_TOKEN = re.compile(r"\s*([A-Za-z_0-9]+|[{}\[\]:,])")
_WIRE = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\+00:00")
_CLASSES: dict[str, type] = {"o": dict, "b": bool, "s": str}
_MISFIT = object()


def _parse(parts: Iterator[str], part: str) -> Kind:
    if part == "[":
        kind = [_parse(parts, next(parts))]
        next(parts)
        return kind
    return _parse_fields(parts) if part == "{" else part


def _parse_fields(parts: Iterator[str]) -> dict[str, Kind]:
    fields: dict[str, Kind] = {}
    for part in parts:
        if part == "}":
            break
        if part != ",":
            next(parts)
            fields[part] = _parse(parts, next(parts))
    return fields


KINDS: dict[str, dict[str, Kind]] = {
    stream: _parse_fields(iter(_TOKEN.findall(text)))
    for stream, text in {**FIELDS, "reports_sub_reports": FIELDS["reports"], **FURTHER}.items()
}
"""Stream → field → kind."""


def record(stream: str, row: Row, parent: Row) -> Row:
    """The record of one row: fields of the contract, those of its parent, and whatever else in `_extra`."""
    kinds = KINDS[stream]
    extra: Row = {}
    made: Row = {}
    for name, kind in kinds.items():
        made[name] = _fit(row.get(name), kind, name, extra)
    for name, value in row.items():
        if name not in kinds and name not in parent and name != "_links":
            extra[name] = _clean(value)
    for name, value in parent.items():
        if made.get(name) is None:
            made[name] = _instant(value) if kinds.get(name) == "dt" else _clean(value)
    if stream == "conversation_messages":
        made["list_id"] = str(row["list_id"])
        extra.pop("list_id", None)
    for name in NEVER_EMPTY.get(stream, ()):
        made[name] = made[name] or "(none)"
    if stream == "reports_open_details":
        made["last_opened_at"] = max((entry["timestamp"] for entry in made["opens"]), default=None)
    if extra:
        made["_extra"] = extra
    return made


def numbered(stream: str, records: Iterable[Row]) -> Iterator[Row]:
    """The records with `_index`, where the stream has one: 0, 1.. among those equal in the columns of INDEXED."""
    names, met = INDEXED.get(stream), Counter[str]()
    for made in records:
        if names is not None:
            same = json.dumps([made[name] for name in names])
            made["_index"] = met[same]
            met[same] += 1
        yield made


def events(row: Row) -> Iterator[Row]:
    """The records of one recipient of /reports/{campaign_id}/email-activity, one an event.

    `activity_id` is the first 32 hexadecimal digits of the SHA-256 of a compact JSON array in UTF-8: [campaign_id,
    email_id, action, timestamp as it came, url or "", ip or "", type or "", n], where n = 0, 1, 2.. numbers the events
    of this recipient that are equal in all of that, in the order given.
    """
    met: Counter[str] = Counter()
    for entry in row.get("activity") or ():
        parts = [row["campaign_id"], row["email_id"], entry["action"], entry["timestamp"]]
        parts += [entry.get(name) or "" for name in ("url", "ip", "type")]
        same = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
        text = json.dumps([*parts, met[same]], ensure_ascii=False, separators=(",", ":"))
        met[same] += 1
        whole = {name: value for name, value in row.items() if name != "activity"}
        made = record("reports_email_activity", {**whole, **entry}, {})
        made["activity_id"] = hashlib.sha256(text.encode()).hexdigest()[:32]
        yield made


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
    if kind in _CLASSES:
        return _clean(value) if isinstance(value, _CLASSES[kind]) else _MISFIT
    if isinstance(value, bool) or not isinstance(value, (int, float)) or (kind == "i" and value != int(value)):
        return _MISFIT
    return int(value) if kind == "i" else value


def _fit_fields(value: Row, kinds: dict[str, Kind], path: str, extra: Row) -> Row:
    made = {}
    for name, part in value.items():
        if name in kinds:
            made[name] = _fit(part, kinds[name], f"{path}.{name}", extra)
        elif name != "_links":
            extra[f"{path}.{name}"] = _clean(part)
    return made


def _instant(value: Any) -> Any:
    if value == "":
        return None
    match = _WIRE.fullmatch(value) if isinstance(value, str) else None
    return f"{match[1]}T{match[2]}.000000Z" if match else _MISFIT


def _clean(value: Any) -> Any:
    """`value` without links, and without the characters that databases refuse."""
    if isinstance(value, str):
        return re.sub("[\0\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, dict):
        return {_clean(name): _clean(part) for name, part in value.items() if name != "_links"}
    return [_clean(part) for part in value] if isinstance(value, list) else value
