"""Whose answer is read next: one at a time, small ones before large ones that came at the same time.

A chain of requests goes on only when its last answer has been read. Where large pages wait to be read too, a small one
is soon done with, and the next of its chain on its way meanwhile. A large page waits no longer for that than its size
is worth: the chain behind it would be left to the end.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

BYTES_A_SECOND = 500_000
"""A page of so many bytes (compressed) lets those pass that come within a second of it, if they are much smaller."""


class ReadingOrder:
    """A lock for which those who wait stand in order of arrival and size. A thread that has it may take it again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._numbers = itertools.count()
        self._line = threading.Lock()
        self._waiting: list[tuple[float, int, threading.Event]] = []
        self._is_taken = False
        self._holder: int | None = None

    @contextmanager
    def turn(self, size: int) -> Iterator[None]:
        """Blocks until it is this thread's turn, and has it until the end of the block."""
        me = threading.get_ident()
        if self._holder == me:
            yield
            return
        called = threading.Event()
        with self._line:
            heapq.heappush(self._waiting, (self._clock() + size / BYTES_A_SECOND, next(self._numbers), called))
            self._call()
        called.wait()
        self._holder = me
        try:
            yield
        finally:
            with self._line:
                self._holder, self._is_taken = None, False
                self._call()

    def _call(self) -> None:
        """Wake the first in line, and nobody else, when nobody has the turn."""
        if self._waiting and not self._is_taken:
            self._is_taken = True
            heapq.heappop(self._waiting)[2].set()
