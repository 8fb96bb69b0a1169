"""Campaigns and automations: what is or was to be sent. Their results are in `streams_reports`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.api.request import Row
from shared.streams import Parent, Record, Unit

from ..defaults import oldest_first, page, since, stream, without

OF_CAMPAIGN = Parent(stream="campaigns", keys={"campaign_id": "id"})
OF_AUTOMATION = Parent(stream="automations", keys={"workflow_id": "id"})


def of_status(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """The campaigns whose status `campaign_status` names. Filtered here, since the API's filter takes one status, and a
    campaign that moves on between two walks would be in neither.
    """
    wanted = unit.settings["campaign_status"]
    return (row for row in rows if not wanted or row.get("status") in wanted)


CAMPAIGN_STREAMS = (
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
        name="campaign_folders",
        description="Folders of campaigns",
        path="/campaign-folders",
        records="folders",
        sparse=without("folders"),
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
    stream(
        name="automation_emails",
        description="E-mails of classic automations",
        path="/automations/{workflow_id}/emails",
        records="emails",
        sparse=without("emails", keep=("emails_sent", "workflow_id")),
        parent=OF_AUTOMATION,
        cost="1 request per automation",
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
        parent=OF_AUTOMATION,
        key_properties=("workflow_id", "id"),
        identity=("id",),
        selected=False,
        cost="1 request per automation",
    ),
    stream(
        name="sms_campaigns",
        description="Campaigns by SMS and WhatsApp",
        path="/sms-campaigns",
        records="sms_campaigns",
        sparse=without("sms_campaigns"),
        optional=True,
        selected=False,
    ),
)
