"""What several streams of Customer.io have in common: their defaults, their parents, their settings as parameters."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.streams import Parent, Settings, Stream

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


stream = partial(Stream, extend_schema=ids_as_text)
changed = partial(stream, seed=True, lookback=RECENT)
full = partial(stream, seed=True)
UNDER_CAMPAIGN = Parent(stream="campaigns", keys={"campaign_id": "id"})
UNDER_BROADCAST = Parent(stream="broadcasts", keys={"broadcast_id": "id"})
UNDER_NEWSLETTER = Parent(stream="newsletters", keys={"newsletter_id": "id"})
UNDER_TEMPLATE = Parent(stream="transactional_messages", keys={"transactional_id": "id"})
UNDER_SEGMENT = Parent(stream="segments", keys={"segment_id": "id"})
