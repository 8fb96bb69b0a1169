"""Whole runs of the Customer.io tap, where it is asked for more than what every tap promises."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.testing.runs import Result, differences, given, missing, problems, run_tap, run_tap_until, upserted
from shared.timestamps import instant
from tap_customerio.sandbox import CustomerioSandbox

SMALL = {"scale": "0.2"}


def run(tmp_path: Path, options: str = "", *arguments: str, state: Any = None, **config: Any) -> Result:
    """A run against a small workspace, soon over."""
    chosen = ",".join(["speed=100", "scale=0.2", *filter(None, [options])])
    return run_tap("tap_customerio", "--sandbox", chosen, *arguments, config=config, state=state, folder=tmp_path)


def small(**options: str) -> CustomerioSandbox:
    """What stands in it."""
    return CustomerioSandbox({**SMALL, **options})


OTHER_SIDE = {
    "wrapped": "1",
    "hidden": "all",
    "used_by": "top",
    "contents": "content",
    "tokens": "number",
    "prefix": "none",
    "lists": "bare",
    "objects_field": "name",
    "replaced": "moves",
    "downloads": "1",
    "lag": "1",
    "groups": "letters",
}
"""Each unconfirmed shape as it is not by default; the contract tests see the other one."""


def test_each_unconfirmed_shape_gives_the_same_records_and_a_day_later_what_changed(tmp_path: Path) -> None:
    options = ",".join(f"{name}={value}" for name, value in OTHER_SIDE.items())
    chosen = {"objects_filter_field": "name"}
    first = run(tmp_path, options, "--select", "*", "--exclude", "*_metrics", **chosen)
    assert first.status == 0, first.stderr
    box = small(**OTHER_SIDE)
    for name, records in first.by_stream().items():
        assert differences(records, box.truth(name)) == [], name
    names = ("campaigns", "collections", "exports")
    selected = [part for name in names for part in ("--select", name)]
    again = run(tmp_path, f"day=1,{options}", *selected, state=first.state)
    later = small(**OTHER_SIDE, day="1")
    for name in names:
        held = upserted([*first.records(name), *again.records(name)], ["id"])
        assert held.keys() == upserted(later.truth(name), ["id"]).keys(), name
    assert {row["id"] for row in later.truth("campaigns")} - {row["id"] for row in box.truth("campaigns")} == {8, 10}
    assert differences(again.records("collections"), later.truth("collections")) == []


def test_settings_that_choose_choose(tmp_path: Path) -> None:
    chosen: dict[str, Any] = {
        "customers_segment_ids": [3],
        "esp_suppression_domains": ["mail.example.com", "unknown.example"],
        "include_drafts": True,
        "activities_types": ["event", "page"],
        "start_date": "2026-09-15",
        "hydrate_objects": True,
        "customers_key": "cio_id",
    }
    names = ("customers", "eps_suppression", "messages", "campaigns", "custom_objects", "custom_object_relationships")
    selected = [part for name in (*names, "activities") for part in ("--select", name)]
    result = run(tmp_path, "", *selected, **chosen)
    assert result.status == 0, result.stderr
    box = small()
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
    result = run(tmp_path, "forbid=/segments+/exports+/workspaces+/subscription_channels", "--select", "*")
    assert result.status == 1
    box = small()
    for name in ("segments", "exports", "workspaces"):
        assert f"{name}: " in result.stderr and "scope" in result.stderr
        assert result.records(name) == []
    for name, records in result.by_stream().items():
        if not name.startswith(("segment", "export", "workspace", "subscription_channels")):
            assert differences(records, box.truth(name)) == [], name
    assert run(tmp_path, "forbid=/segments+/exports", "--select", "segments", fail_on_forbidden=False).status == 0


def test_an_address_that_the_key_is_not_for_stops_the_run_or_names_every_stream(tmp_path: Path) -> None:
    wrong = run(tmp_path, "elsewhere=401", "--select", "topics")
    assert wrong.status == 3
    assert "other region" in wrong.stderr and "IP addresses" in wrong.stderr and "Track API key" in wrong.stderr
    refused = run(tmp_path, "elsewhere=403", "--select", "topics", "--select", "types")
    assert refused.status == 1
    assert "topics: " in refused.stderr and "types: " in refused.stderr and "IP addresses" in refused.stderr


def test_a_daily_quota_is_named_and_a_later_run_goes_on(tmp_path: Path) -> None:
    first = run_tap("tap_customerio", "--sandbox", "speed=2000,scale=0.2,daily=50", folder=tmp_path)
    assert first.status == 1
    assert "daily quota" in first.stderr
    assert first.messages[-1]["type"] == "STATE"
    second = run(tmp_path, state=first.state)
    assert second.status == 0
    box = small()
    for name in second.by_stream():
        assert missing([*first.records(name), *second.records(name)], box.truth(name)) == [], name


def test_what_the_plan_lacks_is_unavailable_and_no_failure(tmp_path: Path) -> None:
    lacking = "lacking=/objects+/object_types+/subscription_topics+/subscription_channels+/optouts+/esp"
    result = run(tmp_path, lacking, "--select", "*", "--exclude", "*_metrics")
    assert result.status == 0, result.stderr
    names = {"types", "custom_objects", "custom_object_relationships", "topics", "subscription_channels", "optouts"}
    for name, records in result.by_stream().items():
        if name in {*names, "eps_suppression"}:
            assert records == [], name
        else:
            assert differences(records, small().truth(name)) == [], name
    assert "eps_suppression" in result.stderr and "plan does not have this" in result.stderr


def test_a_list_that_cannot_be_read_beside_others_is_a_failure(tmp_path: Path) -> None:
    result = run(tmp_path, "lacking=/esp/suppression/blocks", "--select", "eps_suppression")
    assert result.status == 1
    assert "blocks" in result.stderr
    expected = [row for row in small().truth("eps_suppression") if row["suppression_type"] != "blocks"]
    assert differences(result.records("eps_suppression"), expected) == []


def test_newsletters_without_tests_are_no_failure(tmp_path: Path) -> None:
    result = run(tmp_path, "groups=none", "--select", "newsletter_test_groups")
    assert result.status == 0, result.stderr
    assert result.records("newsletter_test_groups") == []


def test_nobody_who_stayed_is_missed_while_others_leave(tmp_path: Path) -> None:
    with small(rate="1000", drift="1", most="20") as box:
        result = run_tap("tap_customerio", "--select", "customers", config=box.settings, folder=tmp_path)
        assert result.status == 0, result.stderr
        assert len(box.left) > 10
        assert missing(result.records("customers"), box.stayed("customers")) == []
        keys = [row["cio_id"] for row in result.records("customers")]
        assert len(keys) == len(set(keys))


@pytest.mark.parametrize(("key", "odd"), [("id", "30"), ("cio_id", "229")])
def test_a_person_who_cannot_be_read_is_missed_alone_and_named(key: str, odd: str, tmp_path: Path) -> None:
    result = run(tmp_path, f"odd={odd}", "--select", "customers", customers_key=key, max_retries=1)
    assert result.status == 1
    name = f"a3{int(odd):06x}"
    assert f"person with cio_id {name} could not be read" in result.stderr and "odd person" in result.stderr
    expected = [row for row in small().truth("customers") if row["cio_id"] != name]
    assert differences(result.records("customers"), expected) == []


def test_what_people_take_is_estimated_from_their_number(tmp_path: Path) -> None:
    with small(rate="1000", scale="3") as box:
        words = ("--select", "customers")
        plan = run_tap("tap_customerio", *words, "--plan", config=box.settings, folder=tmp_path)
        (estimate,) = [shard["estimate"] for shard in json.loads(b"\n".join(plan.lines))["shards"]]
        before = box.stats.summary()["requests"]
        assert run_tap("tap_customerio", *words, config=box.settings, folder=tmp_path).status == 0
        taken = box.stats.summary()["requests"] - before
        assert taken / 2 < estimate["requests_at_least"] < taken * 2


def test_a_config_of_ones_own_works_with_the_sandbox(tmp_path: Path) -> None:
    result = run(tmp_path, "", "--select", "segments", access_token="Bearer one-of-my-own")
    assert result.status == 0, result.stderr
    assert differences(result.records("segments"), small().truth("segments")) == []


def test_lists_that_come_whole_show_what_has_gone_by_their_versions(tmp_path: Path) -> None:
    names = ("campaigns", "broadcasts", "newsletters", "segments", "transactional_messages", "campaign_actions")
    selected = [part for name in names for part in ("--select", name)]
    first = run(tmp_path, "", *selected, activate_version=True)
    again = run(tmp_path, "day=1", *selected, state=first.state, activate_version=True)
    later = small(day="1")
    activated = {each["stream"] for each in again.messages if each["type"] == "ACTIVATE_VERSION"}
    assert activated == set(names)
    for name in names:
        assert differences(again.records(name), later.truth(name)) == [], name


AT = """
import sys
from shared.command.start import start
from tap_customerio import client
client.HOSTS.update(us=sys.argv.pop(1), eu=sys.argv.pop(1))
start("tap_customerio", title="Customer.io")
"""


@pytest.mark.parametrize(
    ("region", "home", "answer"),
    [("us", "us", "401"), ("EU", "eu", "401"), ("auto", "eu", "401"), (None, "eu", "301"), (None, "us", "401")],
)
def test_a_full_run_is_exact_in_each_region(region: str | None, home: str, answer: str, tmp_path: Path) -> None:
    options = {"rate": "1000", "scale": "0.1"}
    with CustomerioSandbox(options) as box, CustomerioSandbox({"elsewhere": answer}) as other:
        hosts = [box.base_url, other.base_url] if home == "us" else [other.base_url, box.base_url]
        config = {**box.settings, **({"region": region} if region else {})}
        del config["base_url"]
        words = [*hosts, "--select", "*", *given(tmp_path, config=config)]
        done = subprocess.run([sys.executable, "-c", AT, *words], capture_output=True, check=False)
        result = Result(done.returncode, done.stdout, done.stderr.decode())
        assert result.status == 0, result.stderr
        assert other.stats.summary()["requests"] == (1 if home == "eu" and region != "EU" else 0)
        for name, records in result.by_stream().items():
            assert differences(records, box.truth(name)) == [], name


def test_what_singer_ios_tap_left_is_taken_up(tmp_path: Path) -> None:
    config = {"start_date": "2020-01-01T00:00:00Z", "user_agent": "me@example.com", "request_timeout": "300"}
    names = {"info": "ip_addresses", "subscription_center": "topics", "objects": "types", "campaigns": "campaigns"}
    streams = [
        {
            "tap_stream_id": name,
            "stream": name,
            "schema": {"type": "object", "properties": {}},
            "metadata": [{"breadcrumb": [], "metadata": {"selected": True}}],
        }
        for name in names
    ]
    state = {
        "currently_syncing": "campaigns",
        "bookmarks": {"campaigns": {"updated": "2026-10-20T00:00:00.000000Z"}, "info": {}, "objects": None},
    }
    result = run(tmp_path, "", *given(tmp_path, catalog={"streams": streams}), state=state, **config)
    assert result.status == 0, result.stderr
    box = small()
    for name in ("ip_addresses", "topics", "types"):
        assert differences(result.records(name), box.truth(name)) == [], name
    newer = [row for row in box.truth("campaigns") if (row["updated"] or "3") >= "2026-10-19T23"]
    assert differences(result.records("campaigns"), newer) == []
    assert "currently_syncing" not in result.state


def test_what_a_complete_read_makes_one_doubt_is_said(tmp_path: Path) -> None:
    chosen = {"esp_suppression_domains": ["mail.example.com", "unknown.example"]}
    selected = ("--select", "customers", "--select", "eps_suppression", "--select", "custom_objects")
    result = run(tmp_path, "unfound=30,objects_field=name", *selected, **chosen)
    assert result.status == 0, result.stderr
    assert "200 people were read, where the list of workspaces says 230" in result.stderr
    assert "nobody is suppressed at unknown.example" in result.stderr
    assert "mail.example.com" not in result.stderr
    assert "set objects_filter_field" in result.stderr
    quiet = run(tmp_path, "", *selected)
    assert "people were read" not in quiet.stderr and "objects_filter_field" not in quiet.stderr


def test_late_metrics_of_old_deliveries_are_written_again(tmp_path: Path) -> None:
    first = run(tmp_path, "", "--select", "messages")
    again = run(tmp_path, "day=1", "--select", "messages", state=first.state)
    late = [row for row in again.records("messages") if "opened" in row["metrics"]]
    assert late
    assert len(again.records("messages")) < len(first.records("messages")) / 2


@pytest.mark.parametrize(
    ("stream", "options", "send"),
    [
        ("customers", "most=50,latency=0.01", signal.SIGKILL),
        ("messages", "most=50,latency=0.02", signal.SIGKILL),
        ("activities", "most=10,latency=0.02", signal.SIGTERM),
    ],
)
def test_killed_in_the_middle_it_goes_on_there(stream: str, options: str, send: signal.Signals, tmp_path: Path) -> None:
    arguments = ("--sandbox", f"speed=100,{options}", "--select", stream)
    expected = CustomerioSandbox().truth(stream)
    first = run_tap_until("tap_customerio", *arguments, records=len(expected) * 2 // 3, send=send)
    assert first.status != 0
    second = run_tap("tap_customerio", *arguments, state=first.state, folder=tmp_path)
    assert second.status == 0, second.stderr
    assert missing([*first.records(stream), *second.records(stream)], expected) == []
    assert len(second.records(stream)) < len(expected) * 3 // 4, "it began anew"


def test_what_is_left_of_a_long_window_is_read_from_two_ends(tmp_path: Path) -> None:
    result = run(tmp_path, "most=3", "--select", "messages", messages_window_days=180)
    assert result.status == 0, result.stderr
    assert differences(result.records("messages"), small().truth("messages")) == []


# Exports


@pytest.mark.parametrize("options", ["polls=2", "exports=expired", "exports=short"])
def test_people_come_through_one_export_whatever_happens_to_it(options: str, tmp_path: Path) -> None:
    chosen: dict[str, Any] = {"customers_source": "export", "customers_segment_ids": [2]}
    result = run(tmp_path, options, "--select", "customers", **chosen)
    assert result.status == 0, result.stderr
    assert problems(result) == []
    assert differences(result.records("customers"), small().truth("customers", chosen)) == []


def test_a_failed_export_is_named_and_the_rest_is_complete(tmp_path: Path) -> None:
    result = run(tmp_path, "exports=failed", customers_source="export")
    assert result.status == 1
    assert "customers: export job 700 failed" in result.stderr
    box = small()
    for name in ("messages", "activities", "eps_suppression", "segments"):
        assert differences(result.records(name), box.truth(name)) == [], name


def test_an_export_without_the_column_that_names_people_is_made_anew_by_the_next_run(tmp_path: Path) -> None:
    with small(rate="1000", polls="0", exports="nameless") as box:
        config = {**box.settings, "customers_source": "export"}
        first = run_tap("tap_customerio", "--select", "customers", config=config, folder=tmp_path)
        assert first.status == 1
        assert "export 700 has no column cio_id" in first.stderr
        second = run_tap("tap_customerio", "--select", "customers", config=config, state=first.state, folder=tmp_path)
        assert second.status == 0, second.stderr
        assert [each["export"]["id"] for each in box.made] == [700, 701]
        assert differences(second.records("customers"), box.truth("customers", config)) == []


def test_an_export_that_announces_more_rows_than_it_has_is_written_and_said(tmp_path: Path) -> None:
    result = run(tmp_path, "exports=off", "--select", "customers", customers_source="export")
    assert result.status == 1
    assert "230 rows came, 231 were announced" in result.stderr
    expected = small().truth("customers", {"customers_source": "export"})
    assert differences(result.records("customers"), expected) == []


@pytest.mark.parametrize("fate", ["nameless", "lost"])
def test_an_export_that_is_of_no_use_to_a_resumed_run_is_made_anew_at_once(fate: str, tmp_path: Path) -> None:
    with small(rate="1000", polls="0", speed="100", exports=fate) as box:
        config = {**box.settings, "customers_source": "export"}
        resumed = resuming(box, {"id": 700, "units": []})
        run_tap("tap_customerio", "--select", "customers", config=config, folder=tmp_path)
        result = run_tap("tap_customerio", "--select", "customers", config=config, state=resumed, folder=tmp_path)
        assert result.status == 0, result.stderr
        assert "export 700 of an earlier run is of no use" in result.stderr
        assert [each["export"]["id"] for each in box.made] == [700, 701]
        assert differences(result.records("customers"), box.truth("customers", config)) == []


def test_an_export_whose_id_a_killed_run_did_not_learn_is_found_and_used(tmp_path: Path) -> None:
    with small(rate="1000", polls="0") as box:
        config = {**box.settings, "customers_source": "export"}
        asked = instant(box.clock.now().isoformat())
        assert run_tap("tap_customerio", "--select", "customers", config=config, folder=tmp_path).status == 0
        state = resuming(box, {"asked": asked, "units": []})
        result = run_tap("tap_customerio", "--select", "customers", config=config, state=state, folder=tmp_path)
        assert result.status == 0, result.stderr
        assert [each["export"]["id"] for each in box.made] == [700]
        assert differences(result.records("customers"), box.truth("customers", config)) == []


def resuming(box: CustomerioSandbox, unit: Any) -> Any:
    """The state of a run that was killed while it read people."""
    resume: dict[str, Any] = {"began": instant(box.clock.now().isoformat()), "done": [], "units": {"": unit}}
    return {"bookmarks": {"customers": {"resume": resume}}}


def test_an_export_of_a_killed_run_is_taken_up_and_one_that_failed_is_made_anew(
    tmp_path: Path,
) -> None:
    with small(rate="1000", polls="0") as box:
        config = {**box.settings, "customers_source": "export"}

        def again(identifier: int) -> Any:
            state = resuming(box, {"id": identifier, "units": []})
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
    box = small()
    for name, records in result.by_stream().items():
        assert differences(records, box.truth(name, chosen)) == [], name


def test_resolutions_channels_and_different_people_stand_side_by_side(tmp_path: Path) -> None:
    chosen: dict[str, Any] = {
        "metrics_resolutions": ["days", "months"],
        "metrics_channels": ["email", "all"],
        "metrics_unique_clicks": True,
    }
    result = run(tmp_path, "", "--select", "*_metrics", **chosen)
    assert result.status == 0, result.stderr
    assert problems(result) == []
    box = small()
    for name, records in result.by_stream().items():
        assert differences(records, box.truth(name, chosen)) == [], name
    again = run(tmp_path, "", "--select", "campaign_metrics", state=result.state, **chosen)
    assert 0 < len(again.records("campaign_metrics")) < len(result.records("campaign_metrics"))
