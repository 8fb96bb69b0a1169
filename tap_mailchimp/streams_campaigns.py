"""Streams below campaigns, their reports and automations that few need, or that cost much: off by default."""

from __future__ import annotations

from shared.streams import Parent, Unit

from .activity import clicks_mark, has
from .parts import carried, in_report, numbered, stream, without

OF_CAMPAIGN = Parent(stream="campaigns", keys={"campaign_id": "id"})


def may_have_parts(unit: Unit) -> bool:
    """RSS, variate and automated campaigns have reports of their parts; plain ones never do."""
    return unit.parent.get("type") not in ("regular", "plaintext")


CAMPAIGN_STREAMS = (
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
        identity=("email_id",),
        gate=clicks_mark,
        gate_full_table=True,
        size=carried("unique_clicks"),
        selected=False,
        cost="1 request per link that was clicked, and per 1000 members who did",
    ),
    stream(
        name="reports_advice",
        description="Mailchimp's remarks on a campaign",
        path="/reports/{campaign_id}/advice",
        records="advice",
        sparse=without("advice"),
        parent=in_report(),
        params={},
        next_page=None,  # comes whole, and equal remarks are remarks too
        shrink=None,
        key_properties=("campaign_id", "_index"),
        transform=numbered("_index"),
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
        next_page=None,
        shrink=None,
        key_properties=("campaign_id",),
        selected=False,
        cost="1 request per campaign",
    ),
    stream(
        name="reports_sub_reports",
        description="Reports of the parts of RSS, variate and automated campaigns",
        path="/reports/{campaign_id}/sub-reports",
        records="reports",
        sparse=without("reports"),
        parent=in_report("type", where=may_have_parts),
        key_properties=("campaign_id", "id"),
        identity=("id",),
        selected=False,
        cost="1 request per campaign of these types",
    ),
    stream(
        name="campaign_content",
        description="Text and HTML of each campaign",
        path="/campaigns/{campaign_id}/content",
        sparse=without(""),
        parent=OF_CAMPAIGN,
        params={},
        next_page=None,
        shrink=None,
        key_properties=("campaign_id",),
        selected=False,
        cost="1 request per campaign, with its whole HTML",
    ),
    stream(
        name="campaign_feedback",
        description="Comments on campaigns",
        path="/campaigns/{campaign_id}/feedback",
        records="feedback",
        sparse=without("feedback"),
        parent=OF_CAMPAIGN,
        key_properties=("campaign_id", "feedback_id"),
        identity=("feedback_id",),
        selected=False,
        cost="1 request per campaign",
    ),
    stream(
        name="automation_email_queue",
        description="Who is to get which e-mail of an automation next",
        path="/automations/{workflow_id}/emails/{email_id}/queue",
        records="queue",
        sparse=without("queue"),
        parent=Parent(stream="automation_emails", keys={"workflow_id": "workflow_id", "email_id": "id"}),
        key_properties=("workflow_id", "email_id", "id"),
        identity=("id",),
        selected=False,
        cost="1 request per e-mail of each automation",
    ),
    stream(
        name="automation_removed_subscribers",
        description="Who was taken out of which automation",
        path="/automations/{workflow_id}/removed-subscribers",
        records="subscribers",
        sparse=without("subscribers"),
        parent=Parent(stream="automations", keys={"workflow_id": "id"}),
        key_properties=("workflow_id", "id"),
        identity=("id",),
        selected=False,
        cost="1 request per automation",
    ),
)
