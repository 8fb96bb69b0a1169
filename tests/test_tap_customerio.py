"""What is odd about the Customer.io tap: pages, hooks, regions, settings, older names, errors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import responses
from hypothesis import given
from hypothesis import strategies as st

from shared.api.answers import Response
from shared.api.client import Client, Context
from shared.api.request import Page, Request
from shared.errors import (
    ApiError,
    AuthError,
    ConfigError,
    GoneError,
    RefusedError,
    RetryableError,
    UnavailableError,
)
from shared.report import Report
from shared.streams import Rows, Unit
from shared.sync.paging import first_request
from shared.sync.units import parent_values
from shared.tap import settings_of
from shared.timestamps import parse
from tap_customerio import exports
from tap_customerio.client import check, connect, rate, verdict
from tap_customerio.defaults import LISTED_WHOLE
from tap_customerio.met import Met
from tap_customerio.metrics import by_channel, last_periods
from tap_customerio.pages import LONG_WALK, MOST_WALKS, Chain, after, delivery_pages, people_pages, people_read
from tap_customerio.periods import of_journey, of_links, of_parent, periods, with_unique
from tap_customerio.rows import (
    anywhere,
    contents,
    numbered,
    one_of,
    people,
    person,
    relationships,
    suppressed,
    suppression,
    usage,
)
from tap_customerio.streams import suppression_lists
from tap_customerio.tap import TAP, adapt, read_state, validate

STREAMS = {stream.name: stream for stream in TAP.streams}
DEFAULTS = {setting.name: setting.default for setting in settings_of(TAP)}
NOW = "2026-11-10T08:00:00.000000Z"
US, EU = "https://api.customer.io/v1", "https://api-eu.customer.io/v1"


def settings(**chosen: Any) -> dict[str, Any]:
    return validate({**DEFAULTS, "access_token": "app-key", **chosen})


def unit(stream: str, **members: Any) -> Unit:
    return Unit(**{"stream": stream, "settings": settings(), "now": NOW, **members})


def client(**chosen: Any) -> Client:
    return connect(Context(settings=settings(**chosen), report=Report("tap-customerio"), speed=1000))


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


SEARCH = Request("/customers", {"limit": 1000}, method="POST", body={"filter": {}})


def test_people_are_hydrated_a_hundred_at_a_time_beside_the_next_page_of_the_search() -> None:
    found = [{"cio_id": f"a{n}"} for n in range(250)]
    body = {"identifiers": [*found, None, {"email": "x"}], "ids": [""], "next": "Mg=="}
    following, *hydrates = people_pages(Page(SEARCH, body, []))
    assert following.params == {"limit": 1000, "start": "Mg=="}
    assert [len(each.body["ids"]) for each in hydrates] == [100, 100, 50]
    assert [each.memo for each in hydrates] == [None, None, "Mg=="]
    assert people_read(Page(hydrates[2], {}, [])) == {"search_start": "Mg=="}
    assert people_pages(Page(hydrates[2], {"customers": []}, [])) == []


def test_a_search_is_walked_until_a_walk_meets_nobody_new() -> None:
    def walked(request: Request, *names: str) -> list[Request]:
        return list(people_pages(Page(request, {"identifiers": [{"cio_id": name} for name in names]}, [])))

    again, read = walked(SEARCH, "a", "b")
    assert (again.params, read.body) == ({"limit": 999}, {"ids": ["a", "b"]})
    third, slid = walked(again, "b", "c")
    assert (third.params, slid.body, slid.memo) == ({"limit": 998}, {"ids": ["c"]}, None)
    assert walked(third, "b", "c") == []


def test_people_who_keep_coming_are_not_waited_for_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    request, walks = SEARCH, 0
    while following := people_pages(Page(request, {"identifiers": [{"cio_id": f"a{walks}"}]}, [])):
        walks += 1
        if following[0].path != "/customers":
            break
        request = following[0]
    assert walks == MOST_WALKS
    assert "next run" in caplog.text


def hydrating(mocked: responses.RequestsMock, bad: Sequence[str], status: int) -> None:
    """People of any ids, but for requests that name one of `bad`."""

    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        ids = json.loads(request.body)["ids"]
        if set(ids) & set(bad):
            return status, {}, '{"errors":[{"detail":"odd person","status":"x"}]}'
        return 200, {}, json.dumps({"customers": [{"id": each, "identifiers": {"cio_id": each}} for each in ids]})

    mocked.add_callback("POST", f"{US}/customers/attributes", callback=answer)


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_people_who_cannot_be_read_are_missed_alone_and_named(
    mocked: responses.RequestsMock, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    hydrating(mocked, ["a7", "a90"], status)
    asked = Request("/customers/attributes", method="POST", body={"ids": [f"a{n}" for n in range(100)]})
    rows = people(client(region="us", max_retries=1).json(asked, stream="customers"))
    assert sorted(row["unread"] for row in rows if "unread" in row) == ["a7", "a90"]
    assert len({row["id"] for row in rows if "id" in row}) == 98
    assert "a7 could not be read" in caplog.text and "odd person" in caplog.text
    assert list(person([{"unread": "a7"}], unit("customers"))) == [{"cio_id": "a7"}]
    by_cio_id = unit("customers", settings=settings(customers_key="cio_id"))
    assert list(person([{"unread": "a7"}], by_cio_id)) == [{"id": "cio_a7"}]


def test_people_who_cannot_be_read_at_all_are_not_asked_for_one_by_one(mocked: responses.RequestsMock) -> None:
    hydrating(mocked, [f"a{n}" for n in range(100)], 400)
    asked = Request("/customers/attributes", method="POST", body={"ids": [f"a{n}" for n in range(100)]})
    with pytest.raises(ApiError, match="odd person"):
        client(region="us").json(asked)
    assert len(mocked.calls) <= 9


@given(st.lists(st.text(max_size=3), max_size=3_000))
def test_what_was_met_is_known_and_nothing_else(names: list[str]) -> None:
    met = Met()
    assert [met.add(name) for name in names] == [name not in names[:place] for place, name in enumerate(names)]


def test_so_much_is_remembered_and_no_more() -> None:
    met = Met(most=2)
    assert [met.add(name) for name in "aabbcc"] == [True, False, True, False, True, True]
    assert met.is_full


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


def test_a_walk_that_runs_long_leaves_the_older_half_to_another_one() -> None:
    rows = [{"created": 500}, {"created": 400}, {"created": None}, None]
    request = Request("/messages", {"limit": 3, "start_ts": 100, "end_ts": 900, "start": "x"})
    (following,) = delivery_pages(Page(replace(request, memo=Chain(LONG_WALK - 1, 100)), {"next": "y"}, rows))
    assert (following.params["start"], following.memo) == ("y", Chain(LONG_WALK, 100))
    on, older = delivery_pages(Page(following, {"next": "z"}, rows))
    assert on.params == {"limit": 3, "start_ts": 100, "end_ts": 900, "start": "z"}
    assert older.params == {"limit": 3, "start_ts": 100, "end_ts": 250}
    assert (on.memo, older.memo) == (Chain(1, 251), Chain(1, 100))
    assert delivery_pages(Page(on, {"next": "more"}, [{"created": 251}, {"created": 250}])) == []
    assert [each.memo for each in delivery_pages(Page(on, {"next": "more"}, [{"created": 251}]))] == [Chain(2, 251)]
    assert delivery_pages(Page(following, {"next": ""}, rows)) == []
    second = replace(following, memo=Chain(LONG_WALK, 400))
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
    asked = last_periods(unit("broadcast_metrics", since=since, partition=resolution))
    assert asked == {"period": resolution, "steps": expected}


def test_metrics_of_more_than_ten_years_are_asked_for_in_parts_that_meet(mocked: responses.RequestsMock) -> None:
    mocked.get(f"{US}/campaigns/5/journey_metrics", json={"journey_metric": {"started": [0, 3]}})
    of_campaign = unit(
        "campaign_journey_metrics",
        parent={"campaign_id": 5, "created": 1_400_000_000},
        partition="weeks",
    )
    fetch = STREAMS["campaign_journey_metrics"].fetch
    assert fetch is not None
    steps = list(fetch(client(region="us"), of_campaign) or ())
    spans = [parse_qs(urlsplit(str(call.request.url)).query) for call in mocked.calls]
    assert [int(span["start"][0]) for span in spans] == [1_399_852_800, int(spans[0]["end"][0]) + 1]
    assert int(spans[-1]["end"][0]) == int(parse(NOW).timestamp())
    first = next(step for step in steps if isinstance(step, Rows))
    assert list(periods(first.rows, of_campaign)) == [
        {"period_start": "2014-05-19T00:00:00.000000Z", "resolution": "weeks", "started": 3}
    ]


def test_actions_are_asked_for_from_where_their_campaign_began(mocked: responses.RequestsMock) -> None:
    mocked.get(f"{US}/campaigns/5/actions/6/metrics", json={"metric": {}})
    parent = {"campaign_id": 5, "action_id": 6, "created": 1_790_000_000, "began": 1_780_000_000}
    of_action = unit("campaign_action_metrics", parent=parent, partition="days")
    fetch = STREAMS["campaign_action_metrics"].fetch
    assert fetch is not None
    assert [
        list(periods(step.rows, of_action))
        for step in fetch(client(region="us"), of_action) or ()
        if isinstance(step, Rows)
    ]
    asked = parse_qs(urlsplit(str(mocked.calls[0].request.url)).query)
    assert int(asked["start"][0]) == 1_780_000_000 // 86_400 * 86_400
    under = STREAMS["campaign_action_metrics"].parents[0]
    assert parent_values(under, {"id": 6, "created": 9, "campaign_id": 5}, {"created": 8})["began"] == 8


def made(body: Any, partition: str = "days", records: Any = of_parent) -> list[Any]:
    return list(periods(records(body), unit("broadcast_metrics", partition=partition)))


def test_arrays_end_together_and_what_is_missing_is_null() -> None:
    series = {"sent": [1, 0, 0], "2xx": [2], "opened": None}
    assert made({"date": "Tue, 10 Nov 2026 04:59:00 GMT", "metric": {"series": series}}) == [
        {"period_start": "2026-11-07T05:00:00.000000Z", "resolution": "days", "sent": 1, "responses_2xx": None},
        {"period_start": "2026-11-09T05:00:00.000000Z", "resolution": "days", "sent": 0, "responses_2xx": 2},
    ]


@pytest.mark.parametrize(
    ("start", "first"),
    [
        ("2025-12-01 00:00:00 -0500 EST", "2025-12-01T05:00:00.000000Z"),
        ("2025-12-01 00:00:00 +0000 UTC", "2025-12-01T00:00:00.000000Z"),
        ("2025-12-01T00:00:00+05:30", "2025-11-30T18:30:00.000000Z"),
        ("2025-12-01T00:00:00Z", "2025-12-01T00:00:00.000000Z"),
    ],
)
def test_periods_begin_at_the_instant_that_the_answer_names(start: str, first: str) -> None:
    assert [row["period_start"] for row in made({"start": start, "metric": {"series": {"sent": [1]}}})] == [first]


@pytest.mark.parametrize("metric", [None, {}, {"series": None}, {"series": {}}, {"series": {"sent": None}}, []])
def test_no_activity_is_written_in_many_ways(metric: Any) -> None:
    assert made({"metric": metric}) == []
    assert of_links({"links": [{"link": {"id": 1}, "metric": metric}]})[0]["series"] == {}
    assert made({"journey_metric": None}, records=of_journey) == made({"journey_metric": {}}, records=of_journey) == []


@pytest.mark.parametrize("metric", [{"other": 1}, {"series": "x"}, {"series": {"sent": 3}}, "text", 5])
def test_what_is_no_series_is_no_answer(metric: Any) -> None:
    with pytest.raises(ValueError, match="answer"):
        of_parent({"metric": metric})
    good = {"link": {"id": 2}, "metric": {"series": {"clicked": [3]}}}
    rows = of_links({"links": [{"link": {"id": 1}, "metric": metric}, good, None]})
    assert [(row["link_id"], "odd" in row) for row in rows] == [(1, True), (2, False), (None, True)]
    assert [(row["link_id"], "odd" in row) for row in with_unique(rows, rows[1:2])] == [
        (2, False),
        (1, True),
        (None, True),
    ]
    with pytest.raises(ValueError, match="answer"):
        list(periods(rows, unit("campaign_link_metrics", partition="days")))


def test_links_without_an_id_are_taken_together() -> None:
    def link(known: Any, *clicks: int) -> dict[str, Any]:
        return {"link": known, "metric": {"series": {"clicked": list(clicks)}}}

    found = of_links({"links": [link(None, 1, 2), link({"id": 9, "href": "h"}, 3), link({"href": "g"}, 4)]})
    assert [(row["link_id"], row["href"], row["series"]) for row in found] == [
        (0, None, {"clicked": [1, 6]}),
        (9, "h", {"clicked": [3]}),
    ]


def test_unique_clicks_stand_beside_the_others() -> None:
    rows = [{"link_id": 1, "href": "h", "series": {"clicked": [5, 6]}}]
    unique = [{"link_id": 1, "series": {"clicked": [2]}}, {"link_id": 2, "href": "g", "series": {"clicked": [1]}}]
    assert [(row["link_id"], row["series"]) for row in with_unique(rows, unique)] == [
        (1, {"clicked": [5, 6], "unique_clicked": [2]}),
        (2, {"unique_clicked": [1]}),
    ]


def test_resolutions_and_channels_are_units_of_their_own() -> None:
    chosen = settings(metrics_resolutions=["hours", "months"])
    assert by_channel(chosen) == {"hours/all": {}, "months/all": {}}
    chosen = settings(metrics_channels=["email", "all"])
    assert by_channel(chosen) == {"days/email": {"type": "email"}, "days/all": {}}
    choose = STREAMS["campaign_metrics"].choose_key
    assert choose is not None and choose(settings()) is None
    assert choose(chosen) == ("campaign_id", "resolution", "period_start", "channel")
    (row,) = made({"metric": {"series": {"sent": [1]}}}, "days/email")
    assert (row["resolution"], row["channel"]) == ("days", "email")


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


def test_people_who_share_an_id_are_all_written_and_named(caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"id": each, "identifiers": {"cio_id": each, "id": "twin"}} for each in ("a1", "a2")]
    assert [row["id"] for row in person(rows, unit("customers"))] == ["twin", "cio_a2"]
    assert "twin" in caplog.text and "a2" in caplog.text
    by_cio_id = unit("customers", settings=settings(customers_key="cio_id"))
    assert [row["id"] for row in person(rows, by_cio_id)] == ["twin", "twin"]


def test_rows_without_a_key_pass_to_be_named() -> None:
    assert people({"customers": [None, {"customer": None, "id": "a"}]}) == [None, {"customer": None, "id": "a"}]
    assert people({"identifiers": [{"cio_id": "a"}, None, {"id": "7"}]}) == [None, {"id": None}]
    assert next(person([{"email": "x"}], unit("customers")))["id"] is None
    assert suppressed({"category": "c", "suppressions": [None, {"email": "x"}]})[0] is None
    of_list = unit("eps_suppression", partition="blocks")
    assert [row["id"] for row in suppression([{"email": "x"}, {}], of_list)] == ["blocks::x", None]
    assert list(relationships({"cio_relationships": [None]})) == [None]


def test_the_identifiers_of_related_people_are_unpacked_and_their_type_is_not_the_objects() -> None:
    nested = {
        "object_type_id": "0",
        "identifiers": {"cio_id": "c1", "id": None, "email": "x@example.com", "other": 1},
        "attributes": {"role": "owner"},
    }
    flat = {"object_type_id": "0", "cio_object_id": "o", "cio_id": "c2", "email": None}
    assert relationships({"cio_relationships": [nested, flat]}) == [
        {
            "cio_id": "c1",
            "id": None,
            "email": "x@example.com",
            "phone": None,
            "other": 1,
            "attributes": {"role": "owner"},
        },
        {"cio_id": "c2", "id": None, "email": None, "phone": None},
    ]


def test_rows_without_a_key_are_numbered_throughout_their_unit() -> None:
    of_trigger = unit("broadcast_trigger_errors")
    assert [row["row"] for _ in range(2) for row in numbered([{"error": "a"}, {"error": "a"}], of_trigger)] == [
        0,
        1,
        2,
        3,
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


PLAN = b'{"meta":{"error":"Account is not authorized for this feature. Contact support."}}'
SCOPE = b'{"errors":[{"detail":"forbidden (reference a1b2)","status":"403"}]}'
NOT_FOUND = b'{"errors":[{"detail":"not found (reference a1b2)","status":"404"}]}'


@pytest.mark.parametrize(
    ("request_", "status", "body", "expected"),
    [
        (Request("/object_types"), 403, PLAN, UnavailableError),
        (Request("/collections"), 403, PLAN, UnavailableError),
        (Request("/object_types"), 403, SCOPE, RefusedError),
        (Request("/subscription_topics"), 404, NOT_FOUND, UnavailableError),
        (Request("/esp/suppression/blocks"), 402, b"", UnavailableError),
        (Request("/esp/suppression/blocks"), 400, b"", UnavailableError),
        (Request("/esp/suppression/blocks", {"offset": 999}), 400, b"", ApiError),
        (Request("/optouts", {"start": "x"}), 400, b"", ApiError),
        (Request("/objects", method="POST"), 400, b"", ApiError),
        (Request("/objects", method="POST"), 400, PLAN, UnavailableError),
        (Request("/objects/1/ob5/attributes"), 404, NOT_FOUND, GoneError),
        (Request("/campaigns"), 404, NOT_FOUND, GoneError),
        (Request("/collections"), 404, PLAN, UnavailableError),
        (Request("/customers", method="POST"), 400, b'{"errors":[{"detail":"no attribute plan"}]}', ApiError),
        (Request("/segments/4/membership"), 403, SCOPE, RefusedError),
    ],
)
def test_what_the_plan_lacks_is_told_from_what_the_key_may_not_read(
    request_: Request, status: int, body: bytes, expected: type[ApiError]
) -> None:
    assert type(verdict(request_, Response(status, {}, body))) is expected


DATACENTER = b'{"errors":[{"detail":"wrong datacenter","status":"301"}]}'


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (200, {}, DATACENTER),
        (400, {}, DATACENTER),
        (401, {}, b""),
        (301, {}, DATACENTER),
        (301, {}, b""),
        (301, {"Location": f"{EU}/workspaces"}, b""),
        (307, {"Location": f"{EU}/workspaces"}, b""),
    ],
)
def test_an_answer_of_the_other_region_names_region_and_leads_there_once(
    mocked: responses.RequestsMock, status: int, headers: dict[str, str], body: bytes
) -> None:
    found = verdict(Request("/workspaces"), Response(status, headers, body))
    assert isinstance(found, AuthError) and "region" in str(found)
    mocked.get(f"{US}/workspaces", status=status, headers=headers, body=body)
    mocked.get(f"{EU}/workspaces", json={"workspaces": []})
    asking = client()
    check(asking)
    check(asking)
    assert [str(call.request.url) for call in mocked.calls] == [f"{US}/workspaces", *[f"{EU}/workspaces"] * 2]


def test_a_redirect_to_a_strange_host_is_no_word_on_the_key() -> None:
    found = verdict(Request("/snippets"), Response(301, {"Location": "https://x.example/snippets"}))
    assert isinstance(found, ApiError) and not isinstance(found, AuthError)
    row = b'{"snippets":[{"name":"a","value":"wrong datacenter"}]}'
    assert verdict(Request("/snippets"), Response(200, {}, row)) is None


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
    asking, everybody = client(region="us"), unit("customers")
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


@pytest.mark.parametrize("pasted", ["Bearer app-key", " bearer  app-key ", "app-key"])
def test_a_key_may_be_pasted_with_its_scheme(pasted: str) -> None:
    assert settings(access_token=pasted)["access_token"] == "app-key"


def test_lists_that_come_whole_are_written_whole_where_versions_tell_what_vanished() -> None:
    by_name = {stream.name: stream for stream in adapt(TAP, settings(activate_version=True)).streams}
    whole = {name for name, stream in by_name.items() if stream.full_table}
    assert whole == {stream.name for stream in TAP.streams if stream.deletions == LISTED_WHOLE}
    assert {"campaigns", "newsletters", "broadcasts", "segments", "transactional_messages"} <= whole


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


def test_units_of_metrics_that_were_named_by_their_parents_alone_are_taken_up() -> None:
    units = {
        "campaign_metrics": {"5": NOW, "6/days/all": NOW},
        "campaign_action_metrics": {"5/7": NOW},
        "transactional_link_metrics": {"5": NOW, "6/weeks": NOW},
    }
    state = {"bookmarks": {name: {"units": kept} for name, kept in units.items()}}
    found = read_state(state, settings(metrics_resolutions=["weeks", "days"]))["bookmarks"]
    assert {name: list(entry["units"]) for name, entry in found.items()} == {
        "campaign_metrics": ["5/weeks/all", "6/days/all"],
        "campaign_action_metrics": ["5/7/weeks"],
        "transactional_link_metrics": ["5/weeks", "6/weeks"],
    }
