"""What is to be read next: units that wait, readers under way, and when a stream is complete.

Everything here happens under one condition variable. Parents are read ahead of their children, large units before
small ones (the longest chain of requests decides how long a run takes), units under way before new ones. When very many
children wait, their parents' readers pause, so that what waits stays small whatever the account's size.
"""

from __future__ import annotations

import heapq
import itertools
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..streams import Outcome, Unit
from .paging import Prefetch
from .reader import SCARCE_SECONDS, Reader
from .run import Run, Waiting
from .units import Under
from .windows import WindowPlan

BACKLOG = 20_000


@dataclass(slots=True, eq=False)
class Active:
    """A unit being read: its reader, its gate's mark, and the window plan it belongs to."""

    run: Run
    unit: Unit
    reader: Reader
    size: int = 0
    mark: Any = None
    plan: WindowPlan | None = None
    high: str | None = None
    under: Under | None = None


class Schedule:
    """The queue of units and readers. `take` blocks until there is work; None means that all is done."""

    def __init__(self, *, delay: Callable[[str], float], clock: Callable[[], float] = time.monotonic) -> None:
        self._changed = threading.Condition()
        self._delay, self._clock = delay, clock
        self._numbers = itertools.count()
        self._waiting: list[tuple[int, int, Waiting | WindowPlan]] = []
        self._plans: dict[int, tuple[Run, Any]] = {}
        self._ready: list[tuple[int, int, Active]] = []
        self._parents: list[tuple[int, int, Active]] = []
        self._delayed: list[tuple[float, int, Active]] = []
        self._prefetches: deque[Prefetch] = deque()
        self._held: dict[int, list[tuple[int, int, Waiting | WindowPlan]]] = {}
        self._busy = self._idle = 0
        self._stopped = False

    def add(self, waiting: Waiting, *, size: int = 0) -> None:
        """A unit that may be read from now on."""
        with self._changed:
            waiting.run.waits.open += 1
            heapq.heappush(self._waiting, (-size, next(self._numbers), waiting))
            self._changed.notify()

    def add_plan(self, run: Run, plan: WindowPlan, mark: Any, *, size: int = 0) -> None:
        """A plan whose windows may be read from now on; counts as one unit until its last window ended."""
        with self._changed:
            run.waits.open += 1
            self._plans[id(plan)] = (run, mark)
            self._queue(plan, size)

    def plan_of(self, plan: WindowPlan) -> tuple[Run, Any]:
        """The run and the gate's mark of a plan."""
        return self._plans[id(plan)]

    def next_window(self, plan: WindowPlan) -> Unit | None:
        """The next window of a plan that was taken; the plan waits again when it has more."""
        with self._changed:
            plan.queued = False
            found = plan.next()
            if found is not None and plan.window.parallel:
                self._queue(plan)
            return found

    def window_received(self, plan: WindowPlan, unit: Unit, outcome: Outcome) -> None:
        """A window is on this side and yet to be written: the next may begin."""
        with self._changed:
            if unit.window is not None:
                plan.received(unit.window, outcome)
            self._queue(plan)

    def window_ended(
        self, plan: WindowPlan, unit: Unit, outcome: Outcome | None, left: tuple[str, str] | None = None
    ) -> None:
        """A window was read and written (how it went), or failed (None); what is `left` of it waits now."""
        with self._changed:
            if unit.window is not None:
                plan.ended(unit.window, outcome, left)
            self._queue(plan)

    def window_split(self, plan: WindowPlan, unit: Unit) -> bool:
        """A window was too large: its halves wait now. False when it cannot be halved; it is then still under way."""
        with self._changed:
            if unit.window is None or not plan.split(unit.window):
                return False
            plan.active -= 1
            self._queue(plan)
            return True

    def give_up(self, plan: WindowPlan) -> bool:
        """Hand out no more windows of the plan; True when nobody said so before."""
        with self._changed:
            is_first, plan.given_up = not plan.given_up, True
            plan.spans.clear()
            plan.again.clear()
            return is_first

    def plan_is_over(self, plan: WindowPlan, *, drop: bool) -> bool:
        """Whether nothing of the plan is left, said once. `drop`: what it had not handed out is given up."""
        with self._changed:
            if drop:
                plan.spans.clear()
                plan.again.clear()
            if plan.over or plan.waiting or plan.active:
                return False
            plan.over = True
            return True

    def _queue(self, plan: WindowPlan, size: int = 0) -> None:
        if plan.waiting and not plan.queued:
            plan.queued = True
            heapq.heappush(self._waiting, (-size, next(self._numbers), plan))
            self._changed.notify()

    def begin(self, active: Active) -> None:
        """A unit is now being read by the worker that took it."""
        with self._changed:
            active.run.waits.active += 1

    def again(self, active: Active, *, seconds: float = 0.0) -> None:
        """The reader has more to read, in `seconds` at the earliest."""
        with self._changed:
            self._busy -= 1
            if not seconds and active.run.stream.quota and not active.reader.is_over:
                quota_delay = self._delay(active.run.stream.quota)
                seconds = quota_delay if quota_delay > SCARCE_SECONDS else 0.0
            if seconds:
                heapq.heappush(self._delayed, (self._clock() + seconds, next(self._numbers), active))
            else:
                heap = self._parents if active.run.children else self._ready
                size = sys.maxsize if active.run.stream.ahead else active.size
                heapq.heappush(heap, (-size, next(self._numbers), active))
            self._changed.notify()

    def prefetch(self, prefetch: Prefetch) -> None:
        """Something for whichever worker is free."""
        with self._changed:
            self._prefetches.append(prefetch)
            self._changed.notify()

    def spare(self, quota: str) -> bool:
        """Whether a worker has nothing to do, and the quota would let it do something now."""
        return self._idle > len(self._prefetches) and not self._delay(quota)

    def idle(self) -> None:
        """The worker is done with what it took."""
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def ended(self, run: Run) -> None:
        """A reader of the run has ended; units of its stream that had to wait for that may begin."""
        with self._changed:
            run.waits.active -= 1
            for entry in self._held.pop(id(run), ()):
                heapq.heappush(self._waiting, entry)
            self._changed.notify_all()

    def hold(self, run: Run) -> None:
        """Keep the run open: units may yet come."""
        with self._changed:
            run.waits.open += 1

    def close(self, run: Run) -> bool:
        """One open unit of the run less; True when that was its last."""
        with self._changed:
            run.waits.open -= 1
            return run.waits.open == 0

    def stop(self) -> None:
        """Hand out nothing more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def take(self) -> Active | Waiting | WindowPlan | Prefetch | None:
        """What to do next; blocks while others may still bring work. None: nothing more will come."""
        with self._changed:
            while not self._stopped:
                now = self._clock()
                while self._delayed and self._delayed[0][0] <= now:
                    _, number, active = heapq.heappop(self._delayed)
                    heapq.heappush(self._ready, (-active.size, number, active))
                found = self._next()
                if found is not None:
                    self._busy += 1
                    return found
                if not (self._busy or self._delayed):
                    self._changed.notify_all()
                    return None
                self._idle += 1
                self._changed.wait(max(0.001, self._delayed[0][0] - now) if self._delayed else None)
                self._idle -= 1
            return None

    def _next(self) -> Active | Waiting | WindowPlan | Prefetch | None:
        if self._ready and self._ready[0][2].run.stream.ahead:
            return heapq.heappop(self._ready)[2]
        if self._prefetches:
            return self._prefetches.popleft()
        if self._parents and len(self._waiting) < BACKLOG:
            return heapq.heappop(self._parents)[2]
        if self._ready:
            return heapq.heappop(self._ready)[2]
        while self._waiting:
            entry = heapq.heappop(self._waiting)
            found = entry[2]
            run = found.run if isinstance(found, Waiting) else self.plan_of(found)[0]
            limit = run.at_once
            if limit is None or run.waits.active < limit or run.progress.closed:
                return found
            self._held.setdefault(id(run), []).append(entry)
        return heapq.heappop(self._parents)[2] if self._parents else None
