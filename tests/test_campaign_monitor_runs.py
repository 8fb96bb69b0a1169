"""Whole runs of tap-campaign-monitor against its sandbox: every login and shape, several days, other zones, states."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from shared.sandbox import EPOCH
from shared.testing.runs import Result, command, comparable, differences, problems, run_tap, upserted
from shared.timestamps import canonical, parse, shift
from tap_campaign_monitor.sandbox import APPLICATION, CLIENT_KEY, CampaignMonitorSandbox

PACKAGE = "tap_campaign_monitor"
DAY_SECONDS = 86_400
BY_DATE = re.compile(r"campaign_(opens|clicks|bounces|unsubscribes|spam_complaints)|list_\w+_subscribers")


def run(folder: Path, box: str = "", state: Any = None, *select: str, **config: Any) -> Result:
    chosen = [part for name in select or ("*",) for part in ("--select", name)]
    return run_tap(
        PACKAGE,
        "--sandbox",
        f"speed=100,awkward=1,{box}".strip(","),
        *chosen,
        config=config,
        state=state,
        folder=folder,
    )


def sandbox(box: str = "", **more: Any) -> CampaignMonitorSandbox:
    """The same account, to ask for what is in it."""
    options = dict(part.split("=") for part in box.split(",") if part)
    return CampaignMonitorSandbox({"awkward": "1", **options, **{name: str(value) for name, value in more.items()}})


@pytest.mark.parametrize(
    "box",
    [
        "login=oauth,lifetime=40,oauth_refusal=401,gone=401,scale=0.5,order=desc",
        "login=oauth,lifetime=40,rotate=0,gone=404,scale=0.5,ties=shuffled",
        "date_filter=after,gone=bare,scale=0.5,heavy=300,empty_pages=1,gzip=1,seed=3",
    ],
)
def test_every_login_and_unconfirmed_shape_gives_the_same_records(box: str, tmp_path: Path) -> None:
    result = run(tmp_path, box)
    assert result.status == 0, result.stderr[-2000:]
    assert problems(result, secrets=[CLIENT_KEY, "sandbox-refresh-0", "sandbox-access-1"]) == []
    account = sandbox(box)
    for stream, records in result.by_stream().items():
        assert differences(records, account.truth(stream)) == [], stream


def test_a_newcomer_is_warned_of_nothing(tmp_path: Path) -> None:
    result = run_tap(PACKAGE, "--sandbox", "speed=100,scale=0.3", "--select", "*", folder=tmp_path)
    assert result.status == 0
    assert [line for line in result.stderr.splitlines() if line.startswith(("WARNING", "ERROR"))] == []


def test_tokens_that_live_two_seconds_and_are_renewed_by_one_worker_for_all(tmp_path: Path) -> None:
    with CampaignMonitorSandbox({"login": "oauth", "lifetime": "2", "latency": "0.02"}) as box:
        file = tmp_path / "config.json"
        file.write_text(json.dumps({**box.settings, "concurrency": 4}))
        result = run_tap(PACKAGE, "--config", str(file), "--select", "campaign*", "--select", "list*", folder=tmp_path)
        assert result.status == 0, result.stderr[-2000:]
        renewed = box.stats.summary()["routes"]["/oauth/token"]
        assert 1 <= renewed == box.renewed, "a refresh token was used twice"
        assert json.loads(file.read_text())["refresh_token"] == f"sandbox-refresh-{renewed}"
        assert problems(result, secrets=[f"sandbox-access-{number}" for number in range(1, renewed + 1)]) == []
        for stream, records in result.by_stream().items():
            assert differences(records, box.truth(stream)) == [], stream


def test_authorised_by_the_browser_and_read_with_the_token_that_gave(tmp_path: Path) -> None:
    with CampaignMonitorSandbox({"login": "oauth"}) as box, socket.create_server(("127.0.0.1", 0)) as free:
        back = f"http://127.0.0.1:{free.getsockname()[1]}/back"
        free.close()
        file = tmp_path / "config.json"
        names = {f"oauth_{name}": value for name, value in APPLICATION.items()}
        file.write_text(json.dumps({**names, "redirect_uri": back, "base_url": box.base_url}))
        browser = tmp_path / "browser"
        browser.write_text("#!/bin/sh\nexit 0\n")
        browser.chmod(0o755)
        process = subprocess.Popen(
            command(PACKAGE, ["--config", str(file), "--authorize"]),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "BROWSER": str(browser)},
        )
        assert process.stderr is not None
        url = next(line.strip() for line in process.stderr if line.startswith("http"))
        assert "ViewReports%2CViewSubscribersInReports" in url and "type=web_server" in url
        next(line for line in process.stderr if line.startswith("Waiting"))
        with urlopen(url, timeout=10) as answer:  # it leads to the listener, as it would lead a browser
            assert answer.url.startswith(back)
        output, errors = process.communicate(timeout=20)
        assert (process.returncode, output) == (0, ""), errors
        saved = json.loads(file.read_text())
        assert saved["refresh_token"] == "sandbox-refresh-1" and file.stat().st_mode & 0o777 == 0o600
        result = run_tap(PACKAGE, "--config", str(file), "--select", "clients", folder=tmp_path)
        assert result.status == 0, result.stderr[-2000:]
        assert len(result.records("clients")) == 3


# Days


@pytest.mark.parametrize(
    ("box", "days"),
    [("scale=0.5", range(-29, -26)), ("scale=0.5,date_filter=after", range(-1, 2))],
    ids=["Sydney's clocks go forward", "New York's go back"],
)
def test_days_across_a_change_of_clocks_miss_nothing_and_repeat_the_look_back_alone(
    box: str, days: range, tmp_path: Path
) -> None:
    state: Any = {}
    held: dict[str, dict[Any, Any]] = {}
    for day in days:
        chosen = ("campaign*", "list_*_subscribers", "journey*")
        result = run(tmp_path, f"{box},day={day}", state or None, *chosen, subscriber_full_refresh_days=None)
        assert result.status == 0, result.stderr[-2000:]
        account = sandbox(box, day=day)
        for stream, records in result.by_stream().items():
            keys = result.keys(stream)
            held.setdefault(stream, {}).update(upserted(records, keys))
            truth = upserted(account.truth(stream), keys)
            assert truth.keys() <= held[stream].keys(), (day, stream)
            if day == days[-1]:
                assert all(held[stream][key] == record for key, record in truth.items()), stream
            assert beyond_look_back(stream, records, state) == [], (day, stream)
        state = result.state


def beyond_look_back(stream: str, records: list[Any], state: Mapping[str, Any]) -> list[Any]:
    """Records that the run before had read already, and that no look-back asks for."""
    if not BY_DATE.fullmatch(stream):
        return []
    units = state.get("bookmarks", {}).get(stream, {}).get("units", {})
    found = []
    for record in records:
        entry = units.get(str(record.get("CampaignID") or record["ListID"])[:12])
        bookmark = entry[0] if isinstance(entry, list) else entry
        if bookmark and record["Date"] < shift(canonical(parse(bookmark)), -DAY_SECONDS):
            found.append(record)
    return found


def test_counters_that_lag_and_count_unique_clicks_delay_rows_and_lose_none(tmp_path: Path) -> None:
    state: Any = None
    held: dict[str, list[Any]] = {}
    for day in range(3):
        result = run(tmp_path, f"lag=1,clicks=unique,day={day}", state, "campaign_*", force_read_days=1)
        assert result.status == 0, result.stderr[-2000:]
        for stream, records in result.by_stream().items():
            held.setdefault(stream, []).extend(records)
        state = result.state
    for stream in ("campaign_opens", "campaign_clicks", "campaign_bounces", "campaign_recipients"):
        keys = result.keys(stream)
        lost = upserted(sandbox(day=2).truth(stream), keys).keys() - upserted(held[stream], keys).keys()
        assert not lost, f"{stream}: {len(lost)}"


def test_a_client_that_moved_to_another_zone_is_read_on_from_where_it_was(tmp_path: Path) -> None:
    chosen = ("campaign_opens", "campaign_bounces", "list_active_subscribers")
    first = run(tmp_path, "", None, *chosen)
    second = run(tmp_path, "zone=pacific,day=1", first.state, *chosen)
    assert second.status == 0, second.stderr[-2000:]
    account = sandbox("zone=pacific,day=1")
    for stream in chosen:
        got = [*first.records(stream), *second.records(stream)]
        assert not told(account.truth(stream)) - told(got), stream


def told(records: list[Any]) -> Counter[str]:
    """Records without what holds local time."""
    local = ("DateLocal", "RecordKey")
    return Counter(comparable({name: value for name, value in row.items() if name not in local}) for row in records)


def test_the_older_taps_config_and_state_are_gone_on_from(tmp_path: Path) -> None:
    with CampaignMonitorSandbox({"login": "oauth"}) as box:
        truth = box.truth("campaign_opens")
        latest: dict[str, str] = {}
        for row in truth:
            later = shift(row["Date"], 1.5 * DAY_SECONDS)
            latest[row["CampaignID"]] = max(latest.get(row["CampaignID"], ""), later)
        entries = {
            f"{campaign}.campaign_opens": {"field": "Date", "last_record": f"{value[:10]} {value[11:19]}"}
            for campaign, value in latest.items()
        }
        config = {"client_id": box.account.client_id(box.account.clients[0]), "refresh_token": "sandbox-refresh-0"}
        result = run_tap(
            PACKAGE,
            "--select",
            "campaign_opens",
            config={**config, "base_url": box.base_url},
            state={"bookmarks": entries, "currently_syncing": None},
            folder=tmp_path,
        )
        assert result.status == 0, result.stderr[-2000:]
        kept = {campaign: shift(value, -DAY_SECONDS) for campaign, value in latest.items()}
        # A bookmark that lies in the future says nothing: its campaign is read from the beginning.
        behind = {
            campaign: shift(value, -DAY_SECONDS) if value <= canonical(EPOCH) else ""
            for campaign, value in kept.items()
        }
        own = [row for row in truth if row["ClientID"] == config["client_id"]]
        wanted = [row for row in own if row["Date"] >= behind[row["CampaignID"]]]
        assert 0 < len(wanted) < len(own)
        assert differences(result.records("campaign_opens"), wanted) == []


# How much is asked and kept


def test_an_unchanged_account_is_asked_for_little_and_its_state_is_small(tmp_path: Path) -> None:
    chosen = [word for name in ("campaign*", "lists", "list_*_subscribers") for word in ("--select", name)]
    with CampaignMonitorSandbox() as box:
        first = run_tap(PACKAGE, *chosen, config=box.settings, folder=tmp_path)
        before = box.stats.summary()["requests"]
        second = run_tap(PACKAGE, *chosen, config=box.settings, state=first.state, folder=tmp_path)
        asked = box.stats.summary()["requests"] - before
        assert (first.status, second.status) == (0, 0)
        campaigns, lists, clients = box.account.campaigns.values(), len(box.account.lists), len(box.account.clients)
        # A campaign that was sent lately may yet change while its counters stand still: its eight requests are due.
        young = [each for each in campaigns if (box.clock.now() - each.sent).days < 5]
        pages = 2 * clients
        assert asked <= 2 + clients + pages + len(campaigns) + 5 * lists + 8 * len(young)
        units = {name: entry["units"] for name, entry in first.state["bookmarks"].items() if "units" in entry}
        a_campaign = sum(len(json.dumps(units[name])) for name in units if name.startswith("campaign_"))
        a_list = sum(len(json.dumps(units[name])) for name in units if name.startswith("list_"))
        assert 1000 * a_campaign / len(campaigns) + 200 * a_list / lists < 450_000


# Settings and answers


def test_settings_that_narrow_a_run(tmp_path: Path) -> None:
    account = sandbox().account
    config = {
        "client_id": account.client_id(account.clients[0]),
        "list_ids": [each.identity for each in account.lists.values()][:2],
        "campaign_tags": ["2026"],
        "start_date": "2026-10-20",
        "custom_fields_as_object": True,
    }
    chosen = ("clients", "campaigns", "campaign_opens", "campaign_recipients", "campaign_email*", "*_subscribers")
    result = run(tmp_path, "", None, *chosen, **config)
    assert result.status == 0, result.stderr[-2000:]
    campaigns = {row["CampaignID"] for row in sandbox().truth("campaigns", config)}
    for stream, records in result.by_stream().items():
        truth = [row for row in sandbox().truth(stream, config) if row["ClientID"] == config["client_id"]]
        if stream.startswith("campaign_"):
            truth = [row for row in truth if row["CampaignID"] in campaigns]
        plain = [{**row, "CustomFieldsObject": None} if "CustomFieldsObject" in row else row for row in records]
        assert differences(plain, truth) == [], stream
    assert {"interests": ["art", "music"]} in [
        row["CustomFieldsObject"] for row in result.records("list_active_subscribers")
    ]


def test_a_missing_scope_and_a_plan_without_transactional_email_end_their_streams_alone(tmp_path: Path) -> None:
    result = run(tmp_path, "forbid=/lists,plan=basic", None, "lists", "list_stats", "campaign_opens", "transactional_*")
    assert result.status == 1
    assert "The scope ManageLists is missing" in result.stderr
    assert "transactional_groups: GET" not in result.stderr.splitlines()[-1]
    assert differences(result.records("campaign_opens"), sandbox().truth("campaign_opens")) == []


def test_a_busy_segment_is_asked_again_and_then_left_for_the_next_run(tmp_path: Path) -> None:
    result = run(tmp_path, "busy=3", None, "segment_*")
    assert result.status == 0, result.stderr[-2000:]
    for stream in ("segment_details", "segment_subscribers"):
        assert differences(result.records(stream), sandbox().truth(stream)) == []
    left = run_tap(PACKAGE, "--sandbox", "busy=1000,speed=10000", "--select", "segment_details", folder=tmp_path)
    assert "Skipped" in left.stderr
    assert left.records("segment_details") == []


def test_small_pages_and_the_contracts_keys(tmp_path: Path) -> None:
    chosen = ("campaign_opens", "campaign_clicks", "campaign_email*", "list_active_subscribers", "suppression_list")
    config = {"page_size": 20, "key_mode": "contract"}
    result = run(tmp_path, "", None, *chosen, **config)
    assert result.status == 0, result.stderr[-2000:]
    assert result.keys("campaign_opens") == ["CampaignID", "EmailAddress", "ListID", "Date"]
    for stream, records in result.by_stream().items():
        assert differences(records, sandbox().truth(stream, config)) == [], stream


def test_messages_are_read_back_to_the_look_back(tmp_path: Path) -> None:
    first = run(tmp_path, "scale=30", None, "transactional_messages")
    assert (
        differences(first.records("transactional_messages"), sandbox("scale=30").truth("transactional_messages")) == []
    )
    second = run(tmp_path, "scale=30,day=1", first.state, "transactional_messages")
    assert second.status == 0, second.stderr[-2000:]
    again = len(second.records("transactional_messages"))
    assert 6 <= again < 40
