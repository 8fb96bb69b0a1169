"""The endpoints that the sandbox serves: collections below which parents, with which filters, in which pages.

To serve one more stream, add a row here, a method for its rows to the class of its subject (see `account`) and
its path and fields to `facts.json`.
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


def _resent(row: Row, params: Mapping[str, Any]) -> Row:
    """What shortcuts made of a campaign is told who asks."""
    if params.get("include_resend_shortcut_usage"):
        return row
    return {name: value for name, value in row.items() if name != "resend_shortcut_usage"}


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

of_member = partial(endpoint, parent=("list_members", {"email_id": "id", "member_last_changed": "last_changed"}))

_CAMPAIGN_TYPES = one_of("type", "regular", "plaintext", "absplit", "rss", "variate")
_SINCE = {"since": Param("date-time")}

ENDPOINTS = (
    # Audiences
    endpoint(
        "lists",
        filters={**times("date_created", campaign_last_sent="stats.campaign_last_sent")},
        params={"include_total_contacts": Param("boolean")},
        sort={"date_created": "date_created"},
        sums=lambda table: {"constraints": {"may_create": True, "max_instances": 5, "current_total_instances": 4}},
        item=True,
    ),
    in_list(
        "list_segments",
        # An unknown type gives 200 without rows (probed, 2026-07), so there are no options here.
        filters={**times("created_at", "updated_at"), **equal("type")},
        params=_FLAGS,
        shape=_segment_counted,
        asked=_ALL_FLAGS,
    ),
    endpoint(
        "list_segment_members",
        parent=("list_segments", {"segment_id": "id"}),
        params=_FLAGS,
        asked=_ALL_FLAGS,
        select=_segment_members_listed,
        # Counts the default population, whatever the flags (probed, 2026-07).
        total=lambda table, listed: [table.column("status")[number] for number in listed].count("subscribed"),
    ),
    in_list("tags", params={"name": Param()}, select=_prefixed, envelope=()),
    in_list("interest_categories", filters=equal("type")),
    endpoint("interests", parent=("interest_categories", {"category_id": "id"}), envelope=("list_id", "category_id")),
    in_list("merge_fields", filters=equal("type")),
    in_list("list_growth_history", sort={"month": "month"}),
    in_list("list_activity"),
    in_list("list_locations", paged=UNPAGED),
    in_list("list_clients", paged=UNPAGED),
    in_list("list_abuse_reports"),
    in_list("list_webhooks", paged=UNPAGED),
    in_list("list_signup_forms", paged=UNPAGED),
    in_list("list_surveys", paged=UNPAGED),
    # Members
    in_list(
        "list_members",
        filters={
            **times("last_changed", "timestamp_opt"),
            **one_of("status", "subscribed", "unsubscribed", "cleaned", "pending", "transactional", "archived"),
            **equal("email_type", "unique_email_id"),
        },
        sort={name: name for name in ("timestamp_opt", "timestamp_signup", "last_changed")},
        select=_members_listed,
    ),
    of_member("member_tags"),
    of_member(
        "member_notes",
        envelope=("list_id", "email_id"),
        sort={"created_at": "created_at", "updated_at": "updated_at", "note_id": "id"},
    ),
    of_member("member_activity", envelope=("list_id", "email_id"), paged=UNPAGED),
    of_member("member_activity_feed", envelope=("list_id", "email_id")),
    of_member("member_events"),
    of_member("member_goals", envelope=("list_id", "email_id"), paged=UNPAGED),
    endpoint(
        "audience_contacts",
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
        "campaigns",
        filters={
            **times("create_time", "send_time"),
            **_CAMPAIGN_TYPES,
            **one_of("status", "save", "paused", "schedule", "sending", "sent"),
            **equal(list_id="recipients.list_id", folder_id="settings.folder_id"),
        },
        params={f"include_resend_shortcut_{name}": Param("boolean") for name in ("eligibility", "usage")},
        sort={"create_time": "create_time", "send_time": "send_time"},
        shape=_resent,
        asked={"include_resend_shortcut_usage": True},
        item=True,
    ),
    endpoint("campaign_content", parent=("campaigns", {"campaign_id": "id"})),
    endpoint("campaign_checklists", parent=("campaigns", {"campaign_id": "id"})),
    endpoint(
        "campaign_feedback", parent=("campaigns", {"campaign_id": "id"}), envelope=("campaign_id",), paged=UNPAGED
    ),
    endpoint("campaign_folders"),
    endpoint(
        "automations",
        filters={**times("create_time", "start_time"), **one_of("status", "save", "paused", "sending")},
        item=True,
    ),
    endpoint("automation_emails", parent=("automations", {"workflow_id": "id"}), paged=UNPAGED),
    endpoint(
        "automation_email_queue",
        parent=("automation_emails", {"email_id": "id"}),
        envelope=("workflow_id", "email_id"),
        paged=UNPAGED,
    ),
    endpoint(
        "automation_removed_subscribers",
        parent=("automations", {"workflow_id": "id"}),
        envelope=("workflow_id",),
        paged=UNPAGED,
    ),
    endpoint("sms_campaigns"),
    endpoint("sms_campaign_content", parent=("sms_campaigns", {"sms_campaign_id": "id"})),
    # Reports
    endpoint("reports", filters={**times("send_time"), **_CAMPAIGN_TYPES}, item=True),
    in_report("reports_email_activity", params=_SINCE, shape=_events_since),
    in_report("unsubscribes"),
    in_report("reports_sent_to"),
    in_report(
        "reports_open_details",
        params=_SINCE,
        sort={"opens_count": "opens_count"},
        select=_opened_since,
        shape=_opens_since,
        sums=lambda table: {"total_opens": sum(table.column("opens_count"))},
    ),
    in_report("reports_click_details", sort={"total_clicks": "total_clicks", "unique_clicks": "unique_clicks"}),
    endpoint(
        "reports_click_details_members", parent=("reports_click_details", {"url_id": "id"}), envelope=("campaign_id",)
    ),
    in_report(
        "reports_domain_performance", sums=lambda table: {"total_sent": sum(table.column("emails_sent"))}, paged=UNPAGED
    ),
    in_report("reports_locations"),
    in_report("reports_abuse", paged=UNPAGED),
    in_report(
        "reports_ecommerce_product_activity",
        sort={name: name for name in ("title", "total_revenue", "total_purchased")},
        sort_dir=False,
        envelope=(),
    ),
    in_report("reports_advice", paged=UNPAGED),
    in_report("reports_eepurl"),
    in_report("reports_sub_reports", paged=UNPAGED),
    # E-commerce
    endpoint("ecommerce_stores", item=True),
    in_store(
        "ecommerce_orders",
        path="/ecommerce/stores/{store_id}/orders",
        filters=equal("campaign_id", customer_id="customer.id"),
    ),
    in_store("ecommerce_customers", filters=equal("email_address")),
    in_store("ecommerce_products"),
    in_store("ecommerce_carts"),
    in_store("ecommerce_promo_rules"),
    endpoint(
        "ecommerce_promo_codes", parent=("ecommerce_promo_rules", {"promo_rule_id": "id"}), envelope=("store_id",)
    ),
    # Content
    endpoint(
        "templates",
        filters={**times("date_created"), **equal("type", "category", "created_by", "folder_id", "content_type")},
        sort={name: name for name in ("date_created", "date_edited", "name")},
    ),
    endpoint("template_default_content", parent=("templates", {"template_id": "id"})),
    endpoint("template_folders"),
    endpoint("landing_pages", sort={"created_at": "created_at", "updated_at": "updated_at"}, paged=("count",)),
    endpoint("landing_page_content", parent=("landing_pages", {"page_id": "id"})),
    endpoint(
        "file_manager_files",
        filters={**times("created_at"), **equal("type", "created_by")},
        sort={"added_date": "created_at", "name": "name", "size": "size"},
    ),
    endpoint("file_manager_folders", filters={**times("created_at"), **equal("created_by")}),
    # Reporting
    endpoint("reporting_landing_pages"),
    endpoint("reporting_surveys"),
    endpoint("reporting_survey_questions", parent=("reporting_surveys", {"survey_id": "id"}), paged=UNPAGED),
    endpoint("reporting_survey_responses", parent=("reporting_surveys", {"survey_id": "id"}), paged=UNPAGED),
    endpoint("reporting_survey_answers", parent=("reporting_survey_questions", {"question_id": "id"}), paged=UNPAGED),
    endpoint("facebook_ads", sort={"created_at": "create_time", "updated_at": "updated_at", "end_time": "end_time"}),
    # Account
    endpoint("chimp_chatter"),
    endpoint("verified_domains", paged=UNPAGED),
    endpoint("connected_sites"),
    endpoint("account_exports"),
    endpoint("authorized_apps"),
    endpoint("conversations", filters=equal("list_id", "campaign_id")),
    endpoint(
        "conversation_messages",
        parent=("conversations", {"conversation_id": "id"}),
        envelope=("conversation_id",),
        filters=times("timestamp"),
        paged=UNPAGED,
    ),
)
ALL_ORDERS = Endpoint(
    stream="",
    joins="ecommerce_orders",
    path="/ecommerce/orders",
    key="orders",
    filters=equal("campaign_id", customer_id="customer.id"),
)
BY_STREAM = {
    **{each.stream: each for each in ENDPOINTS},
    **{name: endpoint(name) for name in ("account", "batches")},  # served by functions of their own
}
