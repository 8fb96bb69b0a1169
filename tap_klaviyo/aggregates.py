"""Metric aggregates: events of one metric counted by hour, day, week or month, and by what they were attributed to.

They are asked for like reports and stand in the same setting, yet have a quota of their own and no daily one. A row is
one interval and one group; days read again replace what they were.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared.api.request import Request, Row
from shared.errors import UnavailableError
from shared.streams import Rows, Step, Stream, Unit
from shared.timestamps import shift

from .client import zone_of
from .conversions import conversion
from .reports import DAY_SECONDS, cursor_of, days_before, identified, value_at, wanted

if TYPE_CHECKING:
    from shared.api.client import Client

MEASUREMENTS = ("count", "sum_value", "unique")
LARGEST_PAGE = 500


def fetch(client: Client, unit: Unit) -> Generator[Step, None, None]:
    """The rows of one query."""
    asked = _attributes(client, unit)
    request = Request(
        "/api/metric-aggregates",
        method="POST",
        headers={"Content-Type": "application/vnd.api+json"},
        quota="S metric aggregates",
    )
    while True:
        body = {"data": {"type": "metric-aggregate", "attributes": asked}}
        answer = client.json(replace(request, body=body), stream=unit.stream)
        yield Rows(list(rows(answer, asked, unit.partition)))
        following = cursor_of((answer.get("links") or {}).get("next"))
        if following is None:
            return
        asked = {**asked, "page_cursor": following}


def _attributes(client: Client, unit: Unit) -> dict[str, Any]:
    """What a query asks for: unless it says otherwise, the whole days before today of the metric that is revenue, in
    the account's time zone.
    """
    report = unit.params
    zone = report.get("timezone") or str(zone_of(client, unit.stream))
    start, end = days_before(report, client, unit)
    bounds = (f"greater-or-equal(datetime,{start})", f"less-than(datetime,{shift(f'{end}.000000Z', DAY_SECONDS)[:19]})")
    attributes: dict[str, Any] = {
        "metric_id": report.get("metric_id") or _revenue(client, unit),
        "measurements": list(report.get("measurements") or MEASUREMENTS),
        "interval": report.get("interval") or "day",
        "filter": [*bounds, *(report.get("filter") or ())],
        "page_size": LARGEST_PAGE,
        "timezone": zone,
    }
    if by := report.get("group_by"):
        attributes["by"] = list(by)
    return attributes


def _revenue(client: Client, unit: Unit) -> str:
    """The metric that is revenue. Events of a computed one cannot be counted."""
    found = conversion(client, unit, custom=False)
    if not found.counts:
        raise UnavailableError(f"{unit.stream}: the account has no metric for revenue; name a metric_id in reports.")
    return found.metric_id


def rows(body: Mapping[str, Any], asked: Mapping[str, Any], report: str) -> Iterator[Row]:
    """One row for each interval of each group."""
    attributes = body["data"]["attributes"]
    constants = {name: asked[name] for name in ("metric_id", "interval")}
    for group in attributes["data"]:
        dimensions = dict(zip(asked.get("by") or (), group.get("dimensions") or (), strict=False))
        for place, moment in enumerate(attributes["dates"]):
            numbers = {name: value_at(values, place) for name, values in group["measurements"].items()}
            own = {"report": report, **constants, "dimensions": dimensions, "date_time": moment}
            yield {**identified(own), **numbers, "timezone": asked.get("timezone")}


AGGREGATES = Stream(
    name="metric_aggregates",
    description="Events of a metric counted by day, and by what they were attributed to",
    method="POST",
    path="/api/metric-aggregates",
    partitions=wanted("metric_aggregates"),
    key_properties=("row_id",),
    fetch=fetch,
    selected=False,
    deletions="each run's periods are read whole",
    cost="1 request per query and 500 rows",
)
