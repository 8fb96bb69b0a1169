"""What the tap must make of the sandbox's rows, worked out without any of the tap's code.

Kinds: `s` text, `i` integer, `n` number, `b` boolean, `d` date-time as text, `m` as epoch milliseconds, `o` free-form
object, `ai`, `as`, `ao` arrays, `{}` an object with members. That the tap's schemas and these lists were written twice
is the point.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from shared.sandbox import WHEN_READ, Row

from .account import COMMON, EVENT_FIELDS, LONG_FIELD, OWN_FIELDS, fields

FIELDS = {
    "campaigns": (
        "id:i createdAt:m updatedAt:m startAt:m endedAt:m name:s messageMedium:s templateId:i createdByUserId:s "
        "updatedByUserId:s campaignState:s type:s listIds:ai suppressionListIds:ai sendSize:n recurringCampaignId:i "
        "workflowId:i labels:as"
    ),
    "channels": "id:i name:s channelType:s messageMedium:s",
    "message_types": (
        "id:i name:s channelId:i createdAt:m updatedAt:m subscriptionPolicy:s rateLimitPerMinute:i "
        "frequencyCap{days:i messages:i}"
    ),
    "lists": "id:i name:s description:s listType:s createdAt:m isGlobalSuppressionEnabled:b",
    "list_users": "listId:i email:s userId:s userIdentifier:s updatedAt:d",
    "list_sizes": "listId:i size:i extractedAt:d",
    "templates": (
        "templateId:i createdAt:m updatedAt:m name:s creatorUserId:s messageTypeId:i campaignId:i clientTemplateId:s "
        "templateType:s messageMedium:s"
    ),
    "email_templates": (
        "templateId:i metadata{templateId:i createdAt:m updatedAt:m name:s creatorUserId:s messageTypeId:i "
        "campaignId:i clientTemplateId:s} name:s fromName:s fromEmail:s replyToEmail:s subject:s preheaderText:s "
        "ccEmails:as bccEmails:as html:s plainText:s googleAnalyticsCampaignName:s linkParams:ao dataFeedId:i "
        "dataFeedIds:an cacheDataFeed:b mergeDataFeedContext:b locale:s isDefaultLocale:b messageTypeId:i "
        "creatorUserId:s campaignDataFields:o clientTemplateId:s"
    ),
    "push_templates": (
        "templateId:i createdAt:m updatedAt:m name:s message:s title:s badge:s payload:o deeplink{ios:s android:s} "
        "richMedia{ios:s android:s} buttons:ao sound:s wake:b isSilentPush:b interruptionLevel:s relevanceScore:n "
        "dataFeedIds:an cacheDataFeed:b mergeDataFeedContext:b locale:s isDefaultLocale:b messageTypeId:i campaignId:i "
        "campaignDataFields:o clientTemplateId:s"
    ),
    "sms_templates": (
        "templateId:i createdAt:m updatedAt:m name:s message:s imageUrl:s trackingDomain:s "
        "googleAnalyticsCampaignName:s linkParams:ao locale:s isDefaultLocale:b messageTypeId:i campaignId:i "
        "campaignDataFields:o clientTemplateId:s"
    ),
    "in_app_templates": (
        "templateId:i name:s html:s payload:o inAppDisplaySettings:o inboxMetadata{title:s subtitle:s icon:s} "
        "webInAppDisplaySettings:o expirationDateTime:s expirationDuration:s locale:s isDefaultLocale:b "
        "messageTypeId:i campaignId:i campaignDataFields:o clientTemplateId:s"
    ),
    "embedded_templates": (
        "templateId:i name:s title:s body:s placementId:i payload:o elements{mediaUrl:s mediaUrlCaption:s buttons:ao "
        "text:ao defaultAction:o} locale:s isDefaultLocale:b messageTypeId:i campaignId:i campaignDataFields:o "
        "clientTemplateId:s"
    ),
    "journeys": (
        "id:i name:s description:s enabled:b isArchived:b journeyType:s lifetimeLimit:i simultaneousLimit:i "
        "startTileId:i triggerEventNames:as creatorUserId:s createdAt:m updatedAt:m "
        "draft{id:i name:s creatorUserId:s createdAt:m updatedAt:m}"
    ),
    "metadata": "table:s key:s size:i lastModified:m value:o",
    "metadata_tables": "name:s extractedAt:d",
    "catalogs": "name:s definedMappings:o undefinedFields:as",
    "catalog_items": "catalogName:s itemId:s size:i lastModified:m value:o",
    "snippets": (
        "id:i name:s content:s description:s createdBy:s updatedBy:s projectId:i variables:as createdAt:d updatedAt:d"
    ),
    "webhooks": (
        "id:i endpoint:s enabled:b authType:s blastSendEnabled:b triggeredSendEnabled:b channelIds:ai messageTypeIds:ai"
    ),
    "user_fields": "name:s type:s",
    "forgotten_users": "hash:s kind:s extractedAt:d",
    "export_jobs": "id:i dataTypeName:s jobState:s scheduledStartTime:d endTime:d bytesExported:i",
}
USERS = (
    "email:s userId:s itblUserId:s signupDate:d signupSource:s profileUpdatedAt:d emailListIds:ai userListIds:ai "
    "unsubscribedChannelIds:ai unsubscribedMessageTypeIds:ai subscribedMessageTypeIds:ai phoneNumber:s "
    "whatsAppPhoneNumber:s receivedSMSDisclaimer:b knownLitigatorFilter:b locale:s timeZone:s ip:s city:s region:s "
    "country:s firstName:s lastName:s devices:ao browserTokens:as"
)
DOTTED = {
    "itblInternal.emailDomain": "s",
    "itblInternal.phoneCountry": "s",
    "itblInternal.phoneType": "s",
    "itblInternal.isUnknownUser": "b",
    "itblInternal.documentCreatedAt": "d",
    "itblInternal.documentUpdatedAt": "d",
    "itblDS.brandAffinityLabel": "s",
    "itblDS.predictiveGoals": "s",
}
IDENTITY = tuple(
    fields(
        "email:s userId:s itblUserId:s messageId:s campaignId:i templateId:i eventName:s id:s url:s hrefIndex:i "
        "clickedUrl:s ip:s userAgent:s recipientState:s status:s reason:s signupSource:s unsubSource:s "
        "emailListIds:ai emailListId:i userListIds:ai channelIds:ai channelId:i messageTypeIds:ai platformEndpoint:s "
        "replyToMessageId:s seenMessageId:s smsMessage:s placementId:i total:n"
    )
)
_OWN = {"string": "s", "long": "i", "double": "n", "boolean": "b", "date": "d"}
_BAD = object()


def record(spec: Mapping[str, Any], row: Row) -> Row:
    """A row with the columns of `spec`; what does not fit, and what is not known, in `_extra`."""
    extra: Row = {}
    found = {name: _member(kind, row.get(name), name, extra) for name, kind in spec.items()}
    extra.update((name, _clean(value)) for name, value in row.items() if name not in spec)
    return {**found, **({"_extra": extra} if extra else {})}


def _member(kind: Any, value: Any, name: str, extra: Row) -> Any:
    value = _clean(value)
    if value is None:
        return None
    if isinstance(kind, dict):
        return {
            part: _member(inner, value[part], f"{name}.{part}", extra) for part, inner in kind.items() if part in value
        }
    found = _value(kind, value)
    if found is _BAD:
        extra[name] = value
        return None
    return found


def _value(kind: str, value: Any) -> Any:
    if kind == "s" and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if kind == "i":
        return int(value) if isinstance(value, (int, float)) and value == int(value) else _BAD
    if kind == "m":
        return _instant(datetime.fromtimestamp(value / 1000, timezone.utc))
    if kind == "d" and value != WHEN_READ:
        return _date_time(value)
    if kind in ("o", "t"):
        return value if isinstance(value, dict) else _BAD
    return value


def _date_time(text: str) -> Any:
    if text.count(".") == 2:
        text = text.rpartition(".")[0] + "Z"
    try:
        if "T" in text:
            return _instant(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z"))
        return _instant(datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z"))
    except ValueError:
        return _BAD


def _instant(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [_clean(each) for each in value]
    if isinstance(value, dict):
        return {name: _clean(each) for name, each in value.items()}
    return value


def events(data_type: str, rows: Iterable[Row]) -> Iterator[Row]:
    """The records of events: equal ones are numbered."""
    spec = {"_event_id": "s", **fields(COMMON), **fields(EVENT_FIELDS[data_type])}
    if data_type == "customEvent":
        spec["dataFields"] = "o"
    met: Counter[str] = Counter()
    for row in rows:
        created = _date_time(row["createdAt"])[:19]
        parts = [data_type, created, *(row.get(name) for name in IDENTITY)]
        text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        made = {**row, "_event_id": hashlib.sha256(f"{text}#{met[text]}".encode()).hexdigest()[:32]}
        met[text] += 1
        if data_type == "customEvent":
            own = {name: made.pop(name) for name in list(made) if name not in spec}
            made["dataFields"] = {**own, **row.get("dataFields", {})}
        if isinstance(made.get("transactionalData"), str):
            made["transactionalData"] = _parsed(made["transactionalData"])
        yield record(spec, made)


def _parsed(text: str) -> Row:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"_raw": text}


def user(row: Row, project: str, *, in_one: bool = False) -> Row:
    """The record of a profile."""
    spec: dict[str, Any] = {**fields(USERS), **DOTTED}
    if in_one:
        own = {name: value for name, value in row.items() if name not in spec}
        made = {**{name: value for name, value in row.items() if name in spec}, "dataFields": own or None}
        return record({**spec, "dataFields": "o"}, made)
    names = {"Industry": "_industry", LONG_FIELD: _shortened(LONG_FIELD)}
    spec |= {names.get(name, name): _OWN.get(kind, "s") for name, kind in OWN_FIELDS.items()}
    return record(spec, {names.get(name, name): value for name, value in row.items()})


def _shortened(name: str) -> str:
    return f"{name[:55]}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def metrics(
    rows: Iterable[tuple[int, Mapping[str, str]]], columns: Mapping[str, str], all_columns: str
) -> Iterator[Row]:
    """Campaign metrics: `columns` are the CSV's headers and what they are called."""
    for number, cells in rows:
        found: Row = {"id": number, **dict.fromkeys(all_columns.split())}
        for header, text in cells.items():
            found[columns[header]] = json.loads(text) if text and text not in ("NaN", "N/A") else None
        yield found
