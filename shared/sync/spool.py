"""Where what comes over the network waits until it is whole: in memory while small, in a temporary file beyond."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import MachineError, TooLargeError, unable

if TYPE_CHECKING:
    from tempfile import SpooledTemporaryFile

T = TypeVar("T")
LEFT_FREE = 256_000_000
"""Bytes of the disk that a spool leaves to others, or a tenth of it where that is less."""
_LOOK_AGAIN = 16_000_000


@cache
def _spool_class() -> type[SpooledTemporaryFile[bytes]]:
    import shutil
    import tempfile  # here, since `--version` has no use for it

    class Spool(tempfile.SpooledTemporaryFile[bytes]):
        """Says what is wrong when the disk is full, and stops before it is."""

        _unseen = 0

        def write(self, data: Any) -> int:
            count = self._said(super().write, data)
            self._unseen += count
            if self._unseen >= _LOOK_AGAIN:
                self._unseen = 0
                disk = shutil.disk_usage(tempfile.gettempdir())
                if disk.free < min(LEFT_FREE, disk.total / 10):
                    raise TooLargeError(
                        f"{tempfile.gettempdir()} is nearly full ({disk.free // 1_000_000} MB are left) of "
                        "what the API sends. Make room there, or let TMPDIR name a larger folder."
                    )
            return count

        def seek(self, *args: Any) -> int:
            return self._said(super().seek, *args)

        def rollover(self) -> None:
            self._said(super().rollover)

        def truncate(self, size: int | None = None) -> int:
            return self._said(super().truncate, size)

        def close(self) -> None:
            try:
                super().close()
            except OSError:  # what could not be written has been said already
                pass

        def __exit__(self, *_: object) -> None:
            self.close()

        def _said(self, work: Callable[..., T], *args: Any) -> T:
            try:
                return work(*args)
            except OSError as error:
                if text := unable(error, tempfile.gettempdir()):
                    raise MachineError(f"{text} (TMPDIR may name another folder.)") from error
                raise

    return Spool


def spooled(in_memory: int) -> SpooledTemporaryFile[bytes]:
    """A file without a name, up to `in_memory` bytes of it in memory; gone when it is closed."""
    return _spool_class()(max_size=in_memory)
