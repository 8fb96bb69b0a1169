"""A server that misbehaves on the wire: whatever it sends, an answer has an end, in bytes and in time."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

import pytest

from shared.api import connections
from shared.api.answers import Response, is_too_deep, retry_after, unpacked
from shared.api.client import Client, Context, Retry
from shared.api.connections import Paced, TooSlow
from shared.api.limits import Limits
from shared.api.request import Page, Request
from shared.errors import ApiError, MachineError, RetryableError, TooLargeError
from shared.report import Report
from shared.sync import spool

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
Answer = Callable[[socket.socket], None]


@contextmanager
def served(answer: Answer) -> Iterator[str]:
    """The address of a server that reads a request, does `answer` with its connection, and closes it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=speak, args=(connection,), daemon=True).start()

    def speak(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.recv(65536)
            answer(connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def client(url: str, *, tries: int = 1, **settings: Any) -> Client:
    context = Context(settings={"request_timeout": 5, **settings}, report=Report("tap-test"))
    return Client(context, base_url=url, limits=Limits(connections=1), retry=Retry(tries=tries))


def asked(answer: Answer, **settings: Any) -> Any:
    with served(answer) as url:
        made = client(url, **settings)
        try:
            return made.json(Request("/"))
        finally:
            made.close()


def whole(body: bytes, *, head: bytes = b"") -> Answer:
    return lambda to: to.sendall(HEAD + head + b"Content-Length: %d\r\n\r\n" % len(body) + body)


# Size


def endless(to: socket.socket) -> None:
    to.sendall(CHUNKED)
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    while True:
        to.sendall(chunk)


def test_a_body_without_end_is_too_large() -> None:
    with pytest.raises(TooLargeError, match="max_answer_megabytes is 2"):
        asked(endless, max_answer_megabytes=2)


def test_gzip_that_unpacks_to_more_than_an_answer_may_be_is_too_large() -> None:
    bomb = gzip.compress(b" " * 20_000_000)
    assert len(bomb) < 100_000
    with pytest.raises(TooLargeError, match="Ask for less"):
        asked(whole(bomb, head=b"Content-Encoding: gzip\r\n"), max_answer_megabytes=2)


def test_json_that_becomes_far_larger_than_its_text_is_too_large() -> None:
    response = Response(200, content=b"[" + b"{}," * 5_000_000 + b"{}]")
    with pytest.raises(Exception, match="more than can be read at once"):
        unpacked(Request("/"), response)
    records = b'{"id": "0123456789", "name": "a name of some length", "note": "and a note that is longer"},' * 90_000
    assert unpacked(Request("/"), Response(200, content=records)).content is records


PEAK = """
    import resource, sys, threading
    sys.path[:0] = ["tests"]
    import test_wire
    answer = {answer}
    try:
        test_wire.asked(answer, request_timeout=60)
    except Exception as error:
        print(type(error).__name__)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.parametrize(
    "answer",
    [
        "test_wire.endless",
        "test_wire.whole(test_wire.gzip.compress(b' ' * 600_000_000, 1), head=b'Content-Encoding: gzip\\r\\n')",
        "test_wire.whole(b'[' + b'[],' * 15_000_000 + b'[]]')",
    ],
)
def test_memory_stays_below_400_mb_under_any_answer(answer: str) -> None:
    code = textwrap.dedent(PEAK.format(answer=answer))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    name, peak = done.stdout.split()
    assert name == "TooLargeError", done.stderr
    made_by_server = 600 if "600_000" in answer else 45  # it lives in the same process
    assert int(peak) < 400 + made_by_server, done.stdout


# Time


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Trickle:
    """A socket's file on which `count` bytes come every `seconds`."""

    def __init__(self, clock: Clock, count: int, seconds: float) -> None:
        self.clock, self.count, self.seconds = clock, count, seconds

    def readinto(self, buffer: Any) -> int:
        self.clock.now += self.seconds
        return self.count


def read_on(paced: Paced) -> None:
    while paced.readinto(bytearray(10)):
        pass


@pytest.mark.parametrize(
    ("count", "seconds", "said", "until"),
    [
        (1, 1, "no more than 62 bytes came in 61 seconds", 63),
        (300, 40, "came in 80 seconds", 121),
        (2000, 50, "was not whole after 3000 seconds", 3051),
    ],
)
def test_an_answer_keeps_a_pace_and_has_an_end(count: int, seconds: float, said: str, until: float) -> None:
    clock = Clock()
    paced = Paced(Trickle(clock, count, seconds), 300, clock)
    with pytest.raises(TooSlow, match=said):
        read_on(paced)
    assert clock.now <= until


def test_a_slow_but_steady_answer_is_read() -> None:
    clock = Clock()
    paced = Paced(Trickle(clock, 600, 30), 300, clock)
    assert [paced.readinto(bytearray(600)) for _ in range(90)] == [600] * 90


def test_a_trickle_is_a_failed_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "WHOLE_TIMES", 0.2)

    def trickle(to: socket.socket) -> None:
        to.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
        while True:
            to.sendall(b" ")
            time.sleep(0.05)

    with pytest.raises(RetryableError, match="it was not whole after 1 seconds"):
        asked(trickle)


@pytest.mark.parametrize("status", [b"100 Continue", b"103 Early Hints"])
def test_preliminary_answers_are_skipped_but_not_for_ever(status: bytes) -> None:
    prelude = b"HTTP/1.1 " + status + b"\r\nLink: </style.css>\r\n\r\n"

    def some(to: socket.socket) -> None:
        to.sendall(prelude * 10 + HEAD + b"Content-Length: 2\r\n\r\n{}")

    def endless(to: socket.socket) -> None:
        while True:
            to.sendall(prelude * 50)

    assert asked(some) == {}
    with pytest.raises(RetryableError, match="got no answer"):
        asked(endless)


# Content


@pytest.mark.parametrize(
    "body",
    [b"[" * 201 + b"]" * 201, b'{"a":' * 5000 + b"1" + b"}" * 5000, b'[[],{"b":[1],"a":' * 300 + b"1" + b"}]" * 300],
)
def test_nesting_beyond_200_is_an_unreadable_answer(body: bytes) -> None:
    with pytest.raises(RetryableError, match="is unreadable: it is nested deeper than 200 levels"):
        asked(whole(body))


def test_nesting_of_200_is_read() -> None:
    assert not is_too_deep(b"[" * 200 + b"]" * 200)
    assert not is_too_deep(json.dumps([{"a": [{"b": "[[{"}]}] * 5000).encode())


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-5", "1e400", "NaN"])
def test_a_wait_that_is_no_number_of_seconds_is_ignored(value: str) -> None:
    assert retry_after(Response(429, {"Retry-After": value})) is None


def test_an_error_that_asks_to_wait_nan_seconds_waits_like_any_other() -> None:
    waits: list[float] = []

    def verdict(request: Request, response: Response) -> ApiError:
        return RetryableError("odd", wait_seconds=float("nan"))

    with served(whole(b"{}")) as url:
        context = Context(settings={}, report=Report("tap-test"))
        limits = Limits(connections=1)
        made = Client(context, base_url=url, limits=limits, verdict=verdict, retry=Retry(tries=3), wait=waits.append)
        with pytest.raises(RetryableError, match="Given up after 3 tries"):
            made.send(Request("/"))
        made.close()
    assert all(0 <= seconds <= 60 for seconds in waits)


@pytest.mark.parametrize("link", ["https://[::1", "https://api.example.com:99999/x", "http://"])
def test_a_link_that_is_no_url_is_said_and_not_asked_for(link: str) -> None:
    made = client("https://api.example.com")
    with pytest.raises(ApiError, match="no URL"):
        made.json(Request("/").with_url(link))


@pytest.mark.parametrize("link", [5, {"href": "x"}, ["x"], True])
def test_a_link_that_is_no_text_is_said(link: Any) -> None:
    page = Page(Request("/pages"), {"next": link}, [])
    with pytest.raises(ApiError, match="the link to the next page is no text"):
        page.request.with_url(page.at("next"))


@pytest.mark.parametrize("location", ["https://[::1", "http://127.0.0.1:99999/"])
def test_a_redirect_to_what_is_no_url_is_not_followed(location: str) -> None:
    def redirect(to: socket.socket) -> None:
        to.sendall(b"HTTP/1.1 302 Found\r\nLocation: " + location.encode() + b"\r\nContent-Length: 0\r\n\r\n")

    with pytest.raises(ApiError, match="302 Found"):
        asked(redirect)


# Spools


def test_a_spool_leaves_some_of_the_disk_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "LEFT_FREE", 10**15)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 5, "total": 10**16})())
    with spool.spooled(1000) as file, pytest.raises(TooLargeError, match="is nearly full"):
        fill(file, 40)


def test_a_full_temporary_folder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: open("/dev/full", "w+b"))  # noqa: SIM115
    with pytest.raises(MachineError, match=r"No space left on device.*TMPDIR"), spool.spooled(10) as file:
        fill(file, 1)


def fill(file: IO[bytes], megabytes: int) -> None:
    for _ in range(megabytes):
        file.write(b"x" * 1_000_000)
    file.seek(0)
