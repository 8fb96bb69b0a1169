"""Files that a user names: only regular ones are read, of a size that a config, a state or a catalog may have."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

MOST_BYTES = 512_000_000
DEEPEST = 200


class UnfitError(ValueError):
    """What was read is no JSON, or nested deeper than anything of ours."""


def read_text(path: str | Path) -> str:
    """The text of a regular file; raises OSError or ValueError with a sentence's end. A pipe or a device may never end,
    so none is opened.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("it is no regular file")
        if found.st_size > MOST_BYTES:
            raise ValueError(f"it is larger than {MOST_BYTES // 1_000_000} MB")
        try:
            return file.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValueError("it is not UTF-8") from None


def parsed(text: str) -> Any:
    """The JSON in `text`; raises UnfitError."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UnfitError(str(error)[:200]) from None
    except RecursionError:
        raise UnfitError(f"nested deeper than {DEEPEST} levels") from None
    if _is_too_deep(value):
        raise UnfitError(f"nested deeper than {DEEPEST} levels")
    return value


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            below
            for each in level
            if isinstance(each, (dict, list))
            for below in (each.values() if isinstance(each, dict) else each)
            if isinstance(below, (dict, list))
        ]
        if not level:
            return False
    return True
