"""Time windows that grow, shrink and split. A plan is arithmetic on instants: who reads its windows, and when, is the
schedule's business.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import TooLargeError
from ..protocol.state import Bookmark, Span
from ..streams import Outcome, Step, Unit, Window
from ..timestamps import floor_seconds, seconds_between, shift

DAY_SECONDS = 86_400.0


@dataclass
class WindowPlan:
    """The windows of one unit: `[start, end)` spans from `unit.since` to the run's start, the finished ones left out.

    `next` hands them out, each as wide as the last outcome suggests; `finished` takes a window's outcome, `received`
    takes it before the window is written; `split` takes one back that was too large, as two halves. Spans never
    overlap, and together they cover everything.
    """

    base: Unit
    window: Window
    origin: str
    spans: list[Span]
    width: float
    widest: float
    ceiling: float = float("inf")
    clean: int = 0
    most_rows: int = 0
    active: int = 0
    queued: bool = False
    over: bool = False
    given_up: bool = False
    again: list[Span] = field(default_factory=list)
    in_hand: set[Span] = field(default_factory=set)

    @classmethod
    def of(cls, base: Unit, window: Window, bookmark: Bookmark) -> WindowPlan:
        """The plan for a unit, from its `since` on, leaving out what `bookmark.done` has finished."""
        first = window.first(base.settings) if callable(window.first) else window.first
        largest = window.largest(base.settings) if callable(window.largest) else window.largest
        end = floor_seconds(min(shift(base.now, -window.lag_seconds), base.settings.get("end_date") or base.now))
        start = base.since or base.settings.get("start_date") or window.origin
        spans = list(gaps((start, end), _settled(base, bookmark.done)))
        again = _broken(base.resume, spans)
        if again:
            spans = [rest for span in spans for rest in gaps(span, tuple(again))]
        widest = largest * DAY_SECONDS
        return cls(base, window, start, spans, min(first * DAY_SECONDS, widest), widest, again=again)

    def at_once(self) -> WindowPlan:
        """The plan with a first window that reaches as far as it may: few rows are expected."""
        if self.spans:
            self.width = min(max(self.width, seconds_between(self.spans[0][0], self.spans[-1][1])), self.widest)
        return self

    def next(self) -> Unit | None:
        """The next window as a unit of its own; None when all have been handed out (or one must end first)."""
        if not self.window.parallel and (self.active > len(self.in_hand) or len(self.in_hand) > 1):
            return None
        if self.again:
            span = self.again.pop(0)
        elif self.spans:
            start, end = self.spans[0]
            cut = shift(start, max(self.window.smallest_seconds, min(self.width, self.ceiling)))
            cut = max(floor_seconds(cut), shift(floor_seconds(start), 1))
            if cut >= end:
                self.spans.pop(0)
                cut = end
            else:
                self.spans[0] = (cut, end)
            span = (start, cut)
        else:
            return None
        self.active += 1
        return replace(self.base, window=span, scratch={})

    @property
    def waiting(self) -> bool:
        """Whether windows are left to hand out, now or later."""
        return bool(self.spans or self.again)

    def received(self, span: Span, outcome: Outcome) -> None:
        """The API has given all of a window, which is still to be written."""
        self.finished(span, outcome)
        self.in_hand.add(span)

    def ended(self, span: Span, outcome: Outcome | None, left: Span | None = None) -> None:
        """A window was read and written (how it went), or failed (None); `left`: what it did not come to."""
        self.active -= 1
        if left is not None:
            self.left(span, left)
        elif span in self.in_hand:
            self.in_hand.discard(span)
        elif outcome is not None:
            self.finished(span, outcome)

    def finished(self, span: Span, outcome: Outcome) -> None:
        """Learn the next width from how a window went."""
        self.clean += 1
        self.most_rows = max(self.most_rows, outcome.rows)
        if outcome.rows * 4 < self.most_rows:  # what was too large before was a crowded spot
            self.ceiling *= 4
        elif self.clean % 5 == 0:
            self.ceiling *= 2
        width = seconds_between(*span)
        if self.window.resize:
            self.width = self.window.resize(max(width, self.window.smallest_seconds), outcome)
        elif not outcome.rows:
            self.width = max(self.width, width * 2)
        self.width = min(max(self.width, self.window.smallest_seconds), self.widest)

    def left(self, read: Span, rest: Span) -> None:
        """A window ended before its end: hand out what is left of it, as wide as what was read. Where that was a moment
        only, as many may share one, in an eighth at a time.
        """
        self.spans.insert(0, rest)
        self.width = min(self.width, max(seconds_between(*read), seconds_between(*rest) / 8))
        self.clean = 0

    def split(self, span: Span) -> bool:
        """A window was too large: hand it out again as two halves. False when it cannot be halved."""
        width = seconds_between(*span)
        half = max(self.window.smallest_seconds, float(round(width / 2)))
        if width <= self.window.smallest_seconds or half >= width:
            return False
        middle = shift(span[0], half)
        self.in_hand.discard(span)
        self.again[:0] = [(span[0], middle), (middle, span[1])]
        self.ceiling, self.width, self.clean = 0.8 * width, half, 0
        return True


def expected(unit: Unit, window: Window) -> list[Span]:
    """The windows of a unit if each went at once, found nothing, and nothing had been read before."""
    plan, spans = WindowPlan.of(unit, window, Bookmark()), []
    while (found := plan.next()) is not None and found.window:
        spans.append(found.window)
        plan.ended(found.window, Outcome(0, 0, 1, 0))
    return spans


def each_window(
    unit: Unit, window: Window, read: Callable[[Unit], Generator[Step, None, None]]
) -> Generator[Step, None, None]:
    """For a `fetch` hook whose unit has no windows of its own: what `read` gives of each, one after the other. One that
    is too large is read in halves.
    """
    plan = WindowPlan.of(unit, window, Bookmark())
    while (found := plan.next()) is not None and found.window:
        try:
            yield from read(found)
        except TooLargeError:
            if not plan.split(found.window):
                raise
        plan.ended(found.window, None)


def _settled(base: Unit, done: tuple[Span, ...]) -> tuple[Span, ...]:
    """The `done` spans without their look-back: what comes late is read again there too, not at the bookmark alone."""
    if not (base.since and base.bookmark):
        return done
    late = max(0.0, seconds_between(base.since, min(base.bookmark, base.now)))
    shorter = ((start, shift(end, -late)) for start, end in done)
    return tuple((start, end) for start, end in shorter if start < end)


def _broken(resume: Any, spans: list[Span]) -> list[Span]:
    """The window that a broken fetch had under way, as its `resume` says under "window", if it is still to be read:
    it is handed out first and as it was, for what was begun for it counts for no other.
    """
    window = resume.get("window") if isinstance(resume, Mapping) else None
    if not isinstance(window, (list, tuple)) or len(window) != 2:
        return []
    start, end = str(window[0]), str(window[1])
    return [(start, end)] if any(a <= start < end <= b for a, b in spans) else []


def gaps(span: Span, done: tuple[Span, ...]) -> Iterator[Span]:
    """What of `span` is not covered by the `done` spans, in order."""
    start, end = span
    for done_start, done_end in sorted(done):
        if done_start > start and start < end:
            yield start, min(done_start, end)
        start = max(start, done_end)
    if start < end:
        yield start, end
