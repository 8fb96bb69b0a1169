"""From a spooled export to its rows. Events have no id, and even all that tells them apart repeats: equal ones are
numbered. A line that is no JSON object costs that line, and is told of.
"""

from __future__ import annotations

import hashlib
import io
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from shared.api.request import Row
from shared.records.values import parse
from shared.streams import LeftOut, Rows
from shared.timestamps import instant

from .events import Export, shaped

BATCH_BYTES = 128 * 1024
_COUNT_BYTES = 1024 * 1024
_TAIL_BYTES = 64 * 1024
_ERROR = {"msg", "code", "params"}
_TIME = re.compile(rb'"(?:createdAt|profileUpdatedAt)"\s*:\s*"([^"]+)"')


class UnfinishedError(ValueError):
    """A body that does not end in a whole row. `tail` is its last line of so many `lines`."""

    def __init__(self, tail: bytes, lines: int) -> None:
        super().__init__("its last line is no JSON object")
        self.tail, self.lines = tail, lines


def counted(file: IO[bytes]) -> int:
    """How many lines there are. Raises UnfinishedError where the last one is no row: the body may have been cut."""
    file.seek(0)
    lines = sum(part.count(b"\n") for part in iter(lambda: file.read(_COUNT_BYTES), b"")) + 1
    last = last_line(file)
    if last and row_of(last)[0] is None:
        raise UnfinishedError(last, lines)
    return lines if last else 0


def last_line(file: IO[bytes]) -> bytes:
    """The last line that is not blank."""
    end = file.seek(0, 2)
    size = _TAIL_BYTES
    while True:
        file.seek(max(0, end - size))
        text = file.read(size).rstrip()
        if b"\n" in text or size >= end:
            return text.rpartition(b"\n")[2].strip()
        size *= 2


def row_of(line: bytes) -> tuple[Row | None, bool]:
    """The row that a line holds, and whether it needs care; None where it is none, or says that the export failed."""
    try:
        row, care = parse(line)
    except ValueError:
        return None, False
    is_row = row.__class__ is dict and not ("code" in row and row.keys() <= _ERROR)
    return (row, care) if is_row else (None, False)


def time_of(line: bytes) -> str | None:
    """The instant that a broken line names."""
    found = _TIME.search(line)
    return instant(found[1].decode("utf-8", "replace")) if found else None


class Numbers:
    """Numbers events that are equal, 0, 1, 2 …, with eight bytes for each of at most `rows` events."""

    def __init__(self, rows: int) -> None:
        self._size = rows * 4 // 3 + 17
        self._table = array("Q", bytes(8)) * self._size
        self._repeats: dict[bytes, int] = {}

    def count(self, digest: bytes) -> int:
        """How many equal ones came before."""
        wanted = int.from_bytes(digest[:8], "big") or 1
        table, place = self._table, wanted % self._size
        while found := table[place]:
            if found == wanted:
                number = self._repeats[digest] = self._repeats.get(digest, 0) + 1
                return number
            place = (place + 1) % self._size
        table[place] = wanted
        return 0


@dataclass
class Broken:
    """The lines of an export that are no rows, among those `read`."""

    read: int = 0
    lines: int = 0
    first: int = 0
    how: bytes = b""

    def add(self, line: bytes) -> None:
        """The line just read is broken."""
        if not self.lines:
            self.first, self.how = self.read, line
        self.lines += 1

    def left_out(self, window: Sequence[str]) -> LeftOut:
        """What to tell of them."""
        start, end = (moment[:19] for moment in window)
        lines = f"line {self.first}" if self.lines == 1 else f"{self.lines} lines, the first line {self.first},"
        at = time_of(self.how)
        return LeftOut(
            f"{lines} of the export of {start} to {end}",
            f"{'it' if self.lines == 1 else 'the first'} is no JSON object"
            f"{f' (its time is {at[:19]})' if at else ''}; the rows around it are written.",
        )


def batches(
    file: IO[bytes], export: Export, numbers: Numbers, broken: Broken, *, end: int | None = None
) -> Iterator[Rows]:
    """The rows from where `file` stands, up to `end`, in handy portions."""
    while lines := _lines(file, end):
        rows, care = _rows(lines, broken)
        if export.is_event:
            for row in rows:
                row["_event_id"] = event_id(shaped(export, row), numbers)
        if rows:
            yield Rows(rows, size=sum(map(len, lines)), care=care)


def _lines(file: IO[bytes], end: int | None) -> list[bytes]:
    if end is None:
        return file.readlines(BATCH_BYTES)
    left = end - file.tell()
    text = file.read(min(BATCH_BYTES, left)) + (file.readline() if left > BATCH_BYTES else b"")
    return io.BytesIO(text).readlines()


def _rows(lines: Sequence[bytes], broken: Broken) -> tuple[list[Row], bool]:
    """The rows of lines, and whether they need care. Those that are whole objects all are read at once."""
    if all(line[:1] == b"{" and line.rstrip()[-1:] == b"}" for line in lines):
        try:
            rows, care = parse(b"[" + b",".join(lines) + b"]")
        except ValueError:
            rows = ()
        if len(rows) == len(lines) and not any(row.keys() <= _ERROR for row in rows):
            broken.read += len(lines)
            return rows, care
    return _one_by_one(lines, broken)


def _one_by_one(lines: Sequence[bytes], broken: Broken) -> tuple[list[Row], bool]:
    rows, needs_care = [], False
    for line in lines:
        broken.read += 1
        if line.isspace():
            continue
        row, care = row_of(line)
        needs_care |= care
        if row is None:
            broken.add(line)
        else:
            rows.append(row)
    return rows, needs_care


def event_id(text: bytes, numbers: Numbers) -> str:
    """The id of an event: the same on every read, since equal ones share their second, and thus their window."""
    made = hashlib.sha256(text + b"#0").digest()
    if number := numbers.count(made):
        made = hashlib.sha256(text + b"#%d" % number).digest()
    return made[:16].hex()
