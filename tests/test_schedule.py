"""The queue: parents first, large units first, at most so many at once, and done exactly once."""

from __future__ import annotations

import random
import threading
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.api.answers import Response
from shared.protocol.state import Bookmark
from shared.streams import Outcome, Stream, Unit, Window
from shared.sync.paging import Prefetch
from shared.sync.run import Run, Waiting
from shared.sync.schedule import Active, Schedule
from shared.sync.units import Reading
from shared.sync.windows import WindowPlan
from shared.timestamps import from_seconds


def run_of(**row: Any) -> Run:
    return Run(Reading(stream=Stream(name="s", **row), settings={}, now="", incremental=False))


def schedule(delay: float = 0.0) -> Schedule:
    return Schedule(delay=lambda quota: delay)


def active(run: Run, size: int = 0) -> Active:
    return Active(run, Unit(stream="s"), SimpleNamespace(is_over=False), size)  # type: ignore[arg-type]


def test_large_units_are_handed_out_first_and_the_end_is_told() -> None:
    queue, run = schedule(), run_of()
    for size in (1, 50, 7):
        queue.add(Waiting(run, {"size": size}), size=size)
    taken = []
    for _ in range(3):
        found = queue.take()
        assert isinstance(found, Waiting)
        taken.append(found.parent["size"])
        queue.idle()
    assert taken == [50, 7, 1]
    assert queue.take() is None


def test_a_long_chain_goes_before_all_else_that_is_ready() -> None:
    queue = schedule()
    large, chain = active(run_of(), 10**9), active(run_of(ahead=True))
    queue.prefetch(Prefetch(lambda: Response(200)))
    queue.again(large)
    queue.again(chain)
    assert queue.take() is chain
    assert isinstance(queue.take(), Prefetch)
    assert queue.take() is large


def test_a_parents_reader_goes_first_until_too_many_children_wait(monkeypatch: Any) -> None:
    monkeypatch.setattr("shared.sync.schedule.BACKLOG", 2)
    queue, parent, child = schedule(), run_of(), run_of()
    parent.children.append((child, None))  # type: ignore[arg-type]
    queue.add(Waiting(child, {}))
    queue.take()
    reader = active(parent)
    queue.again(reader)
    queue.add(Waiting(child, {}))
    assert queue.take() is reader
    queue.again(reader)
    queue.add(Waiting(child, {}))
    assert isinstance(queue.take(), Waiting)
    assert queue.take() is reader


def test_a_row_limits_how_many_of_its_units_are_under_way() -> None:
    queue, run = schedule(), run_of(at_once=1)
    queue.add(Waiting(run, {}))
    queue.add(Waiting(run, {}))
    first = queue.take()
    assert isinstance(first, Waiting)
    queue.begin(active(run))
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(queue.take()))
    thread.start()
    queue.ended(run)
    thread.join(5)
    assert isinstance(got[0], Waiting)


def test_a_scarce_quota_is_waited_for_without_a_worker() -> None:
    now = [0.0]
    queue = Schedule(delay=lambda quota: 30.0, clock=lambda: now[0])
    scarce, plain = active(run_of(quota="exports")), active(run_of())
    for each in (scarce, plain):
        queue._busy += 1
        queue.again(each)
    assert queue.take() is plain
    over = active(run_of(quota="exports"))
    over.reader = SimpleNamespace(is_over=True)  # type: ignore[assignment]
    queue.again(over)
    assert queue.take() is over, "it has nothing more to ask for"
    now[0] = 31.0
    assert queue.take() is scarce


@given(st.integers(1, 6), st.integers(0, 40), st.integers(0, 2**32))
def test_every_unit_is_handed_out_once_and_the_stream_ends_once(workers: int, units: int, seed: int) -> None:
    queue, run, taken, ended = schedule(), run_of(), [], []
    chance = random.Random(seed)
    queue.hold(run)
    for number in range(units):
        queue.add(Waiting(run, {"n": number}), size=chance.randint(0, 3))
    lock = threading.Lock()

    def close() -> None:
        if queue.close(run):
            ended.append(1)

    def work() -> None:
        while (found := queue.take()) is not None:
            with lock:
                if isinstance(found, Waiting):
                    taken.append(found.parent["n"])
                    steps = chance.randint(0, 2)
                    one = active(run)
                    one.size = steps
                    queue.begin(one)
                else:
                    assert isinstance(found, Active)
                    one = found
            if one.size:
                one.size -= 1
                queue.again(one)
            else:
                close()
                queue.ended(run)
                queue.idle()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    close()
    for thread in threads:
        thread.join(20)
    assert sorted(taken) == list(range(units))
    assert ended == [1]


def second(number: int) -> str:
    found = from_seconds(1_700_000_000 + number)
    assert found
    return found


def test_a_plan_is_over_once_even_when_its_last_windows_end_together() -> None:
    queue, run = schedule(), run_of(window=Window(first=1 / 86_400, largest=1))
    base = Unit(stream="s", since=second(0), now=second(5))
    plan = WindowPlan.of(base, Window(first=1 / 86_400, largest=1 / 86_400), Bookmark())
    queue.add_plan(run, plan, None)
    windows = []
    while isinstance(found := queue.take(), WindowPlan):
        window = queue.next_window(found)
        assert window is not None
        windows.append(window)
        if len(windows) == 5:
            break
    for window in windows:
        queue.window_ended(plan, window, Outcome(1, 1, 1, 1.0))
    assert [queue.plan_is_over(plan, drop=False) for _ in range(3)] == [True, False, False]
