"""A queue between the readers and the writer, bounded by bytes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from ..errors import Stopped

CHANNEL_BYTES = 512 * 1024


class Channel:
    """What readers hand to the main thread, in order; who makes more lines waits for room first."""

    def __init__(self, stop: threading.Event, limit: int = CHANNEL_BYTES) -> None:
        self._items: deque[tuple[int, Callable[[], None]]] = deque()
        self._changed = threading.Condition()
        self._stop, self._limit, self._held = stop, limit, 0
        self._is_woken = False

    def wait_for_room(self) -> None:
        """Returns once less than the limit is queued."""
        with self._changed:
            while self._held > self._limit:
                if self._stop.is_set():
                    raise Stopped
                self._changed.wait(0.2)

    def put(self, apply: Callable[[], None], size: int = 0) -> None:
        """Add what the main thread is to do."""
        with self._changed:
            self._items.append((size, apply))
            self._held += size
            self._changed.notify_all()

    def wake(self) -> None:
        """Let a `get` return that waits, or the next one that would."""
        with self._changed:
            self._is_woken = True
            self._changed.notify_all()

    def get(self, timeout: float) -> Callable[[], None] | None:
        """The next thing to do, None when there was none for `timeout` seconds."""
        with self._changed:
            if not self._items and not self._is_woken:
                self._changed.wait(timeout)
            if not self._items:
                self._is_woken = False
                return None
            size, apply = self._items.popleft()
            self._held -= size
            self._changed.notify_all()
            return apply
