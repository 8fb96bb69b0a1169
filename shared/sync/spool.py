"""Where what comes over the network waits until it is whole: in memory while small, in a temporary file beyond."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tempfile import SpooledTemporaryFile


def spooled(in_memory: int) -> SpooledTemporaryFile[bytes]:
    """A file without a name, up to `in_memory` bytes of it in memory; gone when it is closed."""
    import tempfile  # here, since `--version` has no use for it

    return tempfile.SpooledTemporaryFile(max_size=in_memory)
