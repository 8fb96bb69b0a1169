"""From a metrics answer to its periods: one record for each in which anything happened.

Campaigns and their actions are asked for the time that is wanted, in UTC. All else gives its last so many periods
without a date: they are cut in US Eastern time and counted back from the moment of the answer. Either way the arrays of
an answer may differ in length, and then end together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from shared.api.request import Row
from shared.streams import Record, Unit
from shared.timestamps import canonical, parse

if TYPE_CHECKING:
    from shared.api.answers import Response

MOST_STEPS = {"hours": 24, "days": 45, "weeks": 12, "months": 121}
LEAST_STEPS = 2
EVERY_CHANNEL = "all"
WITHOUT_ID = 0
"""The link_id of clicks on links that have none (`link: null` occurs, live)."""

# Periods


def eastern() -> tzinfo:
    """The zone in which periods without dates are cut; read when first needed."""
    return ZoneInfo("America/New_York")


def utc() -> tzinfo:
    """The zone of periods that are asked for by time."""
    return timezone.utc


def begun(moment: datetime, resolution: str) -> datetime:
    """The start of the period that holds `moment`, in its zone. Weeks are taken to begin on Mondays."""
    if resolution == "hours":
        return moment.replace(minute=0, second=0, microsecond=0)
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if resolution == "weeks":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if resolution == "months" else day


def moved(start: datetime, resolution: str, periods: int) -> datetime:
    """The start of the period so many periods after (or before) the one that begins at `start`."""
    if resolution == "hours":
        return (start.astimezone(timezone.utc) + timedelta(hours=periods)).astimezone(start.tzinfo)
    if resolution == "months":
        months = start.year * 12 + start.month - 1 + periods
        return start.replace(year=months // 12, month=months % 12 + 1)
    return start + timedelta(days=periods * (7 if resolution == "weeks" else 1))


def resolution_of(unit: Unit) -> str:
    """The length of the unit's periods, after which its partition is named."""
    return unit.partition.partition("/")[0]


def steps(unit: Unit) -> int:
    """How many periods reach back to what is wanted, the running one included."""
    resolution = resolution_of(unit)
    most = MOST_STEPS[resolution]
    if unit.since is None:
        return most
    running = begun(parse(unit.now).astimezone(eastern()), resolution)
    wanted = begun(parse(unit.since).astimezone(eastern()), resolution)
    back = next((n for n in range(most) if moved(running, resolution, -n) <= wanted), most)
    return max(LEAST_STEPS, min(most, back + 2))  # one more, since the next period may begin before the answer


def is_recent(record: Record, unit: Unit, *, zone: Callable[[], tzinfo]) -> bool:
    """Whether a period holds what is wanted, or comes after it."""
    start, end = str(record["period_start"]), unit.settings.get("end_date")
    if end and start >= end:
        return False
    if unit.since is None:
        return True
    return start >= canonical(begun(parse(unit.since).astimezone(zone()), resolution_of(unit)))


# From an answer to its series


def dated(response: Response) -> Any:
    """The body with the moment of the answer."""
    body = response.json()
    date = response.headers.get("Date", "")
    return {**body, "date": date} if isinstance(body, dict) and date else body


def of_parent(body: Any) -> Sequence[Row]:
    """The one set of series of a parent, with the time it begins or the time of the answer."""
    return [{**_times(body), "series": _series(_member(body, "metric"))}]


def of_journey(body: Any) -> Sequence[Row]:
    """The one set of series of a journey."""
    return [{"series": _arrays(_member(body, "journey_metric"))}]


def of_links(body: Any) -> Sequence[Row]:
    """A set of series for each link; those without an id are taken together. What is odd about one is its own."""
    links = _member(body, "links")
    if links is not None and not isinstance(links, list):
        raise ValueError("'links' of the answer is no list")
    rows: list[Row] = []
    nameless: Row | None = None
    for each in links or ():
        row = {**_times(body), **_of_link(each)}
        if row["link_id"] is not None or "odd" in row:
            rows.append(row)
        elif nameless is None:
            nameless = {**row, "link_id": WITHOUT_ID}
            rows.append(nameless)
        else:
            nameless["href"] = nameless["href"] if nameless["href"] == row["href"] else None
            nameless["series"] = _added(nameless["series"], row["series"])
    return rows


def _of_link(each: Any) -> Row:
    if not isinstance(each, dict):
        return {"link_id": None, "series": {}, "odd": "a link of the answer is no object"}
    link = each["link"] if isinstance(each.get("link"), dict) else {}
    row: Row = {"link_id": link.get("id"), "href": link.get("href")}
    try:
        return {**row, "series": _series(each.get("metric"))}
    except ValueError as error:
        return {**row, "series": {}, "odd": str(error)}


def with_unique(rows: Sequence[Row], unique: Sequence[Row]) -> Sequence[Row]:
    """The clicks of links, and how many people made them, under names of their own."""
    joined = {row["link_id"]: row for row in rows if "odd" not in row}
    odd = [row for row in (*rows, *unique) if "odd" in row]
    for row in unique:
        if "odd" not in row:
            named = {f"unique_{name}": values for name, values in row["series"].items()}
            known = joined.get(row["link_id"], {**row, "series": {}})
            joined[row["link_id"]] = {**known, "series": {**known["series"], **named}}
    return [*joined.values(), *odd]


def _member(body: Any, name: str) -> Any:
    if isinstance(body, dict) and name in body:
        return body[name]
    raise ValueError(f"the answer has no {name!r}")


def _series(metric: Any) -> dict[str, list[Any]]:
    """The arrays of a metric by their names; none where nothing happened, which is written {} or null."""
    if not metric:
        return {}
    return _arrays(_member(metric, "series"))


def _arrays(series: Any) -> dict[str, list[Any]]:
    if not series:
        return {}
    if not isinstance(series, dict):
        raise ValueError("the series of the answer are no object")
    if odd := [name for name, values in series.items() if not isinstance(values, (list, type(None)))]:
        raise ValueError(f"the series {odd[0]!r} of the answer is no list")
    return {name: values for name, values in series.items() if values is not None}


def _added(one: Mapping[str, list[Any]], other: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Two sets of series as one; arrays end together."""
    added = {}
    for name in {**one, **other}:
        longest = max(len(one.get(name, ())), len(other.get(name, ())))
        places = range(-longest, 0)
        added[name] = [(_at(one.get(name, []), at) or 0) + (_at(other.get(name, []), at) or 0) for at in places]
    return added


def _times(body: Mapping[str, Any]) -> Row:
    return {name: body[name] for name in ("start", "date") if body.get(name)}


# From series to records


def periods(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """A record for each period with any counter that is not zero. ValueError at a row that cannot be read."""
    resolution, _, channel = unit.partition.partition("/")
    named: Record = {"resolution": resolution, **({"channel": channel} if channel else {})}
    for row in rows:
        if "odd" in row:
            raise ValueError(row["odd"])
        series = row["series"]
        longest = max(map(len, series.values()), default=0)
        first = _first(row, unit, resolution, longest)
        for place in range(longest):
            counters: Record = {_column(name): _at(values, place - longest) for name, values in series.items()}
            if any(counters.values()):
                start = canonical(moved(first, resolution, place))
                kept: Record = {name: row[name] for name in ("link_id", "href") if name in row}
                yield {**kept, "period_start": start, **named, **counters}


_GO_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)?\s*(?:Z|([+-]\d\d):?(\d\d))?")


def _first(row: Row, unit: Unit, resolution: str, count: int) -> datetime:
    """Where the first of `count` periods begins: as the answer says, or counted back from its own moment."""
    if start := row.get("start"):  # written as Go does: 2025-01-01 00:00:00 -0500 EST
        if found := _GO_TIME.match(str(start)):
            day, time, hours, minutes = found.groups()
            return datetime.fromisoformat(f"{day}T{time}{hours or '+00'}:{minutes or '00'}")
        return parse(str(start))
    date = row.get("date")
    moment = parsedate_to_datetime(date) if date else parse(unit.now)
    return moved(begun(moment.astimezone(eastern()), resolution), resolution, 1 - count)


def _at(values: Sequence[Any], place: int) -> Any:
    return values[place] if -place <= len(values) else None


def _column(name: str) -> str:
    return f"responses_{name}" if name[:1].isdigit() else name
