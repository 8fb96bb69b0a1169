"""The sandbox's metric aggregates: what may be asked, and events counted by interval and group."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from shared.sandbox import Refusal, Row
from shared.timestamps import parse

from .account import Account
from .truth import FACTS

MEASUREMENTS, INTERVALS, DIMENSIONS, REQUIRED = (
    FACTS["reports"]["metric_aggregates"][name] for name in ("measurements", "interval", "by", "required")
)
KNOWN = frozenset((*REQUIRED, "interval", "page_size", "page_cursor", "by", "return_fields", "timezone", "sort"))
_BOUND = re.compile(r"(greater-or-equal|less-than)\(datetime,([^)]+)\)")


def attributes(body: Any) -> Row:
    """The attributes of a request; Refusal for what the API refuses."""
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict) or data.get("type") != "metric-aggregate":
        raise Refusal(400, "data.type has to be metric-aggregate")
    asked: Row = data.get("attributes") or {}
    if missing := [name for name in REQUIRED if not asked.get(name)]:
        raise Refusal(400, f"{', '.join(missing)} is required")
    if unknown := asked.keys() - KNOWN:
        raise Refusal(400, f"{', '.join(sorted(unknown))} is unknown")
    for name, known in (("measurements", MEASUREMENTS), ("by", DIMENSIONS)):
        if wrong := set(asked.get(name) or ()) - set(known):
            raise Refusal(400, f"{name}: {', '.join(sorted(wrong))} is unknown")
    if asked.get("interval", "day") not in INTERVALS or int(asked.get("page_size", 500)) > 500:
        raise Refusal(400, "interval or page_size is not allowed")
    return asked


def _bounds(asked: Row, zone: tzinfo) -> tuple[datetime, datetime]:
    found = {
        match[1]: parse(match[2]).replace(tzinfo=zone) for text in asked["filter"] if (match := _BOUND.fullmatch(text))
    }
    if len(found) != 2:
        raise Refusal(400, "filter needs greater-or-equal(datetime,..) and less-than(datetime,..)")
    start, end = found["greater-or-equal"], found["less-than"]
    if end - start > timedelta(days=366):
        raise Refusal(400, "filter spans more than a year")
    return start, end


def _floor(moment: datetime, interval: str) -> datetime:
    if interval == "hour":
        return moment.replace(minute=0, second=0, microsecond=0)
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if interval == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if interval == "month" else day


def _intervals(start: datetime, end: datetime, interval: str) -> Iterator[datetime]:
    step = {"hour": timedelta(hours=1), "week": timedelta(days=7)}.get(interval, timedelta(days=1))
    found = None
    while start < end:
        if (begin := _floor(start, interval)) != found:
            found = begin
            yield begin
        start += step


def counted(account: Account, asked: Row) -> tuple[list[str], list[tuple[list[str], Mapping[str, list[float]]]]]:
    """The dates, and for each group its dimensions and its measurements by date."""
    zone = ZoneInfo(asked.get("timezone") or "UTC")
    start, end = _bounds(asked, zone)
    metric = next((each for each in account.metrics if each["id"] == asked["metric_id"]), None)
    if metric is None:
        raise Refusal(400, "metric_id is unknown")
    interval, by = asked.get("interval", "day"), asked.get("by") or ()
    dates = list(_intervals(start, end, interval))
    places = {begin: place for place, begin in enumerate(dates)}
    groups: dict[tuple[str, ...], list[list[Row]]] = {}
    for second, number in account.times(metric["id"]):
        moment = datetime.fromtimestamp(second, zone)
        if start <= moment < end:
            event = account.event(metric, second, number)
            properties = event["attributes"]["event_properties"] or {}
            group = tuple(str(properties.get(name) or "") for name in by)
            found = groups.setdefault(group, [[] for _ in dates])
            found[places[_floor(moment, interval)]].append(event)
    made: list[tuple[list[str], Mapping[str, list[float]]]] = []
    for group, events in sorted(groups.items()):
        measured = {name: [_measured(name, each) for each in events] for name in asked["measurements"]}
        made.append((list(group), measured))
    return [begin.isoformat() for begin in dates], made


def _measured(name: str, events: list[Row]) -> float:
    if name == "count":
        return len(events)
    if name == "unique":
        links = [(each["relationships"].get("profile") or {}).get("data") or {} for each in events]
        return len({link.get("id") for link in links})
    values = [(each["attributes"]["event_properties"] or {}).get("$value") for each in events]
    return float(sum(value for value in values if isinstance(value, float)))
