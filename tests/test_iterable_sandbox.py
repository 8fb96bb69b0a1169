"""The sandbox refuses what Iterable refuses, and shows what the reference says of its answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from tap_iterable.sandbox import API_KEY, READ_ONLY_KEY, IterableSandbox

WIDE = {"startDateTime": "2023-11-01 00:00:00", "endDateTime": "2026-12-01 00:00:00"}


@pytest.fixture
def box() -> Iterator[IterableSandbox]:
    with IterableSandbox({}) as sandbox:
        yield sandbox


def ask(
    box: IterableSandbox, path: str, params: Any = None, *, key: str = API_KEY, body: Any = None, method: str = "GET"
) -> tuple[int, bytes]:
    url = path if path.startswith("http") else f"{box.base_url}{path}"
    url += f"?{urlencode(params, doseq=True)}" if params else ""
    data = json.dumps(body).encode() if body is not None else None
    request = Request(url, data=data, headers={"Api-Key": key} if key else {}, method="POST" if data else method)
    try:
        with urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def lines(box: IterableSandbox, data_type: str, **window: str) -> list[dict[str, Any]]:
    status, body = ask(box, "/api/export/data.json", {"dataTypeName": data_type, **WIDE, **window})
    assert status == 200
    return [json.loads(line) for line in body.splitlines()]


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/api/campaigns", {"pageSize": 1001}, 400),
        ("/api/campaigns", {"sort": "unknown"}, 400),
        ("/api/campaigns", {"unknown": 1}, 400),
        ("/api/journeys", {"pageSize": 51}, 400),
        ("/api/templates", {"messageMedium": "WebPush"}, 400),
        ("/api/export/data.json", {"dataTypeName": "emailDelivered", **WIDE}, 400),
        ("/api/export/data.json", {"dataTypeName": "emailOpen"}, 400),
        ("/api/export/data.json", {"dataTypeName": "emailOpen", **WIDE, "endDateTime": "2026-12-01T00:00:00Z"}, 400),
        ("/api/lists/getUsers", {"listId": 7}, 400),
        ("/api/templates/email/get", {"templateId": 1}, 400),
        ("/api/metadata/settings/gone", {}, 404),
        ("/api/metadata/nowhere", {}, 404),
        ("/api/users/forgottenUserIds", {}, 400),
        ("/api/campaigns/metrics", {"campaignId": list(range(401)), **WIDE}, 414),
        ("/api/campaigns/metrics", {"campaignId": 101}, 400),
        ("/api/experiments", {"limit": 1001}, 400),
        ("/api/experiments/1", {}, 404),
        ("/api/export/77/files", {}, 404),
    ],
)
def test_it_refuses_what_the_api_refuses(box: IterableSandbox, path: str, params: Any, status: int) -> None:
    found, body = ask(box, path, params)
    assert found == status
    assert set(json.loads(body)) == {"msg", "code", "params"}


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("/api/channels", "", 401),
        ("/api/channels", "wrong", 401),
        ("/api/channels", READ_ONLY_KEY, 200),
        ("/api/catalogs", READ_ONLY_KEY, 401),
        ("/api/lists/getUsers?listId=1", READ_ONLY_KEY, 401),
    ],
)
def test_a_key_reaches_what_its_type_may(box: IterableSandbox, path: str, key: str, status: int) -> None:
    assert ask(box, path, key=key)[0] == status


def test_without_a_page_size_there_are_twenty_campaigns(box: IterableSandbox) -> None:
    body = json.loads(ask(box, "/api/campaigns")[1])
    assert len(body["campaigns"]) == 20
    assert body["nextPageUrl"]
    assert body["totalCampaignsCount"] == 130
    last = json.loads(ask(box, "/api/campaigns", {"page": 2, "pageSize": 100})[1])
    assert len(last["campaigns"]) == 30
    assert "nextPageUrl" not in last


def test_a_window_holds_its_start_and_not_its_end(box: IterableSandbox) -> None:
    at = lines(box, "emailBounce")[0]["createdAt"][:19]
    assert any(row["createdAt"].startswith(at) for row in lines(box, "emailBounce", startDateTime=at))
    assert all(not row["createdAt"].startswith(at) for row in lines(box, "emailBounce", endDateTime=at))


def test_rows_are_unsorted_and_some_are_equal(box: IterableSandbox) -> None:
    rows = lines(box, "emailSend")
    times = [row["createdAt"] for row in rows]
    assert times != sorted(times)
    assert len({json.dumps(row) for row in rows}) < len(rows)


def test_a_file_of_a_job_is_asked_for_without_the_key_and_its_link_expires() -> None:
    with IterableSandbox({"speed": "1000"}) as box:
        body = {"dataTypeName": "emailSend", "outputFormat": "application/x-json-stream", **WIDE}
        job = json.loads(ask(box, "/api/export/start", body=body)[1])["jobId"]
        answers = [json.loads(ask(box, f"/api/export/{job}/files")[1]) for _ in range(3)]
        assert [answer["jobState"] for answer in answers] == ["enqueued", "running", "completed"]
        url = answers[2]["files"][0]["url"]
        assert ask(box, url)[0] == 400
        assert ask(box, url, key="")[0] == 200
        box.clock.advance(1)
        assert ask(box, url, key="")[0] == 403


def test_the_other_side_of_what_is_unconfirmed() -> None:
    with IterableSandbox({"other": "1"}) as box:
        assert "catalogNames" in json.loads(ask(box, "/api/catalogs")[1])
        assert json.loads(ask(box, "/api/campaigns")[1])["nextPageUrl"].startswith("http")
        header = ask(box, "/api/campaigns/metrics", {"campaignId": 101, **WIDE})[1].split(b"\n")[0]
        assert header.count(b"Revenue") == 1
        assert ask(box, "/api/export/data.json", {"dataTypeName": "unknownSession", **WIDE})[0] == 400
        assert lines(box, "anonSession")


def test_an_unknown_campaign_takes_those_beside_it_with_it() -> None:
    with IterableSandbox({"unknown": "101"}) as box:
        statuses = [ask(box, "/api/campaigns/metrics", {"campaignId": ids, **WIDE})[0] for ids in ([101, 103], [103])]
        assert statuses == [404, 200]


def test_quotas_are_counted_on_request() -> None:
    with IterableSandbox({"quotas": "1"}) as box:
        params = {"dataTypeName": "emailOpen", **WIDE}
        found = [ask(box, "/api/export/data.json", params) for _ in range(5)]
        assert [status for status, _ in found] == [200, 200, 200, 200, 429]
        assert b"Exceeded rate limit of 4.0 per minute" in found[4][1]


def test_each_day_brings_new_events_and_a_late_one() -> None:
    today, tomorrow = (IterableSandbox({"day": day}).truth("email_open") for day in ("0", "1"))
    known = {row["_event_id"] for row in today}
    new = [row for row in tomorrow if row["_event_id"] not in known]
    assert len(new) == 7
    assert min(row["createdAt"] for row in new) < "2026-11-01T12:00:00"
