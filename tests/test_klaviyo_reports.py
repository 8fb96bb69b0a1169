"""Klaviyo's reports: which metric counts, what is left off, which days are meant, and series in parts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from test_tap_klaviyo import settings, unit

from shared.api.answers import Response
from shared.api.request import Request
from shared.errors import ConfigError, UnavailableError
from shared.report import Report
from shared.streams import Rows, Unit
from tap_klaviyo import aggregates, conversions, reports
from tap_klaviyo.client import AccountClient, InvalidError
from tap_klaviyo.conversions import Conversion

Metric = tuple[str, str, str, str]


class Account(AccountClient):
    """A client of an account that has these metrics, and answers its reports with `answer`."""

    def __init__(
        self,
        *metrics: Metric,
        mapped: Mapping[str, str] | None = None,
        answer: Callable[[Mapping[str, Any]], Any] = lambda _: {},
        zone: str | None = "Europe/Madrid",
    ) -> None:
        self.report = Report("tap-klaviyo")
        self.metrics, self.mapped, self.answer = metrics, mapped or {}, answer
        self.zone = ZoneInfo(zone) if zone else None
        self.asked: list[Mapping[str, Any]] = []

    def json(self, request: Request, *, stream: str = "") -> Any:
        path = request.path.partition("?")[0]
        if path == "/api/metrics":
            return {"data": [_metric(*each) for each in self.metrics], "links": {}}
        if path == "/api/mapped-metrics":
            relations = {kind: {"data": {"type": kind, "id": held}} for kind, held in self.mapped.items()}
            return {"data": [{"type": "mapped-metric", "id": "revenue", "relationships": relations}], "links": {}}
        attributes = request.body["data"]["attributes"]
        self.asked.append(attributes)
        return self.answer(attributes)

    def send(self, request: Request, *, stream: str = "", read: Any = None, **_: Any) -> Any:
        body = json.dumps(self.json(request, stream=stream)).encode()
        return read(Response(status=200, headers={}, content=body, url="", seconds=0.0))


def _metric(identifier: str, name: str, integration: str, created: str) -> dict[str, Any]:
    attributes = {"name": name, "created": created, "integration": {"name": integration.title(), "key": integration}}
    return {"type": "metric", "id": identifier, "attributes": attributes}


SHOP: Metric = ("Shp001", "Placed Order", "shopify", "2025-01-01T00:00:00+00:00")
WOO: Metric = ("Woo001", " placed  order", "woocommerce", "2024-01-01T00:00:00+00:00")
MAIL: Metric = ("Mail01", "Received Email", "klaviyo", "2023-01-01T00:00:00+00:00")


def figures(asked: Mapping[str, Any]) -> Any:
    """An answer with a figure for each statistic."""
    result = {"groupings": {"campaign_id": "c"}, "statistics": dict.fromkeys(asked["statistics"], 1)}
    return {"data": {"attributes": {"results": [result]}}}


def fetched(client: AccountClient, built: Unit, kind: reports.Kind, *, series: bool = False) -> Iterator[Any]:
    for step in reports.read(kind, series)(client, built):
        assert isinstance(step, Rows)
        yield from step.rows


# Which metric counts


def test_revenue_is_what_it_is_mapped_to_be_it_a_computed_metric() -> None:
    at = unit("flow_values_reports")
    assert conversions.conversion(Account(SHOP, mapped={"metric": "Inv001"}), at) == Conversion("Inv001")
    computed = Account(SHOP, mapped={"custom-metric": "Cus001"})
    assert conversions.conversion(computed, at) == Conversion("Cus001", is_custom=True)
    assert conversions.conversion(computed, at, custom=False) == Conversion("Shp001"), "its events cannot be counted"


def test_the_settings_choose_the_metric_or_whose_it_is() -> None:
    shops = Account(SHOP, WOO, mapped={"metric": "Inv001"})
    chosen = unit("x", settings=settings(conversion_metric_id="Own001"))
    assert conversions.conversion(shops, chosen) == Conversion("Own001")
    of_shopify = unit("x", settings=settings(conversion_integration="Shopify"))
    assert conversions.conversion(shops, of_shopify) == Conversion("Shp001")
    by_report = unit("x", params={"conversion_metric_id": "Rep001"}, settings=settings(conversion_metric_id="Own001"))
    assert conversions.conversion(shops, by_report) == Conversion("Rep001")


def test_among_several_of_one_name_the_oldest_counts_and_that_is_said() -> None:
    shops = Account(SHOP, WOO)
    assert conversions.conversion(shops, unit("campaign_values_reports")) == Conversion("Woo001")
    (note,) = shops.report.notes
    assert all(word in note for word in ("Shp001 (Shopify)", "Woo001 (Woocommerce)", "conversion_metric_id"))


def test_without_a_metric_for_revenue_the_other_statistics_are_read_and_that_is_said() -> None:
    client = Account(MAIL, answer=figures)
    (row,) = fetched(client, unit("campaign_values_reports"), reports.CAMPAIGNS)
    (asked,) = client.asked
    assert asked["conversion_metric_id"] == "Mail01", "a report is not given without one"
    assert "opens" in row and not reports.OF_CONVERSIONS & row.keys() and "conversion_metric_id" not in row
    assert "conversion_metric_id" in client.report.notes[0]
    with pytest.raises(UnavailableError):
        conversions.conversion(Account(), unit("campaign_values_reports"))


# What is left off


def test_all_statistics_are_asked_for() -> None:
    assert len(set(reports.OF_MESSAGES)) == 31 and len(set(reports.OF_FORMS)) == 12


def test_statistics_that_the_metric_cannot_give_are_left_off_and_said() -> None:
    def answer(asked: Mapping[str, Any]) -> Any:
        if reports.OF_VALUES & set(asked["statistics"]):
            said = "Passed in conversion metric does not support querying for values data"
            raise InvalidError(said, said=said)
        return figures(asked)

    client = Account(SHOP, answer=answer)
    (row,) = fetched(client, unit("campaign_values_reports"), reports.CAMPAIGNS)
    assert row["conversions"] == 1 and row["conversion_metric_id"] == "Shp001"
    assert "Shp001" in client.report.notes[0] and "revenue_per_recipient" in client.report.notes[0]


def test_statistics_that_a_revision_does_not_know_are_left_off_unless_they_were_chosen() -> None:
    def answer(asked: Mapping[str, Any]) -> Any:
        if set(asked["statistics"]) - set(reports.PLAIN_OF_FORMS):
            raise InvalidError("x", said="Not a valid choice.")
        return figures(asked)

    client = Account(answer=answer)
    (row,) = fetched(client, unit("form_values_reports"), reports.FORMS)
    assert row["submits"] == 1 and len(client.report.notes) == 1
    chosen = unit("form_values_reports", params={"statistics": ["submitted_form_step"]})
    with pytest.raises(InvalidError):
        list(fetched(client, chosen, reports.FORMS))
    assert reports.fewer(["opens", "clicks", "text_message_roi"], "text_message_roi is unknown", reports.FLOWS) == [
        "opens",
        "clicks",
    ]


def test_a_series_is_a_row_for_each_date_and_what_is_missing_is_null() -> None:
    result = {"groupings": {"flow_id": "f"}, "statistics": {"opens": [1, 2], "clicks": None, "bounced": [3]}}
    body = {"data": {"attributes": {"results": [result], "date_times": ["2026-11-01", "2026-11-02"]}}}
    found = list(reports.rows(body, {"report": "r"}))
    assert [(row["date_time"], row["opens"], row["clicks"], row["bounced"]) for row in found] == [
        ("2026-11-01", 1, None, 3),
        ("2026-11-02", 2, None, None),
    ]
    assert len({row["row_id"] for row in found}) == 2


# Which days


def test_the_days_of_a_report_are_the_account_s() -> None:
    at = unit("flow_values_reports", now="2026-11-10T03:00:00.000000Z")
    honolulu, madrid = Account(zone="Pacific/Honolulu"), Account()
    assert reports.period({}, honolulu, at)["end"] == "2026-11-08T00:00:00", "it is yesterday there"
    assert reports.period({}, madrid, at) == {"start": "2026-11-03T00:00:00", "end": "2026-11-09T00:00:00"}
    only = {"start": "2026-11-09T00:00:00", "end": "2026-11-09T00:00:00"}
    assert reports.period({"lookback_days": 1}, madrid, at) == only
    assert reports.period({"timeframe": "last_week"}, madrid, at) == {"key": "last_week"}
    assert reports.period({"timeframe": {"key": "this_year"}}, madrid, at) == {"key": "this_year"}


def test_days_of_an_unknown_zone_are_utc_and_that_is_said() -> None:
    client = Account(zone=None)
    at = unit("flow_values_reports", now="2026-11-10T23:30:00.000000Z")
    assert reports.period({}, client, at)["end"] == "2026-11-09T00:00:00"
    assert "accounts:read" in client.report.notes[0] and "UTC" in client.report.notes[0]


def test_events_are_counted_by_days_of_the_account() -> None:
    def answer(asked: Mapping[str, Any]) -> Any:
        return {"data": {"attributes": {"dates": ["2026-11-09T00:00:00+13:00"], "data": [{"measurements": {}}]}}}

    client = Account(SHOP, answer=answer, zone="Pacific/Auckland")
    at = unit("metric_aggregates", now="2026-11-10T12:30:00.000000Z")
    (step,) = aggregates.fetch(client, at)
    assert isinstance(step, Rows) and step.rows[0]["timezone"] == "Pacific/Auckland"
    (asked,) = client.asked
    assert asked["timezone"] == "Pacific/Auckland"
    assert asked["filter"][1] == "less-than(datetime,2026-11-11T00:00:00)", "there it is the eleventh already"


@pytest.mark.parametrize(("interval", "days"), [("daily", [60, 30]), ("hourly", [7] * 12 + [6]), ("weekly", [90])])
def test_a_series_is_asked_for_in_parts_that_touch(interval: str, days: list[int]) -> None:
    frame = {"start": "2026-08-01T00:00:00", "end": "2026-10-29T00:00:00"}
    found = list(reports.parts(frame, interval))
    assert [part["start"] for part in found[1:]] == [_day_after(part["end"]) for part in found[:-1]]
    assert (found[0]["start"], found[-1]["end"]) == (frame["start"], frame["end"])
    assert [_days(part) for part in found] == days


def _day_after(text: str) -> str:
    from shared.timestamps import shift

    return shift(f"{text}.000000Z", 86_400)[:19]


def _days(part: Mapping[str, str]) -> int:
    from shared.timestamps import seconds_between

    return round(seconds_between(f"{part['start']}.000000Z", f"{part['end']}.000000Z") / 86_400) + 1


@pytest.mark.parametrize(
    "report",
    [
        {"timeframe": "last_90_days"},
        {"timeframe": "last_30_days", "interval": "hourly"},
        {"interval": "weekly", "lookback_days": 365},
    ],
)
def test_a_series_too_long_for_its_interval_is_refused_at_once(report: Mapping[str, Any]) -> None:
    with pytest.raises(ConfigError, match="at most"):
        reports.check(settings(reports=[{"type": "flow_series_report", **report}]))
    reports.check(settings(reports=[{"type": "flow_series_report", "timeframe": "last_30_days"}]))
