"""What can be read from Skeleton: the API's table of contents."""

from __future__ import annotations

from functools import partial

from shared.api.paginators import cursor
from shared.api.request import Params
from shared.streams import Stream, Unit


def page(unit: Unit) -> Params:
    """A full page."""
    return {"limit": unit.settings["page_size"]}


def updated_since(unit: Unit) -> Params:
    """Asks for what changed at or after `Unit.since`."""
    return {"updated_since": unit.since}


stream = partial(Stream, params=page, next_page=cursor("next", param="cursor"))

STREAMS = (
    stream(
        name="items",
        description="Items, the least recently changed first.",
        path="/items",
        records="items",
        replication_key="updated_at",
        order="ascending",
        since=updated_since,
    ),
)
