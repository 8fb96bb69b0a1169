"""Whose answer is read next."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from shared.api.reading_order import BYTES_A_SECOND, ReadingOrder

MEGABYTE = BYTES_A_SECOND


class Line:
    """Threads that take turns, by a clock that stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = ReadingOrder(lambda: self.now)
        self.order: list[str] = []
        self.threads: list[threading.Thread] = []

    def wait(self, name: str, size: int) -> None:
        """A thread that waits from now on."""
        waiting = len(self.turns._waiting)

        def take() -> None:
            with self.turns.turn(size), self.turns.turn(0):
                self.order.append(name)

        self.threads.append(threading.Thread(target=take, daemon=True))
        self.threads[-1].start()
        while len(self.turns._waiting) == waiting:
            pass


@contextmanager
def a_line() -> Iterator[Line]:
    """Somebody has the turn until the end of the block; then all have theirs."""
    line = Line()
    with line.turns.turn(0):
        yield line
    for thread in line.threads:
        thread.join(5)


def test_the_smallest_that_waits_is_next_and_a_holder_may_come_again() -> None:
    with a_line() as line:
        for size in (5, 9, 1, 7):
            line.wait(str(size), size * MEGABYTE)
    assert line.order == ["1", "5", "7", "9"]


def test_a_large_one_waits_no_longer_than_its_size_is_worth() -> None:
    with a_line() as line:
        line.wait("large", 3 * MEGABYTE)
        line.now = 2.0
        line.wait("small", 0)
        line.now = 4.0
        line.wait("late", 0)
    assert line.order == ["small", "large", "late"]
