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
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

BYTES_A_SECOND = 500_000
"""A page of so many bytes (compressed) lets those pass that come within a second of it, if they are much smaller."""


@dataclass(order=True)
class _Ticket:
    key: tuple[float, int]
    called: threading.Event = field(default_factory=threading.Event, compare=False)
    is_ready: bool = field(default=False, compare=False)


class Turns:
    """A lock for which those who wait stand in order of arrival and size. A thread that has it may take it again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._numbers = itertools.count()
        self._line = threading.Lock()
        self._waiting: list[_Ticket] = []
        self._preparing: _Ticket | None = None
        self._turn: _Ticket | None = None
        self._holder: int | None = None

    @contextmanager
    def turn(self, size: int, prepare: Callable[[], T]) -> Iterator[T]:
        """Blocks until it is this thread's turn, and has it until the end of the block. `prepare` gives what the block
        gets; whoever is next calls it beside the one who has the turn.
        """
        me = threading.get_ident()
        if self._holder == me:
            yield prepare()
            return
        mine = _Ticket((self._clock() + size / BYTES_A_SECOND, next(self._numbers)))
        with self._line:
            heapq.heappush(self._waiting, mine)
            self._call()
        try:
            mine.called.wait()  # to prepare, or to its turn at once
            made = prepare()
            with self._line:
                mine.called.clear()
                mine.is_ready = True
                self._preparing = None if self._preparing is mine else self._preparing
                self._call()
            if self._turn is not mine:
                mine.called.wait()
            self._holder = me
            yield made
        finally:
            with self._line:
                if self._turn is mine:
                    self._turn = self._holder = None
                else:
                    self._waiting.remove(mine)
                    heapq.heapify(self._waiting)
                self._preparing = None if self._preparing is mine else self._preparing
                self._call()

    def _call(self) -> None:
        """Give the turn to the first in line when nobody has it; have the next one prepare."""
        if self._waiting and self._turn is None:
            self._turn = heapq.heappop(self._waiting)
            self._turn.called.set()
        if self._waiting and self._preparing is None and not self._waiting[0].is_ready:
            self._preparing = self._waiting[0]
            self._preparing.called.set()
