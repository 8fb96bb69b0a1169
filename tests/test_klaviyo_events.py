"""Klaviyo's events: metrics and their names, windows, what is asked for and what is left out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from test_tap_klaviyo import NOW, SEED_EVENTS, STREAMS, run, settings, unit

from shared.protocol import schema
from shared.records import values
from shared.streams import Outcome
from shared.sync.paging import first_request
from shared.testing.runs import differences, run_tap
from tap_klaviyo import events, jsonapi
from tap_klaviyo.sandbox import KlaviyoSandbox
from tap_klaviyo.tap import TAP


@pytest.fixture(scope="module")
def box() -> Iterator[KlaviyoSandbox]:
    with KlaviyoSandbox({"quotas": "0"}) as served:
        yield served


# Which metric feeds which stream


def metric(identifier: str, name: str, integration: str | None = "Klaviyo") -> dict[str, Any]:
    attributes = {"name": name, "integration": {"name": integration} if integration else None}
    return {"type": "metric", "id": identifier, "attributes": attributes}


def fed(*metrics: dict[str, Any]) -> dict[str, str | None]:
    return {row["id"]: row["feeds"] for row in events.metrics({"data": list(metrics)})}


@pytest.mark.parametrize(("stream", "names"), events.ALIASES.items())
def test_a_stream_knows_its_metric_by_every_name_it_ever_had(stream: str, names: Sequence[str]) -> None:
    for name in names:
        assert fed(metric("a", name), metric("b", f"  {name.upper()} ")) == {"a": stream, "b": stream}


def test_klaviyo_s_own_metric_is_preferred_and_another_one_serves_where_there_is_none() -> None:
    own, other = metric("own", "Clicked SMS"), metric("other", "Clicked Text Message", "Postscript")
    assert fed(own, other) == {"own": "clicked_sms", "other": None}
    assert fed(other) == {"other": "clicked_sms"}
    assert fed(metric("bare", "Clicked SMS", None)) == {"bare": "clicked_sms"}


def test_which_metric_is_klaviyo_s_own_may_show_on_a_later_page(tmp_path: Path) -> None:
    with KlaviyoSandbox({"quotas": "0", "metrics_page": "1"}) as box:
        box.account.metrics.sort(key=lambda each: each["attributes"]["integration"]["name"] == "Klaviyo")
        found = run(box, tmp_path, "clicked_sms", "metrics")
        for stream in ("clicked_sms", "metrics"):
            assert differences(found.records(stream), box.truth(stream)) == [], stream


def test_the_category_of_an_integration_is_text_in_whatever_form_it_comes() -> None:
    row = {"integration": {"name": "API", "category": {"object": "category", "id": 3, "category": "API"}}}
    assert jsonapi.plain_category(row)["integration"]["category"] == "API"
    assert jsonapi.plain_category({"integration": {"category": "x"}})["integration"]["category"] == "x"


def test_the_account_s_metrics_become_streams_by_name_or_id_and_never_twice(
    box: KlaviyoSandbox, tmp_path: Path
) -> None:
    found = run(box, tmp_path, "event_placed_order*", metric_streams=["placed order", "Received Email"])
    orders = [each for each in box.account.metrics if each["attributes"]["name"] == "Placed Order"]
    bare, other = sorted(orders, key=lambda each: str(each["attributes"]["created"]))
    names = {bare["id"]: "event_placed_order", other["id"]: f"event_placed_order_{other['id']}"}
    assert sorted(found.by_stream()) == sorted(names.values())
    everything = {event["id"]: event for event in box.truth("events")}
    for each in orders:
        records = found.records(names[each["id"]])
        wanted = [event for event in everything.values() if event["metric_id"] == each["id"]]
        assert differences(records, wanted) == []


def test_all_metrics_that_no_stream_reads_are_meant_by_all(box: KlaviyoSandbox, tmp_path: Path) -> None:
    found = run(box, tmp_path, "event_viewed_product", metric_streams=["all"])
    assert found.status == 0
    assert len(found.records("event_viewed_product")) == 70


# Events


def test_events_that_several_streams_want_are_asked_for_once(tmp_path: Path) -> None:
    def requests(*select: str) -> int:
        with KlaviyoSandbox({"quotas": "0"}) as served:
            found = run(served, tmp_path, *select)
            for stream in select:
                assert differences(found.records(stream), served.truth(stream)) == [], stream
            return served.stats.requests["/api/events"]

    alone, few = requests("events"), requests("receive", "click")
    assert requests("events", "receive", "click", "clicked_sms") == alone
    assert requests(*SEED_EVENTS) == alone + 1 <= few, "a look, and one pass over all metrics; two alone take as many"


def test_a_window_is_asked_for_inclusively_and_in_order() -> None:
    window = ("2026-11-01T00:00:00.000000Z", "2026-11-02T00:00:00.000000Z")
    asked = first_request(STREAMS["receive"], unit(window=window, parent={"metric_id": "SrU8uT"})).params
    assert asked == {
        "filter": 'equals(metric_id,"SrU8uT"),greater-or-equal(datetime,2026-11-01T00:00:00Z),'
        "less-than(datetime,2026-11-02T00:00:00Z)",
        "sort": "datetime",
        "page[size]": 1000,
        "include": "attributions,profile",
    }


def test_revisions_before_2026_know_no_page_size_of_events() -> None:
    window = ("2026-11-01T00:00:00.000000Z", NOW)
    older = unit(window=window, settings=settings(api_revision="2025-10-15"))
    assert "page[size]" not in first_request(STREAMS["events"], older).params


def test_a_profile_that_nobody_selected_is_not_sent() -> None:
    window = ("2026-11-01T00:00:00.000000Z", NOW)
    gone = frozenset(("profile", "attribution_ids", "attributions", "event_properties", "_extra"))
    asked = first_request(STREAMS["receive"], unit(window=window, parent={"metric_id": "a"}, deselected=gone)).params
    assert "include" not in asked
    assert asked["fields[event]"] == "timestamp,datetime,uuid"
    whole = first_request(STREAMS["events"], unit("events", window=window, deselected=gone)).params
    assert whole["include"] == "metric"


@pytest.mark.parametrize("place", [0, 1])
def test_what_is_deselected_is_not_asked_for_and_the_rest_is_as_ever(
    place: int, box: KlaviyoSandbox, tmp_path: Path
) -> None:
    names = ["receive", *(stream.name for stream in TAP.streams if stream.sparse and stream.shared_walk is None)]
    excluded = {name: [*schema.load(TAP.schemas, name)["properties"]][place::3] for name in names}
    member = ("email", "location")[place]
    excluded["receive"].append(f"profile.{member}")
    fields = [f"{name}.{field}" for name, found in excluded.items() for field in found]
    arguments = [*(f"--select={name}" for name in names), *(f"--exclude={field}" for field in fields)]
    found = run_tap("tap-klaviyo", "--sandbox", "speed=100", *arguments, folder=tmp_path)
    assert found.status == 0, found.stderr[-2000:]
    for name in names:
        records, truth = found.records(name), box.truth(name)
        written = {column for record in records for column in record} - {"_extra"}
        assert written and written <= set(truth[0])
        for record in (*truth, *records):
            for column in record.keys() - written:
                del record[column]
            for profile in record.get("profile") or () if name == "receive" else ():
                profile.pop(member, None)
        assert differences(records, truth) == [], name


def test_windows_grow_while_pages_are_few_and_shrink_when_they_are_many() -> None:
    widths = [events.resize(100, Outcome(rows=0, bytes=0, requests=n, seconds=0)) for n in (1, 2, 5, 20, 21)]
    assert widths == [200, 200, 100, 100, 50]


def test_the_first_window_holds_the_look_back() -> None:
    assert events.window(settings(event_window_days=1)) == 7
    assert events.window(settings(event_window_days=1, lookback_hours=0)) == 1


def test_the_event_of_a_deleted_profile_has_none() -> None:
    rows = [
        {"type": "event", "id": "a", "attributes": {}, "relationships": {"profile": {"data": None}}},
        {"type": "event", "id": "b", "attributes": None, "relationships": {"metric": {"links": {}}}},
        {"type": "event", "id": "c"},
    ]
    found = list(events.with_metric(jsonapi.resources("profile", "metric")({"data": rows}), unit()))
    assert [(row["profile"], row["profile_id"], row["metric_id"], row["metric_name"]) for row in found] == [
        ([], None, None, None)
    ] * 3


def test_events_that_share_a_profile_share_no_object() -> None:
    link = {"profile": {"data": {"type": "profile", "id": "p"}}}
    body = {
        "data": [{"type": "event", "id": n, "attributes": {}, "relationships": link} for n in "ab"],
        "included": [{"type": "profile", "id": "p", "attributes": {"location": {"city": "x"}}}],
    }
    first, second = jsonapi.resources("profile")(body)
    assert first["profile"] == second["profile"]
    assert first["profile"][0]["location"] is not second["profile"][0]["location"]


def test_the_links_that_are_not_read_change_no_row() -> None:
    links = {"links": {"self": "https://a.example/self", "related": "https://a.example/related"}}
    resource = {
        "type": "event",
        "id": "a",
        "attributes": {"links": {"kept": True}},
        "relationships": {
            "profile": {"data": {"type": "profile", "id": "p", **links}, **links},
            "metric": {**links},
            "attributions": {"data": [{"type": "attribution", "id": "x"}], **links},
            "gone": None,
        },
        **links,
    }
    profile = {"type": "profile", "id": "p", "attributes": {"email": "a@example.org"}, "relationships": None, **links}
    for body in ({"data": [resource], "included": [profile], **links}, {"data": resource, "included": None}):
        content = json.dumps(body).encode()
        read, whole = values.parse(content, jsonapi.Document)[0], values.parse(content)[0]
        assert len(json.dumps(read)) < len(json.dumps(whole))
        rows = jsonapi.resources("profile")
        assert rows(read) == rows(whole)
        assert rows(read)[0]["links"] == {"kept": True}


@pytest.mark.parametrize("broken", [{}, [], None, {"data": 5}, {"data": None}])
def test_an_answer_without_data_is_no_answer(broken: Any) -> None:
    with pytest.raises(ValueError, match="data"):
        jsonapi.resources()(broken)


def test_an_odd_resource_passes_to_be_left_out_alone() -> None:
    rows = jsonapi.resources()({"data": ["x", {"type": "tag", "id": "1"}]})
    assert rows[0] == "x" and rows[1]["id"] == "1"


@pytest.mark.parametrize(("gone", "linkage"), [("null", "always"), ("missing", "sparse")])
def test_linkage_may_be_null_missing_or_complete(gone: str, linkage: str, tmp_path: Path) -> None:
    with KlaviyoSandbox({"quotas": "0", "gone_profile": gone, "linkage": linkage}) as box:
        found = run(box, tmp_path, "click", "tags", "lists")
        for stream in ("click", "tags", "lists"):
            assert differences(found.records(stream), box.truth(stream)) == [], stream


def test_future_events_are_left_out_and_on_demand_read_without_moving_a_bookmark(
    box: KlaviyoSandbox, tmp_path: Path
) -> None:
    for wanted in (False, True):
        found = run(box, tmp_path, "receive", "events", include_future_events=wanted)
        assert found.status == 0
        for stream in ("receive", "events"):
            truth = box.truth(stream, {"include_future_events": wanted})
            assert differences(found.records(stream), truth) == []
        marks = [
            *(mark for unit in found.state["bookmarks"]["receive"]["units"].values() for mark in unit),
            found.state["bookmarks"]["events"]["datetime"],
        ]
        assert all(mark < "2026-11-01T13" for mark in marks)


def test_a_bookmark_in_the_future_does_no_harm(box: KlaviyoSandbox, tmp_path: Path) -> None:
    (identifier,) = [m["id"] for m in box.account.metrics if m["attributes"]["name"] == "Received Email"]
    state = {"bookmarks": {"receive": {"units": {identifier: "2027-06-01T00:00:00Z"}}}}
    found = run(box, tmp_path, "receive", state=state)
    assert found.status == 0
    assert found.records("receive")


def test_a_metric_that_is_not_there_yet_is_an_empty_stream_and_the_metrics_are_read_once(tmp_path: Path) -> None:
    with KlaviyoSandbox({"quotas": "0"}) as box:
        found = run(box, tmp_path, "failed_to_deliver*", "receive", "metrics")
        assert found.status == 0
        assert found.records("failed_to_deliver_automated_response") == []
        assert box.stats.requests["/api/metrics"] == 1


def test_a_renamed_metric_goes_on_where_it_was(tmp_path: Path) -> None:
    with KlaviyoSandbox({"quotas": "0"}) as box:
        first = run(box, tmp_path, "clicked_sms", "consented_to_receive")
        box.advance(1)
        second = run(box, tmp_path, "clicked_sms", "consented_to_receive", state=first.state)
        for stream in ("clicked_sms", "consented_to_receive"):
            new = {record["id"] for record in box.changed_since(0, stream)}
            written = {record["id"] for record in second.records(stream)}
            assert new and new <= written
            assert len(written) < len(box.truth(stream))
            assert set(first.state["bookmarks"][stream]["units"]) == set(second.state["bookmarks"][stream]["units"])
