"""What is odd about the Iterable tap: identities of events, profiles, metrics, quotas, errors, older states."""

from __future__ import annotations

import io
import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, cast

import hypothesis
import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st

from shared.api.answers import Response
from shared.api.client import Client, Context
from shared.api.request import Request
from shared.command import config
from shared.errors import (
    ApiError,
    AuthError,
    ConfigError,
    GoneError,
    PartError,
    QuotaError,
    RefusedError,
    RetryableError,
    TooLargeError,
    UnavailableError,
)
from shared.report import Report
from shared.streams import Checkpoint, LeftOut, Outcome, Rows, Unit
from shared.tap import settings_of
from tap_iterable import (
    campaigns,
    catalogs,
    event_streams,
    experiments,
    exports,
    members,
    metrics,
    profiles,
    spooled,
    templates,
)
from tap_iterable.client import EXPORT, check, connect, quotas, rates, stated, verdict
from tap_iterable.events import Export
from tap_iterable.pages import has_more
from tap_iterable.project import Project, project
from tap_iterable.streams import STREAMS, forecast, without_secrets
from tap_iterable.tap import TAP, read_state, validate

KEY = "0123456789abcdef0123456789abcdef"
API = "https://api.iterable.com"
NOW = "2026-11-10T08:00:00.000000Z"
DEFAULTS = {setting.name: setting.default for setting in settings_of(TAP)}
BY_NAME = {stream.name: stream for stream in STREAMS}


def settings(**given_ones: Any) -> dict[str, Any]:
    return {**DEFAULTS, "api_key": KEY, "start_date": "2026-01-01T00:00:00.000000Z", **given_ones}


def of_project(kind: str = "email", **fields: str) -> dict[str, Any]:
    return {"project": Project(kind=kind, fields=fields)}


def unit(stream: str = "email_open", **members: Any) -> Unit:
    return Unit(**{"stream": stream, "settings": settings(), "now": NOW, **members})


def client(**given_ones: Any) -> Client:
    context = Context(settings=validate(settings(**given_ones)), report=Report("tap-iterable"), stop=threading.Event())
    return connect(context)


def answer(status: int, body: Any = None, **headers: str) -> Response:
    return Response(status, headers, json.dumps(body).encode() if body is not None else b"")


# Events


OPENED = {"email": "a@example.com", "createdAt": "2026-11-01 10:00:00 +00:00", "messageId": "m", "ip": "1.2.3.4"}


def ids(*rows: dict[str, Any], data_type: str = "emailOpen") -> list[str]:
    return [row["_event_id"] for row in written(Export(data_type=data_type), *rows)]


def written(export: Export, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    file = io.BytesIO(b"\n".join(json.dumps(row).encode() for row in rows))
    numbers = spooled.Numbers(spooled.counted(file))
    file.seek(0)
    return [row for batch in spooled.batches(file, export, numbers, spooled.Broken()) for row in batch.rows]


def test_an_event_s_id_is_what_the_reference_says() -> None:
    from hashlib import sha256

    values = ["emailOpen", "2026-11-01T10:00:00", "a@example.com", None, None, "m"]
    text = json.dumps([*values, *[None] * 7, "1.2.3.4", *[None] * 18], separators=(",", ":"))
    assert ids(OPENED) == [sha256(f"{text}#0".encode()).hexdigest()[:32]]


def test_equal_events_are_numbered() -> None:
    assert len(set(ids(OPENED, {**OPENED, "ip": "5.6.7.8"}, OPENED, OPENED))) == 4


@pytest.mark.parametrize("name", ["itblInternal", "isBot", "labels", "campaignName"])
def test_what_changes_later_is_no_part_of_an_id(name: str) -> None:
    assert ids(OPENED) == ids({**OPENED, name: "changed"})


def test_the_type_and_the_form_of_a_time_matter_as_little_as_they_should() -> None:
    assert ids(OPENED) == ids({**OPENED, "createdAt": "2026-11-01T12:00:00+02:00"})
    assert ids(OPENED) != ids(OPENED, data_type="emailClick")


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=12), st.randoms(use_true_random=False))
def test_ids_are_unique_and_the_same_however_the_rows_are_shuffled(names: list[str], chance: random.Random) -> None:
    rows = [{**OPENED, "messageId": name} for name in names]
    first = ids(*rows)
    chance.shuffle(rows)
    assert sorted(first) == sorted(ids(*rows))
    assert len(set(first)) == len(names)


def test_odd_values_do_not_stop_an_event() -> None:
    odd: list[dict[str, Any]] = [
        {**OPENED, "email": "\ud83d"},
        {**OPENED, "campaignId": 2**70},
        {"createdAt": None},
        {"createdAt": 5},
    ]
    assert len(set(ids(*odd))) == 4


EVENT_BODIES = st.fixed_dictionaries(
    {"createdAt": st.sampled_from(["2026-11-01 10:00:00 +00:00", "2026-11-01 10:00:01 +00:00"])},
    optional={
        "email": st.sampled_from(["a@example.com", "b@example.com"]),
        "eventName": st.sampled_from(["cart", "view"]),
        "dataFields": st.dictionaries(st.sampled_from("xy"), st.integers(0, 2), max_size=2),
        "price": st.integers(0, 2),
        "shoppingCartItems": st.lists(st.fixed_dictionaries({"id": st.sampled_from("pq")}), max_size=2),
    },
)


@hypothesis.settings(deadline=None)
@given(st.lists(EVENT_BODIES, max_size=12), st.integers(0, 12), st.randoms(use_true_random=False))
def test_the_same_events_have_the_same_ids_in_any_order_over_two_runs(
    rows: list[dict[str, Any]], late: int, chance: random.Random
) -> None:
    """Some of them become visible late; an event keeps its id, so that it is neither lost nor written twice."""

    def named(events: list[dict[str, Any]]) -> dict[str, str]:
        made = written(Export(data_type="customEvent", declared=frozenset(event_streams.CUSTOM)), *events)
        return {row["_event_id"]: json.dumps({**row, "_event_id": ""}, sort_keys=True) for row in made}

    first = named(rows[late:])
    shuffled = list(rows)
    chance.shuffle(shuffled)
    second = named(shuffled)
    assert len(second) == len(rows)
    assert {**second, **first} == second == named(rows)


@pytest.mark.parametrize("body", [b'{"a":1}\n{"a":', b"<html></html>", b"[1]", b'{"a":1}{"b":2}'])
def test_a_body_that_does_not_end_in_a_row_is_unfinished(body: bytes) -> None:
    with pytest.raises(spooled.UnfinishedError) as caught:
        spooled.counted(io.BytesIO(body))
    assert (caught.value.tail, caught.value.lines) == (body.split(b"\n")[-1], body.count(b"\n") + 1)


def test_an_error_at_the_end_of_the_rows_is_one() -> None:
    body = b'{"a":1}\n{"msg":"An error occurred","code":"GenericError","params":null}\n'
    with pytest.raises(spooled.UnfinishedError):
        spooled.counted(io.BytesIO(body))


@pytest.mark.parametrize(
    "body", [b"", b"\n\n", b'{"a":1}', b'{"a":1}\r\n{"a":2}\n\n', b'{"a":"' + b"x" * 200_000 + b'"}']
)
def test_a_missing_last_newline_and_blank_lines_are_none(body: bytes) -> None:
    file, broken = io.BytesIO(body), spooled.Broken()
    numbers = spooled.Numbers(spooled.counted(file))
    file.seek(0)
    rows = [
        row for batch in spooled.batches(file, Export(data_type="emailOpen"), numbers, broken) for row in batch.rows
    ]
    assert (len(rows), broken.lines) == (body.count(b'"a"'), 0)


@pytest.mark.parametrize("line", [b"{", b"null", b'{"a":1},{"a":2}', b'"', b"\xff", b'{"msg":"x","code":"y"}'])
@pytest.mark.parametrize("is_bounded", [True, False])
def test_a_broken_line_costs_that_line(line: bytes, is_bounded: bool) -> None:
    body = b'{"a":1}\n{"a":2}\n' + line + b'\n\n{"a":3}\n'
    file, broken = io.BytesIO(body), spooled.Broken()
    export = Export(data_type="user", is_event=False)
    end = len(body) if is_bounded else None
    batches = spooled.batches(file, export, spooled.Numbers(5), broken, end=end)
    assert [row["a"] for batch in batches for row in batch.rows] == [1, 2, 3]
    assert (broken.lines, broken.first) == (1, 3)
    assert broken.left_out(("2026-11-01T00:00:00.0Z", NOW)).what.startswith("line 3 of the export of 2026-11-01T00")


def test_rows_of_many_portions_come_whole_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooled, "BATCH_BYTES", 20)
    body = b"".join(b'{"a":%d}\n' % number for number in range(100))
    for end in (None, len(body)):
        batches = spooled.batches(
            io.BytesIO(body), Export(data_type="user", is_event=False), spooled.Numbers(0), spooled.Broken(), end=end
        )
        assert [row["a"] for batch in batches for row in batch.rows] == list(range(100))


@given(st.lists(st.integers(0, 40), max_size=60))
def test_equal_ones_are_numbered_however_full_the_table(values: list[int]) -> None:
    numbers, met = spooled.Numbers(len(values)), Counter[int]()
    for value in values:
        # In one place of the table, and told apart there.
        assert numbers.count((value * (len(values) * 4 // 3 + 17)).to_bytes(8, "big") + b"rest") == met[value]
        met[value] += 1


@pytest.mark.parametrize("name", ["transactionalData", "payload"])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('{"a":{"b":1}}', {"a": {"b": 1}}),
        ({"a": 1}, {"a": 1}),
        ("no JSON", {"_raw": "no JSON"}),
        ("[1]", {"_raw": "[1]"}),
        ([1], {"_raw": [1]}),
        (5, {"_raw": 5}),
        (None, None),
    ],
)
def test_an_object_that_came_as_text_or_as_something_else_is_kept(name: str, data: Any, expected: Any) -> None:
    (row,) = written(Export(data_type="pushOpen"), {name: data})
    assert row[name] == expected


CUSTOM = Export(data_type="customEvent", declared=frozenset(event_streams.CUSTOM))
PURCHASE = Export(data_type="purchase", declared=frozenset(event_streams.PURCHASE))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"price": 1, "dataFields": {"a": 2}}, {"dataFields": {"price": 1, "a": 2}}),
        ({"price": 1, "dataFields": {"price": 2}}, {"price": 1, "dataFields": {"price": 2}}),
        ({"price": 1, "dataFields": {"price": 1}}, {"dataFields": {"price": 1}}),
        ({"price": None, "dataFields": {"price": 2}}, {"dataFields": {"price": 2}}),
        ({"price": 1, "dataFields": [3]}, {"dataFields": {"_raw": [3], "price": 1}}),
        ({"dataFields": '{"a":1}', "b": 2}, {"dataFields": {"a": 1, "b": 2}}),
        ({"dataFields": None, "b": {"c": 2}}, {"dataFields": {"b": {"c": 2}}}),
        ({"email": "e"}, {"email": "e"}),
    ],
)
def test_own_fields_of_an_event_stand_in_data_fields_wherever_they_came(
    row: dict[str, Any], expected: dict[str, Any]
) -> None:
    (found,) = written(CUSTOM, row)
    assert {name: value for name, value in found.items() if name != "_event_id"} == expected


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"itblInternal.documentCreatedAt": "x"}, {"itblInternal": {"documentCreatedAt": "x"}}),
        ({"deeplink.ios": "a", "deeplink.android": "b"}, {"deeplink": {"ios": "a", "android": "b"}}),
        ({"deeplink": {"ios": "a"}, "deeplink.ios": "b"}, {"deeplink": {"ios": "a"}, "deeplink.ios": "b"}),
        ({"deeplink": {"ios": "a"}, "deeplink.web": "b"}, {"deeplink": {"ios": "a", "web": "b"}}),
        ({"payload.path": "/"}, {"payload": {"path": "/"}}),
        ({"impressions": '[{"id": 1}]'}, {"impressions": [{"id": 1}]}),
        ({"impressions": "none"}, {"impressions": "none"}),
        ({"deeplink": "text", "deeplink.ios": "a"}, {"deeplink": "text", "deeplink.ios": "a"}),
        ({"emailListIds": 5, "channelIds": "[6]"}, {"emailListIds": [5], "channelIds": [6]}),
        ({"emailListIds": "7, 8", "channelIds": "[]"}, {"emailListIds": [7, 8], "channelIds": []}),
        ({"emailListIds": "all", "channelIds": [1]}, {"emailListIds": "all", "channelIds": [1]}),
    ],
)
def test_an_event_is_the_same_in_every_dress(row: dict[str, Any], expected: dict[str, Any]) -> None:
    found, plain = written(Export(data_type="pushOpen"), row), written(Export(data_type="pushOpen"), expected)
    assert found == plain
    assert {name: value for name, value in found[0].items() if name != "_event_id"} == expected


def test_items_that_came_as_parallel_arrays_are_objects() -> None:
    (found,) = written(PURCHASE, {"shoppingCartItems.id": ["a", "b"], "shoppingCartItems.price": [1, 2]})
    assert found["shoppingCartItems"] == [{"id": "a", "price": 1}, {"id": "b", "price": 2}]
    (found,) = written(PURCHASE, {"shoppingCartItems.id": ["a", "b"], "shoppingCartItems.price": [1]})
    assert found["dataFields"] == {"shoppingCartItems.id": ["a", "b"], "shoppingCartItems.price": [1]}


@pytest.mark.parametrize("name", ["custom_event", "purchase", "email_subscribe"])
def test_events_with_own_fields_know_which_are_not_their_own(name: str) -> None:
    from shared.protocol import schema

    declared = {
        "custom_event": event_streams.CUSTOM,
        "purchase": event_streams.PURCHASE,
        "email_subscribe": event_streams.SUBSCRIBE,
    }
    assert set(declared[name]) == set(schema.load(TAP.schemas, name)["properties"])


@pytest.mark.parametrize(
    ("given_ones", "minutes"),
    [
        ({}, 7 * 1440),
        ({"lookback_minutes": 5}, 5),
        ({"lookback_minutes": 0}, 0),
        ({"api_window_in_days": 7}, 60),
        ({"event_key": "append"}, 60),
    ],
)
def test_a_week_is_read_again_where_that_costs_no_request(given_ones: dict[str, Any], minutes: float) -> None:
    assert exports.lookback_seconds(settings(**given_ones)) == 60 * minutes
    assert profiles.lookback_seconds(settings(**given_ones)) == 60 * given_ones.get("lookback_minutes", 60)


OLD, LATE = "2026-11-05 10:00:00 +00:00", "2026-11-10 07:30:00 +00:00"


@pytest.mark.parametrize(
    ("row", "is_news"),
    [
        ({"createdAt": OLD, "itblInternal": {"documentCreatedAt": OLD}}, False),
        ({"createdAt": OLD, "itblInternal": {"documentCreatedAt": LATE}}, True),
        ({"createdAt": OLD, "itblInternal": {"documentCreatedAt": OLD, "documentUpdatedAt": LATE}}, True),
        ({"createdAt": LATE, "itblInternal": {"documentCreatedAt": OLD}}, True),
        ({"createdAt": OLD, "itblInternal": {"documentCreatedAt": "2026-11-05T10:00:00+09:00"}}, True),
        ({"createdAt": OLD, "itblInternal": {}}, True),
        ({"createdAt": OLD}, True),
    ],
)
@pytest.mark.parametrize("minutes", [None, 10_080])
def test_of_the_week_that_is_read_again_only_what_came_late_is_written(
    row: dict[str, Any], is_news: bool, minutes: int | None
) -> None:
    one = unit(
        bookmark="2026-11-10T08:00:00.000000Z",
        window=("2026-11-03T08:00:00.000000Z", NOW),
        settings=settings(lookback_minutes=minutes),
    )
    found = exports._news(Rows([row]), one, Export(data_type="emailOpen"))
    assert bool(found.rows) is (is_news or minutes is not None)


@pytest.mark.parametrize(
    ("rows", "size", "seconds", "factor"),
    [
        (0, 0, 100, 4),
        (9, 1, 3, 4),
        (9, 100_000_000, 3, 2),
        (9, 1, 30, 2),
        (9, 1, 100, 1),
        (9, 1, 151, 0.5),
        (9, 1_100_000_000, 1, 0.5),
    ],
)
def test_windows_grow_by_steps_and_shrink_when_slow(rows: int, size: int, seconds: float, factor: float) -> None:
    assert exports.resize(1000, Outcome(rows, size, 1, seconds)) == 1000 * factor


def test_what_nobody_selected_is_not_asked_for_unless_something_is_worked_out_of_it() -> None:
    deselected = frozenset({"isBot", "ip", "city", "createdAt", "_extra", "dataFields", "odd, name"})
    window = ("2026-11-01T00:00:00.000000Z", NOW)
    sent = exports.asked(Export(data_type="emailOpen"), unit(window=window, deselected=deselected))
    assert sent["omitFields"] == "isBot"
    one = unit("users", window=window, deselected=deselected, settings=settings(**of_project(ip="s", isBot="s")))
    assert exports.asked(Export(data_type="user", is_event=False), one)["omitFields"] == "isBot"
    one = unit("users", window=window, deselected=deselected)
    assert "omitFields" not in exports.asked(Export(data_type="user", is_event=False), one), "a column may be renamed"
    sent = exports.asked(Export(data_type="emailSend"), unit(window=window, deselected=frozenset({"espName", "email"})))
    assert sent["omitFields"] == "espName", "a message of its own tells each apart"
    sent = exports.asked(members.PROFILES, unit("list_users", window=window))
    assert sent["onlyFields"] == "email,userId,emailListIds,userListIds"
    assert "omitFields" not in sent


@pytest.mark.parametrize(
    ("mode", "since", "expected"),
    [
        ("stream", "2023-11-10", "10 requests, which take 2 minutes, and 0 jobs"),
        ("auto", "2023-11-10", "0 requests, which take 0 minutes, and 10 jobs"),
        ("auto", "2026-11-09", "2 requests, which take 0 minutes, and 0 jobs"),
    ],
)
def test_how_many_exports_are_to_come_is_said(mode: str, since: str, expected: str) -> None:
    units = [
        unit(name, since=f"{since}T00:00:00.000000Z", settings=settings(export_mode=mode))
        for name in ("email_open", "users", "campaigns")
    ]
    assert expected in str(forecast(units))
    assert f"those updated since {since} (start_date)" in str(forecast(units))
    known = [unit("users", since=units[0].since, bookmark=NOW, settings=units[0].settings)]
    assert "start_date" not in str(forecast(known))
    assert forecast(units[2:]) is None


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [("event_id", ("_event_id",)), ("append", ()), ("documented", ("email",))],
)
def test_event_key_chooses_the_key(chosen: str, expected: tuple[str, ...]) -> None:
    from shared.protocol.catalog import key_properties

    assert key_properties(BY_NAME["email_open"], settings(event_key=chosen)) == expected
    assert key_properties(BY_NAME["email_open"], settings(key_mode="contract")) == ("email",)


ROW, TORN = {"createdAt": OLD, "id": "good"}, b'{"createdAt": "2026-11-05 10:00:01 +00:00", "id": "to'


@pytest.mark.parametrize(
    ("second", "is_whole"),
    [
        (TORN, True),
        (TORN + b'\n{"createdAt": "2026-11-05 10:00:01 +00:00"}\n', True),
        (TORN + b'rn"}', False),
        (b"", False),
    ],
)
@responses.activate
def test_a_last_line_that_is_torn_is_told_from_a_body_that_was_cut(second: bytes, is_whole: bool) -> None:
    """By what its own second has of it."""

    def answered(request: Any) -> tuple[int, dict[str, str], bytes]:
        is_second = request.params["endDateTime"] == "2026-11-05 10:00:02"
        return 200, {}, second if is_second else json.dumps(ROW).encode() + b"\n" + TORN

    responses.add_callback("GET", f"{API}/api/export/data.json", answered)
    asked = client(export_requests_per_minute=1000, export_mode="stream")
    one = unit(settings=asked.settings, window=("2026-11-01T00:00:00.000000Z", NOW))
    steps = exports.fetch(Export(data_type="emailOpen"))(asked, one)
    if not is_whole:
        with pytest.raises(TooLargeError, match="The window was"):
            list(steps)
        return
    read: list[Any] = []
    with pytest.raises(PartError, match="line 2 of the export of 2026-11-01T00:00:00") as caught:
        read.extend(steps)
    assert "2026-11-05T10:00:01" in str(caught.value)
    assert len(responses.calls) == 3


@responses.activate
def test_a_type_of_data_that_the_project_calls_otherwise_is_asked_for_so_from_then_on() -> None:
    def answered(request: Any) -> tuple[int, dict[str, str], str]:
        is_known = request.params["dataTypeName"] == "anonSession"
        return (200, {}, json.dumps(ROW)) if is_known else (400, {}, json.dumps({"msg": "Invalid dataTypeName"}))

    responses.add_callback("GET", f"{API}/api/export/data.json", answered)
    asked = client(export_requests_per_minute=1000, export_mode="stream")
    one = unit(settings=asked.settings, window=("2026-11-01T00:00:00.000000Z", NOW))
    found = []
    for _ in range(2):
        steps = exports.fetch(Export(data_type="unknownSession", also="anonSession"))(asked, one)
        found += [row["_event_id"] for step in steps if isinstance(step, Rows) for row in step.rows]
    assert len(responses.calls) == 3
    assert found == ids(ROW, data_type="unknownSession") * 2, "the id is of the type, whatever it is called"
    with pytest.raises(GoneError):
        list(exports.fetch(Export(data_type="rcsSend"))(asked, one))


@responses.activate
def test_a_second_that_is_too_much_for_an_answer_names_the_job() -> None:
    responses.get(f"{API}/api/export/data.json", status=503, headers={"Retry-After": "x"})
    asked = client(export_requests_per_minute=1000, export_mode="stream")
    asked._retry = replace(asked._retry, tries=1)
    second = ("2026-11-01T00:00:00.000000Z", "2026-11-01T00:00:01.000000Z")
    with pytest.raises(RetryableError, match="only an export job can read so much"):
        list(exports.fetch(Export(data_type="emailOpen"))(asked, unit(settings=asked.settings, window=second)))


# Jobs


@pytest.mark.parametrize(
    ("state", "is_done", "is_lost"),
    [
        ("Completed", True, False),
        ("completed", True, False),
        ("Running", False, False),
        ("queued", False, False),
        ("failed", False, True),
        ("cancelling", False, True),
    ],
)
@responses.activate
def test_the_states_of_jobs_are_read_in_either_case(state: str, is_done: bool, is_lost: bool) -> None:
    responses.get(f"{API}/api/export/5/files", json={"jobState": state, "exportTruncated": False, "files": []})
    status = exports.poll(client(), 5)
    assert (status.is_done, status.is_lost) == (is_done, is_lost)


@responses.activate
def test_a_truncated_job_asks_for_a_smaller_window() -> None:
    responses.get(f"{API}/api/export/5/files", json={"jobState": "completed", "exportTruncated": True, "files": []})
    with pytest.raises(TooLargeError):
        exports.poll(client(), 5)


@pytest.mark.parametrize(
    ("resume", "calls"), [({"id": 5}, 1), ({"id": 5, "done": True}, 0), ({"window": []}, 0), (None, 0)]
)
@responses.activate
def test_a_job_is_cancelled_only_while_it_runs(resume: Any, calls: int) -> None:
    responses.delete(f"{API}/api/export/5", json={})
    exports.cancel(client(), resume)
    assert len(responses.calls) == calls


@pytest.mark.parametrize(
    ("mode", "since", "resume", "expected"),
    [
        ("auto", "2026-11-01", None, False),
        ("auto", "2026-01-01", None, True),
        ("auto", "2026-11-01", {"id": 5}, True),
        ("stream", "2026-01-01", {"id": 5}, False),
        ("job", "2026-11-01", None, True),
    ],
)
def test_a_backfill_and_what_was_begun_so_goes_through_jobs(mode: str, since: str, resume: Any, expected: bool) -> None:
    since = f"{since}T00:00:00.000000Z"
    kept = {**resume, "window": [since, NOW]} if resume else None
    one = unit(since=since, window=(since, NOW), resume=kept, settings=settings(export_mode=mode))
    assert exports._is_for_a_job(exports._with_own_resume(one)) is expected


# Users


FIXED = ("email", "userId")


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (("industry", "Industry"), {"industry": "industry", "Industry": "_industry"}),
        (("Industry",), {"Industry": "Industry"}),
        (("Email",), {"Email": "_email"}),
        (("userid",), {"userid": "_userId", "userId": "userId"}),
        (("foo", "Foo", "FOO"), {"foo": "foo", "Foo": "_foo"}),
        (("offers.Intro APR", "offers.intro APR"), {"offers.Intro APR": "_offers.intro APR"}),
    ],
)
def test_fields_that_differ_in_case_are_told_apart(own: tuple[str, ...], expected: dict[str, str]) -> None:
    found = profiles.names_of(own, FIXED)
    assert {name: found[name] for name in expected} == expected
    assert len({name.casefold() for name in found.values()}) == len(found)
    assert found["email"] == "email"


@given(st.lists(st.text(alphabet="aAbB_x", min_size=1, max_size=4), max_size=12))
def test_columns_are_unique_ignoring_case_whatever_the_fields(own: list[str]) -> None:
    found = profiles.names_of(tuple(own), FIXED)
    assert len({name.casefold() for name in found.values()}) == len(found)


def of_user(row: dict[str, Any], **given_ones: Any) -> dict[str, Any]:
    (found,) = profiles.records([row], unit("users", settings=settings(**given_ones)))
    return dict(found)


def test_own_fields_may_stand_in_one_column() -> None:
    found = of_user({"email": "e", "loyalty.points": 5}, users_layout="data_fields")
    assert found == {"email": "e", "dataFields": {"loyalty.points": 5}}


def test_a_date_with_two_fractions_loses_the_second() -> None:
    found = of_user({"email": "e", "d": "2025-12-19T22:43:34.134105.000Z"}, **of_project(d="date"))
    assert found["d"] == "2025-12-19T22:43:34.134105Z"


@pytest.mark.parametrize(
    ("row", "expected"), [({"itblUserId": "i"}, "i"), ({"userId": "u"}, "u"), ({"email": "e"}, "e")]
)
def test_a_user_without_an_itbl_user_id_is_not_lost(row: dict[str, Any], expected: str) -> None:
    assert of_user(row, **of_project("hybrid", itblUserId="string"))["itblUserId"] == expected


@pytest.mark.parametrize(
    ("project_type", "fields", "user", "member"),
    [
        ("auto", {}, "email", "email"),
        ("auto", {"email": "string"}, "email", "email"),
        ("auto", {"itblUserId": "string"}, "itblUserId", "userIdentifier"),
        ("email", {"itblUserId": "string"}, "email", "email"),
        ("userid", {"userId": "string"}, "userId", "userIdentifier"),
    ],
)
@responses.activate
def test_the_project_says_by_what_users_are_told_apart(
    project_type: str, fields: dict[str, str], user: str, member: str
) -> None:
    responses.get(f"{API}/api/users/getFields", json={"fields": fields})
    asked = client(project_type=project_type)
    project(asked.settings).learn(asked)
    project(asked.settings).learn(asked)
    assert len(responses.calls) == 1
    assert profiles.key(asked.settings) == (user,)
    assert profiles.member_key(asked.settings) == (member, "listId")


@responses.activate
def test_a_key_that_may_not_see_the_fields_is_enough_for_the_rest() -> None:
    responses.get(f"{API}/api/users/getFields", status=401, json={"msg": "Invalid API key", "code": "BadApiKey"})
    asked = client()
    project(asked.settings).learn(asked)
    assert (project(asked.settings).fields, project(asked.settings).failure) == ({}, "")
    assert "getFields" in asked.report.notes[0]


@responses.activate
def test_users_fail_alone_when_their_fields_cannot_be_asked_for() -> None:
    responses.get(f"{API}/api/users/getFields", status=404, json={"msg": "x"})
    responses.replace("GET", f"{API}/api/users/getFields", json={"nothing": 1})
    asked = client()
    base = {"type": "object", "properties": {"email": {"type": ["null", "string"]}}}
    assert profiles.extend(base, asked) == base
    assert profiles.extend_members(base, asked) is base
    assert "set project_type" in asked.report.notes[0]
    one = unit("users", settings=asked.settings, window=("2026-11-01T00:00:00.000000Z", NOW))
    with pytest.raises(ApiError, match="Without the project's own fields"):
        list(profiles.fetch(Export(data_type="user", is_event=False))(asked, one))


@responses.activate
def test_field_types_become_columns() -> None:
    fields = {"a": "long", "b": "double", "c": "boolean", "d": "date", "e": "geo_location", "f": "brand_new"}
    asked = client()
    responses.get(f"{API}/api/users/getFields", json={"fields": fields})
    schema = profiles.extend({"type": "object", "properties": {"email": {"type": ["null", "string"]}}}, asked)
    kinds = [schema["properties"][name]["type"][1] for name in "abcdef"]
    assert kinds == ["integer", "number", "boolean", "string", "string", "string"]
    assert schema["properties"]["d"]["format"] == "date-time"


# Lists


def lines(*texts: bytes, **given_ones: Any) -> list[tuple[Any, Any]]:
    one = unit("list_users", parent={"listId": 5}, settings=settings(**given_ones))
    return [(row["email"], row["userId"]) for row in members.rows(texts, one)]


def test_a_line_is_an_email_or_a_user_id() -> None:
    assert lines(b"a@example.com\r\n", b"\n", b"7@placeholder.email", **of_project("hybrid")) == [
        ("a@example.com", None),
        ("7@placeholder.email", None),
    ]
    assert lines("üser\n".encode(), **of_project("hybrid")) == [(None, "üser")]
    assert lines(b"odd\n", **of_project()) == [("odd", None)]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, True),
        ({"list_ids": ["5"]}, True),
        ({"list_ids": [5, "7"]}, True),
        ({"list_ids": ["4, 5"]}, True),
        ({"list_ids": [6]}, False),
        ({"list_types": ["Dynamic"]}, False),
        ({"list_types": ["static"]}, True),
        ({"list_types": ["Standard lists", "Dynamic"]}, True),
    ],
)
def test_settings_choose_lists(chosen: dict[str, Any], expected: bool) -> None:
    parent = {"listId": 5, "listType": "Standard"}
    asked = client(**chosen)
    assert members.is_wanted(unit(parent=parent, settings=asked.settings)) is expected


def test_what_matched_no_list_is_said() -> None:
    asked = client(list_ids=[5, 99], list_types=["Static", "Secret"])
    for number, kind in enumerate(("Standard", "Dynamic"), 5):
        members.is_wanted(unit(parent={"listId": number, "listType": kind}, settings=asked.settings))
    ids, types = members.unmatched(asked, {})
    assert "no list 99." in ids
    assert "of type Secret; the project's are Dynamic, Standard." in types


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ApiError("it fails"), PartError),
        (GoneError("it is gone"), GoneError),
        (RefusedError("refused"), RefusedError),
        (QuotaError("no quota"), QuotaError),
    ],
)
def test_a_list_that_fails_is_a_part_of_its_own_and_has_a_patience_of_its_own(
    error: ApiError, expected: type[ApiError], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, requests = client(list_users_timeout_s=77), []

    def send(request: Request, **_: Any) -> None:
        requests.append(request)
        raise error

    monkeypatch.setattr(asked, "send", send)
    one = unit("list_users", parent={"listId": 5}, settings=asked.settings)
    with pytest.raises(expected, match="5") as caught:
        list(members.fetch(asked, one))
    assert type(caught.value) is expected
    assert [request.silence_seconds for request in requests] == [77]


@pytest.mark.parametrize(
    ("source", "kind", "asked", "on_profiles"),
    [
        ("api", "Standard", True, False),
        ("api", "Dynamic", True, False),
        ("users_export", "Standard", False, True),
        ("users_export", "Suppression", False, True),
        ("users_export", "Dynamic", True, False),
    ],
)
def test_members_are_on_profiles_but_for_dynamic_lists(source: str, kind: str, asked: bool, on_profiles: bool) -> None:
    one = unit(parent={"listId": 5, "listType": kind}, settings=settings(list_users_source=source))
    assert (members.is_asked(one), members.is_on_profiles(one)) == (asked, on_profiles)


# Campaigns, metrics, the rest


def test_a_campaign_that_ended_is_new_although_nobody_edited_it() -> None:
    old = {"updatedAt": "2026-10-01T00:00:00.000000Z", "campaignState": "Finished"}
    since = "2026-11-01T00:00:00.000000Z"
    assert not campaigns.is_new(dict(old), unit(since=since))
    assert campaigns.is_new({**old, "endedAt": "2026-11-02T00:00:00.000000Z"}, unit(since=since))
    assert campaigns.is_new({**old, "campaignState": "Running"}, unit(since=since))
    assert not campaigns.is_new({**old, "startAt": "2027-01-01T00:00:00.000000Z"}, unit(since=since))
    assert campaigns.is_new(dict(old), unit())


def test_a_campaign_is_new_when_anything_of_it_differs_from_what_it_was() -> None:
    old = {"id": 5, "updatedAt": "2026-10-01T00:00:00.000000Z", "campaignState": "Running", "labels": []}
    first = unit(since="2026-11-01T00:00:00.000000Z")
    assert campaigns.is_new(dict(old), first)
    mark = campaigns.remembered(first).mark(first)
    later = unit(since="2026-11-01T00:00:00.000000Z", mark=mark)
    assert not campaigns.is_new(dict(old), later)
    assert campaigns.is_new({**old, "labels": ["spring"]}, later)
    assert campaigns.remembered(later).mark(later) != mark
    assert campaigns.is_new(dict(old), unit(since=first.since, mark="?")), "a memory that cannot be read"


def test_a_recurring_campaign_whose_campaigns_are_not_in_the_list_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    for children, is_said in (([6], False), ([], True)):
        caplog.clear()
        one = unit()
        rows: list[dict[str, Any]] = [
            {"id": 5, "campaignState": "Recurring"},
            *({"id": each, "recurringCampaignId": 5} for each in children),
        ]
        for row in rows:
            campaigns.is_new(row, one)
        campaigns.remembered(one).mark(one)
        assert ("recurring ones 5" in caplog.text) is is_said


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Revenue / Message", "revenue_message"),
        ("Total Email Sends", "total_email_sends"),
        ("Unique Email Opens (filtered)", "unique_email_opens_filtered"),
        ("Purchases / M (Email)", "purchases_per_mille_email"),
        ("Revenue / M", "revenue_per_mille"),
        ("Clicks / Opens", "clicks_opens"),
        ("Campaign ID", "campaignId"),
        ("id", "id"),
    ],
)
def test_headers_become_names(header: str, expected: str) -> None:
    assert metrics.column(header) == expected


def test_of_columns_that_come_twice_the_first_that_says_something_counts() -> None:
    body = b"id,Revenue,Revenue,Total Purchases,Total Purchases\n1,,2.5,NaN,N/A\n2,Infinity,,0,0\n"
    assert metrics.rows(Response(200, {}, body)) == [
        {"id": 1, "revenue": 2.5},
        {"id": 2, "total_purchases": 0},
    ]
    assert metrics.rows(Response(200, {}, b"id,\n")) == []
    assert metrics.rows(Response(200, {}, b"")) == []


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (".25", 0.25),
        ("12.5%", 12.5),
        ("1,234", 1234),
        ("1,234.5", 1234.5),
        ("$5.00", 5.0),
        ("-$3", -3),
        (" 5 ", 5),
        ("1e3", 1000.0),
        *dict.fromkeys(("", " ", "NaN", "N/A", "Infinity", "-Infinity")).items(),
        *((odd, odd) for odd in ("1,5", "(5)", "$", ".", "-", "five", "1e999")),
    ],
)
def test_a_cell_is_a_number_nothing_or_the_text_that_it_is(cell: str, expected: Any) -> None:
    found = metrics.value("revenue", cell)
    assert (found, type(found)) == (expected, type(expected))


@responses.activate
def test_metrics_are_asked_for_over_the_life_of_the_campaigns() -> None:
    responses.get(f"{API}/api/campaigns/metrics", body="id,Revenue\n1,1\n2,2\n")
    made = (1_700_000_000_000, 1_600_000_000_000)
    parts = tuple(unit(key=str(n), parent={"id": n, "createdAt": at}) for n, at in enumerate(made, 1))
    steps = list(metrics.of_campaigns(client(), unit("campaign_metrics", units=parts)))
    assert [row["id"] for step in steps if isinstance(step, Rows) for row in step.rows] == [1, 2]
    assert [step.unit for step in steps if isinstance(step, Checkpoint)] == list(parts)
    sent = cast("Any", responses.calls[0].request).params
    assert (sent["startDateTime"], sent["endDateTime"]) == ("2020-09-13 12:26:40", "2026-11-11 08:00:00")


@responses.activate
def test_a_campaign_that_fails_alone_is_named() -> None:
    responses.get(f"{API}/api/campaigns/metrics", status=400, json={"msg": "odd", "code": "BadParams"})
    with pytest.raises(ApiError, match=r"The campaign was 77\.") as caught:
        list(metrics.of_campaigns(client(), unit("campaign_metrics", units=(unit(parent={"id": 77}),))))
    assert "odd" in str(caught.value)


def test_a_campaign_that_nothing_moves_is_read_once() -> None:
    def mark(moved: str, state: str = "Finished") -> Any:
        from shared.timestamps import parse

        milliseconds = int(parse(moved).timestamp() * 1000)
        parent = {"updatedAt": milliseconds, "endedAt": None, "campaignState": state}
        return metrics.settled(unit("campaign_metrics", parent=parent))

    assert mark("2026-11-01") is True
    assert mark("2026-09-01") == "2026-09-01T00:00:00"
    assert mark("2026-09-01", "Running") is True, "it still sends, and nothing of it moves"


def test_windows_are_whole_days_or_weeks_from_monday() -> None:
    sunday, tuesday = "2026-11-08T23:00:00.000000Z", "2026-11-10T00:00:00.000000Z"
    days = [start[:10] for start, _ in metrics.windows(sunday, tuesday, 1)]
    assert days == ["2026-11-08", "2026-11-09", "2026-11-10"]
    weeks = [(start[:10], end[:10]) for start, end in metrics.windows(sunday, tuesday, 7)]
    assert weeks == [("2026-11-02", "2026-11-09"), ("2026-11-09", "2026-11-16")]


def test_a_webhook_s_secrets_are_left_out() -> None:
    (found,) = without_secrets([{"id": 1, "authToken": "hush"}], unit("webhooks"))
    assert "authToken" not in found


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"nextPageUrl": "/api/x?page=2"}, True),
        ({"nextPageUrl": ""}, False),
        ({}, False),
        ({"params": {"nextPageUrl": "https://elsewhere.example"}}, True),
    ],
)
def test_a_next_page_is_known_by_its_url_which_is_not_followed(body: Any, expected: bool) -> None:
    assert has_more(body) is expected


def test_an_experiment_has_what_the_list_says_and_what_its_meta_says() -> None:
    parent = {"id": 5, "name": "listed", "author": "me"}
    row = {"id": 5, "meta": {"name": "own", "campaignId": 7, "orgId": 1}}
    assert list(experiments.described([row, {"id": 5}], unit(parent=parent))) == [
        {**row, "name": "own", "author": "me", "campaignId": 7},
        {"id": 5, "name": "listed", "author": "me"},
    ]


def test_totals_and_trends_come_by_variant() -> None:
    variant = {"id": 0, "name": "A", "isControl": True, "isWinner": False}
    assert experiments.totals({"status": "running", "variants": [{**variant, "metrics": {"sends": 5}}]}) == [
        {
            "variantId": 0,
            "name": "A",
            "isControl": True,
            "isWinner": False,
            "status": "running",
            "metrics": {"sends": 5},
        }
    ]
    held = {**variant, "id": -1, "series": {"opens": [{"time": "t", "value": 1}, {"time": "u", "value": 2}]}}
    body = {
        "interval": "day",
        "variants": [{**variant, "series": {"sends": [{"time": "t", "value": 3}]}}],
        "holdout": held,
    }
    found = [(row["variantId"], row["metric"], row["time"], row["value"]) for row in experiments.trends(body)]
    assert found == [(0, "sends", "t", 3), (-1, "opens", "t", 1), (-1, "opens", "u", 2)]
    assert {row["interval"] for row in experiments.trends(body)} == {"day"}
    with pytest.raises(ValueError, match="variants"):
        experiments.totals({"msg": "odd"})


# What answers mean


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        ("/api/channels", 401, AuthError),
        ("/api/channels", 403, AuthError),
        ("/api/export/data.json", 401, RefusedError),
        ("/api/catalogs", 403, RefusedError),
        ("/api/lists/getUsers", 400, GoneError),
        ("/api/lists/12/size", 400, GoneError),
        ("/api/templates/inapp/get", 400, GoneError),
        ("/api/users/forgottenUserIds", 400, GoneError),
        ("/api/export/5/files", 400, GoneError),
        ("/api/export/data.json", 400, GoneError),
        ("/api/experiments", 404, UnavailableError),
        ("/api/experiments/5", 404, GoneError),
        ("/api/campaigns/metrics", 409, TooLargeError),
        ("/api/catalogs/c/items", 400, TooLargeError),
        ("/api/campaigns", 400, ApiError),
        ("/api/metadata/t/k", 404, GoneError),
        ("/api/campaigns/metrics", 414, TooLargeError),
        ("/api/export/data.json", 500, RetryableError),
        ("/api/export/data.json", 504, RetryableError),
        ("https://files.example/x", 403, RefusedError),
    ],
)
def test_errors_are_told_apart(path: str, status: int, expected: type[ApiError]) -> None:
    # "Success" under an error status is seen; the status decides.
    found = verdict(Request(path), answer(status, {"msg": "what it says", "code": "Success", "params": None}))
    assert type(found) is expected
    assert "what it says" in str(found)


def test_a_template_that_fails_is_named() -> None:
    found = verdict(Request("/api/templates/email/get", {"templateId": 512}), answer(500, {"msg": "no"}))
    assert isinstance(found, RetryableError)
    assert "The template was 512." in str(found)


@pytest.mark.parametrize(("status", "is_left_out"), [(404, False), (403, True)])
@responses.activate
def test_a_catalog_comes_without_the_types_of_its_fields(status: int, is_left_out: bool) -> None:
    responses.get(f"{API}/api/catalogs", json={"params": {"catalogNames": [{"name": "a/b"}, {"name": "c"}]}})
    responses.get(f"{API}/api/catalogs/a%2Fb/fieldMappings", status=status, json={"msg": "no"})
    responses.get(f"{API}/api/catalogs/c/fieldMappings", json={"params": {"definedMappings": {"x": "long"}}})
    asked = client()
    steps = list(catalogs.described(asked, unit("catalogs", settings=asked.settings)))
    written_ones = [row for step in steps if isinstance(step, Rows) for row in step.rows]
    assert [(row["name"], row["definedMappings"]) for row in written_ones] == [("a/b", None), ("c", {"x": "long"})]
    assert [step.what for step in steps if isinstance(step, LeftOut)] == [
        "the field types of catalog a/b"
    ] * is_left_out
    assert bool(asked.report.notes) is not is_left_out


@pytest.mark.parametrize("status", [400, 403])
@responses.activate
def test_a_filter_of_templates_that_is_refused_costs_what_it_would_have_told(status: int) -> None:
    """For good, where the project does not know it; else the next run tells, so the bookmark stays."""

    def answered(request: Any) -> tuple[int, dict[str, str], str]:
        if request.params.get("messageMedium") == "SMS":
            return status, {}, json.dumps({"msg": "Invalid messageMedium"})
        is_mine = request.params.get("messageMedium", "Push") == "Push" and "templateType" not in request.params
        return 200, {}, json.dumps({"templates": [{"templateId": 5}] if is_mine else []})

    responses.add_callback("GET", f"{API}/api/templates", answered)
    asked = client()
    steps: list[Any] = []
    with nullcontext() if status == 400 else pytest.raises(PartError, match="Invalid messageMedium"):
        steps.extend(templates.listed(asked, unit("templates", settings=asked.settings)))
    assert [row for step in steps if isinstance(step, Rows) for row in step.rows] == [
        {"templateId": 5, "messageMedium": "Push"}
    ]
    assert ["messageMedium SMS" in note for note in asked.report.notes] == [True] * (status == 400)


def test_a_wrong_key_names_type_and_region() -> None:
    found = str(verdict(Request("/api/channels"), answer(401, {"msg": "Invalid API key", "code": "BadApiKey"})))
    assert "region" in found
    assert "server-side" in found


RATE = "Exceeded rate limit of {} for endpoint: /api/export/data.json, project: 2158 "


@pytest.mark.parametrize(
    ("text", "headers", "seconds"),
    [
        (RATE.format("4.0 per minute"), {}, 15.125),
        (RATE.format("2.0 per second"), {}, 0.525),
        ("Too many", {}, None),
        (RATE.format("4.0 per minute"), {"Retry-After": "3"}, 3),
    ],
)
def test_a_429_tells_how_long_to_wait(text: str, headers: dict[str, str], seconds: float | None) -> None:
    found = verdict(Request("/api/export/data.json"), answer(429, {"msg": text}, **headers))
    assert isinstance(found, RetryableError)
    assert found.everyone
    assert found.wait_seconds == (pytest.approx(seconds) if seconds else seconds)


@pytest.mark.parametrize(("per_minute", "expected"), [(4, ((4, 60.5),)), (0.5, ((1, 120.5),)), (4.9, ((4, 60.5),))])
def test_a_rate_is_a_window_a_little_longer_than_a_minute(per_minute: float, expected: Any) -> None:
    assert rates(per_minute) == expected


def test_the_quota_that_a_429_names_is_learned_but_never_a_larger_one() -> None:
    asked = client(export_requests_per_minute=4)
    learned: list[Any] = []
    asked.limits.learn = lambda quota, rates: learned.append((quota, rates))  # type: ignore[method-assign]
    request = Request("/api/export/data.json", quota=EXPORT)
    for said in ("10.0 per minute", "2.0 per minute", "2.0 per minute"):
        asked._verdict(request, answer(429, {"msg": RATE.format(said)}))
    assert learned == [(EXPORT, ((2, 60.5),))]
    assert stated(answer(429, {"msg": "no rate"})) is None


def test_quotas_are_those_of_the_settings() -> None:
    found = {quota.name: quota for quota in quotas(settings(export_requests_per_minute=2, export_concurrency=1))}
    assert found[EXPORT].rates == ((2, 60.5),)
    assert found[EXPORT].connections == 1


# Settings and states


def configured(tmp_path: Any, **given_ones: Any) -> config.Config:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"api_key": KEY, "start_date": "2026-01-01", **given_ones}))
    return config.read(TAP, [str(file)], environ={})


@pytest.mark.parametrize(("region", "host"), [("us", API), ("EU", "https://api.eu.iterable.com")])
def test_a_region_is_a_host(tmp_path: Any, region: str, host: str) -> None:
    asked = client(**configured(tmp_path, region=region).settings)
    with responses.RequestsMock() as api:
        api.get(f"{host}/api/channels", json={"channels": []})
        check(asked)


EU = "https://api.eu.iterable.com"


@pytest.mark.parametrize(
    ("elsewhere", "status", "said"),
    [
        ({"status": 200, "json": {"channels": []}}, 401, "set region to EU"),
        ({"status": 401, "json": {}}, 401, "Check api_key and region"),
        ({"status": 502}, 401, "Check api_key and region"),
        ({"status": 401, "json": {}}, 403, "not one for mobile"),
    ],
)
def test_a_key_of_the_other_region_an_unknown_one_and_one_of_a_wrong_type_are_told_apart(
    elsewhere: dict[str, Any], status: int, said: str
) -> None:
    asked = client()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as api:
        api.get(f"{API}/api/channels", status=status, json={"msg": "Invalid API key", "code": "BadApiKey"})
        api.get(f"{EU}/api/channels", **elsewhere)
        with pytest.raises(AuthError, match=said):
            check(asked)
    assert asked.settings["region"] == "US"


def test_a_key_is_not_shown_to_the_other_region_where_the_address_was_given() -> None:
    asked = client(base_url="https://proxy.example")
    with responses.RequestsMock() as api:
        api.get("https://proxy.example/api/channels", status=401, json={"msg": "Invalid API key"})
        with pytest.raises(AuthError):
            check(asked)


@pytest.mark.parametrize(
    "wrong", [{"region": "DE"}, {"list_ids": "5;6"}, {"api_key": "a b"}, {"api_window_in_days": 0}]
)
def test_wrong_settings_are_named(tmp_path: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        configured(tmp_path, **wrong)


def test_older_names_and_forms_of_settings_are_understood(tmp_path: Any) -> None:
    found = configured(
        tmp_path, start_date="01/31/2026", window_in_days="0.5", lookback_window="90", base_url="https://p.example/api"
    ).settings
    assert found["start_date"] == "2026-01-31T00:00:00.000000Z"
    assert (found["api_window_in_days"], found["lookback_minutes"]) == (0.5, 90)
    assert found["base_url"] == "https://p.example"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"createdAt": "2024-05-01T10:00:00.000000Z"}, {"createdAt": "2024-05-01T10:00:00.000000Z"}),
        (
            {"replication_key": "createdAt", "replication_key_value": "2024-05-01T10:00:00+00:00"},
            {"createdAt": "2024-05-01T10:00:00+00:00"},
        ),
        (
            {"partitions": [{"replication_key_value": "2024-05-02"}, {"replication_key_value": "2024-05-01"}, {}]},
            {"createdAt": "2024-05-01"},
        ),
        ({}, {}),
    ],
)
def test_states_of_other_taps_are_read(entry: dict[str, Any], expected: dict[str, Any]) -> None:
    found = read_state({"bookmarks": {"email_open": entry, "unknown": {"a": 1}}}, {})
    assert found["bookmarks"] == {"email_open": expected, "unknown": {"a": 1}}


def test_a_state_without_bookmarks_is_left_to_the_engine() -> None:
    assert read_state({"bookmarks": None}, {}) == {"bookmarks": None}


def test_the_key_goes_into_its_header_and_nowhere_else() -> None:
    asked = client()
    authenticate: Callable[[Request], Any] = asked._authenticate
    assert authenticate(Request("/api/channels")) == {"Api-Key": KEY}


def test_a_quota_used_up_for_too_long_ends_the_stream() -> None:
    assert issubclass(QuotaError, ApiError)
    assert client()._retry.quota_seconds == 1800
