"""Columns of `users`: the fixed ones, and the account's own fields as `getFields` names them.

Profiles are exported flat, nested objects as dotted keys. `getFields` knows index types, not arrays, and values may
contradict them; what does not fit its column goes to `_extra`, like every field created since discovery.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from shared.api.request import Row
from shared.errors import ApiError
from shared.protocol.schema import JsonSchema, columns
from shared.streams import Record, Rows, Settings, Step, Unit

from . import exports
from .events import Export
from .project import project

if TYPE_CHECKING:
    from shared.api.client import Client

FIELDS = "dataFields"
"""The column of all own fields, with `users_layout: data_fields`."""

_TYPES: dict[str, JsonSchema] = {
    "long": {"type": ["null", "integer"]},
    "double": {"type": ["null", "number"]},
    "boolean": {"type": ["null", "boolean"]},
    "date": {"type": ["null", "string"], "format": "date-time"},
}
_TEXT: JsonSchema = {"type": ["null", "string"]}
_DOUBLE_FRACTION = re.compile(r"(.+\.\d+)\.\d+(Z?)")
"""A date-time with two fractions, as the API was seen to write them: the last group says nothing."""


def extend(schema: JsonSchema, client: Client) -> JsonSchema:
    """The schema with the account's own fields."""
    known = project(client.settings)
    known.learn(client)
    fixed = {name: part for name, part in schema["properties"].items() if name != FIELDS}
    if client.settings["users_layout"] == "data_fields":
        return schema
    own = known.fields
    names = names_of(tuple(own), tuple(fixed))
    properties = {names[name]: part for name, part in fixed.items()}
    properties.update((names[name], _TYPES.get(kind, _TEXT)) for name, kind in own.items() if name not in fixed)
    return {**schema, "properties": properties}


def extend_members(schema: JsonSchema, client: Client) -> JsonSchema:
    """The schema as it is; members are told apart as users are, so the project has to be known."""
    known = project(client.settings)
    if known.kind == "auto":
        known.learn(client)
    if known.kind == "auto":
        client.report.warn(
            "list_users",
            f"the project's type could not be asked for and is taken for email; set project_type. {known.failure}",
        )
    return schema


def fetch(export: Export) -> Callable[[Client, Unit], Generator[Step, None, None]]:
    """The profiles of one window. Without the account's own fields there are none: they would have other columns."""
    read = exports.fetch(export)

    def fetched(client: Client, unit: Unit) -> Generator[Step, None, None]:
        known = project(unit.settings)
        if known.failure:
            raise ApiError(f"{known.failure} Without the project's own fields users are not read.")
        for step in read(client, unit):
            if isinstance(step, Rows) and any(not _names(row, known.user_key) for row in step.rows):
                client.report.warn(
                    unit.stream,
                    f"there are profiles without {known.user_key}, by which a project of type {known.kind} tells users "
                    "apart; they cannot be written. Set project_type to userid, or hybrid.",
                )
            yield step

    return fetched


def lookback_seconds(settings: Settings) -> float:
    """How much is read again behind a bookmark: profiles are indexed within the hour."""
    minutes = settings.get("lookback_minutes")
    return 60.0 * float(exports.SOON_MINUTES if minutes is None else minutes)


def _names(row: Row, key: str) -> bool:
    """Whether a profile has what users are told apart by, or what stands for it."""
    return bool(row.get(key) or (key == "itblUserId" and (row.get("userId") or row.get("email"))))


@lru_cache(maxsize=8)
def names_of(own: tuple[str, ...], fixed: tuple[str, ...]) -> Mapping[str, str]:
    """Field → column. Of names that differ only in case, a fixed one, or else the one that sorts last, keeps its own;
    another one is called "_" and the next (`Industry`, `industry` → `_industry`, `industry`), as singer-io's tap does
    it for two of them.
    """
    variants: dict[str, list[str]] = {}
    for name in dict.fromkeys((*fixed, *own)):
        variants.setdefault(name.casefold(), []).append(name)
    wanted: dict[str, str] = {}
    for group in variants.values():
        ordered = sorted(group, key=lambda name: (name in fixed, name))
        wanted.update((name, f"_{after}") for name, after in zip(ordered, ordered[1:], strict=False))
        wanted[ordered[-1]] = ordered[-1]
    plain = [name for name, column in wanted.items() if name == column]
    final = columns(plain)
    renamed = {name: column for name, column in reversed(wanted.items()) if name != column}
    given = columns(renamed.values(), taken=final.values())
    final.update((name, given[column]) for name, column in renamed.items())
    return final


def records(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Profiles under their columns' names."""
    settings = unit.settings
    known_project = project(settings)
    own, key = known_project.fields, known_project.user_key
    fixed = fixed_names()
    in_one = settings["users_layout"] == "data_fields"
    names = {} if in_one else names_of(tuple(own), fixed)
    renamed = {name: column for name, column in names.items() if name != column}
    dates = [name for name, kind in own.items() if kind == "date"]
    known = frozenset(fixed)
    for row in rows:
        if not in_one:
            _mend(row, dates)
        if key == "itblUserId" and not row.get(key):
            row[key] = row.get("userId") or row.get("email")
        if in_one:
            record = {name: part for name, part in row.items() if name in known}
            record[FIELDS] = {name: part for name, part in row.items() if name not in known} or None
        elif renamed.keys() & row.keys():
            record = {renamed.get(name, name): part for name, part in row.items()}
        else:
            record = row
        yield record


def _mend(row: Row, dates: Iterable[str]) -> None:
    for name in dates:
        value = row.get(name)
        if value.__class__ is str and (match := _DOUBLE_FRACTION.fullmatch(value)):
            row[name] = match[1] + match[2]


@lru_cache(maxsize=1)
def fixed_names() -> tuple[str, ...]:
    """The columns every account has, in the schema's order."""
    from shared.protocol.schema import load

    return tuple(name for name in load(Path(__file__).with_name("schemas"), "users")["properties"] if name != FIELDS)


def key(settings: Settings) -> tuple[str, ...] | None:
    """By what users of this project are told apart."""
    return (project(settings).user_key,)


def member_key(settings: Settings) -> tuple[str, ...] | None:
    """By what members of lists are told apart."""
    return ("email" if project(settings).user_key == "email" else "userIdentifier", "listId")
