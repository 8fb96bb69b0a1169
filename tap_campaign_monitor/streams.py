"""The table of streams. Nearly all hang under a client's campaigns or lists; the client's zone goes down with them."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from shared.api.client import Client
from shared.api.request import Request, Row, at
from shared.errors import AuthError, GoneError, RefusedError
from shared.streams import LeftOut, Parent, Record, Rows, Settings, Step, Stream, Unit

from . import reports
from .client import NotOursError, clients_of, without_key
from .defaults import BRIEF, begin, by_date, by_email, local_times, lookback, next_page, paged, since, smaller, wanted
from .extras import EXTRAS, UNDER_CLIENT, tagged
from .journeys import JOURNEYS
from .subscribers import OF_LIST, SUBSCRIBERS, counted, daily, uncounted
from .transactional import TRANSACTIONAL
from .zones import LABEL

# Clients


def clients(client: Client, unit: Unit) -> Generator[Step, None, None] | None:
    """The clients that `client_id` names; where it names none, all of the account."""
    return _chosen(client, unit.settings) if unit.settings.get("client_id") else None


def _chosen(client: Client, settings: Settings) -> Generator[Step, None, None]:
    listed = clients_of(client)
    rows = {str(row.get("ClientID")).lower(): row for row in listed or () if isinstance(row, dict)}
    missing: list[LeftOut] = []
    for client_id in settings["client_id"]:
        try:
            row = rows.get(client_id) or _unlisted(client, client_id, settings if listed is None else {})
        except (NotOursError, GoneError) as error:
            missing.append(LeftOut(f"client {client_id}", str(error)))
            continue
        yield Rows([row])
    if len(missing) == len(settings["client_id"]):
        raise AuthError(" ".join(each.why for each in missing))
    yield from missing


def _unlisted(client: Client, client_id: str, settings: Settings) -> Row:
    """A client that is known by its id alone; its details are asked for unless they are not needed."""
    if settings.get("timezone"):
        return {"ClientID": client_id, "Name": None}
    try:
        body = client.send(Request(f"/clients/{client_id}.json"), stream="clients", read=without_key)
    except NotOursError:
        raise
    except RefusedError:  # it is there, and says so once more as a parent of what needs its zone
        body = {}
    return {"ClientID": client_id, "Name": at(body, "BasicDetails.CompanyName")}


CLIENTS = (
    Stream(
        name="clients",
        description="The account's clients",
        path="/clients.json",
        key_properties=("ClientID",),
        fetch=clients,
        cut_by="client_id",
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


# Campaigns

SENT = ("ClientID", "SentDate", LABEL)
UNDER_CAMPAIGN = Parent(
    stream="campaigns", keys={"CampaignID": "CampaignID"}, carry=(*SENT, "TotalRecipients"), where=reports.is_wanted
)


def recipients_of(unit: Unit) -> int:
    """To how many a campaign was sent."""
    return int(unit.parent.get("TotalRecipients") or 0)


def listed(unit: Unit) -> Mapping[str, object]:
    """Campaigns from the oldest on, those with all the `campaign_tags` where such are set."""
    tags = ",".join(unit.settings.get("campaign_tags") or ())
    return {**paged(unit), "orderdirection": "asc", "tags": tags or None}


NONE = "(none)"
"""Instead of empty text in a key, which many targets take for NULL and then refuse."""


def usage(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """The rows; empty key columns say (none), but for `key_mode: contract`, where they are empty."""
    nothing = "" if unit.settings["key_mode"] == "contract" else NONE
    for row in local_times()(rows, unit):
        yield {**row, **{name: row.get(name) or nothing for name in ("Client", "Version")}}


CAMPAIGNS = (
    Stream(
        name="campaigns",
        description="Campaigns that were sent",
        path="/clients/{ClientID}/campaigns.json",
        params=listed,
        records="Results",
        key_properties=("CampaignID",),
        unique=True,
        replication_key="SentDate",
        is_new=lambda record, unit: True,
        parent=UNDER_CLIENT,
        next_page=next_page,
        shrink=smaller,
        transform=local_times("SentDate", kept="SentDate"),
        seed=True,
        cost="1 request per 1000 campaigns of a client",
        deletions="A deleted campaign is listed no more; all that are left are written in every run.",
    ),
    tagged("campaign_tags", "campaigns", lambda body: body["Results"]),
    Stream(
        name="campaign_summary",
        description="A campaign's counters",
        path="/campaigns/{CampaignID}/summary.json",
        key_properties=("CampaignID",),
        parent=replace(UNDER_CAMPAIGN, where=None),
        brief=BRIEF,
        gate=reports.still,
        gate_full_table=True,
        gate_below=True,
        transform=reports.summaries,
        size=recipients_of,  # of the reports below it
        seed=True,
        cost="1 request per campaign; one that is long settled is looked at once in summary_interval_days",
    ),
    Stream(
        name="campaign_email_client_usage",
        description="With what a campaign was opened; Version is (none) where a client has none",
        path="/campaigns/{CampaignID}/emailclientusage.json",
        key_properties=("CampaignID", "Client", "Version"),
        parent=Parent(
            stream="campaign_summary",
            keys={"CampaignID": "CampaignID"},
            carry=(*SENT, "TotalOpened"),
            where=reports.is_wanted,
        ),
        brief=BRIEF,
        gate=reports.moved("TotalOpened"),
        gate_full_table=True,
        transform=usage,
        seed=True,
        cost="1 request per campaign that was opened since",
    ),
    Stream(
        name="campaign_recipients",
        description="To whom a campaign was sent",
        path="/campaigns/{CampaignID}/recipients.json",
        params=by_email(),
        records="Results",
        key_properties=("CampaignID", "EmailAddress", "ListID"),
        parent=replace(UNDER_CAMPAIGN, where=reports.is_wanted_since_start),
        brief=BRIEF,
        gate=reports.until_whole,
        gate_full_table=True,
        next_page=next_page,
        shrink=smaller,
        transform=reports.recipients,
        size=recipients_of,
        seed=True,
        cost="1 request per 1000 recipients, once per campaign",
        deletions="Recipients are fixed once a campaign is sent.",
    ),
)


def _report(name: str, path: str, description: str, *, keyed: bool = False) -> Stream:
    """One of the five reports on what recipients did."""
    counter = reports.COUNTER_OF[name]
    key = ("CampaignID", "EmailAddress", "ListID", "Date")

    def transform(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
        made = list(reports.with_keys(rows, unit)) if keyed else rows
        return local_times("Date", kept="Date")(made, unit)

    stream = Stream(
        name=name,
        description=description,
        path=f"/campaigns/{{CampaignID}}/{path}.json",
        params=by_date,
        records="Results",
        key_properties=(*key, "RecordKey") if keyed else key,
        contract_key=key if keyed else None,
        automatic=("RecordKey",) if keyed else (),
        replication_key="Date",
        since=since,
        brief=BRIEF,
        lookback=lookback,
        is_new=wanted(begin),
        parent=Parent(
            stream="campaign_summary",
            keys={"CampaignID": "CampaignID"},
            carry=(*SENT, counter),
            where=reports.is_wanted,
        ),
        gate=reports.moved(counter),
        next_page=next_page,
        transform=transform,
        size=lambda unit: int(unit.parent.get(counter) or 0),
        seed=True,
        cost="1 request per 1000 rows of a campaign whose counter moved",
    )
    return replace(stream, fetch=partial(reports.by_minute, stream))


REPORTS = (
    _report("campaign_opens", "opens", "Every time a campaign was opened", keyed=True),
    _report("campaign_clicks", "clicks", "Every click on a link in a campaign", keyed=True),
    _report("campaign_bounces", "bounces", "Recipients whom a campaign did not reach"),
    _report("campaign_unsubscribes", "unsubscribes", "Recipients who unsubscribed"),
    _report("campaign_spam_complaints", "spam", "Recipients who called a campaign spam"),
)


# Lists

LISTS = (
    Stream(
        name="lists",
        description="Subscriber lists",
        path="/clients/{ClientID}/lists.json",
        decode=counted,
        key_properties=("ListID",),
        parent=UNDER_CLIENT,
        transform=uncounted,
        seed=True,
        cost="1 request per client",
    ),
    Stream(
        name="list_details",
        description="A list's settings",
        path="/lists/{ListID}.json",
        key_properties=("ListID",),
        parent=OF_LIST,
        brief=BRIEF,
        gate=daily,
        gate_full_table=True,
        transform=local_times(),
        seed=True,
        cost="1 request per list, once a day where a client has more than ten",
    ),
)

STREAMS = (*CLIENTS, *CAMPAIGNS, *REPORTS, *LISTS, *SUBSCRIBERS, *EXTRAS, *JOURNEYS, *TRANSACTIONAL)
