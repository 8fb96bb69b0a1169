"""One selected stream's way out: from raw rows to the bytes of RECORD lines."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..api.request import Row
from ..protocol import messages
from ..protocol.selection import Selection
from ..streams import Record, Stream, Unit
from ..timestamps import from_seconds, instant
from .fit import Shape
from .recent_rows import Note, RecentRows
from .reshape import Reshape


@dataclass(frozen=True, slots=True)
class Lines:
    """The RECORD lines of some rows, how many they are, their latest replication value, and what to remember of them
    once they are written.
    """

    data: bytes
    count: int
    high: str | None
    notes: Sequence[Note] = ()


@dataclass(frozen=True)
class Encoder:
    """One selected stream's way out: hook, parent's keys, schema, filter, masks and columns, bytes."""

    stream: Stream
    selection: Selection
    shape: Shape
    version: int | None = None
    unique: set[int] | None = None
    unique_limit: int = 1_000_000
    recent_rows: RecentRows | None = None
    reshape: Reshape | None = None
    bare: bool = False
    """Records alone, for the files of BATCH messages."""

    def lines(self, rows: Sequence[Row], unit: Unit, time_extracted: str, *, care: bool) -> Lines:
        """What is written of raw `rows`."""
        found = self._transformed(rows, unit) if self.stream.transform else rows
        fitted = self.shape.fit(_with_parent(found, self.stream, unit), care=care)
        key = self.selection.replication_key
        if unit.since is not None or self.stream.is_new is not None or unit.settings.get("end_date"):
            fitted = [record for record in fitted if is_new(self.stream, key, record, unit)]
        if self.unique is not None:
            fitted = [record for record in fitted if self._is_first(record)]
        notes: Sequence[Note] = ()
        if self.recent_rows is not None:
            fitted, notes = self.recent_rows.sift(fitted, unit.window[1] if unit.window else None)
        high = None
        if key:
            high = _latest([value for record in fitted if (value := record.get(key)) is not None])
        if self.reshape is not None:
            fitted = self.reshape.records(fitted)
        name = self.selection.stream.name
        if self.bare:
            data = messages.bare_lines(name, fitted)
        else:
            data = messages.record_lines(name, fitted, time_extracted=time_extracted, version=self.version)
        return Lines(data, len(fitted), high, notes)

    def _transformed(self, rows: Sequence[Row], unit: Unit) -> Iterable[Record]:
        """What the hook makes of the rows; a row that a generator cannot read is left out, and the others go on."""
        assert self.stream.transform is not None
        if any(row.__class__ is dict for row in rows):
            rows = [row for row in rows if row.__class__ is dict or self.shape.leave_out(row, "no object")]
        tracked = _Tracked(rows)
        made = self.stream.transform(tracked, unit)
        return self._sparing(made, tracked, unit) if isinstance(made, Generator) else made

    def _sparing(self, made: Iterator[Record], tracked: _Tracked, unit: Unit) -> Iterator[Record]:
        assert self.stream.transform is not None
        while True:
            has_yielded = False
            try:
                for record in made:
                    has_yielded = True
                    yield record
                return
            except Exception as error:
                if tracked.place < 0:
                    raise
                self.shape.leave_out(tracked[tracked.place], f"{type(error).__name__}: {error}")
                before = [] if has_yielded else tracked[: tracked.place]
                tracked = _Tracked([*before, *tracked[tracked.place + 1 :]])
                made = iter(self.stream.transform(tracked, unit))

    def _is_first(self, record: Record) -> bool:
        assert self.unique is not None
        key = hash(tuple(str(record.get(name)) for name in self.selection.key_properties))
        if key in self.unique:
            return False
        if len(self.unique) < self.unique_limit:
            self.unique.add(key)
        return True


class _Tracked(list[Row]):
    """Rows that tell at which of them a loop is."""

    place = -1

    def __iter__(self) -> Iterator[Row]:
        for self.place, row in enumerate(super().__iter__()):
            yield row


def as_instant(value: Any) -> str | None:
    """A replication value, written or raw, as a canonical instant; None when it is none."""
    if isinstance(value, str):
        return value if len(value) == 27 and value[26] == "Z" else instant(value)
    return from_seconds(value)


def moment_of(row: Any, key: str | None) -> str | None:
    """A raw row's replication value as an instant; None where it has none, or is no row at all."""
    return as_instant(row.get(key)) if key and isinstance(row, dict) else None


def _latest(values: Sequence[Any]) -> str | None:
    if values and all(value.__class__ is int for value in values):
        return as_instant(max(values))
    return max((read for value in values if (read := as_instant(value))), default=None)


def _with_parent(rows: Iterable[Record], stream: Stream, unit: Unit) -> Iterable[Record]:
    """The rows with their parent's keys on them, whatever they say under these names themselves."""
    names = {name for parent in stream.parents if parent.inject for name in parent.keys}
    constants = {name: unit.parent[name] for name in names if name in unit.parent}
    if not constants:
        return rows
    return _completed(rows, constants) if unit.units else _injected(rows, constants)


def _completed(rows: Iterable[Record], constants: Mapping[str, Any]) -> Iterator[Record]:
    """Rows of several parents: what they say themselves stands."""
    for row in rows:
        yield {
            **constants,
            **{name: value for name, value in row.items() if value is not None or name not in constants},
        }


def _injected(rows: Iterable[Record], constants: Mapping[str, Any]) -> Iterator[Record]:
    items = tuple(constants.items())
    for row in rows:
        if row.__class__ is dict:
            row.update(items)
        yield row


def is_new(stream: Stream, replication_key: str | None, record: Record, unit: Unit) -> bool:
    """Whether a finished record is to be written: in `[unit.since, end_date)`, or without a replication value."""
    if stream.is_new is not None:
        return stream.is_new(record, unit)
    value = record.get(replication_key) if replication_key else None
    if not isinstance(value, str):
        return True
    end = unit.settings.get("end_date")
    return (unit.since is None or value >= unit.since) and (not end or value < end)
