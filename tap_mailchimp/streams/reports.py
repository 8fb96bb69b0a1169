"""Results of campaigns, and what each recipient did: everything below `/reports`.

All but `reports` itself take a request per campaign, at least, so most are gated by the counters in `/reports`: see
`activity`. E-mail activity, the largest that is read again and again, may also come through batches.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from shared.streams import Parent, Record, Settings, Step, Unit

from .. import batches
from ..activity import (
    COUNTERS,
    activity_mark,
    clicks_mark,
    events,
    has,
    in_window,
    opens,
    opens_mark,
    sent_to_mark,
    unchanged,
    was_sent,
)
from ..defaults import by_person, carried, numbered, person, since, stream, whole_row, without

if TYPE_CHECKING:
    from shared.api.client import Client


def email_activity(client: Client, unit: Unit) -> Generator[Step, None, None] | None:
    """Directly or through batches, as `email_activity_mode` says."""
    return batches.fetch(client, unit, EMAIL_ACTIVITY)


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
            carry=("emails_sent", "status"),
            where=was_sent,
            batch=batch,
            when="report_automation_emails",
        ),
    )


def is_always_new(record: Record, unit: Unit) -> bool:
    """A campaign that moved is written whole: an open may become visible after later ones of other members."""
    return True


def may_have_parts(unit: Unit) -> bool:
    """RSS, variate and automated campaigns have reports of their parts."""
    return unit.parent.get("type") not in ("regular", "plaintext")


def was_resent(unit: Unit) -> bool:
    """Plain campaigns have parts if they were sent again, to those who did not open for instance."""
    return not may_have_parts(unit) and bool(unit.parent.get(RESENT))


RESENT = "resend_shortcut_usage.shortcut_campaigns"


EMAIL_ACTIVITY = stream(
    name="reports_email_activity",
    description="Opens, clicks and bounces, one record each, of campaigns whose report moved",
    path="/reports/{campaign_id}/email-activity",
    records="emails",
    sparse=without("emails", keep=("activity", "email_id", "action", "timestamp", "url", "ip", "type")),
    parent=in_report(where=in_window, batch=batches.campaigns),
    key_properties=("campaign_id", "action", "email_id", "timestamp", "activity_id"),
    contract_key=("campaign_id", "action", "email_id", "timestamp"),
    identity=person("email_id"),
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

REPORT_STREAMS = (
    stream(
        name="reports",
        description="Results of each sent campaign",
        path="/reports",
        records="reports",
        sparse=without(
            "reports",
            keep=(
                *("emails_sent", "send_time", "type", "opens", "clicks", "bounces"),
                *("unsubscribed", "abuse_reports", "ecommerce"),
            ),
        ),
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
        identity=person("email_id"),
        transform=by_person("email_id"),
        gate=unchanged("unsubscribed"),
        gate_full_table=True,
        size=carried("unsubscribed"),
        seed=True,
        cost="1 request per campaign with unsubscribes",
    ),
    stream(
        name="reports_sent_to",
        description="Every recipient of every campaign",
        path="/reports/{campaign_id}/sent-to",
        records="sent_to",
        sparse=without("sent_to"),
        parent=in_report(where=has("emails_sent")),
        key_properties=("campaign_id", "email_id"),
        identity=person("email_id"),
        transform=by_person("email_id"),
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
        identity=person("email_id"),
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
        sparse=without("urls_clicked", keep=("total_clicks", "unique_clicks", "last_click")),
        parent=in_report(),  # links that nobody clicked are rows too
        key_properties=("campaign_id", "id"),
        gate=unchanged("clicks.clicks_total", "clicks.last_click"),
        gate_full_table=True,
        cost="1 request per campaign",
    ),
    stream(
        name="reports_click_details_members",
        description="Who clicked which link of which campaign",
        path="/reports/{campaign_id}/click-details/{url_id}/members",
        records="members",
        sparse=without("members"),
        parent=Parent(
            stream="reports_click_details",
            keys={"campaign_id": "campaign_id", "url_id": "id"},
            carry=("total_clicks", "unique_clicks", "last_click"),
            where=has("unique_clicks"),
        ),
        key_properties=("campaign_id", "url_id", "email_id"),
        identity=person("email_id"),
        transform=by_person("email_id"),
        gate=clicks_mark,
        gate_full_table=True,
        size=carried("unique_clicks"),
        selected=False,
        cost="1 request per link that was clicked, and per 1000 members who did",
    ),
    stream(
        name="reports_domain_performance",
        description="Results by the recipients' mail domain",
        path="/reports/{campaign_id}/domain-performance",
        records="domains",
        sparse=without("domains"),
        parent=in_report("unsubscribed", where=has("emails_sent")),
        key_properties=("campaign_id", "domain", "_index"),
        contract_key=("campaign_id", "domain"),
        identity=whole_row,
        counted=True,
        gate=unchanged(*COUNTERS, "emails_sent", "unsubscribed"),
        gate_full_table=True,
        transform=numbered(texts=("domain",)),
        cost="1 request per campaign",
    ),
    stream(
        name="reports_locations",
        description="Opens by country and region",
        path="/reports/{campaign_id}/locations",
        records="locations",
        sparse=without("locations"),
        parent=in_report(where=has("opens.opens_total")),
        key_properties=("campaign_id", "country_code", "region", "_index"),
        contract_key=("campaign_id", "country_code", "region"),
        identity=whole_row,
        counted=True,
        gate=unchanged("opens.opens_total", "opens.last_open"),
        gate_full_table=True,
        transform=numbered(texts=("country_code", "region")),
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
        key_properties=("campaign_id", "title", "sku", "_index"),
        contract_key=("campaign_id", "title", "sku"),
        identity=whole_row,
        counted=True,
        gate=unchanged(*COUNTERS, "ecommerce.total_orders", "ecommerce.total_revenue"),
        gate_full_table=True,
        transform=numbered(texts=("title", "sku")),
        cost="1 request per campaign",
    ),
    stream(
        name="reports_advice",
        description="Mailchimp's remarks on a campaign",
        path="/reports/{campaign_id}/advice",
        records="advice",
        sparse=without("advice"),
        parent=in_report("unsubscribed"),
        next_page=None,  # comes whole, and equal remarks are remarks too
        shrink=None,
        key_properties=("campaign_id", "_index"),
        gate=unchanged(*COUNTERS, "emails_sent", "unsubscribed"),
        gate_full_table=True,
        transform=numbered(),
        selected=False,
        cost="1 request per campaign",
    ),
    stream(
        name="reports_eepurl",
        description="What became of the short link to each campaign",
        path="/reports/{campaign_id}/eepurl",
        sparse=without(""),
        parent=in_report(),
        params={},
        total="",  # counts something else here
        next_page=None,
        shrink=None,
        key_properties=("campaign_id",),
        selected=False,
        cost="1 request per campaign",
    ),
    stream(
        name="reports_sub_reports",
        description="Reports of the parts of RSS, variate and automated campaigns, and of campaigns sent again",
        path="/reports/{campaign_id}/sub-reports",
        records="reports",
        sparse=without("reports"),
        parent=(
            *in_report("type", where=may_have_parts),
            Parent(stream="campaigns", keys={"campaign_id": "id"}, carry=("type", RESENT), where=was_resent),
        ),
        key_properties=("campaign_id", "id"),
        identity=("id",),
        selected=False,
        cost="1 request per campaign of these types",
    ),
)
