"""Reports: figures of campaigns, flows, forms and segments that Klaviyo works out when asked by POST.

One request covers all campaigns (flows, …) of a period; 2 a minute and 225 a day are allowed for each kind. A period is
so many whole days before today in the account's own time zone, or one of Klaviyo's own names (`timeframe`); a series
that is too long for one answer is asked for in parts. Attribution goes on moving for days, so that each run reads its
periods again. A row's key holds the period of a sum, and the date of a series.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from shared.api.request import Params, Request, Row, at
from shared.errors import ConfigError, UnavailableError
from shared.streams import Rows, Settings, Step, Stream, Unit
from shared.timestamps import parse, shift

from .client import InvalidError, zone_of
from .conversions import conversion

if TYPE_CHECKING:
    from shared.api.answers import Response
    from shared.api.client import Client

DAY_SECONDS = 86_400
PLAIN_OF_MESSAGES = (
    "average_order_value", "bounce_rate", "bounced", "click_rate", "clicks", "clicks_unique", "conversion_rate",
    "conversion_uniques", "conversion_value", "conversions", "delivered", "delivery_rate", "failed", "open_rate",
    "opens", "opens_unique", "recipients", "revenue_per_recipient", "spam_complaints", "unsubscribe_rate",
    "unsubscribe_uniques", "unsubscribes",
)  # fmt: skip
OF_MESSAGES = (
    *PLAIN_OF_MESSAGES, "bounced_or_failed", "bounced_or_failed_rate", "click_to_open_rate", "failed_rate",
    "message_segment_count_sum", "spam_complaint_rate", "text_message_credit_usage_amount", "text_message_roi",
    "text_message_spend",
)  # fmt: skip
OF_VALUES = {"average_order_value", "conversion_value", "revenue_per_recipient"}
OF_CONVERSIONS = OF_VALUES | {"conversion_rate", "conversion_uniques", "conversions", "text_message_roi"}
PLAIN_OF_FORMS = (
    "closed_form", "closed_form_uniques", "qualified_form", "qualified_form_uniques", "submit_rate", "submits",
    "viewed_form", "viewed_form_uniques",
)  # fmt: skip
OF_FORMS = (
    *PLAIN_OF_FORMS, "submitted_form_step", "submitted_form_step_uniques", "viewed_form_step",
    "viewed_form_step_uniques",
)  # fmt: skip
OF_SEGMENTS = ("members_added", "members_removed", "net_members_changed", "total_members")
LONGEST_DAYS = {"hourly": 7, "daily": 60}
"""How long a series may be by its interval; one that is longer is asked for in parts."""
LONGEST_WEEKS_DAYS = 364
NAMED_DAYS = {
    "last_30_days": 30, "this_month": 31, "last_month": 31, "last_90_days": 90, "last_3_months": 92,
    "last_365_days": 365, "last_12_months": 366, "this_year": 366, "last_year": 366,
}  # fmt: skip
"""How long a period is that has a name; those that are left out are shorter than any limit."""


@dataclass(frozen=True)
class Kind:
    """A kind of report: of what, the statistics asked for unless a report says otherwise, those of them that every
    revision knows, by what it groups.
    """

    name: str
    statistics: tuple[str, ...]
    plain: tuple[str, ...]
    group_by: tuple[str, ...] = ()

    @property
    def converts(self) -> bool:
        """Whether it needs a metric that counts as conversion."""
        return self.name in ("campaign", "flow")


CAMPAIGNS = Kind("campaign", OF_MESSAGES, PLAIN_OF_MESSAGES, ("campaign_id", "campaign_message_id", "send_channel"))
FLOWS = Kind("flow", OF_MESSAGES, PLAIN_OF_MESSAGES, ("flow_id", "flow_message_id", "send_channel"))
FORMS = Kind("form", OF_FORMS, PLAIN_OF_FORMS, ("form_id", "form_version_id"))
SEGMENTS = Kind("segment", OF_SEGMENTS, OF_SEGMENTS)


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
        if kind.endswith("_series_report"):
            _check_length(each, settings)


def _check_length(report: Mapping[str, Any], settings: Settings) -> None:
    """Raises ConfigError for a series longer than the API gives in one piece, where it cannot be asked for in parts."""
    interval, timeframe = str(report.get("interval") or "daily"), report.get("timeframe")
    longest = LONGEST_DAYS.get(interval, LONGEST_WEEKS_DAYS)
    if isinstance(timeframe, str):
        if NAMED_DAYS.get(timeframe, 0) > longest:
            raise ConfigError(
                f"reports: with the interval {interval} a series has at most {longest} days at once, which "
                f"{timeframe} exceeds. Give lookback_days, or start and end, instead: those are read in parts."
            )
    elif interval not in LONGEST_DAYS and not timeframe:
        days = int(report.get("lookback_days") or settings["report_lookback_days"])
        if days > longest:
            raise ConfigError(
                f"reports: with the interval {interval} a series has at most {longest} days, not {days}: "
                "see lookback_days and report_lookback_days."
            )


def period(report: Mapping[str, Any], client: Client, unit: Unit) -> dict[str, str]:
    """The timeframe of a report: as given, or the whole days before today (its last day is inclusive)."""
    given = report.get("timeframe")
    if given and not isinstance(given, Mapping):
        return {"key": str(given)}
    return dict(given) if given else dict(zip(("start", "end"), days_before(report, client, unit), strict=True))


def days_before(report: Mapping[str, Any], client: Client, unit: Unit) -> tuple[str, str]:
    """The first and the last day that a report is about: as it says, or those before today in the account's zone."""
    given = report.get("timeframe")
    if isinstance(given, Mapping) and "start" in given:
        return f"{given['start']!s:.10}T00:00:00", f"{given['end']!s:.10}T00:00:00"
    days = int(report.get("lookback_days") or unit.settings["report_lookback_days"])
    today = f"{parse(unit.now).astimezone(zone_of(client, unit.stream)).date()}T00:00:00.000000Z"
    return shift(today, -DAY_SECONDS * days)[:19], shift(today, -DAY_SECONDS)[:19]


def parts(timeframe: Mapping[str, str], interval: str) -> Iterator[Mapping[str, str]]:
    """The timeframe of a series in parts that are not too long for its interval."""
    longest = LONGEST_DAYS.get(interval)
    if longest is None or "start" not in timeframe:
        yield timeframe
        return
    start, end = (date.fromisoformat(timeframe[name][:10]) for name in ("start", "end"))
    while start <= end:
        last = min(start + timedelta(days=longest - 1), end)
        yield {"start": f"{start}T00:00:00", "end": f"{last}T00:00:00"}
        start = last + timedelta(days=1)


def read(kind: Kind, series: bool) -> Callable[[Client, Unit], Generator[Step, None, None]]:
    """A `fetch` hook for one kind of report, as a sum over its period or as a series."""
    name = f"{kind.name}-{'series' if series else 'values'}-report"

    def fetch(client: Client, unit: Unit) -> Generator[Step, None, None]:
        report = unit.params
        attributes: dict[str, Any] = {"statistics": list(report.get("statistics") or kind.statistics)}
        timeframe = period(report, client, unit)
        constants: dict[str, Any] = {"report": unit.partition, "timeframe": _text(timeframe)}
        if more := report.get("group_by"):
            attributes["group_by"] = list(dict.fromkeys((*kind.group_by, *more)))
        if kind.converts:
            found = conversion(client, unit)
            attributes["conversion_metric_id"] = found.metric_id
            if found.counts:
                constants["conversion_metric_id"] = found.metric_id
            else:
                attributes["statistics"] = [each for each in attributes["statistics"] if each not in OF_CONVERSIONS]
            if not attributes["statistics"]:
                raise UnavailableError(f"{unit.stream}: all statistics of {unit.partition} are of conversions.")
        if series:
            attributes["interval"] = report.get("interval") or "daily"
        for part in parts(timeframe, attributes["interval"]) if series else (timeframe,):
            for body in _answers(client, unit, kind, name, {**attributes, "timeframe": part}):
                yield Rows(list(rows(body, constants)))

    return fetch


def _answers(
    client: Client, unit: Unit, kind: Kind, name: str, attributes: dict[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """The pages of one report, without the statistics that it cannot have."""
    cursor: str | None = None
    while True:
        asked = Request(
            f"/api/{name}s",
            params={"page_cursor": cursor} if cursor else {},
            method="POST",
            body={"data": {"type": name, "attributes": attributes}},
            headers={"Content-Type": "application/vnd.api+json"},
            quota=f"report {name}s",
        )
        try:
            body = client.send(asked, stream=unit.stream, read=report_of)
        except InvalidError as error:
            left = fewer(attributes["statistics"], error.said, kind)
            if cursor is not None or not left or (unit.params.get("statistics") and not _lacks_values(error.said)):
                raise
            gone = [each for each in attributes["statistics"] if each not in left]
            metric = attributes.get("conversion_metric_id")
            of = f" of the conversion metric {metric} (conversion_metric_id)" if metric else ""
            client.report.warn(unit.stream, f"{', '.join(gone)}{of} left off, since the API says: {error.said}")
            attributes["statistics"] = left
            continue
        yield body
        cursor = cursor_of((body.get("links") or {}).get("next"))
        if cursor is None:
            return


def report_of(response: Response) -> Any:
    """The body of an answer; ValueError where it has no place for results: then it is no answer."""
    body = response.json()
    if not isinstance(at(body, "data.attributes.results"), list):
        raise ValueError("the answer has no list of results")
    return body


def _lacks_values(said: str) -> bool:
    return "values data" in said.lower()


def fewer(asked: Sequence[str], said: str, kind: Kind) -> list[str]:
    """The statistics to ask for instead of those that were refused with these words; none where that is hopeless."""
    if _lacks_values(said):
        without = OF_VALUES if OF_VALUES & set(asked) else OF_CONVERSIONS
    else:
        named = {each for each in asked if re.search(rf"\b{each}\b", said)}
        without = named if 0 < len(named) < len(asked) / 2 else set(asked) - set(kind.plain)
    left = [each for each in asked if each not in without]
    return left if len(left) < len(asked) else []


def rows(body: Any, constants: Mapping[str, Any]) -> Iterator[Row]:
    """One row for each group of an answer, or for each of its dates in a series."""
    attributes = body["data"]["attributes"]
    dates: Sequence[str | None] = attributes.get("date_times") or [None]
    is_series = "date_times" in attributes
    for result in attributes["results"]:
        if not isinstance(result, dict):
            yield result  # left out by name
            continue
        groupings, statistics = result.get("groupings") or {}, result.get("statistics") or {}
        for place, moment in enumerate(dates if is_series else [None]):
            numbers = {name: value_at(value, place) if is_series else value for name, value in statistics.items()}
            own = {"date_time": moment} if is_series else {}
            told = {name: value for name, value in constants.items() if value}
            keys = {name: value for name, value in told.items() if not (is_series and name == "timeframe")}
            yield {**identified({**keys, **groupings, **own}), **told, **numbers}


def value_at(values: Any, place: int) -> Any:
    """The value of one date; null where the whole series is null, or ends before."""
    return values[place] if isinstance(values, list) and place < len(values) else None


def identified(keys: Mapping[str, Any]) -> Row:
    """What tells a row from all others, and a `row_id` made of it."""
    return {"row_id": hashlib.sha256(_text(keys).encode("utf-8", "surrogatepass")).hexdigest()[:32], **keys}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def cursor_of(url: str | None) -> str | None:
    """The cursor in the link to a report's next page."""
    return next(iter(parse_qs(urlsplit(url or "").query).get("page_cursor", ())), None)


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
