"""Requests on their way: one session for all threads, whole answers or the reason why there is none.

`requests` is imported where it is first needed: it costs 150 ms, which `--version` has not got.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from ..errors import ConfigError, MachineError, RetryableError, Stopped, unable
from ..urls import origin
from . import connections
from .answers import Failure, Gunzip, Headers, Response, named, path_of, too_large, unsendable
from .connections import TooSlow
from .request import Request

if TYPE_CHECKING:
    import requests

    from ..report import Report

_CHUNK = 1 << 16
MOST_BYTES = 256_000_000


class Transport:
    """Sends one request and reads its answer. Holds the one session, which `close` gives up."""

    def __init__(
        self,
        *,
        connections: int,
        timeout: tuple[float, float],
        stop: threading.Event,
        report: Report,
        mask: Callable[[str], str],
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """`timeout`: seconds for the connection, and for each silence while reading. `mask` takes secrets out of what
        is reported. `most_bytes`: the largest answer, but for those that go into a file.
        """
        self._connections = connections
        self._timeout = timeout
        self._stop = stop
        self._report = report
        self._mask = mask
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._session: requests.Session | None = None
        self._surroundings: dict[str, dict[str, Any]] = {}

    def parting(self, stop: threading.Event, timeout_seconds: float) -> Transport:
        """This transport, under another `stop` and with less patience."""
        other = copy.copy(self)
        vars(other).update(_stop=stop, _timeout=(timeout_seconds, timeout_seconds))
        return other

    def close(self) -> None:
        """Gives up all connections."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def ask(
        self, request: Request, url: str, headers: Mapping[str, str], stream: str, into: IO[bytes] | None
    ) -> Response:
        """Sends it and reads the answer to its end; raises Failure when there is no end, or no answer."""
        import http.client

        import requests
        import urllib3

        session, surroundings = self._ready(url)
        prepared = requests.PreparedRequest()
        prepared.method = request.method
        prepared.url = url
        prepared.headers = requests.structures.CaseInsensitiveDict(headers)
        prepared.hooks = {}
        if request.body is not None:
            body = request.body
            if not isinstance(body, bytes):
                body = json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
                prepared.headers.setdefault("Content-Type", "application/json")
            prepared.body = body
            prepared.headers["Content-Length"] = str(len(body))
        elif request.method != "GET":
            prepared.headers["Content-Length"] = "0"
        timeout = (self._timeout[0], request.silence_seconds or self._timeout[1])
        began = time.monotonic()
        status: int | None = None
        try:
            # The adapter is asked directly: Session.send adds cookies, redirects and a reading of the environment to
            # each request, none of which is wanted here.
            answer = session.get_adapter(url).send(prepared, stream=True, timeout=timeout, **surroundings)
            status = answer.status_code
            content, packed = self._read(answer.raw, into if 200 <= status < 300 else None)
        except _TooMuch:
            raise self._too_large(request, status or 0, time.monotonic() - began) from None
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
            http.client.HTTPException,
            zlib.error,
        ) as problem:
            raise self._broken(request, stream, problem, status, time.monotonic() - began) from None
        except ValueError:
            if status is not None:
                raise
            raise unsendable(request) from None  # http.client's text holds the header, which may be the credential
        seconds = time.monotonic() - began
        response = Response(
            status, Headers(answer.headers), content, self._mask(url), seconds, packed, self._mask, self._most_bytes
        )
        self._report.request(
            stream,
            method=request.method,
            path=self._mask(urlsplit(url).path),
            status=status,
            seconds=seconds,
            request_id=self._mask(_request_id(response)),
            size=answer.raw.tell(),
        )
        return response

    def _read(self, raw: Any, into: IO[bytes] | None) -> tuple[bytes, bytes]:
        """The body as it is or in gzip, neither where it went `into` a file; raises when it ends too early.

        gzip is undone by us, because urllib3 takes a stream without its trailer for a whole one; and late, because
        then the bodies that wait for the processor are small.
        """
        raw.enforce_content_length = True
        # One buffer that grows, and is handed over as it is: pieces to be joined would take the room twice.
        body = into or io.BytesIO()
        if into is not None:
            into.seek(0)
            into.truncate()
        is_gzip = raw.headers.get("Content-Encoding", "").strip().lower() in ("gzip", "x-gzip")
        decoder = Gunzip() if is_gzip and into is not None else None
        size = 0
        try:
            while chunk := raw.read(_CHUNK, decode_content=not is_gzip):
                if self._stop.is_set():
                    raise Stopped
                size += len(chunk)
                if into is None and size > self._most_bytes:
                    raise _TooMuch
                for part in decoder.parts(chunk) if decoder is not None else (chunk,):
                    body.write(part)
        except BaseException:
            raw.close()  # whatever is still on its way must not be read as the next answer
            raise
        raw.release_conn()
        if decoder is not None:
            decoder.end()
        content = b"" if into is not None else cast("io.BytesIO", body).getvalue()
        return (b"", content) if is_gzip else (content, b"")

    def _too_large(self, request: Request, status: int, seconds: float) -> Failure:
        return Failure(too_large(request, status, self._most_bytes), seconds=seconds, is_heavy=True)

    def _broken(self, request: Request, stream: str, problem: Exception, status: int | None, seconds: float) -> Failure:
        """What went wrong on the way, without the URLs that the libraries' own messages hold."""
        import requests
        import urllib3

        self._report.request(
            stream, method=request.method, path=self._mask(path_of(request)), status=status, seconds=seconds
        )
        if isinstance(problem, requests.RequestException) and isinstance(problem, ValueError):
            raise unsendable(request) from None
        if "CA certificate bundle" in str(problem):
            raise ConfigError("The file named by REQUESTS_CA_BUNDLE does not exist.") from None
        chain = list(_causes(problem))
        if sentence := next((said for cause in chain if (said := unable(cause, "Connections"))), ""):
            raise MachineError(f"{named(request)}: {sentence}") from None
        if any("CERTIFICATE_VERIFY_FAILED" in str(cause) for cause in chain):
            raise ConfigError(
                f"{named(request)}: the host's certificate is not trusted. Behind a proxy that looks into traffic, "
                "let SSL_CERT_FILE name a file that holds its certificate, or add it to the system's."
            ) from None

        def is_any(*kinds: type[BaseException]) -> bool:
            return any(isinstance(cause, kinds) for cause in chain)

        said = next((str(cause.strerror) for cause in chain if isinstance(cause, OSError) and cause.strerror), "")
        is_heavy = True
        if is_any(requests.ConnectTimeout):
            is_heavy, what = False, f"no connection within {self._timeout[0]:g} seconds"
        elif is_any(requests.exceptions.ProxyError):
            is_heavy, what = False, f"the proxy did not let it through{f' ({said})' if said else ''}"
        elif is_any(urllib3.exceptions.NewConnectionError):
            is_heavy, what = False, f"no connection ({said or 'the host is not known'})"
        elif slow := next((str(cause) for cause in chain if isinstance(cause, TooSlow)), ""):
            what = slow
        elif is_any(requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError):
            what = f"nothing came for {request.silence_seconds or self._timeout[1]:g} seconds"
        elif isinstance(problem, zlib.error):
            what = f"its gzip is broken ({problem})"
        elif status is None:
            what = f"the connection was closed{f' ({said})' if said else ''}"
        else:
            what = "its body ends too early"
        begin = "got no answer:" if status is None else f"answered {status}, but"
        text = f"{named(request)} {begin} {what}."
        return Failure(RetryableError(text), seconds=seconds, is_heavy=is_heavy)

    def _ready(self, url: str) -> tuple[requests.Session, dict[str, Any]]:
        """The session, and what the environment says about the host (proxy, CA bundle), asked once."""
        import requests

        with self._lock:
            session = self._session
            if session is None:
                # Its DEBUG lines, and some of its warnings, hold whole URLs.
                logging.getLogger("urllib3").setLevel(logging.ERROR)
                session = self._session = requests.Session()
                adapter = connections.adapter(self._connections)
                session.mount("https://", adapter)
                session.mount("http://", adapter)
            host = origin(url)
            surroundings = self._surroundings.get(host)
            if surroundings is None:
                merged = dict(session.merge_environment_settings(url, {}, None, None, None))
                surroundings = {name: merged[name] for name in ("proxies", "verify", "cert")}
                self._surroundings[host] = surroundings
        return session, surroundings


class _TooMuch(Exception):
    """The answer is longer than an answer may be."""


def _causes(problem: BaseException) -> Iterator[BaseException]:
    """`problem` and all that it was made from; the libraries keep that in several places."""
    found: list[BaseException] = [problem]
    for cause in found:
        yield cause
        for other in (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args):
            if isinstance(other, BaseException) and other not in found:
                found.append(other)


def _request_id(response: Response) -> str:
    """The name by which the vendor's support finds the request."""
    for name, value in response.headers.items():
        if name.endswith(("request-id", "requestid")) or name == "cf-ray":
            return value
    return ""
