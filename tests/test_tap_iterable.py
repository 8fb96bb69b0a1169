"""What is odd about the Iterable tap: identities of events, profiles, metrics, quotas, errors, older states."""

from __future__ import annotations

import io
import json
import random
import threading
from collections.abc import Callable
from typing import Any

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
)
from shared.report import Report
from shared.streams import Checkpoint, Outcome, Rows, Unit
from shared.tap import settings_of
from tap_iterable import events, exports, members, metrics, profiles, spooled
from tap_iterable.client import EXPORT, check, connect, quotas, rates, stated, verdict
from tap_iterable.events import Export
from tap_iterable.streams import STREAMS, forecast, has_more, is_campaign_new, without_secrets
from tap_iterable.tap import TAP, read_state, validate

KEY = "0123456789abcdef0123456789abcdef"
API = "https://api.iterable.com"
NOW = "2026-11-10T08:00:00.000000Z"
DEFAULTS = {setting.name: setting.default for setting in settings_of(TAP)}
BY_NAME = {stream.name: stream for stream in STREAMS}


def settings(**given_ones: Any) -> dict[str, Any]:
    return {**DEFAULTS, "api_key": KEY, "start_date": "2026-01-01T00:00:00.000000Z", **given_ones}


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
    _, hashes = spooled.scanned(file, export)
    file.seek(0)
    numbers = spooled.Numbers(spooled.repeated([hashes]))
    return [row for batch in spooled.batches(file, export, numbers.count) for row in batch.rows]


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


@pytest.mark.parametrize("body", [b'{"a":1}\n{"a":', b"<html></html>", b"[1]", b'{"a":1}{"b":2}'])
def test_a_body_that_is_not_whole_objects_is_broken(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        spooled.scanned(io.BytesIO(body), Export(data_type="emailOpen"))


@pytest.mark.parametrize("body", [b"", b"\n\n", b'{"a":1}', b'{"a":1}\r\n{"a":2}\n\n'])
def test_a_missing_last_newline_and_blank_lines_are_none(body: bytes) -> None:
    rows, hashes = spooled.scanned(io.BytesIO(body), Export(data_type="emailOpen"))
    assert rows == len(hashes) == body.count(b"a")


def test_only_repeated_hashes_are_kept_count_of() -> None:
    from array import array

    parts = [array("Q", range(1000)), array("Q", [7, 2**64 - 1]), array("Q", [2**64 - 1])]
    assert spooled.repeated(parts) == {7, 2**64 - 1}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('{"a":{"b":1}}', {"a": {"b": 1}}),
        ({"a": 1}, {"a": 1}),
        ("no JSON", {"_raw": "no JSON"}),
        ("[1]", {"_raw": "[1]"}),
        (None, None),
    ],
)
def test_transactional_data_is_parsed_where_it_can_be(data: Any, expected: Any) -> None:
    assert events.with_transactional_data({"transactionalData": data})["transactionalData"] == expected


def test_own_fields_of_an_event_stand_in_data_fields_wherever_they_came() -> None:
    shape = events.with_own_fields("email")
    assert shape({"email": "e", "price": 1, "dataFields": {"a": 2}}) == {
        "email": "e",
        "dataFields": {"price": 1, "a": 2},
    }
    assert shape({"email": "e"}) == {"email": "e"}


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
    deselected = frozenset({"isBot", "ip", "createdAt", "_extra", "dataFields", "odd, name"})
    window = ("2026-11-01T00:00:00.000000Z", NOW)
    sent = exports.asked(Export(data_type="emailOpen"), unit(window=window, deselected=deselected))
    assert sent["omitFields"] == "isBot"
    one = unit("users", window=window, deselected=deselected, settings=settings(user_fields={"ip": "s", "isBot": "s"}))
    assert exports.asked(Export(data_type="user", is_event=False), one)["omitFields"] == "isBot"
    one = unit("users", window=window, deselected=deselected)
    assert "omitFields" not in exports.asked(Export(data_type="user", is_event=False), one), "a column may be renamed"
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
    assert forecast(units[2:]) is None


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [("event_id", ("_event_id",)), ("append", ()), ("documented", ("email",))],
)
def test_event_key_chooses_the_key(chosen: str, expected: tuple[str, ...]) -> None:
    from shared.protocol.catalog import key_properties

    assert key_properties(BY_NAME["email_open"], settings(event_key=chosen)) == expected
    assert key_properties(BY_NAME["email_open"], settings(key_mode="contract")) == ("email",)


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
    found = of_user({"email": "e", "d": "2025-12-19T22:43:34.134105.000Z"}, user_fields={"d": "date"})
    assert found["d"] == "2025-12-19T22:43:34.134105Z"


@pytest.mark.parametrize(
    ("row", "expected"), [({"itblUserId": "i"}, "i"), ({"userId": "u"}, "u"), ({"email": "e"}, "e")]
)
def test_a_user_without_an_itbl_user_id_is_not_lost(row: dict[str, Any], expected: str) -> None:
    assert of_user(row, user_key="itblUserId")["itblUserId"] == expected


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
    responses.get(f"{API}/api/channels", json={"channels": []})
    responses.get(f"{API}/api/users/getFields", json={"fields": fields})
    asked = client(project_type=project_type)
    check(asked)
    assert profiles.key(asked.settings) == (user,)
    assert profiles.member_key(asked.settings) == (member, "listId")


@responses.activate
def test_a_key_that_may_not_see_the_fields_is_enough_for_the_rest() -> None:
    responses.get(f"{API}/api/channels", json={"channels": []})
    responses.get(f"{API}/api/users/getFields", status=401, json={"msg": "Invalid API key", "code": "BadApiKey"})
    asked = client()
    check(asked)
    assert asked.settings["user_fields"] == {}


def test_field_types_become_columns() -> None:
    fields = {"a": "long", "b": "double", "c": "boolean", "d": "date", "e": "geo_location", "f": "brand_new"}
    asked = client(user_fields=fields)
    schema = profiles.extend({"type": "object", "properties": {"email": {"type": ["null", "string"]}}}, asked)
    kinds = [schema["properties"][name]["type"][1] for name in "abcdef"]
    assert kinds == ["integer", "number", "boolean", "string", "string", "string"]
    assert schema["properties"]["d"]["format"] == "date-time"


# Lists


def lines(*texts: bytes, **given_ones: Any) -> list[tuple[Any, Any]]:
    one = unit("list_users", parent={"listId": 5}, settings=settings(**given_ones))
    return [(row["email"], row["userId"]) for row in members.rows(texts, one)]


def test_a_line_is_an_email_or_a_user_id() -> None:
    assert lines(b"a@example.com\r\n", b"\n", b"7@placeholder.email", user_key="itblUserId") == [
        ("a@example.com", None),
        ("7@placeholder.email", None),
    ]
    assert lines("üser\n".encode(), user_key="itblUserId") == [(None, "üser")]
    assert lines(b"odd\n", user_key="email") == [("odd", None)]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [({}, True), ({"list_ids": ["5"]}, True), ({"list_ids": [6]}, False), ({"list_types": ["Dynamic"]}, False)],
)
def test_settings_choose_lists(chosen: dict[str, Any], expected: bool) -> None:
    parent = {"listId": 5, "listType": "Standard"}
    assert members.is_wanted(unit(parent=parent, settings=settings(**chosen))) is expected


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
    assert not is_campaign_new(dict(old), unit(since=since))
    assert is_campaign_new({**old, "endedAt": "2026-11-02T00:00:00.000000Z"}, unit(since=since))
    assert is_campaign_new({**old, "campaignState": "Running"}, unit(since=since))
    assert not is_campaign_new({**old, "startAt": "2027-01-01T00:00:00.000000Z"}, unit(since=since))
    assert is_campaign_new(dict(old), unit())


@pytest.mark.parametrize(
    ("header", "expected"),
    [
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
        {"id": 1, "revenue": 2.5, "total_purchases": None},
        {"id": 2, "revenue": None, "total_purchases": 0},
    ]
    assert metrics.rows(Response(200, {}, b"id,\n")) == []
    assert metrics.rows(Response(200, {}, b"")) == []


@responses.activate
def test_where_a_url_gets_too_long_metrics_are_asked_for_by_halves() -> None:
    def answered(request: Any) -> tuple[int, dict[str, str], str]:
        ids = request.params["campaignId"]
        return (414, {}, "") if isinstance(ids, list) else (200, {}, f"id,Revenue\n{ids},1\n")

    responses.add_callback("GET", f"{API}/api/campaigns/metrics", answered)
    parts = tuple(unit("campaign_metrics", key=str(number), parent={"id": number}) for number in range(3))
    asked = client(metrics_requests_per_minute=1000)
    steps = list(metrics.of_campaigns(asked, unit("campaign_metrics", units=parts)))
    assert [row["id"] for step in steps if isinstance(step, Rows) for row in step.rows] == [0, 1, 2]
    assert [step.unit for step in steps if isinstance(step, Checkpoint)] == list(parts)


def test_a_campaign_that_nothing_moves_is_read_once() -> None:
    def mark(moved: str) -> Any:
        from shared.timestamps import parse

        milliseconds = int(parse(moved).timestamp() * 1000)
        return metrics.settled(unit("campaign_metrics", parent={"updatedAt": milliseconds, "endedAt": None}))

    assert mark("2026-11-01") is True
    assert mark("2026-09-01") == "2026-09-01T00:00:00"


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
        api.get(f"{host}/api/users/getFields", json={"fields": {}})
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


@pytest.mark.parametrize("wrong", [{"region": "DE"}, {"api_key": "a b"}, {"api_window_in_days": 0}])
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
