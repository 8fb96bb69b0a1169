"""Journeys and what their e-mails did: read as campaigns' reports are. The API keeps a year of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from shared.pagination import Row
from shared.streams import Parent, Record, Stream, Unit
from shared.timestamps import as_date

from . import reports
from .extras import UNDER_CLIENT
from .pages import local_times, lookback, paged, since
from .zones import LABEL

ABOVE = ("ClientID", LABEL, "ListID")


def moved(counter: str) -> Any:
    """A gate: ask when the e-mail's `counter` moved, and every `force_read_days`."""

    def gate(unit: Unit) -> Any:
        settings, count = unit.settings, unit.parent.get(counter)
        if not settings["skip_unchanged"] or not isinstance(count, int):
            return True
        return reports.counted(unit, count, as_date(unit.now).toordinal())

    return gate


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
        lookback=lookback,
        is_new=reports.since_minute,
        parent=Parent(stream="journey_emails", keys={"EmailID": "EmailID"}, carry=(*ABOVE, "JourneyID", counter)),
        gate=moved(counter),
        transform=transform,
        selected=False,
        cost="1 request per 1000 rows of an e-mail whose counter moved",
        deletions="Rows older than a year are listed no more.",
    )
    return replace(stream, fetch=partial(reports.by_minute, stream))


JOURNEYS = (
    Stream(
        name="journeys",
        description="Journeys (automations)",
        path="/clients/{ClientID}/journeys.json",
        key_properties=("JourneyID",),
        parent=UNDER_CLIENT,
        selected=False,
        cost="1 request per client",
    ),
    Stream(
        name="journey_emails",
        description="E-mails of a journey, with their counters",
        path="/journeys/{JourneyID}.json",
        records="Emails",
        key_properties=("EmailID",),
        parent=Parent(stream="journeys", keys={"JourneyID": "JourneyID"}, carry=ABOVE),
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
