"""Reports: figures of campaigns, flows, forms and segments that Klaviyo works out when asked by POST.

One request covers all campaigns (flows, …) of a period; 2 a minute and 225 a day are allowed for each kind. A period is
so many whole days before today in the account's own time zone, or one of Klaviyo's own names (`timeframe`). Attribution
goes on moving for days, so that each run reads its periods again. A row's key holds the period of a sum, and the date
of a series.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from shared.api.request import Params, Request, Row
from shared.errors import ConfigError, UnavailableError
from shared.streams import Rows, Settings, Step, Stream, Unit
from shared.timestamps import UTC, parse, shift

from .client import pages, zone_of

if TYPE_CHECKING:
    from shared.api.client import Client

DAY_SECONDS = 86_400
OF_MESSAGES = (
    "average_order_value", "bounce_rate", "bounced", "click_rate", "clicks", "clicks_unique", "conversion_rate",
    "conversion_uniques", "conversion_value", "conversions", "delivered", "delivery_rate", "failed", "open_rate",
    "opens", "opens_unique", "recipients", "revenue_per_recipient", "spam_complaints", "unsubscribe_rate",
    "unsubscribe_uniques", "unsubscribes",
)  # fmt: skip
OF_FORMS = (
    "closed_form", "closed_form_uniques", "qualified_form", "qualified_form_uniques", "submit_rate", "submits",
    "viewed_form", "viewed_form_uniques",
)  # fmt: skip
OF_SEGMENTS = ("members_added", "members_removed", "net_members_changed", "total_members")


@dataclass(frozen=True)
class Kind:
    """A kind of report: of what, the statistics asked for unless a report says otherwise, by what it groups."""

    name: str
    statistics: tuple[str, ...]
    group_by: tuple[str, ...] = ()

    @property
    def converts(self) -> bool:
        """Whether it needs a metric that counts as conversion."""
        return self.name in ("campaign", "flow")


CAMPAIGNS = Kind("campaign", OF_MESSAGES, ("campaign_id", "campaign_message_id", "send_channel"))
FLOWS = Kind("flow", OF_MESSAGES, ("flow_id", "flow_message_id", "send_channel"))
FORMS = Kind("form", OF_FORMS, ("form_id", "form_version_id"))
SEGMENTS = Kind("segment", OF_SEGMENTS)


def wanted(name: str) -> Callable[[Settings], dict[str, Params]]:
    """The reports of one stream in the settings, or a single plain one."""

    def partitions(settings: Settings) -> dict[str, Params]:
        given = settings.get("reports") or ()
        chosen = [each for each in given if str(each["type"]).removesuffix("s").replace("-", "_") + "s" == name]
        return {str(each.get("name") or f"report_{n}"): dict(each) for n, each in enumerate(chosen)} or {"default": {}}

    return partitions


def check(settings: Settings) -> None:
    """Raises ConfigError for a report of a kind that there is not."""
    kinds = [stream.name.removesuffix("s") for stream in REPORTS]
    for each in settings.get("reports") or ():
        kind = str(each["type"]).removesuffix("s").replace("-", "_")
        if kind not in (*kinds, "metric_aggregate"):
            raise ConfigError(
                f"reports: {each['type']!r} is no type of report. There are: {', '.join(kinds)}, metric_aggregate."
            )
        if kind == "metric_aggregate" and isinstance(each.get("timeframe"), str):
            raise ConfigError("reports: the timeframe of metric_aggregates needs start and end, not a name.")


def period(report: Mapping[str, Any], unit: Unit, zone: tzinfo | None = None) -> dict[str, str]:
    """The timeframe of a report: as given, or the whole days before today (its last day is inclusive)."""
    given = report.get("timeframe")
    if given and not isinstance(given, Mapping):
        return {"key": str(given)}
    return dict(given) if given else dict(zip(("start", "end"), days_before(report, unit, zone), strict=True))


def days_before(report: Mapping[str, Any], unit: Unit, zone: tzinfo | None) -> tuple[str, str]:
    """The first and the last day that a report is about: as it says, or those before today (by `zone`)."""
    given = report.get("timeframe")
    if isinstance(given, Mapping) and "start" in given:
        return f"{given['start']!s:.10}T00:00:00", f"{given['end']!s:.10}T00:00:00"
    days = int(report.get("lookback_days") or unit.settings["report_lookback_days"])
    today = f"{parse(unit.now).astimezone(zone or UTC).date()}T00:00:00.000000Z"
    return shift(today, -DAY_SECONDS * days)[:19], shift(today, -DAY_SECONDS)[:19]


def read(kind: Kind, series: bool) -> Callable[[Client, Unit], Generator[Step, None, None]]:
    """A `fetch` hook for one kind of report, as a sum over its period or as a series."""

    def fetch(client: Client, unit: Unit) -> Generator[Step, None, None]:
        report = unit.params
        attributes: dict[str, Any] = {
            "statistics": list(report.get("statistics") or kind.statistics),
            "timeframe": period(report, unit, zone_of(client)),
        }
        group_by = list(dict.fromkeys((*kind.group_by, *(report.get("group_by") or ()))))
        if group_by and report.get("group_by"):
            attributes["group_by"] = group_by
        if kind.converts:
            attributes["conversion_metric_id"] = report.get("conversion_metric_id") or conversion_metric(client, unit)
        if series:
            attributes["interval"] = report.get("interval") or "daily"
        name = f"{kind.name}-{'series' if series else 'values'}-report"
        constants: dict[str, Any] = {"report": unit.partition, "timeframe": _text(attributes["timeframe"])}
        constants["conversion_metric_id"] = attributes.get("conversion_metric_id")
        asked = Request(
            f"/api/{name}s",
            method="POST",
            body={"data": {"type": name, "attributes": attributes}},
            headers={"Content-Type": "application/vnd.api+json"},
            quota=f"report {name}s",
        )
        cursor: str | None = None
        while True:
            body = client.json(asked.with_params({"page_cursor": cursor}), stream=unit.stream)
            yield Rows(list(rows(body, constants)))
            cursor = cursor_of((body.get("links") or {}).get("next"))
            if cursor is None:
                return

    return fetch


def rows(body: Any, constants: Mapping[str, Any]) -> Iterator[Row]:
    """One row for each group of an answer, or for each of its dates in a series."""
    attributes = body["data"]["attributes"]
    dates: Sequence[str | None] = attributes.get("date_times") or [None]
    is_series = "date_times" in attributes
    for result in attributes["results"]:
        groupings, statistics = result.get("groupings") or {}, result.get("statistics") or {}
        for place, moment in enumerate(dates if is_series else [None]):
            numbers = {name: value[place] if is_series else value for name, value in statistics.items()}
            own = {"date_time": moment} if is_series else {}
            told = {name: value for name, value in constants.items() if value}
            keys = {name: value for name, value in told.items() if not (is_series and name == "timeframe")}
            yield {**identified({**keys, **groupings, **own}), **told, **numbers}


def identified(keys: Mapping[str, Any]) -> Row:
    """What tells a row from all others, and a `row_id` made of it."""
    return {"row_id": hashlib.sha256(_text(keys).encode("utf-8", "surrogatepass")).hexdigest()[:32], **keys}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def cursor_of(url: str | None) -> str | None:
    """The cursor in the link to a report's next page."""
    return next(iter(parse_qs(urlsplit(url or "").query).get("page_cursor", ())), None)


def conversion_metric(client: Client, unit: Unit) -> str:
    """The metric that the account counts as revenue, or else the one named "Placed Order"."""
    for body in pages(client, "/api/mapped-metrics?include=metric", quota="S mapped metrics", stream=unit.stream):
        for each in body["data"]:
            data = ((each.get("relationships") or {}).get("metric") or {}).get("data")
            if each.get("id") == "revenue" and data:
                return str(data["id"])
    for body in pages(client, "/api/metrics", quota="M metrics", stream=unit.stream):
        for each in body["data"]:
            if str(each["attributes"].get("name")).strip().casefold() == "placed order":
                return str(each["id"])
    raise UnavailableError(f"{unit.stream}: the account has no metric for revenue; set conversion_metric_id.")


def _stream(kind: Kind, *, series: bool) -> Stream:
    word = "series" if series else "values"
    name = f"{kind.name}_{word}_reports"
    return _report(
        name=name,
        description=f"Figures of {kind.name}s {'by day' if series else 'over a period'}",
        path=f"/api/{kind.name}-{word}-reports",
        partitions=wanted(name),
        fetch=read(kind, series),
        cost="1 request per report, of 225 a day",
    )


_report = partial(
    Stream,
    method="POST",
    key_properties=("row_id",),
    at_once=1,
    selected=False,
    deletions="each run's periods are read whole",
)

# The rows name no quota: a reader would wait for it once more behind its last page. The requests do.
REPORTS = (
    _stream(CAMPAIGNS, series=False),
    _stream(FLOWS, series=False),
    _stream(FLOWS, series=True),
    _stream(FORMS, series=False),
    _stream(FORMS, series=True),
    _stream(SEGMENTS, series=False),
    _stream(SEGMENTS, series=True),
)
