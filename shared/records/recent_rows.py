"""What an append-only stream wrote within its look-back. No key tells its target that a row comes again: it must not.

The state keeps eight bytes for each such row, not its time. Times are known again once the look-back was read again;
until the bookmark moves beyond where this run found it, all that was kept stays.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import heapq
import struct
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from ..streams import Record
from ..timestamps import shift

MOST = 5_000
"""Rows that are remembered, the latest ones; what is beyond them comes again."""

Note = tuple[str, int]


class RecentRows:
    """The rows that need not be written again. `kept` is what the state has of them, `bookmark` where it stands."""

    def __init__(self, kept: Any, *, bookmark: str | None, lookback: float, names: Sequence[str], field: str) -> None:
        self._known = _unpacked(kept)
        self._bookmark, self._lookback = bookmark, lookback
        self._names, self._field = names, field
        self._notes: list[Note] = []

    def sift(self, records: Iterable[Record], end: str | None) -> tuple[list[Record], list[Note]]:
        """Those of `records` that were not written before, and what to `note` of them all once they are; `end` is that
        of their window.
        """
        since = shift(end, -self._lookback) if end else ""
        fresh, notes = [], []
        for record in records:
            number = self._number(record)
            if number not in self._known:
                fresh.append(record)
            moment = record.get(self._field)
            if isinstance(moment, str) and moment >= since:
                notes.append((moment, number))
        return fresh, notes

    def note(self, notes: Iterable[Note]) -> None:
        """Remember rows that were written."""
        for each in notes:
            if len(self._notes) < MOST:
                heapq.heappush(self._notes, each)
            else:
                heapq.heappushpop(self._notes, each)

    def packed(self, bookmark: str) -> str:
        """What the state is to keep, now that the bookmark is there."""
        since = shift(bookmark, -self._lookback)
        numbers = dict.fromkeys(number for moment, number in sorted(self._notes, reverse=True) if moment >= since)
        if self._bookmark and bookmark <= self._bookmark:
            numbers.update(dict.fromkeys(sorted(self._known)))
        latest = list(numbers)[:MOST]
        return base64.b64encode(struct.pack(f">{len(latest)}Q", *latest)).decode()

    def _number(self, record: Record) -> int:
        text = orjson.dumps([record.get(name) for name in self._names])
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def _unpacked(kept: Any) -> frozenset[int]:
    """The numbers in a state's text; what cannot be read is nothing: its rows come again."""
    try:
        data = base64.b64decode(kept, validate=True)
        return frozenset(struct.unpack(f">{len(data) // 8}Q", data))
    except (TypeError, binascii.Error, struct.error):
        return frozenset()
