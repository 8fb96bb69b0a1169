"""The sandbox refuses what Campaign Monitor refuses, and shows what the reference says of its answers."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
import requests

from tap_campaign_monitor.sandbox import API_KEY, APPLICATION, CLIENT_KEY, CampaignMonitorSandbox
from tap_campaign_monitor.sandbox.account import CLIENTS


@pytest.fixture
def box() -> Iterator[CampaignMonitorSandbox]:
    with CampaignMonitorSandbox({"awkward": "1"}) as sandbox:
        yield sandbox


def ask(box: CampaignMonitorSandbox, path: str, *, key: str = f"{API_KEY}:x", form: Any = None, **params: Any) -> Any:
    url = f"{box.root_url}{path}" if path.startswith("/oauth") else f"{box.base_url}{path}"
    url += f"?{urlencode(params)}" if params else ""
    headers = {"Authorization": f"Basic {b64encode(key.encode()).decode()}"}
    request = Request(url, data=urlencode(form).encode() if form else None, headers=headers)
    try:
        with urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def first(box: CampaignMonitorSandbox, *, gone: bool = False) -> tuple[str, str]:
    """A campaign and a list."""
    campaign = next(each.identity for each in box.account.campaigns.values() if each.gone == gone)
    return campaign, next(each.identity for each in box.account.lists.values() if each.gone == gone)


def test_a_bad_key_gets_code_100_everywhere(box: CampaignMonitorSandbox) -> None:
    assert ask(box, "/clients.json", key="nobody:x") == (401, {"Code": 100, "Message": "Invalid API Key"})


@pytest.mark.parametrize(
    ("params", "code"),
    [({"pagesize": 9}, 801), ({"pagesize": 1001}, 801), ({"orderfield": "x"}, 802), ({"orderdirection": "up"}, 803)],
)
def test_parameters_out_of_range_are_refused(box: CampaignMonitorSandbox, params: Any, code: int) -> None:
    status, body = ask(box, f"/campaigns/{first(box)[0]}/opens.json", **params)
    assert (status, body["Code"]) == (400, code)


def test_what_is_gone_or_not_owned_answers_400_or_401_not_404(box: CampaignMonitorSandbox) -> None:
    campaign, subscribers = first(box, gone=True)
    assert ask(box, f"/campaigns/{campaign}/summary.json")[1]["Code"] == 301
    assert ask(box, f"/lists/{subscribers}/active.json")[0] == 401
    assert ask(box, "/clients/ffff/lists.json") == (401, {"Code": 102, "Message": "Invalid ClientID"})


def test_pages_have_the_envelope(box: CampaignMonitorSandbox) -> None:
    status, body = ask(box, f"/lists/{first(box)[1]}/active.json", pagesize=10, page=2, orderfield="email")
    assert status == 200
    assert set(body) == {
        "Results", "ResultsOrderedBy", "OrderDirection", "PageNumber", "PageSize", "RecordsOnThisPage",
        "TotalNumberOfRecords", "NumberOfPages",
    }  # fmt: skip
    assert (body["PageNumber"], body["RecordsOnThisPage"], len(body["Results"])) == (2, 10, 10)
    assert body["NumberOfPages"] == -(-body["TotalNumberOfRecords"] // 10)


def test_consent_is_told_only_when_asked_for(box: CampaignMonitorSandbox) -> None:
    path = f"/lists/{first(box)[1]}/active.json"
    assert not any("ConsentToTrack" in row for row in ask(box, path)[1]["Results"])
    assert all("ConsentToTrack" in row for row in ask(box, path, includetrackingpreference="true")[1]["Results"])


def test_the_filter_is_local_time(box: CampaignMonitorSandbox) -> None:
    path = f"/campaigns/{first(box)[0]}/opens.json"
    rows = ask(box, path, orderfield="date", orderdirection="asc")[1]["Results"]
    middle = rows[len(rows) // 2]["Date"]
    found = ask(box, path, date=middle[:16], orderfield="date", orderdirection="asc")[1]["Results"]
    assert found == [row for row in rows if row["Date"] >= middle]


def test_details_hold_the_clients_live_key(box: CampaignMonitorSandbox) -> None:
    status, body = ask(box, f"/clients/{box.account.client_id(CLIENTS[0])}.json")
    assert (status, body["ApiKey"]) == (200, CLIENT_KEY)


@pytest.mark.parametrize(
    ("gone", "status", "code"), [("400", 400, 301), ("other", 400, 9301), ("401", 401, 301), ("404", 404, 404)]
)
def test_a_campaign_that_is_gone_says_so_in_the_chosen_way(gone: str, status: int, code: int) -> None:
    with CampaignMonitorSandbox({"gone": gone, "awkward": "1"}) as box:
        found, body = ask(box, f"/campaigns/{first(box, gone=True)[0]}/summary.json")
        assert (found, body["Code"]) == (status, code)


def test_lists_take_a_day_and_reports_a_minute(box: CampaignMonitorSandbox) -> None:
    campaign, subscribers = first(box)
    assert ask(box, f"/lists/{subscribers}/active.json", date="2026-10-01")[0] == 200
    assert ask(box, f"/lists/{subscribers}/active.json", date="2026-10-01 10:00")[1]["Code"] == 5
    assert ask(box, f"/campaigns/{campaign}/opens.json", date="2026-10-01 10:00")[0] == 200


def test_ties_may_come_in_another_order_each_time() -> None:
    with CampaignMonitorSandbox({"ties": "shuffled"}) as box:
        path = f"/campaigns/{first(box)[0]}/opens.json"
        pages = [ask(box, path, orderfield="date", orderdirection="asc")[1]["Results"] for _ in range(2)]
        assert [row["Date"] for row in pages[0]] == [row["Date"] for row in pages[1]]
        assert pages[0] != pages[1] and sorted(map(str, pages[0])) == sorted(map(str, pages[1]))


def test_counters_may_lag_and_count_unique_clicks() -> None:
    def counters(**options: str) -> tuple[int, int]:
        with CampaignMonitorSandbox({"day": "1", **options}) as box:
            campaign = next(key for key, each in box.account.campaigns.items() if each.number == 1)
            body = ask(box, f"/campaigns/{campaign}/summary.json")[1]
            return body["TotalOpened"], body["Clicks"]

    opened, clicks = counters()
    assert counters(lag="1")[0] < opened and counters(clicks="unique")[1] < clicks


def test_transactional_calls_have_a_limit_and_say_what_is_left_of_it(box: CampaignMonitorSandbox) -> None:
    client = box.account.client_id(CLIENTS[0])
    url = f"{box.base_url}/transactional/classicEmail/groups?clientID={client}"
    headers = {"Authorization": f"Basic {b64encode(f'{API_KEY}:x'.encode()).decode()}"}
    with urlopen(Request(url, headers=headers), timeout=10) as answer:
        assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"]) == ("60", "59")
    statuses = [ask(box, "/transactional/classicEmail/groups", clientID=client)[0] for _ in range(60)]
    assert (statuses[0], statuses[-1]) == (200, 429)


def test_messages_come_newest_first_behind_the_cursor(box: CampaignMonitorSandbox) -> None:
    def listed(**params: Any) -> Any:
        return ask(box, "/transactional/messages", clientID=box.account.client_id(CLIENTS[0]), **params)[1]

    rows = listed()
    assert listed(sentBeforeID=rows[2]["MessageID"]) == rows[3:] and listed(count=2) == rows[:2]
    assert (listed(count=201)["Code"], listed(sentBeforeID="x")["Code"]) == (850, 904)


@pytest.mark.parametrize(
    ("changes", "given"),
    [
        ({}, "code=sandbox-code-0"),
        ({"client_id": "1"}, "error=unknown_client"),
        ({"scope": "Everything"}, "error=unknown_scope"),
    ],
)
def test_who_authorises_is_sent_back_with_a_code_or_an_error(changes: Any, given: str) -> None:
    with CampaignMonitorSandbox({"login": "oauth"}) as box:
        back = "https://app.example/callback"
        asked = {"client_id": APPLICATION["client_id"], "scope": "ViewReports", "redirect_uri": back, "state": "s"}
        answer = requests.get(f"{box.root_url}/oauth", params={**asked, **changes}, allow_redirects=False, timeout=10)
        assert answer.headers["Location"] == f"{back}?state=s&{given}"
        form = {"grant_type": "authorization_code", "code": "sandbox-code-0", "redirect_uri": back, **APPLICATION}
        if not changes:
            assert ask(box, "/oauth/token", form=form)[0] == 200
        assert ask(box, "/oauth/token", form=form)[0] == 400


def test_a_refresh_token_is_good_for_one_use() -> None:
    with CampaignMonitorSandbox({"login": "oauth"}) as box:
        form = {"grant_type": "refresh_token", "refresh_token": "sandbox-refresh-0"}
        status, body = ask(box, "/oauth/token", form=form)
        assert status == 200 and set(body) == {"access_token", "expires_in", "refresh_token"}
        assert ask(box, "/oauth/token", form=form)[1]["error"] == "invalid_grant"
