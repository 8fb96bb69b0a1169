"""What is odd about the Klaviyo tap: metrics and their names, windows, partitions, JSON:API, older states, answers."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.api.answers import Response
from shared.api.client import Context
from shared.api.limits import Limits
from shared.api.request import Request
from shared.command import config
from shared.command.authorize import authorization_url
from shared.errors import (
    AuthError,
    ConfigError,
    QuotaError,
    RefusedError,
    RetryableError,
    TooLargeError,
    UnavailableError,
)
from shared.protocol.state import State
from shared.report import Report
from shared.streams import Unit
from shared.sync.paging import first_request
from shared.sync.units import partitions
from shared.tap import settings_of
from shared.testing.runs import Result, differences, problems, run_tap
from tap_klaviyo.client import OAUTH, InvalidError, connect, heeding, quotas, verdict
from tap_klaviyo.profiles import in_window, suppressed
from tap_klaviyo.sandbox import KlaviyoSandbox
from tap_klaviyo.sandbox.oauth import REFRESH_TOKEN
from tap_klaviyo.tap import TAP, check_revision, read_state, validate

STREAMS = {stream.name: stream for stream in TAP.streams}
DEFAULTS = {setting.name: setting.default for setting in settings_of(TAP)}
NOW = "2026-11-10T08:00:00.000000Z"
SEED_EVENTS = [stream.name for stream in TAP.streams if stream.seed and stream.window]


def settings(**given: Any) -> dict[str, Any]:
    return {**DEFAULTS, "api_key": "pk_x", "start_date": "2026-01-01T00:00:00.000000Z", **given}


def unit(stream: str = "receive", **members: Any) -> Unit:
    return Unit(**{"stream": stream, "settings": settings(), "now": NOW, **members})


def run(box: KlaviyoSandbox, folder: Path, *select: str, state: Any = None, **given: Any) -> Result:
    arguments = [part for name in select for part in ("--select", name)]
    found = run_tap("tap-klaviyo", *arguments, config={**box.settings, **given}, state=state, folder=folder)
    assert problems(found) == []
    return found


@pytest.fixture(scope="module")
def box() -> Iterator[KlaviyoSandbox]:
    with KlaviyoSandbox({"quotas": "0"}) as served:
        yield served


# Campaigns, profiles, suppressions


def test_campaigns_are_read_in_all_channels_archived_or_not() -> None:
    found = partitions(STREAMS["campaigns"], settings())
    assert sorted(params["filter"] for params in found.values()) == sorted(
        f'and(equals(messages.channel,"{channel}"),equals(archived,{archived}))'
        for channel in ("email", "sms", "mobile_push")
        for archived in ("true", "false")
    )
    assert len(partitions(STREAMS["campaigns"], settings(campaign_channels=["sms"]))) == 2


def test_an_incremental_filter_stands_beside_the_partition_s() -> None:
    params = partitions(STREAMS["flows"], settings())["archived"]
    asked = first_request(STREAMS["flows"], unit("flows", params=params, since="2026-11-01T00:00:00.000000Z")).params
    assert asked["filter"] == "and(equals(archived,true),greater-or-equal(updated,2026-11-01T00:00:00Z))"


def test_profiles_know_only_exclusive_bounds() -> None:
    window = ("2026-11-01T00:00:00.000000Z", "2026-11-02T00:00:00.000000Z")
    asked = first_request(STREAMS["profiles"], unit("profiles", window=window)).params
    bounds = "greater-than(updated,2026-10-31T23:59:59Z),less-than(updated,2026-11-02T00:00:00Z)"
    assert asked["filter"] == bounds
    rows = [{"updated": f"2026-{when}+00:00"} for when in ("10-31T23:59:59.5", "11-01T00:00:00", "11-01T05:00:00")]
    assert len(list(in_window(rows, unit("profiles", window=window)))) == 2


def test_the_latest_suppression_is_lifted() -> None:
    held = [
        {"reason": "UNSUBSCRIBE", "timestamp": "2026-01-01T00:00:00+00:00"},
        {"reason": "HARD_BOUNCE", "timestamp": "2026-02-01T00:00:00+00:00"},
    ]
    row = {"id": "a", "subscriptions": {"email": {"marketing": {"suppression": held}}}}
    (record,) = suppressed([row], unit("global_exclusions"))
    assert (record["reason"], record["timestamp"], record["suppressions"]) == (
        "HARD_BOUNCE",
        "2026-02-01T00:00:00+00:00",
        held,
    )
    assert [each["suppressions"] for each in suppressed([{"id": "b"}], unit("global_exclusions"))] == [[]]


def test_streams_may_have_singer_io_s_names_and_campaigns_be_read_incrementally_and_bookmarks_carry_over(
    tmp_path: Path,
) -> None:
    chosen = {"text_message_stream_names": True, "campaigns_incremental": True}
    names = {"sent_sms": "sent_text_message", "consented_to_receive": "subscribed_to_text_message"}
    with KlaviyoSandbox({"quotas": "0"}) as box:
        first = run(box, tmp_path, *names, "campaigns", "click")
        box.advance(1)
        second = run(box, tmp_path, *names.values(), "campaigns", "click", state=first.state, **chosen)
        assert sorted(second.by_stream()) == ["campaigns", "click", *names.values()]
        for old, new in names.items():
            wanted = {record["id"] for record in box.changed_since(0, old)}
            written = {record["id"] for record in second.records(new)}
            assert wanted <= written and len(written) < len(box.truth(old))
        assert "updated_at" not in first.state["bookmarks"].get("campaigns", {})
        third = run(box, tmp_path, "campaigns", "sent_sms", state=second.state, **chosen)
        assert third.state["bookmarks"]["campaigns"]["units"]
        assert 0 < len(third.records("campaigns")) < len(second.records("campaigns"))
        fourth = run(box, tmp_path, "sent_sms", state=third.state)
        assert len(fourth.records("sent_sms")) == len(third.records("sent_text_message"))
        assert "sent_text_message" not in fourth.state["bookmarks"]


def test_lists_tell_their_size_on_demand(tmp_path: Path) -> None:
    found = run_tap(
        "tap-klaviyo",
        "--sandbox",
        "speed=50",
        "--select",
        "lists",
        config={"list_profile_count": True},
        folder=tmp_path,
    )
    truth = KlaviyoSandbox({}).truth("lists", {"list_profile_count": True})
    assert differences(found.records("lists"), truth) == []
    assert all(record["profile_count"] for record in truth)


def test_profiles_that_were_never_changed_are_read_once_on_demand(box: KlaviyoSandbox, tmp_path: Path) -> None:
    found = run(box, tmp_path, "profiles", undated_profiles=True)
    truth = box.truth("profiles", {"undated_profiles": True})
    assert differences(found.records("profiles"), truth) == []
    assert any(record["updated"] is None for record in truth)
    again = run(box, tmp_path, "profiles", undated_profiles=True, state=found.state)
    assert all(record["updated"] for record in again.records("profiles"))


@pytest.mark.parametrize("stream", ["list_profiles", "segment_profiles"])
def test_members_tell_who_they_are_on_demand(box: KlaviyoSandbox, tmp_path: Path, stream: str) -> None:
    profiles = {record["id"]: record for record in box.truth("profiles", {"undated_profiles": True})}
    names = ("email", "last_name")
    found = run(box, tmp_path, stream, *(f"{stream}.{name}" for name in names))
    truth = [
        {**record, **{name: profiles[record["profile_id"]][name] for name in names}} for record in box.truth(stream)
    ]
    assert differences(found.records(stream), truth) == []
    assert any(record["email"] for record in truth)
    discovered = json.loads(run_tap("tap-klaviyo", "--discover", config={}, folder=tmp_path).stdout)
    metadata = next(each["metadata"] for each in discovered["streams"] if each["stream"] == stream)
    by_default = {
        line["breadcrumb"][-1]: line["metadata"]["selected-by-default"] for line in metadata if line["breadcrumb"]
    }
    assert not by_default["email"] and by_default["joined_group_at"]


def test_contract_keys_leave_out_the_suppressed_without_an_address(box: KlaviyoSandbox, tmp_path: Path) -> None:
    found = run(box, tmp_path, "global_exclusions", seed_keys=True)
    assert found.keys("global_exclusions") == ["email"]
    assert differences(found.records("global_exclusions"), box.truth("global_exclusions", {"seed_keys": True})) == []
    assert len(found.records("global_exclusions")) < len(box.truth("global_exclusions"))


# Reports


def test_reports_are_read_as_the_settings_describe_them(box: KlaviyoSandbox, tmp_path: Path) -> None:
    chosen = [
        {"type": "form_values_report", "name": "a", "statistics": ["submits"], "timeframe": "last_week"},
        {"type": "form-values-reports", "statistics": ["viewed_form"]},
        {"type": "segment_series_report", "interval": "daily"},
    ]
    found = run(box, tmp_path, "form_values_reports", reports=chosen)
    rows = found.records("form_values_reports")
    assert {row["report"] for row in rows} == {"a", "report_1"}
    assert all((row["submits"] is None) is (row["report"] != "a") for row in rows)
    assert len({row["row_id"] for row in rows}) == len(rows) == 8
    for wrong in ({"type": "x"}, {"type": "metric_aggregates", "timeframe": "last_week"}):
        assert run_tap("tap-klaviyo", config={**box.settings, "reports": [wrong]}, folder=tmp_path).status == 2


def test_a_day_s_used_up_reports_stop_their_stream_alone_and_the_next_run_asks_for_the_rest(tmp_path: Path) -> None:
    chosen = [{"type": "form_values_report", "name": name} for name in "abc"]

    def ran(state: Any, *options: str) -> Result:
        select = ["--select", "form_values_reports", "--select", "flows"]
        sandbox = ",".join(("speed=100", *options))
        return run_tap(
            "tap-klaviyo", "--sandbox", sandbox, *select, config={"reports": chosen}, state=state, folder=tmp_path
        )

    first = ran(None, "reports_a_day=2")
    assert first.status == 1
    assert "form_values_reports: POST /api/form-values-reports answered 429" in first.stderr
    assert "225 times a day" in first.stderr and "Run again later." in first.stderr
    assert len(first.records("flows")) == 5 and "flows" in first.state["bookmarks"]
    second = ran(first.state)
    assert second.status == 0
    told = [sorted({row["report"] for row in each.records("form_values_reports")}) for each in (first, second)]
    assert sorted([*told[0], *told[1]]) == ["a", "b", "c"], "each report once"


def test_events_are_counted_by_what_the_settings_say(box: KlaviyoSandbox, tmp_path: Path) -> None:
    metric = box.account.metrics[0]["id"]
    frame = {"start": "2026-06-01", "end": "2026-10-31"}
    asked = {"metric_id": metric, "measurements": ["count"], "interval": "week", "timeframe": frame}
    chosen = [{"type": "metric-aggregate", **asked, **more} for more in ({}, {"group_by": ["$message"]})]
    found = run(box, tmp_path, "metric_aggregates", "events", reports=chosen)
    rows = found.records("metric_aggregates")
    events_there = [
        event
        for event in found.records("events")
        if event["metric_id"] == metric and "2026-06-01" <= event["datetime"][:10] <= "2026-10-31"
    ]
    whole = [row for row in rows if row["report"] == "report_0"]
    assert len(whole) == 22 and sum(row["count"] for row in whole) == len(events_there)
    message = events_there[0]["event_properties"]["$message"]
    wanted = sum((event["event_properties"] or {}).get("$message") == message for event in events_there)
    assert sum(row["count"] for row in rows if row["dimensions"] == {"$message": message}) == wanted
    assert len({row["row_id"] for row in rows}) == len(rows)


def test_tags_of_flows_are_read_whole_beside_flows_that_are_read_from_their_bookmark(
    box: KlaviyoSandbox, tmp_path: Path
) -> None:
    first = run(box, tmp_path, "flows", "flow_tags")
    asked = box.stats.requests["/api/flows"]
    second = run(box, tmp_path, "flows", "flow_tags", state=first.state)
    assert len(second.records("flows")) < len(first.records("flows"))
    for found in (first, second):
        assert differences(found.records("flow_tags"), box.truth("flow_tags")) == []
    assert box.stats.requests["/api/flows"] == 2 * asked, "no requests of its own"


def test_a_deselected_column_keeps_nothing_unknown_away(tmp_path: Path) -> None:
    with KlaviyoSandbox({"quotas": "0"}) as box:
        for more, is_sent in (((), False), (("profiles._extra",), True)):
            options = [part for name in ("profiles.title", *more) for part in ("--exclude", name)]
            found = run_tap("tap-klaviyo", "--select", "profiles", *options, config=dict(box.settings), folder=tmp_path)
            assert found.status == 0, found.stderr
            kept = [row for row in found.records("profiles") if (row.get("_extra") or {}).get("new_field")]
            assert bool(kept) is not is_sent


# What answers mean


def answer(status: int, detail: str = "", **headers: str) -> Response:
    body = json.dumps({"errors": [{"status": status, "detail": detail}]}).encode() if detail else b"<html>"
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


REQUEST = Request("/api/profiles")


def test_answers_mean_what_klaviyo_means_by_them() -> None:
    assert verdict(REQUEST, answer(200, "x")) is None
    refused = verdict(REQUEST, answer(403, "Missing scope"))
    assert isinstance(refused, RefusedError) and "profiles:read" in str(refused)
    assert isinstance(verdict(REQUEST, answer(403)), RetryableError)
    lacking = verdict(Request("/api/webhooks"), answer(403, "Webhooks are only available to accounts with KDP."))
    assert isinstance(lacking, UnavailableError) and "scope" not in str(lacking)
    unclear = verdict(REQUEST, answer(403, "You do not have permission to perform this action."))
    assert isinstance(unclear, RefusedError) and "profiles:read" not in str(unclear)
    dead = verdict(Request("/api/events"), answer(400, "Metric IDs ['UwVx12'] do not exist."))
    assert isinstance(dead, UnavailableError) and "UwVx12" in str(dead)
    assert isinstance(verdict(REQUEST, answer(400, "Invalid filter provided.")), InvalidError)
    heavy = replace(answer(503, "x"), url="https://a/api/profiles?additional-fields%5Bprofile%5D=predictive_analytics")
    assert "the setting predictive_analytics" in str(verdict(REQUEST, heavy))
    assert isinstance(verdict(REQUEST, answer(401, "Incorrect authentication credentials.")), AuthError)
    assert isinstance(verdict(REQUEST, answer(400, "Invalid cursor provided.")), TooLargeError)
    assert isinstance(verdict(REQUEST, answer(522)), RetryableError)
    with pytest.raises(ConfigError, match="api_revision"):
        verdict(REQUEST, answer(410, "retired"))


@pytest.mark.parametrize(
    ("headers", "detail", "seconds"),
    [
        ({"Retry_After": "7"}, "Request was throttled.", 7),
        ({}, "Request was throttled. Expected available in 12 seconds.", 12),
        ({}, "Request was throttled.", 1),
    ],
)
def test_throttling_tells_how_long_to_wait(headers: Mapping[str, str], detail: str, seconds: float) -> None:
    found = verdict(REQUEST, answer(429, detail, **headers))
    assert isinstance(found, RetryableError)
    assert (found.wait_seconds, found.everyone) == (seconds, True)


def test_others_who_draw_on_the_quota_are_seen_in_its_headers() -> None:
    clock = [0.0]
    limits = Limits(connections=4, quotas=quotas(0.9), clock=lambda: clock[0], wait=lambda _: None)
    judged = heeding(limits, 0.9)
    request = Request("/api/tags", quota="S tags")
    judged(request, answer(200, "x", RateLimit_Limit="60", RateLimit_Remaining="40", RateLimit_Reset="30"))
    assert limits.delay("S tags") == 0
    judged(request, answer(200, "x", RateLimit_Limit="60", RateLimit_Remaining="0", RateLimit_Reset="30"))
    assert limits.delay("S tags") == 30
    assert limits.delay("XL events") == 0


def test_the_account_s_own_limits_are_learned_and_what_remains_of_a_second_says_nothing() -> None:
    limits = Limits(connections=4, quotas=quotas(1), clock=lambda: 0.0, wait=lambda _: None)
    judged = heeding(limits, 1)

    def delay_after(requests: int, quota: str) -> float:
        for _ in range(requests):
            with limits.slot(quota):
                pass
        return limits.delay(quota)

    listed = "10, 10;w=1, 40;w=60"
    judged(
        Request("/api/tags", quota="S tags"),
        answer(200, "x", RateLimit_Limit=listed, RateLimit_Remaining="0", RateLimit_Reset="1"),
    )
    assert delay_after(9, "S tags") == 0, "three a second are what is known of the tier"
    assert delay_after(1, "S tags") == pytest.approx(1.05)
    daily = "1, 1;w=1, 2;w=60, 225;w=86400"
    judged(Request("/api/flow-values-reports", quota="report flow-values-reports"), answer(200, RateLimit_Limit=daily))
    assert limits.least_seconds("report flow-values-reports", 300) < 86_400


def test_a_wait_of_hours_is_a_daily_quota() -> None:
    class Throttling(KlaviyoSandbox):
        def answer(self, call: Any, *, trusted: bool = False) -> Any:
            from shared.sandbox import Refusal

            return self.refuse(Refusal(429, wait_seconds=30_000))

    with Throttling({}) as box:
        context = Context(
            settings=validate(settings(base_url=box.base_url)), report=Report("tap-klaviyo"), stop=threading.Event()
        )
        client = connect(context)
        with pytest.raises(QuotaError):
            client.json(REQUEST)
        client.close()


def test_a_scope_that_is_missing_stops_its_stream_alone(tmp_path: Path) -> None:
    with KlaviyoSandbox({"quotas": "0", "forbid": "accounts+tags"}) as box:
        found = run(box, tmp_path, "tags", "templates")
        assert found.status == 1
        assert "tags:read" in found.stderr
        assert differences(found.records("templates"), box.truth("templates")) == []
        assert run(box, tmp_path, "tags", "templates", fail_on_forbidden=False).status == 0


@pytest.mark.parametrize("revision", ["2025-10-15", "2026-01-15"])
def test_an_older_revision_is_asked_for_what_it_knows(revision: str, box: KlaviyoSandbox, tmp_path: Path) -> None:
    names = ("receive", "campaigns", "lists", "segments", "templates")
    found = run(box, tmp_path, *names, api_revision=revision)
    assert found.status == 0, found.stderr[-2000:]
    for name in names:
        assert differences(found.records(name), box.truth(name)) == [], name


def test_a_retired_revision_ends_the_run(tmp_path: Path) -> None:
    with KlaviyoSandbox({"quotas": "0", "oldest_revision": "2026-07-15"}) as box:
        found = run(box, tmp_path, "tags", "lists", api_revision="2026-04-15")
        assert found.status == 2
        assert "The revision was retired: set api_revision" in found.stderr
        assert not found.records("tags") and not found.records("lists")


def test_a_wrong_key_ends_the_run(box: KlaviyoSandbox, tmp_path: Path) -> None:
    found = run(box, tmp_path, "tags", api_key="pk_wrong")
    assert found.status == 3
    assert "pk_wrong" not in found.stderr


# OAuth


def test_tokens_are_renewed_and_written_back(tmp_path: Path) -> None:
    with KlaviyoSandbox({"quotas": "0", "rotate": "1"}) as box:
        file = tmp_path / "oauth.json"
        file.write_text(json.dumps(box.oauth_settings))
        for _ in range(2):
            found = run_tap("tap-klaviyo", "--config", str(file), "--select", "tags", folder=tmp_path)
            assert found.status == 0, found.stderr
            assert len(found.records("tags")) == 5
            kept = json.loads(file.read_text())
            assert kept["refresh_token"] != REFRESH_TOKEN and kept["access_token"] in box.tokens
        assert box.stats.requests["/oauth/token"] == 1
        box.tokens.clear()  # revoked: a 401 has it renewed once more
        assert run_tap("tap-klaviyo", "--config", str(file), "--select", "tags", folder=tmp_path).status == 0
        assert json.loads(file.read_text())["refresh_token"] in box.refresh_tokens


def test_a_code_and_its_verifier_become_tokens_once(tmp_path: Path) -> None:
    verifier, back = "v" * 64, "http://127.0.0.1:8765/callback"
    asked = authorization_url(OAUTH, settings(client_id="c", redirect_uri=back), state="s", verifier=verifier)
    (challenge,) = parse_qs(urlsplit(asked).query)["code_challenge"]
    with KlaviyoSandbox({"quotas": "0"}) as box:
        kept = {name: value for name, value in box.oauth_settings.items() if name != "refresh_token"}
        given = {**kept, "redirect_uri": back, "code": "c1"}
        file = tmp_path / "oauth.json"
        for proof, status in (("w" * 64, 3), (verifier, 0), (verifier, 0)):
            box.codes["c1"] = (back, challenge)
            file.write_text(json.dumps({**given, "code_verifier": proof}))
            found = run_tap("tap-klaviyo", "--config", str(file), "--select", "tags", folder=tmp_path)
            assert found.status == status, found.stderr
            if status == 0:
                given = json.loads(file.read_text())
                assert given["access_token"] in box.tokens and given["refresh_token"] in box.refresh_tokens
        assert len(box.tokens) == 1


def test_the_authorisation_asks_with_pkce_for_read_scopes() -> None:
    given = settings(client_id="c", redirect_uri="http://127.0.0.1:9/x")
    url = authorization_url(OAUTH, given, state="s", verifier="v" * 64)
    assert url.startswith("https://www.klaviyo.com/oauth/authorize?")
    assert "code_challenge_method=S256" in url and "accounts%3Aread%20campaigns%3Aread" in url


# Settings and older states


def test_settings_of_other_taps_are_understood(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(
        json.dumps({"auth_token": "pk_a", "start_date": "05/01/2026", "revision": "2026-01-15", "concurrency": "4"})
    )
    found = config.read(TAP, [str(file)], environ={}).settings
    assert (found["api_key"], found["api_revision"], found["concurrency"]) == ("pk_a", "2026-01-15", 4)
    assert found["start_date"] == "2026-05-01T00:00:00.000000Z"


def test_a_credential_is_needed() -> None:
    with pytest.raises(ConfigError, match="api_key is missing"):
        validate(settings(api_key=None))
    assert validate(settings(api_key=None, client_id="a", client_secret="b", refresh_token="c"))


def test_revisions_that_cannot_be_read_are_refused_and_ageing_ones_are_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for revision in ("2024-10-15", "2026-10-15", "2026-13-01"):
        with pytest.raises(ConfigError):
            check_revision(revision, today=date(2026, 11, 21))
    with caplog.at_level(logging.WARNING):
        check_revision("2026-07-15", today=date(2026, 11, 21))
        assert caplog.records == []
        check_revision("2025-07-15", today=date(2026, 11, 21))
        check_revision("2025-01-15", today=date(2027, 2, 1))
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]


SINCE = "2024-05-06T18:40:14Z"
BEGUN = "2024-05-06T18:40:14.000000Z"


@pytest.mark.parametrize(
    ("state", "unit_of_receive"),
    [
        ({"bookmarks": {"SrU8uT": {"since": SINCE}}}, "SrU8uT"),
        ({"bookmarks": {"receive": {"since": SINCE}}}, "any"),
        ({"bookmarks": {"receive": SINCE}}, "any"),
        ({"receive": SINCE}, "any"),
        ({"bookmarks": {"receive": {"units": {"SrU8uT": BEGUN}}}}, "SrU8uT"),
    ],
)
def test_bookmarks_of_older_taps_go_on(state: Mapping[str, Any], unit_of_receive: str) -> None:
    read = State.read(read_state(state, settings()))
    assert read.get("receive", "timestamp", unit_of_receive).value == BEGUN


def test_bookmarks_under_names_for_text_messages_go_on() -> None:
    state = {"bookmarks": {"subscribed_to_sms": {"since": SINCE}, "sent_text_message": {"since": SINCE}}}
    read = State.read(read_state(state, settings()))
    assert read.get("consented_to_receive", "timestamp", "x").value == BEGUN
    assert read.get("sent_sms", "timestamp", "x").value == BEGUN


def test_bookmarks_of_the_meltano_tap_go_on() -> None:
    entry = {"replication_key": "updated", "replication_key_value": SINCE}
    read = State.read(read_state({"bookmarks": {"profiles": entry, "events": entry}}, settings()))
    assert read.get("profiles", "updated").value == BEGUN
    assert read.get("events", "datetime").value == BEGUN


def test_our_own_state_stays_as_it_is() -> None:
    state = {"bookmarks": {"receive": {"units": {"a": [BEGUN, None, [[BEGUN, NOW]]]}}, "profiles": {"updated": NOW}}}
    assert read_state(state, settings()) == state
    assert read_state({}, settings()) == {}


def test_a_catalog_with_metric_ids_as_stream_ids_is_understood(box: KlaviyoSandbox, tmp_path: Path) -> None:
    entry = {
        "stream": "sent_text_message",
        "tap_stream_id": "SrU8uT",
        "schema": {"type": "object", "properties": {"id": {"type": "string"}}},
        "metadata": [{"breadcrumb": [], "metadata": {"selected": True}}],
    }
    found = run_tap("tap-klaviyo", config=box.settings, catalog={"streams": [entry]}, folder=tmp_path)
    assert found.status == 0
    assert differences(found.records("sent_sms"), box.truth("sent_sms")) == []


def test_the_contract_s_streams_are_all_there_and_selected() -> None:
    seed = [stream.name for stream in TAP.streams if stream.seed]
    assert len(seed) == 21
    assert all(STREAMS[name].selected for name in seed)
    assert len(SEED_EVENTS) == 18
    assert all(STREAMS[name].replication_key == "timestamp" for name in SEED_EVENTS)
