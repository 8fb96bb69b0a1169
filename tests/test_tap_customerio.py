"""What is odd about the Customer.io tap: pages, hooks, regions, settings, older names, errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import responses

from shared.api.answers import Response
from shared.api.client import Client, Context
from shared.api.request import Page, Request
from shared.errors import ApiError, AuthError, ConfigError, GoneError, RefusedError, RetryableError
from shared.report import Report
from shared.streams import Rows, Unit
from shared.sync.paging import first_request
from shared.tap import settings_of
from shared.timestamps import parse
from tap_customerio import exports
from tap_customerio.client import check, connect, rate, verdict
from tap_customerio.metrics import last_periods, of_links, of_parent, periods
from tap_customerio.pages import LONG_WALK, after, delivery_pages, people_pages, people_read
from tap_customerio.rows import anywhere, contents, one_of, people, person, usage
from tap_customerio.streams import suppression_lists
from tap_customerio.tap import TAP, adapt, read_state, validate

STREAMS = {stream.name: stream for stream in TAP.streams}
DEFAULTS = {setting.name: setting.default for setting in settings_of(TAP)}
NOW = "2026-11-10T08:00:00.000000Z"
US, EU = "https://api.customer.io/v1", "https://api-eu.customer.io/v1"


def settings(**given: Any) -> dict[str, Any]:
    return validate({**DEFAULTS, "access_token": "app-key", **given})


def unit(stream: str, **members: Any) -> Unit:
    return Unit(**{"stream": stream, "settings": settings(), "now": NOW, **members})


def client(**given: Any) -> Client:
    return connect(Context(settings=settings(**given), report=Report("tap-customerio"), speed=1000))


@pytest.fixture
def mocked() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


# Pages


@pytest.mark.parametrize("token", [None, "", 0])
def test_no_token_is_the_end(token: Any) -> None:
    assert after()(Page(Request("/x"), {"next": token}, [1])) == []
    assert after()(Page(Request("/x"), {}, [1])) == []


def test_an_empty_page_is_the_end_only_where_tokens_outlive_the_rows() -> None:
    page = Page(Request("/x", {"limit": 5}), {"next": 12}, [])
    assert after()(page) == [Request("/x", {"limit": 5, "start": "12"})]
    assert after(empty_ends=True)(page) == []
    assert after()(Page(Request("/x", {"start": "12"}), {"next": "12"}, [])) == []


def test_people_are_hydrated_a_hundred_at_a_time_beside_the_next_page_of_the_search() -> None:
    found = [{"cio_id": f"a{n}"} for n in range(250)]
    search = Request("/customers", {"limit": 1000}, method="POST", body={"filter": {}})
    following, *hydrates = people_pages(Page(search, {"identifiers": found, "ids": [""], "next": "Mg=="}, []))
    assert following.params == {"limit": 1000, "start": "Mg=="}
    assert [len(each.body["ids"]) for each in hydrates] == [100, 100, 50]
    assert [each.memo for each in hydrates] == [None, None, "Mg=="]
    assert people_read(Page(hydrates[2], {}, [])) == {"search_start": "Mg=="}
    assert people_pages(Page(hydrates[2], {"customers": []}, [])) == []


def test_a_broken_search_goes_on_where_its_people_were_all_read() -> None:
    resumed = first_request(STREAMS["customers"], unit("customers", resume={"search_start": "Mg=="}))
    assert resumed.params == {"limit": 1000, "start": "Mg=="}
    fresh = first_request(STREAMS["customers"], unit("customers"))
    assert fresh.params == {"limit": 1000}
    assert fresh.body == {"filter": {"and": [{"attribute": {"field": "cio_id", "operator": "exists"}}]}}


def test_windows_of_deliveries_are_closed_and_do_not_touch() -> None:
    window = ("2026-01-01T00:00:00.000000Z", "2026-01-31T00:00:00.000000Z")
    asked = first_request(STREAMS["messages"], unit("messages", window=window))
    assert asked.params == {"limit": 1000, "start_ts": 1767225600, "end_ts": 1769817599}


def test_a_window_that_runs_long_is_cut_in_two_where_it_is() -> None:
    rows = [{"created": 500}, {"created": 400}, {"created": None}]
    request = Request("/messages", {"limit": 3, "start_ts": 100, "end_ts": 900, "start": "x"})
    (following,) = delivery_pages(Page(replace(request, memo=LONG_WALK - 1), {"next": "y"}, rows))
    assert (following.params["start"], following.memo) == ("y", LONG_WALK)
    halves = delivery_pages(Page(following, {"next": "z"}, rows))
    assert [each.params for each in halves] == [
        {"limit": 3, "start_ts": 251, "end_ts": 400},
        {"limit": 3, "start_ts": 100, "end_ts": 250},
    ]
    assert delivery_pages(Page(following, {"next": ""}, rows)) == []
    second = following.with_params({"start_ts": 400}, memo=LONG_WALK)
    assert [each.params["start"] for each in delivery_pages(Page(second, {"next": "z"}, rows))] == ["z"]


@pytest.mark.parametrize(
    ("resolution", "since", "expected"),
    [
        ("days", None, 45),
        ("days", NOW, 2),
        ("days", "2026-11-03T08:00:00.000000Z", 9),
        ("days", "2026-01-01T00:00:00.000000Z", 45),
        ("hours", "2026-11-10T03:00:00.000000Z", 7),
        ("weeks", "2026-10-20T00:00:00.000000Z", 5),
        ("months", "2025-11-30T00:00:00.000000Z", 14),
    ],
)
def test_as_many_periods_are_asked_for_as_are_wanted(resolution: str, since: str | None, expected: int) -> None:
    asked = last_periods(unit("broadcast_metrics", since=since, settings=settings(metrics_resolution=resolution)))
    assert asked == {"period": resolution, "steps": expected}


def test_metrics_of_more_than_ten_years_are_asked_for_in_parts_that_meet(mocked: responses.RequestsMock) -> None:
    mocked.get(f"{US}/campaigns/5/journey_metrics", json={"journey_metric": {"started": [0, 3]}})
    of_campaign = unit(
        "campaign_journey_metrics",
        parent={"campaign_id": 5, "created": 1_400_000_000},
        settings=settings(metrics_resolution="weeks"),
    )
    fetch = STREAMS["campaign_journey_metrics"].fetch
    assert fetch is not None
    steps = list(fetch(client(), of_campaign) or ())
    spans = [parse_qs(urlsplit(str(call.request.url)).query) for call in mocked.calls]
    assert [int(span["start"][0]) for span in spans] == [1_399_852_800, int(spans[0]["end"][0]) + 1]
    assert int(spans[-1]["end"][0]) == int(parse(NOW).timestamp())
    first = next(step for step in steps if isinstance(step, Rows))
    assert list(periods(first.rows, of_campaign)) == [
        {"period_start": "2014-05-19T00:00:00.000000Z", "resolution": "weeks", "started": 3}
    ]


def test_arrays_end_together_and_what_is_missing_is_null() -> None:
    row = {"date": "Tue, 10 Nov 2026 04:59:00 GMT", "series": {"sent": [1, 0, 0], "2xx": [2], "opened": None}}
    assert list(periods([row], unit("broadcast_metrics"))) == [
        {"period_start": "2026-11-07T05:00:00.000000Z", "resolution": "days", "sent": 1, "responses_2xx": None},
        {"period_start": "2026-11-09T05:00:00.000000Z", "resolution": "days", "sent": 0, "responses_2xx": 2},
    ]


def test_a_gap_in_activities_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    first_request(STREAMS["activities"], unit("activities", bookmark="2026-09-01T00:00:00.000000Z"))
    assert "2026-09-01" in caplog.text


# Rows


def test_people_without_an_id_are_named_by_their_cio_id() -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a1", "identifiers": {"cio_id": "a1", "email": "x@example.com", "id": "42"}},
        {"id": "a2", "identifiers": {"cio_id": "a2", "id": ""}},
    ]
    found = list(person(rows, unit("customers")))
    assert [(row["id"], row["cio_id"], row["email"]) for row in found] == [
        ("42", "a1", "x@example.com"),
        ("cio_a2", "a2", None),
    ]


def test_unconfirmed_shapes_are_taken_either_way() -> None:
    assert people({"customers": [{"customer": {"id": "a"}}, {"id": "b"}]}) == [{"id": "a"}, {"id": "b"}]
    assert people({"identifiers": None}) == []
    assert usage({"used_by": {"campaigns": []}}) == usage({"campaigns": []}) == [{"campaigns": []}]
    assert contents({"a": 1}) == contents([{"a": 1}]) == [{"row": 0, "data": {"a": 1}}]
    for body in ({"test_groups": [1]}, {"groups": [1], "n": 3}, [1]):
        assert anywhere("test_groups")(body) == [1]
    assert anywhere("test_groups")({"test_groups": None}) == []
    with pytest.raises(ValueError, match="test_groups"):
        anywhere("test_groups")({"a": [], "b": []})
    assert of_parent({"metric": None}) == []
    with pytest.raises(ValueError, match="links"):
        of_links({})
    assert one_of("contents", "content")({"content": {"id": 1}}) == [{"id": 1}]
    assert one_of("contents")({"contents": None}) == []
    with pytest.raises(ValueError, match="contents"):
        one_of("contents")({"errors": []})


def test_suppressions_are_read_by_list_and_domain() -> None:
    assert list(suppression_lists(settings())) == ["bounces", "blocks", "spam_reports", "invalid_emails"]
    asked = first_request(STREAMS["eps_suppression"], unit("eps_suppression", partition="bounces"))
    assert (asked.path, asked.params) == ("/esp/suppression/bounces", {"limit": 1000, "offset": 0})
    names = list(suppression_lists(settings(esp_suppression_domains=["A.example", "a.example"])))
    assert names[0] == "bounces/a.example"
    assert len(names) == 4


# Answers


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, AuthError), (403, RefusedError), (404, GoneError), (400, ApiError), (422, ApiError), (503, RetryableError)],
)
def test_statuses_mean_what_the_reference_says(status: int, expected: type[ApiError]) -> None:
    body = b'{"errors":[{"detail":"no (reference a1b2)","status":"%d"}]}' % status
    found = verdict(Request("/x"), Response(status, {}, body))
    assert type(found) is expected
    assert "reference a1b2" in str(found)


def test_a_wait_that_is_named_holds_for_all_and_one_that_is_not_is_a_daily_quota() -> None:
    named = verdict(Request("/x"), Response(429, {"Retry-After": "0"}))
    assert isinstance(named, RetryableError)
    assert (named.wait_seconds, named.everyone) == (1.0, True)
    unnamed = verdict(Request("/x"), Response(429))
    assert isinstance(unnamed, RetryableError)
    assert unnamed.wait_seconds is None
    assert "daily quota" in str(unnamed)


def test_the_rate_holds_for_fractions_too() -> None:
    assert rate(10).rates == ((10, 1.05), (1, 0.09))
    assert rate(0.5).rates == ((1, 2.1), (1, 1.8))


def test_auto_finds_the_region_where_the_key_is_good(mocked: responses.RequestsMock) -> None:
    mocked.get(f"{US}/workspaces", status=401)
    mocked.get(f"{EU}/workspaces", json={"workspaces": []})
    asking = client(region="AUTO")
    check(asking)
    check(asking)
    assert [call.request.url for call in mocked.calls] == [f"{US}/workspaces", *[f"{EU}/workspaces"] * 2]
    assert mocked.calls[0].request.headers["Authorization"] == "Bearer app-key"


@pytest.mark.parametrize(("region", "host"), [("us", US), ("EU", EU)])
def test_a_region_has_its_own_host(mocked: responses.RequestsMock, region: str, host: str) -> None:
    mocked.get(f"{host}/workspaces", json={"workspaces": []})
    check(client(region=region))


def test_a_key_kept_from_the_workspaces_is_good(mocked: responses.RequestsMock) -> None:
    mocked.get(f"{US}/workspaces", status=403)
    mocked.get(f"{US}/campaigns", json={"campaigns": []})
    check(client())


def test_an_export_whose_answer_was_lost_is_found_and_none_is_begun_twice(mocked: responses.RequestsMock) -> None:
    mocked.post(f"{US}/exports/customers", body=requests.ConnectionError())
    listed = [{"id": 8, "type": "deliveries", "created_at": 4e9}, {"id": "9", "type": "customers", "created_at": 4e9}]
    mocked.get(f"{US}/exports", json={"exports": [{"id": 7, "type": "customers", "created_at": 1}, *listed]})
    asking, everybody = client(), unit("customers")
    assert exports.start(asking, everybody) == 9
    assert [call.request.method for call in mocked.calls] == ["POST", "GET"]
    with pytest.raises(ApiError, match="export 9 is gone"):
        exports.start(asking, everybody)


# Settings and older names


@pytest.mark.parametrize("domain", ["a b", "https://a.example", "me@a.example"])
def test_domains_are_names_of_hosts(domain: str) -> None:
    with pytest.raises(ConfigError, match="esp_suppression_domains"):
        settings(esp_suppression_domains=[domain])


def test_service_tokens_are_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match="App API key"):
        settings(access_token="sa_live_x")


def test_the_user_agent_is_appended() -> None:
    assert settings(user_agent="me@example.com")["user_agent"].endswith(" (me@example.com)")


def test_older_names_change_streams_and_their_children() -> None:
    adapted = adapt(TAP, settings(legacy_stream_names=True, customers_key="cio_id"))
    by_name = {stream.name: stream for stream in adapted.streams}
    assert by_name["info"].key_properties == ("ip_addresses",)
    assert by_name["custom_objects"].parents[0].stream == "objects"
    assert by_name["customers"].key_properties == ("cio_id",)
    assert {"ip_addresses", "topics", "types"}.isdisjoint(by_name)
    assert adapt(TAP, settings()) is TAP


def test_entries_of_an_older_state_that_hold_nothing_are_ignored() -> None:
    state = {"bookmarks": {"campaigns": {"updated": NOW}, "info": None}}
    assert read_state(state, {})["bookmarks"] == {"campaigns": {"updated": NOW}}
