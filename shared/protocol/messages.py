"""Singer messages, written: the only module that touches stdout.

RECORD lines are put together from orjson's bytes, many at a time; a test holds them equal to `singer.format_message`.
SCHEMA, STATE and ACTIVATE_VERSION get their shape from singer-python's own classes.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from ..errors import SchemaError

if TYPE_CHECKING:
    from .batch import BatchFiles
    from .selection import Selection

FULL = 64 * 1024
"""Bytes that are gathered before they are written."""


@cache
def singer() -> Any:
    """The singer module, imported at its first use: that takes 150 ms, and `--version` has 100.

    Its import would replace the root logger's handlers and level.
    """
    import logging.config

    configure = logging.config.fileConfig
    logging.config.fileConfig = lambda *_, **__: None
    try:
        import singer as module
        import singer.metadata
    finally:
        logging.config.fileConfig = configure
    return module


def record_lines(stream: str, records: Iterable[Any], *, time_extracted: str, version: int | None = None) -> bytes:
    """One RECORD line for each of `records`, each ended by a newline; no records give no bytes."""
    rows = records if isinstance(records, list) else list(records)
    head = b'{"type":"RECORD","stream":%b,"record":' % orjson.dumps(stream)
    active = b"" if version is None else b',"version":%d' % version
    tail = active + b',"time_extracted":%b}\n' % orjson.dumps(time_extracted)
    return _enclosed(head, rows, tail, stream)


def bare_lines(stream: str, records: Sequence[Any]) -> bytes:
    """The records alone, a line each, as files of BATCH messages hold them."""
    return _enclosed(b"", records, b"\n", stream)


def _enclosed(head: bytes, rows: Sequence[Any], tail: bytes, stream: str) -> bytes:
    if not rows:
        return b""
    between = tail + head
    slices = [_joined(between, rows[start : start + _SLICE], stream) for start in range(0, len(rows), _SLICE)]
    slices[0] = head + slices[0]
    slices[-1] += tail
    return between.join(slices)


_SLICE = 25
"""Records that are serialised at once: orjson leaves some kilobytes of room behind each, until they are joined."""


def _joined(between: bytes, rows: Sequence[Any], stream: str) -> bytes:
    try:
        return between.join(map(orjson.dumps, rows))
    except TypeError:
        return between.join([_dumps(row, stream) for row in rows])


def _dumps(value: Any, stream: str = "") -> bytes:
    """`value` as JSON, also where orjson refuses: nested more than 254 deep, integers beyond 64 bits in a state."""
    try:
        return orjson.dumps(value)
    except TypeError:
        pass
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise SchemaError(f"{stream or 'the state'}: cannot be written as JSON: {error}") from error


class Writer:
    """Bytes to stdout, gathered: written when 64 KB are full, a second has passed (`tick`), or at `flush`.

    For one thread. A reader that has gone shows as BrokenPipeError.
    """

    def __init__(
        self,
        out: BinaryIO | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        batches: BatchFiles | None = None,
    ) -> None:
        self._out = sys.stdout.buffer if out is None else out
        self.batches = batches
        self._clock = clock
        self._pending: list[bytes] = []
        self._size = 0
        self._flushed_at = clock()

    def write(self, data: bytes) -> None:
        """Whole lines, in the order in which they are to come out."""
        if len(data) >= FULL:
            self._drain()
            self._put(data)
        elif data:
            self._pending.append(data)
            self._size += len(data)
            if self._size >= FULL:
                self._drain()

    def records(self, stream: str, lines: bytes, count: int) -> None:
        """RECORD lines; or bare ones, into the stream's file, where there are files."""
        if self.batches is None:
            self.write(lines)
        elif lines and (full := self.batches.add(stream, lines, count)):
            self.write(_dumps(full) + b"\n")

    def schema(self, selection: Selection) -> None:
        """The stream's SCHEMA message."""
        incremental = selection.replication_key is not None and not selection.full_table
        message = singer().SchemaMessage(
            stream=selection.stream.name,
            schema=selection.written,
            key_properties=list(selection.key_properties),
            bookmark_properties=[selection.replication_key] if incremental else None,
        )
        self._message(message)

    def state(self, value: Mapping[str, Any]) -> int:
        """A STATE message; its size in bytes. It vouches for all that came before, which is passed on at once."""
        for closed in self.batches.close() if self.batches else ():
            self.write(_dumps(closed) + b"\n")
        size = self._message(singer().StateMessage(value=value))
        self.flush()
        return size

    def activate_version(self, stream: str, version: int) -> None:
        """An ACTIVATE_VERSION message: rows of other versions are to be deleted."""
        self._message(singer().ActivateVersionMessage(stream=stream, version=version))

    def catalog(self, catalog: Mapping[str, Any]) -> None:
        """The catalog for people and machines, as `--discover` prints it."""
        self.write(orjson.dumps(catalog, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        self.flush()

    def text(self, text: str) -> None:
        """Plain text (`--about`), ended by a newline."""
        self.write(f"{text.rstrip()}\n".encode())
        self.flush()

    def flush(self) -> None:
        """Everything so far reaches the reader."""
        self._drain()
        self._out.flush()
        self._flushed_at = self._clock()

    def tick(self) -> None:
        """To be called now and then: flushes once a second."""
        if self._clock() - self._flushed_at >= 1:
            self.flush()

    def _message(self, message: Any) -> int:
        line = _dumps(message.asdict()) + b"\n"
        self.write(line)
        return len(line)

    def _drain(self) -> None:
        if self._pending:
            # Forgotten before they are written: after a broken pipe nothing is to be tried twice.
            data = b"".join(self._pending)
            self._pending.clear()
            self._size = 0
            self._put(data)

    def _put(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            # Under PYTHONUNBUFFERED stdout is the raw file, which a signal may stop in the middle of a line.
            rest = rest[self._out.write(rest) or 0 :]
