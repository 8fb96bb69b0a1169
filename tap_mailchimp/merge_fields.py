"""Merge fields as columns of their own: `merge_fields.<TAG>`, typed as the lists define them.

A list's definitions cost a request, so `typed_merge_fields: false` leaves `merge_fields` an object of any content. A
tag that two lists define differently is text. Dates are text too: they come in the list's own format, birthdays without
a year. What a member has under a tag that is in no list any more goes to `_extra`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from shared.api.paginators import offset
from shared.api.request import Row
from shared.errors import GoneError, RefusedError, UnavailableError
from shared.protocol.schema import JsonSchema
from shared.streams import Record, Stream, Unit

from .defaults import is_wanted_list

if TYPE_CHECKING:
    from shared.api.client import Client

logger = logging.getLogger("tap-mailchimp")

COLUMN = "merge_fields"
KINDS = "merge_field_kinds"
"""Under this name the settings of a run hold what each tag is: text, number or address."""
TEXT: JsonSchema = {"type": ["null", "string"]}
TYPES: Mapping[str, JsonSchema] = {
    "text": TEXT,
    "number": {"type": ["null", "number"]},
    "address": {
        "type": ["null", "object"],
        "properties": dict.fromkeys(("addr1", "addr2", "city", "state", "zip", "country"), TEXT),
    },
}

LISTS = Stream(
    name="lists",
    path="/lists",
    records="lists",
    params={"count": 1000, "sort_field": "date_created", "sort_dir": "ASC", "fields": "lists.id,total_items"},
    next_page=offset("count", "offset"),
    total="total_items",
)
DEFINITIONS = Stream(
    name="merge_fields",
    path="/lists/{list_id}/merge-fields",
    records="merge_fields",
    params={"count": 1000, "fields": "merge_fields.merge_id,merge_fields.tag,merge_fields.type,total_items"},
    key_properties=("merge_id",),
    next_page=offset("count", "offset"),
    total="total_items",
)


def typed(schema: JsonSchema, client: Client) -> JsonSchema:
    """The schema of a stream of members, with a typed member of `merge_fields` for each tag."""
    if not client.settings["typed_merge_fields"] or not (kinds := kinds_of(client)):
        return schema
    properties = {tag: TYPES[kind] for tag, kind in kinds.items()}
    column = {**schema["properties"][COLUMN], "properties": properties}
    return {**schema, "properties": {**schema["properties"], COLUMN: column}}


def kinds_of(client: Client) -> Mapping[str, str]:
    """What each tag is in the lists that are read; asked for once in a run."""
    settings = client.settings
    if KINDS not in settings:
        assert isinstance(settings, dict)
        settings[KINDS] = agreed(_definitions(client))
    found: Mapping[str, str] = settings[KINDS]
    return found


def agreed(definitions: Iterator[Row]) -> dict[str, str]:
    """Tag → kind. Of tags that differ by case alone the first one has the column."""
    kinds: dict[str, str] = {}
    names: dict[str, str] = {}
    for row in definitions:
        tag, kind = row.get("tag"), str(row.get("type"))
        if not isinstance(tag, str) or not tag or names.setdefault(tag.casefold(), tag) != tag:
            continue
        kind = kind if kind in TYPES else "text"
        kinds[tag] = kind if kinds.get(tag, kind) == kind else "text"
    return kinds


def _definitions(client: Client) -> Iterator[Row]:
    from shared.sync.paging import pages

    def rows(stream: Stream, **parent: str) -> Iterator[Row]:
        unit = Unit(stream=stream.name, parent=parent, settings=client.settings, now=client.now())
        for step in pages(client, unit, stream):
            yield from step.rows

    for each in rows(LISTS):
        in_list = Unit(stream="lists", parent={"list_id": each.get("id")}, settings=client.settings)
        if not each.get("id") or not is_wanted_list(in_list):
            continue
        try:
            yield from rows(DEFINITIONS, list_id=str(each["id"]))
        except GoneError:
            continue  # the list was deleted meanwhile
        except (RefusedError, UnavailableError) as error:
            # The members of such a list cannot be read either, and that is said with the right exit code.
            logger.info("merge fields of list %s are not known: %s", each["id"], error)


def emptied(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """The rows with null where a number or an address is not filled in: the API writes empty text there."""
    kinds = unit.settings.get(KINDS) or {}
    tags = [tag for tag, kind in kinds.items() if kind != "text"]
    for row in rows:
        values = row.get(COLUMN)
        if isinstance(values, dict):
            for tag in tags:
                if values.get(tag) == "":
                    values[tag] = None
        yield row
