"""Streams beyond the contract's: what else hangs under clients, lists, segments and campaigns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from shared.api.request import Row
from shared.streams import Parent, Record, Stream, Unit

from . import reports
from .defaults import BRIEF, by_email, local_times, next_page, smaller
from .subscribers import MEMBERS, OF_LIST, UNDER_SEGMENT, daily
from .zones import LABEL, utc, zone

_CLIENT = Parent(stream="client_details", keys={"ClientID": "ClientID"}, carry=(LABEL,), when="zones_are_asked")
UNDER_CLIENT = (_CLIENT, replace(_CLIENT, stream="clients", when="timezone"))
"""Details tell the zone of a client, and are asked for that alone."""
UNDER_CAMPAIGN = Parent(
    stream="campaigns",
    keys={"CampaignID": "CampaignID"},
    carry=("ClientID", "SentDate", LABEL),
    where=reports.is_wanted,
)


def _of_client(name: str, path: str, description: str, key: tuple[str, ...], *, selected: bool = False) -> Stream:
    return Stream(
        name=name,
        description=description,
        path=f"/clients/{{ClientID}}/{path}.json",
        key_properties=key,
        parent=UNDER_CLIENT,
        selected=selected,
        cost="1 request per client",
    )


def _of_list(name: str, path: str, description: str, key: tuple[str, ...], *, selected: bool = True) -> Stream:
    return Stream(
        name=name,
        description=description,
        path=f"/lists/{{ListID}}/{path}.json",
        key_properties=key,
        parent=OF_LIST,
        brief=BRIEF,
        gate=daily,
        gate_full_table=True,
        transform=local_times(),
        selected=selected,
        cost="1 request per list, once a day where a client has more than ten",
    )


def _of_campaign(name: str, records: str, description: str, key: tuple[str, ...]) -> Stream:
    return Stream(
        name=name,
        description=description,
        path="/campaigns/{CampaignID}/listsandsegments.json",
        records=records,
        key_properties=key,
        parent=UNDER_CAMPAIGN,
        brief=BRIEF,
        gate=reports.once,
        gate_full_table=True,
        transform=local_times(),
        selected=False,
        cost="1 request per campaign, once",
        deletions="What a campaign was sent to does not change.",
    )


def scheduled(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """The rows with their times as instants; when they are due is told in a zone of its own."""
    for record in local_times("DateCreated")(rows, unit):
        if due := record.get("DateScheduled"):
            own = str(record.get("ScheduledTimeZone") or unit.parent.get(LABEL) or "")
            record["DateScheduled"] = utc(due, zone("", own)) or due
        yield record


def tagged(name: str, of: str, rows: Callable[[Any], Sequence[Row]]) -> Stream:
    """The tags of the campaigns that the stream `of` reads, a row for each."""

    def transform(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
        for row in local_times()(rows, unit):
            for tag in row.get("Tags") or ():
                yield {"CampaignID": row.get("CampaignID"), "Tag": tag, "ClientID": row["ClientID"]}

    return Stream(
        name=name,
        description=f"Tags of the campaigns in {of}, one a row; select it by name",
        records=rows,
        key_properties=("CampaignID", "Tag"),
        unique=True,
        pages_of=of,
        transform=transform,
        selected=False,
        by_name=True,
        cost=f"those of {of}",
    )


def domains(body: Any) -> Sequence[Row]:
    """The rows of a client's sending domains. What they hold is documented nowhere; a row may be the domain itself."""
    if not isinstance(body, list):
        raise ValueError("the answer is no list of domains")
    found = []
    for given in body:
        row = given if isinstance(given, dict) else {"Domain": given}
        named = next((row[name] for name in ("Domain", "DomainName", "Name") if row.get(name)), None)
        found.append({"Domain": named, "Details": row})
    return found


EXTRAS = (
    _of_client("segments", "segments", "Segments of lists", ("SegmentID",), selected=True),
    Stream(
        name="segment_details",
        description="Rules of a segment, and how many are in it",
        path="/segments/{SegmentID}.json",
        key_properties=("SegmentID",),
        parent=UNDER_SEGMENT,
        transform=local_times(),
        selected=False,
        cost="1 request per segment",
    ),
    MEMBERS,
    Stream(
        name="suppression_list",
        description="Addresses that a client's campaigns are not sent to",
        path="/clients/{ClientID}/suppressionlist.json",
        params=by_email(),
        records="Results",
        key_properties=("ClientID", "EmailAddress"),
        identity=("EmailAddress",),
        parent=UNDER_CLIENT,
        next_page=next_page,
        shrink=smaller,
        transform=local_times("Date"),
        cost="1 request per 1000 addresses of a client",
    ),
    _of_list("list_stats", "stats", "How many subscribers came and went", ("ListID",)),
    _of_list("list_custom_fields", "customfields", "Custom fields of a list", ("ListID", "FieldName")),
    _of_list("list_webhooks", "webhooks", "Webhooks of a list", ("ListID", "WebhookID"), selected=False),
    _of_campaign("campaign_lists", "Lists", "Lists that a campaign was sent to", ("CampaignID", "ListID")),
    _of_campaign("campaign_segments", "Segments", "Segments that a campaign was sent to", ("CampaignID", "SegmentID")),
    replace(
        _of_client("draft_campaigns", "drafts", "Campaigns that are drafts", ("CampaignID",)),
        transform=local_times("DateCreated"),
    ),
    replace(
        _of_client("scheduled_campaigns", "scheduled", "Campaigns that are to be sent", ("CampaignID",)),
        transform=scheduled,
    ),
    _of_client("tags", "tags", "Tags of campaigns", ("ClientID", "Name")),
    _of_client("templates", "templates", "Templates of a client", ("TemplateID",)),
    replace(
        _of_client("sending_domains", "sendingdomains", "Domains that a client sends from", ("ClientID", "Domain")),
        records=domains,
        optional=True,
    ),
    tagged("scheduled_campaign_tags", "scheduled_campaigns", lambda body: body),
    _of_client("people", "people", "People who may use a client's account", ("ClientID", "EmailAddress")),
    Stream(
        name="administrators",
        description="Administrators of the account",
        path="/admins.json",
        key_properties=("EmailAddress",),
        selected=False,
        optional=True,
    ),
)
