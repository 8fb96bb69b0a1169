"""What a faultless read of the sandbox's account gives, stream by stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from shared.sandbox import Row, Table
from shared.sandbox.truth import digest, occurrences
from shared.timestamps import instant

from . import extras, transactional
from .account import Account, Campaign, Place, SubscriberList
from .endpoints import OF_CLIENT, OF_LIST, client_details, client_name
from .truth import record, utc

if TYPE_CHECKING:
    from . import CampaignMonitorSandbox

REPORTS = {
    "campaign_opens": "opens",
    "campaign_clicks": "clicks",
    "campaign_bounces": "bounces",
    "campaign_unsubscribes": "unsubscribes",
    "campaign_spam_complaints": "spam",
}
CLIENT_STREAMS = {
    "draft_campaigns": "drafts",
    "scheduled_campaigns": "scheduled",
    **{name: name for name in ("tags", "templates", "people", "segments")},
}
LIST_STREAMS = {"list_stats": "stats", "list_custom_fields": "customfields", "list_webhooks": "webhooks"}
STATISTICS_DAYS = 29
STATISTICS: dict[str, Callable[[Account, Place], list[Row]]] = {
    "transactional_statistics": lambda account, place: [{}],
    "transactional_group_statistics": lambda account, place: [
        {"Group": row["Group"]} for row in transactional.groups(account, place)
    ],
    "transactional_smart_email_statistics": lambda account, place: [
        {"SmartEmailID": row["SmartEmailID"]} for row in transactional.smart_emails(account, place)
    ],
}
"""What each stream of statistics has a row of."""


def records(
    sandbox: CampaignMonitorSandbox, stream: str, settings: Mapping[str, Any], *, stayed: bool
) -> Iterator[Row]:
    """All records of a stream; `stayed`: of rows only that were there all the time."""
    for place, row in rows(sandbox, stream, settings, stayed=stayed):
        made = record(stream, row, place.zone)
        if stream != "administrators":
            made["ClientID"] = sandbox.account.client_id(place)
        if stream == "scheduled_campaigns":
            zones = {"(GMT+09:00) Osaka, Sapporo, Tokyo": "Asia/Tokyo", "": place.zone}
            zone = zones.get(row["ScheduledTimeZone"], "America/Los_Angeles")
            made["DateScheduled"] = utc(row["DateScheduled"], zone)
        if stream == "campaign_email_client_usage":
            made["Version"] = made["Version"] or ("" if settings.get("key_mode") == "contract" else "(none)")
        for name in ("Opens", "Clicks") if stream == "transactional_message_details" else ():
            made[name] = [
                {**each, "Date": utc(each["Date"], place.zone), "DateLocal": each["Date"]} for each in row[name]
            ]
        if "DateLocal" not in made or _is_since(made["DateLocal"], place, settings.get("start_date")):
            yield made


def _is_since(local: str, place: Place, start: str | None) -> bool:
    if not start or start.endswith("Z"):
        return utc(local, place.zone) >= (instant(start) or "")
    return local >= start


def rows(
    sandbox: CampaignMonitorSandbox, stream: str, settings: Mapping[str, Any], *, stayed: bool
) -> Iterator[tuple[Place, Row]]:
    """The API's rows behind them, with their clients and their parents' ids."""
    account = sandbox.account
    if stream == "campaign_tags":
        for place, row in rows(sandbox, "campaigns", settings, stayed=stayed):
            yield from ((place, each) for each in _tags([row]))
        return
    if stream == "campaigns" or not stream.startswith(("campaign_", "list_", "segment_")):
        for place in account.clients[:1] if stream == "administrators" else account.clients:
            for row in _of_client(sandbox, stream, place, stayed=stayed):
                if stream != "campaigns" or set(settings.get("campaign_tags") or ()) <= set(row.get("Tags") or ()):
                    yield place, row
    elif stream.startswith("campaign_"):
        for campaign in account.campaigns.values():
            sent = account.local(campaign.sent, campaign.client)
            if stream == "campaign_recipients" and not _is_since(sent, campaign.client, settings.get("start_date")):
                continue
            for row in [] if campaign.gone else _below_campaign(sandbox, stream, campaign, stayed=stayed):
                yield campaign.client, {**row, "CampaignID": campaign.identity}
    else:
        below, name = (_below_segment, "SegmentID") if stream.startswith("segment_") else (_below_list, "ListID")
        for found in account.lists.values():
            own = {"SegmentID": account.identity("segment", found.identity), "ListID": found.identity}
            is_chosen = found.identity in settings.get("list_ids", [found.identity])
            for row in below(sandbox, stream, found, stayed=stayed) if is_chosen and not found.gone else []:
                yield found.client, {**row, name: own[name]}


def _of_client(sandbox: CampaignMonitorSandbox, stream: str, place: Place, *, stayed: bool) -> Iterator[Row]:
    account = sandbox.account
    if stream.startswith("journey"):
        yield from _of_journeys(sandbox, stream, place)
    elif stream.startswith("transactional_"):
        yield from _transactional(sandbox, stream, place)
    elif stream == "scheduled_campaign_tags":
        yield from _tags(extras.scheduled(account, place))
    elif stream == "sending_domains":
        yield from ({"Domain": row["Domain"], "Details": row} for row in extras.domains(account, place))
    elif stream in CLIENT_STREAMS:
        yield from OF_CLIENT[CLIENT_STREAMS[stream]](account, place)
    elif stream in ("clients", "client_details"):
        yield (client_name if stream == "clients" else client_details)(sandbox, place)
    elif stream == "administrators":
        yield from extras.administrators(account)
    elif stream == "suppression_list":
        yield from _still(sandbox.suppressed(place), stayed=stayed)
    elif stream == "campaigns":
        yield from (account.campaign(each) for each in account.campaigns.values() if each.client == place)
    elif stream == "lists":
        for each in account.lists.values():
            if each.client == place:
                yield {"ListID": each.identity, "Name": account.details(each)["Title"]}


def _tags(found: Sequence[Row]) -> Iterator[Row]:
    for row in found:
        yield from ({"CampaignID": row["CampaignID"], "Tag": tag} for tag in row.get("Tags") or ())


def _of_journeys(sandbox: CampaignMonitorSandbox, stream: str, place: Place) -> Iterator[Row]:
    account = sandbox.account
    for number, journey in enumerate(extras.journeys(account, place)):
        summary = extras.journey(account, place, number)
        own = {name: journey[name] for name in ("JourneyID", "ListID")}
        if stream == "journeys":
            yield {**journey, "TriggerType": summary["TriggerType"]}
            continue
        if stream == "journey_emails":
            yield from ({**row, "JourneyID": own["JourneyID"]} for row in summary["Emails"])
            continue
        kind = stream.removeprefix("journey_email_")
        for each in extras.journey_campaigns(account, place, number):
            found = [{**row, **own, "EmailID": each.identity} for row in extras.journey_rows(account, each, kind)]
            yield from _numbered(each, found) if kind in ("opens", "clicks") else found


def _transactional(sandbox: CampaignMonitorSandbox, stream: str, place: Place) -> Iterator[Row]:
    account = sandbox.account
    if stream == "transactional_smart_emails":
        yield from transactional.smart_emails(account, place)
    elif stream == "transactional_groups":
        yield from transactional.groups(account, place)
    elif stream in STATISTICS:
        until = account.now.astimezone(ZoneInfo(place.zone)).date()
        since = until - timedelta(days=STATISTICS_DAYS - 1)
        for own in STATISTICS[stream](account, place):
            row = transactional.statistics(place, str(since), str(until), own.get("Group"), own.get("SmartEmailID"))
            yield {**row, **own, "From": str(since), "To": str(until)}
    else:
        for row in transactional.messages(account, place):
            is_whole = stream == "transactional_message_details"
            yield transactional.details(account, place, row) if is_whole else row


def _below_campaign(sandbox: CampaignMonitorSandbox, stream: str, each: Campaign, *, stayed: bool) -> Iterator[Row]:
    account = sandbox.account
    if stream == "campaign_summary":
        yield sandbox.summary(each)
    elif stream == "campaign_email_client_usage":
        yield from account.usage(each)
    elif stream in ("campaign_lists", "campaign_segments"):
        yield from extras.sent_to(account, each)[stream.split("_")[1].capitalize()]
    elif stream == "campaign_recipients":
        yield from _still(sandbox.recipients(each), stayed=stayed)
    else:
        found = list(_still(sandbox.events(each, REPORTS[stream]), stayed=stayed))
        yield from _numbered(each, found) if stream in ("campaign_opens", "campaign_clicks") else found


def _below_list(sandbox: CampaignMonitorSandbox, stream: str, each: SubscriberList, *, stayed: bool) -> Iterator[Row]:
    if stream == "list_details":
        yield sandbox.account.details(each)
    elif stream in LIST_STREAMS:
        found = OF_LIST[LIST_STREAMS[stream]](sandbox.account, each)
        yield from [found] if isinstance(found, dict) else found
    else:
        yield from _with_consent(_still(sandbox.subscribers(each, stream.split("_")[1]), stayed=stayed))


def _below_segment(
    sandbox: CampaignMonitorSandbox, stream: str, each: SubscriberList, *, stayed: bool
) -> Iterator[Row]:
    if stream == "segment_details":
        yield extras.segment_details(sandbox.account, each)
    else:
        yield from _with_consent(_still(sandbox.members(each), stayed=stayed))


def _with_consent(found: Iterator[Row]) -> Iterator[Row]:
    for row in found:
        more = {"ConsentToSendSms": "No"} if "MobileNumber" in row else {}
        yield {**row, "ConsentToTrack": "Yes", **more}


def _still(table: Table, *, stayed: bool) -> Iterator[Row]:
    for number in range(table.count):
        if not stayed or table.drift is None or table.drift.stayed(number):
            yield table.row(number)


def _numbered(campaign: Campaign, found: Sequence[Row]) -> Iterator[Row]:
    """The rows with their keys, as the reference has them."""

    def same(row: Row) -> list[str]:
        who = [campaign.identity, row["ListID"], row["EmailAddress"], row["Date"]]
        return [*who, row.get("URL") or "", row["IPAddress"] or ""]

    for row, parts, before in occurrences(found, same):
        yield {**row, "RecordKey": digest([*parts, before + 1])}
