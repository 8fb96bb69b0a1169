"""The page about a run holds what was counted, and needs nothing from elsewhere."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from in_memory import CHILD, PARENT, day, rows, run

from shared.api.request import Request
from shared.command.report_page import Facts, for_programs, page
from shared.errors import RefusedError
from shared.report import UNITS_KEPT, Report
from shared.streams import Stream
from shared.testing.runs import run_tap

NOW = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)
FACTS = Facts(version="1.2.3", command="tap-test --config 'my config.json'", began=NOW - timedelta(seconds=100))


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Text(HTMLParser):
    """The words of a page, and the addresses it names."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.addresses: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")] + (
            [tag] * (tag == "script")
        )


def read(html: str) -> Text:
    text = Text()
    text.feed(html)
    return text


def test_the_page_says_what_was_counted() -> None:
    clock = Clock()
    report = Report("tap-test", clock=clock)
    report.stream_started("lists", bookmark="2026-10-01T00:00:00.000000Z")
    report.request("lists", method="GET", path="/lists", status=200, seconds=1.5, size=2_500_000)
    report.retry("lists", "500")
    report.waited("lists", 30.0)
    report.records("lists", 1234)
    clock.now += 50
    report.unit("lists", 40.0)
    report.problem("lists", "half of it is <missing>")
    report.note("lists: fields that the schema does not know: x (7)")
    report.stream_finished("lists", outcome="failed", bookmark="2026-11-01T00:00:00.000000Z")
    clock.now += 50
    report.selected, report.exit_code = ["lists"], 1
    html = page(report, FACTS, now=NOW)
    found = read(html)
    assert FACTS.command in found.words
    assert "1 stream selected" in found.words
    assert "2026-11-01 11:58:20 UTC to 2026-11-01 12:00:00 UTC, 1 min 40 s. Exit code 1." in found.words
    made = json.loads(for_programs(report, FACTS, NOW))
    assert (made["command"], made["exit_code"], made["selected"]) == (FACTS.command, 1, ["lists"])
    assert (made["began"], made["ended"], made["seconds"]) == ("2026-11-01T11:58:20Z", "2026-11-01T12:00:00Z", 100)
    (counted,) = made["streams"]
    assert counted["problems"] == ["half of it is <missing>"]
    assert (counted["records"], counted["retries"], counted["bytes_received"]) == (1234, 1, 2_500_000)
    assert made["warnings"] == ["lists: fields that the schema does not know: x (7)"]
    words = set(found.words)
    assert {"1,234", "2.5 MB", "30.0 s", "1.5 s", "2026-10-01 00:00:00", "2026-11-01 00:00:00", "failed"} <= words
    assert "1 of 1 streams not complete" in words
    assert "lists: half of it is <missing>" in words
    assert "lists: fields that the schema does not know: x (7)" in words
    assert 'style="left:10.00%;width:40.00%"' in html
    assert found.addresses == []
    assert "prefers-color-scheme: dark" in html


def test_the_page_says_what_was_left_out_by_name_and_reason() -> None:
    error = RefusedError("c: GET /p/2/c answered 403.")

    def answer(request: Request) -> Any:
        if request.path == "/p/2/c":
            raise error
        return [*rows(1, 2, 3), {"at": day(1), "name": "<b>"}] if request.path == "/p" else rows(1, 2)

    html = page(run([PARENT, CHILD], answer).report, FACTS, now=NOW)
    cells = [read(row).words for row in html[html.index("Left out") : html.index("<h2>Warnings")].split("<tr>")]
    assert ["c", "parent_id 2", "refused", str(error)] in cells
    assert any(row[0] == "p" and "name <b>" in row[1] and row[2] == "left out" for row in cells if len(row) == 4), cells
    whole = page(run([Stream(name="a", path="/a")], failing).report, FACTS, now=NOW)
    assert ["a", "all of it", "refused", "a: no."] in [
        read(row).words for row in whole.split("</table>")[1].split("<tr>")
    ]
    assert "Nothing." in read(page(run([PARENT], lambda _: rows(1)).report, FACTS, now=NOW)).words


def failing(_: Request) -> Any:
    raise RefusedError("a: no.")


def test_what_was_left_out_without_end_is_counted() -> None:
    def answer(request: Request) -> Any:
        if request.path == "/p":
            return [{"id": number, "at": day(1)} for number in range(1, 701)]
        if request.path == "/p/1/c":
            return rows(1)
        raise RefusedError("c: no.")

    html = page(run([PARENT, CHILD], answer).report, FACTS, now=NOW)
    assert html.count('<td class="left">refused') == 500 and "199 more" in html


def test_units_without_end_leave_a_bounded_timeline() -> None:
    clock = Clock()
    report = Report("tap-test", clock=clock)
    for _ in range(10_000):
        clock.now += 1
        report.unit("members", 0.5)
    (counts,), _ = report.account()
    assert len(counts.units) <= UNITS_KEPT
    assert sum(span.units for span in counts.units) == 10_000
    assert (min(counts.units).began, max(span.ended for span in counts.units)) == (0.5, 10_000)


def test_a_run_writes_it(tmp_path: Path) -> None:
    path, other = tmp_path / "report.html", tmp_path / "report.json"
    both = ("--report", str(path), "--report", str(other))
    result = run_tap("tap_mailchimp", "--sandbox", "--select", "lists", *both, folder=tmp_path)
    words = read(path.read_text()).words
    assert "1 stream complete" in words
    assert str(len(result.records("lists"))) in words
    made = json.loads(other.read_text())
    assert (made["exit_code"], made["selected"]) == (0, ["lists"])
    assert made["command"].startswith("tap-mailchimp --sandbox --select lists")
    assert {each["stream"]: each["records"] for each in made["streams"]}["lists"] == len(result.records("lists"))


def test_a_report_says_how_a_run_failed(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    strict = {"strict": True}  # one of the sandbox's campaigns holds a value of another type
    result = run_tap(
        "tap_mailchimp", "--sandbox", "--select", "campaigns", "--report", str(path), config=strict, folder=tmp_path
    )
    assert result.status == 1
    made = json.loads(path.read_text())
    assert made["exit_code"] == 1
    assert made["streams"][0]["problems"]


def test_a_report_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "report.html"
    result = run_tap("tap_mailchimp", "--sandbox", "--select", "lists", "--report", str(path), folder=tmp_path)
    assert result.status == 0
    assert "the report could not be written" in result.stderr
