"""What the tap must make of the sandbox's rows, worked out without any of the tap's code.

The field lists are the reference's own: `time` is local text that becomes an instant, `stamp` one whose text is kept
beside, `offset` text that tells its offset, `sent` both of these. They and the tap's schemas are written twice on
purpose: a test that compares both finds the slips of either.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from shared.sandbox import Row

GEO = "IPAddress Latitude Longitude City Region CountryCode CountryName"
EVENT = "CampaignID EmailAddress ListID Date:stamp"
SUBSCRIBER = """ListID EmailAddress Name Date:stamp ListJoinedDate:time State MobileNumber CustomFields
    CustomFieldsObject ReadsEmailWith ConsentToTrack ConsentToSendSms"""
JOURNEY = "JourneyID EmailID ListID EmailAddress"
FIELDS = {
    "clients": "Name",
    "client_details": "BasicDetails AccessDetails BillingDetails",
    "campaigns": """CampaignID Name Subject FromName FromEmail ReplyTo SentDate:stamp TotalRecipients WebVersionURL
        WebVersionTextURL Tags""",
    "campaign_summary": """CampaignID Name Recipients TotalOpened UniqueOpened Clicks Unsubscribed Bounced
        SpamComplaints Forwards Likes Mentions WebVersionURL WebVersionTextURL WorldviewURL""",
    "campaign_email_client_usage": "CampaignID Client Version Percentage Subscribers",
    "campaign_recipients": "CampaignID EmailAddress ListID",
    "campaign_opens": f"{EVENT} {GEO} RecordKey",
    "campaign_clicks": f"{EVENT} URL {GEO} RecordKey",
    "campaign_bounces": f"{EVENT} BounceType Reason",
    "campaign_unsubscribes": f"{EVENT} IPAddress",
    "campaign_spam_complaints": EVENT,
    "lists": "ListID Name",
    "list_details": """ListID Title UnsubscribePage UnsubscribeSetting ConfirmedOptIn ConfirmationSuccessPage""",
    **{f"list_{state}_subscribers": SUBSCRIBER for state in ("active", "unconfirmed", "unsubscribed", "bounced")},
    "list_deleted_subscribers": SUBSCRIBER,
    "journeys": "JourneyID ListID Name Status TriggerType",
    "journey_emails": "EmailID JourneyID Name Sent Opened UniqueOpened Clicked Bounced Unsubscribed",
    "journey_email_recipients": f"{JOURNEY} SentDate:stamp",
    "journey_email_opens": f"{JOURNEY} Date:stamp {GEO} RecordKey",
    "journey_email_clicks": f"{JOURNEY} Date:stamp URL {GEO} RecordKey",
    "journey_email_bounces": f"{JOURNEY} Date:stamp BounceType Reason",
    "journey_email_unsubscribes": f"{JOURNEY} Date:stamp IPAddress",
    "campaign_lists": "CampaignID ListID Name",
    "campaign_segments": "CampaignID ListID SegmentID Title",
    "draft_campaigns": """CampaignID Name Subject FromName FromEmail ReplyTo DateCreated:time PreviewURL PreviewTextURL
        Tags""",
    "scheduled_campaigns": """CampaignID Name Subject FromName FromEmail ReplyTo DateCreated:time PreviewURL
        PreviewTextURL Tags DateScheduled:time ScheduledTimeZone""",
    "tags": "Name NumberOfCampaigns",
    "templates": "TemplateID Name PreviewURL ScreenshotURL",
    "people": "EmailAddress Name AccessLevel Status",
    "administrators": "EmailAddress Name Status",
    "suppression_list": "EmailAddress Date:time State SuppressionReason",
    "segments": "SegmentID ListID Title",
    "segment_details": "SegmentID ListID Title ActiveSubscribers RuleGroups",
    "segment_subscribers": """SegmentID EmailAddress Name Date:time ListJoinedDate:time State MobileNumber CustomFields
        CustomFieldsObject ConsentToTrack ConsentToSendSms""",
    "list_stats": """ListID TotalActiveSubscribers NewActiveSubscribersToday NewActiveSubscribersYesterday
        NewActiveSubscribersThisWeek NewActiveSubscribersThisMonth NewActiveSubscribersThisYear
        TotalUnsubscribes UnsubscribesToday UnsubscribesYesterday UnsubscribesThisWeek
        UnsubscribesThisMonth UnsubscribesThisYear TotalDeleted DeletedToday DeletedYesterday
        DeletedThisWeek DeletedThisMonth DeletedThisYear TotalBounces BouncesToday
        BouncesYesterday BouncesThisWeek BouncesThisMonth BouncesThisYear""",
    "list_custom_fields": "ListID FieldName Key DataType FieldOptions VisibleInPreferenceCenter",
    "list_webhooks": "ListID WebhookID Events Url Status PayloadFormat",
    "transactional_smart_emails": "SmartEmailID Name CreatedAt:offset Status Properties AddRecipientsToList",
    "transactional_groups": "Group CreatedAt:offset",
    "transactional_messages": """MessageID Status SentAt:sent Recipient From Subject TotalOpens TotalClicks
        CanBeResent Group SmartEmailID""",
    "transactional_message_details": """MessageID Status SentAt:sent Recipient SmartEmailID Group CanBeResent
        TotalOpens TotalClicks Message Opens Clicks""",
    "transactional_statistics": "From To Query Sent Bounces Delivered Opened Clicked",
}


def record(fields: str, row: Row, zone: str) -> Row:
    """The record of a row of a client in `zone`: null where it has none, and what is unknown in `_extra`."""
    made: Row = {}
    names = [part.partition(":")[::2] for part in fields.split()]
    for name, kind in names:
        value = row.get(name)
        made[name] = _instant(value, kind, zone) if kind and value else _clean(value)
        if kind in ("stamp", "sent"):
            made[f"{name}Local"] = value
    known = {name for name, _ in names} | {"ClientID"}
    if extra := {name: _clean(value) for name, value in row.items() if name not in known}:
        made["_extra"] = extra
    return made


def _instant(value: str, kind: str, zone: str) -> str:
    if kind not in ("offset", "sent"):
        return utc(value, zone)
    return datetime.fromisoformat(value).astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def utc(text: str, zone: str) -> str:
    """Local text as an instant, worked out anew: the later of what it may mean, or standard time if it means none."""
    naive = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    place = ZoneInfo(zone)
    offsets = {(naive + timedelta(hours=h)).astimezone(place).utcoffset() or timedelta() for h in range(-30, 31, 6)}
    meant = [naive - offset for offset in offsets]
    fitting = [each for each in meant if each.astimezone(place).strftime("%Y-%m-%d %H:%M:%S") == text]
    return max(fitting or meant).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def _clean(value: Any) -> Any:
    """Without the character that databases refuse."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {name: _clean(part) for name, part in value.items()}
    return [_clean(part) for part in value] if isinstance(value, list) else value
