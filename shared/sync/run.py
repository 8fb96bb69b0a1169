"""One stream in this run: what is read of it, how far that has come, what it waits for.

Several threads change the last two, so each field says what guards it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from ..errors import GoneError, PartError, RefusedError, TapError, UnavailableError
from ..records.encoder import Encoder
from ..streams import Parent, Stream, Unit
from .paging import PageSize
from .units import Followed, Reading, Under

ALIKE = 20
"""After so many equal answers and not one success, the units that were not asked yet are taken for alike."""
NAMED = 20
"""Units that a message names; the others are counted."""

LISTED = 500
"""Parts that the page about the run lists; the others are counted."""

ABSENT: tuple[tuple[type[TapError], str], ...] = (
    (UnavailableError, "unavailable"),
    (RefusedError, "refused"),
    (GoneError, "gone"),
)
"""What an answer about one unit says of that unit alone."""


def kind_of(error: TapError) -> str:
    """What the error says of the unit that was asked for, in a word; "" when it says nothing of it."""
    return next((word for kind, word in ABSENT if isinstance(error, kind)), "")


def naming(error: TapError, name: str) -> str:
    """The error's words, and the unit's name where they do not hold it: not every request has it in its path."""
    text = unquote(str(error))
    if all(part.rpartition(" ")[2] in text for part in name.split(", ")):
        return str(error)
    return f"{error} Missing: {name}."


class Absent:
    """The units that one kind of answer leaves out: how many, the first ones' names, and the first answer."""

    def __init__(self, error: TapError) -> None:
        self.error = error
        self.count = 0
        self.names: list[str] = []

    def add(self, name: str) -> None:
        self.count += 1
        if name and len(self.names) < NAMED:
            self.names.append(name)

    def __str__(self) -> str:
        more = self.count - len(self.names)
        return ", ".join([*self.names, *([f"{more} more"] if more else [])])


class Progress:
    """How far the reading of one stream has come. Its own lock guards all changes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begun = False
        self.read = 0
        self.skipped = 0
        self.skipped_by_gate = False
        self.rows: Counter[str] = Counter()
        """Records written, by the unit's key, for a stream with `checks`."""
        self.failures: list[TapError] = []
        self.absent: dict[str, Absent] = {}
        self.missing: list[tuple[str, str, str]] = []
        """What was left out, in a word how, and why, one by one."""
        self.missing_more = 0
        self.closed: TapError | None = None
        """Why no further unit is read."""
        self.parents_incomplete = False
        self.records_lost = False
        """Whether records without a key were left out."""
        self._equal: Counter[str] = Counter()

    def begin(self) -> bool:
        """Whether this is the first unit."""
        with self._lock:
            is_first, self.begun = not self.begun, True
            return is_first

    def unit_read(self) -> None:
        with self._lock:
            self.read += 1

    def unit_skipped(self, *, by_gate: bool = False) -> None:
        with self._lock:
            self.skipped += 1
            self.skipped_by_gate |= by_gate

    def written(self, key: str, count: int) -> None:
        with self._lock:
            self.rows[key] += count

    def left_out(self, error: PartError) -> None:
        """A part is missing, which says nothing of what else there is."""
        with self._lock:
            self.failures.append(error)
            self._miss(error.part, "left out", error)

    def unit_failed(self, name: str, error: TapError) -> None:
        """The unit called `name` is missing, for what `error` says; closes the stream when all others would be too."""
        with self._lock:
            self._miss(name, kind_of(error) or "failed", error)
            if kind := kind_of(error):
                self.absent.setdefault(kind, Absent(error)).add(name)
            else:
                self.failures.append(error)
                error.args = (naming(error, name),)
            self._count_equal(error)

    def _miss(self, what: str, how: str, error: TapError) -> None:
        if len(self.missing) < LISTED:
            self.missing.append((what, how, str(error)))
        else:
            self.missing_more += 1

    def attempt_failed(self, error: TapError) -> None:
        """A request for several units at once failed; each of them may yet be read alone."""
        with self._lock:
            self._count_equal(error)

    def _count_equal(self, error: TapError) -> None:
        kind = kind_of(error) or type(error).__name__
        self._equal[kind] += 1
        is_hopeless = self._equal[kind] >= ALIKE and not (self.read or self.skipped)
        if is_hopeless and kind not in ("gone", "PartError") and self.closed is None:
            error.args = (f"{error} After {ALIKE} equal answers the rest was not asked for.",)
            self.closed = error

    def close(self, error: TapError) -> None:
        """Read no further unit."""
        with self._lock:
            self.closed = self.closed or error

    def share(self, other: Progress) -> None:
        """What failed for the stream whose pages hold this one's rows failed for this one too."""
        with self._lock:
            self.failures.extend(other.failures)
            self.missing.extend(other.missing)
            self.absent = {**other.absent, **self.absent}
            self.closed = self.closed or other.closed

    def conclude(self, *, optional: bool, parents: int = 0) -> None:
        """When all units are done with: what every unit said holds for the stream. `parents`: so many rows had any."""
        nothing = not (self.read or self.skipped or self.failures or self.closed)
        if not (nothing and self.absent):
            return
        kind = (
            next(iter(self.absent))
            if len(self.absent) == 1
            else next(k for k in ("refused", "unavailable") if k in self.absent)
        )
        if kind == "gone" and not optional and self.absent[kind].count < parents:
            return  # of many parents those few that had to be asked have vanished since
        found = self.absent.pop(kind)
        if kind == "unavailable" or optional:
            self.closed = UnavailableError(str(found.error))
        elif kind == "gone" and found.count > 1:
            self.failures.append(
                TapError(f"all {found.count} parents are gone; nothing could be read. The first: {found.error}")
            )
        elif kind == "gone":
            self.failures.append(found.error)
        else:
            self.closed = found.error

    @property
    def is_complete(self) -> bool:
        """Whether every row there is was read."""
        missing = self.absent.keys() - {"gone"}
        return not (self.failures or self.closed or self.parents_incomplete or missing)

    @property
    def is_over(self) -> bool:
        """Whether all was asked for, and what is missing was answered: another try is no continuation of this one."""
        passing = [error for error in self.failures if not isinstance(error, PartError)]
        return not (passing or self.closed or self.parents_incomplete)

    @property
    def outcome(self) -> str:
        """How it ended, in a word."""
        if isinstance(self.closed, UnavailableError):
            return "unavailable"
        if isinstance(self.closed, RefusedError):
            return "refused"
        if self.failures or self.closed or self.records_lost:
            return "failed"
        for kind in ("refused", "unavailable"):
            if kind in self.absent:
                return f"partly {kind}"
        return "incomplete" if self.parents_incomplete else "complete"

    def has_succeeded(self, *, may_be_refused: bool) -> bool:
        """Whether nothing failed but what may."""
        if self.failures or self.outcome == "failed":
            return False
        return may_be_refused or self.outcome not in ("refused", "partly refused")


@dataclass
class Waits:
    """What a stream waits for."""

    open: int = 0
    """Units and promises of units that have not ended. Guarded by the schedule."""
    active: int = 0
    """Units that are being read. Guarded by the schedule."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Guards what follows."""
    parents_open: int = 0
    parents_met: int = 0
    picked: set[str] = field(default_factory=set)
    """Which of the parents that a setting names were met."""
    keys: set[str] = field(default_factory=set)
    """Keys of units that are known, where several parents may give the same."""
    groups: dict[str, list[Unit]] = field(default_factory=dict)
    """Units that wait to be asked for together."""
    gone: list[Under] = field(default_factory=list)
    """Units of parents that are gone, until one was read: then they are done with. While all are gone, none is."""
    followed: dict[str, Followed] = field(default_factory=dict)
    """How far a child of changed parents has come, by its parent's unit. Each has a lock of its own."""


@dataclass(eq=False)
class Run:
    """One stream in this run. Its own fields do not change once it has begun."""

    reading: Reading
    encoder: Encoder | None = None
    sharers: list[Run] = field(default_factory=list)
    children: list[tuple[Run, Parent]] = field(default_factory=list)
    key_names: tuple[str, ...] = ()
    resume: Mapping[str, Any] = field(default_factory=dict)
    finished_before: frozenset[str] = frozenset()
    pending_groups: dict[str, str] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    waits: Waits = field(default_factory=Waits)
    page_size: PageSize = field(default_factory=PageSize)

    @property
    def stream(self) -> Stream:
        """The description."""
        return self.reading.stream

    @property
    def at_once(self) -> int | None:
        """How many of its units may be under way at the same time."""
        limit = self.stream.at_once
        return limit(self.reading.settings) if callable(limit) else limit

    @property
    def name(self) -> str:
        """The stream's name."""
        return self.reading.stream.name

    def unit_name(self, unit: Unit) -> str:
        """What a unit is called in messages: its parent's keys and its partition."""
        return self.name_of(unit.parent, unit.partition)

    def name_of(self, parent: Mapping[str, Any], partition: str = "") -> str:
        """What the unit of a parent and a partition is called in messages."""
        words = [f"{name} {parent.get(name)}" for name in self.key_names]
        return ", ".join([*words, *([partition] if partition else [])])


@dataclass(slots=True, eq=False)
class Waiting:
    """A unit that nobody reads yet, as little of it as will do: there may be many."""

    run: Run
    parent: Mapping[str, Any]
    partition: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    units: tuple[Unit, ...] = ()
    group: str = ""
    under: Under | None = None


def light(reading: Reading, values: Mapping[str, Any]) -> Unit:
    """A unit good enough for a row's `where` and `size`."""
    return Unit(stream=reading.stream.name, parent=values, settings=reading.settings, now=reading.now)
