"""What is odd about Campaign Monitor: local times, keys that collide, counters, one status for many failures."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shared.answers import Response
from shared.errors import ApiError, AuthError, ConfigError, GoneError, RefusedError, RetryableError, UnavailableError
from shared.limits import Limits
from shared.pagination import Request
from shared.settings import settings_of
from shared.streams import Unit
from shared.testing import Result, comparable, differences, problems, run_tap, upserted
from tap_campaign_monitor import reports, zones
from tap_campaign_monitor.client import verdict, without_key
from tap_campaign_monitor.sandbox import CLIENT_KEY, CampaignMonitorSandbox
from tap_campaign_monitor.sandbox_data import CLIENTS, Account
from tap_campaign_monitor.streams import STREAMS
from tap_campaign_monitor.tap import TAP, read_state, validate

PACKAGE = "tap_campaign_monitor"
NEW_YORK, SYDNEY = ZoneInfo("America/New_York"), ZoneInfo("Australia/Sydney")
SETTINGS = {setting.name: setting.default for setting in settings_of(TAP)}
NOW = "2026-11-01T12:00:00.000000Z"
EASTERN = "(GMT-05:00) Eastern Time (US & Canada)"


def unit(mark: Any = None, sent: str = "2026-09-01 09:00:00", **parent: Any) -> Unit:
    values = {"CampaignID": "c", "ClientID": "1", "SentDate": sent, zones.LABEL: EASTERN, **parent}
    return Unit(stream="campaign_opens", parent=values, settings=SETTINGS, now=NOW, mark=mark)


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
    first = gate(unit(TotalOpened=5))
    assert gate(unit(first, TotalOpened=5)) == first
    assert gate(unit(first, TotalOpened=6)) not in (first, True)
    assert gate(unit([5, first[1] - 31], TotalOpened=5)) == first
    assert gate(unit(first)) is True
    assert gate(unit(first, sent="2026-10-31 09:00:00", TotalOpened=5)) is True


def test_recipients_are_read_until_the_campaign_has_settled() -> None:
    assert reports.once(unit(sent="2026-10-31 09:00:00")) is True
    assert reports.once(unit(1)) == 1


# Answers


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (401, 100, AuthError),
        (401, 120, AuthError),
        (401, 121, AuthError),
        (401, 122, AuthError),
        (401, 60, RefusedError),
        (401, 50, GoneError),
        (401, 102, GoneError),
        (400, 301, GoneError),
        (400, 271, GoneError),
        (400, 278, RetryableError),
        (400, 287, RetryableError),
        (400, 980, UnavailableError),
        (403, 403, UnavailableError),
        (404, 404, GoneError),
        (429, 429, RetryableError),
        (500, 0, RetryableError),
        (400, 801, ApiError),
    ],
)
def test_the_code_says_what_an_answer_means(status: int, code: int, error: type[ApiError]) -> None:
    response = Response(status, content=json.dumps({"Code": code, "Message": "No"}).encode())
    assert type(verdict(Request("/lists/1.json"), response, settings={}, limits=Limits(connections=1))) is error


def test_a_wrong_client_id_is_not_taken_for_a_bad_key() -> None:
    response = Response(401, content=b'{"Code":102,"Message":"Invalid ClientID"}')
    found = verdict(
        Request("/clients/1/lists.json"), response, settings={"client_id": ["1"]}, limits=Limits(connections=1)
    )
    assert isinstance(found, AuthError)
    assert "client_id is not in this account" in str(found)


def test_throttling_says_how_long_to_wait() -> None:
    found = verdict(
        Request("/x"), Response(429, {"X-RateLimit-Reset": "34"}), settings={}, limits=Limits(connections=1)
    )
    assert isinstance(found, RetryableError) and found.wait_seconds == 34 and found.fewer_connections


def test_a_clients_key_is_dropped_before_anything_sees_it() -> None:
    assert without_key(Response(200, content=b'{"ApiKey":"secret","BasicDetails":{}}')) == {"BasicDetails": {}}


# Settings and state


def test_a_credential_is_needed() -> None:
    with pytest.raises(ConfigError, match="api_key or refresh_token"):
        validate({})
    with pytest.raises(ConfigError, match="no IANA zone"):
        validate({"api_key": "k", "timezone": "Mars/Olympus"})


def test_the_older_taps_state_is_read_a_day_back() -> None:
    old = {
        "abc.campaign_opens": {"field": "Date", "last_record": "2026-05-01 12:30:00"},
        "abc.campaign_recipients": {"field": "Page", "last_page": "3"},
    }
    assert read_state({"bookmarks": old}, {}) == {
        "bookmarks": {"campaign_opens": {"units": {"abc": "2026-04-30T12:30:00.000000Z"}}}
    }
    ours = {"bookmarks": {"campaign_opens": {"units": {"abc": "2026-04-30T12:30:00.000000Z"}}}}
    assert read_state(ours, {}) == ours


# Whole runs


def run(folder: Path, box: str = "", state: Any = None, *select: str, **config: Any) -> Result:
    chosen = [part for name in select or ("*",) for part in ("--select", name)]
    return run_tap(
        PACKAGE, "--sandbox", f"speed=100,{box}".strip(","), *chosen, config=config, state=state, folder=folder
    )


@pytest.mark.parametrize(
    "box",
    ["login=oauth,lifetime=40", "login=oauth,lifetime=40,rotate=0", "date_filter=after", "empty_pages=1,gzip=1,seed=3"],
)
def test_every_login_and_unconfirmed_shape_gives_the_same_records(box: str, tmp_path: Path) -> None:
    result = run(tmp_path, box)
    assert result.status == 0, result.stderr[-2000:]
    assert problems(result, secrets=[CLIENT_KEY, "sandbox-refresh-0"]) == []
    options = dict(part.split("=") for part in box.split(","))
    sandbox = CampaignMonitorSandbox(options)
    for stream, records in result.by_stream().items():
        assert differences(records, sandbox.truth(stream)) == [], stream


@pytest.mark.parametrize(("box", "days"), [("", range(-30, -26)), ("", range(-2, 2)), ("date_filter=after", range(3))])
def test_days_across_a_change_of_clocks_miss_nothing(box: str, days: range, tmp_path: Path) -> None:
    state: Any = None
    held: dict[str, dict[Any, Any]] = {}
    for day in days:
        result = run(tmp_path, f"{box},day={day}".strip(","), state, subscriber_full_refresh_days=100000)
        assert result.status == 0, result.stderr[-2000:]
        sandbox = CampaignMonitorSandbox({"day": str(day)})
        for stream, records in result.by_stream().items():
            keys = result.keys(stream)
            held.setdefault(stream, {}).update(upserted(records, keys))
            for key, record in upserted(sandbox.truth(stream), keys).items():
                assert comparable(held[stream].get(key)) == comparable(record), (day, stream, key)
        state = result.state


def test_an_unchanged_account_is_asked_for_little(tmp_path: Path) -> None:
    with CampaignMonitorSandbox() as box:
        config = {**box.settings, "base_url": box.base_url}
        first = run_tap(PACKAGE, config=config, folder=tmp_path)
        before = box.stats.summary()["requests"]
        second = run_tap(PACKAGE, config=config, state=first.state, folder=tmp_path)
        asked = box.stats.summary()["requests"] - before
        assert (first.status, second.status) == (0, 0)
        since = box.clock.now() - timedelta(days=4)
        young = [each for each in box.account.campaigns.values() if each.sent > since]
        campaigns, lists = len(box.account.campaigns), len(box.account.lists)
        clients = 2 + 6 * len(CLIENTS)
        assert asked <= clients + campaigns + 8 * lists + 8 * len(young)


def test_one_client_of_several(tmp_path: Path) -> None:
    account = Account(seed=1, scale=1, day=0)
    wanted = account.client_id(CLIENTS[1])
    result = run(tmp_path, "", None, "campaigns", "clients", client_id=wanted)
    assert result.status == 0, result.stderr[-2000:]
    assert {row["ClientID"] for name in ("campaigns", "clients") for row in result.records(name)} == {wanted}


def test_a_missing_scope_ends_its_streams_alone(tmp_path: Path) -> None:
    result = run(tmp_path, "forbid=/lists")
    assert result.status == 1
    assert "A scope is missing" in result.stderr
    assert differences(result.records("campaign_opens"), CampaignMonitorSandbox().truth("campaign_opens")) == []


def test_a_busy_segment_is_asked_again_and_then_left_for_the_next_run(tmp_path: Path) -> None:
    result = run(tmp_path, "busy=3", None, "segment_subscribers")
    assert result.status == 0, result.stderr[-2000:]
    assert (
        differences(result.records("segment_subscribers"), CampaignMonitorSandbox().truth("segment_subscribers")) == []
    )
    left = run_tap(PACKAGE, "--sandbox", "busy=1000,speed=10000", "--select", "segment_subscribers", folder=tmp_path)
    assert "Skipped" in left.stderr
    assert left.records("segment_subscribers") == []


def test_the_contracts_keys_on_request(tmp_path: Path) -> None:
    result = run(tmp_path, "", None, "campaign_opens", key_mode="contract")
    assert result.keys("campaign_opens") == ["CampaignID", "EmailAddress", "ListID", "Date"]
    assert all(row["RecordKey"] for row in result.records("campaign_opens"))


def test_small_pages_are_read_by_the_minute(tmp_path: Path) -> None:
    result = run(tmp_path, "", None, "campaign_opens", "campaign_clicks", "list_active_subscribers", page_size=20)
    assert result.status == 0, result.stderr[-2000:]
    for stream, records in result.by_stream().items():
        assert differences(records, CampaignMonitorSandbox().truth(stream)) == [], stream


def test_the_seed_streams_are_all_there() -> None:
    assert len([stream for stream in STREAMS if stream.seed]) == 16
