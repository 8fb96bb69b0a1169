"""What several streams of Customer.io have in common: their defaults, their parents, their settings as parameters."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.errors import GoneError
from shared.streams import Parent, Settings, Step, Stream, Unit

from .pages import after

if TYPE_CHECKING:
    from shared.api.client import Client


def lookback(name: str, unit_seconds: float, *, at_least: str = "") -> Callable[[Settings], float]:
    """Seconds to read again, from a setting, but never less than the minutes of another."""

    def of(settings: Settings) -> float:
        return max(float(settings[name]) * unit_seconds, float(settings[at_least]) * 60 if at_least else 0.0)

    return of


RECENT = lookback("lookback_minutes", 60)


def ids_as_text(schema: dict[str, Any], client: Client) -> dict[str, Any]:
    """With `string_ids` the schema that singer-io's tap has: whole-number ids are text."""
    if not client.settings["string_ids"]:
        return schema
    properties = dict(schema["properties"])
    for name, part in properties.items():
        if (name == "id" or name.endswith("_id")) and "integer" in part["type"]:
            properties[name] = {**part, "type": ["null", "string"]}
    return {**schema, "properties": properties}


def unless_gone(listing: Stream) -> Stream:
    """The stream, of which a parent has no rows if it is answered with 404: there is nothing to be listed then."""

    def fetch(client: Client, unit: Unit) -> Generator[Step, None, None]:
        from shared.sync.paging import pages  # heavy

        try:
            yield from pages(client, unit, listing)
        except GoneError as error:
            client.report.log.debug("%s Taken for none.", error)

    return replace(listing, fetch=fetch, next_page=listing.next_page or after())


stream = partial(Stream, extend_schema=ids_as_text, null_rows=True)
"""Lists without rows are written null as well as [] (live)."""
changed = partial(stream, seed=True, lookback=RECENT)
LISTED_WHOLE = "with `activate_version`, which writes all of them in each run"
"""How deletions show in streams of which the API gives all rows anyway, changed or not."""
listed = partial(changed, deletions=LISTED_WHOLE)
full = partial(stream, seed=True)
UNDER_CAMPAIGN = Parent(stream="campaigns", keys={"campaign_id": "id"}, carry=("created",))
UNDER_BROADCAST = Parent(stream="broadcasts", keys={"broadcast_id": "id"})
UNDER_NEWSLETTER = Parent(stream="newsletters", keys={"newsletter_id": "id"})
UNDER_TEMPLATE = Parent(stream="transactional_messages", keys={"transactional_id": "id"})
UNDER_SEGMENT = Parent(stream="segments", keys={"segment_id": "id"})
