"""The sandbox behaves as the reference says Customer.io does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tap_customerio.sandbox import API_KEY, CustomerioSandbox
from tap_customerio.sandbox.account import DAY, NOW


class Api:
    """The API as a naive client asks it."""

    def __init__(self, sandbox: CustomerioSandbox) -> None:
        self.sandbox, self.session = sandbox, requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {API_KEY}"

    def ask(self, method: str, path: str, status: int = 200, *, body: Any = None, **params: Any) -> Any:
        answer = self.session.request(method, self.sandbox.base_url + path, params=params, json=body, timeout=5)
        assert answer.status_code == status, answer.text[:300]
        return answer.json()

    def get(self, path: str, status: int = 200, **params: Any) -> Any:
        return self.ask("GET", path, status, **params)


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with CustomerioSandbox({"speed": "1000", "keys": "own"}) as sandbox:
        asking = Api(sandbox)
        yield asking
        asking.session.close()


def test_a_wrong_key_is_refused_and_errors_have_their_status_in_text(api: Api) -> None:
    answer = requests.get(f"{api.sandbox.base_url}/campaigns", headers={"Authorization": "Bearer no"}, timeout=5)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["status"] == "401"


def test_deliveries_without_a_window_are_those_of_six_months(api: Api) -> None:
    every, token = [], ""
    while True:
        page = api.get("/messages", limit=1000, start=token)
        every += page["messages"]
        if not (token := page["next"]):
            break
    assert min(row["created"] for row in every) >= NOW - 181 * DAY
    assert len(every) < len(api.sandbox.truth("messages"))
    long = api.get("/messages", limit=1, start_ts=0, end_ts=NOW - 400 * DAY)["messages"]
    assert long[0]["created"] > NOW - 581 * DAY


def test_both_bounds_of_a_window_count_and_the_newest_come_first(api: Api) -> None:
    rows = api.get("/messages", limit=1000, start_ts=NOW - 40 * DAY, end_ts=NOW - 40 * DAY + 39)["messages"]
    assert len(rows) == 1000
    assert {rows[0]["created"]} == {NOW - 40 * DAY + 39}
    second = api.get("/messages", limit=1000, start_ts=NOW - 40 * DAY, end_ts=NOW - 40 * DAY)["messages"]
    assert {row["created"] for row in second} == {NOW - 40 * DAY}
    api.get("/messages", 400, start_ts=5, end_ts=4)


def test_people_are_found_and_hydrated_and_unknown_ids_left_out(api: Api) -> None:
    everybody = {"filter": {"and": [{"attribute": {"field": "cio_id", "operator": "exists"}}]}}
    page = api.ask("POST", "/customers", body=everybody, limit=3)
    assert len(page["identifiers"]) == 3 and page["next"]
    asked = {"ids": ["a3000001", "cio_a3000002", "nobody"]}
    found = api.ask("POST", "/customers/attributes", body=asked, id_type="cio_id")["customers"]
    assert [row["id"] for row in found] == ["a3000001"]
    api.ask("POST", "/customers", 400, body={})


def test_senders_end_with_a_token_that_leads_to_nothing(api: Api) -> None:
    first = api.get("/sender_identities", limit=100, hidden="false")
    assert len(first["sender_identities"]) == 100 and first["next"]
    assert api.get("/sender_identities", limit=100, start=first["next"], hidden="false") == {
        "sender_identities": [],
        "next": "",
    }
    assert all(row["hidden"] for row in api.get("/sender_identities", hidden="true")["sender_identities"])


def test_past_the_end_of_suppressions_comes_null(api: Api) -> None:
    assert api.get("/esp/suppression/bounces", offset=99_999) == {"category": "bounces", "suppressions": None}
    assert len(api.get("/esp/suppression/bounces")["suppressions"]) == 100
    assert api.get("/esp/domains/unknown.example/suppression/bounces")["suppressions"] == []


def test_exports_take_their_time_and_a_link_wants_no_other_credential(api: Api) -> None:
    everybody = {"filters": {"and": [{"attribute": {"field": "cio_id", "operator": "exists"}}]}}
    made = api.ask("POST", "/exports/customers", body=everybody)["export"]
    assert (made["status"], made["total"]) == ("pending", 0)
    path = f"/exports/{made['id']}"
    api.get(f"{path}/download", 422)
    states = [api.get(path)["export"]["status"] for _ in range(2)]
    assert states == ["pending", "done"]
    assert made["id"] in [row["id"] for row in api.get("/exports")["exports"]]
    url = api.get(f"{path}/download")["url"]
    assert api.session.get(url, timeout=5).status_code == 403
    lines = requests.get(url, timeout=5).text.splitlines()
    assert lines[0].startswith("id,email,cio_id,")
    assert len(lines) - 1 == api.get(path)["export"]["total"]
    api.ask("POST", "/exports/customers", 400, body={})


def test_series_without_dates_have_two_periods_at_least_and_those_with_dates_need_them(api: Api) -> None:
    def series(**params: Any) -> list[int]:
        return list(api.get("/broadcasts/1/metrics", **params)["metric"]["series"]["sent"])

    assert [len(series(period="days", steps=steps)) for steps in (0, 1, 7, 99)] == [45, 2, 7, 45]
    assert len(series(period="months", steps=0)) == 121
    api.get("/campaigns/1/metrics", 400, version=2, res="days", start=NOW)
    api.get("/campaigns/1/journey_metrics", 400, start=NOW, end=NOW)
    answer = api.get("/campaigns/1/metrics", version=2, res="weeks", start=NOW - 8 * DAY, end=NOW)
    assert answer["start"] == "2026-10-19 00:00:00 +0000 UTC"
    assert len(answer["metric"]["series"]["sent"]) == 2
    assert "start" not in api.get("/campaigns/1/metrics")
    api.get("/campaigns/90/metrics", 404, version=2, res="days", start=NOW, end=NOW)


def test_children_of_a_deleted_parent_answer_404(api: Api) -> None:
    assert 90 in [row["id"] for row in api.get("/campaigns")["campaigns"]]
    api.get("/campaigns/90/actions", 404)


def test_the_eleventh_request_of_a_second_waits() -> None:
    with CustomerioSandbox() as sandbox:
        api = Api(sandbox)
        for _ in range(10):
            api.get("/subscription_topics")
        answer = api.session.get(f"{sandbox.base_url}/campaigns", timeout=5)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
        api.session.close()


def test_a_day_brings_new_changed_and_late_rows() -> None:
    tomorrow = CustomerioSandbox({"day": "1"})
    assert all(
        tomorrow.changed_since(0, stream)
        for stream in ("customers", "messages", "activities", "campaigns", "broadcast_triggers", "eps_suppression")
    )
    late = [row for row in tomorrow.changed_since(0, "messages") if "opened" in row["metrics"]]
    assert late
