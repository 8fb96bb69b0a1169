"""The HTTP server: a small HTTP/1.1 loop on `socketserver`.

`http.server` spends more time on parsing headers than most answers take to make, and with `--sandbox` that time is
taken from the tap in the same process.
"""

from __future__ import annotations

import gzip
import logging
import socket
import socketserver
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from .clock import Clock
from .counts import Counts
from .routes import Answer, Call, Refusal, Route
from .rows import salt

HANG_SECONDS = 600.0
GZIP_FROM_BYTES = 4096

logger = logging.getLogger(__name__)
REASONS = {
    200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 302: "Found", 400: "Bad Request",
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict", 410: "Gone",
    413: "Payload Too Large", 414: "URI Too Long", 422: "Unprocessable Entity", 429: "Too Many Requests",
    500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip


class Service(Protocol):
    """What the server asks of the API that it serves."""

    options: dict[str, Any]
    stats: Counts
    clock: Clock
    stopping: threading.Event

    def find(self, call: Call) -> Route | None:
        """Sets the call's route."""

    def answer(self, call: Call) -> Answer:
        """What the API answers."""

    def refuse(self, refusal: Refusal) -> Answer:
        """The API's own error body."""

    def fault(self, call: Call) -> str | None:
        """Which fault the call is to meet."""

    def faulty_answer(self, fault: str, call: Call) -> Answer:
        """The answer with that fault."""


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], sandbox: Service) -> None:
        self.sandbox = sandbox
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, _Connection)

    @contextmanager
    def connected(self, connection: socket.socket) -> Iterator[None]:
        with self._open_lock:
            self._open.add(connection)
        try:
            yield
        finally:
            with self._open_lock:
                self._open.discard(connection)

    def drop_connections(self) -> None:
        with self._open_lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + 2
        while self._open and time.monotonic() < deadline:
            time.sleep(0.005)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], (OSError, ValueError)):
            logger.exception("sandbox: connection from %s", client_address)  # noqa: LOG004 - called in one


class _Connection(socketserver.StreamRequestHandler):
    """One client's connection: requests in, answers out, until either side has enough."""

    disable_nagle_algorithm = True
    server: Server

    def handle(self) -> None:
        with self.server.connected(self.connection), suppress(OSError):
            while not self.server.sandbox.stopping.is_set() and self._one():
                pass

    def _read(self) -> Call | None:
        line = self.rfile.readline(65537)
        parts = line.decode("latin-1").split()
        if len(parts) != 3:
            return None
        headers = {}
        while (line := self.rfile.readline(65537)) not in (b"\r\n", b"\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        length = int(headers.get("content-length") or 0)
        return Call(parts[0], parts[1], headers, self.rfile.read(length) if length else b"")

    def _one(self) -> bool:
        """Read one request and answer it; False when the connection is over."""
        call = self._read()
        if call is None:
            return False
        arrived = time.monotonic()
        sandbox = self.server.sandbox
        if call.target.startswith("/__sandbox__/"):
            return self._send(*self._made(call, sandbox.answer(call)))
        with suppress(Refusal):
            sandbox.find(call)
        under_way = sandbox.stats.begin(call.method, call.target)
        fault: str | None = None
        answer, status, size = Answer(), 0, 0
        try:
            most = sandbox.options["connections"]
            if most is not None and under_way > most:
                answer = sandbox.refuse(Refusal(429))
                made = self._made(call, answer)
            else:
                fault = sandbox.fault(call)
                # Half an answer to a request that changed something would not be without effect.
                if fault == "truncate" and call.method != "GET":
                    fault = "reset"
                if fault == "hang":
                    self._hang()
                    return False
                if fault in (None, "lost", "truncate"):
                    answer = sandbox.answer(call)
                elif fault != "reset":
                    answer = sandbox.faulty_answer(fault, call)
                made = self._made(call, answer, truncate=fault == "truncate")
                # Limits count a request when it arrives, however long the answer takes; making it is part of that.
                late = arrived + (sandbox.options["latency"] or 0) - time.monotonic()
                if late > 0 and sandbox.stopping.wait(late):
                    return False
                if fault in ("reset", "lost"):
                    return self._reset()
            status, size = answer.status, len(answer.body)
        finally:
            sandbox.stats.end(call.route.path if call.route else "(none)", status, fault, size)
        return self._send(*made)

    def _hang(self) -> None:
        """Say nothing until the client gives up."""
        self.connection.settimeout(0.1)
        deadline = time.monotonic() + HANG_SECONDS
        while not self.server.sandbox.stopping.is_set() and time.monotonic() < deadline:
            with suppress(TimeoutError):
                if not self.connection.recv(1):
                    return

    def _reset(self) -> bool:
        # Closing with a linger of zero sends RST, which is what a broken connection looks like.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    def _made(self, call: Call, answer: Answer, *, truncate: bool = False) -> tuple[bytes, bool]:
        """The answer's bytes, and whether the connection ends with them."""
        sandbox = self.server.sandbox
        body = answer.body
        close = truncate or call.headers.get("connection", "").lower() == "close"
        head = [
            f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'Status')}",
            f"Date: {sandbox.clock.http_date()}",
            f"Sandbox-Time: {sandbox.clock.http_date()}",  # its days are its own; a tap takes no offence at them
            f"X-Request-Id: {salt(len(sandbox.stats.log), call.target, sandbox.stats.sent_bytes):016x}",
            *(f"{name}: {value}" for name, value in answer.headers),
        ]
        if body or answer.status != 204:
            head.append(f"Content-Type: {answer.content_type}")
        if (
            sandbox.options["gzip"]
            and len(body) >= GZIP_FROM_BYTES
            and "gzip" in call.headers.get("accept-encoding", "")
            and not answer.content_type.startswith("application/gzip")
        ):
            body = gzip.compress(body, 1)
            head.append("Content-Encoding: gzip")
        head.append(f"Content-Length: {len(body)}")
        if close:
            head.append("Connection: close")
        data = "\r\n".join(head).encode("latin-1") + b"\r\n\r\n"
        if call.method != "HEAD":
            data += body[: len(body) // 2] if truncate else body
        return data, close

    def _send(self, data: bytes, close: bool) -> bool:
        self.connection.sendall(data)
        return not close

    def finish(self) -> None:
        """Close without a goodbye when the connection is already gone."""
        with suppress(OSError):
            super().finish()
