"""How a process uses memory that takes in large trees of rows, one page after another."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

_M_ARENA_MAX, _M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -8, -3, -1  # of glibc's malloc.h


def keep_flat() -> None:
    """Have glibc share one arena among threads and give large blocks back at once.

    An arena for each worker keeps what its largest page needed: 240 MB for a large account, where 70 do (2026-11).
    Elsewhere than on glibc nothing happens.
    """
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, 512 * 1024)
        mallopt(_M_TRIM_THRESHOLD, 1024 * 1024)


def collect_seldom() -> None:
    """Have the collector of cycles wait for more of them than a page has objects, which are trees: it would run a dozen
    times a page and find nothing, in a third of the time that parsing takes (2026-11).
    """
    gc.freeze()
    gc.set_threshold(100_000)
