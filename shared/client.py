"""One HTTP request done properly: session, credential, limits, retry, readable error. Knows no stream and no Singer.

Retrying is decided in one function, `Client.send`. What an answer means is decided by a verdict, a function of request
and answer that gives None or the error to act on; a tap has its own where its API has its own ideas, and falls back on
`standard_verdict`. A credential goes to the API's own origin only, and into no log, error or traceback.

`requests` and `backoff` are imported where they are first needed: they cost 150 ms, which `--version` has not got.
"""

from __future__ import annotations

import copy
import http
import json
import logging
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any, TypeVar, cast, overload
from urllib.parse import quote, quote_plus, urlencode, urljoin, urlsplit

from .errors import (
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
from .limits import Limits
from .pagination import Request, at
from .timestamps import UTC, canonical

if TYPE_CHECKING:
    from pathlib import Path

    import requests

    from .report import Report

T = TypeVar("T")

CONNECT_SECONDS = 10.0
READ_SECONDS = 120.0
_CHUNK = 1 << 16
_REDIRECTS = 5
_STALE_SECONDS = 1.0
_SHORTEST_PAUSE = 0.5  # an API that says "0 seconds" means soon
_SHORTEST_SECRET = 4  # shorter "secrets" would blacken every text


# What goes in and out


class Headers(Mapping[str, str]):
    """Header fields by name, ignoring case."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = {name.lower(): value for name, value in fields.items()}

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


@dataclass(frozen=True, slots=True)
class Response:
    """One whole answer. `content` is decoded (gzip), and empty where the body went to a file; `url` holds no secret."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    url: str = ""
    seconds: float = 0.0
    packed: bytes = field(default=b"", repr=False)
    """The body in gzip, until its turn comes to be unpacked."""

    def __post_init__(self) -> None:
        if not isinstance(self.headers, Headers):
            object.__setattr__(self, "headers", Headers(self.headers))

    def json(self) -> Any:
        """The body as JSON; raises ValueError."""
        return json.loads(self.content)

    @property
    def text(self) -> str:
        """The body as text; what is not UTF-8 is replaced."""
        return self.content.decode("utf-8", "replace")


@dataclass(frozen=True, kw_only=True)
class Retry:
    """How long to try. `quota_seconds` is the most that one request waits because the API asked for it."""

    tries: int = 8
    budget_seconds: float = 600
    cap_seconds: float = 60
    too_large_after: int = 3
    quota_seconds: float = 900


class Secrets:
    """What must not be seen, and texts without it."""

    _USER = re.compile(r"(?<=://)[^/@\s\"']+(?=@)")
    _PARAMETER = re.compile(
        r"([?&](?:[\w-]*(?:token|key|secret|signature|credential)[\w-]*|sig|code)=)[^&\s\"'#]+", re.IGNORECASE
    )

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Never show `secret` again, nor its forms in URLs."""
        if len(secret) < _SHORTEST_SECRET or secret in self._known:
            return
        with self._lock:
            known = self._known | {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
            longest_first = sorted(known, key=len, reverse=True)
            self._pattern = re.compile("|".join(re.escape(text) for text in longest_first))
            self._known = known

    def mask(self, text: str) -> str:
        """`text` without secrets, users in URLs, and parameters that look like secrets."""
        if self._pattern is not None:
            text = self._pattern.sub("***", text)
        return self._PARAMETER.sub(r"\1***", self._USER.sub("***", text))


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a run gives to its tap's client.

    settings    the config, cast and complete
    report      where requests, retries and waits are told
    stop        set when the run is to end: waits end at once, no request begins
    save        puts settings back into the config file (rotated tokens)
    reload      the settings as they are in the config file now; None without a file
    speed       how much faster than life the API's clock runs (sandbox): waits are shortened likewise
    lock_path   file by which processes take turns at refreshing a token; None without a config file
    secrets     settings that are never shown
    """

    settings: Mapping[str, Any] = field(repr=False)
    report: Report
    stop: threading.Event = field(default_factory=threading.Event)
    save: Callable[[Mapping[str, Any]], None] = field(default=lambda _: None, repr=False)
    reload: Callable[[], Mapping[str, Any]] | None = field(default=None, repr=False)
    speed: float = 1.0
    lock_path: Path | None = None
    secrets: Sequence[str] = field(default=(), repr=False)
    masks: Secrets = field(default_factory=Secrets, repr=False)

    def __post_init__(self) -> None:
        for secret in self.secrets:
            self.masks.add(secret)

    def clock(self) -> float:
        """Seconds by a clock that never goes back, at the API's speed."""
        return time.monotonic() * self.speed

    def wait(self, seconds: float) -> None:
        """Waits so many of the API's seconds; raises Stopped as soon as the run is being stopped."""
        if self.stop.wait(max(seconds, 0.0) / self.speed):
            raise Stopped


# What an answer means

Verdict = Callable[[Request, Response], "ApiError | None"]


def words(response: Response) -> str:
    """What the answer says in its own words, wherever its body keeps them; empty for HTML and nothing."""
    try:
        body = response.json()
    except ValueError:
        text = " ".join(response.text.split())
        return "" if text.startswith("<") else _cut(text)
    found = [_said(error) for error in body] if isinstance(body, list) else []
    if isinstance(body, dict):
        errors = body.get("errors")
        found = [_said(body), *(_said(error) for error in (errors if isinstance(errors, list) else []))]
    return _cut("; ".join(dict.fromkeys(said for said in found if said)))


def _said(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error) if isinstance(error, str) else ""
    for path in ("detail", "error_description", "message", "Message", "msg", "meta.error", "error.message"):
        if isinstance(text := at(error, path), str) and text:
            return f"{text} ({field})" if isinstance(field := error.get("field"), str) and field else text
    return next((error[name] for name in ("title", "error") if isinstance(error.get(name), str)), "")


def _cut(text: str, length: int = 300) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def answered(request: Request, response: Response, *, say: str = "", advice: str = "") -> str:
    """`GET /path answered 403 Forbidden: "what it said". What to do.`, the sentence of every verdict."""
    try:
        status = f"{response.status} {http.HTTPStatus(response.status).phrase}"
    except ValueError:
        status = str(response.status)
    said = f': "{say}".' if say else "."
    return f"{_named(request)} answered {status}{said}{' ' if advice else ''}{advice}"


def _named(request: Request) -> str:
    return f"{request.method} {_path(request)}"


def _path(request: Request) -> str:
    return urlsplit(request.path).path or "/"


def retry_after(response: Response) -> float | None:
    """Seconds the answer asks to wait by `Retry-After` (a number, or a date compared with the answer's own)."""
    value = response.headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        return max(float(value), 0.0)
    except ValueError:
        pass
    until = _http_date(value)
    if until is None:
        return None
    now = _http_date(response.headers.get("Date", "")) or datetime.now(UTC)
    return max((until - now).total_seconds(), 0.0)


def standard_verdict(
    request: Request, response: Response, *, say: Callable[[Response], str] = words
) -> ApiError | None:
    """What an answer means where the API has no ideas of its own; `say` finds the API's words in the body."""
    status = response.status
    if 200 <= status < 300:
        return None

    def text(advice: str = "") -> str:
        return answered(request, response, say=say(response), advice=advice)

    if status == 401:
        return AuthError(text("Check the credential in the config."))
    if status == 403:
        return RefusedError(text("Give the credential access to this, or deselect the stream."))
    if status in (404, 410):
        return GoneError(text())
    if status in (413, 414):
        return TooLargeError(text("Ask for less at once."))
    if status == 429:
        return RetryableError(text(), wait_seconds=retry_after(response), everyone=True)
    if status == 408 or status >= 500:
        asked = retry_after(response)
        return RetryableError(text(), wait_seconds=asked, everyone=status == 503 and asked is not None)
    if 300 <= status < 400:
        target = urlsplit(response.headers.get("Location", "")).hostname or "nowhere"
        return ApiError(text(f"It points to {target}, which is not followed; check base_url."))
    asked_for = urlsplit(response.url).query
    return ApiError(text(f"Asked for was: {_cut(asked_for)}" if asked_for else ""))


class _Failure(Exception):
    """A try's end without a result: what that means, the seconds it took, and whether the server may have failed
    because the answer is too much for it.
    """

    def __init__(self, error: ApiError, *, seconds: float, is_heavy: bool) -> None:
        super().__init__(error)
        self.error = error
        self.seconds = seconds
        self.is_heavy = is_heavy


def _unpacked(request: Request, response: Response) -> Response:
    """The response with its content out of gzip; a broken one is a failed try."""
    if not response.packed:
        return response
    content, rest = [], response.packed
    try:
        while rest:
            decoder = zlib.decompressobj(wbits=31)
            content.append(decoder.decompress(rest))
            rest = decoder.unused_data
            if not decoder.eof:
                raise zlib.error("it ends too early")
    except zlib.error as problem:
        text = f"{_named(request)} answered {response.status}, but its gzip is broken ({problem})."
        raise _Failure(RetryableError(text), seconds=response.seconds, is_heavy=True) from None
    return replace(response, content=b"".join(content), packed=b"")


# The client


def _whole(response: Response) -> Any:
    return response


class Client:
    """Asks one API on behalf of many threads. Holds the one session, which `close` gives up."""

    def __init__(
        self,
        context: Context,
        *,
        base_url: str | Callable[[], str],
        authenticate: Callable[[Request], Mapping[str, str]] = lambda _: {},
        limits: Limits,
        verdict: Verdict = standard_verdict,
        headers: Mapping[str, str] | None = None,
        refresh: Callable[[], None] | None = None,
        retry: Retry | None = None,
        timeout: tuple[float, float] | None = None,
        clock: Callable[[], float] | None = None,
        wait: Callable[[float], None] | None = None,
    ) -> None:
        """`authenticate` gives the headers that carry the credential, and is asked for each try. `refresh` is called
        once for a request that was answered with an AuthError, before it is sent again.

        Answers are unpacked and read one at a time, under the lock `processor`: Python would take turns anyway, and
        only one page at a time is then in memory.
        """
        self._context = context
        self.settings = context.settings
        self.report = context.report
        self.stop = context.stop
        self.speed = context.speed
        self.processor = threading.RLock()
        self.limits = limits
        self.wait = wait or context.wait
        self.mask = context.masks.mask
        self.conceal = context.masks.add
        self._clock = clock or context.clock
        limits.keep_time(self._clock, self.wait)
        self._base_url = base_url
        self._authenticate = authenticate
        self._verdict = verdict
        self._refresh = refresh
        self._retry = retry or Retry()
        read_seconds = float(context.settings.get("request_timeout") or READ_SECONDS)
        self._timeout = timeout or (CONNECT_SECONDS, read_seconds)
        self._anywhere = {"User-Agent": str(context.settings.get("user_agent") or "singer-tap")}
        self._anywhere["Accept-Encoding"] = "gzip"
        self._headers = {**self._anywhere, "Accept": "application/json", **(headers or {})}
        self._server_time: tuple[datetime, float] | None = None
        self._started_at: str | None = None
        self._last_date = ""
        self._checked_base: str | None = None
        self._lock = threading.Lock()
        self._session: requests.Session | None = None
        self._surroundings: dict[str, dict[str, Any]] = {}
        if isinstance(base_url, str):
            check_base_url(base_url)

    @overload
    def send(
        self,
        request: Request,
        *,
        stream: str = ...,
        started: Callable[[], Response | None] | None = ...,
        shrinkable: bool = ...,
        into: IO[bytes] | None = ...,
    ) -> Response: ...

    @overload
    def send(
        self,
        request: Request,
        *,
        stream: str = ...,
        read: Callable[[Response], T],
        started: Callable[[], T | None] | None = ...,
        shrinkable: bool = ...,
        into: IO[bytes] | None = ...,
    ) -> T: ...

    def send(
        self,
        request: Request,
        *,
        stream: str = "",
        read: Callable[[Response], Any] = _whole,
        started: Callable[[], Any] | None = None,
        shrinkable: bool = False,
        into: IO[bytes] | None = None,
    ) -> Any:
        """What `read` makes of the answer to `request`; tries again what may pass. The one place where that is decided.

        A ValueError from `read` counts as a broken body. `started` is for a request that starts something: it is asked
        before any repeat, and what it finds is the result. `shrinkable`: the caller can ask for less, so that a server
        that fails again and again ends in TooLargeError. `into`: the body goes to this file, cut to the last try's.
        """
        retry = self._retry
        waits = _growing_waits(retry.cap_seconds)
        failures = heavy = 0
        spent = asked_for = 0.0
        is_refreshed = False
        while True:
            try:
                return self._try(request, stream, read, into)
            except _Failure as failure:
                failed = failure
            error = failed.error
            if isinstance(error, AuthError) and self._refresh is not None and not is_refreshed:
                is_refreshed = True
                self._refresh()
                continue
            if not isinstance(error, RetryableError):
                raise self._told(error, stream)
            if error.fewer_connections:
                self.limits.fewer_connections()
            seconds = next(waits) if error.wait_seconds is None else error.wait_seconds

            if error.everyone:  # no failure, and nothing was started
                seconds = max(seconds, _SHORTEST_PAUSE)
                asked_for += seconds
                if asked_for > retry.quota_seconds:
                    advice = f"To wait {asked_for:.0f} seconds for that is too long for a run. Run again later."
                    raise self._told(QuotaError(f"{error} {advice}"), stream)
                self.report.retry(stream, self.mask(str(error)))
                self.limits.pause(seconds, request.quota)
                continue

            failures += 1
            spent += failed.seconds + seconds
            heavy = heavy + 1 if failed.is_heavy else 0
            if shrinkable and heavy >= retry.too_large_after:
                raise self._told(TooLargeError(str(error)), stream)
            if failures >= retry.tries or spent > retry.budget_seconds:
                error.args = (f"{error} Given up after {failures} tries; run again later.",)
                raise self._told(error, stream)
            self.report.retry(stream, self.mask(str(error)))
            self.wait(seconds)
            if started is not None and (found := started()) is not None:
                return found

    def json(self, request: Request, *, stream: str = "") -> Any:
        """The answer's body as JSON."""
        return self.send(request, stream=stream, read=Response.json)

    def download(self, url: str, file: IO[bytes], *, stream: str = "") -> None:
        """Writes what a pre-signed `url` holds to `file`, without the credential. Not repeated: such a URL expires, so
        the caller asks for a fresh one.
        """
        request = Request(path=url)
        error: ApiError | None
        if not _is_safe(url):
            error = ApiError(f"{_named(request)} is not asked for, since it is no https URL.")
        else:
            try:
                error = self._meaning(request, self._ask(request, url, self._anywhere, stream, file))
            except _Failure as failure:
                error = failure.error
        if error is not None:
            raise self._told(error, stream)

    def parting(self, *, timeout_seconds: float = 1.5) -> Client:
        """This client for a last word after the run was stopped: it asks once, waits for nothing, and not for long."""
        other = copy.copy(self)
        vars(other).update(
            stop=threading.Event(),
            limits=Limits(connections=1),
            _retry=Retry(tries=1, quota_seconds=0),
            _timeout=(timeout_seconds, timeout_seconds),
        )
        return other

    def delay(self, quota: str = "") -> float:
        """Seconds until a request of `quota` could begin; 0 = at once."""
        return self.limits.delay(quota)

    def now(self) -> str:
        """The present instant by the API's clock, as its latest answer had it; by ours before the first one."""
        if self._server_time is None:
            return canonical(datetime.now(UTC))
        moment, at_clock = self._server_time
        return canonical(moment + timedelta(seconds=self._clock() - at_clock))

    @property
    def started_at(self) -> str:
        """`now` at the first answer."""
        return self._started_at or self.now()

    def close(self) -> None:
        """Gives up all connections."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    # One try

    def _try(self, request: Request, stream: str, read: Callable[[Response], Any], into: IO[bytes] | None) -> Any:
        """What `read` makes of the answer, after redirects within the host; raises _Failure."""
        for _ in range(_REDIRECTS):
            packed = self._exchange(request, stream, into)
            target = self._redirect(request, packed)
            if target is None:
                break
            request = request.with_url(target)
        status = packed.status
        with self.processor:
            response = _unpacked(request, packed)
            del packed
            error = self._meaning(request, response)
            if error is None:
                try:
                    return read(response)
                except ValueError as problem:
                    error = _unreadable(request, response, problem)
        is_heavy = status < 300 or status == 408 or status >= 500
        raise _Failure(error, seconds=response.seconds, is_heavy=is_heavy) from None

    def _exchange(self, request: Request, stream: str, into: IO[bytes] | None) -> Response:
        """One try: in its turn, with the credential where that belongs."""
        # Both may ask another host first (for a token, for the account's base URL), so before a connection is held.
        url, is_ours = self._url(request)
        headers = self._with_credential(request) if is_ours else self._anywhere
        with ExitStack() as turn:
            if self._wait_for_turn(request, stream, turn) > _STALE_SECONDS and is_ours:
                headers = self._with_credential(request)
            if self.stop.is_set():
                raise Stopped
            response = self._ask(request, url, headers, stream, into)
        if is_ours:
            self._learn_time(response)
        return response

    def _wait_for_turn(self, request: Request, stream: str, turn: ExitStack) -> float:
        """Seconds waited; the turn lasts as long as `turn`."""
        is_waiting = self.limits.delay(request.quota) > 0
        if is_waiting:
            self.report.waiting(stream, True)
        try:
            waited = turn.enter_context(self.limits.slot(request.quota))
        finally:
            if is_waiting:
                self.report.waiting(stream, False)
        if waited > 0:
            self.report.waited(stream, waited)
        return waited

    def _with_credential(self, request: Request) -> dict[str, str]:
        credential = self._authenticate(request)
        for value in credential.values():
            self.conceal(value.rpartition(" ")[2])
        return {**self._headers, **request.headers, **credential}

    def _ask(
        self, request: Request, url: str, headers: Mapping[str, str], stream: str, into: IO[bytes] | None
    ) -> Response:
        """Sends it and reads the answer to its end; raises _Broken when there is no end, or no answer."""
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
        began = time.monotonic()
        status: int | None = None
        try:
            # The adapter is asked directly: Session.send adds cookies, redirects and a reading of the environment to
            # each request, none of which is wanted here.
            answer = session.get_adapter(url).send(prepared, stream=True, timeout=self._timeout, **surroundings)
            status = answer.status_code
            content, packed = self._read(answer.raw, into if 200 <= status < 300 else None)
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
            raise _unsendable(request) from None  # http.client's text holds the header, which may be the credential
        seconds = time.monotonic() - began
        response = Response(status, Headers(answer.headers), content, self.mask(url), seconds, packed)
        self.report.request(
            stream,
            method=request.method,
            path=self.mask(urlsplit(url).path),
            status=status,
            seconds=seconds,
            request_id=self.mask(_request_id(response)),
        )
        return response

    def _read(self, raw: Any, into: IO[bytes] | None) -> tuple[bytes, bytes]:
        """The body as it is or in gzip, neither where it went `into` a file; raises when it ends too early.

        gzip is undone by us, because urllib3 takes a stream without its trailer for a whole one; and late, because
        then the bodies that wait for the processor are small.
        """
        raw.enforce_content_length = True
        parts: list[bytes] = []
        write = parts.append
        if into is not None:
            into.seek(0)
            into.truncate()
            write = cast("Callable[[bytes], None]", into.write)
        is_gzip = raw.headers.get("Content-Encoding", "").strip().lower() in ("gzip", "x-gzip")
        decoder: Any = None
        try:
            while chunk := raw.read(_CHUNK, decode_content=not is_gzip):
                if self.stop.is_set():
                    raise Stopped
                while is_gzip and chunk and into is not None:
                    if decoder is None or decoder.eof:
                        decoder = zlib.decompressobj(wbits=31)
                    write(decoder.decompress(chunk))
                    chunk = decoder.unused_data
                if chunk:
                    write(chunk)
        except BaseException:
            raw.close()  # whatever is still on its way must not be read as the next answer
            raise
        raw.release_conn()
        if decoder is not None and not decoder.eof:
            raise zlib.error("it ends too early")
        body = b"".join(parts)
        return (b"", body) if is_gzip else (body, b"")

    def _broken(
        self, request: Request, stream: str, problem: Exception, status: int | None, seconds: float
    ) -> _Failure:
        """What went wrong on the way, without the URLs that the libraries' own messages hold."""
        import requests
        import urllib3

        self.report.request(
            stream, method=request.method, path=self.mask(_path(request)), status=status, seconds=seconds
        )
        if isinstance(problem, requests.RequestException) and isinstance(problem, ValueError):
            raise _unsendable(request) from None
        if "CA certificate bundle" in str(problem):
            raise ConfigError("The file named by REQUESTS_CA_BUNDLE does not exist.") from None
        chain = list(_causes(problem))
        if any("CERTIFICATE_VERIFY_FAILED" in str(cause) for cause in chain):
            raise ConfigError(
                f"{_named(request)}: the host's certificate is not trusted. Behind a proxy that looks into traffic, "
                "let REQUESTS_CA_BUNDLE name the file that holds its certificate."
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
        elif is_any(requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError):
            what = f"nothing came for {self._timeout[1]:g} seconds"
        elif isinstance(problem, zlib.error):
            what = f"its gzip is broken ({problem})"
        elif status is None:
            what = f"the connection was closed{f' ({said})' if said else ''}"
        else:
            what = "its body ends too early"
        begin = "got no answer:" if status is None else f"answered {status}, but"
        text = f"{_named(request)} {begin} {what}."
        return _Failure(RetryableError(text), seconds=seconds, is_heavy=is_heavy)

    def _ready(self, url: str) -> tuple[requests.Session, dict[str, Any]]:
        """The session, and what the environment says about the host (proxy, CA bundle), asked once."""
        import requests

        with self._lock:
            session = self._session
            if session is None:
                # Its DEBUG lines, and some of its warnings, hold whole URLs.
                logging.getLogger("urllib3").setLevel(logging.ERROR)
                session = self._session = requests.Session()
                adapter = requests.adapters.HTTPAdapter(pool_maxsize=self.limits.connections)
                session.mount("https://", adapter)
                session.mount("http://", adapter)
            origin = _origin(url)
            surroundings = self._surroundings.get(origin)
            if surroundings is None:
                merged = dict(session.merge_environment_settings(url, {}, None, None, None))
                surroundings = {name: merged[name] for name in ("proxies", "verify", "cert")}
                self._surroundings[origin] = surroundings
        return session, surroundings

    def _url(self, request: Request) -> tuple[str, bool]:
        """The whole URL, and whether it is the API's own: only then may the credential go with it."""
        base = self._base_url if isinstance(self._base_url, str) else self._base_url()
        if base != self._checked_base:
            check_base_url(base)
            self._checked_base = base
        url = request.path
        if url.startswith(("https://", "http://")):
            is_ours = _origin(url) == _origin(base)
            if not is_ours and not _is_safe(url):
                error = ApiError(f"{_named(request)} is not asked for, since it is no https URL.")
                raise _Failure(error, seconds=0, is_heavy=False)
        else:
            is_ours = True
            url = f"{base.rstrip('/')}/{url.lstrip('/')}" if url else base
        if request.params:
            url += ("&" if "?" in url else "?") + _query(request.params)
        return url, is_ours

    def _redirect(self, request: Request, response: Response) -> str | None:
        """Where the answer sends the request, if that is at the same host and the request may simply be repeated."""
        location = response.headers.get("Location")
        if not location or response.status not in (301, 302, 303, 307, 308):
            return None
        url = self._url(request)[0]
        target = urljoin(url, location)
        may_repeat = request.method == "GET" or response.status in (307, 308)
        return target if may_repeat and _origin(target) == _origin(url) else None

    def _meaning(self, request: Request, response: Response) -> ApiError | None:
        error = self._verdict(request, response)
        if error is None and not 200 <= response.status < 300:
            error = standard_verdict(request, response)
        return error

    def _told(self, error: ApiError, stream: str) -> ApiError:
        """`error` as the user is to read it: with its stream, without secrets."""
        text = self.mask(str(error))
        error.args = (f"{stream}: {text}" if stream else text,)
        return error

    def _learn_time(self, response: Response) -> None:
        date = response.headers.get("Date", "")
        if not date or date == self._last_date:
            return
        self._last_date = date
        if (moment := _http_date(date)) is not None:
            self._server_time = (moment, self._clock())
            if self._started_at is None:
                self._started_at = canonical(moment)


# Small parts


def _unreadable(request: Request, response: Response, problem: ValueError) -> RetryableError:
    kind = response.headers.get("Content-Type", "of no type").partition(";")[0]
    size = f"{len(response.content)} bytes, {kind}"
    return RetryableError(
        f"{_named(request)} answered {response.status}, but its body ({size}) is unreadable: {problem}."
    )


def _unsendable(request: Request) -> ConfigError:
    return ConfigError(
        f"{_named(request)} cannot be sent: its URL or a header holds what it may not. "
        "Check base_url, and the credential for stray characters."
    )


def _growing_waits(cap_seconds: float) -> Iterator[float]:
    """Anything from 0 to 1, 2, 4 … `cap_seconds`: full jitter, so that workers do not come back together."""
    import backoff

    bounds = backoff.expo(max_value=cap_seconds)
    next(bounds)  # the library's generators begin with an empty step
    for bound in bounds:
        yield backoff.full_jitter(bound)


def _causes(problem: BaseException) -> Iterator[BaseException]:
    """`problem` and all that it was made from; the libraries keep that in several places."""
    found: list[BaseException] = [problem]
    for cause in found:
        yield cause
        for other in (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args):
            if isinstance(other, BaseException) and other not in found:
                found.append(other)


def _query(params: Mapping[str, Any]) -> str:
    """`params` as text for a URL; "+" and spaces are percent-encoded, since not every API reads "+" alike."""
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        for one in value if isinstance(value, (list, tuple)) else (value,):
            if one is not None:
                pairs.append((name, str(one).lower() if isinstance(one, bool) else str(one)))
    return urlencode(pairs, quote_via=quote)


@lru_cache(maxsize=64)
def _origin(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def is_loopback(host: str | None) -> bool:
    """Whether `host` is this machine itself."""
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host or "") is not None


def _is_safe(url: str) -> bool:
    """Whether `url` is https, or http on this machine."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (
            parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
        )
    except ValueError:
        return False


def check_base_url(url: str) -> None:
    """Raises ConfigError unless `url` is https, or http on this machine."""
    if not _is_safe(url):
        raise ConfigError("base_url has to be an https URL (http is for this machine only). Check base_url.")


def _request_id(response: Response) -> str:
    """The name by which the vendor's support finds the request."""
    for name, value in response.headers.items():
        if name.endswith(("request-id", "requestid")) or name == "cf-ray":
            return value
    return ""


def _http_date(text: str) -> datetime | None:
    """An HTTP date (`Sun, 06 Nov 1994 08:49:37 GMT`), None where it is none."""
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
