"""An agency's clients, each with its own plan and rights: what is one client's stays that client's. A small API of the
test's own serves them, since every answer is to be set by it.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.testing.runs import Result, run_tap

SYDNEY = "(GMT+10:00) Canberra, Melbourne, Sydney"
NO_PLAN = (400, {"Code": 980, "Message": "Transactional email is not available in your account"})
NO_RIGHT = (401, {"Code": 60, "Message": "You do not have the required permission to access this resource"})
WRONG_CLIENT = (401, {"Code": 102, "Message": "Invalid ClientID"})
DAY = timedelta(days=1)

Answer = tuple[int, Any]
Says = Callable[[str, dict[str, str]], Answer | None]


def an_id(kind: int, *numbers: int) -> str:
    """A mixed id of 32 digits that differs from all others in the first twelve."""
    return f"{kind:x}{numbers[0]:04x}{(*numbers, 0)[1]:07x}".ljust(32, "e")


class Agency:
    """An account of so many clients, each with so many campaigns (sent so long ago) and lists."""

    def __init__(self, clients: int, *, campaigns: int = 1, lists: int = 1, age_days: int = 300) -> None:
        self.ids = [an_id(1, n) for n in range(clients)]
        self.says: Says = lambda path, query: None
        self.asked: Counter[str] = Counter()
        self.bodies: dict[str, Any] = {
            "/clients.json": [{"ClientID": each, "Name": f"Client {n}"} for n, each in enumerate(self.ids)]
        }
        sent = (datetime.now(timezone.utc) - age_days * DAY).strftime("%Y-%m-%d %H:00:00")
        for n, client in enumerate(self.ids):
            details = {"ClientID": client, "CompanyName": f"Client {n}", "TimeZone": SYDNEY}
            above = f"/clients/{client}"
            mine = [an_id(2, n, each) for each in range(campaigns)]
            own = [an_id(3, n, each) for each in range(lists)]
            self.bodies |= {
                f"{above}.json": {"ApiKey": "a-live-secret", "BasicDetails": details},
                f"{above}/campaigns.json": paged(
                    [{"CampaignID": each, "SentDate": sent, "TotalRecipients": 1, "Tags": ["a"]} for each in mine]
                ),
                f"{above}/lists.json": [{"ListID": each, "Name": "L"} for each in own],
                f"{above}/segments.json": [],
                f"{above}/templates.json": [{"TemplateID": an_id(4, n), "Name": "T"}],
                f"{above}/suppressionlist.json": paged([]),
            }
            for campaign in mine:
                row = {"EmailAddress": "a@example.com", "ListID": own[0] if own else "none", "Date": sent}
                below = f"/campaigns/{campaign}"
                counters = dict.fromkeys(("TotalOpened", "Clicks", "Unsubscribed", "Bounced", "SpamComplaints"), 1)
                self.bodies[f"{below}/summary.json"] = {"Name": "C", "Recipients": 1, **counters}
                self.bodies[f"{below}/emailclientusage.json"] = []
                for kind in ("recipients", "opens", "clicks", "bounces", "unsubscribes", "spam"):
                    self.bodies[f"{below}/{kind}.json"] = paged([row])
            for each in own:
                self.bodies[f"/lists/{each}.json"] = {"ListID": each, "Title": "L"}
                self.bodies[f"/lists/{each}/stats.json"] = {"TotalActiveSubscribers": 1}
                self.bodies[f"/lists/{each}/customfields.json"] = [{"FieldName": "city", "Key": "[city]"}]
                for state in ("active", "unconfirmed", "unsubscribed", "bounced", "deleted"):
                    member = {"EmailAddress": f"{state}@example.com", "Date": sent, "State": state.capitalize()}
                    self.bodies[f"/lists/{each}/{state}.json"] = paged([member])

    def answer(self, target: str) -> Answer:
        parts = urlsplit(target)
        path = parts.path.removeprefix("/api/v3.3")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked[path] += 1
        if (found := self.says(path, query)) is not None:
            return found
        if path == "/transactional/messages":
            client = query.get("clientID", self.ids[0])
            rows = [{"MessageID": f"m-{client}", "Status": "Sent", "SentAt": "2026-01-01T00:00:00+00:00"}]
            return (200, [] if "sentBeforeID" in query else rows) if client in self.ids else WRONG_CLIENT
        if path in self.bodies:
            return 200, self.bodies[path]
        return WRONG_CLIENT if path.startswith("/clients/") else (401, {"Code": 101, "Message": "Invalid ListID"})


def paged(rows: list[Any]) -> dict[str, Any]:
    return {"Results": rows, "PageNumber": 1, "NumberOfPages": 1, "TotalNumberOfRecords": len(rows)}


@pytest.fixture
def serve() -> Iterator[Callable[[Agency], dict[str, Any]]]:
    """Serves an agency: gives the settings to read it with."""
    servers: list[ThreadingHTTPServer] = []

    def start(agency: Agency) -> dict[str, Any]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                status, body = agency.answer(self.path)
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return {"api_key": "an-account-key", "base_url": f"http://127.0.0.1:{server.server_port}/api/v3.3"}

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def read(folder: Path, config: dict[str, Any], *streams: str, state: Any = None, **more: Any) -> Result:
    chosen = [word for name in streams for word in ("--select", name)]
    return run_tap("tap_campaign_monitor", *chosen, config={**config, **more}, state=state, folder=folder)


def clients_of(result: Result, stream: str) -> set[str]:
    return {record["ClientID"] for record in result.records(stream)}


@pytest.mark.parametrize("concurrency", [1, 16])
def test_lesser_plans_missing_rights_and_removed_clients_are_those_clients_alone(
    concurrency: int, tmp_path: Path, serve: Callable[[Agency], dict[str, Any]]
) -> None:
    agency = Agency(40)
    poor, barred, gone = agency.ids[3:8], agency.ids[20:23], "f" * 32
    lock, trouble = threading.Lock(), Counter[str]()

    def says(path: str, query: dict[str, str]) -> Answer | None:
        with lock:
            trouble[path] += 1
            if trouble[path] == 1 and trouble.total() % 9 == 0:
                return (500, {}) if trouble.total() % 2 else (429, {"Code": 429, "Message": "Rate limit exceeded"})
        if query.get("clientID") in poor:
            return NO_PLAN
        if any(path == f"/clients/{each}/lists.json" for each in barred):
            return NO_RIGHT
        return None

    agency.says = says
    streams = ("campaigns", "campaign_opens", "lists", "list_details", "list_active_subscribers", "templates")
    config = {**serve(agency), "concurrency": concurrency, "client_id": [gone, *agency.ids]}
    page = tmp_path / "page.html"
    chosen = [word for name in (*streams, "transactional_messages") for word in ("--select", name)]
    result = run_tap("tap_campaign_monitor", *chosen, "--report", str(page), config=config, folder=tmp_path)
    assert result.status == 1
    everybody = set(agency.ids)
    for stream in ("campaigns", "campaign_opens", "templates"):
        assert clients_of(result, stream) == everybody, stream
    for stream in ("lists", "list_details", "list_active_subscribers"):
        assert clients_of(result, stream) == everybody - set(barred), stream
    assert clients_of(result, "transactional_messages") == everybody - set(poor)
    assert all(each in result.stderr for each in (gone, *poor, *barred))
    rows = dict(re.findall(r"<tr><td>([0-9a-f]{32})<td>\d+<td[^>]*>([^<]*)</tr>", page.read_text()))
    assert rows.keys() == everybody
    assert {each for each, lacking in rows.items() if lacking == "transactional_messages"} == set(poor)
    assert {each for each, lacking in rows.items() if lacking == "lists"} == set(barred)


def test_a_clients_own_key_is_asked_for_transactional_email_without_its_id(
    tmp_path: Path, serve: Callable[[Agency], dict[str, Any]]
) -> None:
    agency = Agency(1)
    config = {**serve(agency), "client_id": agency.ids}
    agency.says = lambda path, query: WRONG_CLIENT if "clientID" in query else None
    result = read(tmp_path, config, "lists", "transactional_messages")
    assert result.status == 0, result.stderr
    assert clients_of(result, "transactional_messages") == clients_of(result, "lists") == set(agency.ids)
    assert agency.asked["/transactional/messages"] == 3, "refused once, and never asked with it again"
    agency.says = lambda path, query: WRONG_CLIENT if path.startswith("/transactional") else None
    result = read(tmp_path, config, "lists", "transactional_messages")
    assert result.status == 1
    assert result.records("lists") and not result.records("transactional_messages")


def test_a_key_that_may_not_list_clients_needs_client_id_and_with_a_zone_no_details(
    tmp_path: Path, serve: Callable[[Agency], dict[str, Any]]
) -> None:
    agency = Agency(2)
    config = serve(agency)
    agency.says = lambda path, query: (403, {"Code": 403, "Message": "No"}) if path == "/clients.json" else None
    result = read(tmp_path, config, "lists")
    assert result.status == 2
    assert "set client_id" in result.stderr and "API keys" in result.stderr
    agency.asked.clear()
    chosen = {"api_client_id": [agency.ids[1].upper(), agency.ids[1]], "timezone": "Europe/Paris"}
    result = read(tmp_path, config, "clients", "lists", "campaigns", **chosen)
    assert result.status == 0, result.stderr
    assert [record["ClientID"] for record in result.records("lists")] == [agency.ids[1]]
    assert result.records("campaigns")[0]["SentDate"] != ""
    assert not [path for path in agency.asked if path.count("/") == 2 and path.startswith("/clients/")]


def test_a_wrong_client_id_says_so_and_what_is_right_is_read(
    tmp_path: Path, serve: Callable[[Agency], dict[str, Any]]
) -> None:
    agency = Agency(2)
    config = serve(agency)
    result = read(tmp_path, config, "lists", client_id=["0" * 32, agency.ids[1]])
    assert result.status == 1
    assert clients_of(result, "lists") == {agency.ids[1]}
    assert f"client {'0' * 32}" in result.stderr
    result = read(tmp_path, config, "lists", client_id=["0" * 32])
    assert result.status == 3
    assert "client_id is not in this account" in result.stderr


def test_a_list_that_is_nowhere_is_named_and_the_others_are_read(
    tmp_path: Path, serve: Callable[[Agency], dict[str, Any]]
) -> None:
    agency = Agency(2, lists=2)
    wanted = an_id(3, 1, 1)
    result = read(tmp_path, serve(agency), "list_details", "list_stats", list_ids=[wanted.upper(), "typo"])
    assert result.status == 0
    assert [row["ListID"] for row in result.records("list_details")] == [wanted]
    said = [line for line in result.stderr.splitlines() if line.startswith("WARNING")]
    assert len(said) == 1 and "list_ids: lists has no typo" in said[0]


def test_a_repeat_run_asks_little_and_what_was_not_read_below_is_asked_for(
    tmp_path: Path, serve: Callable[[Agency], dict[str, Any]]
) -> None:
    agency = Agency(1, campaigns=60, lists=12)
    config = serve(agency)
    failing = f"/campaigns/{an_id(2, 0, 7)}/opens.json"
    agency.says = lambda path, query: NO_RIGHT if path == failing else None
    first = run_tap("tap_campaign_monitor", config=config, folder=tmp_path)
    assert first.status == 1
    agency.says = lambda path, query: None
    agency.asked.clear()
    second = run_tap("tap_campaign_monitor", config=config, state=first.state, folder=tmp_path)
    assert second.status == 0, second.stderr
    asked = Counter(path.rpartition("/")[2] for path in agency.asked.elements())
    assert asked["summary.json"] == asked["opens.json"] == 1, "the one whose opens had failed"
    assert [record["CampaignID"] for record in second.records("campaign_opens")] == [an_id(2, 0, 7)]
    assert not asked["stats.json"] and not asked["customfields.json"]
    assert agency.asked.total() <= 10 + 2 + 5 * 12
    agency.asked.clear()
    third = run_tap(
        "tap_campaign_monitor", config={**config, "skip_unchanged": False}, state=second.state, folder=tmp_path
    )
    assert len(third.records("campaign_summary")) == 60 and len(third.records("list_stats")) == 12


def test_an_agency_is_planned_by_client_and_the_shards_are_the_whole(
    tmp_path: Path, serve: Callable[[Agency], dict[str, Any]]
) -> None:
    agency = Agency(3, campaigns=2, lists=4)
    config = serve(agency)
    agency.says = lambda path, query: NO_RIGHT if path == f"/clients/{agency.ids[2]}/lists.json" else None
    streams = ("clients", "campaign_opens", "campaign_summary", "lists", "list_details", "templates")
    chosen = [word for name in streams for word in ("--select", name)]
    planned = run_tap("tap_campaign_monitor", *chosen, "--plan", "1", config=config, folder=tmp_path)
    assert planned.status == 0, planned.stderr
    shards = json.loads(planned.stdout)["shards"]
    found = {(tuple(shard["config"].get("client_id", ())), tuple(shard["select"])) for shard in shards}
    of_campaigns, of_lists = ("campaign_summary", "campaign_opens", "templates"), ("lists", "list_details")
    assert found == {((), ("clients",))} | {((each,), of) for each in agency.ids for of in (of_campaigns, of_lists)}
    least = {shard["name"]: shard["estimate"]["requests_at_least"] for shard in shards}
    assert least[f"campaign_summary-{agency.ids[0]}"] == 2 + 2 + 1
    assert least[f"lists-{agency.ids[0]}"] == 1 + 4
    assert least[f"lists-{agency.ids[2]}"] == 1, "its lists may not be counted"
    agency.says = lambda path, query: None
    whole = read(tmp_path, config, *streams)
    parts = [read(tmp_path, config, *shard["select"], **shard["config"]) for shard in shards]
    for stream in streams:
        rows = [json.dumps(row, sort_keys=True) for part in parts for row in part.records(stream)]
        assert sorted(rows) == sorted(json.dumps(row, sort_keys=True) for row in whole.records(stream)), stream
