"""The shape of a value: types, lengths, forms of texts and numbers, members. No value goes in, nor any part of one.

All that a shape can say is a word from a fixed list, a rough count, or the name of a member that the tap itself knows;
other names are given as pseudonyms (see `names`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

DEEPEST = 12
MOST_NAMES = 400
MOST_OWN_NAMES = 40
OTHERS = "own:others"
"""Stands for the account's own names of an object beyond the first `MOST_OWN_NAMES`."""

_LENGTHS = (1, 4, 8, 16, 32, 64, 128, 256, 1024)
_DIGITS = ((4, "1-4 digits"), (9, "5-9 digits"), (10, "10 digits"), (12, "11-12 digits"), (13, "13 digits"))
_FORMS = (
    (
        "date-time",
        re.compile(r"\d{4}-\d\d-\d\d(?P<between>[T ])\d\d:\d\d(:\d\d(?P<fraction>[.,]\d+)?)?(?P<offset>.*)", re.DOTALL),
    ),
    ("date", re.compile(r"\d{4}-\d\d-\d\d")),
    ("date with slashes", re.compile(r"\d{1,4}/\d{1,2}/\d{1,4}")),
    ("uuid", re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")),
    ("decimal", re.compile(r"[-+]?\d*\.\d+")),
    ("hex", re.compile(r"(?=.*\d)(?:[0-9a-f]{8,}|[0-9A-F]{8,})")),
    ("ULID", re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")),
    ("URL", re.compile(r"https?://\S+")),
    ("address", re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")),
    ("phone", re.compile(r"\+\d{6,15}")),
    ("markup", re.compile(r"\s*<.*", re.DOTALL)),
    ("JSON", re.compile(r"\s*[\[{].*[\]}]\s*", re.DOTALL)),
    ("word", re.compile(r"[A-Za-z0-9_-]+")),
)
_OFFSETS = (
    ("Z", re.compile(r"Z")),
    ("no offset", re.compile(r"")),
    ("zero offset with colon", re.compile(r"[+-]00:00")),
    ("zero offset", re.compile(r"[+-]00(00)?")),
    ("other offset with colon", re.compile(r"[+-]\d\d:\d\d")),
    ("other offset", re.compile(r"[+-]\d\d(\d\d)?")),
)
_LONGEST = 4096
"""What is longer has no form worth looking for."""


def rough(number: int) -> str:
    """How many, roughly: an exact count would tell of the size of an account, and may be a value by accident."""
    if number < 10:
        return "0" if number <= 0 else "1" if number == 1 else "2-9"
    return "10-99" if number < 100 else "100-999" if number < 1000 else "1000+"


def length(number: int) -> str:
    """The span in which a length lies."""
    if number == 0:
        return "0"
    for low, high in zip(_LENGTHS, _LENGTHS[1:], strict=False):
        if number < high:
            return f"{low}-{high - 1}"
    return "1024+"


def text_form(text: str) -> str:
    """What a text looks like, in a word."""
    if not text:
        return "empty"
    if len(text) > _LONGEST:
        return "long"
    if text.isascii() and text.isdigit():
        return f"digits, {_digits(len(text))}"
    for name, pattern in _FORMS:
        if found := pattern.fullmatch(text):
            return _moment(found) if name == "date-time" else name
    return "text"


def _moment(found: re.Match[str]) -> str:
    offset = next((name for name, pattern in _OFFSETS if pattern.fullmatch(found["offset"])), None)
    if offset is None:
        return "text"
    fraction = f", fraction of {min(len(found['fraction']) - 1, 9)} digits" if found["fraction"] else ""
    return f"date-time, {'T' if found['between'] == 'T' else 'blank'}, {offset}{fraction}"


def _digits(number: int) -> str:
    return next((text for most, text in _DIGITS if number <= most), "14 digits or more")


def number_form(number: float) -> str:
    """What a number looks like."""
    sign = "negative, " if number < 0 else ""
    if isinstance(number, int):
        return f"{sign}{_digits(len(str(abs(number)))) if -(10**18) < number < 10**18 else '14 digits or more'}"
    return f"{sign}whole" if number.is_integer() else f"{sign}with decimals"


@dataclass(slots=True)
class Room:
    """How many shapes may still be made: a run of any length has a small file."""

    left: int = 20_000


@dataclass(slots=True)
class Shape:
    """What was seen at one place of the answers of an endpoint."""

    seen: int = 0
    types: Counter[str] = field(default_factory=Counter)
    forms: Counter[str] = field(default_factory=Counter)
    lengths: Counter[str] = field(default_factory=Counter)
    members: dict[str, Shape] = field(default_factory=dict)
    items: Shape | None = None
    relation: Counter[str] = field(default_factory=Counter)

    def add(self, value: Any, name: Callable[[str], str], room: Room, *, depth: int = 0, related: bool = False) -> None:
        """Count `value` in. `name` gives what a member may be called; `related`: it is a relation of JSON:API."""
        self.seen += 1
        if related:
            self.relation[_relation(value)] += 1
        if value is None:
            self.types["null"] += 1
        elif isinstance(value, bool):
            self.types["boolean"] += 1
        elif isinstance(value, (int, float)):
            self.types["integer" if isinstance(value, int) else "number"] += 1
            self.forms[number_form(value)] += 1
        elif isinstance(value, str):
            self.types["text"] += 1
            self.forms[text_form(value)] += 1
            self.lengths[length(len(value))] += 1
        elif isinstance(value, list):
            self.types["array"] += 1
            self.lengths[length(len(value))] += 1
            if value and self._has_room_for_items(room, depth):
                assert self.items is not None
                for item in value:
                    self.items.add(item, name, room, depth=depth + 1)
        else:
            self.types["object"] += 1
            if depth < DEEPEST:
                self._add_members(value, name, room, depth)

    def _has_room_for_items(self, room: Room, depth: int) -> bool:
        if self.items is None and depth < DEEPEST and room.left > 0:
            room.left -= 1
            self.items = Shape()
        return self.items is not None

    def _add_members(self, value: Mapping[str, Any], name: Callable[[str], str], room: Room, depth: int) -> None:
        for own, member in value.items():
            called = name(own)
            shape = self.members.get(called)
            if shape is None:
                if called.startswith("own:") and self._own_names() >= MOST_OWN_NAMES:
                    called = OTHERS
                shape = self.members.get(called)
            if shape is None:
                if room.left <= 0 or len(self.members) >= MOST_NAMES:
                    continue
                room.left -= 1
                shape = self.members[called] = Shape()
            if called == "relationships" and isinstance(member, dict):
                shape.add_relations(member, name, room, depth + 1)
            else:
                shape.add(member, name, room, depth=depth + 1)

    def add_relations(self, value: Mapping[str, Any], name: Callable[[str], str], room: Room, depth: int) -> None:
        """Count in the relations of a JSON:API resource."""
        self.seen += 1
        self.types["object"] += 1
        for own, member in value.items():
            called = name(own)
            shape = self.members.get(called)
            if shape is None:
                if room.left <= 0 or len(self.members) >= MOST_NAMES:
                    continue
                room.left -= 1
                shape = self.members[called] = Shape()
            shape.add(member, name, room, depth=depth + 1, related=True)

    def _own_names(self) -> int:
        return sum(each.startswith("own:") for each in self.members)

    def told(self) -> dict[str, Any]:
        """The shape as JSON, parts with nothing in them left out."""
        objects = self.types["object"]
        found: dict[str, Any] = {"types": shares(self.types, self.seen)}
        for label, counts in (("forms", self.forms), ("lengths", self.lengths), ("relation", self.relation)):
            if counts:
                found[label] = shares(counts, sum(counts.values()))
        if self.members:
            found["members"] = {
                name: {"present": share(shape.seen, objects), **shape.told()}
                for name, shape in sorted(self.members.items())
            }
        if self.items is not None:
            found["items"] = self.items.told()
        return found


def share(part: int, whole: int) -> str:
    """How much of `whole` that is, in percent: always 100 and 0 for all and none alone."""
    if part >= whole:
        return "100%"
    return f"{min(max(round(100 * part / whole), 1), 99)}%" if part else "0%"


def shares(counts: Mapping[str, int], whole: int) -> dict[str, str]:
    return {name: share(count, whole) for name, count in sorted(counts.items()) if count}


def _relation(value: Any) -> str:
    if not isinstance(value, dict) or not value:
        return "empty"
    if "data" not in value:
        return "links only" if "links" in value else "neither data nor links"
    data = value["data"]
    return "null data" if data is None else "empty data" if data == [] else "data"
