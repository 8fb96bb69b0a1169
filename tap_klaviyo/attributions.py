"""Attributions: to which message, and which event before, Klaviyo attributes an event.

An event's answer side-loads them. They have no attributes: all that they say stands in their relations, and the id of
each is the event's own id (seen live, 2026-07), so an event may well have several of one id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.api.request import Row
from shared.streams import Record, Unit

from .jsonapi import Records, resources

RELATIONS: Mapping[str, str] = {
    "attributed_event_id": "attributed-event",
    "flow_id": "flow",
    "flow_message_id": "flow-message",
    "flow_message_variation_id": "flow-message-variation",
    "campaign_id": "campaign",
    "campaign_message_id": "campaign-message",
}
"""Column → the relation it comes from."""


def events(*embedded: str) -> Records:
    """The events of an answer, with the resources of the relations `embedded`, and their attributions."""
    plain = resources(*embedded)

    def rows(body: Any) -> Sequence[Row]:
        found = plain(body)
        held = _by_event(body)
        for row in found:
            if row.__class__ is dict and "attribution_ids" in row:
                row["attributions"] = held.get(row.get("id")) or [
                    each for name in dict.fromkeys(row["attribution_ids"]) for each in held.get(name, ())
                ]
        return found

    return rows


def _by_event(body: Any) -> Mapping[Any, list[Row]]:
    """The side-loaded attributions by the id of their event, or else by their own."""
    found: defaultdict[Any, list[Row]] = defaultdict(list)
    for each in body.get("included") or ():
        if isinstance(each, dict) and each.get("type") == "attribution":
            relations = each.get("relationships") or {}
            flat = {column: _id(relations.get(name)) for column, name in RELATIONS.items()}
            owner = _id(relations.get("event")) or each.get("id")
            if flat not in found[owner]:
                found[owner].append(flat)
    return found


def _id(relation: Any) -> Any:
    data = relation.get("data") if isinstance(relation, dict) else None
    return data.get("id") if isinstance(data, dict) else None


def as_rows(events: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """A row for each attribution of each event, in the order in which the API gives them."""
    for event in events:
        told = {name: event.get(name) for name in ("datetime", "metric_id", "profile_id")}
        for position, each in enumerate(event.get("attributions") or ()):
            yield {"event_id": event.get("id"), "position": position, **told, **each}
