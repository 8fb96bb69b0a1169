"""Whole runs of the Customer.io tap, where it is asked for more than what every tap promises."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from shared.testing import differences, missing, problems, run_tap, run_tap_until
from shared.timestamps import instant
from tap_customerio.sandbox import CustomerioSandbox


def run(tmp_path: Path, options: str = "", *arguments: str, **config: Any) -> Any:
    return run_tap("tap_customerio", "--sandbox", f"speed=100,{options}".strip(","), *arguments, config=config,
                   folder=tmp_path)  # fmt: skip


def test_each_unconfirmed_shape_gives_the_same_records(tmp_path: Path) -> None:
    names = ("customers", "sender_identities", "sender_usage", "transactional_contents")
    selected = [part for name in names for part in ("--select", name)]
    result = run(tmp_path, "wrapped=1,hidden=all,used_by=top,contents=content", *selected)
    assert result.status == 0, result.stderr
    box = CustomerioSandbox()
    for name in names:
        assert differences(result.records(name), box.truth(name)) == [], name


def test_settings_that_choose_choose(tmp_path: Path) -> None:
    chosen: dict[str, Any] = {
        "customers_segment_ids": [3],
        "esp_suppression_domains": ["mail.example.com", "unknown.example"],
        "include_drafts": True,
        "activities_types": ["event", "page"],
        "start_date": "2026-09-15",
    }
    names = ("customers", "eps_suppression", "messages", "campaigns")
    selected = [part for name in (*names, "activities") for part in ("--select", name)]
    result = run(tmp_path, "", *selected, **chosen)
    assert result.status == 0, result.stderr
    box = CustomerioSandbox()
    for name in names:
        assert differences(result.records(name), box.truth(name, chosen)) == [], name
    expected = [row for row in box.truth("activities", chosen) if row["type"] in ("event", "page")]
    assert differences(result.records("activities"), expected) == []


def test_older_names_and_text_ids_come_out(tmp_path: Path) -> None:
    result = run(tmp_path, "", "--select", "info", "--select", "campaigns", legacy_stream_names=True, string_ids=True)
    assert result.status == 0, result.stderr
    assert problems(result) == []
    assert result.records("info")[0]["ip_addresses"] == "192.0.2.1"
    assert result.records("campaigns")[0]["id"] == "1"


def test_what_a_key_may_not_read_is_named_and_the_rest_is_complete(tmp_path: Path) -> None:
    result = run(tmp_path, "forbid=/segments+/exports")
    assert result.status == 1
    assert "segments" in result.stderr and "scope" in result.stderr
    box = CustomerioSandbox()
    for name in ("customers", "messages", "activities", "eps_suppression"):
        assert differences(result.records(name), box.truth(name)) == [], name
    lenient = run(tmp_path, "forbid=/segments+/exports", fail_on_forbidden=False)
    assert lenient.status == 0


def test_a_daily_quota_is_named(tmp_path: Path) -> None:
    result = run_tap("tap_customerio", "--sandbox", "speed=2000,daily=3", "--select", "campaigns", "--select", "topics",
                     "--select", "types", folder=tmp_path)  # fmt: skip
    assert result.status == 1
    assert "daily quota" in result.stderr
    assert result.messages[-1]["type"] == "STATE"


def test_late_metrics_of_old_deliveries_are_written_again(tmp_path: Path) -> None:
    first = run(tmp_path, "", "--select", "messages")
    again = run_tap("tap_customerio", "--sandbox", "speed=100,day=1", "--select", "messages", state=first.state,
                    folder=tmp_path)  # fmt: skip
    late = [row for row in again.records("messages") if "opened" in row["metrics"]]
    assert late
    assert len(again.records("messages")) < len(first.records("messages")) / 2


@pytest.mark.parametrize(
    ("stream", "options", "send"),
    [
        ("customers", "most=100", signal.SIGKILL),
        ("messages", "most=50", signal.SIGKILL),
        ("activities", "most=10", signal.SIGTERM),
    ],
)
def test_killed_in_the_middle_it_goes_on_there(stream: str, options: str, send: signal.Signals, tmp_path: Path) -> None:
    arguments = ("--sandbox", f"speed=100,latency=0.004,{options}", "--select", stream)
    expected = CustomerioSandbox().truth(stream)
    first = run_tap_until("tap_customerio", *arguments, records=len(expected) * 3 // 4, send=send)
    assert first.status != 0
    second = run_tap("tap_customerio", *arguments, state=first.state, folder=tmp_path)
    assert second.status == 0, second.stderr
    assert missing([*first.records(stream), *second.records(stream)], expected) == []
    assert len(second.records(stream)) < len(expected) * 2 // 3, "it began anew"


def test_what_is_left_of_a_long_window_is_read_from_two_ends(tmp_path: Path) -> None:
    result = run(tmp_path, "most=8", "--select", "messages", messages_window_days=180)
    assert result.status == 0, result.stderr
    assert differences(result.records("messages"), CustomerioSandbox().truth("messages")) == []


# Exports


@pytest.mark.parametrize("options", ["polls=2", "exports=expired", "exports=short"])
def test_people_come_through_one_export_whatever_happens_to_it(options: str, tmp_path: Path) -> None:
    chosen: dict[str, Any] = {"customers_source": "export", "customers_segment_ids": [2]}
    result = run(tmp_path, options, "--select", "customers", **chosen)
    assert result.status == 0, result.stderr
    assert problems(result) == []
    assert differences(result.records("customers"), CustomerioSandbox().truth("customers", chosen)) == []


def test_a_failed_export_is_named_and_the_rest_is_complete(tmp_path: Path) -> None:
    result = run(tmp_path, "exports=failed", customers_source="export")
    assert result.status == 1
    assert "customers: export job 700 failed" in result.stderr
    box = CustomerioSandbox()
    for name in ("messages", "activities", "eps_suppression", "segments"):
        assert differences(result.records(name), box.truth(name)) == [], name


def test_an_export_of_a_killed_run_is_taken_up_and_one_that_failed_is_made_anew(
    tmp_path: Path,
) -> None:
    with CustomerioSandbox({"rate": "1000", "polls": "0"}) as box:
        config = {**box.settings, "customers_source": "export"}

        def again(identifier: int) -> Any:
            pending = {"id": identifier, "units": []}
            resume = {"began": instant(box.clock.now().isoformat()), "done": [], "units": {"": pending}}
            state = {"bookmarks": {"customers": {"resume": resume}}}
            return run_tap("tap_customerio", "--select", "customers", config=config, state=state, folder=tmp_path)

        assert again(1).status == 0  # long gone
        assert [each["export"]["id"] for each in box.made] == [700]
        assert again(700).status == 0
        box.made[0]["export"]["failed"] = True
        box.made[0]["polls"] = -100
        last = again(700)
        assert [each["export"]["id"] for each in box.made] == [700, 701]
        assert differences(last.records("customers"), box.truth("customers", config)) == []
        assert "customers" not in last.state["bookmarks"]


# Metrics


@pytest.mark.parametrize("resolution", ["hours", "weeks", "months"])
def test_periods_of_any_length_begin_where_they_should(resolution: str, tmp_path: Path) -> None:
    chosen = {"metrics_resolution": resolution, "start_date": "2026-10-14T10:00:00Z"}
    result = run(tmp_path, "", "--select", "*_metrics", **chosen)
    assert result.status == 0, result.stderr
    box = CustomerioSandbox()
    for name, records in result.by_stream().items():
        assert differences(records, box.truth(name, chosen)) == [], name
