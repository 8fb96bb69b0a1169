"""Variations of campaigns' messages: what is sent, by whichever channel, WhatsApp too.

They are side-loaded with the messages, a hundred at a time. Should the API not know that, which its own client leaves
open, each message is asked for its variations.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from shared.api.request import Request, Row
from shared.streams import Rows, Step, Unit

from .client import InvalidError
from .defaults import page
from .jsonapi import collection, flat, included, resources

if TYPE_CHECKING:
    from shared.api.client import Client

NEWEST = {"revision": "2026-10-15"}
_beside = included("campaign-variation", relation="campaign-variations", column="campaign_message_id")


def beside(body: Any) -> Sequence[Row]:
    """The side-loaded variations of a page of messages."""
    found, messages = _beside(body), {row["id"]: row for row in resources()(body)}
    return [with_message(row, messages.get(row["campaign_message_id"]) or {}) for row in found]


def with_message(row: Row, message: Row) -> Row:
    """A variation with what its message says, and what its definition says of the channel."""
    told, told_of_message = (_object(each.get("definition")) for each in (row, message))
    details = _object(told.get("details"))
    return {
        **row,
        "campaign_message_id": row.get("campaign_message_id") or message.get("id"),
        "campaign_id": message.get("campaign_id"),
        "message_name": told_of_message.get("name"),
        "message_status": told_of_message.get("status"),
        "name": told.get("name"),
        "channel": details.get("channel"),
        "template_id": details.get("template_id"),
    }


def _object(value: Any) -> Row:
    return value if isinstance(value, dict) else {}


def read(client: Client, unit: Unit) -> Generator[Step, None, None]:
    """All variations."""
    from shared.sync.paging import pages

    try:
        yield from pages(client, unit, VARIATIONS)
    except InvalidError as error:
        if "include" not in error.said.lower():
            raise
        messages = replace(VARIATIONS, records=resources(), params=page(100, sort="id"))
        for batch in pages(client, unit, messages):
            for message in batch.rows:
                yield Rows([with_message(row, message) for row in _own(client, unit, message)])


def _own(client: Client, unit: Unit, message: Row) -> Iterator[Row]:
    """The variations of one message."""
    path = f"/api/campaign-messages/{quote(str(message['id']), safe='')}/campaign-variations"
    request: Request | None = Request(path, headers=NEWEST, quota="M message variations")
    while request is not None:
        body = client.json(request, stream=unit.stream)
        yield from (flat(each) for each in body["data"])
        following = (body.get("links") or {}).get("next")
        request = request.with_url(following) if following else None


VARIATIONS = collection(
    name="campaign_variations",
    description="What the messages of campaigns are made of, of all channels, WhatsApp too",
    path="/api/campaign-messages",
    headers=NEWEST,
    quota="M campaign messages",
    params=page(100, include="campaign-variations", sort="id"),
    records=beside,
    selected=False,
    cost="1 request per 100 messages",
)
