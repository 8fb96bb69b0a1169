"""BATCH messages: records in files beside the pipe, named to the target in a manifest.

The message and the files are Meltano's: JSON lines, gzipped unless said otherwise, which its targets load. A file is
named only once it is closed and whole. Who deletes the files is the user's affair, as with Meltano's own taps.
"""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import unquote, urlsplit

from ..errors import ConfigError

ROWS = 10_000
"""Records in a file: a target holds them all in memory."""


class BatchFiles:
    """One open file a stream. Knows neither stdout nor what the records are."""

    def __init__(self, folder: Path, *, is_gzip: bool = True, rows: int = ROWS, prefix: str = "") -> None:
        self._folder, self._is_gzip, self._rows, self._prefix = folder, is_gzip, rows, prefix
        self._open: dict[str, tuple[Path, IO[bytes], int]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, stream: str, lines: bytes, count: int) -> dict[str, Any] | None:
        """Append `count` JSON lines; the stream's BATCH message when that filled its file."""
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
        # Held open from call to call, so no context manager can close it.
        file = cast("IO[bytes]", gzip.open(path, "wb")) if self._is_gzip else path.open("wb")  # noqa: SIM115
        return path, file, 0

    def _close(self, stream: str) -> dict[str, Any]:
        path, file, _ = self._open.pop(stream)
        file.close()
        return {
            "type": "BATCH",
            "stream": stream,
            "encoding": {"format": "jsonl", "compression": "gzip" if self._is_gzip else "none"},
            "manifest": [path.as_uri()],
        }


def batch_files(settings: Mapping[str, Any]) -> BatchFiles | None:
    """The files that the setting `batch` asks for; None: records go to stdout. Raises ConfigError."""
    given = settings.get("batch")
    if not given:
        return None
    if settings.get("activate_version"):
        raise ConfigError("batch and activate_version exclude each other: records in files carry no version.")
    # Meltano's SDK nests the same under `encoding` and `storage`.
    flat = {**given, **(given.get("encoding") or {}), **(given.get("storage") or {})}
    if flat.get("format", "jsonl") != "jsonl":
        raise ConfigError(f"batch: the format is jsonl, not {flat['format']}.")
    compression = flat.get("compression", "gzip")
    if compression not in ("gzip", "none", None):
        raise ConfigError(f"batch: the compression is gzip or none, not {compression}.")
    rows = flat.get("batch_size", ROWS)
    return BatchFiles(_folder(flat), is_gzip=compression == "gzip", rows=int(rows), prefix=str(flat.get("prefix", "")))


def _folder(flat: Mapping[str, Any]) -> Path:
    root = str(flat.get("root") or "")
    parts = urlsplit(root)
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path:
        return Path(unquote(parts.path)).absolute()
    if root and not parts.scheme:
        return Path(root).absolute()
    raise ConfigError(f"batch: root is a folder of this machine, as a path or file:// URL, not {root!r}.")
