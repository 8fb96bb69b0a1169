"""Whole runs of the tap's process against its sandbox: what the shared contract does not ask of every tap."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shared.testing.runs import Result, command, differences, given, missing, problems, run_tap
from tap_iterable.sandbox import READ_ONLY_KEY, IterableSandbox
from tap_iterable.sandbox.exports import TORN, Job

EVENTS = [
    "email_bounce", "email_click", "email_complaint", "email_open", "email_send", "email_send_skip",
    "email_subscribe", "email_unsubscribe",
]  # fmt: skip
EXPORTS = [*EVENTS, "users"]


def selected(streams: list[str]) -> list[str]:
    return [part for stream in streams for part in ("--select", stream)]


def run(folder: Path, streams: list[str], box: str = "", state: Any = None, **config: Any) -> Result:
    options = f"speed=1000,{box}".strip(",")
    return run_tap("tap_iterable", "--sandbox", options, *selected(streams), config=config, state=state, folder=folder)


def assert_exact(result: Result, box: IterableSandbox, *, status: int = 0, **settings: Any) -> None:
    assert result.status == status, result.stderr[-2000:]
    assert problems(result) == []
    for stream, records in result.by_stream().items():
        assert differences(records, box.truth(stream, settings)) == [], stream


@pytest.mark.parametrize(
    ("project", "mode", "ills", "source"),
    [
        ("email", "stream", "cut=150", "users_export"),
        ("email", "job", "jobs=fail+truncate+expire,faults=on", "api"),
        ("userid", "stream", "cut=150,faults=on", "users_export"),
        ("userid", "job", "jobs=expire", "users_export"),
        ("hybrid", "stream", "cut=150", "api"),
        ("hybrid", "job", "jobs=fail", "users_export"),
    ],
)
def test_all_streams_of_every_type_of_project_are_read_exactly_in_either_mode_whatever_befalls(
    project: str, mode: str, ills: str, source: str, tmp_path: Path
) -> None:
    """Without quotas and ills, the email project is the shared contract's own."""
    config: dict[str, Any] = {"export_mode": mode, "list_users_source": source}
    config |= {"project_type": "userid"} if project == "userid" else {"users_layout": "data_fields"}
    config |= {"api_window_in_days": 1200, "max_window_in_days": 1200} if mode == "job" else {}
    options = f"speed=1000,project={project},broken=2,{ills}"
    arguments = ["--sandbox", options, "--select", "*", "--exclude", "export_jobs"]
    result = run_tap("tap_iterable", *arguments, config=config, folder=tmp_path)
    assert_exact(result, IterableSandbox({"project": project, "broken": "2"}), status=1, **config)
    key, member = ("email", "email") if project == "email" else ("itblUserId", "userIdentifier")
    assert (result.keys("users"), result.keys("list_users")) == ([key], [member, "listId"])
    assert any(line.startswith("tap-iterable: list_users: Left out: list 2.") for line in result.stderr.splitlines())


def test_all_modes_give_the_same_records_and_the_same_state(tmp_path: Path) -> None:
    found = []
    streams = ["email_send", "users"]
    for mode in ("auto", "stream", "job"):
        arguments = [*selected(streams), "--exclude", "email_send.c*", "--exclude", "email_send.t*"]
        config = {"export_mode": mode, "end_date": "2026-10-01"}
        result = run_tap("tap_iterable", "--sandbox", "speed=1000", *arguments, config=config, folder=tmp_path)
        assert result.status == 0, result.stderr[-2000:]
        found.append((result.by_stream(), result.state["bookmarks"]))
    events = IterableSandbox({}).truth("email_send")
    expected = {event["_event_id"] for event in events if event["createdAt"] < "2026-10-01"}
    assert {record["_event_id"] for record in found[0][0]["email_send"]} == expected
    assert not {"campaignId", "transactionalData"} & found[0][0]["email_send"][0].keys()
    for records, bookmarks in found[1:]:
        assert bookmarks == found[0][1]
        for stream in streams:
            assert differences(records[stream], found[0][0][stream]) == []


def test_what_is_too_much_for_an_answer_of_a_day_goes_through_a_job(tmp_path: Path) -> None:
    """And what is unconfirmed is the other way round here."""
    streams = ["catalogs", "catalog_items", "campaigns", "campaign_metrics", "email_send", "unknown_session"]
    result = run(tmp_path, streams, "cut=150,other=1", export_mode="auto", job_threshold_days=9999)
    assert_exact(result, IterableSandbox({}))
    assert "is too much for one answer: through a job" in result.stderr


def test_an_unknown_campaign_costs_its_own_metrics_and_is_named(tmp_path: Path) -> None:
    result = run(tmp_path, ["campaigns", "campaign_metrics"], "unknown=122")
    assert_exact(result, IterableSandbox({"unknown": "122"}), status=result.status)
    assert "122" in result.stderr


@pytest.mark.parametrize(
    ("mode", "width"),
    [("stream", 1200), ("job", 1200), ("stream", 0.001)],
    ids=["stream", "job", "alone"],
)
def test_a_torn_line_costs_that_line_and_is_looked_at_once_more(mode: str, width: float, tmp_path: Path) -> None:
    event = IterableSandbox({}).account.event("emailBounce", TORN)
    config: dict[str, Any] = {"export_mode": mode, "api_window_in_days": width, "max_window_in_days": 1200}
    config["end_date"] = "2026-11-01T12:00:00Z"  # each run's clock begins there
    if width < 1:  # a window in which the torn line is the last
        day = event["createdAt"][:10]
        config |= {
            "start_date": event["createdAt"].replace(" +00:00", "Z").replace(" ", "T"),
            "end_date": f"{day}T23:59:59Z",
        }
    expected = [
        record
        for record in IterableSandbox({}).truth("email_bounce")
        if record["messageId"] != event["messageId"]
        and config.get("start_date", "") <= record["createdAt"]
        and record["createdAt"] < config.get("end_date", "3")
    ]
    state, statuses = None, []
    for _ in range(3):
        result = run(tmp_path, ["email_bounce"], "torn=emailBounce", state=state, **config)
        state = result.state
        statuses.append(result.status)
        if result.status:
            assert differences(result.records("email_bounce"), expected) == []
            assert "of the export of" in result.stderr
    assert statuses == [1, 1, 0]


def test_profiles_that_lack_the_key_are_left_out_and_the_setting_is_named(tmp_path: Path) -> None:
    result = run(tmp_path, ["users"], "project=userid", project_type="email")
    assert result.status == 1
    assert "Set project_type to userid" in result.stderr
    named = [row["email"] for row in IterableSandbox({"project": "userid"}).truth("users") if row["email"]]
    assert sorted(row["email"] for row in result.records("users")) == sorted(named)


@pytest.mark.parametrize("window", ["day", "week"])
def test_metrics_come_by_day_and_week_and_what_is_not_settled_is_read_again(window: str, tmp_path: Path) -> None:
    config: dict[str, Any] = {"metrics_window": window, "metrics_lookback_days": 5, "concurrency": 2}
    first = run(tmp_path, ["campaign_metrics"], **config)
    assert_exact(first, IterableSandbox({}), **config)
    assert first.keys("campaign_metrics") == ["id", "windowStart"]
    again = run(tmp_path, ["campaign_metrics"], state=first.state, **config)
    assert (again.status, again.records("campaign_metrics")) == (0, []), "all are settled"
    later = run(tmp_path, ["campaign_metrics"], "day=2", state=first.state, **config)
    written = [*first.records("campaign_metrics"), *later.records("campaign_metrics")]
    assert missing(written, IterableSandbox({"day": "2"}).truth("campaign_metrics", config)) == []
    assert 0 < len(later.records("campaign_metrics")) < len(first.records("campaign_metrics")) / 4


def test_what_comes_or_moves_while_it_is_read_arrives_in_this_run_or_the_next(tmp_path: Path) -> None:
    streams = ["email_bounce", "email_click", "users", "list_users"]
    with IterableSandbox({"drift": "1", "cut": "150"}) as box:
        config = {
            **box.settings,
            "api_window_in_days": 60,
            "max_window_in_days": 90,
            "list_users_source": "users_export",
        }
        first = run_tap("tap_iterable", *selected(streams), config=config, folder=tmp_path)
        assert missing(first.records("users"), box.truth("users")), "nobody moved out of a window yet to come"
        assert missing(first.records("list_users"), box.truth("list_users")) == []
        box.options["drift"] = False
        box.clock.advance(days=1)  # what happens in a second is read once it is over
        second = run_tap("tap_iterable", *selected(streams), config=config, state=first.state, folder=tmp_path)
        for stream in streams[:3]:
            assert missing([*first.records(stream), *second.records(stream)], box.truth(stream)) == [], stream


def test_append_only_events_that_come_late_arrive_and_none_is_written_twice(tmp_path: Path) -> None:
    """That late events arrive with the other keys too is part of the contract. The key may start no jobs here."""
    streams = ["email_open", "email_send", "email_bounce"]
    config: Any = {"event_key": "append", "lookback_minutes": 30 * 24 * 60, "export_mode": "auto"}
    first = run(tmp_path, streams, "jobs=refuse", **config)
    assert 1 <= first.stderr.count("Exports are asked for directly") <= len(streams), "it is remembered"
    again = run(tmp_path, streams, state=first.state, **config)
    later = run(tmp_path, streams, "day=1", state=again.state, **config)
    assert later.keys("email_open") == []
    box = IterableSandbox({"day": "1"})
    for stream in streams:
        assert again.records(stream) == []
        records = [*first.records(stream), *later.records(stream)]
        assert differences(records, box.truth(stream)) == [], stream


SINCE = "2025-06-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        (
            {"start_date": "2023-11-01T00:00:00Z", "api_window_in_days": "30"},
            {
                "currently_syncing": None,
                "bookmarks": {
                    "email_open": {"createdAt": SINCE},
                    "users": {"profileUpdatedAt": SINCE},
                    "templates": {"updatedAt": "2023-11-03T00:00:00.000000Z"},
                },
            },
        ),
        (
            {"start_date": "2023-11-01", "region": "US", "end_date": "2026-11-01T11:00:00Z"},
            {
                "bookmarks": {
                    "email_open": {
                        "replication_key": "createdAt",
                        "replication_key_value": "2025-06-01T00:00:00+00:00",
                    },
                    "users": {"replication_key": "profileUpdatedAt", "replication_key_value": SINCE},
                    "templates": {
                        "partitions": [
                            {"context": {"messageMedium": "Email"}, "replication_key_value": "2025-01-01T00:00:00Z"},
                            {"context": {"messageMedium": "Push"}, "replication_key_value": "2023-11-03T00:00:00Z"},
                        ]
                    },
                }
            },
        ),
    ],
    ids=["singer-io", "meltano"],
)
def test_config_and_state_of_the_other_taps_go_on_here(config: Any, kept: Any, tmp_path: Path) -> None:
    streams = {"email_open": "createdAt", "users": "profileUpdatedAt", "templates": "updatedAt"}
    result = run(tmp_path, [*streams, "channels"], state=kept, **config)
    assert (result.status, problems(result)) == (0, []), result.stderr[-2000:]
    first = {"templates": "2023-11-03T00:00:00.000000Z"}
    for stream, field in streams.items():
        since = first.get(stream, "2025-05-31T23:00:00.000000Z")  # the look-back
        expected = [record for record in IterableSandbox({}).truth(stream) if record[field] >= since]
        assert differences(result.records(stream), expected) == [], stream
        assert result.state["bookmarks"][stream].keys() == {field}
    assert result.records("channels")


def test_a_first_run_over_three_years_needs_few_exports_under_the_documented_quota(tmp_path: Path) -> None:
    # The same clock for both sides, so that the quota is the real one, in a fraction of the time.
    result = run(tmp_path, EXPORTS, "quotas=1,speed=400", export_mode="stream")
    assert_exact(result, IterableSandbox({}))
    assert "Exports to come, if none is too large: 45 requests, which take 11 minutes" in result.stderr
    requests = requests_of(result)
    assert set(requests) == set(EXPORTS)
    assert sum(requests.values()) <= 60


def requests_of(result: Result) -> dict[str, int]:
    """How many requests each export took, as the closing table has it, without those that were sent too soon."""
    found, head = {}, ""
    for line in result.stderr.splitlines():
        if line.startswith("stream ") and " records " in line:
            head = line
        elif head and line.split()[:1] and line.split()[0] in EXPORTS:
            found[line.split()[0]] = _number(line, head, "requests") - _number(line, head, "retries")
    return found


def _number(line: str, head: str, name: str) -> int:
    """What stands under a word of the table's head, to whose right end it is aligned; 0 where nothing does."""
    end = head.find(name) + len(name)
    return int(line[end - len(name) : end].strip() or 0) if name in head else 0


def test_a_read_only_key_is_told_what_it_does_not_reach_and_reads_the_rest(tmp_path: Path) -> None:
    streams = ["channels", "campaigns", "list_users", *EXPORTS]
    result = run(tmp_path, streams, "quotas=1", api_key=READ_ONLY_KEY, export_mode="stream")
    assert result.status == 1
    assert "server-side key" in result.stderr
    # No more than may be under way at once; one of users' is for their fields.
    assert 1 <= sum(requests_of(result).values()) - 1 <= 4, "one refusal is every export's"
    assert result.stderr.count("GET /api/export/data.json answered") <= 2, "said at once and at the end"
    assert Counter(map(len, (result.records("email_open"), result.records("list_users")))) == {0: 2}
    assert len(result.records("campaigns")) == 130


def test_a_wrong_key_ends_the_run_and_names_type_and_region(tmp_path: Path) -> None:
    result = run(tmp_path, ["channels"], api_key="wrong-key-wrong-key")
    assert result.status == 3
    assert "region" in result.stderr
    assert result.stdout == b""


class Watched(dict[int, Job]):
    """Jobs that tell when one is first asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.polled = threading.Event()

    def __getitem__(self, identity: int) -> Job:
        self.polled.set()
        return super().__getitem__(identity)


def test_a_job_under_way_is_cancelled_on_sigterm(tmp_path: Path) -> None:
    with IterableSandbox({}) as box:
        watched = Watched()
        box.jobs = watched
        config = {**box.settings, "export_mode": "job"}
        arguments = ["--select", "email_send", *given(tmp_path, config=config)]
        process = subprocess.Popen(command("tap_iterable", arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert watched.polled.wait(30)
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=10)
        assert process.returncode == 143, errors.decode()
        assert [job.state for job in watched.values()] == ["cancelled"]
    kept = json.loads(out.splitlines()[-1])["value"]["bookmarks"]["email_send"]["resume"]["units"][""]
    assert kept["id"] in watched
    second = run(tmp_path, ["email_send"], state=json.loads(out.splitlines()[-1])["value"], export_mode="job")
    assert_exact(second, IterableSandbox({}))
