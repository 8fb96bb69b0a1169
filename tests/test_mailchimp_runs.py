"""Whole runs of the Mailchimp tap that its contract tests do not make."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from shared.testing.runs import Result, command, differences, missing, problems, run_tap, upserted
from tap_mailchimp.sandbox import MailchimpSandbox
from tap_mailchimp.tap import TAP

ACTIVITY = "reports_email_activity"
ONE_ROW_A_PARENT = {
    *("account", "campaign_content", "campaign_checklists", "reports_eepurl", "list_signup_forms"),
    *("landing_page_content", "template_default_content", "sms_campaign_content"),
    "batches",  # two, which are there for good
}


@pytest.fixture
def box() -> Iterator[MailchimpSandbox]:
    with MailchimpSandbox({"speed": "100"}) as served:
        yield served


def config(box: MailchimpSandbox, **settings: Any) -> dict[str, Any]:
    return {**box.settings, "base_url": box.base_url, **settings}


def run(box: MailchimpSandbox, *arguments: str, folder: Path, state: Any = None, **settings: Any) -> Result:
    """A run against a sandbox that goes on after it."""
    return run_tap("tap_mailchimp", *arguments, config=config(box, **settings), state=state, folder=folder)


def test_through_batches_the_same_events_come_also_a_day_later(tmp_path: Path) -> None:
    arguments = ["--select", ACTIVITY, "--config"]
    mode = tmp_path / "mode.json"
    mode.write_text(json.dumps({"email_activity_mode": "batch"}))
    held: dict[Any, Any] = {}
    state: dict[str, Any] = {}
    for day in ("0", "1"):
        result = run_tap(
            "tap_mailchimp", "--sandbox", f"seed=2,speed=100,day={day}", *arguments, str(mode), state=state,
            folder=tmp_path,
        )  # fmt: skip
        assert result.status == 0, result.stderr[-2000:]
        assert problems(result) == []
        records = result.records(ACTIVITY)
        held |= upserted(records, result.keys(ACTIVITY))
        today = MailchimpSandbox({"seed": "2", "day": day}).truth(ACTIVITY, {"start_date": "2020-01-01"})
        assert missing(held.values(), today) == []
        if day == "0":
            assert differences(records, today) == []
        else:
            assert len(records) < len(today) / 2, "the whole came again"
        state = result.state


def test_a_campaign_whose_pages_take_too_long_is_read_through_a_batch_in_auto_mode(tmp_path: Path) -> None:
    with MailchimpSandbox({"speed": "1000", "slow": "/email-activity"}) as box:
        # The time between tries is the sandbox's: the tap is told its speed only when it starts the sandbox itself.
        options = "speed=1000,slow=/email-activity"
        mode = tmp_path / "mode.json"
        mode.write_text(json.dumps({"email_activity_mode": "auto", "page_size": 100}))
        result = run_tap(
            "tap_mailchimp", "--sandbox", options, "--select", ACTIVITY, "--config", str(mode), folder=tmp_path
        )
        assert result.status == 0, result.stderr[-2000:]
        assert differences(result.records(ACTIVITY), box.truth(ACTIVITY, box.settings)) == []


def test_what_the_role_may_not_read_is_named_and_the_rest_comes(tmp_path: Path) -> None:
    with MailchimpSandbox({"forbid": "/ecommerce", "scale": "0.2"}) as box:
        result = run(box, folder=tmp_path)
        assert result.status == 1
        assert "ecommerce_stores: GET" in result.stderr
        assert "403 Forbidden" in result.stderr
        assert differences(result.records("list_members"), box.truth("list_members", box.settings)) == []
        assert run(box, folder=tmp_path, fail_on_forbidden=False).status == 0


@pytest.mark.parametrize("answer", ["forbid", "absent"])
def test_what_the_account_lacks_is_no_failure_and_no_warning(tmp_path: Path, answer: str) -> None:
    lacking = ("audience_contacts", "sms_campaigns", "conversations", "conversation_messages")
    with MailchimpSandbox({"scale": "0.05", answer: "/audiences+/sms-campaigns+/conversations"}) as box:
        arguments = [word for stream in ("lists", *lacking) for word in ("--select", stream)]
        result = run(box, *arguments, folder=tmp_path)
        assert result.status == 0, result.stderr[-2000:]
        assert differences(result.records("lists"), box.truth("lists")) == []
    assert not any(result.records(stream) for stream in lacking)
    warned = [line for line in result.stderr.splitlines() if line.startswith("WARNING")]
    assert not [line for line in warned if any(stream in line for stream in lacking)]


def test_ten_connections_are_never_exceeded(box: MailchimpSandbox, tmp_path: Path) -> None:
    result = run(box, folder=tmp_path, concurrency=10, page_size=100)
    assert result.status == 0
    stats = box.stats.summary()
    assert 2 <= stats["most_in_flight"] <= 10
    assert "429" not in stats["statuses"]


def test_the_other_applications_may_hold_most_connections(tmp_path: Path) -> None:
    with MailchimpSandbox({"connections": "3", "scale": "0.3"}) as box:
        result = run(box, "--select", "list_segment_members", folder=tmp_path, concurrency=8)
        assert result.status == 0, result.stderr[-2000:]
        assert differences(result.records("list_segment_members"), box.truth("list_segment_members")) == []


def test_a_token_got_by_authorize_reads_the_account(box: MailchimpSandbox, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    application = {
        "client_id": "400000000000",
        "client_secret": "sandbox-client-secret",
        "redirect_uri": "https://app.example/callback",
    }
    file.write_text(json.dumps({**application, "base_url": box.base_url, "start_date": "2020-01-01"}))
    process = subprocess.Popen(
        command("tap_mailchimp", ["--config", str(file), "--authorize"]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": "", "BROWSER": "none-such", **_environment()},  # so that no browser opens
    )
    assert process.stdin is not None and process.stderr is not None
    url = next(line.strip() for line in process.stderr if line.startswith("http"))
    granted = requests.get(url, allow_redirects=False, timeout=5).headers["Location"]
    output, errors = process.communicate(f"{granted}\n", timeout=20)
    assert process.returncode == 0, errors
    assert output == ""
    saved = json.loads(file.read_text())
    assert saved["access_token"] and saved["access_token"] not in errors
    assert file.stat().st_mode & 0o777 == 0o600
    result = run_tap("tap_mailchimp", "--config", str(file), "--select", "account", folder=tmp_path)
    assert result.status == 0, result.stderr[-2000:]
    assert len(result.records("account")) == 1
    assert problems(result, secrets=[saved["access_token"]]) == []


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}


@pytest.mark.parametrize(
    ("arguments", "changes", "status", "words"),
    [
        ([], {"api_key": "0123456789abcdef0123456789abcde0-us6"}, 3, "401"),
        ([], {"start_date": "someday"}, 2, "start_date"),
        ([], {"api_key": None}, 2, "api_key"),
        ([], {"dc": "us9"}, 2, "dc"),
        ([], {"list_ids": ["nosuchlist"]}, 2, "nosuchlist"),
        ([], {"page_size": "many"}, 2, "page_size"),
        (["--select", "nosuchstream"], {}, 2, "nosuchstream"),
        (["--catalog", "{folder}/none.json"], {}, 2, "none.json"),
        (["--state", "{folder}/broken.json"], {}, 2, "broken.json"),
        (["--state", "{folder}/odd.json"], {}, 2, "list_members"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_the_right_status(
    box: MailchimpSandbox, tmp_path: Path, arguments: list[str], changes: dict[str, Any], status: int, words: str
) -> None:
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "odd.json").write_text('{"bookmarks": {"list_members": {"units": {"x/default": "yesterday"}}}}')
    given = [argument.format(folder=tmp_path) for argument in arguments]
    result = run(box, *given, folder=tmp_path, **changes)
    assert result.status == status
    said = [line for line in result.stderr.splitlines() if line.startswith("tap-mailchimp:")]
    assert len(said) == 1
    assert words in said[0]
    assert "Traceback" not in result.stderr
    assert not any(line.startswith(b'{"type":"RECORD"') for line in result.lines)


def test_the_singer_io_taps_state_goes_on_where_it_was(tmp_path: Path) -> None:
    members = MailchimpSandbox({}).truth("list_members", {"start_date": "2020-01-01"})
    largest = max({row["list_id"] for row in members}, key=lambda name: sum(row["list_id"] == name for row in members))
    stamps = sorted(row["last_changed"] for row in members if row["list_id"] == largest)
    bookmark = stamps[len(stamps) * 3 // 4]
    state = {
        "bookmarks": {
            "lists": {largest: {"list_members": {"datetime": bookmark}}},
            ACTIVITY: {"nosuchcampaign": None},
            "reports_email_activity_last_run_id": None,
            "reports_email_activity_next_chunk": 0,
        }
    }
    result = run_tap("tap_mailchimp", "--sandbox", "--select", "list_members", state=state, folder=tmp_path)
    assert result.status == 0, result.stderr[-2000:]
    expected = [
        row
        for row in members
        if row["list_id"] != largest or row["status"] == "archived" or row["last_changed"] >= bookmark
    ]
    assert differences(result.records("list_members"), expected) == []


QUIET = ("unsubscribes", "reports_click_details", "reports_locations", "reports_abuse", "tags", "list_clients")


def test_campaigns_and_lists_that_did_not_move_are_skipped_and_nothing_is_lost(tmp_path: Path) -> None:
    streams = QUIET
    arguments = [word for stream in streams for word in ("--select", stream)]
    first = run_tap("tap_mailchimp", "--sandbox", "speed=100", *arguments, folder=tmp_path)
    second = run_tap("tap_mailchimp", "--sandbox", "speed=100,day=1", *arguments, state=first.state, folder=tmp_path)
    assert (first.status, second.status) == (0, 0), second.stderr[-2000:]
    for stream in streams:
        keys = second.keys(stream)
        today = MailchimpSandbox({"day": "1"}).truth(stream)
        held = upserted([*first.records(stream), *second.records(stream)], keys)
        assert missing(held.values(), today) == []
    before = {stream: len(records) for stream, records in first.by_stream().items()}
    after = {stream: len(records) for stream, records in second.by_stream().items()}
    assert 0 < after["reports_click_details"] < before["reports_click_details"] / 2, "campaigns that stand still"
    assert after["tags"] == before["tags"], "another day"
    at_once = run_tap("tap_mailchimp", "--sandbox", "speed=100,day=1", *arguments, state=second.state, folder=tmp_path)
    assert [len(at_once.records(stream)) for stream in ("tags", "list_clients")] == [0, 0]


@pytest.mark.parametrize("by", ["catalog", "activate_version", "--full-refresh", "incremental_reports"])
def test_who_wants_all_gets_all_whatever_the_counters_say(by: str, box: MailchimpSandbox, tmp_path: Path) -> None:
    arguments = [word for stream in QUIET for word in ("--select", stream)]
    first = run(box, *arguments, folder=tmp_path)
    catalog, chosen = None, {}
    if by == "catalog":
        told = subprocess.run(command("tap_mailchimp", ["--discover"]), capture_output=True, check=True)
        catalog = json.loads(told.stdout)
        for entry in catalog["streams"]:
            facts = next(each["metadata"] for each in entry["metadata"] if not each["breadcrumb"])
            facts |= {"selected": entry["stream"] in QUIET, "replication-method": "FULL_TABLE"}
        arguments = []
    elif by == "--full-refresh":
        arguments += [by, "*"]
    else:
        chosen = {by: by == "activate_version"}
    second = run_tap(
        "tap_mailchimp", *arguments, config=config(box, **chosen), state=first.state, catalog=catalog, folder=tmp_path
    )  # fmt: skip
    assert second.status == 0, second.stderr[-2000:]
    for stream in QUIET:
        assert differences(second.records(stream), box.truth(stream, box.settings)) == [], stream
    written = {message["stream"] for message in second.messages if message["type"] == "ACTIVATE_VERSION"}
    assert written == (set(QUIET) if by == "activate_version" else set())


def test_flattened_merge_fields_are_columns_of_the_lists_types(box: MailchimpSandbox, tmp_path: Path) -> None:
    result = run(box, "--select", "list_members", folder=tmp_path, flatten=True)
    assert result.status == 0, result.stderr[-2000:]
    (schema,) = (m["schema"]["properties"] for m in result.messages if m["type"] == "SCHEMA")
    assert schema["merge_fields__POINTS"]["type"] == ["null", "number"]
    assert {"merge_fields__FNAME", "merge_fields__ADDRESS__city", "merge_fields__SIZE"} <= set(schema)
    assert "merge_fields" not in schema
    points = [record["merge_fields__POINTS"] for record in result.records("list_members")]
    assert sum(isinstance(number, int) for number in points) > len(points) * 0.9
    as_before = run(box, "--select", "list_members", folder=tmp_path, typed_merge_fields=False)
    (schema,) = (m["schema"]["properties"] for m in as_before.messages if m["type"] == "SCHEMA")
    assert "properties" not in schema["merge_fields"]


@pytest.mark.parametrize("automation_reports", ["0", "1"])
def test_reports_of_automations_e_mails_come_if_there_are_any(tmp_path: Path, automation_reports: str) -> None:
    with MailchimpSandbox({"scale": "0.2", "speed": "100", "automation_reports": automation_reports}) as box:
        arguments = ["--select", "reports_*", "--select", "unsubscribes"]
        result = run(box, *arguments, folder=tmp_path, report_automation_emails=True)
        assert result.status == 0, result.stderr[-2000:]
        ids = {email["id"] for email in box.truth("automation_emails") if email["emails_sent"]}
        for stream, records in result.by_stream().items():
            assert differences(records, box.truth(stream, config(box, report_automation_emails=True))) == [], stream
        found = {record["campaign_id"] for record in result.records(ACTIVITY)}
        assert (ids & found == ids) is (automation_reports == "1")


def test_activate_version_ends_a_complete_full_pass(box: MailchimpSandbox, tmp_path: Path) -> None:
    result = run(box, "--select", "list_segment_members", "--select", "lists", folder=tmp_path, activate_version=True)
    assert result.status == 0
    for stream in ("list_segment_members", "lists"):
        messages = [m for m in result.messages if m.get("stream") == stream]
        assert messages[-1]["type"] == "ACTIVATE_VERSION"
        versions = {m["version"] for m in messages if m["type"] != "SCHEMA"}
        assert len(versions) == 1


def test_members_are_read_whole_when_that_is_due(tmp_path: Path) -> None:
    mode = tmp_path / "mode.json"
    mode.write_text(json.dumps({"full_refresh_members_days": 1}))

    def members(day: int, state: Any = None) -> Result:
        box = ["--sandbox", f"scale=0.2,day={day}"]
        arguments = [*box, "--select", "list_members", "--config", str(mode)]
        return run_tap("tap_mailchimp", *arguments, state=state, folder=tmp_path)

    first = members(0)
    soon, later = members(0, first.state), members(2, first.state)
    assert len(soon.records("list_members")) < 100
    truth = MailchimpSandbox({"scale": "0.2", "day": "2"}).truth("list_members")
    assert differences(later.records("list_members"), truth) == []


def test_tags_of_lists_and_sweeps_that_join_later_are_read_from_their_beginning(tmp_path: Path) -> None:
    with MailchimpSandbox({"scale": "0.3", "speed": "100"}) as box:
        streams = ["--select", "list_members", "--select", "member_tags"]
        one = max(box.truth("lists"), key=lambda row: row["stats"]["member_count"])["id"]
        first = run(box, *streams, folder=tmp_path, list_ids=[one], include_archived=False)
        second = run(box, *streams, folder=tmp_path, state=first.state)
        third = run(box, *streams, folder=tmp_path, state=second.state)
        truth = box.truth("member_tags")
    assert (first.status, second.status, third.status) == (0, 0, 0)
    tags = [*first.records("member_tags"), *second.records("member_tags")]
    assert missing(tags, truth) == []
    assert len({row["list_id"] for row in truth}) > 1
    assert len(tags) < len(truth) + 20 and len(third.records("member_tags")) < 20


def test_no_stream_loses_what_stayed_while_rows_of_every_collection_come_and_go(tmp_path: Path) -> None:
    """In pages of three rows of a small account, so that even short collections are paged through while they move."""
    moved: set[str] = set()
    for seed in ("1", "2", "4"):
        with MailchimpSandbox({"scale": "0.02", "seed": seed, "drift": "1"}) as box:
            result = run(box, "--select", "*", folder=tmp_path, page_size=3)
            assert result.status == 0, result.stderr[-2000:]
            assert problems(result) == []
            for stream, records in result.by_stream().items():
                held = upserted(records, result.keys(stream))
                stayed = upserted(box.stayed(stream, config(box)), result.keys(stream))
                assert [key for key in stayed if key not in held] == [], stream
            moved |= box.moved()
    assert {stream.name for stream in TAP.streams} - moved == ONE_ROW_A_PARENT


def test_the_old_names_and_strings_of_other_taps_configs_work(box: MailchimpSandbox, tmp_path: Path) -> None:
    settings = {
        "page_size": "500",
        "request_timeout": "300",
        "email_activity_date_window": "",
        "server": "us6",
        "max_connections": "4",
        "start_date": "01/31/2020",
    }
    result = run(box, "--select", "list_members", folder=tmp_path, **settings)
    assert result.status == 0, result.stderr[-2000:]
    assert differences(result.records("list_members"), box.truth("list_members", box.settings)) == []
    assert box.stats.summary()["most_in_flight"] <= 4
