"""Transactional e-mail: smart ones, groups of classic ones, messages and their statistics.

These calls alone have a documented limit, whose numbers are not published: one of them at a time, as the answers say.
Unlike all others they tell times with an offset, but for the opens and clicks of a message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from shared.api.request import Page, Params, Request, Row, at
from shared.streams import Parent, Record, Settings, Stream, Unit
from shared.timestamps import parse

from .client import TRANSACTIONAL as QUOTA
from .defaults import local_times
from .extras import UNDER_CLIENT
from .zones import LABEL, utc, zone_of

MESSAGES_A_PAGE = 200
"""The most the API gives."""
STATISTICS_DAYS = 29
"""So many days the API sums up by itself."""
ABOVE = ("ClientID", LABEL)

# One request at a time: a second worker would only wait for the first.
stream = partial(Stream, quota=QUOTA, at_once=1, parent=UNDER_CLIENT, selected=False)


def of_client(**more: Any) -> Any:
    def params(unit: Unit) -> Params:
        return {"clientID": unit.parent["ClientID"], **more}

    return params


def older(page: Page) -> Sequence[Request]:
    """Messages sent before the page's last one, until there are none."""
    return [page.request.with_params({"sentBeforeID": page.rows[-1]["MessageID"]})] if page.rows else []


def lookback(settings: Settings) -> float:
    return float(settings["transactional_lookback_days"]) * 86_400


def statistics_of(unit: Unit) -> Params:
    """The client's last days, today's included, in its own time; of the unit's group or smart e-mail, if it has one."""
    day = parse(unit.now).astimezone(zone_of(unit)).date()
    since = day - timedelta(days=STATISTICS_DAYS - 1)
    of = {"group": unit.parent.get("Group"), "smartEmailID": unit.parent.get("SmartEmailID")}
    return {"clientID": unit.parent["ClientID"], "from": str(since), "to": str(day), "timezone": "client", **of}


def statistics(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """The sums, with the days that they are of."""
    for row in local_times()(rows, unit):
        asked = row.get("Query") or {}
        yield {**row, "From": asked.get("From"), "To": asked.get("To")}


def contents(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Smart e-mails; HTML and Html, as older and newer answers name it, in one column."""
    for row in local_times()(rows, unit):
        content = at(row, "Properties.Content")
        if isinstance(content, dict) and "Html" in content:
            rest = {name: value for name, value in content.items() if name != "Html"}
            row["Properties"] = {**row["Properties"], "Content": {"HTML": content["Html"], **rest}}
        yield row


sent = local_times(kept="SentAt")
"""A transform: the API's own text of when messages were sent beside the instant."""


def with_events(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Messages; the local times of their opens and clicks as instants, the text beside."""
    place = zone_of(unit)

    def event(row: Any) -> Any:
        is_timed = isinstance(row, Mapping) and row.get("Date")
        return {**row, "Date": utc(row["Date"], place), "DateLocal": row["Date"]} if is_timed else row

    for row in sent(rows, unit):
        events = {name: [event(each) for each in row[name]] for name in ("Opens", "Clicks") if row.get(name)}
        yield {**row, **events}


TRANSACTIONAL = (
    stream(
        name="smart_emails",
        path="/transactional/smartEmail",
        params=of_client(status="all"),
        key_properties=("ID",),
        hidden=True,
    ),
    stream(
        name="transactional_smart_emails",
        description="Smart e-mails (templates of transactional ones), with their content",
        path="/transactional/smartEmail/{SmartEmailID}",
        params=of_client(),
        key_properties=("SmartEmailID",),
        parent=Parent(stream="smart_emails", keys={"SmartEmailID": "ID"}, carry=ABOVE),
        transform=contents,
        cost="1 request per smart e-mail",
    ),
    stream(
        name="transactional_groups",
        description="Groups of classic transactional e-mails",
        path="/transactional/classicEmail/groups",
        params=of_client(),
        key_properties=("ClientID", "Group"),
        cost="1 request per client",
    ),
    stream(
        name="transactional_messages",
        description="Transactional e-mails that were sent; opens, clicks and status change for some days afterwards",
        path="/transactional/messages",
        params=of_client(status="all", count=MESSAGES_A_PAGE),
        key_properties=("MessageID",),
        replication_key="SentAt",
        order="descending",
        lookback=lookback,
        next_page=older,
        transform=sent,
        cost="1 request per 200 messages",
    ),
    stream(
        name="transactional_message_details",
        description="Messages with their recipients, opens and clicks, without their bodies",
        path="/transactional/messages/{MessageID}",
        params=of_client(statistics=True, excludemessagebody=True),
        key_properties=("MessageID",),
        replication_key="SentAt",
        lookback=lookback,
        parent=Parent(
            stream="transactional_messages",
            keys={"MessageID": "MessageID"},
            carry=("SentAt", *ABOVE),
            changed_only=True,
        ),
        transform=with_events,
        cost="1 request per message",
    ),
    stream(
        name="transactional_statistics",
        description="What was sent, delivered, opened and clicked in the last 29 days, of each client",
        path="/transactional/statistics",
        params=statistics_of,
        key_properties=("ClientID", "From", "To"),
        transform=statistics,
        cost="1 request per client",
    ),
    stream(
        name="transactional_group_statistics",
        description="The same of each group of classic e-mails; select it by name",
        by_name=True,
        path="/transactional/statistics",
        params=statistics_of,
        key_properties=("ClientID", "Group", "From", "To"),
        parent=Parent(
            stream="transactional_groups",
            keys={"ClientID": "ClientID", "Group": "Group"},
            carry=(LABEL,),
            where=lambda unit: bool(unit.parent["Group"]),
        ),
        transform=statistics,
        cost="1 request per group",
    ),
    stream(
        name="transactional_smart_email_statistics",
        description="The same of each smart e-mail; select it by name",
        by_name=True,
        path="/transactional/statistics",
        params=statistics_of,
        key_properties=("SmartEmailID", "From", "To"),
        parent=Parent(stream="smart_emails", keys={"SmartEmailID": "ID"}, carry=ABOVE),
        transform=statistics,
        cost="1 request per smart e-mail",
    ),
)
