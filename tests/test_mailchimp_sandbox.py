from __future__ import annotations

import hashlib
import io
import json
import signal
import subprocess
import sys
import tarfile
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests

from shared.sandbox import Row
from tap_mailchimp.sandbox import API_KEY, MailchimpSandbox, truth
from tap_mailchimp.sandbox.endpoints import BY_STREAM, ENDPOINTS
from tap_mailchimp.sandbox.people import IMPORTED, IMPORTED_AT, stamp
from tap_mailchimp.sandbox.services import CLIENT

STREAMS = tuple(BY_STREAM)
PAGE = {"count": 1000}


class Reader:
    """The API as a naive client reads it: one request after the other, plain offsets."""

    def __init__(self, sandbox: MailchimpSandbox) -> None:
        self.sandbox, self.session = sandbox, requests.Session()
        self.session.auth = ("anything", API_KEY)
        self.session.trust_env = False

    def get(self, path: str, status: int = 200, /, **params: Any) -> Any:
        answer = self.session.get(self.sandbox.base_url + path, params=params, timeout=5)
        assert answer.status_code == status, answer.text[:300]
        return answer.json()

    def walk(self, stream: str, *, count: int = 1000, **params: Any) -> Iterator[tuple[Row, Row]]:
        """The ids of the parent, and the row, of all rows of a stream."""
        endpoint = BY_STREAM[stream]
        for args in self.parents(stream):
            path = endpoint.path.format(**{name: quote(str(value), safe="") for name, value in args.items()})
            rows = self.rows(path, endpoint.key, endpoint.paged, count=count, **{**endpoint.asked, **params})
            for row in rows:
                yield args, row

    def parents(self, stream: str) -> Iterator[Row]:
        above = BY_STREAM[stream].parent
        if above is None:
            yield {}
            return
        rows = self.walk(above[0])
        if above[0] == "list_members":
            rows = chain(rows, self.walk(above[0], status="archived"))
        for args, row in rows:
            yield {**args, **{name: row[field] for name, field in above[1].items()}}

    def rows(self, path: str, key: str, paged: tuple[str, ...], *, count: int, **params: Any) -> Iterator[Row]:
        params = {name: str(value).lower() if isinstance(value, bool) else value for name, value in params.items()}
        offset = 0
        while True:
            url, asked = self.sandbox.base_url + path, {"count": count, "offset": offset, **params}
            answer = self.session.get(url, params=asked, timeout=5)
            if answer.status_code == 404:
                return
            assert answer.status_code == 200, answer.text
            page = answer.json()[key] if key else [answer.json()]
            yield from page
            if "cursor" in paged:
                params["cursor"] = answer.json().get("next_cursor")
                if params["cursor"] is None:
                    return
                continue
            offset += count
            if len(page) < count or "offset" not in paged:
                return


@pytest.fixture(scope="session")
def sandbox() -> Iterator[MailchimpSandbox]:
    with MailchimpSandbox({"speed": "20"}) as served:
        yield served


@pytest.fixture(scope="session")
def small() -> Iterator[MailchimpSandbox]:
    with MailchimpSandbox({"scale": "0.05"}) as served:
        yield served


@pytest.fixture(scope="session")
def days() -> list[MailchimpSandbox]:
    """The account on three days, not served."""
    return [MailchimpSandbox({"day": str(day)}) for day in range(3)]


@pytest.fixture
def api(sandbox: MailchimpSandbox) -> Iterator[Reader]:
    reader = Reader(sandbox)
    yield reader
    reader.session.close()


def _bag(records: list[Row]) -> Counter[str]:
    return Counter(json.dumps(record, sort_keys=True) for record in records)


def _first_list(api: Reader) -> str:
    return str(api.get("/lists", fields="lists.id")["lists"][0]["id"])


def _largest(api: Reader) -> Row:
    largest: Row = max(api.get("/reports", count=1000)["reports"], key=lambda report: report["emails_sent"])
    return largest


# --- All of it ---


@pytest.mark.parametrize("stream", STREAMS)
def test_reading_everything_gives_the_truth(small: MailchimpSandbox, stream: str) -> None:
    api = Reader(small)
    records: list[Row] = []
    rows = list(api.walk(stream, count=50))
    if stream == "list_members":
        rows += api.walk(stream, count=50, status="archived")
    api.session.close()
    for args, row in rows:
        if stream == "reports_email_activity":
            records += truth.events({name: value for name, value in row.items() if name != "_links"})
        elif stream != "templates" or row["type"] == "user":
            records.append(truth.record(stream, row, args))
    assert _bag(list(truth.numbered(stream, records))) == _bag(api.sandbox.truth(stream))
    assert records


def test_an_account_is_the_same_each_time_and_another_with_another_seed() -> None:
    small = {"scale": "0.2"}
    first, again, other = MailchimpSandbox(small), MailchimpSandbox(small), MailchimpSandbox({**small, "seed": "2"})
    for stream in ("list_members", "reports", "ecommerce_orders"):
        assert first.truth(stream) == again.truth(stream) != other.truth(stream)


def test_the_account_grows_with_its_scale() -> None:
    small, large = MailchimpSandbox({"scale": "0.2"}), MailchimpSandbox({"scale": "2"})
    for stream in ("list_members", "campaigns", "list_segments", "list_segment_members"):
        assert len(large.truth(stream)) > 2 * len(small.truth(stream))


def test_awkward_values_are_there(days: list[MailchimpSandbox]) -> None:
    members = days[0].truth("list_members")
    extras = [record["_extra"] for record in members if "_extra" in record]
    assert {"beta_score": {"value": 7}, "beta_flag": True} in extras
    assert {"member_rating": "high"} in extras
    assert {"member_rating": 2.5} in extras
    assert any(record["merge_fields"] is None for record in members)
    assert any("\ufffd" in (record["full_name"] or "") for record in members)
    assert max(Counter((r["list_id"], r["last_changed"]) for r in members if r["status"] != "archived").values()) > 1000
    assert len({record["id"] for record in members}) < len(members)
    events = days[0].truth("reports_email_activity")
    keys = Counter((r["campaign_id"], r["action"], r["email_id"], r["timestamp"]) for r in events)
    assert max(keys.values()) > 1
    assert len({record["activity_id"] for record in events}) == len(events)
    assert any("\ufffd" in record["name"] for record in days[0].truth("templates"))
    assert any(not report["list_is_active"] for report in days[0].truth("reports"))
    assert {0} < {record["id"] for record in days[0].truth("list_segments")}
    assert any("/" in record["id"] and "%" in record["id"] for record in days[0].truth("ecommerce_orders"))


def test_activity_ids_follow_the_recipe_in_the_docstring() -> None:
    entry = {"action": "open", "timestamp": "2026-11-01T10:00:00+00:00", "ip": "203.0.113.9"}
    row = {"campaign_id": "c", "email_id": "é", "activity": [entry, entry]}
    text = '["c","é","open","2026-11-01T10:00:00+00:00","","203.0.113.9","",1]'
    first, second = truth.events(row)
    assert second["activity_id"] == hashlib.sha256(text.encode()).hexdigest()[:32] != first["activity_id"]
    assert second["timestamp"] == "2026-11-01T10:00:00.000000Z"
    assert second["url"] is None


def test_truth_follows_the_settings_that_choose(days: list[MailchimpSandbox]) -> None:
    account = days[0]
    everyone = account.truth("list_members")
    late = account.truth("list_members", {"start_date": stamp(IMPORTED_AT)})
    assert len(IMPORTED) <= len(late) < len(everyone)
    assert min(record["last_changed"] for record in late) == stamp(IMPORTED_AT).replace("+00:00", ".000000Z")
    kept = account.truth("list_members", {"include_archived": False})
    assert 0 < len(kept) < len(everyone)
    drafts = account.truth("campaigns", {"campaign_status": "save"})
    assert {record["status"] for record in drafts} == {"save"}
    one = everyone[0]["list_id"]
    assert {record["list_id"] for record in account.truth("list_segments", {"list_ids": [one]})} == {one}
    recent = account.truth("reports_email_activity", {"email_activity_date_window": "3"})
    assert 0 < len({record["campaign_id"] for record in recent}) < 5


# --- Pages, filters, fields ---


def test_ten_rows_come_unless_count_says_otherwise_and_never_more_than_a_thousand(api: Reader) -> None:
    path = f"/lists/{_first_list(api)}/members"
    assert len(api.get(path)["members"]) == 10
    assert len(api.get(path, count=100_000)["members"]) == 1000
    past = api.get(path, count=10, offset=100_000)
    assert past["members"] == []
    assert past["total_items"] > 2000


def test_archived_members_are_left_out_of_the_plain_listing(api: Reader) -> None:
    rows = [row for _, row in api.walk("list_members")]
    archived = [row for _, row in api.walk("list_members", status="archived")]
    assert {row["status"] for row in rows} == {"subscribed", "unsubscribed", "cleaned", "pending", "transactional"}
    assert {row["status"] for row in archived} == {"archived"}
    total = sum(row["stats"]["total_contacts"] for _, row in api.walk("lists"))
    assert len(rows) + len(archived) == total


def test_time_filters_are_half_open(api: Reader) -> None:
    path, edge = f"/lists/{_first_list(api)}/members", stamp(IMPORTED_AT)
    before = stamp(IMPORTED_AT - 1)
    imported = api.get(path, count=1, since_last_changed=before, before_last_changed=edge)["total_items"]
    assert imported > 1000
    assert api.get(path, since_last_changed=edge, before_last_changed=edge)["total_items"] == 0
    since = api.get(path, since_last_changed=edge, **PAGE)
    until = api.get(path, before_last_changed=edge, **PAGE)
    assert since["total_items"] + until["total_items"] == api.get(path)["total_items"]
    assert min(row["last_changed"] for row in since["members"]) > edge
    assert api.get("/campaigns", since_create_time="2026-10-20", **PAGE)["total_items"] > 0


def test_rows_come_sorted_when_asked(api: Reader) -> None:
    path = f"/lists/{_first_list(api)}/members"
    rows = api.get(path, sort_field="last_changed", sort_dir="ASC", **PAGE)["members"]
    assert [row["last_changed"] for row in rows] == sorted(row["last_changed"] for row in rows)
    sent = api.get("/campaigns", sort_field="send_time", sort_dir="DESC", **PAGE)["campaigns"]
    assert [row["send_time"] for row in sent] == sorted((row["send_time"] for row in sent), reverse=True)


def test_fields_and_exclude_fields_reach_into_rows(api: Reader) -> None:
    path = f"/lists/{_first_list(api)}/members"
    assert set(api.get(path)) == {"members", "list_id", "total_items", "_links"}
    assert "_links" in api.get(path)["members"][0]
    plain = api.get(path, exclude_fields="_links,members._links,members.merge_fields,members.stats.avg_open_rate")
    assert set(plain) == {"members", "list_id", "total_items"}
    assert {"_links", "merge_fields"}.isdisjoint(plain["members"][0])
    assert set(plain["members"][0]["stats"]) == {"avg_click_rate"}
    assert api.get(path, fields="members.id,members.stats.avg_open_rate, total_items,nonsense") == {
        "members": [
            {"id": row["id"], "stats": {"avg_open_rate": row["stats"]["avg_open_rate"]}}
            for row in api.get(path)["members"]
        ]
    }
    assert set(api.get("/", fields="account_id,role")) == {"account_id", "role"}
    api.get(path, 400, fields="members.id", exclude_fields="_links")


def test_links_hide_inside_rows_too(api: Reader) -> None:
    order = api.get("/ecommerce/orders", exclude_fields="_links,orders._links")["orders"][0]
    assert "_links" not in order
    assert "_links" in order["customer"]
    assert "_links" in order["lines"][0]
    assert "_links" not in json.dumps(api.sandbox.truth("ecommerce_orders"))


def test_contacts_are_paged_by_cursor_in_either_direction(api: Reader) -> None:
    path = f"/audiences/{_first_list(api)}/contacts"
    for direction in ("ASC", "DESC"):
        first = api.get(path, count=3, sort_dir=direction)
        second = api.get(path, count=3, sort_dir=direction, cursor=first["next_cursor"])
        stamps = [contact["last_updated_at"] for contact in (*first["contacts"], *second["contacts"])]
        assert stamps == sorted(stamps, reverse=direction == "DESC")
        assert len({contact["id"] for contact in (*first["contacts"], *second["contacts"])}) == 6
    assert "next_cursor" not in api.get(path, count=1000, created_since="2026-11-01T00:00:00Z")
    api.get(path, 400, cursor="???")


def test_tags_beyond_the_fifty_of_a_member_s_row_are_listed(api: Reader) -> None:
    member = next(row for _, row in api.walk("list_members") if row["tags_count"] > 50)
    path = f"/lists/{member['list_id']}/members/{member['id']}/tags"
    assert (len(member["tags"]), len(api.get(path, **PAGE)["tags"])) == (50, member["tags_count"])
    assert len(api.get(path)["tags"]) == 10


def test_segment_flags_show_more_members_but_not_in_total_items(api: Reader) -> None:
    segments = f"/lists/{_first_list(api)}/segments"
    flags = {"include_cleaned": "true", "include_transactional": "true", "include_unsubscribed": "true"}
    plain, full = (api.get(segments, **PAGE, **more)["segments"] for more in ({}, flags))
    assert all(few["member_count"] <= all_["member_count"] for few, all_ in zip(plain, full, strict=True))
    path = f"{segments}/{full[1]['id']}/members"
    assert full[1]["member_count"] == 1000
    page = api.get(path, **PAGE, **flags)
    assert len(page["members"]) == 1000
    assert page["total_items"] == plain[1]["member_count"] < 1000
    assert {row["status"] for row in api.get(path, **PAGE)["members"]} == {"subscribed"}
    assert api.get(segments, type="statik") == {**api.get(segments, type="statik"), "segments": [], "total_items": 0}


def test_since_empties_activity_but_every_recipient_comes(api: Reader) -> None:
    path = f"/reports/{_largest(api)['id']}/email-activity"
    whole, since = api.get(path, **PAGE), api.get(path, since="2026-11-01T11:59:59+00:00", **PAGE)
    assert since["total_items"] == whole["total_items"]
    assert not any(row.get("activity") for row in since["emails"])
    assert any(row.get("activity") for row in whole["emails"])


def test_tags_are_searched_by_prefix(api: Reader) -> None:
    path = f"/lists/{_first_list(api)}/tag-search"
    tags = api.get(path, **PAGE)["tags"]
    found = api.get(path, name=tags[0]["name"][:3].upper(), **PAGE)["tags"]
    assert tags[0] in found
    assert len(found) < len(tags)


def test_orders_of_all_stores_come_in_one_walk(api: Reader) -> None:
    one_walk = list(api.rows("/ecommerce/orders", "orders", ("count", "offset"), count=50))
    assert Counter(row["id"] for row in one_walk) == Counter(row["id"] for _, row in api.walk("ecommerce_orders"))


# --- Errors ---


@pytest.mark.parametrize(
    ("path", "status", "title"),
    [
        ("/campaigns?count=abc", 400, "Invalid Resource"),
        ("/campaigns?status=sent!", 400, "Invalid Resource"),
        ("/campaigns?since_create_time=2026-01-01T00:00:00+00:00", 400, "Invalid Resource"),
        ("/lists/doesnotexist/members", 404, "Resource Not Found"),
        ("/reports/doesnotexist/email-activity", 404, "Resource Not Found"),
        ("/nothing", 404, "Resource Not Found"),
    ],
)
def test_errors_are_problem_documents(api: Reader, path: str, status: int, title: str) -> None:
    answer = api.session.get(api.sandbox.base_url + path, timeout=5)
    assert (answer.status_code, answer.json()["title"], answer.json()["status"]) == (status, title, status)
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.headers["X-Request-Id"]
    assert ("errors" in answer.json()) == (status == 400)


def test_the_documented_message_for_a_bad_count(api: Reader) -> None:
    message = "Schema describes integer, string found instead"
    assert api.get("/campaigns", 400, count="abc")["errors"] == [{"field": "count", "message": message}]


def _basic(key: str) -> str:
    return f"Basic {b64encode(f'user:{key}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (_basic(API_KEY), 200),
        (f"Bearer {API_KEY}", 200),
        ("Bearer sandbox-access-token", 200),
        ("OAuth sandbox-access-token", 200),
        (_basic(API_KEY.replace("us6", "us7")), 401),
        (_basic(""), 401),
        ("Basic %%%", 401),
        (f"OAuth {API_KEY}", 401),
        ("", 401),
    ],
)
def test_credentials(sandbox: MailchimpSandbox, header: str, status: int) -> None:
    headers = {"Authorization": header} if header else {}
    answer = requests.get(f"{sandbox.base_url}/ping", headers=headers, timeout=5)
    assert answer.status_code == status
    if status == 401:
        assert ("datacenter" in answer.json()["detail"]) == bool(header)


def test_more_than_ten_connections_are_throttled_without_a_body() -> None:
    with MailchimpSandbox({"latency": "0.4"}) as served, ThreadPoolExecutor(12) as pool:
        url, auth = f"{served.base_url}/ping", ("x", API_KEY)
        answers = list(pool.map(lambda _: requests.get(url, auth=auth, timeout=5), range(12)))
    assert Counter(answer.status_code for answer in answers) == {200: 10, 429: 2}
    assert {answer.content for answer in answers if answer.status_code == 429} == {b""}


def test_a_role_may_be_forbidden_some_paths() -> None:
    with MailchimpSandbox({"forbid": "/reports+/ecommerce"}) as served:
        api = Reader(served)
        assert api.get("/reports", 403)["title"] == "Forbidden"
        api.get("/ecommerce/stores", 403)
        api.get("/lists")
        api.session.close()


def test_unknown_parameters_are_ignored_and_counted_unless_strict() -> None:
    for strict, status in (("0", 200), ("1", 400)):
        with MailchimpSandbox({"strict": strict}) as served:
            api = Reader(served)
            api.get("/lists", status, sort_feild="date_created")
            api.session.close()
        assert bool(served.stats.ignored) == (strict == "0")


def test_some_parents_are_listed_but_gone(api: Reader) -> None:
    reports = api.get("/reports", count=1000)["reports"]
    statuses = Counter(
        api.session.get(f"{api.sandbox.base_url}/reports/{report['id']}/unsubscribed", timeout=5).status_code
        for report in reports
    )
    assert statuses == {200: len(reports) - 1, 404: 1}


def test_a_draft_has_an_empty_report(api: Reader) -> None:
    draft = api.get("/campaigns", status="save")["campaigns"][0]
    assert draft["send_time"] == ""
    assert "report_summary" not in draft
    assert api.get(f"/reports/{draft['id']}/email-activity")["emails"] == []
    assert draft["id"] not in {report["id"] for report in api.get("/reports", **PAGE)["reports"]}


# --- Days ---


def _fingerprint(report: Row) -> tuple[Any, ...]:
    opens, clicks = report["opens"], report["clicks"]
    return (
        opens["opens_total"], opens["last_open"], clicks["clicks_total"], clicks["last_click"],
        sum(report["bounces"].values()),
    )  # fmt: skip


@pytest.mark.parametrize("day", [0, 1, 2])
def test_reports_count_the_events_that_are_listed(days: list[MailchimpSandbox], day: int) -> None:
    events: dict[str, list[Row]] = {}
    for record in days[day].truth("reports_email_activity"):
        events.setdefault(record["campaign_id"], []).append(record)
    for report in days[day].truth("reports"):
        found = events.get(report["id"])
        if found is None:
            continue
        actions = Counter(event["action"] for event in found)
        listed = (actions["open"], actions["click"], actions["bounce"])
        opens, _, clicks, _, bounces = counted = _fingerprint(report)
        if day == 0:
            assert listed == (opens, clicks, bounces)
            for action, last in (("open", counted[1]), ("click", counted[3])):
                assert max((e["timestamp"] for e in found if e["action"] == action), default=None) == last
        else:  # permanently deleted members take their events along, but the sums remember them
            assert all(few <= many for few, many in zip(listed, (opens, clicks, bounces), strict=True))


@pytest.mark.parametrize("day", [1, 2])
def test_new_events_show_in_the_fingerprint(days: list[MailchimpSandbox], day: int) -> None:
    before = {report["id"]: _fingerprint(report) for report in days[day - 1].truth("reports")}
    after = {report["id"]: _fingerprint(report) for report in days[day].truth("reports")}
    moved = {identity for identity, fingerprint in after.items() if before.get(identity) != fingerprint}
    assert {record["campaign_id"] for record in days[day].changed_since(day - 1, "reports_email_activity")} <= moved
    old = [identity for identity in after if identity in before]
    assert 0 < sum(identity in moved for identity in old) < len(old)


def test_some_events_become_visible_late(days: list[MailchimpSandbox]) -> None:
    late = [
        record for record in days[1].changed_since(0, "reports_email_activity") if record["timestamp"] < "2026-11-01T12"
    ]
    assert {record["action"] for record in late} == {"bounce"}
    assert all(record["timestamp"] >= "2026-11-01T11:56" for record in late)


def test_a_day_brings_new_changed_moved_and_deleted_members(days: list[MailchimpSandbox]) -> None:
    before, after = ({(r["list_id"], r["id"]): r for r in day.truth("list_members")} for day in days[:2])
    changed = days[1].changed_since(0, "list_members")
    assert before.keys() - after.keys()
    assert after.keys() - before.keys()
    flips = {(before[key]["status"], after[key]["status"]) for key in before.keys() & after.keys()}
    assert {("subscribed", "archived"), ("archived", "subscribed"), ("subscribed", "unsubscribed")} <= flips
    assert 50 < len(changed) < 400
    assert all("2026-11-01T12" < record["last_changed"] <= "2026-11-02T12:00:00" for record in changed)


@pytest.mark.parametrize(
    "stream",
    [
        "campaigns",
        "reports",
        "unsubscribes",
        "ecommerce_orders",
        "list_activity",
        "list_growth_history",
        "list_segments",
    ],
)
def test_a_day_brings_something_new_to_many_streams(days: list[MailchimpSandbox], stream: str) -> None:
    assert 0 < len(days[1].changed_since(0, stream)) < len(days[1].truth(stream))


def test_a_day_takes_a_campaign_away(days: list[MailchimpSandbox]) -> None:
    before, after = ({record["id"] for record in day.truth("campaigns")} for day in days[:2])
    assert len(before - after) == 1
    assert after - before


def test_advancing_while_serving_is_the_same_as_starting_later(days: list[MailchimpSandbox]) -> None:
    served = MailchimpSandbox()
    served.advance()
    assert served.truth("reports") == days[1].truth("reports")


# --- Drift ---


def test_under_drift_plain_offsets_miss_rows_that_stayed() -> None:
    with MailchimpSandbox({"drift": "1"}) as served:
        api = Reader(served)
        read = {(row["list_id"], row["id"]) for _, row in api.walk("list_members", count=100)}
        api.session.close()
        kept = {(r["list_id"], r["id"]) for r in served.stayed("list_members", {"include_archived": False})}
    assert len(kept - read) > 10
    assert len(kept) > 3000


# --- Batches ---


def _finished(api: Reader, operations: list[Row]) -> Row:
    answer = api.session.post(f"{api.sandbox.base_url}/batches", json={"operations": operations}, timeout=5)
    assert answer.status_code == 200, answer.text
    seen = [answer.json()["status"]]
    while seen[-1] != "finished":
        batch: Row = api.get(f"/batches/{answer.json()['id']}")
        seen.append(batch["status"])
    stages = ["pending", "preprocessing", "started", "finalizing", "finished"]
    assert [stages.index(stage) for stage in seen] == sorted(stages.index(stage) for stage in seen)
    return batch


def _archive(content: bytes) -> tuple[list[tarfile.TarInfo], dict[str, list[tuple[int, Row]]]]:
    entries: list[tarfile.TarInfo] = []
    results: dict[str, list[tuple[int, Row]]] = {}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r|gz") as archive:
        for entry in archive:
            entries.append(entry)
            handle = archive.extractfile(entry) if entry.isfile() else None
            for result in json.loads((handle.read() if handle else b"") or b"[]"):
                answer = (result["status_code"], json.loads(result["response"]))
                results.setdefault(result["operation_id"], []).append(answer)
    return entries, results


def test_a_batch_gives_what_the_requests_would_give(api: Reader) -> None:
    largest, segments = _largest(api), f"/lists/{_first_list(api)}/segments"
    segment = api.get(segments)["segments"][0]["id"]
    batch = _finished(
        api,
        [
            {"method": "GET", "path": f"/reports/{largest['id']}/email-activity", "operation_id": "whole",
             "params": {"exclude_fields": "_links,emails._links"}},
            {"method": "GET", "path": "/reports/nothing/email-activity", "operation_id": "gone"},
            {"method": "GET", "path": f"{segments}/{segment}/members", "operation_id": "few", "params": {"count": 500}},
            {"method": "GET", "path": "/lists", "operation_id": "page", "params": {"count": 2}},
        ],
    )  # fmt: skip
    assert (batch["total_operations"], batch["finished_operations"], batch["errored_operations"]) == (4, 4, 1)
    answer = requests.get(batch["response_body_url"], timeout=5)
    entries, results = _archive(answer.content)
    assert entries[0].isdir()
    assert any(entry.isfile() and entry.size == 0 for entry in entries)
    assert len(results["whole"]) > 1
    listed = [row for _, part in results["whole"] for row in part["emails"]]
    expected = [row for _, row in api.walk("reports_email_activity") if row["campaign_id"] == largest["id"]]
    assert Counter(row["email_id"] for row in listed) == Counter(row["email_id"] for row in expected)
    assert [status for status, _ in results["gone"]] == [404]
    assert len(results["few"][0][1]["members"]) == 10
    assert len(results["page"][0][1]["lists"]) == 2


def test_a_result_is_given_for_ten_minutes_and_to_nobody_with_a_credential() -> None:
    with MailchimpSandbox({"speed": "20"}) as served:
        api = Reader(served)
        batch = _finished(api, [{"method": "GET", "path": "/ping", "operation_id": "1"}])
        url = batch["response_body_url"]
        assert requests.get(url, timeout=5).status_code == 200
        assert api.session.get(url, timeout=5).status_code == 400
        assert requests.get(url[:-4], timeout=5).status_code == 403
        served.clock.advance(1)
        expired = requests.get(url, timeout=5)
        assert (expired.status_code, expired.headers["Content-Type"]) == (403, "application/xml")
        assert requests.get(api.get(f"/batches/{batch['id']}")["response_body_url"], timeout=5).status_code == 200
        served.clock.advance(7)
        api.get(f"/batches/{batch['id']}", 404)
        api.session.close()


def test_batches_are_listed_stopped_and_limited(api: Reader) -> None:
    url = f"{api.sandbox.base_url}/batches"
    operation = {"method": "GET", "path": "/ping", "operation_id": "1"}
    made = api.session.post(url, json={"operations": [operation]}, timeout=5).json()["id"]
    assert made in {batch["id"] for batch in api.get("/batches", **PAGE)["batches"]}
    assert api.session.delete(f"{url}/{made}", timeout=5).status_code == 204
    api.get(f"/batches/{made}", 404)
    assert api.session.post(url, json={"operations": [operation] * 1001}, timeout=5).status_code == 400
    assert api.session.post(url, json={"operations": "x"}, timeout=5).status_code == 400


# --- OAuth ---


def _authorize(sandbox: MailchimpSandbox, **params: str) -> Mapping[str, list[str]]:
    query = {"response_type": "code", "client_id": CLIENT["client_id"], "redirect_uri": "http://127.0.0.1:1/", **params}
    answer = requests.get(f"{sandbox.root_url}/oauth2/authorize", params=query, allow_redirects=False, timeout=5)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("http://127.0.0.1:1/?")
    return parse_qs(urlsplit(answer.headers["Location"]).query)


def test_a_code_is_exchanged_once_for_a_token_that_works(sandbox: MailchimpSandbox) -> None:
    given = _authorize(sandbox, state="xyz")
    assert given["state"] == ["xyz"]
    form = {
        "grant_type": "authorization_code",
        "redirect_uri": "http://127.0.0.1:1/",
        "code": given["code"][0],
        **CLIENT,
    }
    url = f"{sandbox.root_url}/oauth2/token"
    answer = requests.post(url, data=form, timeout=5).json()
    assert (answer["expires_in"], answer["scope"]) == (0, None)
    again = requests.post(url, data=form, timeout=5)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    headers = {"Authorization": f"OAuth {answer['access_token']}"}
    about = requests.get(f"{sandbox.root_url}/oauth2/metadata", headers=headers, timeout=5).json()
    assert (about["dc"], about["api_endpoint"]) == ("us6", sandbox.root_url)
    assert requests.get(f"{about['api_endpoint']}/3.0/ping", headers=headers, timeout=5).status_code == 200


@pytest.mark.parametrize("wrong", [{"client_secret": "no"}, {"redirect_uri": "http://127.0.0.1:2/"}, {"code": "no"}])
def test_codes_are_for_the_right_client_and_address_only(sandbox: MailchimpSandbox, wrong: dict[str, str]) -> None:
    form = {"grant_type": "authorization_code", "redirect_uri": "http://127.0.0.1:1/", **CLIENT}
    form |= {"code": _authorize(sandbox)["code"][0], **wrong}
    assert requests.post(f"{sandbox.root_url}/oauth2/token", data=form, timeout=5).status_code == 400


def test_a_dead_token_gets_200_and_an_error(sandbox: MailchimpSandbox) -> None:
    headers = {"Authorization": "OAuth dead"}
    answer = requests.get(f"{sandbox.root_url}/oauth2/metadata", headers=headers, timeout=5)
    assert (answer.status_code, answer.json()["error"]) == (200, "invalid_token")


# --- The table, the command ---


def test_every_row_of_the_table_has_its_fields_and_rows(days: list[MailchimpSandbox]) -> None:
    assert truth.KINDS.keys() == BY_STREAM.keys()
    for endpoint in ENDPOINTS:
        assert hasattr(days[0].account, endpoint.rows or endpoint.stream)


def test_the_command_prints_a_config_and_serves_until_terminated() -> None:
    command = [sys.executable, "-m", "tap_mailchimp.sandbox", "--scale", "0.2", "--faults", "429=0.0,500=0.0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        answer = requests.get(f"{told['base_url']}/ping", auth=("x", told["config"]["api_key"]), timeout=5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    assert answer.json() == {"health_status": "Everything's Chimpy!"}
