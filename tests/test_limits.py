from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.api.limits import ADAPT_SECONDS, CALM_ROUNDS, DEAF_SECONDS, Limits, Quota, Room, _Ticket
from shared.errors import Stopped

# Ticks of 1/64 s keep sums exact, so that "never more than" can be tested without a tolerance.
TICK = 1 / 64


class Clock:
    """A clock that stands still unless somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


class SharedClock:
    """A clock for threads: it moves on when every one of them waits."""

    def __init__(self, threads: int) -> None:
        self.now = 0.0
        self._running = threads
        self._wakes: list[float] = []
        self._changed = threading.Condition()

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        if not seconds:
            return
        with self._changed:
            wake = self.now + seconds
            self._wakes.append(wake)
            self._running -= 1
            self._move()
            while self.now < wake:
                self._changed.wait()
            self._running += 1

    def leave(self) -> None:
        with self._changed:
            self._running -= 1
            self._move()

    def _move(self) -> None:
        if self._running == 0 and self._wakes:
            self.now = max(self.now, min(self._wakes))
            self._wakes = [wake for wake in self._wakes if wake > self.now]
            self._changed.notify_all()


def in_threads(work: Sequence[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=one, daemon=True) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def most_in_any_window(begins: Sequence[float], seconds: float) -> int:
    return max((sum(first <= later < first + seconds for later in begins) for first in begins), default=0)


rates = st.tuples(st.integers(1, 6), st.integers(1, 256).map(lambda ticks: ticks * TICK))


class Simulation:
    """Workers that come, hold a connection for a while and go, in an order that Hypothesis chooses."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self.limits, self.clock = limits, clock
        self.begins: dict[str, list[tuple[float, int]]] = defaultdict(list)
        self.under_way: list[tuple[float, str]] = []
        self.most_under_way: dict[str, int] = defaultdict(int)
        self.waiting: list[tuple[_Ticket, str, int, float]] = []
        self.arrivals = 0

    def arrive(self, quota: str, hold: float) -> None:
        ticket = _Ticket(self.limits._line(quota))
        self.limits._waiting.append(ticket)
        self.waiting.append((ticket, quota, self.arrivals, hold))
        self.arrivals += 1

    def look(self, order: Sequence[int]) -> None:
        """Ends what is over, then lets everybody look, the ones in `order` first."""
        now = self.clock.now
        for over in [one for one in self.under_way if one[0] <= now]:
            self.under_way.remove(over)
            self.limits._busy -= 1
            self.limits._line(over[1]).busy -= 1
        first = [self.waiting[index] for index in dict.fromkeys(i % len(self.waiting) for i in order)] if order else []
        for one in [*first, *(one for one in self.waiting if one not in first)]:
            ticket, quota, arrival, hold = one
            if self.limits._look(ticket) is None:
                self.limits._waiting.remove(ticket)
                self.waiting.remove(one)
                self.begins[quota].append((now, arrival))
                self.under_way.append((now + hold, quota))
                for name in {quota, "*"}:
                    count = sum(name in ("*", held) for _, held in self.under_way)
                    self.most_under_way[name] = max(self.most_under_way[name], count)


@settings(max_examples=120, deadline=None)
@given(
    quotas=st.lists(
        st.tuples(st.lists(rates, min_size=1, max_size=2), st.none() | st.integers(1, 3)), min_size=1, max_size=3
    ),
    connections=st.integers(1, 4),
    steps=st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), max_size=4),
            st.integers(0, 60),
            st.lists(st.integers(0, 20), max_size=4),
        ),
        max_size=25,
    ),
)
def test_any_arrivals_keep_every_window_every_connection_count_and_come_to_their_turn(
    quotas: list[tuple[list[tuple[int, float]], int | None]],
    connections: int,
    steps: list[tuple[list[tuple[int, int]], int, list[int]]],
) -> None:
    clock = Clock()
    declared = [Quota(str(n), tuple(windows), own) for n, (windows, own) in enumerate(quotas)]
    limits = Limits(connections=connections, quotas=declared, clock=clock, wait=clock.wait)
    simulation = Simulation(limits, clock)
    for arrivals, ticks, order in steps:
        for which, hold in arrivals:
            simulation.arrive(declared[which % len(declared)].name, hold * TICK)
        simulation.look(order if simulation.waiting else [])
        clock.now += ticks * TICK
    for _ in range(20_000):
        if not simulation.waiting:
            break
        simulation.look([])
        clock.now += 32 * TICK
    assert not simulation.waiting, "somebody starves"
    assert simulation.most_under_way["*"] <= connections
    for quota in declared:
        begins = [moment for moment, _ in simulation.begins[quota.name]]
        for count, seconds in quota.rates:
            assert most_in_any_window(begins, seconds) <= count
        assert simulation.most_under_way[quota.name] <= (quota.connections or connections)


@settings(max_examples=25, deadline=None)
@given(windows=st.lists(rates, min_size=1, max_size=2), workers=st.integers(1, 5), each=st.integers(1, 6))
def test_threads_never_begin_more_than_a_window_allows(
    windows: list[tuple[int, float]], workers: int, each: int
) -> None:
    clock = SharedClock(workers)
    limits = Limits(connections=workers, quotas=[Quota("", tuple(windows))], clock=clock, wait=clock.wait)
    begins: list[float] = []

    def work() -> None:
        for _ in range(each):
            with limits.slot():
                begins.append(clock())
        clock.leave()

    in_threads([work] * workers)
    assert len(begins) == workers * each
    for count, seconds in windows:
        ordered = sorted(begins)
        # Wakes are rounded up to a millisecond, so times are no multiples of a tick here.
        assert all(later - first >= seconds - 1e-9 for first, later in zip(ordered, ordered[count:], strict=False))


def test_a_window_is_used_to_the_full() -> None:
    clock = Clock()
    limits = Limits(connections=1, quotas=[Quota("", ((4, 60),))], clock=clock, wait=clock.wait)
    begins = []
    for _ in range(9):
        with limits.slot():
            begins.append(clock.now - 1000)
    assert begins == [0, 0, 0, 0, 60, 60, 60, 60, 120]


def test_requests_of_other_quotas_do_not_wait() -> None:
    clock = Clock()
    limits = Limits(connections=2, quotas=[Quota("rare", ((1, 3600),))], clock=clock, wait=clock.wait)
    with limits.slot("rare"), limits.slot("common") as waited:
        assert waited == 0
    assert limits.delay("rare") == 3600
    assert limits.delay("common") == 0


def test_delay_counts_those_in_line_and_never_blocks() -> None:
    clock = Clock()
    limits = Limits(connections=8, quotas=[Quota("", ((1, 10),))], clock=clock, wait=clock.wait)
    with limits.slot():
        pass
    limits._waiting.append(_Ticket(limits._line("")))
    assert limits.delay() == 20


def test_a_request_of_a_long_chain_goes_before_those_in_line() -> None:
    clock = Clock()
    limits = Limits(connections=8, quotas=[Quota("", ((1, 10),))], clock=clock, wait=clock.wait)
    with limits.slot():
        pass
    limits._waiting += [_Ticket(limits._line(""), ahead=True), _Ticket(limits._line(""))]
    with limits.slot(ahead=True) as waited:
        assert waited == 20, "one chain goes before another only when its turn comes"
    assert [ticket.ahead for ticket in limits._waiting] == [True, False]


def test_delay_says_soon_when_only_a_connection_is_wanting() -> None:
    limits = Limits(connections=1)
    with limits.slot():
        assert 0 < limits.delay() < 1
    assert limits.delay() == 0


def test_what_waits_for_its_rate_holds_no_connection() -> None:
    clock = Clock()
    busy: list[int] = []

    def wait(seconds: float) -> None:
        busy.append(limits._busy)
        clock.wait(seconds)

    limits = Limits(connections=1, quotas=[Quota("", ((1, 10),))], clock=clock, wait=wait)
    for _ in range(3):
        with limits.slot():
            pass
    assert busy == [0, 0]


def test_a_quota_may_have_fewer_connections_than_there_are() -> None:
    limits = Limits(connections=4, quotas=[Quota("narrow", connections=1)])
    under_way: list[int] = []
    held = 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal held
        for _ in range(50):
            with limits.slot("narrow"):
                with lock:
                    held += 1
                    under_way.append(held)
                with lock:
                    held -= 1

    in_threads([work] * 4)
    assert set(under_way) == {1}


def test_a_blocked_quota_leaves_the_other_connections_to_the_rest() -> None:
    limits = Limits(connections=2, quotas=[Quota("narrow", connections=1)])
    with limits.slot("narrow"):
        waiting = threading.Thread(target=lambda: limits.slot("narrow").__enter__(), daemon=True)
        waiting.start()
        while limits.delay("narrow") == 0 or not limits._waiting:
            time.sleep(0)
        with limits.slot("wide") as waited:
            assert waited == 0
    waiting.join(5)
    assert not waiting.is_alive()


def test_a_freed_connection_goes_on_at_once_to_whoever_waits() -> None:
    limits = Limits(connections=1)
    done: list[int] = []

    def work() -> None:
        for number in range(200):
            with limits.slot():
                done.append(number)

    in_threads([work] * 3)
    assert len(done) == 600


def test_a_pause_holds_everybody_of_the_quota() -> None:
    clock = Clock()
    limits = Limits(connections=8, quotas=[Quota("a", ((100, 1),)), Quota("b")], clock=clock, wait=clock.wait)
    limits.pause(30, "a")
    assert (limits.delay("a"), limits.delay("b")) == (30, 0)
    limits.pause(5)
    assert (limits.delay("a"), limits.delay("b")) == (30, 5)
    with limits.slot("a") as waited:
        assert waited == pytest.approx(30)


def test_after_a_pause_the_rate_is_lower_for_a_minute() -> None:
    clock = Clock()
    limits = Limits(connections=99, quotas=[Quota("", ((10, 1),))], clock=clock, wait=clock.wait)

    def begun_in_a_second() -> int:
        clock.now += 10
        until, count = clock.now + 1, 0
        while True:
            with limits.slot():
                if clock.now >= until:
                    return count
                count += 1

    assert begun_in_a_second() == 10
    limits.pause(1, "")
    limits.pause(1, "")  # the same burst
    clock.now += 1
    assert begun_in_a_second() == 9
    for _ in range(20):
        limits.pause(1, "")
        clock.now += 1
    assert begun_in_a_second() == 5, "half of it at least"
    clock.now += ADAPT_SECONDS
    assert begun_in_a_second() == 10


def test_a_complaint_takes_half_of_the_connections_and_never_the_last_one() -> None:
    clock = Clock()
    limits = Limits(connections=5, clock=clock, wait=clock.wait)

    def free() -> int:
        return next(n for n in range(9) if not limits._has_connection(limits._line(""), [_ready(limits)] * n))

    assert free() == limits.allowed == 5
    for _ in range(5):
        limits.fewer_connections()  # answers to what was under way together: one complaint
    assert free() == limits.allowed == 2
    for _ in range(5):
        clock.now += DEAF_SECONDS
        limits.fewer_connections()
    assert free() == 1


def test_after_calm_there_is_room_for_one_more_again_up_to_the_most() -> None:
    room = Room(4)
    room.complain(0)
    answers = []
    while room.allowed < 4:
        before = room.allowed
        for _ in range(CALM_ROUNDS * before):
            assert room.allowed == before
            room.answered("lists", 0.1)
        answers.append(room.allowed)
    assert answers == [3, 4]
    for _ in range(1000):
        room.answered("lists", 0.1)
    assert room.allowed == 4


@given(bears=st.integers(1, 16), most=st.integers(1, 16))
def test_a_server_that_bears_so_many_is_asked_by_about_so_many(bears: int, most: int) -> None:
    room, now, asked = Room(most), 0.0, []
    for _ in range(600):  # rounds of requests that are under way together
        now += DEAF_SECONDS
        for number in range(room.allowed):
            if number < bears:
                room.answered("lists", 0.1)
            else:
                room.complain(now)
        asked.append(room.allowed)
    settled = asked[200:]
    limit = min(bears, most)
    assert max(settled) <= limit + 1
    assert sum(settled) / len(settled) >= limit / 2


@pytest.mark.parametrize(("bears", "left"), [(1, 4), (4, 16), (16, 16)])
def test_rising_latency_means_fewer_and_falling_means_more(bears: int, left: int) -> None:
    room = Room(16)
    for _ in range(50):
        room.answered("lists", 0.1)
    assert room.allowed == 16
    for _ in range(60):
        room.answered("lists", 0.1 * 16 / bears)  # it queues what it cannot do at once
    assert room.allowed == left
    for _ in range(2000):
        room.answered("lists", 0.1)
    assert room.allowed == 16


def test_large_answers_are_not_slow_by_being_large_nor_is_a_slower_server_for_ever() -> None:
    room = Room(16)
    for _ in range(300):
        room.answered("summary/4", 0.05)
        room.answered("opens/11", 3.0)
    assert room.allowed == 16
    for _ in range(5000):
        room.answered("summary/4", 1.0)
    assert room.allowed == 16


def _ready(limits: Limits) -> _Ticket:
    ticket = _Ticket(limits._line(""))
    ticket.is_ready = True
    return ticket


def test_a_learnt_quota_holds_from_then_on_and_counts_what_went_before() -> None:
    clock = Clock()
    limits = Limits(connections=9, quotas=[Quota("x", ((10, 1),))], clock=clock, wait=clock.wait)
    for _ in range(4):
        with limits.slot("x"):
            pass
    limits.learn("x", ((4, 60),))
    assert limits.delay("x") == 60
    limits.learn("new", ((1, 5),))
    with limits.slot("new"):
        pass
    assert limits.delay("new") == 5


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one request"):
        Limits(connections=1, quotas=[Quota("", ((0, 1),))])


def test_a_failed_request_has_counted_and_gives_its_connection_back() -> None:
    clock = Clock()
    limits = Limits(connections=1, quotas=[Quota("", ((1, 7),))], clock=clock, wait=clock.wait)
    with pytest.raises(RuntimeError), limits.slot():
        raise RuntimeError
    assert limits.delay() == 7
    with limits.slot() as waited:
        assert waited == 7


def test_a_stop_ends_the_wait_and_the_place_in_line() -> None:
    def wait(seconds: float) -> None:
        raise Stopped

    limits = Limits(connections=1, quotas=[Quota("", ((1, 60),))], wait=wait)
    with limits.slot():
        pass
    with pytest.raises(Stopped), limits.slot():
        pass
    assert limits._waiting == []


def test_those_who_wait_begin_in_the_order_of_their_coming() -> None:
    clock = Clock()
    limits = Limits(connections=9, quotas=[Quota("", ((2, 1),))], clock=clock, wait=clock.wait)
    simulation = Simulation(limits, clock)
    for _ in range(7):
        simulation.arrive("", 0)
    while simulation.waiting:
        simulation.look([5, 3, 4])
        clock.now += TICK
    moments = [moment for moment, _ in sorted(simulation.begins[""], key=lambda begun: begun[1])]
    assert all(earlier <= later for earlier, later in pairwise(moments))
