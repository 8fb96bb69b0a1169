"""Whose answer is read next: one at a time, the smallest first.

A chain of requests goes on only when its last answer has been read. Where large pages wait to be read too, a small one
is soon done with, and the next of its chain on its way meanwhile.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """A lock for which those who wait stand in order of size. A thread that has it may take it again."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[int, int]] = []
        self._numbers = itertools.count()
        self._holder: int | None = None

    @contextmanager
    def turn(self, size: int) -> Iterator[None]:
        """Blocks until it is this thread's turn, and has it until the end of the block."""
        me = threading.get_ident()
        if self._holder == me:
            yield
            return
        with self._changed:
            ticket = (size, next(self._numbers))
            heapq.heappush(self._waiting, ticket)
            self._changed.wait_for(lambda: self._holder is None and self._waiting[0] == ticket)
            heapq.heappop(self._waiting)
            self._holder = me
        try:
            yield
        finally:
            with self._changed:
                self._holder = None
                self._changed.notify_all()
