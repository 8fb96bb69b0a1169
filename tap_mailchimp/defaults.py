"""What rows of several tables of streams are made of: parameters, partitions, parents, small hooks, defaults."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from hashlib import md5
from typing import Any

from shared.api.paginators import halve, offset
from shared.api.request import Params, Row
from shared.streams import Parent, Record, Settings, Stream, Unit
from shared.timestamps import rfc3339, shift

Transform = Callable[[Sequence[Row], Unit], Iterator[Record]]

# Parameters


def page(**params: Any) -> Callable[[Unit], Params]:
    """A full page of rows, and `params`."""

    def of(unit: Unit) -> Params:
        return {"count": unit.settings["page_size"], **params}

    return of


def oldest_first(field: str) -> dict[str, str]:
    """Sorted so that what is new comes at the end, where it moves nothing."""
    return {"sort_field": field, "sort_dir": "ASC"}


def without(
    items: str, *, links: Collection[str] = (), keep: Collection[str] = (), never: Collection[str] = ()
) -> Callable[[Sequence[str]], Params]:
    """Keeps `_links` and deselected fields of the rows under `items` off the wire.

    `links` are members of a row with `_links` of their own. `keep` are fields that children, gates and hooks need
    whether or not somebody selected them; `never` are fields that nobody is to have.
    """
    root = f"{items}." if items else ""
    always = dict.fromkeys(("_links", f"{root}_links", *(f"{root}{member}._links" for member in links)))
    always.update(dict.fromkeys(f"{root}{name}" for name in never))

    def excluded(deselected: Sequence[str]) -> Params:
        names = [f"{root}{name}" for name in deselected if name not in keep and not name.startswith("_")]
        return {"exclude_fields": ",".join([*always, *names])}

    return excluded


def since(param: str) -> Callable[[Unit], Params]:
    """Asks for what is at or after `Unit.since`: the filter is exclusive, so for what is after the second before."""

    def of(unit: Unit) -> Params:
        assert unit.since is not None
        return {param: rfc3339(shift(unit.since, -1))}

    return of


# Partitions


def by_type(setting: str) -> Callable[[Settings], dict[str, Params]]:
    """A partition for each type named in `setting`; a single one, of all types, when it names none."""

    def partitions(settings: Settings) -> dict[str, Params]:
        return {name: {"type": name} for name in settings[setting] or ()} or {"": {}}

    return partitions


# Parents


def is_wanted_list(unit: Unit) -> bool:
    """Whether `list_ids` names the list, or nothing."""
    wanted = unit.settings["list_ids"]
    return not wanted or unit.parent["list_id"] in wanted


IN_LIST = Parent(
    stream="lists",
    keys={"list_id": "id"},
    carry=("stats", "stats.member_count", "stats.unsubscribe_count", "stats.cleaned_count", "stats.total_contacts"),
    where=is_wanted_list,
)


def carried(name: str) -> Callable[[Unit], int]:
    """The size of a unit: a counter of its parent."""

    def size(unit: Unit) -> int:
        return int(unit.parent.get(name) or 0)

    return size


# Hooks


NONE = "(none)"
"""What stands in a text column of a key where the API says nothing. Empty text would not do: many loaders read it as
null, which a key refuses (target-duckdb 0.8, COPY with EMPTYASNULL).
"""


def filled(*names: str) -> Transform:
    """NONE for key columns that the API leaves empty or out."""

    def transform(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
        for row in rows:
            yield {**row, **{name: NONE for name in names if row.get(name) in (None, "")}}

    return transform


def chained(first: Transform, second: Transform) -> Transform:
    """What `second` makes of what `first` made."""

    def transform(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
        yield from second(list(first(rows, unit)), unit)

    return transform


def by_person(name: str, *, strict: bool = False) -> Transform:
    """Rows with the id of a person under `name`, also where the API leaves it out: see `person_id`.

    Those of whom nothing is known are told apart by their number; `strict` leaves them without an id.
    """

    def transform(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
        for row in rows:
            if row.get(name):
                yield row
            else:
                yield {**row, name: person_id(row, name) if strict else known_by(row, name, unit)}

    return transform


def known_by(row: Row, name: str, unit: Unit) -> str:
    """The id of a person under `name`, or what stands for it in this unit's records."""
    if found := person_id(row, name):
        return found
    number = unit.scratch[NONE] = unit.scratch.get(NONE, -1) + 1
    return f"{NONE} {number}" if number else NONE


def person_id(row: Row, name: str) -> str | None:
    """The id of a person, which is the MD5 of the lower-case address; where the row leaves it out, from the address.

    Contacts may have no address (SMS alone, since 2025): they are known by their `contact_id`.
    """
    if found := row.get(name):
        return str(found)
    if address := row.get("email_address"):
        return md5(str(address).lower().encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
    contact = row.get("contact_id")
    return str(contact) if contact else None


def person(name: str) -> Callable[[Any], Any]:
    """What tells people apart on pages that overlap."""

    def identity(row: Any) -> Any:
        return (person_id(row, name) if isinstance(row, dict) else None) or whole_row(row)

    return identity


def numbered(*names: str, texts: Sequence[str] = ()) -> Transform:
    """`_index`, for rows without an id: 0, 1.. among those of one parent that are equal in `names` and `texts`, in the
    order given, so that a new row on top renames none of those that differ from it. Empty `texts` are filled.
    """
    fill = filled(*texts)

    def transform(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
        for row in fill(rows, unit):
            same = tuple(str(row.get(name)) for name in (*names, *texts))
            number = unit.scratch.get(same, 0)
            unit.scratch[same] = number + 1
            yield {**row, "_index": number}

    return transform


def whole_row(row: Any) -> str:
    """What rows without an id are known by, on pages that overlap."""
    return json.dumps(row, sort_keys=True)


# The defaults of a row

stream = partial(
    Stream,
    params=page(),
    next_page=offset("count", "offset", overlap=1),
    total="total_items",  # some answers hold fewer rows than asked for, whatever `count` says (users, 2019 to 2026)
    ignored=("_links",),
    shrink=halve("count", smallest=50),  # pages of 1000 members with many merge fields fail with 500 or 504
)
