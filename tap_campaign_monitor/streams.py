"""The table of streams. Nearly all hang under a client's campaigns or lists; the client's zone goes down with them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from shared.client import Client
from shared.errors import RefusedError
from shared.pagination import NextPage, Page, Request, Row, numbered, overlapping
from shared.streams import Batch, Params, Parent, Record, Settings, Step, Stream, Unit

from . import reports
from .client import without_key
from .zones import LABEL, asked_from, utc, zone_of

SMALLEST_PAGE = 10
"""Fewer rows a page are refused."""


def local_times(*names: str, kept: str = "") -> Callable[[Sequence[Row], Unit], Iterator[Record]]:
    """A transform: the client's id on rows, their local times `names` as instants, and the text of `kept` beside."""

    def transform(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
        place = zone_of(unit)
        for row in rows:
            record = {**row, "ClientID": unit.parent["ClientID"]}
            if kept:
                record[f"{kept}Local"] = row.get(kept)
            for name in names:
                if text := row.get(name):
                    record[name] = utc(text, place) or text
            yield record

    return transform


# Clients


def clients(client: Client, unit: Unit) -> Generator[Step, None, None] | None:
    """The clients that `client_id` names; where it names none, all of the account."""
    return _chosen(client, unit.settings["client_id"]) if unit.settings.get("client_id") else None


def _chosen(client: Client, wanted: Sequence[str]) -> Generator[Step, None, None]:
    try:
        found = {row["ClientID"]: row for row in client.json(Request("/clients.json"), stream="clients")}
    except RefusedError:  # the key of one client
        found = {}
    yield Batch([dict(found.get(each) or _from_details(client, each)) for each in wanted])


def _from_details(client: Client, client_id: str) -> Row:
    body = client.send(Request(f"/clients/{client_id}.json"), stream="clients", read=without_key)
    return {"ClientID": client_id, "Name": body["BasicDetails"].get("CompanyName")}


UNDER_CLIENT = Parent(stream="client_details", keys={"ClientID": "ClientID"}, carry=(LABEL,))

CLIENTS = (
    Stream(
        name="clients",
        description="The account's clients",
        path="/clients.json",
        key_properties=("ClientID",),
        fetch=clients,
    ),
    Stream(
        name="client_details",
        description="A client's details, its time zone among them; its API key is left out",
        path="/clients/{ClientID}.json",
        key_properties=("ClientID",),
        parent=Parent(stream="clients", keys={"ClientID": "ClientID"}),
        decode=without_key,
        selected=False,
        cost="1 request per client",
    ),
)


# Pages


def _paged(unit: Unit) -> Params:
    return {"page": 1, "pagesize": unit.settings["page_size"]}


def _by_email(**more: str) -> Callable[[Unit], Params]:
    def params(unit: Unit) -> Params:
        return {**_paged(unit), "orderfield": "email", "orderdirection": "asc", **more}

    return params


def _by_date(unit: Unit) -> Params:
    return {**_paged(unit), "orderfield": "date", "orderdirection": "asc"}


def _since(unit: Unit) -> Params:
    assert unit.since is not None
    return {"date": asked_from(unit.since, zone_of(unit))}


def _has_more(body: Any) -> bool:
    return int(body.get("PageNumber") or 1) < int(body.get("NumberOfPages") or 0)


def safe_pages() -> NextPage:
    """Pages that overlap, so that rows which leave meanwhile hide none, and never smaller than the API takes."""
    overlap = overlapping("page", "pagesize", more=_has_more)

    def next_page(page: Page) -> Sequence[Request]:
        return [_large_enough(asked) for asked in overlap(page)]

    return next_page


def _large_enough(request: Request) -> Request:
    size, number = int(request.params["pagesize"]), int(request.params["page"])
    if size >= SMALLEST_PAGE:
        return request
    page = 1 + (number - 1) * size // SMALLEST_PAGE
    return request.with_params({"page": page, "pagesize": SMALLEST_PAGE}, memo=request.memo)


def _lookback(settings: Settings) -> float:
    return float(settings["lookback_minutes"]) * 60


# Campaigns

SENT = ("ClientID", "SentDate", LABEL)
UNDER_CAMPAIGN = Parent(
    stream="campaigns", keys={"CampaignID": "CampaignID"}, carry=(*SENT, "TotalRecipients"), where=reports.is_wanted
)

CAMPAIGNS = (
    Stream(
        name="campaigns",
        description="Campaigns that were sent",
        path="/clients/{ClientID}/campaigns.json",
        params=lambda unit: {**_paged(unit), "orderdirection": "asc"},
        records="Results",
        key_properties=("CampaignID",),
        replication_key="SentDate",
        is_new=lambda record, unit: True,
        parent=UNDER_CLIENT,
        next_page=numbered("page", pages="NumberOfPages"),
        transform=local_times("SentDate", kept="SentDate"),
        seed=True,
        cost="1 request per 1000 campaigns of a client",
        deletions="A deleted campaign is listed no more; all that are left are written in every run.",
    ),
    Stream(
        name="campaign_summary",
        description="A campaign's counters",
        path="/campaigns/{CampaignID}/summary.json",
        key_properties=("CampaignID",),
        parent=replace(UNDER_CAMPAIGN, where=None),
        transform=local_times(),
        seed=True,
        cost="1 request per campaign",
    ),
    Stream(
        name="campaign_email_client_usage",
        description="With what a campaign was opened",
        path="/campaigns/{CampaignID}/emailclientusage.json",
        key_properties=("CampaignID", "Client", "Version"),
        parent=Parent(
            stream="campaign_summary",
            keys={"CampaignID": "CampaignID"},
            carry=(*SENT, "TotalOpened"),
            where=reports.is_wanted,
        ),
        gate=reports.moved("TotalOpened"),
        gate_full_table=True,
        transform=local_times(),
        seed=True,
        cost="1 request per campaign that was opened since",
    ),
    Stream(
        name="campaign_recipients",
        description="To whom a campaign was sent",
        path="/campaigns/{CampaignID}/recipients.json",
        params=_by_email(),
        records="Results",
        key_properties=("CampaignID", "EmailAddress", "ListID"),
        parent=replace(UNDER_CAMPAIGN, where=reports.is_wanted_since_start),
        gate=reports.once,
        gate_full_table=True,
        next_page=safe_pages(),
        transform=local_times(),
        size=lambda unit: int(unit.parent.get("TotalRecipients") or 0),
        seed=True,
        cost="1 request per 1000 recipients, once per campaign",
        deletions="Recipients are fixed once a campaign is sent.",
    ),
)


def _report(name: str, path: str, counter: str, description: str, *, keyed: bool = False) -> Stream:
    """One of the five reports on what recipients did."""
    key = ("CampaignID", "EmailAddress", "ListID", "Date")

    def transform(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
        made = list(reports.with_keys(rows, unit)) if keyed else rows
        return local_times("Date", kept="Date")(made, unit)

    stream = Stream(
        name=name,
        description=description,
        path=f"/campaigns/{{CampaignID}}/{path}.json",
        params=_by_date,
        records="Results",
        key_properties=(*key, "RecordKey") if keyed else key,
        contract_key=key if keyed else None,
        automatic=("RecordKey",) if keyed else (),
        replication_key="Date",
        since=_since,
        order="ascending",
        lookback=_lookback,
        is_new=reports.since_minute,
        parent=Parent(
            stream="campaign_summary",
            keys={"CampaignID": "CampaignID"},
            carry=(*SENT, counter),
            where=reports.is_wanted,
        ),
        gate=reports.moved(counter),
        transform=transform,
        size=lambda unit: int(unit.parent.get(counter) or 0),
        seed=True,
        cost="1 request per 1000 rows of a campaign whose counter moved",
    )
    return replace(stream, fetch=partial(reports.by_minute, stream))


REPORTS = (
    _report("campaign_opens", "opens", "TotalOpened", "Every time a campaign was opened", keyed=True),
    _report("campaign_clicks", "clicks", "Clicks", "Every click on a link in a campaign", keyed=True),
    _report("campaign_bounces", "bounces", "Bounced", "Recipients whom a campaign did not reach"),
    _report("campaign_unsubscribes", "unsubscribes", "Unsubscribed", "Recipients who unsubscribed"),
    _report("campaign_spam_complaints", "spam", "SpamComplaints", "Recipients who called a campaign spam"),
)


# Lists

UNDER_LIST = Parent(stream="lists", keys={"ListID": "ListID"}, carry=("ClientID", LABEL))
LISTS = (
    Stream(
        name="lists",
        description="Subscriber lists",
        path="/clients/{ClientID}/lists.json",
        key_properties=("ListID",),
        parent=UNDER_CLIENT,
        seed=True,
        cost="1 request per client",
    ),
    Stream(
        name="list_details",
        description="A list's settings",
        path="/lists/{ListID}.json",
        key_properties=("ListID",),
        parent=UNDER_LIST,
        transform=local_times(),
        seed=True,
        cost="1 request per list",
    ),
)


def _subscribers(state: str) -> Stream:
    """The subscribers of a list that are in one state."""
    times = local_times("Date", "ListJoinedDate", kept="Date")

    def transform(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
        for record in times(rows, unit):
            if unit.settings["custom_fields_as_object"]:
                record["CustomFieldsObject"] = _grouped(record.get("CustomFields"))
            yield record

    return Stream(
        name=f"list_{state}_subscribers",
        description=f"Subscribers in state {state.capitalize()}",
        path=f"/lists/{{ListID}}/{state}.json",
        params=_by_email(includetrackingpreference="true", includesmspreference="true"),
        records="Results",
        key_properties=("ListID", "EmailAddress", "Date"),
        identity=("EmailAddress",),
        replication_key="Date",
        since=_since,
        lookback=_lookback,
        is_new=reports.since_minute,
        full_refresh="subscriber_full_refresh_days",
        parent=UNDER_LIST,
        next_page=safe_pages(),
        transform=transform,
        seed=True,
        cost="1 request per 1000 subscribers that are new in a list",
        deletions="Who leaves a state appears in another one with a later Date; who is purged is listed no more.",
    )


def _grouped(fields: Any) -> dict[str, Any] | None:
    """Custom fields by name; those that stand several times, once for each of their options, as lists."""
    if not isinstance(fields, list):
        return None
    made: dict[str, list[Any]] = {}
    for field in fields:
        made.setdefault(str(field.get("Key")), []).append(field.get("Value"))
    return {name: values[0] if len(values) == 1 else values for name, values in made.items()}


SUBSCRIBERS = tuple(_subscribers(each) for each in ("active", "unconfirmed", "unsubscribed", "bounced", "deleted"))

STREAMS = (*CLIENTS, *CAMPAIGNS, *REPORTS, *LISTS, *SUBSCRIBERS)
