"""What a tap must make of a row: the one engine of every sandbox's truth, sharing no code with `shared.records`.

That both were written apart is the point: a test that compares them finds the slips of either.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from .kinds import Kind
from .rows import WHEN_READ, Row

_WIRE = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d{1,6})?(?:\.\d+)? ?(Z|[+-]\d\d:?\d\d)")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_REFUSED = re.compile("[\0\ud800-\udfff]")


class _Misfit(Exception):
    """The value is not what its kind wants."""


def record(kinds: Mapping[str, Kind], row: Row, *, aside: Container[str] = ()) -> Row:
    """The record of a row: null where it has nothing, and in `_extra` what no kind knows or wants, except `aside`."""
    extra: Row = {}
    made = {name: _fit(row.get(name), kind, name, extra) for name, kind in kinds.items()}
    extra.update((name, clean(value)) for name, value in row.items() if name not in kinds and name not in aside)
    return {**made, "_extra": extra} if extra else made


def _fit(value: Any, kind: Kind, path: str, extra: Row) -> Any:
    """`value` as its kind wants it; what does not fit is null here and stands in `extra` under its path."""
    if value is None:
        return None
    try:
        if isinstance(kind, dict):
            return _members(_of(dict, value), kind, path, extra)
        if isinstance(kind, list):
            return [_fit(part, kind[0], f"{path}.{place}", extra) for place, part in enumerate(_of(list, value))]
        return TYPES[kind](value)
    except _Misfit:
        extra[path] = clean(value)
        return None


def _members(value: Row, kinds: Mapping[str, Kind], path: str, extra: Row) -> Row:
    extra.update((f"{path}.{name}", clean(part)) for name, part in value.items() if name not in kinds)
    return {name: _fit(part, kinds[name], f"{path}.{name}", extra) for name, part in value.items() if name in kinds}


def _of(wanted: type | tuple[type, ...], value: Any) -> Any:
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise _Misfit
    return value


def _text(value: Any) -> str:
    return str(clean(value)) if isinstance(value, str) else compact(value)


def _whole(value: Any) -> int:
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if _of((int, float), value) != int(value):
        raise _Misfit
    return int(value)


def instant(value: Any) -> str | None:
    """The instant of text that tells its offset; none of empty text."""
    if value in ("", WHEN_READ):
        return value or None
    match = _WIRE.fullmatch(_of(str, value))
    if match is None:
        raise _Misfit
    day, clock, fraction, offset = match.groups()
    moment = datetime.fromisoformat(f"{day}T{clock}{offset.replace('Z', '+00:00')}").astimezone(timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}{(fraction or '.').ljust(7, '0')}Z"


def unix(seconds: float) -> str:
    """Seconds since 1970 as an instant."""
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S.%f}Z"


def clean(value: Any) -> Any:
    """`value` without the characters that databases refuse, and with integers that they hold."""
    if isinstance(value, str):
        return _REFUSED.sub("\ufffd", value)
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, dict):
        return {clean(name): clean(part) for name, part in value.items()}
    return [clean(part) for part in value] if isinstance(value, list) else value


TYPES: dict[str, Callable[[Any], Any]] = {
    "any": clean,
    "string": _text,
    "integer": _whole,
    "number": lambda value: _of((int, float), value),
    "boolean": lambda value: _of(bool, value),
    "object": lambda value: clean(_of(dict, value)),
    "date-time": instant,
    "seconds": lambda value: unix(value) if value else None,
    "milliseconds": lambda value: unix(_of((int, float), value) / 1000),
}
"""Type → what is made of a value; `string` takes any value, as JSON."""


def compact(value: Any) -> str:
    """`value` as compact JSON, not escaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def digest(value: Any) -> str:
    """What the references make keys of: the first 32 hexadecimal digits of the SHA-256 of a value's JSON,
    compact and sorted.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def occurrences(rows: Iterable[Row], same: Callable[[Row], Any]) -> Iterator[tuple[Row, Any, int]]:
    """Each row, what `same` says of it, and how many rows of which it said the same stood before."""
    met: Counter[str] = Counter()
    for row in rows:
        parts = same(row)
        text = compact(parts)
        yield row, parts, met[text]
        met[text] += 1
