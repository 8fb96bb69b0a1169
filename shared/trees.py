"""JSON as Python holds it: objects in arrays in objects, each with one place."""

from __future__ import annotations

from typing import Any


def copied(value: Any) -> Any:
    """A copy that shares no object or array with `value`; several times as fast as `copy.deepcopy`."""
    if value.__class__ is dict:
        made = value.copy()
        for name, part in value.items():
            if part.__class__ is dict or part.__class__ is list:
                made[name] = copied(part)
        return made
    return [copied(part) for part in value] if value.__class__ is list else value
