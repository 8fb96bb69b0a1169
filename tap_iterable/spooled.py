"""From a spooled export to its rows. Events have no id, and even all that tells them apart repeats: equal ones are
numbered, for which the whole window has to be seen once before its first row is written.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import IO

import orjson

from shared.api.request import Row
from shared.records.values import parse
from shared.streams import Rows
from shared.timestamps import instant

from .events import IDENTITY, Export

BATCH_ROWS, BATCH_BYTES = 1000, 256 * 1024
BUCKETS = 256


def scanned(file: IO[bytes], export: Export) -> tuple[int, array[int]]:
    """How many rows there are, and eight bytes for each event, by which equal ones are found. ValueError: the body is
    not whole lines of JSON.
    """
    hashes: array[int] = array("Q")
    rows = 0
    file.seek(0)
    for number, line in enumerate(file, 1):
        if line.isspace():
            continue
        row, _ = parse(line)
        if row.__class__ is not dict:
            raise ValueError(f"line {number} is no JSON object")
        rows += 1
        if export.is_event:
            hashes.append(_short(identity(export.data_type, row)))
    return rows, hashes


def repeated(hashes: Iterable[array[int]]) -> frozenset[int]:
    """The values that are met more than once, found without holding all of them in a set."""
    buckets: list[array[int]] = [array("Q") for _ in range(BUCKETS)]
    for part in hashes:
        for value in part:
            buckets[value % BUCKETS].append(value)
    found: set[int] = set()
    for bucket in buckets:
        seen: set[int] = set()
        for value in bucket:
            (found if value in seen else seen).add(value)
    return frozenset(found)


class Numbers:
    """Numbers events that are equal, 0, 1, 2 …; only those that were met more than once are kept count of."""

    def __init__(self, doubtful: frozenset[int]) -> None:
        self._doubtful = doubtful
        self._met: dict[bytes, int] = {}

    def count(self, digest: bytes) -> int:
        """How many equal ones came before."""
        if int.from_bytes(digest[:8], "big") not in self._doubtful:
            return 0
        number = self._met.get(digest, 0)
        self._met[digest] = number + 1
        return number


def batches(
    file: IO[bytes], export: Export, count: Callable[[bytes], int], *, end: int | None = None
) -> Iterator[Rows]:
    """The rows from where `file` stands, up to `end`, in handy portions."""
    rows: list[Row] = []
    size, needs_care = 0, False
    while (end is None or file.tell() < end) and (line := file.readline()):
        if line.isspace():
            continue
        row, care = parse(line)
        needs_care |= care
        if export.is_event:
            row["_event_id"] = event_id(identity(export.data_type, row), count)
        rows.append(export.shape(row) if export.shape else row)
        size += len(line)
        if len(rows) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield Rows(rows, size=size, care=needs_care)
            rows, size, needs_care = [], 0, False
    if rows:
        yield Rows(rows, size=size, care=needs_care)


def identity(data_type: str, row: Row) -> bytes:
    """The text that tells an event from others: a canonical JSON list."""
    created = row.get("createdAt")
    values = [data_type, (instant(created) or created or "")[:19] if isinstance(created, str) else created]
    values += [row.get(name) for name in IDENTITY]
    try:
        return orjson.dumps(values, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # lone surrogates, integers beyond 64 bits
        return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()


def event_id(text: bytes, count: Callable[[bytes], int]) -> str:
    """The id of an event: the same on every read, since equal ones share their second, and thus their window."""
    digest = hashlib.sha256(text)
    number = count(digest.digest())
    digest.update(b"#%d" % number)
    return digest.hexdigest()[:32]


def _short(text: bytes) -> int:
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big")
