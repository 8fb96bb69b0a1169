"""How a process behaves that takes in large trees of rows, page after page, while many threads wait for more."""

from __future__ import annotations

import ctypes
import gc
import sys
from contextlib import suppress

_M_ARENA_MAX, _M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -8, -3, -1  # of glibc's malloc.h


def keep_memory_flat() -> None:
    """Have glibc share one arena among threads and give large blocks back at once.

    An arena for each worker keeps what its largest page needed: 240 MB for a large account, where 70 do (2026-11).
    Elsewhere than on glibc nothing happens.
    """
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, 64 * 1024)
        mallopt(_M_TRIM_THRESHOLD, 128 * 1024)


def be_quick() -> None:
    """Set the interpreter up for pages.

    The collector of cycles waits for more objects than a page has, which are trees: it would run a dozen times a page
    and find nothing, in a third of the time that parsing takes. A thread whose answer has come gets its turn after
    0.3 ms, not 5: it needs several until it has read it, and the next request waits for that (both 2026-11).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)
    sys.setswitchinterval(0.0003)
