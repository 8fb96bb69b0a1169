"""What was asked of a sandbox."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from typing import Any

LOGGED_REQUESTS = 50_000


class Counts:
    """What was asked, as benchmarks and tests want to know it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.faults: Counter[str] = Counter()
        self.ignored: Counter[str] = Counter()
        self.log: deque[tuple[str, str, str]] = deque(maxlen=LOGGED_REQUESTS)
        self.sent_bytes = 0
        self.in_flight = self.most_in_flight = 0
        self.first: float | None = None
        self.last: float | None = None

    def begin(self, method: str, target: str) -> int:
        """A request came in; how many are under way now."""
        path, _, query = target.partition("?")
        with self._lock:
            self.first = time.monotonic() if self.first is None else self.first
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            self.log.append((method, path, query))
            return self.in_flight

    def end(self, route: str, status: int, fault: str | None, size: int) -> None:
        """Its answer goes out (counted before it is sent, so that the client cannot be ahead of the count)."""
        with self._lock:
            self.in_flight -= 1
            self.last = time.monotonic()
            self.requests[route] += 1
            self.statuses[status] += 1
            self.sent_bytes += size
            if fault:
                self.faults[fault] += 1

    def summary(self) -> dict[str, Any]:
        """All of it but the log, ready for JSON."""
        with self._lock:
            seconds = self.last - self.first if self.first is not None and self.last is not None else 0.0
            return {
                "requests": sum(self.requests.values()),
                "routes": dict(self.requests.most_common()),
                "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
                "faults": dict(self.faults),
                "ignored_parameters": dict(self.ignored),
                "most_in_flight": self.most_in_flight,
                "sent_bytes": self.sent_bytes,
                "first": self.first,
                "last": self.last,
                "seconds": seconds,
            }
