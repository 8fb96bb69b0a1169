from __future__ import annotations

import contextlib
import gzip
import io
import json
import logging
import os
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
import responses

from shared.api.answers import Headers, Response, answered, retry_after, standard_verdict, words
from shared.api.client import Client, Context, Retry
from shared.api.limits import Limits, Quota
from shared.api.masking import Secrets
from shared.api.request import Request
from shared.errors import (
    ApiError,
    AuthError,
    ConfigError,
    GoneError,
    QuotaError,
    RefusedError,
    RetryableError,
    Stopped,
    TooLargeError,
)

API = "https://api.example.com/v1"
KEY = "sk_live_0123456789"


class FakeReport:
    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.retries: list[str] = []
        self.warnings: list[str] = []
        self.waits = 0.0

    def request(self, stream: str, **facts: Any) -> None:
        self.requests.append({"stream": stream, **facts})

    def retry(self, stream: str, reason: str, seconds: float = 0.0) -> None:
        self.retries.append(reason)

    def warn(self, stream: str, text: str) -> None:
        self.warnings.append(text)

    def waited(self, stream: str, seconds: float) -> None:
        self.waits += seconds

    def waiting(self, stream: str, is_waiting: bool) -> None:
        pass


class Fixture:
    """A client whose waits are instant and written down."""

    def __init__(self, base_url: Any = API, *, settings: Any = None, quotas: Any = (), **options: Any) -> None:
        self.now = 5000.0
        self.waits: list[float] = []
        self.report = FakeReport()
        self.context = Context(settings=settings or {}, report=cast("Any", self.report), secrets=[KEY])
        self.limits = Limits(connections=4, quotas=quotas, clock=lambda: self.now, wait=self.wait)
        options = {"authenticate": lambda _: {"Authorization": f"Bearer {KEY}"}, **options}
        self.client = Client(
            self.context, base_url=base_url, limits=self.limits, clock=lambda: self.now, wait=self.wait, **options
        )

    def wait(self, seconds: float) -> None:
        if self.context.stop.is_set():
            raise Stopped
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def fixture() -> Iterator[Fixture]:
    made = Fixture()
    yield made
    made.client.close()


@contextlib.contextmanager
def closing(fixture: Fixture) -> Iterator[Fixture]:
    try:
        yield fixture
    finally:
        fixture.client.close()


class Served:
    """A server that answers with the bytes it is given, one after the other, the last one again and again."""

    def __init__(self, *answers: bytes | Callable[[socket.socket], None]) -> None:
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        served = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                served.connections += 1
                with contextlib.suppress(OSError):
                    while self.answer():
                        pass

            def answer(self) -> bool:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    line = self.rfile.readline()
                    if not line:
                        return False
                    head += line
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                served.bodies.append(self.rfile.read(int(length[0].split(b":")[1])) if length else b"")
                served.heads.append(head.decode())
                reply = answers[min(len(served.heads), len(answers)) - 1]
                if callable(reply):
                    reply(self.connection)
                    return False
                self.wfile.write(reply)
                return b"connection: close" not in reply.lower()

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> Served:  # noqa: PYI034 (Self is not in 3.10)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


def http(body: bytes = b"{}", *, status: str = "200 OK", length: int | None = None, headers: str = "") -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{headers}\r\n".encode() + body


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def cut(data: bytes) -> bytes:
    return data.replace(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n")


GOOD = http(b'{"ok": 1}')
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
ZIPPED = gzip.compress(b'{"ok": 1}')


# What goes out


@responses.activate
def test_parameters_are_encoded_as_every_api_reads_them(fixture: Fixture) -> None:
    responses.get(f"{API}/things", json={})
    params = {"since": "2026-01-01T00:00:00+00:00", "q": "a b&c", "on": True, "id": ["x", "y"], "n": 5, "no": None}
    fixture.client.json(Request("/things", params=params))
    url = responses.calls[0].request.url
    assert url == f"{API}/things?since=2026-01-01T00%3A00%3A00%2B00%3A00&q=a%20b%26c&on=true&id=x&id=y&n=5"


@responses.activate
def test_a_whole_url_from_the_api_is_taken_verbatim(fixture: Fixture) -> None:
    responses.get(f"{API}/things", json={})
    url = f"{API}/things?page%5Bcursor%5D=b%2Fc=="
    fixture.client.json(Request("/other").with_url(url))
    assert responses.calls[0].request.url == url
    assert responses.calls[0].request.headers["Authorization"] == f"Bearer {KEY}"


def test_headers_body_and_one_connection_for_many_requests() -> None:
    with (
        Served(http()) as served,
        closing(Fixture(served.url, settings={"user_agent": "me/1"}, headers={"revision": "2026-07-15"})) as fixture,
    ):
        fixture.client.json(Request("/a", headers={"X-One": "1"}))
        fixture.client.json(Request("b", method="POST", body={"x": ["ü", None]}))
        fixture.client.json(Request("c", method="POST", body=b"a=b", headers={"content-type": "text/plain"}))
    first, second, third = (head.lower() for head in served.heads)
    assert first.startswith("get /a http/1.1")
    assert f"authorization: bearer {KEY}" in first
    for header in ("user-agent: me/1", "accept-encoding: gzip", "revision: 2026-07-15", "x-one: 1", "accept: appl"):
        assert header in first
    assert "content-type" not in first
    assert "content-type: application/json" in second
    assert json.loads(served.bodies[1]) == {"x": ["ü", None]}
    assert third.count("content-type") == 1
    assert "content-type: text/plain" in third
    assert served.connections == 1


def test_base_url_has_to_be_https_unless_it_is_this_machine() -> None:
    for url in (
        "http://api.example.com",
        "ftp://localhost",
        "api.example.com",
        "http://127.0.0.1.evil.com",
        "https://",
    ):
        with pytest.raises(ConfigError, match="https"):
            Fixture(url)
        with pytest.raises(ConfigError, match="https"):
            Fixture(lambda url=url: url).client.json(Request("/"))
    for url in ("http://localhost:1", "http://127.0.0.1:80", "http://[::1]:9", "https://api.example.com"):
        Fixture(url)


@responses.activate
def test_a_link_to_another_host_gets_no_credential(fixture: Fixture) -> None:
    responses.get("https://other.example.com/next", json={})
    fixture.client.json(Request("https://other.example.com/next", headers={"X-Own": KEY}))
    assert KEY not in str(responses.calls[0].request.headers)
    with pytest.raises(ApiError, match="no https URL"):
        fixture.client.json(Request("http://other.example.com/next"))


@responses.activate
def test_another_port_or_scheme_is_another_host(fixture: Fixture) -> None:
    responses.get("https://api.example.com:444/v1", json={})
    fixture.client.json(Request("https://api.example.com:444/v1"))
    assert "Authorization" not in responses.calls[0].request.headers


@responses.activate
def test_redirects_are_followed_within_the_host(fixture: Fixture) -> None:
    responses.get(f"{API}/things", status=301, headers={"Location": "/v1/things/"})
    responses.get(f"{API}/things/", json={"ok": 1})
    assert fixture.client.json(Request("/things")) == {"ok": 1}


@responses.activate
@pytest.mark.parametrize("location", ["https://evil.example.com/", "http://api.example.com/v1/", "//evil.example.com"])
def test_redirects_elsewhere_end_in_an_error_without_the_credential_leaving(fixture: Fixture, location: str) -> None:
    responses.get(f"{API}/things", status=302, headers={"Location": location})
    with pytest.raises(ApiError, match=r"answered 302 Found\. It points to (evil|api)\.example\.com") as caught:
        fixture.client.json(Request("/things"))
    assert not isinstance(caught.value, RetryableError)
    assert len(responses.calls) == 1


@responses.activate
def test_redirects_in_a_circle_and_of_a_post_end(fixture: Fixture) -> None:
    responses.get(f"{API}/a", status=302, headers={"Location": f"{API}/a"})
    responses.post(f"{API}/b", status=302, headers={"Location": f"{API}/a"})
    for request in (Request("/a"), Request("/b", method="POST", body={})):
        with pytest.raises(ApiError, match="302"):
            fixture.client.json(request)


# What an answer means


@responses.activate
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ApiError),
        (401, AuthError),
        (403, RefusedError),
        (404, GoneError),
        (410, GoneError),
        (413, TooLargeError),
        (414, TooLargeError),
        (422, ApiError),
    ],
)
def test_what_cannot_pass_is_asked_once(fixture: Fixture, status: int, kind: type[ApiError]) -> None:
    responses.get(f"{API}/things", status=status, json={"detail": "Because."})
    with pytest.raises(kind) as caught:
        fixture.client.json(Request("/things"), stream="things")
    assert type(caught.value) is kind
    assert str(caught.value).startswith(f"things: GET /things answered {status} ")
    assert '"Because."' in str(caught.value)
    assert len(responses.calls) == 1


@responses.activate
def test_an_error_names_stream_request_status_words_and_remedy(fixture: Fixture) -> None:
    responses.get(f"{API}/profiles", status=403, json={"errors": [{"detail": "Missing scope profiles:read"}]})
    with pytest.raises(RefusedError) as caught:
        fixture.client.json(Request("/profiles"), stream="profiles")
    assert str(caught.value) == (
        'profiles: GET /profiles answered 403 Forbidden: "Missing scope profiles:read". '
        "Give the credential access to this, or deselect the stream."
    )


@responses.activate
def test_a_bad_request_shows_what_was_asked_for(fixture: Fixture) -> None:
    responses.get(f"{API}/things", status=400, body="no")
    with pytest.raises(ApiError, match=r'400 Bad Request: "no"\. Asked for was: filter=x%2B1$'):
        fixture.client.json(Request("/things", params={"filter": "x+1"}))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"title": "Invalid", "detail": "Too many.", "errors": [{"field": "count", "message": "<= 1000"}]}', None),
        (b'{"errors": [{"title": "Bad", "detail": "One."}, {"detail": "Two."}]}', "One.; Two."),
        (b'{"Code": 100, "Message": "Invalid API Key"}', "Invalid API Key"),
        (b'{"msg": "Exceeded rate limit", "code": "RateLimitExceeded"}', "Exceeded rate limit"),
        (b'{"meta": {"error": "no"}}', "no"),
        (b'{"error": {"message": "deep"}}', "deep"),
        (b'{"error": "invalid_grant", "error_description": "Expired."}', "Expired."),
        (b'{"error": "invalid_grant"}', "invalid_grant"),
        (b'["plain"]', "plain"),
        (b"<html><body>Bad gateway", ""),
        (b"busy\n now ", "busy now"),
        (b"", ""),
        (b"\xff\xfe{", "��{"),
        (b"7", ""),
    ],
)
def test_the_api_s_words_are_found_wherever_they_are(body: bytes, said: str | None) -> None:
    assert words(Response(400, content=body)) == (said if said is not None else "Too many.; <= 1000 (count)")


def test_retry_after_is_read_as_seconds_or_as_a_date_by_the_server_s_clock() -> None:
    date = {"Date": "Sun, 06 Nov 1994 08:49:37 GMT"}
    assert retry_after(Response(429, {"retry-after": "7"})) == 7
    assert retry_after(Response(429, {"Retry-After": "1.5"})) == 1.5
    assert retry_after(Response(429, {"Retry-After": "Sun, 06 Nov 1994 08:50:07 GMT", **date})) == 30
    assert retry_after(Response(429, {"Retry-After": "Sun, 06 Nov 1994 08:00:07 GMT", **date})) == 0
    assert retry_after(Response(429, {"Retry-After": "soon"})) is None
    assert retry_after(Response(429)) is None


def test_a_tap_s_verdict_may_use_the_standard_one_with_its_own_words() -> None:
    error = standard_verdict(Request("/x"), Response(500, content=b"1"), say=lambda response: f"n. {response.text}")
    assert isinstance(error, RetryableError)
    assert str(error) == 'GET /x answered 500 Internal Server Error: "n. 1".'
    assert answered(Request("/x"), Response(599), advice="Wait.") == "GET /x answered 599. Wait."


# Trying again


@responses.activate
@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 520])
def test_server_trouble_is_tried_again_with_growing_jittered_waits(fixture: Fixture, status: int) -> None:
    for _ in range(5):
        responses.get(f"{API}/things", status=status, body="<html>")
    responses.get(f"{API}/things", json={"ok": 1})
    assert fixture.client.json(Request("/things"), stream="s") == {"ok": 1}
    assert len(fixture.waits) == 5
    assert all(0 <= wait <= 2**n for n, wait in enumerate(fixture.waits))
    assert len(fixture.report.retries) == 5
    assert [request["status"] for request in fixture.report.requests] == [status] * 5 + [200]


@responses.activate
def test_trying_ends_after_so_many_tries(fixture: Fixture) -> None:
    responses.get(f"{API}/things", status=500)
    with pytest.raises(RetryableError, match=r"^s: GET /things answered 500 .*Given up after 8 tries") as caught:
        fixture.client.json(Request("/things"), stream="s")
    assert len(responses.calls) == 8
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@responses.activate
def test_trying_ends_when_the_time_is_spent() -> None:
    responses.get(f"{API}/things", status=503)
    verdict = lambda *_: RetryableError("busy", wait_seconds=40)  # noqa: E731
    with closing(Fixture(retry=Retry(tries=99, budget_seconds=100), verdict=verdict)) as fixture:
        with pytest.raises(RetryableError, match="after 3 tries"):
            fixture.client.json(Request("/things"))
        assert fixture.waits == [40, 40]
    verdict = lambda *_: RetryableError("busy", wait_seconds=40, most_seconds=30)  # noqa: E731
    with (
        closing(Fixture(retry=Retry(tries=99, budget_seconds=100), verdict=verdict)) as fixture,
        pytest.raises(RetryableError, match="after 1 tries"),
    ):
        fixture.client.json(Request("/things"))


@responses.activate
@pytest.mark.parametrize("body", ["<html>Just a moment", '{"half": ', "", "[1, 2"])
def test_a_200_that_cannot_be_read_is_tried_again(fixture: Fixture, body: str) -> None:
    responses.get(f"{API}/things", body=body, content_type="text/html")
    responses.get(f"{API}/things", json=[])
    assert fixture.client.json(Request("/things")) == []
    assert "text/html" in fixture.report.retries[0]


@responses.activate
def test_a_page_for_people_in_place_of_the_api_is_named_after_two_tries(fixture: Fixture) -> None:
    responses.get(f"{API}/things", body="<html>Welcome to the hotel", content_type="text/html; charset=utf-8")
    with pytest.raises(ApiError, match="sign-in of the network"):
        fixture.client.json(Request("/things"))
    assert len(responses.calls) == 2


@responses.activate
def test_a_page_for_people_in_mid_run_is_a_passing_failure(fixture: Fixture) -> None:
    responses.get(f"{API}/others", json=[])
    for _ in range(4):
        responses.get(f"{API}/things", body="<html>Just a moment", content_type="text/html")
    responses.get(f"{API}/things", json=[1])
    fixture.client.json(Request("/others"))
    assert fixture.client.json(Request("/things")) == [1]


@responses.activate
def test_other_errors_of_the_reader_pass(fixture: Fixture) -> None:
    responses.get(f"{API}/things", json={})
    with pytest.raises(KeyError):
        fixture.client.send(Request("/things"), read=lambda response: response.json()["x"])
    assert len(responses.calls) == 1


@responses.activate
def test_a_429_makes_everybody_wait_and_is_no_failure() -> None:
    with closing(Fixture(quotas=[Quota("q", ((1000, 1),))], retry=Retry(tries=1))) as fixture:
        for _ in range(20):
            responses.get(f"{API}/things", status=429, headers={"Retry-After": "30"})
        responses.get(f"{API}/things", json={"ok": 1})
        assert fixture.client.json(Request("/things", quota="q")) == {"ok": 1}
        assert sum(fixture.waits) == pytest.approx(600)
        assert fixture.report.waits == pytest.approx(600)
        fixture.limits.pause(9, "q")
        assert fixture.client.delay("q") == 9


@responses.activate
def test_a_429_of_zero_seconds_waits_a_little(fixture: Fixture) -> None:
    responses.get(f"{API}/things", status=429, headers={"Retry-After": "0"})
    responses.get(f"{API}/things", json={})
    fixture.client.json(Request("/things"))
    assert fixture.waits == [0.5]


@responses.activate
def test_a_429_without_a_time_waits_longer_and_longer(fixture: Fixture) -> None:
    for _ in range(6):
        responses.get(f"{API}/things", status=429)
    responses.get(f"{API}/things", json={})
    fixture.client.json(Request("/things"))
    assert len(fixture.waits) == 6
    assert all(0.5 <= wait <= max(2**n, 0.5) for n, wait in enumerate(fixture.waits))


@responses.activate
def test_a_quota_used_up_for_longer_than_a_run_ends_the_stream(fixture: Fixture) -> None:
    responses.get(f"{API}/things", status=429, headers={"Retry-After": "40000"}, json={"detail": "Daily limit."})
    with pytest.raises(QuotaError, match=r's: GET /things answered 429 Too Many Requests: "Daily limit\."'):
        fixture.client.json(Request("/things"), stream="s")
    assert fixture.waits == []


@responses.activate
def test_a_quota_may_be_given_up_sooner_and_then_by_all() -> None:
    responses.get(f"{API}/things", status=429)
    responses.get(f"{API}/others", status=429)
    verdict = lambda *_: RetryableError("daily.", wait_seconds=10, everyone=True, most_seconds=30)  # noqa: E731
    with closing(Fixture(verdict=verdict)) as fixture:
        with pytest.raises(QuotaError, match="To wait 40 seconds"):
            fixture.client.json(Request("/things"))
        with pytest.raises(QuotaError, match="in vain"):
            fixture.client.json(Request("/others"))
        assert len(responses.calls) == 5, "whoever comes later does not wait for it once more"


@responses.activate
def test_a_503_with_retry_after_holds_everybody(fixture: Fixture) -> None:
    responses.get(f"{API}/things", status=503, headers={"Retry-After": "5"})
    responses.get(f"{API}/things", json={})
    fixture.client.json(Request("/things"))
    assert fixture.waits == [5]


@responses.activate
def test_an_api_that_counts_connections_gets_fewer() -> None:
    responses.get(f"{API}/things", status=429)
    responses.get(f"{API}/things", json={})

    def verdict(request: Request, response: Response) -> ApiError | None:
        return RetryableError("busy", everyone=True, fewer_connections=True) if response.status == 429 else None

    with closing(Fixture(verdict=verdict)) as fixture:
        fixture.client.json(Request("/things"))
        assert fixture.limits.allowed == fixture.limits.connections // 2


@responses.activate
def test_server_trouble_thrice_running_asks_for_less_where_that_is_possible(fixture: Fixture) -> None:
    responses.get(f"{API}/things", status=504)
    with pytest.raises(TooLargeError, match="s: GET /things answered 504"):
        fixture.client.send(Request("/things"), stream="s", shrinkable=True)
    assert len(responses.calls) == 3


@responses.activate
def test_a_server_that_takes_all_the_time_there_is_to_fail_is_asked_for_less() -> None:
    responses.get(f"{API}/things", status=504, headers={"Retry-After": "60"})
    with closing(Fixture(retry=Retry(budget_seconds=50))) as fixture, pytest.raises(TooLargeError):
        fixture.client.send(Request("/things"), shrinkable=True)
    assert len(responses.calls) == 1


@responses.activate
def test_server_trouble_now_and_then_does_not_ask_for_less(fixture: Fixture) -> None:
    responses.get(f"{API}/things", status=504)
    responses.get(f"{API}/things", status=504)
    responses.get(f"{API}/things", body=ConnectionError("x"))
    responses.get(f"{API}/things", status=429)
    responses.get(f"{API}/things", json={})
    with pytest.raises(TooLargeError):
        fixture.client.send(Request("/things"), shrinkable=True)


def test_hosts_that_cannot_be_reached_do_not_ask_for_less(fixture: Fixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with closing(Fixture(f"http://127.0.0.1:{port}")) as fixture:
        with pytest.raises(RetryableError, match=r"GET /x got no answer: no connection \(Connection refused\)\."):
            fixture.client.send(Request("/x"), shrinkable=True)
        assert len(fixture.report.requests) == 8
        assert fixture.report.requests[0]["status"] is None


@responses.activate
def test_a_refused_credential_is_renewed_once_and_the_request_sent_again() -> None:
    tokens = ["old-token", "new-token"]
    responses.get(f"{API}/things", status=401)
    responses.get(f"{API}/things", json={"ok": 1})
    options: dict[str, Any] = {
        "authenticate": lambda _: {"Authorization": f"Bearer {tokens[0]}"},
        "refresh": lambda: tokens.pop(0) and None,
    }
    with closing(Fixture(**options)) as fixture:
        assert fixture.client.json(Request("/things")) == {"ok": 1}
        sent = [call.request.headers["Authorization"] for call in responses.calls]
        assert sent == ["Bearer old-token", "Bearer new-token"]


@responses.activate
def test_a_credential_refused_after_its_renewal_is_refused() -> None:
    responses.get(f"{API}/things", status=401, json={"detail": "Invalid."})
    with closing(Fixture(refresh=lambda: None)) as fixture, pytest.raises(AuthError, match="Check the credential"):
        fixture.client.json(Request("/things"))
    assert len(responses.calls) == 2


@responses.activate
def test_a_credential_that_expires_again_and_again_is_renewed_a_few_times() -> None:
    responses.get(f"{API}/things", status=401)
    verdict = lambda *_: AuthError("Expired.", has_expired=True)  # noqa: E731
    fixture = Fixture(refresh=lambda: None, verdict=verdict)
    with closing(fixture), pytest.raises(AuthError, match="Expired"):
        fixture.client.json(Request("/things"))
    assert len(responses.calls) == 6


@responses.activate
def test_what_starts_something_is_looked_for_before_it_is_sent_again(fixture: Fixture) -> None:
    responses.post(f"{API}/jobs", status=502)
    looks: list[str | None] = [None, "job-7"]
    found = fixture.client.send(
        Request("/jobs", method="POST", body={}),
        read=lambda response: str(response.json()["id"]),
        started=lambda: looks.pop(0),
    )
    assert found == "job-7"
    assert len(responses.calls) == 2


@responses.activate
def test_a_refused_start_needs_no_look(fixture: Fixture) -> None:
    responses.post(f"{API}/jobs", status=429)
    responses.post(f"{API}/jobs", json={"id": 3})
    request = Request("/jobs", method="POST", body={})
    found: int = fixture.client.send(
        request, read=lambda response: int(response.json()["id"]), started=lambda: pytest.fail("asked")
    )
    assert found == 3


@responses.activate
def test_a_stop_ends_the_waiting_and_no_request_begins(fixture: Fixture) -> None:
    responses.get(f"{API}/things", status=500)

    def verdict(request: Request, response: Response) -> ApiError | None:
        fixture.context.stop.set()
        return standard_verdict(request, response)

    fixture.client._verdict = verdict
    for _ in range(2):
        with pytest.raises(Stopped):
            fixture.client.json(Request("/things"))
    assert len(responses.calls) == 1


def test_the_context_s_wait_ends_at_once_when_stopped() -> None:
    context = Context(settings={}, report=cast("Any", FakeReport()))
    context.wait(0)
    threading.Timer(0.05, context.stop.set).start()
    with pytest.raises(Stopped):
        context.wait(60)


# Bodies on real sockets


@pytest.mark.parametrize(
    "broken",
    [
        cut(http(b'{"ok"', length=9)),
        cut(http(b"", length=9)),
        CHUNKED + b'5\r\n{"ok"\r\n',
        CHUNKED + b'9\r\n{"ok"',
        CHUNKED,
        cut(http(ZIPPED[:-3], headers="Content-Encoding: gzip\r\n")),
        cut(http(ZIPPED[:12], headers="Content-Encoding: gzip\r\n")),
        CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n") + b"9\r\n" + ZIPPED[:9] + b"\r\n0\r\n\r\n",
        cut(http(b"not gzip at all", headers="Content-Encoding: gzip\r\n")),
        b"HTTP/1.1 200 OK\r\nConte",
        b"garbage\r\n\r\n",
        reset,
        lambda connection: None,
    ],
    ids=[
        "short body", "no body", "cut between chunks", "cut in a chunk", "no chunk", "gzip without its trailer",
        "half gzip", "half gzip in whole chunks", "false gzip", "half a head", "no HTTP", "reset", "closed",
    ],
)  # fmt: skip
def test_a_broken_answer_is_never_taken_for_a_whole_one(broken: Any) -> None:
    if isinstance(broken, bytes) and b"Connection: close" not in broken:
        data = broken
        broken = lambda connection: connection.sendall(data)  # noqa: E731
    with Served(broken, broken, GOOD) as served, closing(Fixture(served.url)) as fixture:
        assert fixture.client.json(Request("/x")) == {"ok": 1}
        assert len(fixture.report.retries) == 2
        assert served.host not in str(fixture.report.retries)


@pytest.mark.parametrize("size", [0, 1, 70_000, 700_000])
@pytest.mark.parametrize("form", ["plain", "gzip", "gzip in two members", "chunked"])
def test_whole_bodies_of_any_form_and_size_arrive(size: int, form: str) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    if form == "chunked":
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[n : n + 999]), body[n : n + 999]) for n in range(0, size, 999))
        answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    elif form == "plain":
        answer = http(body)
    else:
        half = size // 2 if form == "gzip in two members" else size
        zipped = gzip.compress(body[:half]) + (gzip.compress(body[half:]) if half < size else b"")
        answer = http(zipped, headers="Content-Encoding: gzip\r\n")
    with Served(answer) as served, closing(Fixture(served.url)) as fixture:
        for _ in range(2):
            assert fixture.client.send(Request("/x")).content == body
        assert served.connections == 1


def test_a_hanging_server_is_given_up_and_asked_again() -> None:
    release = threading.Event()

    def hang(connection: socket.socket) -> None:
        release.wait(5)

    with Served(hang, GOOD) as served, closing(Fixture(served.url, timeout=(1, 9))) as fixture:
        assert fixture.client.json(Request("/x", silence_seconds=0.05)) == {"ok": 1}
        release.set()
        assert fixture.report.retries == ["GET /x got no answer: nothing came for 0.05 seconds."]


def test_a_body_can_go_into_a_file_and_never_twice() -> None:
    with Served(cut(http(b"half", length=99)), http(b"whole")) as served, closing(Fixture(served.url)) as fixture:
        file = io.BytesIO()
        response = fixture.client.send(Request("/x"), into=file)
        assert (file.getvalue(), response.content) == (b"whole", b"")


def test_an_error_s_body_does_not_go_into_the_file() -> None:
    with Served(http(b'{"detail": "No."}', status="404 Not Found")) as served, closing(Fixture(served.url)) as fixture:
        file = io.BytesIO()
        with pytest.raises(GoneError, match="No"):
            fixture.client.send(Request("/x"), into=file)
        assert file.getvalue() == b""


# Downloads


def test_a_download_carries_no_credential_and_does_not_repeat() -> None:
    with (
        Served(http(b"data"), cut(http(b"da", length=4)), http(b"<Error/>", status="403 Forbidden")) as served,
        closing(Fixture(API)) as fixture,
    ):
        url = f"{served.url}/file?Signature=abcdef&Expires=1"
        file = io.BytesIO()
        fixture.client.download(url, file)
        assert file.getvalue() == b"data"
        with pytest.raises(RetryableError, match="s: GET /file answered 200, but its body ends too early"):
            fixture.client.download(url, file, stream="s")
        with pytest.raises(RefusedError) as caught:
            fixture.client.download(url, file)
        assert "abcdef" not in str(caught.value)
        assert "uthorization" not in "".join(served.heads)
        assert len(served.heads) == 3
        with pytest.raises(ApiError, match="no https URL"):
            fixture.client.download("http://files.example.com/x", file)


# Secrets


def test_secrets_are_masked_in_all_their_forms() -> None:
    secrets = Secrets(["p@ss word", "abc"])
    assert secrets.mask("p@ss word p%40ss%20word p%40ss+word abc") == "*** *** *** abc"
    assert secrets.mask("https://user:pw@host/x?api_key=1&page=2&X-Amz-Signature=q#f") == (
        "https://***@host/x?api_key=***&page=2&X-Amz-Signature=***#f"
    )
    secrets.add("learnt-later")
    assert secrets.mask("learnt-later") == "***"


@responses.activate
@pytest.mark.parametrize("status", [400, 401, 500])
def test_no_credential_is_shown_whatever_the_api_echoes(status: int) -> None:
    basic = "dXNlcjpzZWNyZXQ="
    responses.get(f"{API}/things", status=status, json={"detail": f"Bad header Basic {basic} for {KEY}"})
    options: dict[str, Any] = {"authenticate": lambda _: {"Authorization": f"Basic {basic}"}}
    with closing(Fixture(retry=Retry(tries=2), **options)) as fixture:
        with pytest.raises(ApiError) as caught:
            fixture.client.json(Request("/things", params={"echo": KEY}))
        shown = "".join(traceback.format_exception(caught.value)) + str(vars(fixture.report)) + repr(fixture.context)
        assert basic not in shown
        assert KEY not in shown


def test_neither_are_urls_in_the_libraries_exceptions(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Served(reset) as served, closing(Fixture(served.url, retry=Retry(tries=2))) as fixture:
        request = Request("/x", params={"cursor": "personal"})
        with pytest.raises(RetryableError) as caught:
            fixture.client.json(request)
        shown = "".join(traceback.format_exception(caught.value)) + caplog.text
        assert "personal" not in shown


@pytest.mark.parametrize("key", ["line\nbreak-secret", "snow☃-secret"])
def test_a_key_that_no_header_can_hold_is_a_mistake_in_the_config_and_not_shown(key: str) -> None:
    with (
        Served(GOOD) as served,
        closing(Fixture(served.url, authenticate=lambda _: {"Api-Key": key})) as fixture,
        pytest.raises(ConfigError, match="stray characters") as caught,
    ):
        fixture.client.json(Request("/x"))
    assert "secret" not in "".join(traceback.format_exception(caught.value)).replace('-secret"', "")
    assert served.heads == []


# Surroundings


def test_limits_without_a_clock_of_their_own_go_by_the_client_s() -> None:
    limits = Limits(connections=1, quotas=[Quota("", ((1, 60),))])
    fixture = Fixture()
    Client(fixture.context, base_url=API, limits=limits, clock=lambda: fixture.now, wait=fixture.wait)
    for _ in range(3):
        with limits.slot():
            pass
    assert fixture.waits == [60, 60]


def test_now_follows_the_api_s_clock(fixture: Fixture) -> None:
    with Served(http(headers="Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n")) as served:
        fixture = Fixture(served.url)
        before = fixture.client.now()
        assert fixture.client.started_at >= before > "2026"
        fixture.client.json(Request("/x"))
        assert "the earlier one counts" in fixture.report.warnings[0]
        assert fixture.client.started_at == fixture.client.now() == "1994-11-06T08:49:37.000000Z"
        fixture.now += 61.5
        assert fixture.client.now() == "1994-11-06T08:50:38.500000Z"
        assert fixture.client.started_at == "1994-11-06T08:49:37.000000Z"
        fixture.client.close()


def test_the_request_id_is_told() -> None:
    with (
        Served(http(headers="X-Request-Id: abc-1\r\n")) as served,
        closing(Fixture(served.url)) as fixture,
    ):
        fixture.client.json(Request("/x", params={"a": 1}), stream="s")
        told = fixture.report.requests[0]
        assert (told["stream"], told["path"], told["status"], told["request_id"]) == ("s", "/x", 200, "abc-1")


def test_the_environment_s_proxy_is_used_and_its_exceptions_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with Served(GOOD) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        with closing(Fixture("http://localhost:1")) as fixture:
            assert fixture.client.json(Request("/x")) == {"ok": 1}
        assert proxy.heads[0].startswith("GET http://localhost:1/x HTTP/1.1")
        monkeypatch.setenv("NO_PROXY", "localhost")
        with closing(Fixture("http://localhost:1", retry=Retry(tries=1))) as fixture, pytest.raises(RetryableError):
            fixture.client.json(Request("/x"))


def test_the_environment_s_ca_bundle_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem")
    with closing(Fixture()) as fixture:
        assert fixture.client._transport._ready(API)[1]["verify"] == "/no/such/bundle.pem"
        with pytest.raises(ConfigError, match="REQUESTS_CA_BUNDLE"):
            fixture.client.json(Request("/x"))


def test_a_netrc_does_not_replace_the_credential(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login them password theirs\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with Served(GOOD) as served, closing(Fixture(served.url)) as fixture:
        fixture.client.json(Request("/x"))
        assert f"Bearer {KEY}" in served.heads[0]


def test_headers_ignore_case() -> None:
    headers = Headers({"Content-Type": "a"})
    assert (headers["content-type"], headers.get("CONTENT-TYPE"), len(headers), list(headers)) == (
        "a",
        "a",
        1,
        ["content-type"],
    )


def test_importing_the_client_imports_nothing_heavy() -> None:
    heavy = {"requests", "urllib3", "backoff", "asyncio", "portalocker"}
    code = f"import sys, shared.api.client, shared.api.oauth; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_parting_client_asks_once_after_the_run_was_stopped_and_never_again(fixture: Fixture) -> None:
    with responses.RequestsMock() as api:
        api.add("DELETE", f"{API}/jobs/1", status=500)
        fixture.context.stop.set()
        with pytest.raises(Stopped):
            fixture.client.send(Request("/jobs/1", method="DELETE"))
        with pytest.raises(RetryableError):
            fixture.client.parting().send(Request("/jobs/1", method="DELETE"))
        assert len(api.calls) == 1
    assert fixture.waits == []


ASK = """
import json, sys
from shared.api import connections
from requests import Session
from requests.exceptions import SSLError
session = Session()
session.mount("https://", connections.adapter(1))
try:
    print(session.get(sys.argv[1], timeout=20).json())
except SSLError as error:
    print("refused", "CERTIFICATE_VERIFY_FAILED" in str(error))
"""


def test_certificates_named_by_the_environment_are_trusted() -> None:
    """A server whose certificate nobody knows, until SSL_CERT_FILE or REQUESTS_CA_BUNDLE names it."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"[]")

        def log_message(self, *_: Any) -> None: ...

    pem = Path(__file__).with_name("localhost.pem")  # self-signed, for this test alone, until 2126
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"https://localhost:{server.server_port}/"

        def asked(**environment: str) -> str:
            kept = {name: value for name, value in os.environ.items() if name not in ("SSL_CERT_FILE", "SSL_CERT_DIR")}
            return subprocess.run(
                [sys.executable, "-c", ASK, url],
                capture_output=True,
                text=True,
                check=True,
                env={**kept, "NO_PROXY": "localhost", **environment},
            ).stdout.strip()

        assert asked() == "refused True"
        assert asked(SSL_CERT_FILE=str(pem)) == "[]"
        assert asked(REQUESTS_CA_BUNDLE=str(pem)) == "[]"
        server.shutdown()
