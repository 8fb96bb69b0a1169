"""What can be read on its own: partitions, parents' children, time windows that grow, shrink and split.

Pure: a unit is a description, a `WindowPlan` is arithmetic on instants. Who reads them, and when, is `sync`'s business.
"""

from __future__ import annotations

import heapq
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..api.request import Row, at
from ..protocol.state import Bookmark, later
from ..streams import Parent, Settings, Stream, Unit
from ..timestamps import shift


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How this run reads one stream: what its units have in common.

    `incremental`: bookmarks count and filters are sent. `whole`: the walk must see every row (its children need them,
    or a full refresh is due), whatever is written. `now`: the run's start. `start_date`: where a unit without a
    bookmark begins. `reads_all`: every unit is read, and its gate gives no more than the mark to keep.
    """

    stream: Stream
    settings: Settings
    now: str
    incremental: bool
    start_date: str | None = None
    whole: bool = False
    refresh: bool = False
    reads_all: bool = False
    deselected: frozenset[str] = frozenset()
    deselected_members: frozenset[str] = frozenset()


def parent_values(parent: Parent, row: Row, above: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a child keeps of a parent's raw row: the keys under the child's names, then the carried fields.

    What the row lacks is taken from what the row's own parent gave (`above`).
    """
    values = {name: at(row, path) for name, path in parent.keys.items()}
    values.update((name, at(row, name)) for name in parent.carry)
    if above:
        paths = {**parent.keys, **{name: name for name in parent.carry}}
        values.update({name: above.get(paths[name]) for name, value in values.items() if value is None})
    values.update((name, (above or {}).get(path)) for name, path in parent.inherit.items())
    return values


def batch_size(parent: Parent, settings: Settings) -> int:
    """How many parents make one unit."""
    return parent.batch(settings) if callable(parent.batch) else parent.batch


def unit_key(values: Mapping[str, Any], names: Iterable[str], partition: str, *, length: int = 0) -> str:
    """A unit's name in the state: its parent's keys, cut to `length` if that is given, and its partition, with "/"."""
    parts = [str(values[name])[: length or None] for name in names]
    return "/".join([*parts, partition] if partition else parts)


def partitions(stream: Stream, settings: Settings) -> Mapping[str, Mapping[str, Any]]:
    """The stream's partitions by name; a single nameless one where it has none."""
    found = stream.partitions(settings) if callable(stream.partitions) else stream.partitions
    return found if found is not None else {"": {}}


def lookback_seconds(stream: Stream, settings: Settings) -> float:
    """How much of the stream is read again behind its bookmark."""
    return stream.lookback(settings) if callable(stream.lookback) else stream.lookback


def unit(
    reading: Reading,
    *,
    bookmark: Bookmark,
    key: str = "",
    parent: Mapping[str, Any] | None = None,
    partition: str = "",
    params: Mapping[str, Any] | None = None,
    resume: Any = None,
) -> Unit:
    """One unit, ready to be read from where its `bookmark` says."""
    stream, settings = reading.stream, reading.settings
    since = None
    if reading.incremental:
        if bookmark.value and not reading.refresh:
            since = shift(min(bookmark.value, reading.now), -lookback_seconds(stream, settings))
        elif stream.start_date:
            since = reading.start_date
    return Unit(
        stream=stream.name,
        key=key,
        parent=parent or {},
        partition=partition,
        params=params or {},
        since=since,
        bookmark=bookmark.value if reading.incremental else None,
        mark=bookmark.mark,
        resume=resume,
        settings=settings,
        now=reading.now,
        deselected=reading.deselected,
        deselected_members=reading.deselected_members,
    )


Under = tuple[str, str]
"""Under which unit of its parent's a unit hangs, and when that parent changed."""


class Followed:
    """How far a child of changed parents has come in one unit of its parent's.

    Parents come oldest first, so all is finished that lies before the oldest one under way. Should they turn out
    unsorted, nothing is said before the end.
    """

    def __init__(self) -> None:
        self.newest: str | None = None
        self._under_way: list[str] = []
        self._finished: Counter[str] = Counter()
        self._is_sorted = True
        self._lock = threading.Lock()  # workers begin what the main thread finishes

    def seen(self, moved: str | None) -> None:
        """A parent that changed at `moved` has come."""
        with self._lock:
            self._is_sorted &= (moved or "") >= (self.newest or "")
            self.newest = later(self.newest, moved)

    def begun(self, moved: str) -> None:
        """A unit under a parent that changed at `moved` is to be read."""
        with self._lock:
            heapq.heappush(self._under_way, moved)

    def finished(self, moved: str) -> str | None:
        """Such a unit is complete: the instant up to which all are."""
        with self._lock:
            self._finished[moved] += 1
            while self._under_way and (oldest := self._under_way[0]) in self._finished:
                heapq.heappop(self._under_way)
                self._finished[oldest] -= 1
                if not self._finished[oldest]:
                    del self._finished[oldest]
            if not self._is_sorted:
                return None
            return self._under_way[0] if self._under_way else self.newest


def texts(value: Any) -> list[str]:
    """The texts of what should be a list of them in a state."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def members(value: Any) -> Mapping[str, Any]:
    """The members of what should be an object in a state."""
    return value if isinstance(value, Mapping) else {}
