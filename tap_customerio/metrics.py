"""Metrics as time series: one record for each period in which anything happened.

Campaigns and their actions are asked for the time that is wanted, in UTC. All else gives its last so many periods
without a date: they are cut in US Eastern time and counted back from the moment of the answer. Either way the arrays of
an answer may differ in length, and then end together.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from shared.api.request import Row
from shared.streams import Parent, Record, Step, Stream, Unit
from shared.timestamps import canonical, parse

from .defaults import UNDER_BROADCAST, UNDER_NEWSLETTER, UNDER_TEMPLATE, lookback, stream

if TYPE_CHECKING:
    from shared.api.answers import Response
    from shared.api.client import Client

MOST_STEPS = {"hours": 24, "days": 45, "weeks": 12, "months": 121}
LEAST_STEPS = 2
FIRST_YEAR = 2012
MOST_YEARS = {"hours": 1, "days": 10, "weeks": 10, "months": 10}
"""Ten are allowed in one answer; so many hours would be a very long one."""

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


def steps(unit: Unit) -> int:
    """How many periods reach back to what is wanted, the running one included."""
    resolution = str(unit.settings["metrics_resolution"])
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
    return start >= canonical(begun(parse(unit.since).astimezone(zone()), unit.settings["metrics_resolution"]))


# From an answer to its periods


def dated(response: Response) -> Any:
    """The body with the moment of the answer."""
    body = response.json()
    date = response.headers.get("Date", "")
    return {**body, "date": date} if isinstance(body, dict) and date else body


def of_parent(body: Any) -> Sequence[Row]:
    """The one set of series of a parent, with the time it begins or the time of the answer."""
    return [{**_times(body), "series": body["metric"]["series"]}] if _has(body, "metric") else _none(body, "metric")


def of_journey(body: Any) -> Sequence[Row]:
    """The one set of series of a journey."""
    return [{"series": body["journey_metric"]}] if _has(body, "journey_metric") else _none(body, "journey_metric")


def of_links(body: Any) -> Sequence[Row]:
    """A set of series for each link."""
    if not _has(body, "links"):
        return _none(body, "links")
    links = ((each.get("link") or {}, each.get("metric") or {}) for each in body["links"])
    return [
        {**_times(body), "link_id": link.get("id"), "href": link.get("href"), "series": metric.get("series")}
        for link, metric in links
    ]


def _has(body: Any, name: str) -> bool:
    return isinstance(body, dict) and body.get(name) is not None


def _none(body: Any, name: str) -> Sequence[Row]:
    if isinstance(body, dict) and name in body:
        return []
    raise ValueError(f"the answer has no {name!r}")


def _times(body: Mapping[str, Any]) -> Row:
    return {name: body[name] for name in ("start", "date") if body.get(name)}


def periods(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """A record for each period with any counter that is not zero."""
    resolution = str(unit.settings["metrics_resolution"])
    for row in rows:
        series = {name: values for name, values in (row.pop("series") or {}).items() if isinstance(values, list)}
        longest = max(map(len, series.values()), default=0)
        first = _first(row, unit, resolution, longest)
        for place in range(longest):
            counters: Record = {_column(name): _at(values, place - longest) for name, values in series.items()}
            if any(counters.values()):
                start = canonical(moved(first, resolution, place))
                kept: Record = {name: row[name] for name in ("link_id", "href") if name in row}
                yield {**kept, "period_start": start, "resolution": resolution, **counters}


def _first(row: Row, unit: Unit, resolution: str, count: int) -> datetime:
    """Where the first of `count` periods begins: as the answer says, or counted back from its own moment."""
    if start := row.get("start"):
        return parse(start[:19].replace(" ", "T"))  # written as Go does: 2025-01-01 00:00:00 +0000 UTC
    date = row.get("date")
    moment = parsedate_to_datetime(date) if date else parse(unit.now)
    return moved(begun(moment.astimezone(eastern()), resolution), resolution, 1 - count)


def _at(values: Sequence[Any], place: int) -> Any:
    return values[place] if -place <= len(values) else None


def _column(name: str) -> str:
    return f"responses_{name}" if name[:1].isdigit() else name


# Asking


def last_periods(unit: Unit) -> dict[str, Any]:
    """The last periods, as many as are needed."""
    return {"period": unit.settings["metrics_resolution"], "steps": steps(unit)}


def by_time(client: Client, unit: Unit, *, listing: Stream, names: Mapping[str, Any]) -> Generator[Step, None, None]:
    """The periods from what is wanted, or from the parent's beginning, until now, some years a request.

    `names` are the parameters besides start and end; what they say of the resolution is filled in.
    """
    from shared.sync.paging import pages  # heavy

    resolution = str(unit.settings["metrics_resolution"])
    created = int(unit.parent.get("created") or 0)
    first = (
        datetime.fromtimestamp(created, timezone.utc) if created else datetime(FIRST_YEAR, 1, 1, tzinfo=timezone.utc)
    )
    now = parse(unit.now)
    start = begun(min(now, max(first, parse(unit.since)) if unit.since else first), resolution)
    fixed = {name: resolution if value is None else value for name, value in names.items()}
    while start <= now:
        following = begun(start.replace(year=start.year + MOST_YEARS[resolution], day=1), resolution)
        end = min(now, following - timedelta(seconds=1))
        params = {**fixed, "start": int(start.timestamp()), "end": int(end.timestamp())}
        for batch in pages(client, unit, replace(listing, params=params, fetch=None)):
            yield replace(batch, rows=[{"start": start.isoformat(" "), **row} for row in batch.rows])
        start = following


# The streams

series = partial(
    stream,
    replication_key="period_start",
    lookback=lookback("metrics_lookback_days", 86_400),
    transform=periods,
    selected=False,
)
VERSION_2 = {"version": 2, "res": None, "tz": "UTC"}


def timed(
    name: str,
    description: str,
    path: str,
    parent: Parent,
    *,
    names: Mapping[str, Any],
    records: Callable[[Any], Sequence[Row]] = of_parent,
) -> Stream:
    """Series that are asked for by time."""
    keys = (*parent.keys, "resolution", "period_start")
    cost = f"1 request per {'action' if 'action_id' in keys else 'campaign'}"
    listing = series(
        name=name,
        description=description,
        path=path,
        parent=parent,
        records=records,
        key_properties=keys,
        is_new=partial(is_recent, zone=utc),
        cost=cost,
    )
    return replace(listing, fetch=partial(by_time, listing=listing, names=names))


def counted(
    name: str,
    description: str,
    path: str,
    parent: Parent,
    *,
    records: Callable[[Any], Sequence[Row]] = of_parent,
    cost: str,
) -> Stream:
    """Series that are counted back from now."""
    link = ("link_id",) if records is of_links else ()
    return series(
        name=name,
        description=description,
        path=path,
        parent=parent,
        params=last_periods,
        records=records,
        decode=dated,
        key_properties=(*parent.keys, *link, "resolution", "period_start"),
        is_new=partial(is_recent, zone=eastern),
        cost=cost,
    )


OF_CAMPAIGN = Parent(stream="campaigns", keys={"campaign_id": "id"}, carry=("created",))
OF_CAMPAIGN_ACTION = Parent(
    stream="campaign_actions", keys={"campaign_id": "campaign_id", "action_id": "id"}, carry=("created",)
)
OF_BROADCAST_ACTION = Parent(stream="broadcast_actions", keys={"broadcast_id": "broadcast_id", "action_id": "id"})
OF_CONTENT = Parent(stream="newsletter_contents", keys={"newsletter_id": "newsletter_id", "content_id": "id"})

METRICS = (
    timed(
        "campaign_metrics",
        "Campaigns: what was sent, opened, clicked, by period.",
        "/campaigns/{campaign_id}/metrics",
        OF_CAMPAIGN,
        names=VERSION_2,
    ),
    timed(
        "campaign_action_metrics",
        "Actions of campaigns, each language by itself: what was sent, opened, clicked, by period.",
        "/campaigns/{campaign_id}/actions/{action_id}/metrics",
        OF_CAMPAIGN_ACTION,
        names=VERSION_2,
    ),
    timed(
        "campaign_journey_metrics",
        "How people went through campaigns, by period.",
        "/campaigns/{campaign_id}/journey_metrics",
        OF_CAMPAIGN,
        names={"resolution": None},
        records=of_journey,
    ),
    counted(
        "broadcast_metrics",
        "Broadcasts: what was sent, opened, clicked, by period.",
        "/broadcasts/{broadcast_id}/metrics",
        UNDER_BROADCAST,
        cost="1 request per broadcast",
    ),
    counted(
        "newsletter_metrics",
        "Newsletters: what was sent, opened, clicked, by period.",
        "/newsletters/{newsletter_id}/metrics",
        UNDER_NEWSLETTER,
        cost="1 request per newsletter",
    ),
    counted(
        "transactional_metrics",
        "Transactional messages: what was sent, opened, clicked, by period.",
        "/transactional/{transactional_id}/metrics",
        UNDER_TEMPLATE,
        cost="1 request per transactional message",
    ),
    counted(
        "broadcast_action_metrics",
        "Actions of broadcasts: what was sent, opened, clicked, by period.",
        "/broadcasts/{broadcast_id}/actions/{action_id}/metrics",
        OF_BROADCAST_ACTION,
        cost="1 request per action",
    ),
    counted(
        "newsletter_content_metrics",
        "Variants of newsletters: what was sent, opened, clicked, by period.",
        "/newsletters/{newsletter_id}/contents/{content_id}/metrics",
        OF_CONTENT,
        cost="1 request per variant",
    ),
    counted(
        "campaign_link_metrics",
        "Clicks by link of campaigns.",
        "/campaigns/{campaign_id}/metrics/links",
        Parent(stream="campaigns", keys={"campaign_id": "id"}),
        records=of_links,
        cost="1 request per campaign",
    ),
    counted(
        "broadcast_link_metrics",
        "Clicks by link of broadcasts.",
        "/broadcasts/{broadcast_id}/metrics/links",
        UNDER_BROADCAST,
        records=of_links,
        cost="1 request per broadcast",
    ),
    counted(
        "newsletter_link_metrics",
        "Clicks by link of newsletters.",
        "/newsletters/{newsletter_id}/metrics/links",
        UNDER_NEWSLETTER,
        records=of_links,
        cost="1 request per newsletter",
    ),
    counted(
        "transactional_link_metrics",
        "Clicks by link of transactional messages.",
        "/transactional/{transactional_id}/metrics/links",
        UNDER_TEMPLATE,
        records=of_links,
        cost="1 request per transactional message",
    ),
)
"""A link's clicks are version 1 for campaigns too."""
