"""What a run says on stderr."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from singer.metrics import Point

from shared import report
from shared.report import Report


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Lines:
    """Stderr so far."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys, self._text = capsys, ""

    def __str__(self) -> str:
        self._text += self._capsys.readouterr().err
        return self._text


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    yield Lines(capsys)
    for name in ("tap-tiny", "tap_tiny", "shared"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.NOTSET)


def metrics(text: str) -> list[dict[str, Any]]:
    head = "INFO METRIC: "
    return [json.loads(line.removeprefix(head)) for line in text.splitlines() if line.startswith(head)]


def test_metric_lines_are_singers_own(lines: Lines, clock: Clock) -> None:
    report.configure("tap-tiny")
    said = Report("tap-tiny", clock=clock)
    said.stream_started("items")
    said.records("items", 3)
    clock.now = 61
    said.metrics_due()
    point = Point("counter", "record_count", 3, {"endpoint": "items"})
    expected = json.dumps({"type": point.metric_type, "metric": point.metric, "value": point.value, "tags": point.tags})
    assert str(lines).splitlines()[-1] == f"INFO METRIC: {expected}"


def test_metrics_come_once_a_minute_and_count_what_is_new(lines: Lines, clock: Clock) -> None:
    report.configure("tap-tiny")
    said = Report("tap-tiny", clock=clock)
    said.stream_started("items")
    for second in range(0, 180, 10):
        clock.now = second
        said.records("items", 10)
        said.metrics_due()
    said.stream_finished("items", outcome="complete")
    counters = [point["value"] for point in metrics(str(lines)) if point["metric"] == "record_count"]
    assert counters == [70, 60, 50]
    assert sum(counters) == 180


def test_request_timers_stand_for_the_requests_that_ended_alike(lines: Lines, clock: Clock) -> None:
    report.configure("tap-tiny")
    said = Report("tap-tiny", clock=clock)
    said.stream_started("items")
    said.request("items", method="GET", path="/items", status=200, seconds=1.0)
    said.request("items", method="GET", path="/items", status=200, seconds=2.0)
    said.request("items", method="GET", path="/items", status=0, seconds=9.0)
    said.stream_finished("items", outcome="complete")
    timers = [point for point in metrics(str(lines)) if point["type"] == "timer"]
    assert [(point["value"], point["tags"]) for point in timers] == [
        (1.5, {"endpoint": "items", "http_status_code": 200, "status": "succeeded", "requests": 2}),
        (9.0, {"endpoint": "items", "status": "failed", "requests": 1}),
    ]


def test_metric_lines_may_be_left_out(lines: Lines, clock: Clock) -> None:
    report.configure("tap-tiny")
    said = Report("tap-tiny", clock=clock, has_metrics=False)
    said.stream_started("items")
    said.records("items", 3)
    clock.now = 61
    said.metrics_due()
    said.stream_finished("items", outcome="complete")
    assert metrics(str(lines)) == []


def test_a_summary_leaves_out_what_nothing_happened_of(clock: Clock) -> None:
    said = Report("tap-tiny", clock=clock)
    said.selected = ["items", "parts"]
    said.stream_started("items")
    said.records("items", 7)
    clock.now = 3725
    said.stream_finished("items", outcome="complete")
    assert said.summary().splitlines() == [
        "stream  records  requests",
        "items         7         0  complete",
        "1 of 2 streams, 7 records, 0 requests, 1:02:05",
    ]


def test_a_job_is_told_when_it_ends(lines: Lines) -> None:
    report.configure("tap-tiny")
    Report("tap-tiny").job("items", job_type="export", seconds=12.5)
    assert metrics(str(lines)) == [
        {
            "type": "timer",
            "metric": "job_duration",
            "value": 12.5,
            "tags": {"job_type": "export", "status": "succeeded"},
        }
    ]


def test_each_request_is_one_line_at_debug_and_none_at_info(lines: Lines) -> None:
    said = Report("tap-tiny")
    report.configure("tap-tiny", level=logging.INFO)
    said.request("items", method="GET", path="/items", status=200, seconds=0.25)
    assert str(lines) == ""
    report.configure("tap-tiny", level=logging.DEBUG)
    said.request("items", method="GET", path="/items", status=200, seconds=0.25)
    assert str(lines) == "DEBUG items: GET /items 200 0.250 s\n"


def test_a_problem_is_logged_once_and_stands_in_the_summary(lines: Lines) -> None:
    report.configure("tap-tiny")
    said = Report("tap-tiny")
    for _ in range(3):
        said.problem("items", "items: GET /items answered 403 Forbidden.")
    assert str(lines) == "WARNING items: GET /items answered 403 Forbidden.\n"
    assert said.summary().count("tap-tiny: items: GET /items answered 403 Forbidden.\n") == 1


def test_the_summary_has_a_row_for_each_stream(clock: Clock) -> None:
    said = Report("tap-tiny", clock=clock)
    said.request("", method="GET", path="/ping", status=200, seconds=0.1)
    said.stream_started("items")
    said.request("items", method="GET", path="/items", status=200, seconds=0.1)
    said.records("items", 1234)
    said.retry("items", "503")
    said.waited("items", 2.25)
    said.problem("items", "something odd")
    said.stream_finished("items", outcome="complete", bookmark="2026-11-01T00:00:00.000000Z")
    said.stream_started("parts")
    said.stream_finished("parts", outcome="refused")
    assert said.summary().splitlines() == [
        "stream            records  bookmark                     requests  retries  quota wait  problems",
        "items               1,234  2026-11-01T00:00:00.000000Z         1        1       2.2 s         1  complete",
        "parts                   0                                      0                                 refused",
        "(other requests)        0                                      1",
        "2 of 2 streams, 1,234 records, 2 requests, 0:00",
        "tap-tiny: items: something odd",
    ]


def test_counting_from_many_threads_loses_nothing() -> None:
    said = Report("tap-tiny")

    def count() -> None:
        for _ in range(500):
            said.records("items", 2)
            said.request("items", method="GET", path="/", status=200, seconds=0)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (said.rows()[0]["records"], said.rows()[0]["requests"]) == (4000, 2000)


def test_the_live_view_sees_what_runs_and_what_waits(clock: Clock) -> None:
    said = Report("tap-tiny", clock=clock)
    said.stream_started("items")
    said.stream_started("parts")
    said.stream_finished("parts", outcome="complete")
    said.waiting("items", True)
    clock.now = 5
    ((counts, seconds),) = said.snapshot()
    assert (counts.stream, counts.waiting, seconds) == ("items", 1, 5)


def test_json_lines_have_the_members_meltano_shows(lines: Lines) -> None:
    report.configure("tap-tiny", log_format="json")
    said = Report("tap-tiny")
    said.stream_started("items")
    said.stream_finished("items", outcome="complete")
    first, metric, last = (json.loads(line) for line in str(lines).splitlines())
    assert first.keys() == {
        "level", "pid", "logger_name", "ts", "thread_name", "app_name", "stream_name", "message", "extra",
    }  # fmt: skip
    assert (first["level"], first["logger_name"], first["stream_name"]) == ("info", "tap-tiny", "items")
    assert metric["message"] == "METRIC"
    assert metric["metric_info"] == {
        "type": "counter",
        "metric": "record_count",
        "value": 0,
        "tags": {"endpoint": "items"},
    }
    assert last["message"].startswith("items: complete, 0 records")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_secrets_are_masked_whoever_logs_them(lines: Lines, log_format: str) -> None:
    report.configure("tap-tiny", log_format=log_format, mask=lambda text: text.replace("hunter2", "***"))
    try:
        raise ValueError("hunter2 failed")
    except ValueError:
        logging.getLogger("shared.anything").exception("with hunter2")
    assert "hunter2" not in str(lines)
    assert "***" in str(lines)


def test_configuring_again_replaces_the_handler(lines: Lines) -> None:
    report.configure("tap-tiny")
    report.configure("tap-tiny")
    logging.getLogger("tap-tiny").info("once")
    assert str(lines) == "INFO once\n"


def test_nothing_is_written_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    said = Report("tap-tiny")
    said.stream_started("items")
    said.problem("items", "odd")
    said.stream_finished("items", outcome="complete")
    said.summary()
    assert capsys.readouterr().out == ""


def test_a_silence_is_said_after_ten_seconds_and_then_each_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    said = Report("tap-tiny", clock=clock)
    said.host = "api.example.com"
    with caplog.at_level("INFO"):
        said.request("items", method="GET", path="/", status=200, seconds=0.1)
        said.stream_started("items")
        said.stream_started("parts")
        told = []
        for _ in range(140):
            clock.now += 1
            said.retry("items", "GET /items answered 503.", 4)
            caplog.clear()
            said.silences_due()
            told += [record.getMessage() for record in caplog.records]
    assert len(told) == 3, "at 10, 70 and 130 seconds"
    assert told[0].startswith("items: nothing has come from api.example.com for 10 s: GET /items answered 503.")
    assert "1 more" in told[0]


def test_what_is_asked_again_before_anything_was_answered_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    said = Report("tap-tiny")
    said.host = "api.example.com"
    with caplog.at_level("WARNING"):
        said.retry("", "GET /ping: no connection.", 2.5)
        assert "api.example.com: GET /ping: no connection. Asked again in 2.5 s." in caplog.text
        caplog.clear()
        said.request("", method="GET", path="/ping", status=200, seconds=0.1)
        said.retry("", "GET /ping: no connection.", 2.5)
        assert not caplog.text
