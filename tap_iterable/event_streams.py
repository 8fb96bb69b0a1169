"""The streams of events: each type of data that Iterable exports, one row a stream.

There is no `emailDelivered`: delivered is sent, less bounced.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from shared.streams import Settings, Stream

from . import exports
from .events import Export


def event_key(settings: Settings) -> tuple[str, ...] | None:
    """The key of events that `event_key` names."""
    return {"append": (), "documented": ("email",)}.get(settings["event_key"])


def export(name: str, data_type: str, description: str, **members: Any) -> Stream:
    """A stream of events."""
    made = Export(data_type=data_type, also=members.pop("also", ""), declared=frozenset(members.pop("declared", ())))
    defaults: dict[str, Any] = {
        "key_properties": ("_event_id",),
        "contract_key": ("email",),
        "choose_key": event_key,
        "automatic": ("email", "_event_id"),
        "replication_key": "createdAt",
        "path": "/api/export/data.json",
        "window": exports.WINDOW,
        "lookback": exports.lookback_seconds,
        "fetch": exports.fetch(made),
        "cancel": exports.cancel,
        "probe": "/api/export/jobs",
        "cost": "1 of 4 requests a minute for each window, at least one a run",
        "deletions": "events are not deleted",
        "selected": False,
    }
    return Stream(name=name, description=description, **{**defaults, **members})


seed = partial(export, seed=True, selected=True)
default = partial(export, selected=True)
_COMMON = (
    "_event_id", "email", "userId", "itblUserId", "createdAt", "eventName", "campaignId", "templateId", "messageId",
    "contentId", "messageTypeId", "channelId", "workflowId", "itblInternal", "dataFields",
)  # fmt: skip
CUSTOM = (*_COMMON, "id")
PURCHASE = (*_COMMON, "id", "total", "shoppingCartItems")
SUBSCRIBE = (
    *_COMMON, "signupSource", "emailListId", "emailListIds", "userListIds", "channelIds", "messageTypeIds",
    "profileUpdatedAt",
)  # fmt: skip
"""The fields of events that may have their own beside them, which go into `dataFields`."""

EVENTS = (
    seed("email_bounce", "emailBounce", "Emails that bounced"),
    seed("email_click", "emailClick", "Clicks in emails"),
    seed("email_complaint", "emailComplaint", "Emails reported as spam"),
    seed("email_open", "emailOpen", "Opens of emails, those by machines included"),
    seed("email_send", "emailSend", "Emails sent"),
    seed("email_send_skip", "emailSendSkip", "Emails not sent, and why"),
    seed(
        "email_subscribe",
        "emailSubscribe",
        "Subscriptions to lists, channels and message types",
        declared=SUBSCRIBE,
    ),
    seed("email_unsubscribe", "emailUnSubscribe", "Unsubscriptions from them"),
    export("hosted_unsubscribe_click", "hostedUnsubscribeClick", "Clicks on hosted unsubscribe pages"),
    default("purchase", "purchase", "Purchases, their own fields in `dataFields`", declared=PURCHASE),
    default("custom_event", "customEvent", "Custom events, their own fields in `dataFields`", declared=CUSTOM),
    default("push_send", "pushSend", "Push notifications sent"),
    default("push_open", "pushOpen", "Push notifications opened"),
    default("push_bounce", "pushBounce", "Push notifications that bounced"),
    export("push_uninstall", "pushUninstall", "Apps found uninstalled"),
    export("push_send_skip", "pushSendSkip", "Push notifications not sent, and why"),
    default("sms_send", "smsSend", "SMS sent"),
    default("sms_click", "smsClick", "Clicks in SMS"),
    default("sms_received", "smsReceived", "SMS received"),
    default("sms_bounce", "smsBounce", "SMS that bounced"),
    export("sms_send_skip", "smsSendSkip", "SMS not sent, and why"),
    export("sms_usage_info", "smsUsageInfo", "Use of SMS"),
    default("in_app_send", "inAppSend", "In-app messages sent"),
    default("in_app_open", "inAppOpen", "In-app messages opened"),
    default("in_app_click", "inAppClick", "Clicks in in-app messages"),
    export("in_app_close", "inAppClose", "In-app messages closed"),
    export("in_app_delete", "inAppDelete", "In-app messages deleted"),
    export("in_app_delivery", "inAppDelivery", "In-app messages delivered"),
    export("in_app_send_skip", "inAppSendSkip", "In-app messages not sent, and why"),
    export("in_app_recall", "inAppRecall", "In-app messages recalled"),
    export("inbox_session", "inboxSession", "Visits to the mobile inbox"),
    export("inbox_message_impression", "inboxMessageImpression", "Messages seen in the mobile inbox"),
    export("web_push_send", "webPushSend", "Web push notifications sent"),
    export("web_push_click", "webPushClick", "Clicks on web push notifications"),
    export("web_push_send_skip", "webPushSendSkip", "Web push notifications not sent, and why"),
    export("rcs_send", "rcsSend", "RCS messages sent"),
    export("rcs_send_skip", "rcsSendSkip", "RCS messages not sent, and why"),
    export("embedded_send", "embeddedSend", "Embedded messages sent"),
    export("embedded_send_skip", "embeddedSendSkip", "Embedded messages not sent, and why"),
    export("embedded_click", "embeddedClick", "Clicks in embedded messages"),
    export("embedded_received", "embeddedReceived", "Embedded messages received"),
    export("embedded_impression", "embeddedImpression", "Embedded messages seen"),
    export("embedded_session", "embeddedSession", "Visits that showed embedded messages"),
    export("whatsapp_send", "whatsAppSend", "WhatsApp messages sent"),
    export("whatsapp_bounce", "whatsAppBounce", "WhatsApp messages that bounced"),
    export("whatsapp_click", "whatsAppClick", "Clicks in WhatsApp messages"),
    export("whatsapp_received", "whatsAppReceived", "WhatsApp messages received"),
    export("whatsapp_seen", "whatsAppSeen", "WhatsApp messages read"),
    export("whatsapp_send_skip", "whatsAppSendSkip", "WhatsApp messages not sent, and why"),
    export("whatsapp_usage_info", "whatsAppUsageInfo", "Use of WhatsApp"),
    export("journey_exit", "journeyExit", "Exits from journeys"),
    export(
        "unknown_session",
        "unknownSession",
        "Visits of unknown users",
        also="anonSession",
        aliases=("anon_session",),
    ),
)
