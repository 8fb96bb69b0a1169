"""BATCH messages: records in files beside the pipe, named to the target in a manifest.

The message and the files are Meltano's: JSON lines, gzipped unless said otherwise, which its targets load. A file is
named only once it is closed and whole. Who deletes the files is the user's affair, as with Meltano's own taps.
"""

from __future__ import annotations

import gzip
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import unquote, urlsplit

from ..errors import ConfigError, MachineError, unable
from ..settings import brief

ROWS = 10_000
"""Records in a file: a target holds them all in memory."""
MOST_ROWS = 10_000_000


class BatchFiles:
    """One open file a stream. Knows neither stdout nor what the records are."""

    def __init__(self, folder: Path, *, is_gzip: bool = True, rows: int = ROWS, prefix: str = "") -> None:
        self._folder, self._is_gzip, self._rows, self._prefix = folder, is_gzip, rows, prefix
        self._open: dict[str, tuple[Path, IO[bytes], int]] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"batch: {folder} cannot be made: {error.strerror}.") from error

    def add(self, stream: str, lines: bytes, count: int) -> dict[str, Any] | None:
        """Append `count` JSON lines; the stream's BATCH message when that filled its file."""
        with self._said():
            path, file, rows = self._open.get(stream) or self._new(stream)
            file.write(lines)
        self._open[stream] = (path, file, rows + count)
        return self._close(stream) if rows + count >= self._rows else None

    def close(self) -> list[dict[str, Any]]:
        """Close what is open: the BATCH messages to write before anything that vouches for the records."""
        return [self._close(stream) for stream in list(self._open)]

    def _new(self, stream: str) -> tuple[Path, IO[bytes], int]:
        ending = "jsonl.gz" if self._is_gzip else "jsonl"
        path = self._folder / f"{self._prefix}{stream}-{uuid.uuid4().hex}.{ending}"
        # Held open from call to call, so no context manager can close it; for no other user to read.
        plain = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")  # noqa: SIM115
        if not self._is_gzip:
            return path, plain, 0
        return path, cast("IO[bytes]", _Gzip(filename="", mode="wb", fileobj=plain)), 0

    def _close(self, stream: str) -> dict[str, Any]:
        path, file, _ = self._open.pop(stream)
        with self._said():
            file.close()
        return {
            "type": "BATCH",
            "stream": stream,
            "encoding": {"format": "jsonl", "compression": "gzip" if self._is_gzip else "none"},
            "manifest": [path.as_uri()],
        }

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            text = unable(error, str(self._folder)) or f"{self._folder} cannot be written to: {error.strerror}."
            raise MachineError(f"batch: {text}") from error


class _Gzip(gzip.GzipFile):
    """Closes the file below with it."""

    def close(self) -> None:
        below = cast("IO[bytes] | None", self.fileobj)
        super().close()
        if below is not None:
            below.close()


def batch_files(settings: Mapping[str, Any]) -> BatchFiles | None:
    """The files that the setting `batch` asks for; None: records go to stdout. Raises ConfigError."""
    given = settings.get("batch")
    if not given:
        return None
    if settings.get("activate_version"):
        raise ConfigError("batch and activate_version exclude each other: records in files carry no version.")
    # Meltano's SDK nests the same under `encoding` and `storage`.
    flat = dict(given)
    for name in ("encoding", "storage"):
        nested = given.get(name) or {}
        if not isinstance(nested, dict):
            raise ConfigError(f"batch: {name} is {brief(nested)}, not a JSON object.")
        flat |= nested
    if flat.get("format", "jsonl") != "jsonl":
        raise ConfigError(f"batch: the format is jsonl, not {brief(flat['format'])}.")
    compression = flat.get("compression", "gzip")
    if compression not in ("gzip", "none", None):
        raise ConfigError(f"batch: the compression is gzip or none, not {brief(compression)}.")
    rows, prefix = flat.get("batch_size", ROWS), flat.get("prefix") or ""
    if not isinstance(rows, int) or isinstance(rows, bool) or not 1 <= rows <= MOST_ROWS:
        raise ConfigError(f"batch: batch_size is {brief(rows)}, not a number from 1 to {MOST_ROWS}.")
    if not isinstance(prefix, str) or not re.fullmatch(r"[\w.-]{0,100}", prefix):
        raise ConfigError(f"batch: prefix is {brief(prefix)}, not a part of a file's name.")
    return BatchFiles(_folder(flat), is_gzip=compression == "gzip", rows=rows, prefix=prefix)


def _folder(flat: Mapping[str, Any]) -> Path:
    root = str(flat.get("root") or "")
    try:
        parts = urlsplit(root)
    except ValueError:
        parts = urlsplit("nothing:")
    if "\0" in unquote(root) or len(root) > 4000:
        raise ConfigError(f"batch: root is no folder's name: {brief(root)}.")
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path:
        return Path(unquote(parts.path)).absolute()
    if root and not parts.scheme:
        return Path(root).absolute()
    raise ConfigError(f"batch: root is a folder of this machine, as a path or file:// URL, not {brief(root)}.")
