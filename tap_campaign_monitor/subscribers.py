"""Subscribers of lists in their five states, and members of segments.

Edits of names, custom fields and consent do not move a subscriber's Date, so that each list is read whole now and then:
when that was last done stands beside the list's bookmark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from shared.api.answers import Response
from shared.api.request import Params, Row
from shared.streams import Anyway, Parent, Record, Stream, Unit
from shared.timestamps import shift

from . import defaults as pages
from .defaults import (
    BRIEF,
    by_email,
    local_setting,
    local_times,
    lookback,
    may_skip,
    next_page,
    smaller,
    today,
    wanted,
)
from .zones import LABEL, asked_from, code, zone_of

DAY_SECONDS = 86_400


def is_chosen(unit: Unit) -> bool:
    """Whether the unit's list is one to go into: one of `list_ids`, where such are set."""
    chosen = unit.settings.get("list_ids")
    return not chosen or str(unit.parent.get("ListID")).lower() in chosen


LISTS = "ListsOfClient"
"""How many lists the client has, as a row of its lists is made to say."""
FEW_LISTS = 10
"""So many lists of a client are looked at in every run: that costs little."""


def counted(response: Response) -> Any:
    """A client's lists, each saying how many there are."""
    from shared.records import values  # heavy

    body, _ = values.parse(response.content)
    if not isinstance(body, list):
        raise ValueError("the answer is no list of lists")
    return [{**row, LISTS: len(body)} if isinstance(row, dict) else row for row in body]


def uncounted(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Lists as they came."""
    for record in local_times()(rows, unit):
        yield {name: value for name, value in record.items() if name != LISTS}


def daily(unit: Unit) -> Any:
    """A gate: where a client has many lists ask again once `list_interval_days` have passed. The day is kept."""
    days = unit.settings["list_interval_days"]
    if not (may_skip(unit) and days) or int(unit.parent.get(LISTS) or 0) <= FEW_LISTS:
        return True
    return unit.mark if isinstance(unit.mark, int) and today(unit) - unit.mark < days else Anyway(today(unit))


UNDER_LIST = Parent(stream="lists", keys={"ListID": "ListID"}, carry=("ClientID", LABEL), picked_by="list_ids")
OF_LIST = replace(UNDER_LIST, carry=(*UNDER_LIST.carry, LISTS))
"""The parent of what is asked for `daily`."""
UNDER_SEGMENT = Parent(
    stream="segments", keys={"SegmentID": "SegmentID"}, carry=("ClientID", "ListID", LABEL), where=is_chosen
)
PREFERENCES = {"includetrackingpreference": "true", "includesmspreference": "true"}


# When a list was last read whole


def _last_whole(unit: Unit) -> int:
    return int(unit.mark[0] or 0) if isinstance(unit.mark, list) and len(unit.mark) == 2 else 0


def is_due(unit: Unit) -> bool:
    """Whether the list is to be read whole."""
    days = unit.settings["subscriber_full_refresh_days"]
    return unit.bookmark is None or (days is not None and today(unit) - _last_whole(unit) >= days)


def noted(unit: Unit) -> Anyway:
    """A gate that skips nothing: it keeps the day of the last whole read, and the zone of the bookmark."""
    return Anyway([today(unit) if is_due(unit) else _last_whole(unit), code(unit)])


def begin(unit: Unit) -> str | None:
    """The instant from which on subscribers are wanted; None: all of them."""
    if unit.since is None or not is_due(unit):
        return pages.begin(unit)
    return local_setting(unit, "start_date")


def since(unit: Unit) -> Params:
    """The filter on time, to the day, as it is documented for lists; a day early, whichever way it is meant."""
    first = begin(unit)
    return {"date": asked_from(shift(first, -DAY_SECONDS), zone_of(unit))[:10]} if first else {}


# Records


def grouped(fields: Any) -> dict[str, Any] | None:
    """Custom fields by name; those that stand several times, once for each of their options, as lists."""
    if not isinstance(fields, list):
        return None
    made: dict[str, list[Any]] = {}
    for field in fields:
        made.setdefault(str(field.get("Key")), []).append(field.get("Value"))
    return {name: values[0] if len(values) == 1 else values for name, values in made.items()}


def _with_fields(records: Iterator[Record], unit: Unit) -> Iterator[Record]:
    for record in records:
        if unit.settings["custom_fields_as_object"]:
            record["CustomFieldsObject"] = grouped(record.get("CustomFields"))
        yield record


def subscribers(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Subscribers of a list."""
    return _with_fields(local_times("Date", "ListJoinedDate", kept="Date")(rows, unit), unit)


def members(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Members of a segment."""
    return _with_fields(local_times("Date", "ListJoinedDate")(rows, unit), unit)


# Streams


def _subscribers(state: str) -> Stream:
    """The subscribers of a list that are in one state."""
    return Stream(
        name=f"list_{state}_subscribers",
        description=f"Subscribers in state {state.capitalize()}",
        path=f"/lists/{{ListID}}/{state}.json",
        params=by_email(**PREFERENCES),
        records="Results",
        key_properties=("ListID", "EmailAddress", "Date"),
        identity=("EmailAddress",),
        replication_key="Date",
        since=since,
        brief=BRIEF,
        lookback=lookback,
        is_new=wanted(begin),
        gate=noted,
        parent=UNDER_LIST,
        next_page=next_page,
        shrink=smaller,
        transform=subscribers,
        seed=True,
        cost="1 request per 1000 subscribers that are new in a list; of all in it every subscriber_full_refresh_days",
        deletions="Who leaves a state appears in another one with a later Date; who is purged is listed no more.",
    )


SUBSCRIBERS = tuple(_subscribers(each) for each in ("active", "unconfirmed", "unsubscribed", "bounced", "deleted"))

MEMBERS = Stream(
    name="segment_subscribers",
    description="Who is in which segment; a segment may lag changes by an hour",
    path="/segments/{SegmentID}/active.json",
    params=by_email(**PREFERENCES),
    records="Results",
    key_properties=("SegmentID", "EmailAddress"),
    identity=("EmailAddress",),
    parent=UNDER_SEGMENT,
    next_page=next_page,
    shrink=smaller,
    transform=members,
    selected=False,
    cost="1 request per 1000 members of a segment",
)
