"""Whose answer is read next."""

from __future__ import annotations

import threading

from shared.turns import Turns


def test_the_smallest_that_waits_is_next_and_a_holder_may_come_again() -> None:
    turns, order = Turns(), list[int]()
    threads = []

    def take(size: int) -> None:
        with turns.turn(size), turns.turn(0):
            order.append(size)

    with turns.turn(0):
        for count, size in enumerate((5, 9, 1, 7), 1):
            threads.append(threading.Thread(target=take, args=(size,)))
            threads[-1].start()
            while len(turns._waiting) < count:
                pass
    for thread in threads:
        thread.join(5)
    assert order == [1, 5, 7, 9]
