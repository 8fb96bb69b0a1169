"""The Klaviyo sandbox: it serves what it says it serves, and refuses what the API refuses."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from shared.sandbox import Row
from tap_klaviyo.sandbox import API_KEY, KlaviyoSandbox
from tap_klaviyo.sandbox.endpoints import BY_STREAM, ENDPOINTS
from tap_klaviyo.sandbox.oauth import CLIENT, REFRESH_TOKEN
from tap_klaviyo.sandbox.query import read_filter

HEADERS = {"Authorization": f"Klaviyo-API-Key {API_KEY}", "revision": "2026-07-15"}


class Reader:
    """The API as a naive client reads it."""

    def __init__(self, sandbox: KlaviyoSandbox, **headers: str) -> None:
        self.sandbox, self.session = sandbox, requests.Session()
        self.session.headers.update({**HEADERS, **headers})
        self.session.trust_env = False

    def get(self, path: str, status: int = 200, /, **params: Any) -> Any:
        url = path if path.startswith("http") else self.sandbox.base_url + path
        answer = self.session.get(url, params=params, timeout=5)
        assert answer.status_code == status, answer.text[:300]
        return answer.json()

    def walk(self, path: str, **params: Any) -> Iterator[Row]:
        body = self.get(path, **params)
        while True:
            yield from body["data"]
            if not (following := body["links"]["next"]):
                return
            body = self.get(following)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[KlaviyoSandbox]:
    with KlaviyoSandbox({"quotas": "0"}) as served:
        yield served


@pytest.fixture
def reader(sandbox: KlaviyoSandbox) -> Reader:
    return Reader(sandbox)


TOP = [each for each in ENDPOINTS if each.parent is None and not each.required]


@pytest.mark.parametrize("stream", [each.stream for each in TOP if each.size])
def test_pages_of_any_size_give_each_row_once(stream: str, reader: Reader) -> None:
    endpoint = BY_STREAM[stream]
    assert endpoint.size
    largest = [row["id"] for row in reader.walk(endpoint.path, **{"page[size]": endpoint.size[1]})]
    assert len(largest) == len(set(largest)) > 0
    size = max(1, min(endpoint.size[1], len(largest) // 3))
    assert [row["id"] for row in reader.walk(endpoint.path, **{"page[size]": size})] == largest


@pytest.mark.parametrize("stream", [each.stream for each in TOP])
def test_the_truth_holds_what_a_naive_read_finds(stream: str, sandbox: KlaviyoSandbox, reader: Reader) -> None:
    # Unfiltered, the read meets events dated ahead and profiles older than the start date.
    chosen = {"start_date": "2020-01-01", "undated_profiles": True, "include_future_events": True}
    found = {row["id"] for row in reader.walk(BY_STREAM[stream].path)}
    if stream == "messages_of_campaigns":  # which no stream reads for their own sake
        told = {record["campaign_message_id"] for record in sandbox.truth("campaign_variations")}
    else:
        told = {record["id"] for record in sandbox.truth(stream, chosen)}
    assert found == told


def test_events_come_in_order_and_many_share_a_second(sandbox: KlaviyoSandbox, reader: Reader) -> None:
    metric = sandbox.account.metrics[0]["id"]
    rows = list(reader.walk("/api/events", filter=f'equals(metric_id,"{metric}")', **{"page[size]": 7}))
    stamps = [row["attributes"]["timestamp"] for row in rows]
    assert stamps == sorted(stamps)
    assert max(map(stamps.count, set(stamps))) > 20
    assert {row["relationships"]["metric"]["data"]["id"] for row in rows} == {metric}


def test_time_bounds_are_what_their_names_say(sandbox: KlaviyoSandbox, reader: Reader) -> None:
    rows = list(reader.walk("/api/events", sort="datetime"))
    middle = rows[len(rows) // 2]["attributes"]["datetime"].replace("+00:00", "Z")
    counts = {
        name: sum(1 for _ in reader.walk("/api/events", filter=f"{name}(datetime,{middle})"))
        for name in ("greater-than", "greater-or-equal", "less-than", "less-or-equal")
    }
    assert counts["greater-than"] + counts["less-or-equal"] == len(rows)
    assert counts["less-than"] + counts["greater-or-equal"] == len(rows)
    assert counts["greater-or-equal"] > counts["greater-than"]


def test_some_events_have_no_metric_any_more(reader: Reader) -> None:
    every, known = list(reader.walk("/api/events")), list(reader.walk("/api/events", filter="has(metric)"))
    assert len(every) - len(known) == 5


REFUSED = [
    ("/api/tags", {"count": 5}),
    ("/api/tags", {"page[size]": 51}),
    ("/api/tags", {"page[size]": 0}),
    ("/api/tags", {"sort": "created"}),
    ("/api/tags", {"include": "lists"}),
    ("/api/tags", {"page[cursor]": "nonsense"}),
    ("/api/tags", {"filter": "nonsense"}),
    ("/api/profiles", {"filter": "greater-or-equal(updated,2026-01-01T00:00:00Z)"}),
    ("/api/profiles", {"filter": "greater-than(updated,2026-01-01T00:00:00 00:00)"}),
    ("/api/profiles", {"filter": 'equals(nothing,"x")'}),
    ("/api/events", {"filter": "less-than(datetime,2027-01-01T00:00:00Z)"}),
    ("/api/campaigns", {}),
    ("/api/coupon-codes", {}),
]


@pytest.mark.parametrize(("path", "params"), REFUSED)
def test_what_the_api_refuses_is_refused(path: str, params: Row, reader: Reader) -> None:
    body = reader.get(path, 400, **params)
    assert body["errors"][0]["detail"]
    assert body["errors"][0]["code"] == "invalid"


def test_who_may_not_enter_does_not(sandbox: KlaviyoSandbox) -> None:
    assert Reader(sandbox, Authorization="Klaviyo-API-Key pk_other").get("/api/tags", 401)
    assert Reader(sandbox, revision="").get("/api/tags", 400)
    opted_out = {"revision": "2023-02-22", "X-Klaviyo-Revision-Fall-Forward-Opt-Out": "1"}
    assert Reader(sandbox, **opted_out).get("/api/tags", 410)
    assert Reader(sandbox, revision="2023-02-22").get("/api/tags", 200)
    with KlaviyoSandbox({"forbid": "tags"}) as other:
        assert "tags:read" in Reader(other).get("/api/tags", 403)["errors"][0]["detail"]


def test_children_of_what_does_not_exist_are_not_found(reader: Reader) -> None:
    for path in ("/api/lists/nobody/profiles", "/api/forms/nobody/form-versions", "/api/nothing"):
        assert reader.get(path, 404)["errors"][0]["code"] == "not_found"


def test_fields_and_includes_are_sent_as_asked(reader: Reader) -> None:
    body = reader.get("/api/profiles", **{"fields[profile]": "email", "page[size]": 1})
    assert set(body["data"][0]["attributes"]) == {"email"}
    assert "subscriptions" not in reader.get("/api/profiles")["data"][0]["attributes"]
    asked = reader.get("/api/profiles", **{"additional-fields[profile]": "subscriptions"})
    assert "subscriptions" in asked["data"][0]["attributes"]
    body = reader.get("/api/events", include="profile,metric")
    kinds = [each["type"] for each in body["included"]]
    assert set(kinds) == {"profile", "metric"}
    assert len({(each["type"], each["id"]) for each in body["included"]}) == len(kinds)


def test_quotas_are_counted_and_told() -> None:
    with KlaviyoSandbox({}) as box:
        reader = Reader(box)
        answer = reader.session.get(f"{box.base_url}/api/accounts")
        assert answer.headers["RateLimit-Limit"] == "1, 1;w=1, 15;w=60"
        assert answer.headers["RateLimit-Remaining"] == "14"
        throttled = reader.session.get(f"{box.base_url}/api/accounts")
        assert (throttled.status_code, "RateLimit-Limit" in throttled.headers) == (429, False)
        assert int(throttled.headers["Retry-After"]) >= 1


def test_tokens_expire_and_are_renewed() -> None:
    with KlaviyoSandbox({"rotate": "1"}) as box:
        basic = {"Authorization": f"Basic {b64encode(':'.join(CLIENT).encode()).decode()}"}
        form = {"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN}
        url = f"{box.base_url}/oauth/token"
        assert requests.post(url, data=form, timeout=5).json()["error"] == "invalid_client"
        granted = requests.post(url, data=form, headers=basic, timeout=5).json()
        assert Reader(box, Authorization=f"Bearer {granted['access_token']}").get("/api/tags")["data"]
        assert requests.post(url, data=form, headers=basic, timeout=5).json()["error"] == "invalid_grant"
        box.advance(1)
        assert Reader(box, Authorization=f"Bearer {granted['access_token']}").get("/api/tags", 401)


def test_the_account_is_the_same_for_the_same_seed_alone() -> None:
    first, again, other = (KlaviyoSandbox({"seed": seed}) for seed in "112")
    for stream in ("receive", "profiles", "campaigns", "flow_messages"):
        assert first.truth(stream) == again.truth(stream)
    assert first.truth("receive") != other.truth("receive")


def test_a_day_brings_new_tied_late_changed_and_deleted_rows() -> None:
    today, tomorrow = KlaviyoSandbox({}), KlaviyoSandbox({"day": "1"})
    began = today.clock.now().timestamp()
    new = tomorrow.changed_since(0, "receive")
    stamps = {record["timestamp"] for record in today.truth("receive")}
    assert any(record["timestamp"] > began for record in new)
    assert any(record["timestamp"] < began - 86_400 for record in new)
    assert len({record["timestamp"] for record in new}) < len(new)
    assert stamps
    names = {metric["attributes"]["name"] for metric in tomorrow.account.metrics}
    assert "Clicked Text Message" in names
    before, after = ({each["id"]: each for each in box.truth("profiles")} for box in (today, tomorrow))
    assert before.keys() - after.keys() and after.keys() - before.keys()
    assert any(before[name] != after[name] for name in before.keys() & after.keys())


def test_events_of_the_same_moment_grow_with_the_scale() -> None:
    assert len(KlaviyoSandbox({"scale": "3"}).truth("receive")) == 3 * 420


def test_filters_nest() -> None:
    text = 'and(equals(messages.channel,\'email\'),equals(archived,false)),any(id,["a","b"])'
    assert read_filter(text, BY_STREAM["campaigns"]) == [
        ("equals", "messages.channel", "email"),
        ("equals", "archived", False),
        ("any", "id", ["a", "b"]),
    ]


def test_it_runs_alone() -> None:
    process = subprocess.Popen([sys.executable, "-m", "tap_klaviyo.sandbox"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    assert requests.get(f"{told['base_url']}/api/tags", headers=HEADERS, timeout=5).status_code == 200
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 0


@pytest.mark.parametrize(
    "attributes",
    [
        {"statistics": ["opens"], "timeframe": {"key": "last_week"}},
        {"statistics": ["nonsense"], "timeframe": {"key": "last_week"}, "conversion_metric_id": "x"},
        {"statistics": ["opens"], "timeframe": {}, "conversion_metric_id": "x"},
        {"statistics": ["opens"], "timeframe": {"key": "x"}, "conversion_metric_id": "x", "group_by": ["tag_id"]},
    ],
)
def test_reports_that_lack_something_are_refused(attributes: Row, sandbox: KlaviyoSandbox, reader: Reader) -> None:
    body = {"data": {"type": "campaign-values-report", "attributes": attributes}}
    answer = reader.session.post(f"{sandbox.base_url}/api/campaign-values-reports", json=body, timeout=5)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "invalid")
