"""The endpoints that the sandbox serves: collections below which parents, with which filters, in which pages.

To serve one more stream, add a row here, a method for its rows to the class of its subject (see `account`) and
its fields to `facts.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from shared.sandbox import Param, Row, Table

from .pages import CURSOR, UNPAGED, Endpoint, Filter, endpoint, equal, in_list, in_report, in_store, one_of, times, wire

# --- What its functions do ---

_FLAGS = {f"include_{status}": Param("boolean") for status in ("cleaned", "transactional", "unsubscribed")}
_ALL_FLAGS = dict.fromkeys(_FLAGS, True)


def _members_listed(table: Table, view: list[int], params: Mapping[str, Any]) -> list[int]:
    """The plain listing silently leaves archived members out (probed, 2026-07)."""
    status = table.column("status")
    return view if "status" in params else [number for number in view if status[number] != "archived"]


def _segment_members_listed(table: Table, view: list[int], params: Mapping[str, Any]) -> list[int]:
    """Without flags only subscribed ones (probed, 2026-07)."""
    shown = {"subscribed", *(name.removeprefix("include_") for name in _FLAGS if params.get(name))}
    status = table.column("status")
    return [number for number in view if status[number] in shown]


def _segment_counted(row: Row, params: Mapping[str, Any]) -> Row:
    """The flags change `member_count` and nothing else (probed, 2026-07)."""
    shown = {"subscribed", *(name.removeprefix("include_") for name in _FLAGS if params.get(name))}
    count = sum(number for status, number in row["_counts"].items() if status in shown)
    return {**{name: value for name, value in row.items() if name != "_counts"}, "member_count": count}


def _events_since(row: Row, params: Mapping[str, Any]) -> Row:
    """`since` empties the nested list, but every recipient still comes (probed, 2026-07)."""
    if "since" not in params or "activity" not in row:
        return row
    since = wire(params["since"])
    return {**row, "activity": [entry for entry in row["activity"] if entry["timestamp"] > since]}


def _opened_since(table: Table, view: list[int], params: Mapping[str, Any]) -> list[int]:
    if "since" not in params:
        return view
    since, last = wire(params["since"]), table.column("_last")
    return [number for number in view if last[number] > since]


def _opens_since(row: Row, params: Mapping[str, Any]) -> Row:
    if "since" not in params:
        return row
    since = wire(params["since"])
    return {**row, "opens": [entry for entry in row["opens"] if entry["timestamp"] > since]}


def _prefixed(table: Table, view: list[int], params: Mapping[str, Any]) -> list[int]:
    prefix, names = str(params.get("name", "")).lower(), table.column("name")
    return [number for number in view if names[number].lower().startswith(prefix)]


# --- The table ---

of_member = partial(Endpoint, parent=("list_members", {"email_id": "id", "member_last_changed": "last_changed"}))

_CAMPAIGN_TYPES = one_of("type", "regular", "plaintext", "absplit", "rss", "variate")
_SINCE = {"since": Param("date-time")}

ENDPOINTS = (
    # Audiences
    endpoint(
        stream="lists",
        path="/lists",
        key="lists",
        filters={**times("date_created", campaign_last_sent="stats.campaign_last_sent")},
        params={"include_total_contacts": Param("boolean")},
        sort={"date_created": "date_created"},
        sums=lambda table: {"constraints": {"may_create": True, "max_instances": 5, "current_total_instances": 4}},
        item=True,
    ),
    in_list(
        stream="list_segments",
        path="/lists/{list_id}/segments",
        key="segments",
        # An unknown type gives 200 without rows (probed, 2026-07), so there are no options here.
        filters={**times("created_at", "updated_at"), **equal("type")},
        params=_FLAGS,
        shape=_segment_counted,
        asked=_ALL_FLAGS,
    ),
    Endpoint(
        stream="list_segment_members",
        path="/lists/{list_id}/segments/{segment_id}/members",
        key="members",
        parent=("list_segments", {"segment_id": "id"}),
        params=_FLAGS,
        asked=_ALL_FLAGS,
        select=_segment_members_listed,
        # Counts the default population, whatever the flags (probed, 2026-07).
        total=lambda table: table.column("status").count("subscribed"),
    ),
    in_list(
        stream="tags",
        path="/lists/{list_id}/tag-search",
        key="tags",
        params={"name": Param()},
        select=_prefixed,
        envelope=(),
    ),
    in_list(
        stream="interest_categories",
        path="/lists/{list_id}/interest-categories",
        key="categories",
        filters=equal("type"),
    ),
    Endpoint(
        stream="interests",
        path="/lists/{list_id}/interest-categories/{category_id}/interests",
        key="interests",
        parent=("interest_categories", {"category_id": "id"}),
        envelope=("list_id", "category_id"),
    ),
    in_list(stream="merge_fields", path="/lists/{list_id}/merge-fields", key="merge_fields", filters=equal("type")),
    in_list(
        stream="list_growth_history",
        path="/lists/{list_id}/growth-history",
        key="history",
        sort={"month": "month"},
    ),
    in_list(stream="list_activity", path="/lists/{list_id}/activity", key="activity"),
    in_list(stream="list_locations", path="/lists/{list_id}/locations", key="locations", paged=UNPAGED),
    in_list(stream="list_clients", path="/lists/{list_id}/clients", key="clients", paged=UNPAGED),
    in_list(stream="list_abuse_reports", path="/lists/{list_id}/abuse-reports", key="abuse_reports"),
    in_list(stream="list_webhooks", path="/lists/{list_id}/webhooks", key="webhooks", paged=UNPAGED),
    in_list(stream="list_signup_forms", path="/lists/{list_id}/signup-forms", key="signup_forms", paged=UNPAGED),
    # Members
    in_list(
        stream="list_members",
        path="/lists/{list_id}/members",
        key="members",
        filters={
            **times("last_changed", "timestamp_opt"),
            **one_of("status", "subscribed", "unsubscribed", "cleaned", "pending", "transactional", "archived"),
            **equal("email_type", "unique_email_id"),
        },
        sort={name: name for name in ("timestamp_opt", "timestamp_signup", "last_changed")},
        select=_members_listed,
    ),
    of_member(stream="member_tags", path="/lists/{list_id}/members/{email_id}/tags", key="tags"),
    of_member(
        stream="member_notes",
        path="/lists/{list_id}/members/{email_id}/notes",
        key="notes",
        envelope=("list_id", "email_id"),
        sort={"created_at": "created_at", "updated_at": "updated_at", "note_id": "id"},
    ),
    of_member(
        stream="member_activity",
        path="/lists/{list_id}/members/{email_id}/activity",
        key="activity",
        envelope=("list_id", "email_id"),
        paged=UNPAGED,
    ),
    of_member(
        stream="member_activity_feed",
        path="/lists/{list_id}/members/{email_id}/activity-feed",
        key="activity",
        envelope=("list_id", "email_id"),
    ),
    of_member(stream="member_events", path="/lists/{list_id}/members/{email_id}/events", key="events"),
    of_member(
        stream="member_goals",
        path="/lists/{list_id}/members/{email_id}/goals",
        key="goals",
        envelope=("list_id", "email_id"),
        paged=UNPAGED,
    ),
    Endpoint(
        stream="audience_contacts",
        path="/audiences/{audience_id}/contacts",
        key="contacts",
        parent=("lists", {"audience_id": "id"}),
        filters={
            f"{name}_{edge}": Filter(Param("date-time"), column, test)
            for name, column in (("created", "created_at"), ("updated", "last_updated_at"))
            for edge, test in (("since", ">"), ("before", "<="))
        },
        sort={"updated_at": "last_updated_at", "created_at": "created_at"},
        paged=CURSOR,
    ),
    # Campaigns and automations
    endpoint(
        stream="campaigns",
        path="/campaigns",
        key="campaigns",
        filters={
            **times("create_time", "send_time"),
            **_CAMPAIGN_TYPES,
            **one_of("status", "save", "paused", "schedule", "sending", "sent"),
            **equal(list_id="recipients.list_id", folder_id="settings.folder_id"),
        },
        sort={"create_time": "create_time", "send_time": "send_time"},
        item=True,
    ),
    Endpoint(
        stream="campaign_content",
        path="/campaigns/{campaign_id}/content",
        key="",
        parent=("campaigns", {"campaign_id": "id"}),
    ),
    Endpoint(
        stream="campaign_feedback",
        path="/campaigns/{campaign_id}/feedback",
        key="feedback",
        parent=("campaigns", {"campaign_id": "id"}),
        envelope=("campaign_id",),
        paged=UNPAGED,
    ),
    endpoint(stream="campaign_folders", path="/campaign-folders", key="folders"),
    endpoint(
        stream="automations",
        path="/automations",
        key="automations",
        filters={**times("create_time", "start_time"), **one_of("status", "save", "paused", "sending")},
        item=True,
    ),
    endpoint(
        stream="automation_emails",
        path="/automations/{workflow_id}/emails",
        key="emails",
        parent=("automations", {"workflow_id": "id"}),
        paged=UNPAGED,
    ),
    Endpoint(
        stream="automation_email_queue",
        path="/automations/{workflow_id}/emails/{email_id}/queue",
        key="queue",
        parent=("automation_emails", {"email_id": "id"}),
        envelope=("workflow_id", "email_id"),
        paged=UNPAGED,
    ),
    Endpoint(
        stream="automation_removed_subscribers",
        path="/automations/{workflow_id}/removed-subscribers",
        key="subscribers",
        parent=("automations", {"workflow_id": "id"}),
        envelope=("workflow_id",),
        paged=UNPAGED,
    ),
    endpoint(stream="sms_campaigns", path="/sms-campaigns", key="sms_campaigns"),
    # Reports
    endpoint(
        stream="reports",
        path="/reports",
        key="reports",
        filters={**times("send_time"), **_CAMPAIGN_TYPES},
        item=True,
    ),
    in_report(
        stream="reports_email_activity",
        path="/reports/{campaign_id}/email-activity",
        key="emails",
        params=_SINCE,
        shape=_events_since,
    ),
    in_report(stream="unsubscribes", path="/reports/{campaign_id}/unsubscribed", key="unsubscribes"),
    in_report(stream="reports_sent_to", path="/reports/{campaign_id}/sent-to", key="sent_to"),
    in_report(
        stream="reports_open_details",
        path="/reports/{campaign_id}/open-details",
        key="members",
        params=_SINCE,
        sort={"opens_count": "opens_count"},
        select=_opened_since,
        shape=_opens_since,
        sums=lambda table: {"total_opens": sum(table.column("opens_count"))},
    ),
    in_report(
        stream="reports_click_details",
        path="/reports/{campaign_id}/click-details",
        key="urls_clicked",
        sort={"total_clicks": "total_clicks", "unique_clicks": "unique_clicks"},
    ),
    Endpoint(
        stream="reports_click_details_members",
        path="/reports/{campaign_id}/click-details/{url_id}/members",
        key="members",
        parent=("reports_click_details", {"url_id": "id"}),
        envelope=("campaign_id",),
    ),
    in_report(
        stream="reports_domain_performance",
        path="/reports/{campaign_id}/domain-performance",
        key="domains",
        sums=lambda table: {"total_sent": sum(table.column("emails_sent"))},
        paged=UNPAGED,
    ),
    in_report(stream="reports_locations", path="/reports/{campaign_id}/locations", key="locations"),
    in_report(stream="reports_abuse", path="/reports/{campaign_id}/abuse-reports", key="abuse_reports", paged=UNPAGED),
    in_report(
        stream="reports_ecommerce_product_activity",
        path="/reports/{campaign_id}/ecommerce-product-activity",
        key="products",
        sort={name: name for name in ("title", "total_revenue", "total_purchased")},
        sort_dir=False,
        envelope=(),
    ),
    in_report(stream="reports_advice", path="/reports/{campaign_id}/advice", key="advice", paged=UNPAGED),
    in_report(stream="reports_eepurl", path="/reports/{campaign_id}/eepurl", key=""),
    in_report(stream="reports_sub_reports", path="/reports/{campaign_id}/sub-reports", key="reports", paged=UNPAGED),
    # E-commerce
    endpoint(stream="ecommerce_stores", path="/ecommerce/stores", key="stores", item=True),
    in_store(
        stream="ecommerce_orders",
        path="/ecommerce/stores/{store_id}/orders",
        key="orders",
        filters=equal("campaign_id", customer_id="customer.id"),
    ),
    in_store(
        stream="ecommerce_customers",
        path="/ecommerce/stores/{store_id}/customers",
        key="customers",
        filters=equal("email_address"),
    ),
    in_store(stream="ecommerce_products", path="/ecommerce/stores/{store_id}/products", key="products"),
    in_store(stream="ecommerce_carts", path="/ecommerce/stores/{store_id}/carts", key="carts"),
    in_store(stream="ecommerce_promo_rules", path="/ecommerce/stores/{store_id}/promo-rules", key="promo_rules"),
    Endpoint(
        stream="ecommerce_promo_codes",
        path="/ecommerce/stores/{store_id}/promo-rules/{promo_rule_id}/promo-codes",
        key="promo_codes",
        parent=("ecommerce_promo_rules", {"promo_rule_id": "id"}),
        envelope=("store_id",),
    ),
    # Content
    endpoint(
        stream="templates",
        path="/templates",
        key="templates",
        filters={**times("date_created"), **equal("type", "category", "created_by", "folder_id", "content_type")},
        sort={name: name for name in ("date_created", "date_edited", "name")},
    ),
    endpoint(stream="template_folders", path="/template-folders", key="folders"),
    endpoint(
        stream="landing_pages",
        path="/landing-pages",
        key="landing_pages",
        sort={"created_at": "created_at", "updated_at": "updated_at"},
        paged=("count",),
    ),
    endpoint(
        stream="file_manager_files",
        path="/file-manager/files",
        key="files",
        filters={**times("created_at"), **equal("type", "created_by")},
        sort={"added_date": "created_at", "name": "name", "size": "size"},
    ),
    endpoint(
        stream="file_manager_folders",
        path="/file-manager/folders",
        key="folders",
        filters={**times("created_at"), **equal("created_by")},
    ),
    # Reporting
    endpoint(stream="reporting_landing_pages", path="/reporting/landing-pages", key="landing_pages"),
    endpoint(stream="reporting_surveys", path="/reporting/surveys", key="surveys"),
    Endpoint(
        stream="reporting_survey_questions",
        path="/reporting/surveys/{survey_id}/questions",
        key="questions",
        parent=("reporting_surveys", {"survey_id": "id"}),
        paged=UNPAGED,
    ),
    Endpoint(
        stream="reporting_survey_responses",
        path="/reporting/surveys/{survey_id}/responses",
        key="responses",
        parent=("reporting_surveys", {"survey_id": "id"}),
        paged=UNPAGED,
    ),
    Endpoint(
        stream="reporting_survey_answers",
        path="/reporting/surveys/{survey_id}/questions/{question_id}/answers",
        key="answers",
        parent=("reporting_survey_questions", {"question_id": "id"}),
        paged=UNPAGED,
    ),
    endpoint(
        stream="facebook_ads",
        path="/reporting/facebook-ads",
        key="facebook_ads",
        sort={"created_at": "create_time", "updated_at": "updated_at", "end_time": "end_time"},
    ),
    # Account
    endpoint(stream="chimp_chatter", path="/activity-feed/chimp-chatter", key="chimp_chatter"),
    endpoint(stream="verified_domains", path="/verified-domains", key="domains", paged=UNPAGED),
    endpoint(stream="connected_sites", path="/connected-sites", key="sites"),
    endpoint(
        stream="conversations", path="/conversations", key="conversations", filters=equal("list_id", "campaign_id")
    ),
    Endpoint(
        stream="conversation_messages",
        path="/conversations/{conversation_id}/messages",
        key="conversation_messages",
        parent=("conversations", {"conversation_id": "id"}),
        envelope=("conversation_id",),
        filters=times("timestamp"),
        paged=UNPAGED,
    ),
)
ALL_ORDERS = endpoint(
    stream="",
    joins="ecommerce_orders",
    path="/ecommerce/orders",
    key="orders",
    filters=equal("campaign_id", customer_id="customer.id"),
)
BY_STREAM = {
    **{each.stream: each for each in ENDPOINTS},
    "account": Endpoint(stream="account", path="/", key=""),
}
