"""What was nulled, replaced, not known or left out in the records of a run."""

from __future__ import annotations

import threading
from collections import Counter


class Misfits:
    """What was nulled, replaced or not known, counted per stream, field and kind by any number of threads."""

    _FIELDS_COUNTED = 1000  # a map taken for an object with members would name a field per key
    _FIELDS_NAMED = 40

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], Counter[str]] = {}
        self._left_out: dict[str, Counter[str]] = {}

    def add(self, stream: str, field: str, kind: str, count: int = 1) -> None:
        with self._lock:
            fields = self._counts.setdefault((stream, kind), Counter())
            if field not in fields and len(fields) >= self._FIELDS_COUNTED:
                field = "other fields"
            fields[field] += count

    def leave_out(self, stream: str, what: str) -> None:
        """A record cannot be written, since it has no key; `what` tells which one it is."""
        with self._lock:
            named = self._left_out.setdefault(stream, Counter())
            named[what if what in named or len(named) < self._FIELDS_NAMED else "others"] += 1

    def rows_left_out(self, stream: str) -> list[tuple[str, int]]:
        """The records of a stream that were left out, by what tells which they are, and how often."""
        with self._lock:
            return list(self._left_out.get(stream, Counter()).items())

    def left_out(self, stream: str) -> str:
        """The records of a stream that were left out, named and counted; "" when there are none."""
        with self._lock:
            named = self._left_out.get(stream, Counter())
            count = named.total()
            if not count:
                return ""
            records = "1 record was" if count == 1 else f"{count} records were"
            listed = "; ".join(printable(what) + (f" ({times})" if times > 1 else "") for what, times in named.items())
            return f"{records} left out, for having no key or a form that cannot be read: {listed}."

    def counts(self) -> dict[tuple[str, str, str], int]:
        """(stream, field, kind) → how often."""
        with self._lock:
            return {
                (stream, field, kind): count
                for (stream, kind), fields in self._counts.items()
                for field, count in fields.items()
            }

    def lines(self) -> list[str]:
        """One line for the log per stream and kind, naming the fields, the most frequent first."""
        with self._lock:
            return [self._line(stream, kind, fields) for (stream, kind), fields in sorted(self._counts.items())]

    def _line(self, stream: str, kind: str, fields: Counter[str]) -> str:
        named = [f"{printable(field)} ({count})" for field, count in fields.most_common(self._FIELDS_NAMED)]
        if len(fields) > len(named):
            named.append(f"and {len(fields) - len(named)} more")
        return f"{stream}: {kind}: {', '.join(named)}"


def printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in name[:120])
