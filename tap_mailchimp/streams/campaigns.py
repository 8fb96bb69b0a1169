"""Campaigns and automations: what is or was to be sent. Their results are in `streams_reports`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.api.request import Params, Row
from shared.streams import Parent, Record, Unit

from ..defaults import by_person, oldest_first, page, person, since, stream, without

OF_CAMPAIGN = Parent(stream="campaigns", keys={"campaign_id": "id"})
OF_AUTOMATION = Parent(stream="automations", keys={"workflow_id": "id"})


def of_status(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """The campaigns whose status `campaign_status` names. Filtered here, since the API's filter takes one status, and a
    campaign that moves on between two walks would be in neither.
    """
    wanted = unit.settings["campaign_status"]
    return segmented([row for row in rows if not wanted or row.get("status") in wanted], unit)


def segmented(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """The rows with their segment's options as an object: they may come as a bare array of conditions (the vendor's
    own examples, 2026).
    """
    for row in rows:
        recipients = row.get("recipients")
        if isinstance(recipients, dict) and isinstance(conditions := recipients.get("segment_opts"), list):
            recipients["segment_opts"] = {"conditions": conditions} if conditions else None
        yield row


def campaigns_page(unit: Unit) -> Params:
    """With what shortcuts made of a campaign; whether there may be more of them only for who wants that."""
    is_wanted = "resend_shortcut_eligibility" not in unit.deselected
    eligibility = {"include_resend_shortcut_eligibility": True} if is_wanted else {}
    return page(**oldest_first("create_time"), include_resend_shortcut_usage=True, **eligibility)(unit)


def is_unsent(unit: Unit) -> bool:
    """Whether a campaign is still to be sent."""
    return unit.parent.get("status") in ("save", "paused", "schedule")


CAMPAIGN_STREAMS = (
    stream(
        name="campaigns",
        description="Campaigns in every status",
        path="/campaigns",
        records="campaigns",
        params=campaigns_page,
        sparse=without("campaigns", keep=("status", "type", "resend_shortcut_usage")),
        unselected=("resend_shortcut_eligibility",),
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
        name="campaign_checklists",
        description="What each campaign that is yet to be sent still lacks",
        path="/campaigns/{campaign_id}/send-checklist",
        sparse=without(""),
        parent=Parent(stream="campaigns", keys={"campaign_id": "id"}, carry=("status",), where=is_unsent),
        params={},
        total="",
        next_page=None,
        shrink=None,
        key_properties=("campaign_id",),
        selected=False,
        cost="1 request per campaign that is yet to be sent",
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
        transform=segmented,
        since=since("since_create_time"),
        seed=True,
    ),
    stream(
        name="automation_emails",
        description="E-mails of classic automations",
        path="/automations/{workflow_id}/emails",
        records="emails",
        sparse=without("emails", keep=("emails_sent", "status", "workflow_id")),
        parent=OF_AUTOMATION,
        transform=segmented,
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
        identity=person("id"),
        transform=by_person("id"),
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
        identity=person("id"),
        transform=by_person("id"),
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
    stream(
        name="sms_campaign_content",
        description="Text of each SMS or WhatsApp campaign",
        path="/sms-campaigns/{sms_campaign_id}/content",
        sparse=without(""),
        parent=Parent(stream="sms_campaigns", keys={"sms_campaign_id": "id"}),
        params={},
        total="",
        next_page=None,
        shrink=None,
        key_properties=("sms_campaign_id",),
        optional=True,
        selected=False,
        cost="1 request per campaign",
    ),
)
