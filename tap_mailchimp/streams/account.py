"""The account itself: its profile, its news, its domains and sites, its inbox."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.api.request import Row
from shared.streams import Parent, Record, Unit

from ..defaults import Transform, numbered, stream, whole_row, without


def as_text(*names: str) -> Transform:
    """Ids that come as numbers now and then, as text."""

    def transform(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
        for row in rows:
            yield {**row, **{name: str(row[name]) for name in names if row.get(name) is not None}}

    return transform


def without_links(*names: str) -> Transform:
    """The rows without the links `names`: whoever has one of these may download what it leads to."""

    def transform(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
        for row in rows:
            yield {name: value for name, value in row.items() if name not in names}

    return transform


ACCOUNT_STREAMS = (
    stream(
        name="account",
        description="The account itself",
        path="/",
        params={},
        sparse=without(""),
        key_properties=("account_id",),
        next_page=None,
        shrink=None,
    ),
    stream(
        name="chimp_chatter",
        description="What happened in the account lately: new subscribers, imports, profile updates",
        path="/activity-feed/chimp-chatter",
        records="chimp_chatter",
        sparse=without("chimp_chatter"),
        key_properties=("update_time", "type", "title", "_index"),
        identity=whole_row,
        counted=True,
        transform=numbered("update_time", texts=("type", "title")),
        selected=False,
    ),
    stream(
        name="verified_domains",
        description="Domains that e-mail may come from",
        path="/verified-domains",
        records="domains",
        sparse=without("domains"),
        key_properties=("domain",),
        selected=False,
    ),
    stream(
        name="connected_sites",
        description="Web sites with Mailchimp's script on them",
        path="/connected-sites",
        records="sites",
        sparse=without("sites"),
        key_properties=("foreign_id",),
        selected=False,
    ),
    stream(
        name="conversations",
        description="Threads of the old inbox",
        path="/conversations",
        records="conversations",
        sparse=without("conversations"),
        optional=True,
        selected=False,
    ),
    stream(
        name="conversation_messages",
        description="Messages of the old inbox",
        path="/conversations/{conversation_id}/messages",
        records="conversation_messages",
        sparse=without("conversation_messages"),
        parent=Parent(stream="conversations", keys={"conversation_id": "id"}),
        key_properties=("conversation_id", "id"),
        identity=("id",),
        transform=as_text("list_id"),  # the contract says integer, ids of lists are text
        selected=False,
        cost="1 request per conversation",
    ),
    stream(
        name="account_exports",
        description="Exports of the whole account that were asked for",
        path="/account-exports",
        records="exports",
        sparse=without("exports", never=("download_url",)),
        key_properties=("export_id",),
        transform=without_links("download_url"),
        selected=False,
    ),
    stream(
        name="authorized_apps",
        description="Applications that may use the account",
        path="/authorized-apps",
        records="apps",
        sparse=without("apps"),
        selected=False,
    ),
    stream(
        name="batches",
        description="Batches of requests of the last week, by any application",
        path="/batches",
        records="batches",
        sparse=without("batches", never=("response_body_url",)),
        transform=without_links("response_body_url"),
        selected=False,
    ),
)
