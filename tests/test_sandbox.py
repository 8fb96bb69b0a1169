from __future__ import annotations

import gzip
import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ConfigError
from shared.sandbox import (
    EPOCH,
    Answer,
    Call,
    Clock,
    Drift,
    Kept,
    Param,
    Refusal,
    Route,
    Sandbox,
    Table,
    read_faults,
    read_options,
)


def _things(sandbox: Shop, call: Call) -> Answer:
    return Answer.of({"args": call.args, "params": {name: str(value) for name, value in call.params.items()}})


def _make(sandbox: Shop, call: Call) -> Answer:
    body = call.json()
    sandbox.made += 1
    return Answer.of({"made": sandbox.made, "body": body}, 201)


def _much(sandbox: Shop, call: Call) -> Answer:
    sandbox.counted += 1
    return Answer.of(["x" * 50] * 200)


class Shop(Sandbox):
    """The smallest API there is."""

    prefix = "/v1"
    connections = 3
    quotas = {"slow": ((2, 10.0),)}  # noqa: RUF012 - as a sandbox would write it

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.made = self.counted = 0

    def routes(self) -> tuple[Route, ...]:
        params = {
            "count": Param("integer", least=1, cap=100, default=10),
            "since": Param("date-time"),
            "kind": Param(options=("a", "b")),
            "open": Param("boolean"),
        }
        return (
            Route(path="/v1/things/{id}", handler=_things, params=params),
            Route(path="/v1/things", handler=_make, method="POST"),
            Route(path="/v1/needed", handler=_things, params={"q": Param(required=True)}),
            Route(path="/v1/slow", handler=_things, quota="slow"),
            Route(path="/v1/much", handler=_much, lasting=True),
            Route(path="/v1/open", handler=_things, public=True),
        )

    def authorise(self, call: Call) -> None:
        if call.headers.get("authorization") != "Bearer key":
            raise Refusal(401, "who?")


class Asked:
    """One answer, read to its end."""

    def __init__(self, client: http.client.HTTPConnection, method: str, path: str, body: str | None, /, **headers: str):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        client.request(method, path, body, {"Authorization": "Bearer key", **names})
        answer = client.getresponse()
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Visitor:
    """A client without any of the tap's patience."""

    def __init__(self, sandbox: Sandbox) -> None:
        host, _, port = sandbox.root_url.removeprefix("http://").partition(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=5)

    def __call__(self, path: str, *, method: str = "GET", body: str | None = None, **headers: str) -> Asked:
        try:
            return Asked(self.connection, method, path, body, **headers)
        except Exception:
            self.connection.close()
            raise


@pytest.fixture
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    with Shop(getattr(request, "param", {})) as sandbox:
        yield sandbox


@pytest.fixture
def ask(shop: Shop) -> Iterator[Visitor]:
    visitor = Visitor(shop)
    yield visitor
    visitor.connection.close()


def options(**given_options: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("shop", [given_options], indirect=True)


def test_a_path_is_split_before_it_is_decoded(ask: Visitor) -> None:
    assert ask("/v1/things/a%2Fb%20%25?kind=a").json == {
        "args": {"id": "a/b %"},
        "params": {"kind": "a", "count": "10"},
    }


def test_connections_are_kept_alive(shop: Shop, ask: Visitor) -> None:
    ask("/v1/things/1")
    kept = ask.connection.sock
    ask("/v1/things/2")
    assert ask.connection.sock is kept
    assert ask("/v1/things/3", connection="close").headers["Connection"] == "close"


def test_the_date_header_is_the_sandbox_clocks(ask: Visitor) -> None:
    assert ask("/v1/things/1").headers["Date"].startswith("Sun, 01 Nov 2026 12:00:0")


@pytest.mark.parametrize(
    "query",
    ["count=0", "count=x", "since=yesterday", "since=2026-01-01T00:00:00+00:00", "kind=c", "open=maybe", "typo=1"],
)
def test_malformed_and_unknown_parameters_are_refused(ask: Visitor, query: str) -> None:
    assert ask(f"/v1/things/1?{query}").status == 400


def test_parameters_are_read_by_their_kind(ask: Visitor) -> None:
    params = ask("/v1/things/1?count=5000&since=2026-01-01T00:00:00%2B01:00&open=true").json["params"]
    assert params == {"count": "100", "since": "2025-12-31 23:00:00+00:00", "open": "True"}


def test_required_parameters_are_required(ask: Visitor) -> None:
    assert ask("/v1/needed").status == 400
    assert ask("/v1/needed?q=").status == 200


def test_what_does_not_exist_is_404_and_the_wrong_method_405(ask: Visitor) -> None:
    assert ask("/v1/nothing").status == 404
    assert ask("/v1").status == 404
    assert ask("/v1/things/1", method="DELETE").status == 405


def test_only_public_routes_go_without_a_credential(ask: Visitor) -> None:
    assert ask("/v1/things/1", Authorization="Bearer other").status == 401
    assert ask("/v1/open", Authorization="").status == 200


def test_a_body_that_is_no_json_is_refused(ask: Visitor) -> None:
    assert ask("/v1/things", method="POST", body="{").status == 400
    assert ask("/v1/things", method="POST", body="[1]").json == {"made": 1, "body": [1]}


def test_quotas_are_counted_by_the_sandbox_clock(shop: Shop, ask: Visitor) -> None:
    assert [ask("/v1/slow").status for _ in range(3)] == [200, 200, 429]
    shop.clock.advance(1)
    assert ask("/v1/slow").status == 200


@options(latency="0.2")
def test_latency_delays_requests_without_queueing_them(shop: Shop) -> None:
    visitors = [Visitor(shop) for _ in range(3)]
    began = time.perf_counter()
    with ThreadPoolExecutor(3) as pool:
        assert [asked.status for asked in pool.map(lambda visitor: visitor("/v1/open"), visitors)] == [200] * 3
    assert time.perf_counter() - began >= 0.2
    assert shop.stats.most_in_flight == 3
    for visitor in visitors:
        visitor.connection.close()


@options(latency="0.3", connections="2")
def test_more_simultaneous_requests_than_allowed_are_429(shop: Shop) -> None:
    visitors = [Visitor(shop) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(asked.status for asked in pool.map(lambda visitor: visitor("/v1/open"), visitors))
    assert statuses == [200, 200, 429, 429]
    for visitor in visitors:
        visitor.connection.close()


@options(gzip="1")
def test_large_answers_are_compressed_for_clients_that_take_it(ask: Visitor) -> None:
    plain, packed = ask("/v1/much"), ask("/v1/much", Accept_Encoding="gzip, deflate")
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert "Content-Encoding" not in ask("/v1/open", Accept_Encoding="gzip").headers


def test_lasting_answers_are_made_once_a_day(shop: Shop, ask: Visitor) -> None:
    first, second = ask("/v1/much"), ask("/v1/much")
    assert first.body == second.body
    assert shop.counted == 1
    shop.advance()
    ask("/v1/much")
    assert shop.counted == 2


def test_statistics_say_what_was_asked(shop: Shop, ask: Visitor) -> None:
    ask("/v1/things/1?kind=a")
    ask("/v1/things/2")
    ask("/v1/nothing")
    shown = ask("/__sandbox__/stats?log=true", Authorization="").json
    assert shown["requests"] == 3
    assert shown["routes"] == {"/v1/things/{id}": 2, "(none)": 1}
    assert shown["statuses"] == {"200": 2, "404": 1}
    assert shown["log"] == [["GET", "/v1/things/1", "kind=a"], ["GET", "/v1/things/2", ""], ["GET", "/v1/nothing", ""]]
    assert shown["seconds"] == pytest.approx(shown["last"] - shown["first"])


@options(day="2")
def test_the_day_can_be_moved_while_it_serves(shop: Shop, ask: Visitor) -> None:
    assert ask("/v1/open").headers["Date"].startswith("Tue, 03 Nov 2026")
    assert ask("/__sandbox__/day", method="POST").json["day"] == 3
    assert ask("/v1/open").headers["Date"].startswith("Wed, 04 Nov 2026")


def _ends(ask: Visitor, path: str) -> str:
    try:
        asked = ask(path)
    except http.client.IncompleteRead:
        return "truncate"
    except (ConnectionResetError, http.client.RemoteDisconnected):
        return "reset"
    return str(asked.status)


@options(faults="429:0.25+503:0.25+reset:0.25+truncate:0.25")
def test_no_request_fails_more_than_six_times_in_a_row(ask: Visitor) -> None:
    for number in range(3):
        ends = [_ends(ask, f"/v1/things/{number}") for _ in range(14)]
        assert ends[6] == ends[13] == "200"
        assert ends.count("200") == 2
        assert set(ends) <= {"200", "429", "503", "reset", "truncate"}


def test_faults_come_from_the_seed_alone() -> None:
    def met(seed: str, order: list[int]) -> dict[int, list[str]]:
        with Shop({"faults": "429:0.3+500:0.2+truncate:0.1", "seed": seed}) as sandbox:
            ask = Visitor(sandbox)
            found = {number: [_ends(ask, f"/v1/things/{number}") for _ in range(4)] for number in order}
            ask.connection.close()
        return found

    assert met("1", [1, 2, 3, 4, 5]) == met("1", [5, 3, 1, 2, 4])
    assert met("1", [1, 2, 3, 4, 5]) != met("2", [1, 2, 3, 4, 5])


@pytest.mark.parametrize(
    ("fault", "status", "type_", "retry_after"),
    [
        ("429", 429, "", None),
        ("retry-after", 429, "", "1"),
        ("html", 200, "text/html", None),
        ("empty", 200, "", None),
        ("502", 502, "", None),
        ("403", 403, "", None),
    ],
)
def test_faults_that_answer(fault: str, status: int, type_: str, retry_after: str | None) -> None:
    with Shop({"faults": f"{fault}:1"}) as sandbox:
        ask = Visitor(sandbox)
        asked = ask("/v1/much")
        ask.connection.close()
    assert asked.status == status
    assert asked.headers["Content-Type"].startswith(type_)
    assert asked.headers["Retry-After"] == retry_after
    assert sandbox.stats.faults == {fault: 1}
    assert sandbox.counted == 0


@pytest.mark.parametrize(("fault", "made"), [("reset", 0), ("truncate", 0), ("lost", 1)])
def test_a_faulted_request_has_no_effect_unless_its_answer_was_lost(fault: str, made: int) -> None:
    with Shop({"faults": f"{fault}:1"}) as sandbox:
        ask = Visitor(sandbox)
        with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
            ask("/v1/things", method="POST", body="{}")
    assert sandbox.made == made


def test_a_hanging_request_hangs_until_the_client_gives_up() -> None:
    with Shop({"faults": "hang:1"}) as sandbox:
        ask = Visitor(sandbox)
        ask.connection.timeout = 0.15
        with pytest.raises(TimeoutError):
            ask("/v1/open")
        assert sandbox.stats.most_in_flight == 1


def test_stopping_drops_open_connections() -> None:
    sandbox = Shop()
    sandbox.start()
    ask = Visitor(sandbox)
    ask("/v1/open")
    idle = ask.connection.sock
    sandbox.stop()
    assert idle.recv(1) == b""
    ask.connection.close()
    assert not [thread for thread in threading.enumerate() if thread.name == sandbox.name]


@pytest.mark.parametrize(
    "given_options",
    [{"dya": "1"}, {"scale": "big"}, {"scale": "0"}, {"speed": "-1"}, {"drift": "perhaps"}, {"faults": "rain:0.5"}],
)
def test_bad_options_are_refused(given_options: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        Shop(given_options)


def test_faults_may_be_spelt_for_either_command_line() -> None:
    assert read_faults("429:0.03+reset:0.01") == read_faults("429=0.03,reset=0.01") == {"429": 0.03, "reset": 0.01}
    assert read_faults("on") == {"429": 0.03, "500": 0.02, "reset": 0.01, "truncate": 0.005}
    assert read_faults("off") == read_faults("") == {}
    with pytest.raises(ConfigError):
        read_faults("429")


def test_options_are_read_from_one_argument() -> None:
    assert read_options("day=1, faults=429:0.1+500:0.1,") == {"day": "1", "faults": "429:0.1+500:0.1"}
    with pytest.raises(ConfigError):
        read_options("drift")


def test_the_clock_stands_still_until_started_and_runs_at_its_speed() -> None:
    real = [100.0]
    clock = Clock(1, 60, monotonic=lambda: real[0])
    real[0] += 10
    assert (clock.now() - EPOCH).total_seconds() == 86400
    clock.start()
    real[0] += 2
    assert (clock.now() - EPOCH).total_seconds() == 86400 + 120


def test_kept_things_go_when_room_is_needed() -> None:
    kept = Kept(10)
    for name, size in (("a", 4), ("b", 4), ("whale", 11)):
        kept.put(name, name, size)
    assert kept.get("a") == "a"
    kept.put("c", "c", 4)
    assert [kept.get(name) for name in ("a", "b", "c", "whale")] == ["a", None, "c", None]


def test_a_table_sorts_by_fields_inside_objects_and_keeps_ties_in_order() -> None:
    table = Table.of([{"a": {"b": value}} for value in (3, 1, None, 3, 2)])
    assert table.order("a.b") == [2, 1, 4, 0, 3]
    assert table.order("a.b", descending=True) == [0, 3, 4, 1, 2]


@given(
    count=st.integers(0, 300),
    seed=st.integers(0, 2**63),
    pages=st.lists(st.integers(0, 60), max_size=60),
    removed=st.sampled_from([10, 2]),
    stay=st.integers(0, 2),
)
def test_what_stayed_under_drift_was_there_all_the_time(
    count: int, seed: int, pages: list[int], removed: int, stay: int
) -> None:
    table = Table(count, lambda number: {"id": number})
    drift = Drift(table, seed, late=4 * removed, removed=removed, stay=stay)
    always = {number for number in range(count) if drift.visible(number)}
    for served in pages:
        view = [number for number in range(count) if drift.visible(number)]
        drift.step(view, min(served, len(view)), EPOCH)
        always &= {number for number in range(count) if drift.visible(number)}
    assert {number for number in range(count) if drift.stayed(number)} == always
    assert len(drift.removed) <= count // removed
    assert set(range(min(stay, count))) <= always
