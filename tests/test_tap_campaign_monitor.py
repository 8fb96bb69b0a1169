"""What is odd about Campaign Monitor: local times, keys that collide, counters, one status for many failures."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shared.api.answers import Response
from shared.api.limits import Limits
from shared.api.request import Request
from shared.errors import ApiError, AuthError, ConfigError, GoneError, RefusedError, RetryableError, UnavailableError
from shared.streams import Anyway, Unit
from shared.tap import settings_of
from tap_campaign_monitor import defaults as pages
from tap_campaign_monitor import extras, reports, subscribers, transactional, zones
from tap_campaign_monitor.client import TRANSACTIONAL, BusyError, NotOursError, verdict, without_key
from tap_campaign_monitor.streams import STREAMS, listed
from tap_campaign_monitor.tap import TAP, read_state, validate

NEW_YORK, SYDNEY = ZoneInfo("America/New_York"), ZoneInfo("Australia/Sydney")
SETTINGS = {setting.name: setting.default for setting in settings_of(TAP)}
NOW = "2026-11-01T12:00:00.000000Z"
EASTERN = "(GMT-05:00) Eastern Time (US & Canada)"
SINCE = "2026-10-31T12:00:00.000000Z"


def unit(
    mark: Any = None,
    sent: str = "2026-09-01 09:00:00",
    bookmark: str | None = "2026-11-01T12:00:00.000000Z",
    **more: Any,
) -> Unit:
    """A campaign's or list's unit; of `more`, capitalised names are its parent's, the others settings."""
    parent = {name: value for name, value in more.items() if name[0].isupper()}
    values = {"CampaignID": "c", "ClientID": "1", "SentDate": sent, zones.LABEL: EASTERN, **parent}
    settings = {**SETTINGS, **{name: value for name, value in more.items() if name not in parent}}
    return Unit(
        stream="campaign_opens",
        parent=values,
        settings=settings,
        now=NOW,
        mark=mark,
        bookmark=bookmark,
        since=SINCE if bookmark else settings.get("start_date"),
    )


# Times


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-03-08 09:15:00", NEW_YORK, "2026-03-08T13:15:00.000000Z"),
        ("2026-03-08 02:30:00", NEW_YORK, "2026-03-08T07:30:00.000000Z"),  # skipped: as if the clocks had not moved
        ("2026-11-01 01:30:00", NEW_YORK, "2026-11-01T06:30:00.000000Z"),  # twice: the second pass
        ("2026-10-04 02:30:00", SYDNEY, "2026-10-03T16:30:00.000000Z"),
        ("2027-04-04 02:30:00", SYDNEY, "2027-04-03T16:30:00.000000Z"),
        ("2026-11-01T05:00:00+01:00", SYDNEY, "2026-11-01T04:00:00.000000Z"),
        ("soon", SYDNEY, None),
        (None, SYDNEY, None),
    ],
)
def test_local_text_becomes_an_instant(text: Any, zone: ZoneInfo, expected: str | None) -> None:
    assert zones.utc(text, zone) == expected


@pytest.mark.parametrize(
    ("instant", "zone", "expected"),
    [
        ("2026-06-01T12:00:00.000000Z", NEW_YORK, "2026-06-01 07:59"),
        ("2026-06-01T12:00:00.000000Z", SYDNEY, "2026-06-01 21:59"),
        ("2026-11-01T06:10:00.000000Z", NEW_YORK, "2026-11-01 00:09"),
        ("2026-11-01T05:10:00.000000Z", NEW_YORK, "2026-11-01 00:09"),
    ],
)
def test_the_filter_is_asked_in_local_time_and_a_little_early(instant: str, zone: ZoneInfo, expected: str) -> None:
    assert zones.asked_from(instant, zone) == expected


@pytest.mark.parametrize(
    ("label", "zone"),
    [
        (EASTERN, "America/New_York"),
        ("(GMT-04:00) Eastern Time (US & Canada)", "America/New_York"),
        ("(GMT) Greenwich Mean Time : Dublin, Edinburgh, Lisbon, London", "Europe/London"),
        ("(GMT+01:00) Atlantis, Vienna", "Europe/Vienna"),
        ("(UTC+05:00) Astana", "Asia/Almaty"),
    ],
)
def test_labels_are_found_exactly_by_their_places_or_by_a_city(label: str, zone: str) -> None:
    assert zones.zone("", label) == ZoneInfo(zone)


def test_an_unknown_label_is_taken_by_its_offset_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert zones.zone("", "(GMT-03:30) Atlantis").utcoffset(None) == -timedelta(hours=3, minutes=30)
    assert "set timezone" in caplog.text
    assert zones.zone("Asia/Tokyo", EASTERN) == ZoneInfo("Asia/Tokyo")


def test_every_label_has_a_zone_of_its_offset() -> None:
    labels = zones._labels()
    assert len(labels) > 170
    for name in labels.values():
        assert ZoneInfo(name).key == name


# Keys and gates


def test_equal_rows_get_keys_that_differ_and_are_the_same_again() -> None:
    row = {"ListID": "l", "EmailAddress": "a@example.org", "Date": "2026-03-08 09:15:00", "URL": "u"}
    rows = [{**row}, {**row}, {**row, "URL": "v"}]
    first = [each["RecordKey"] for each in reports.with_keys(rows, unit())]
    assert len(set(first)) == 3
    assert [each["RecordKey"] for each in reports.with_keys(rows, unit())] == first
    assert {len(key) for key in first} == {32}


def test_a_report_is_read_when_its_counter_moved_or_long_ago_or_the_campaign_is_young() -> None:
    gate = reports.moved("TotalOpened")
    first = gate(unit(TotalOpened=5)).mark
    assert gate(unit(first, TotalOpened=5)) == first
    assert gate(unit(first, TotalOpened=6)) == Anyway([6, *first[1:]])
    assert gate(unit([5, first[1] - 31, ""], TotalOpened=5)) == Anyway(first)
    unsure = Anyway([None, 0, first[2]])
    assert gate(unit(first)) == unsure
    assert gate(unit(first, sent="2026-10-31 09:00:00", TotalOpened=5)) == unsure
    assert reports.moved("Sent", settles=False)(unit(sent="2026-10-31 09:00:00", Sent=5)).mark[0] == 5


@pytest.mark.parametrize(
    ("sent", "rows", "kept"),
    [
        ("2026-10-31 09:00:00", 7, None),  # not settled yet
        ("2026-10-20 09:00:00", 6, None),  # one is missing
        ("2026-10-20 09:00:00", 7, 1),
        ("2026-09-01 09:00:00", 6, 1),  # one was purged
    ],
)
def test_recipients_are_read_until_all_are_there_and_the_campaign_has_settled(sent: str, rows: int, kept: Any) -> None:
    read = unit(sent=sent, TotalRecipients=7)
    list(reports.recipients([{"EmailAddress": str(n)} for n in range(rows)], read))
    found = reports.until_whole(read)
    assert isinstance(found, Anyway) and found.mark(read) == kept
    assert reports.until_whole(unit(1)) == 1


def test_a_list_is_read_whole_every_few_days_or_never() -> None:
    first = subscribers.noted(unit(bookmark=None)).mark
    assert not subscribers.is_due(unit(first))
    assert subscribers.is_due(unit([first[0] - 7, first[1]]))
    assert subscribers.since(unit([first[0] - 7, first[1]])) == {}
    assert not subscribers.is_due(unit([0, first[1]], subscriber_full_refresh_days=None))
    assert subscribers.noted(unit([first[0] - 3, "0"])) == Anyway([first[0] - 3, first[1]])


def test_lists_are_asked_by_the_day_and_a_day_early() -> None:
    first = subscribers.noted(unit(bookmark=None)).mark
    assert subscribers.since(unit(first)) == {"date": "2026-10-30"}


def test_a_day_and_more_is_read_again_once_the_zone_is_another() -> None:
    kept = reports.moved("TotalOpened")(unit(TotalOpened=5)).mark
    assert pages.begin(unit(kept)) == SINCE
    assert pages.begin(unit([*kept[:2], "0"])) == "2026-10-30T10:00:00.000000Z"
    assert pages.begin(unit(kept, timezone="Asia/Tokyo")) == "2026-10-30T10:00:00.000000Z"


def test_dates_without_a_zone_are_each_clients_own_time() -> None:
    read = validate({"api_key": "k", "start_date": "2026-10-01T00:00:00.000000"})
    assert read["start_date"] == "2026-09-30T10:00:00.000000Z"
    there = unit(bookmark=None, **{**read, "start_date": read["start_date"]})
    assert pages.begin(there) == "2026-10-01T04:00:00.000000Z"
    plain = validate({"api_key": "k", "start_date": "2026-10-01T00:00:00.000000Z"})
    assert pages.begin(unit(bookmark=None, **plain)) == "2026-10-01T00:00:00.000000Z"


def test_tags_of_campaigns_are_asked_for() -> None:
    assert listed(unit(campaign_tags=["a", "b"]))["tags"] == "a,b"
    assert listed(unit())["tags"] is None


# Answers


def judged(path: str, response: Response, **settings: Any) -> ApiError | None:
    return verdict(Request(path), response, settings=settings, limits=Limits(connections=1))


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (401, 100, AuthError),
        (401, 120, AuthError),
        (401, 121, AuthError),
        (401, 122, AuthError),
        (401, 60, RefusedError),
        (401, 50, AuthError),
        (401, 0, GoneError),
        (401, 102, GoneError),
        (400, 301, GoneError),
        (400, 271, GoneError),
        (400, 278, BusyError),
        (400, 287, BusyError),
        (400, 302, GoneError),
        (400, 926, GoneError),
        (400, 286, UnavailableError),
        (400, 980, UnavailableError),
        (400, 993, UnavailableError),
        (400, 994, UnavailableError),
        (403, 403, UnavailableError),
        (404, 404, GoneError),
        (429, 429, RetryableError),
        (500, 0, RetryableError),
        (400, 801, ApiError),
    ],
)
def test_the_code_says_what_an_answer_means(status: int, code: int, error: type[ApiError]) -> None:
    response = Response(status, content=json.dumps({"Code": code, "Message": "No"}).encode())
    assert type(judged("/lists/1.json", response)) is error


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("/lists/1.json", b'{"Code":9999,"Message":"Invalid ListID"}', GoneError),
        ("/lists/1.json", b'{"Code":5,"Message":"Invalid Date"}', ApiError),
        ("/lists/1.json", b"<html>", ApiError),
    ],
)
def test_an_id_that_is_no_more_is_known_by_its_words_whatever_its_code(path: str, body: bytes, error: Any) -> None:
    assert type(judged(path, Response(400, content=body))) is error


def test_a_refusal_without_a_code_is_of_the_key_unless_it_can_be_of_what_was_asked_for() -> None:
    assert type(judged("/clients.json", Response(401))) is AuthError
    assert type(judged("/clients.json", Response(401), client_id=["1"])) is RefusedError
    assert type(judged("/campaigns/1/opens.json", Response(401))) is GoneError


def test_a_limit_that_is_used_up_is_waited_for_before_the_next_request() -> None:
    limits = Limits(connections=1, clock=lambda: 0.0)
    told = {"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "348"}
    request = Request("/transactional/messages", quota=TRANSACTIONAL)
    assert verdict(request, Response(200, told), settings={}, limits=limits) is None
    assert (limits.delay(TRANSACTIONAL), limits.delay("")) == (348, 0)


def test_a_wrong_client_id_is_not_taken_for_a_bad_key() -> None:
    response = Response(401, content=b'{"Code":102,"Message":"Invalid ClientID"}')
    found = judged("/clients/1/lists.json", response, client_id=["1"])
    assert isinstance(found, AuthError)
    assert "client_id is not in this account" in str(found)


def test_one_of_several_clients_that_is_wrong_says_nothing_of_the_credential() -> None:
    response = Response(401, content=b'{"Code":102,"Message":"Invalid ClientID"}')
    assert type(judged("/clients/1/lists.json", response, client_id=["1", "2"])) is NotOursError
    assert type(judged("/transactional/messages", response, client_id=["1"])) is NotOursError


def test_a_web_page_is_no_answer_of_the_api() -> None:
    page = Response(403, content=b"<!DOCTYPE html><title>Blocked</title>")
    found = judged("/clients/1/lists.json", page)
    assert type(found) is RefusedError and "web page" in str(found)
    again = judged("/campaigns/1/opens.json", Response(404, content=b" <html>"))
    assert type(again) is RetryableError and again.most_seconds
    assert type(judged("/campaigns/1/opens.json", Response(404))) is GoneError


def test_details_that_are_refused_lead_to_the_setting_that_makes_do_without() -> None:
    refused = Response(401, content=b'{"Code":60,"Message":"No permission"}')
    assert "set timezone" in str(judged("/clients/1.json", refused))
    assert "ManageLists" in str(judged("/clients/1/lists.json", refused))


def test_a_transactional_answer_names_the_client_that_was_asked_about() -> None:
    request = Request("/transactional/messages", {"clientID": "c1"})
    lacking = Response(400, content=b'{"Code":980,"Message":"No"}')
    assert "client c1" in str(verdict(request, lacking, settings={}, limits=Limits(connections=1)))


def test_throttling_says_how_long_to_wait() -> None:
    found = judged("/x", Response(429, {"X-RateLimit-Reset": "34"}))
    assert isinstance(found, RetryableError) and found.wait_seconds == 34 and found.fewer_connections


def test_a_clients_key_is_dropped_before_anything_sees_it() -> None:
    assert without_key(Response(200, content=b'{"ApiKey":"secret","BasicDetails":{}}')) == {"BasicDetails": {}}


# Rows


def test_unknown_places_are_nothing() -> None:
    row = {"Date": "2026-03-08 09:15:00", "Latitude": "", "Longitude": "", "City": ""}
    made = next(reports.with_keys([row], unit()))
    assert (made["Latitude"], made["Longitude"], made["City"]) == (None, None, "")
    assert "Latitude" not in next(reports.with_keys([{"Date": row["Date"]}], unit()))


@pytest.mark.parametrize("name", ["HTML", "Html"])
def test_the_content_of_a_smart_email_stands_in_one_column(name: str) -> None:
    row = {"SmartEmailID": "s", "Properties": {"From": "a", "Content": {name: "<p>", "Text": "t"}}}
    made = next(transactional.contents([row], unit()))
    assert made["Properties"] == {"From": "a", "Content": {"HTML": "<p>", "Text": "t"}}
    assert next(transactional.contents([{"SmartEmailID": "s"}], unit()))["SmartEmailID"] == "s"


def test_sending_domains_are_read_whatever_their_rows_are() -> None:
    body = ["a.example", {"Domain": "b.example", "Status": "Verified"}, {"Name": "c.example"}]
    assert [row["Domain"] for row in extras.domains(body)] == ["a.example", "b.example", "c.example"]
    with pytest.raises(ValueError, match="no list"):
        extras.domains(None)


# Settings and state


def test_a_client_is_named_once_under_either_name() -> None:
    assert validate({"api_key": "k", "client_id": ["A ", "b", "a"]})["client_id"] == ["a", "b"]
    assert "api_client_id" in next(each.aliases for each in TAP.settings if each.name == "client_id")


def test_a_credential_is_needed() -> None:
    with pytest.raises(ConfigError, match="api_key or refresh_token"):
        validate({})
    with pytest.raises(ConfigError, match="two credentials"):
        validate({"api_key": "k", "refresh_token": "t"})
    with pytest.raises(ConfigError, match="no IANA zone"):
        validate({"api_key": "k", "timezone": "Mars/Olympus"})


def test_the_older_taps_state_is_read_a_day_back() -> None:
    old = {
        "0123456789abcdef.campaign_opens": {"field": "Date", "last_record": "2026-05-01 12:30:00"},
        "0123456789abcdef.campaign_recipients": {"field": "Page", "last_page": "3"},
    }
    assert read_state({"bookmarks": old}, {}) == {
        "bookmarks": {"campaign_opens": {"units": {"0123456789ab": "2026-04-30T12:30:00.000000Z"}}}
    }
    ours = {"bookmarks": {"campaign_opens": {"units": {"0123456789ab": "2026-04-30T12:30:00.000000Z"}}}}
    assert read_state(ours, {}) == ours


def test_the_seed_streams_are_all_there() -> None:
    assert len([stream for stream in STREAMS if stream.seed]) == 16
