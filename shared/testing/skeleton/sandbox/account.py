"""The account that the sandbox serves: rows made from `facts.json`, the seed, the scale and the day.

Deliberately awkward: nulls, empty text, other scripts, U+0000, rows of the same instant, a field that nobody knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from shared.sandbox import EPOCH, Row, Table, mix, salt
from shared.sandbox.kinds import Kind, facts_beside, kinds_of

FACTS: dict[str, dict[str, Any]] = facts_beside(__file__)["streams"]
TEXTS = ("Ann", "Zoë", "李雷", "O'Hara", "a\0b", "", None)


class Account:
    """The whole account on one day."""

    def __init__(self, *, seed: int, scale: float, day: int) -> None:
        self.seed, self.scale, self.day = seed, scale, day

    def table(self, stream: str, above: Sequence[str]) -> Table:
        """The rows of a stream, under the parents with these ids if it has any."""
        fact, name = FACTS[stream], salt(self.seed, stream, *above)
        kinds, changed = kinds_of(fact["fields"]), fact.get("changed")
        old = max(1, round(fact["rows"] * (1 if above else self.scale)))
        touched: dict[int, datetime] = {}

        def row(number: int) -> Row:
            made: Row = {
                field: _value(kind, mix(name, number, place)) for place, (field, kind) in enumerate(kinds.items())
            }
            made["id"] = f"{stream}-{number:05}" if kinds["id"] == "string" else number + 1
            if changed:
                made[changed] = _written(touched.get(number) or self._changed_at(number, old), kinds[changed])
            if number % 50 == 7:
                made["beta"] = {"score": 1}
            return made

        def touch(number: int, now: datetime) -> None:
            touched[number] = now

        return Table(old + 3 * self.day, row, touch=touch)

    def _changed_at(self, number: int, old: int) -> datetime:
        """Three rows change at once; each day brings new rows, and changes one in twenty of the old ones."""
        if number >= old or (self.day and number % 20 == 1):
            return EPOCH + timedelta(days=self.day, minutes=-number % 60)
        return EPOCH - timedelta(days=400) + timedelta(hours=number // 3)


def _value(kind: Kind, chance: int) -> Any:
    """Some value of a kind, always the same for the same chance."""
    if isinstance(kind, list):
        return [_value(kind[0], mix(chance, place)) for place in range(chance % 3)]
    if isinstance(kind, dict):
        return {name: _value(inner, mix(chance, place)) for place, (name, inner) in enumerate(kind.items())}
    if chance % 9 == 0:
        return None
    moment = EPOCH - timedelta(seconds=chance % 10_000_000)
    made: dict[str, Any] = {
        "string": TEXTS[chance % len(TEXTS)],
        "integer": chance % 1000,
        "number": chance % 1000 / 8,
        "boolean": chance % 2 == 0,
        "object": {"any": [1, None, "ö"]},
    }
    return made[kind] if kind in made else _written(moment, kind)


def _written(moment: datetime, kind: Kind) -> Any:
    """A moment as the API writes it in a field of this kind."""
    per_second = {"seconds": 1, "milliseconds": 1000}.get(kind)
    return int(moment.timestamp()) * per_second if per_second else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
