"""When the next request may begin: quotas as exact sliding windows, connections, pauses. Knows no HTTP.

A fixed window or a bucket that starts full lets nearly 2N requests through in W seconds, and the server counts; so
every begin is remembered, and request number n waits until W seconds after the begin of number n - N. Servers count at
arrival: where this matters (connections still being set up), give the window a few hundredths more than W.

Who waits, waits in line: a request may begin once there is room for it and for all that came before it, so nobody
starves; only those of a long chain, of which there are few, go ahead of the others. Rate and connection are taken
together, at the begin: what waits for its rate holds no connection. The clock and the wait are arguments, so that tests
never sleep.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

Rates = tuple[tuple[int, float], ...]

ADAPT_SECONDS = 60.0
"""How long a part of a rate stays given up after the API complained."""
DEAF_SECONDS = 1.0
"""Complaints that come within so long are one."""
CALM_ROUNDS = 3
"""After so many times as many good answers as there is room for, there is room for one more."""
RECENT_ANSWERS = 8
"""Over about so many answers of a kind it is taken how long they take now."""
FORGETS = 1.01
"""By so much what a kind of answer took at best is forgotten with each one."""
SLOW_FACTOR, SLOW_SECONDS = 3.0, 0.2
"""Answers that take so many times as long as at best, and so much longer, come from a server that queues."""
_SHORTEST_WAIT = 0.001
_LOOK_AGAIN = 0.2  # a thread that waits for a connection looks this often whether the run is being stopped
_SOON = 0.05


@dataclass(frozen=True, slots=True)
class Quota:
    """One limit of an API: at most N requests begun within any W seconds, for each (N, W) of `rates`.

    `connections`: how many of its requests may be under way at once. The quota named "" is that of all requests that
    name none.
    """

    name: str
    rates: Rates = ()
    connections: int | None = None


class _Line:
    """One quota's begins, pause and requests under way."""

    def __init__(self, quota: Quota) -> None:
        self.connections = quota.connections
        self.busy = 0
        self.paused_until = float("-inf")
        self.given_up: list[float] = []  # until when, for each time the API complained
        self.begins: deque[float] = deque()
        self.learn(quota.rates)

    def learn(self, rates: Rates) -> None:
        if any(count < 1 or seconds <= 0 for count, seconds in rates):
            raise ValueError(f"a rate needs at least one request in more than no seconds: {rates}")
        self.rates = rates
        self.begins = deque(self.begins, maxlen=max((count for count, _ in rates), default=0))
        self.given_up = []

    def earliest(self, position: int, now: float) -> float:
        """When the request at `position` of the line may begin."""
        earliest = self.paused_until
        for count, seconds in self.rates:
            count = self._allowed(count, now)
            rounds, index = divmod(position, count)
            index += len(self.begins) - count
            if index >= 0:
                earliest = max(earliest, self.begins[index] + (rounds + 1) * seconds)
            elif rounds:
                earliest = max(earliest, now + rounds * seconds)
        return earliest

    def _allowed(self, count: int, now: float) -> int:
        """`count`, less a tenth for each recent complaint, yet half of it at least: others draw on the quota too."""
        if not self.given_up:
            return count
        self.given_up = [until for until in self.given_up if until > now]
        return max(count - len(self.given_up) * max(count // 10, 1), (count + 1) // 2)


class Room:
    """How many requests a server bears at once, found by its answers: never more than `most`.

    A complaint takes half of the room away; of those that come together, being answers to requests that were under way
    together, the first one counts. So does a round of answers, as many as there is room for, that all took much longer
    than such answers did before: that takes a quarter, for the server has begun to queue. After some calm rounds there
    is room for one more. How long answers took is kept by their `kind`: a large page is not slow by being large. What
    they took at best is slowly forgotten, so that a server which has become slower is not taken for a full one.
    """

    def __init__(self, most: int) -> None:
        self.most = self.allowed = most
        self._deaf_until = float("-inf")
        self._calm = self._slow = 0
        self._times: dict[str, tuple[float, float]] = {}

    def complain(self, now: float) -> None:
        """The server said that it was too much."""
        self._calm = self._slow = 0
        if now >= self._deaf_until:
            self._deaf_until = now + DEAF_SECONDS
            self.allowed = max(self.allowed // 2, 1)

    def answered(self, kind: str, seconds: float) -> None:
        """A good answer came after so long."""
        recent, best = self._times.get(kind, (seconds, seconds))
        recent += (seconds - recent) / RECENT_ANSWERS
        best = min(best * FORGETS, recent)
        self._times[kind] = recent, best
        if recent > SLOW_FACTOR * best + SLOW_SECONDS:
            self._calm, self._slow = 0, self._slow + 1
            if self._slow >= self.allowed:
                self._slow = 0
                self.allowed = max(self.allowed - max(self.allowed // 4, 1), min(self.allowed, self.most // 4), 1)
            return
        self._calm, self._slow = self._calm + 1, 0
        if self._calm >= CALM_ROUNDS * self.allowed and self.allowed < self.most:
            self._calm = 0
            self.allowed += 1


class _Ticket:
    """A thread's place in the line."""

    __slots__ = ("ahead", "is_ready", "line")

    def __init__(self, line: _Line, ahead: bool = False) -> None:
        self.line, self.ahead = line, ahead
        self.is_ready = False


class Limits:
    """The limits of one API, shared by all threads that ask it."""

    def __init__(
        self,
        *,
        connections: int,
        quotas: Sequence[Quota] = (),
        clock: Callable[[], float] | None = None,
        wait: Callable[[float], None] | None = None,
    ) -> None:
        """`wait` sleeps, and raises Stopped when the run is being stopped (at once for 0 seconds). See `keep_time`."""
        self.connections = max(connections, 1)
        self._room = Room(self.connections)
        self._has_time = clock is not None
        self._clock = clock or time.monotonic
        self._wait = wait or time.sleep
        self._lines = {quota.name: _Line(quota) for quota in quotas}
        self._waiting: list[_Ticket] = []
        self._busy = 0
        self._paused_until = float("-inf")
        self._changed = threading.Condition()

    def keep_time(self, clock: Callable[[], float], wait: Callable[[float], None]) -> None:
        """Go by this clock and this wait, unless some were given at the start: the client lends its own."""
        if not self._has_time:
            self._clock, self._wait = clock, wait

    @property
    def allowed(self) -> int:
        """How many requests may be under way at the same time now."""
        return self._room.allowed

    @contextmanager
    def slot(self, quota: str = "", *, ahead: bool = False) -> Iterator[float]:
        """Blocks until a request of `quota` may begin, holds a connection for it, and gives the seconds waited.

        `ahead`: it goes before those in line that are not.
        """
        with self._changed:
            line = self._line(quota)
        waited = self._begin(line, ahead)
        try:
            yield waited
        finally:
            with self._changed:
                self._busy -= 1
                line.busy -= 1
                self._changed.notify_all()

    def delay(self, quota: str = "") -> float:
        """Seconds until a request of `quota` could begin, behind those in line already; 0 = at once. Never blocks."""
        with self._changed:
            line = self._line(quota)
            now = self._clock()
            position = sum(ticket.line is line for ticket in self._waiting)
            seconds = self._earliest(line, position, now) - now
            if seconds > 0:
                return seconds
            return 0.0 if self._has_connection(line, self._waiting) else _SOON

    def least_seconds(self, quota: str, requests: int) -> float:
        """How long so many requests of a quota take at the very least."""
        with self._changed:
            rates = self._line(quota).rates
        return max(((requests - 1) // count * seconds for count, seconds in rates if requests), default=0.0)

    def pause(self, seconds: float, quota: str | None = None) -> None:
        """No request of `quota` (of any, without one) begins for so long, and its rate is lower for a while."""
        with self._changed:
            now = self._clock()
            if quota is None:
                self._paused_until = max(self._paused_until, now + seconds)
                return
            line = self._line(quota)
            if line.rates and line.paused_until <= now:  # a burst of refusals is one complaint
                line.given_up.append(now + seconds + ADAPT_SECONDS)
            line.paused_until = max(line.paused_until, now + seconds)

    def fewer_connections(self) -> None:
        """The API complained of too many requests at once: see `Room`."""
        with self._changed:
            self._room.complain(self._clock())

    def answered(self, kind: str, seconds: float) -> None:
        """A good answer came, `seconds` after its request. `kind` tells answers apart that take their time anyway."""
        with self._changed:
            self._room.answered(kind, seconds)

    def learn(self, quota: str, rates: Rates) -> None:
        """The API said what `quota` really is."""
        with self._changed:
            self._line(quota).learn(rates)
            self._changed.notify_all()

    def _begin(self, line: _Line, ahead: bool) -> float:
        ticket = _Ticket(line, ahead)
        arrived = self._clock()
        has_waited = False
        with self._changed:
            place = sum(other.ahead for other in self._waiting) if ahead else len(self._waiting)
            self._waiting.insert(place, ticket)
        try:
            while True:
                with self._changed:
                    seconds = self._look(ticket)
                    if seconds is None:
                        return self._clock() - arrived if has_waited else 0.0
                    if seconds == 0:
                        self._changed.wait(_LOOK_AGAIN)
                has_waited = True
                self._wait(max(seconds, _SHORTEST_WAIT) if seconds else 0)
        finally:
            with self._changed:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def _look(self, ticket: _Ticket) -> float | None:
        """None: it has begun. Otherwise the seconds until it may, or 0 when only a connection is wanting."""
        line = ticket.line
        now = self._clock()
        before = self._waiting[: self._waiting.index(ticket)]
        position = sum(other.line is line for other in before)
        earliest = self._earliest(line, position, now)
        ticket.is_ready = earliest <= now
        if not ticket.is_ready:
            return earliest - now
        if not self._has_connection(line, before):
            return 0.0
        line.begins.append(now)
        line.busy += 1
        self._busy += 1
        return None

    def _line(self, quota: str) -> _Line:
        line = self._lines.get(quota)
        if line is None:
            line = self._lines[quota] = _Line(Quota(quota))
        return line

    def _earliest(self, line: _Line, position: int, now: float) -> float:
        return max(line.earliest(position, now), self._paused_until)

    def _has_connection(self, line: _Line, before: Sequence[_Ticket]) -> bool:
        """Whether a connection is left after all in line before have taken the ones they could use now."""
        free = self._room.allowed - self._busy
        wanted: dict[int, int] = {}
        for ticket in before:
            if ticket.is_ready:
                place = wanted.get(id(ticket.line), 0)
                if ticket.line.connections is None or ticket.line.busy + place < ticket.line.connections:
                    wanted[id(ticket.line)] = place + 1
        if line.connections is not None and line.busy + wanted.get(id(line), 0) >= line.connections:
            return False
        return free > sum(wanted.values())
