"""Rows made when asked for, that may move while they are paged through; chance from a seed alone."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

Row = dict[str, Any]
WHEN_READ = "when it was read"
"""Stands in the truth for the time of the run."""
_MASK = (1 << 64) - 1


def mix(*numbers: int) -> int:
    """64 well-mixed bits of some integers: the chance of data that must not depend on order or on the run."""
    value = 0
    for number in numbers:
        value = ((value ^ number) + 0x9E3779B97F4A7C15) & _MASK
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
        value ^= value >> 31
    return value


def salt(seed: int, *names: Any) -> int:
    """64 bits of a seed and some names, to be mixed with row numbers."""
    text = "\x1f".join(map(str, names))
    return int.from_bytes(hashlib.blake2b(f"{seed}\x1f{text}".encode(), digest_size=8).digest(), "big")


class Table:
    """The rows of one collection, numbered and made on demand by `row(number)`.

    `columns` are the fields that are at hand without making rows, one value a row; others are read from the rows.
    `touch(number, now)` changes a row as an edit would.
    """

    def __init__(
        self,
        count: int,
        row: Callable[[int], Row],
        columns: Mapping[str, Sequence[Any]] | None = None,
        touch: Callable[[int, datetime], None] | None = None,
    ) -> None:
        self.count, self.row, self.touch = count, row, touch
        self.drift: Drift | JointDrift | None = None
        self._columns: dict[str, Sequence[Any]] = dict(columns or {})
        self._given = frozenset(self._columns)
        self._orders: dict[tuple[str, bool], list[int]] = {}

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Table:
        """The table of rows that exist already."""
        return cls(len(rows), rows.__getitem__)

    @classmethod
    def joined(cls, tables: Sequence[Table]) -> Table:
        """The rows of several tables as one, moving as each of them moves."""
        places = [(table, number) for table in tables for number in range(table.count)]
        joint = cls(len(places), lambda place: places[place][0].row(places[place][1]))
        joint.drift = JointDrift(tables) if any(table.drift is not None for table in tables) else None
        return joint

    def column(self, name: str) -> Sequence[Any]:
        """One field of all rows; dotted names reach into objects."""
        if name not in self._columns:
            first, _, rest = name.partition(".")
            values = [self.row(number).get(first) for number in range(self.count)]
            for part in rest.split(".") if rest else ():
                values = [value.get(part) if isinstance(value, dict) else None for value in values]
            self._columns[name] = values
        return self._columns[name]

    def order(self, name: str = "", descending: bool = False) -> list[int]:
        """All row numbers, sorted by a field; rows that tie stay in their own order."""
        key = (name, descending)
        if key not in self._orders:
            if name:
                values = self.column(name)
                least = "" if any(isinstance(value, str) for value in values) else 0
                by = [least if value is None else value for value in values]
                self._orders[key] = sorted(range(self.count), key=by.__getitem__, reverse=descending)
            else:
                self._orders[key] = list(range(self.count))
        return self._orders[key]

    def changed(self) -> None:
        """Forget what was derived from rows."""
        self._orders.clear()
        for name in self._columns.keys() - self._given:
            del self._columns[name]


class Drift:
    """Rows that appear, change and vanish while a table is being paged through, always the same way.

    One row in `late` is hidden at first and may appear; rows already served are removed or touched, so that the pages
    after them shift. At most one row in `removed` is removed. The first `stay` rows are always there.
    """

    def __init__(self, table: Table, seed: int, *, late: int = 40, removed: int = 10, stay: int = 0) -> None:
        self._table, self._seed, self._steps = table, seed, 0
        self._most_removed, self._stay = table.count // removed, stay
        self._late = {number for number in range(stay, table.count) if mix(seed, number) % late == 0}
        self.hidden = set(self._late)
        self.removed: set[int] = set()

    @property
    def moved(self) -> bool:
        """Whether any row has appeared or gone so far."""
        return bool(self.removed) or len(self.hidden) < len(self._late)

    def visible(self, number: int) -> bool:
        """Whether the row is there now."""
        return number not in self.hidden and number not in self.removed

    def stayed(self, number: int) -> bool:
        """Whether the row has been there from the beginning until now."""
        return number not in self._late and number not in self.removed

    def step(self, view: Sequence[int], served: int, now: datetime) -> None:
        """A page was served up to position `served` of `view`: move something."""
        self._steps += 1
        chance = mix(self._seed, 1, self._steps)
        for again in range(1 + self._steps % 3):
            if served and len(self.removed) < self._most_removed:
                number = view[mix(chance, again) % served]
                self.removed |= {number} if number >= self._stay else set()
        if self.hidden and self._steps % 2 == 0:
            self.hidden.remove(min(self.hidden, key=lambda number: mix(self._seed, 2, number)))
        if self._table.touch is not None and view:
            for position in (chance % max(served, 1), mix(chance, 7) % len(view)):
                if view[position] not in self.removed:
                    self._table.touch(view[position], now)
            self._table.changed()


class JointDrift:
    """The drift of joined tables: each one's own."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._drifts = [table.drift for table in tables]
        self._places = [(at, number) for at, table in enumerate(tables) for number in range(table.count)]

    def visible(self, number: int) -> bool:
        """Whether the row is there now."""
        at, number = self._places[number]
        drift = self._drifts[at]
        return drift is None or drift.visible(number)

    def stayed(self, number: int) -> bool:
        """Whether the row has been there from the beginning until now."""
        at, number = self._places[number]
        drift = self._drifts[at]
        return drift is None or drift.stayed(number)

    def step(self, view: Sequence[int], served: int, now: datetime) -> None:
        """A page was served: move something in every table that it reached."""
        for at, drift in enumerate(self._drifts):
            own = [number for part, number in (self._places[place] for place in view) if part == at]
            reached = sum(self._places[place][0] == at for place in view[:served])
            if drift is not None and reached:
                drift.step(own, reached, now)


class Kept:
    """The newest answers or tables, up to a total size; the ones longest unused go first."""

    def __init__(self, size: float) -> None:
        self._most, self._size = size, 0.0
        self._items: OrderedDict[Any, tuple[Any, float]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any) -> Any:
        """What was kept under `key`, or None."""
        with self._lock:
            if key not in self._items:
                return None
            self._items.move_to_end(key)
            return self._items[key][0]

    def put(self, key: Any, value: Any, size: float) -> None:
        """Keep `value`, unless it alone is larger than the room."""
        if size > self._most:
            return
        with self._lock:
            self._size += size - self._items.pop(key, (None, 0.0))[1]
            self._items[key] = (value, size)
            while self._size > self._most:
                self._size -= self._items.popitem(last=False)[1][1]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._items.clear()
            self._size = 0.0
