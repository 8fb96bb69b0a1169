"""Journeys and what their e-mails did: read as campaigns' reports are. The API keeps a year of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from shared.api.request import Row
from shared.streams import Parent, Record, Stream, Unit

from . import reports
from .defaults import BRIEF, begin, local_times, lookback, next_page, paged, since, wanted
from .extras import UNDER_CLIENT
from .zones import LABEL

ABOVE = ("ClientID", LABEL, "ListID")


def summaries(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Journeys, from their summaries: these know the trigger, the list of journeys their list."""
    for row in rows:
        own = {name: unit.parent[name] for name in ("JourneyID", "ListID", "ClientID")}
        yield {**own, **{name: value for name, value in row.items() if name != "Emails"}}


def _report(kind: str, counter: str, description: str, *more: str) -> Stream:
    date = "SentDate" if kind == "recipients" else "Date"
    keyed = "RecordKey" in more

    def transform(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
        own = {name: unit.parent[name] for name in ("JourneyID", "ListID")}
        made = reports.with_keys(rows, unit) if keyed else rows
        return local_times(date, kept=date)([{**own, **row} for row in made], unit)

    key = ("JourneyID", "EmailID", "EmailAddress", date)
    stream = Stream(
        name=f"journey_email_{kind}",
        description=description,
        path=f"/journeys/email/{{EmailID}}/{kind}.json",
        params=lambda unit: {**paged(unit), "orderdirection": "asc"},
        records="Results",
        key_properties=(*key, *more),
        contract_key=key if keyed else None,
        automatic=more,
        replication_key=date,
        since=since,
        brief=BRIEF,
        lookback=lookback,
        is_new=wanted(begin),
        parent=Parent(stream="journey_emails", keys={"EmailID": "EmailID"}, carry=(*ABOVE, "JourneyID", counter)),
        gate=reports.moved(counter, settles=False),
        next_page=next_page,
        transform=transform,
        selected=False,
        cost="1 request per 1000 rows of an e-mail whose counter moved",
        deletions="Rows older than a year are listed no more.",
    )
    return replace(stream, fetch=partial(reports.by_minute, stream))


JOURNEYS = (
    Stream(
        name="client_journeys",
        path="/clients/{ClientID}/journeys.json",
        key_properties=("JourneyID",),
        parent=UNDER_CLIENT,
        hidden=True,
    ),
    Stream(
        name="journeys",
        description="Journeys (automations)",
        records=lambda body: [body],
        key_properties=("JourneyID",),
        pages_of="journey_emails",
        transform=summaries,
        selected=False,
        cost="1 request per client, and those of journey_emails",
    ),
    Stream(
        name="journey_emails",
        description="E-mails of a journey, with their counters",
        path="/journeys/{JourneyID}.json",
        records="Emails",
        key_properties=("EmailID",),
        parent=Parent(stream="client_journeys", keys={"JourneyID": "JourneyID"}, carry=ABOVE),
        transform=local_times(),
        selected=False,
        cost="1 request per journey",
    ),
    _report("recipients", "Sent", "To whom a journey's e-mail was sent, and when"),
    _report("opens", "Opened", "Every time a journey's e-mail was opened", "RecordKey"),
    _report("clicks", "Clicked", "Every click on a link in a journey's e-mail", "RecordKey"),
    _report("bounces", "Bounced", "Recipients whom a journey's e-mail did not reach"),
    _report("unsubscribes", "Unsubscribed", "Recipients who unsubscribed from a journey's e-mail"),
)
