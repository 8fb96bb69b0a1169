"""Whose answer is read next."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from shared.turns import BYTES_A_SECOND, Turns

MEGABYTE = BYTES_A_SECOND


class Line:
    """Threads that take turns, by a clock that stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = Turns(lambda: self.now)
        self.order: list[str] = []
        self.prepared: list[str] = []
        self.threads: list[threading.Thread] = []

    def wait(self, name: str, size: int, prepare: Callable[[], None] = lambda: None) -> None:
        """A thread that waits from now on."""
        waiting = len(self.turns._waiting)

        def prepared() -> str:
            prepare()
            self.prepared.append(name)
            return name

        def take() -> None:
            try:
                with self.turns.turn(size, prepared) as mine, self.turns.turn(0, lambda: 1):
                    self.order.append(mine)
            except ArithmeticError:
                self.order.append(f"not {name}")

        self.threads.append(threading.Thread(target=take, daemon=True))
        self.threads[-1].start()
        while len(self.turns._waiting) == waiting:
            pass


@contextmanager
def a_line() -> Iterator[Line]:
    """Somebody has the turn until the end of the block; then all have theirs."""
    line = Line()
    with line.turns.turn(0, lambda: None):
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


def test_the_next_one_is_prepared_while_another_has_the_turn() -> None:
    with a_line() as line:
        line.wait("first", 1)
        line.wait("second", 2)
        while line.prepared != ["first"]:
            pass
        assert not line.order
    assert line.order == line.prepared == ["first", "second"]


@pytest.mark.parametrize("size", [0, MEGABYTE])
def test_one_that_cannot_be_prepared_holds_nobody_up(size: int) -> None:
    stands_in_line = threading.Event()

    def broken() -> None:
        stands_in_line.wait(5)
        raise ZeroDivisionError

    with a_line() as line:
        line.wait("other", MEGABYTE // 2)
        before = line.turns._holder
        line.wait("broken", size, broken)
        stands_in_line.set()
        while size == 0 and not line.order:
            pass
        assert line.turns._holder == before
    assert sorted(line.order) == ["not broken", "other"]
