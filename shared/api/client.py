"""One request done properly: credential, limits, retry, readable error. Knows no stream and no Singer.

Retrying is decided in one function, `Client.send`; what an answer means, by the client's verdict. A credential goes to
the API's own origin only, and into no log, error or traceback.
"""

from __future__ import annotations

import copy
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import isfinite
from statistics import median_low
from typing import IO, TYPE_CHECKING, Any, TypeVar, overload
from urllib.parse import urljoin, urlsplit

from ..errors import ApiError, AuthError, QuotaError, RetryableError, Stopped, TooLargeError
from ..timestamps import UTC, canonical
from ..urls import check_base_url, is_loopback, is_safe, is_url, origin, query
from .answers import (
    DEEPEST,
    Failure,
    Response,
    Verdict,
    http_date,
    is_too_deep,
    named,
    standard_verdict,
    unpacked,
    unreadable,
)
from .limits import Limits
from .masking import Secrets
from .reading_order import ReadingOrder
from .request import Request
from .transport import MOST_BYTES, Transport

if TYPE_CHECKING:
    from pathlib import Path

    from ..report import Report

T = TypeVar("T")

CONNECT_SECONDS = 10.0
READ_SECONDS = 120.0
CLOCK_SECONDS = 300.0
"""The clock of an API and ours that differ by no more are taken for alike."""
LATEST_ANSWERS = 9
_REDIRECTS = 5
_STALE_SECONDS = 1.0
_RENEWALS = 5  # of a credential that keeps expiring before its request gets through
_PAGES = 2
_SIGN_IN = (
    "That is a page for people: the sign-in of the network this machine is in, or a proxy's. Open any web page in a "
    "browser, sign in, and run again; or correct base_url."
)
_SHORTEST_PAUSE = 0.5  # an API that says "0 seconds" means soon


@dataclass(frozen=True, kw_only=True)
class Retry:
    """How long to try. `quota_seconds` is the most that one request waits because the API asked for it."""

    tries: int = 8
    budget_seconds: float = 600
    cap_seconds: float = 60
    too_large_after: int = 3
    quota_seconds: float = 900


def present() -> datetime:
    """The present by our own clock."""
    return datetime.now(UTC)


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
    today       our own clock, by which that of the API is judged
    renewing    held while a token is renewed: the process does not end before the new one is saved
    watch       told of every answer that was read, and for which stream; None: nobody wants to know
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
    today: Callable[[], datetime] = present
    renewing: threading.Lock = field(default_factory=threading.Lock, repr=False)
    watch: Callable[[str, Request, Response], None] | None = None

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


def _whole(response: Response) -> Any:
    return response


class Client:
    """Asks one API on behalf of many threads. `close` gives up its connections."""

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
        is_patient: bool = False,
    ) -> None:
        """`authenticate` gives the headers that carry the credential, and is asked for each try. `refresh` is called
        once for a request that was answered with an AuthError (a few times if it says that the credential has expired),
        before it is sent again.

        Answers are unpacked and read one at a time, in `reading_order`, the smaller first: Python would take
        turns anyway, and only one page at a time is then in memory.

        `is_patient`: an answer on its way is read to its end even when the run is being stopped.
        """
        self._context = context
        self.settings = context.settings
        self.report = context.report
        self.stop = context.stop
        self.speed = context.speed
        self.reading_order = ReadingOrder()
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
        self._transport = Transport(
            connections=limits.connections,
            timeout=timeout or (CONNECT_SECONDS, read_seconds),
            stop=threading.Event() if is_patient else context.stop,
            report=context.report,
            mask=self.mask,
            most_bytes=int(context.settings.get("max_answer_megabytes") or 0) * 1_000_000 or MOST_BYTES,
        )
        self._anywhere = {"User-Agent": str(context.settings.get("user_agent") or "singer-tap")}
        self._anywhere["Accept-Encoding"] = "gzip"
        self._headers = {**self._anywhere, "Accept": "application/json", **(headers or {})}
        self._server_time: tuple[datetime, float] | None = None
        self._started_at: str | None = None
        self._last_date = ""
        self._ahead: deque[float] = deque(maxlen=LATEST_ANSWERS)
        self._is_clock_told = False
        self._checked_base: str | None = None
        self._used_up: set[str] = set()
        self._has_read = False
        """Quotas for which somebody has waited in vain since anything was answered: nobody else waits for them."""
        if isinstance(base_url, str):
            check_base_url(base_url)
        self.report.host = self.host

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
        renewals = 0
        while True:
            try:
                result = self._try(request, stream, read, into)
            except Failure as failure:
                failed = failure
            else:
                self._used_up.discard(request.quota)
                self._has_read = True
                return result
            error = failed.error
            if isinstance(error, AuthError) and self._refresh and renewals < (_RENEWALS if error.has_expired else 1):
                renewals += 1
                self._refresh()
                continue
            if not isinstance(error, RetryableError):
                raise self._told(error, stream)
            if error.fewer_connections:
                self.limits.fewer_connections()
            asked = error.wait_seconds
            seconds = next(waits) if asked is None or not isfinite(asked) else max(asked, 0.0)

            if error.everyone:  # no failure, and nothing was started
                seconds = max(seconds, _SHORTEST_PAUSE)
                asked_for += seconds
                is_too_long = asked_for > (error.most_seconds or retry.quota_seconds)
                if is_too_long or request.quota in self._used_up:
                    self._used_up.add(request.quota)
                    why = f"To wait {asked_for:.0f} seconds for that is too long for a run"
                    advice = f"{why if is_too_long else 'Others have waited for it in vain'}. Run again later."
                    raise self._told(QuotaError(f"{error} {advice}"), stream)
                self.report.retry(stream, self.mask(str(error)), seconds)
                self.limits.pause(seconds, request.quota)
                continue

            failures += 1
            spent += failed.seconds + seconds
            heavy = heavy + 1 if failed.is_heavy else 0
            is_over = failures >= retry.tries or spent > min(retry.budget_seconds, error.most_seconds or spent)
            if shrinkable and heavy and (heavy >= retry.too_large_after or is_over):
                raise self._told(TooLargeError(str(error)), stream)
            if error.is_page and failures >= _PAGES and not self._has_read:
                raise self._told(ApiError(f"{error} {_SIGN_IN}"), stream)
            if is_over:
                error.args = (f"{error} Given up after {failures} tries; run again later.",)
                raise self._told(error, stream)
            self.report.retry(stream, self.mask(str(error)), seconds)
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
        if not is_safe(url):
            error = ApiError(f"{named(request)} is not asked for, since it is no https URL.")
        else:
            try:
                error = self._meaning(request, self._transport.ask(request, url, self._anywhere, stream, file))
            except Failure as failure:
                error = failure.error
        if error is not None:
            raise self._told(error, stream)

    def parting(self, *, timeout_seconds: float = 1.5) -> Client:
        """This client for a last word after the run was stopped: it asks once, waits for nothing, and not for long."""
        other = copy.copy(self)
        stop = threading.Event()
        vars(other).update(
            stop=stop,
            limits=Limits(connections=1),
            _retry=Retry(tries=1, quota_seconds=0),
            _transport=self._transport.parting(stop, timeout_seconds),
        )
        return other

    def hasty(self, seconds: float) -> Client:
        """This client for questions that may go unanswered: it tries for so long and no longer."""
        other = copy.copy(self)
        vars(other).update(_retry=replace(self._retry, tries=3, budget_seconds=seconds, quota_seconds=seconds))
        return other

    @property
    def host(self) -> str:
        """The API's host, for messages; asks nobody."""
        base = self._base_url if isinstance(self._base_url, str) else self._checked_base or ""
        return urlsplit(base).netloc.rpartition("@")[2] or "the API"

    def delay(self, quota: str = "") -> float:
        """Seconds until a request of `quota` could begin; 0 = at once."""
        return self.limits.delay(quota)

    def now(self) -> str:
        """The present instant by the API's clock, as its latest answer had it; by ours before the first one, and where
        the API's is ahead of ours by more than minutes.
        """
        if self._server_time is None:
            return canonical(self._context.today())
        moment, at_clock = self._server_time
        return canonical(moment + timedelta(seconds=self._clock() - at_clock))

    @property
    def started_at(self) -> str:
        """`now` at the first answer."""
        return self._started_at or self.now()

    def close(self) -> None:
        """Gives up all connections."""
        self._transport.close()

    # One try

    def _try(self, request: Request, stream: str, read: Callable[[Response], Any], into: IO[bytes] | None) -> Any:
        """What `read` makes of the answer, after redirects within the host; raises Failure."""
        for _ in range(_REDIRECTS):
            packed = self._exchange(request, stream, into)
            target = self._redirect(request, packed)
            if target is None:
                break
            request = request.with_url(target)
        size = 0 if request.ahead else len(packed.packed or packed.content)
        with self.reading_order.turn(size):
            response = unpacked(request, packed)
            if self._context.watch is not None:
                self._context.watch(stream, request, response)
            error = self._meaning(request, response)
            if error is None:
                try:
                    if is_too_deep(response.content):
                        raise ValueError(f"it is nested deeper than {DEEPEST} levels")
                    return read(response)
                except ValueError as problem:
                    error = unreadable(request, response, problem)
                except RecursionError:
                    error = unreadable(request, response, "it is nested too deep")
        is_heavy = packed.status < 300 or packed.status == 408 or packed.status >= 500
        raise Failure(error, seconds=response.seconds, is_heavy=is_heavy) from None

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
            response = self._transport.ask(request, url, headers, stream, into)
        if is_ours:
            self._learn_time(response)
            if response.status < 300:
                size = len(response.packed or response.content)
                # How long a file takes tells of its size, which is not known.
                self.limits.answered(f"{stream}/{size.bit_length() // 2}", 0 if into is not None else response.seconds)
        return response

    def _wait_for_turn(self, request: Request, stream: str, turn: ExitStack) -> float:
        """Seconds waited; the turn lasts as long as `turn`."""
        is_waiting = self.limits.delay(request.quota) > 0
        if is_waiting:
            self.report.waiting(stream, True)
        try:
            waited = turn.enter_context(self.limits.slot(request.quota, ahead=request.ahead))
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

    def _url(self, request: Request) -> tuple[str, bool]:
        """The whole URL, and whether it is the API's own: only then may the credential go with it."""
        base = self._base_url if isinstance(self._base_url, str) else self._base_url()
        if base != self._checked_base:
            check_base_url(base)
            self._checked_base = base
            self.report.host = self.host
        url: Any = request.path  # from an answer, it may be anything
        if not isinstance(url, str) or (url.startswith(("https://", "http://")) and not is_url(url)):
            error = ApiError(f"{named(request)} cannot be asked for: the link that the API gave is no URL.")
            raise Failure(error, seconds=0, is_heavy=False)
        if url.startswith(("https://", "http://")):
            is_ours = origin(url) == origin(base)
            if not is_ours and not is_safe(url):
                error = ApiError(f"{named(request)} is not asked for, since it is no https URL.")
                raise Failure(error, seconds=0, is_heavy=False)
        else:
            is_ours = True
            url = f"{base.rstrip('/')}/{url.lstrip('/')}" if url else base
        if request.params:
            url += ("&" if "?" in url else "?") + query(request.params)
        return url, is_ours

    def _redirect(self, request: Request, response: Response) -> str | None:
        """Where the answer sends the request, if that is at the same host and the request may simply be repeated."""
        location = response.headers.get("Location")
        if not location or response.status not in (301, 302, 303, 307, 308):
            return None
        url = self._url(request)[0]
        try:
            target = urljoin(url, location)
        except ValueError:
            return None
        if not is_url(target):
            return None
        may_repeat = request.method == "GET" or response.status in (307, 308)
        return target if may_repeat and origin(target) == origin(url) else None

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
        if (moment := http_date(date)) is not None:
            self._server_time = (self._judged(moment, response), self._clock())
            if self._started_at is None:
                self._started_at = canonical(self._server_time[0])

    def _judged(self, moment: datetime, response: Response) -> datetime:
        """The instant to go by when an answer says that it is `moment`. A clock may be wrong, the API's or ours, and
        what is read up to tomorrow is not read again: where they differ, the earlier one is safe.
        """
        ours = self._context.today()
        if is_loopback(urlsplit(response.url).hostname):  # a sandbox says by which clock it lives
            ours = http_date(response.headers.get("Sandbox-Time", "")) or ours
        ahead = (moment - ours).total_seconds()
        self._ahead.append(ahead)
        usual = median_low(self._ahead)
        if abs(usual) > CLOCK_SECONDS and not self._is_clock_told:
            self._is_clock_told = True
            self.report.warn(
                "",
                f"the API's clock says {canonical(moment)}, this machine's {canonical(ours)}: the earlier one counts. "
                "Set this machine's clock if it is the wrong one.",
            )
        if usual > CLOCK_SECONDS:
            return ours
        # One answer among others that is far off, from a cache or a proxy, is not heard.
        return moment if abs(ahead - usual) <= CLOCK_SECONDS else ours + timedelta(seconds=usual)


def _growing_waits(cap_seconds: float) -> Iterator[float]:
    """Anything from 0 to 1, 2, 4 … `cap_seconds`: full jitter, so that workers do not come back together."""
    import backoff

    bounds = backoff.expo(max_value=cap_seconds)
    next(bounds)  # the library's generators begin with an empty step
    for bound in bounds:
        yield backoff.full_jitter(bound)
