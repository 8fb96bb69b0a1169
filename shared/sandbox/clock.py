"""The sandbox's own time."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

EPOCH = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)
"""What the clock says when day 0 begins."""


class Clock:
    """The sandbox's time: stands still until started, then runs `speed` times as fast as real time."""

    def __init__(self, day: int, speed: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._base, self._speed, self._monotonic = EPOCH + timedelta(days=day), speed, monotonic
        self._started: float | None = None
        self._date = (-1, "")

    def start(self) -> None:
        """Begin to run."""
        self._started = self._monotonic()

    def advance(self, days: int) -> None:
        """Jump ahead."""
        self._base += timedelta(days=days)

    def now(self) -> datetime:
        """The sandbox's current time."""
        elapsed = 0.0 if self._started is None else self._monotonic() - self._started
        return self._base + timedelta(seconds=elapsed * self._speed)

    def __str__(self) -> str:
        return self.now().isoformat()

    def http_date(self) -> str:
        """Now as the `Date` header has it."""
        now = self.now()
        second = int(now.timestamp())
        if self._date[0] != second:
            self._date = (second, format_datetime(now, usegmt=True))
        return self._date[1]
