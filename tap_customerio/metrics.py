"""The streams of metrics, and how they are asked for: by time, or as the last so many periods.

Each resolution is a unit of its own, with its own bookmark, so that several stand side by side; where several kinds of
messages are sent, so is each channel that is wanted by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.api.request import Params, Row
from shared.streams import Parent, Rows, Settings, Step, Stream, Unit
from shared.timestamps import parse

from .defaults import UNDER_BROADCAST, UNDER_CAMPAIGN, UNDER_NEWSLETTER, UNDER_TEMPLATE, lookback, stream
from .pages import after
from .periods import (
    EVERY_CHANNEL,
    WITHOUT_ID,
    begun,
    dated,
    eastern,
    is_recent,
    of_journey,
    of_links,
    of_parent,
    periods,
    resolution_of,
    steps,
    utc,
    with_unique,
)

if TYPE_CHECKING:
    from shared.api.client import Client

FIRST_YEAR = 2012
MOST_YEARS = {"hours": 1, "days": 10, "weeks": 10, "months": 10}
"""Ten are allowed in one answer; so many hours would be a very long one."""

# Partitions


def by_resolution(settings: Settings) -> dict[str, Params]:
    """A unit for each length of period."""
    return {str(name): {} for name in settings["metrics_resolutions"]}


def by_channel(settings: Settings) -> dict[str, Params]:
    """A unit for each length of period and each kind of message; all kinds together where none is named."""
    channels = {str(name): {} if name == EVERY_CHANNEL else {"type": name} for name in _channels(settings)}
    resolutions = by_resolution(settings)
    return {f"{length}/{channel}": params for length in resolutions for channel, params in channels.items()}


def _channels(settings: Settings) -> Sequence[Any]:
    return settings["metrics_channels"] or [EVERY_CHANNEL]


# Asking


def last_periods(unit: Unit) -> dict[str, Any]:
    """The last periods, as many as are needed."""
    return {"period": resolution_of(unit), "steps": steps(unit)}


def clicks(client: Client, unit: Unit, *, listing: Stream) -> Generator[Step, None, None]:
    """The clicks on a parent's links, and where they are wanted those of different people too."""
    rows: Sequence[Row] = _read(client, unit, listing)
    if unit.settings["metrics_unique_clicks"]:
        params = {**last_periods(unit), "unique": True}
        rows = with_unique(rows, _read(client, unit, replace(listing, params=params)))
    if any(row["link_id"] == WITHOUT_ID and row["series"] for row in rows):
        client.report.warn(unit.stream, f"links that come without an id are written with link_id {WITHOUT_ID}")
    yield Rows(rows)


def _read(client: Client, unit: Unit, listing: Stream) -> list[Row]:
    from shared.sync.paging import pages  # heavy

    return [row for batch in pages(client, unit, listing) for row in batch.rows]


def by_time(client: Client, unit: Unit, *, listing: Stream, names: Mapping[str, Any]) -> Generator[Step, None, None]:
    """The periods from what is wanted, or from the campaign's beginning, until now, some years a request.

    `names` are the parameters besides start and end; what they say of the resolution is filled in.
    """
    from shared.sync.paging import pages  # heavy

    resolution = resolution_of(unit)
    created = int(unit.parent.get("began") or unit.parent.get("created") or 0)
    first = (
        datetime.fromtimestamp(created, timezone.utc) if created else datetime(FIRST_YEAR, 1, 1, tzinfo=timezone.utc)
    )
    now = parse(unit.now)
    start = begun(min(now, max(first, parse(unit.since)) if unit.since else first), resolution)
    fixed = {name: resolution if value is None else value for name, value in names.items()}
    while start <= now:
        following = begun(start.replace(year=start.year + MOST_YEARS[resolution], day=1), resolution)
        end = min(now, following - timedelta(seconds=1))
        params = {**fixed, "start": int(start.timestamp()), "end": int(end.timestamp())}
        for batch in pages(client, unit, replace(listing, params=params)):
            yield replace(batch, rows=[{"start": start.isoformat(" "), **row} for row in batch.rows])
        start = following


# The streams

series = partial(
    stream,
    replication_key="period_start",
    lookback=lookback("metrics_lookback_days", 86_400),
    transform=periods,
    selected=False,
)
VERSION_2 = {"version": 2, "res": None, "tz": "UTC"}
PERIOD = ("resolution", "period_start")


def with_channel(settings: Settings, *, keys: tuple[str, ...]) -> tuple[str, ...] | None:
    """The key with the channel, where channels are read each by itself."""
    return (*keys, "channel") if settings.get("metrics_channels") else None


def _units(keys: tuple[str, ...], has_channels: bool) -> dict[str, Any]:
    if not has_channels:
        return {"partitions": by_resolution}
    return {"partitions": by_channel, "choose_key": partial(with_channel, keys=keys)}


def timed(
    name: str,
    description: str,
    path: str,
    parent: Parent,
    *,
    names: Mapping[str, Any],
    records: Callable[[Any], Sequence[Row]] = of_parent,
    has_channels: bool = False,
) -> Stream:
    """Series that are asked for by time."""
    keys = (*parent.keys, *PERIOD)
    listing = series(
        name=name,
        description=description,
        path=path,
        parent=parent,
        records=records,
        key_properties=keys,
        is_new=partial(is_recent, zone=utc),
        cost=f"1 request per {'action' if 'action_id' in keys else 'campaign'}",
        **_units(keys, has_channels),
    )
    return replace(listing, fetch=partial(by_time, listing=listing, names=names))


def counted(name: str, description: str, path: str, parent: Parent, *, per: str, has_channels: bool = False) -> Stream:
    """Series that are counted back from now."""
    keys = (*parent.keys, *PERIOD)
    return series(
        name=name,
        description=description,
        path=path,
        parent=parent,
        params=last_periods,
        records=of_parent,
        decode=dated,
        key_properties=keys,
        is_new=partial(is_recent, zone=eastern),
        cost=f"1 request per {per}",
        **_units(keys, has_channels),
    )


def clicked(name: str, what: str, path: str, parent: Parent, *, per: str) -> Stream:
    """Clicks by link, counted back from now; for campaigns too."""
    keys = (*parent.keys, "link_id", *PERIOD)
    listing = replace(counted(name, f"Clicks by link of {what}.", path, parent, per=per), records=of_links)
    listing = replace(listing, key_properties=keys)
    return replace(listing, fetch=partial(clicks, listing=listing), next_page=after())


OF_ACTION = Parent(stream="campaign_actions", keys={"campaign_id": "campaign_id", "action_id": "id"})
OF_TIMED_ACTION = replace(OF_ACTION, carry=("created",), inherit={"began": "created"})
OF_BROADCAST_ACTION = Parent(stream="broadcast_actions", keys={"broadcast_id": "broadcast_id", "action_id": "id"})
OF_CONTENT = Parent(stream="newsletter_contents", keys={"newsletter_id": "newsletter_id", "content_id": "id"})

METRICS = (
    timed(
        "campaign_metrics",
        "Campaigns: what was sent, opened, clicked, by period.",
        "/campaigns/{campaign_id}/metrics",
        UNDER_CAMPAIGN,
        names=VERSION_2,
        has_channels=True,
    ),
    timed(
        "campaign_action_metrics",
        "Actions of campaigns, each language by itself: what was sent, opened, clicked, by period.",
        "/campaigns/{campaign_id}/actions/{action_id}/metrics",
        OF_TIMED_ACTION,
        names=VERSION_2,
    ),
    timed(
        "campaign_journey_metrics",
        "How people went through campaigns, by period.",
        "/campaigns/{campaign_id}/journey_metrics",
        UNDER_CAMPAIGN,
        names={"resolution": None},
        records=of_journey,
    ),
    counted(
        "broadcast_metrics",
        "Broadcasts: what was sent, opened, clicked, by period.",
        "/broadcasts/{broadcast_id}/metrics",
        UNDER_BROADCAST,
        per="broadcast",
        has_channels=True,
    ),
    counted(
        "newsletter_metrics",
        "Newsletters: what was sent, opened, clicked, by period.",
        "/newsletters/{newsletter_id}/metrics",
        UNDER_NEWSLETTER,
        per="newsletter",
    ),
    counted(
        "transactional_metrics",
        "Transactional messages: what was sent, opened, clicked, by period.",
        "/transactional/{transactional_id}/metrics",
        UNDER_TEMPLATE,
        per="transactional message",
    ),
    counted(
        "broadcast_action_metrics",
        "Actions of broadcasts: what was sent, opened, clicked, by period.",
        "/broadcasts/{broadcast_id}/actions/{action_id}/metrics",
        OF_BROADCAST_ACTION,
        per="action",
    ),
    counted(
        "newsletter_content_metrics",
        "Variants of newsletters: what was sent, opened, clicked, by period.",
        "/newsletters/{newsletter_id}/contents/{content_id}/metrics",
        OF_CONTENT,
        per="variant",
    ),
    clicked(
        "campaign_link_metrics",
        "campaigns",
        "/campaigns/{campaign_id}/metrics/links",
        UNDER_CAMPAIGN,
        per="campaign",
    ),
    clicked(
        "campaign_action_link_metrics",
        "actions of campaigns",
        "/campaigns/{campaign_id}/actions/{action_id}/metrics/links",
        OF_ACTION,
        per="action",
    ),
    clicked(
        "broadcast_link_metrics",
        "broadcasts",
        "/broadcasts/{broadcast_id}/metrics/links",
        UNDER_BROADCAST,
        per="broadcast",
    ),
    clicked(
        "broadcast_action_link_metrics",
        "actions of broadcasts",
        "/broadcasts/{broadcast_id}/actions/{action_id}/metrics/links",
        OF_BROADCAST_ACTION,
        per="action",
    ),
    clicked(
        "newsletter_link_metrics",
        "newsletters",
        "/newsletters/{newsletter_id}/metrics/links",
        UNDER_NEWSLETTER,
        per="newsletter",
    ),
    clicked(
        "newsletter_content_link_metrics",
        "variants of newsletters",
        "/newsletters/{newsletter_id}/contents/{content_id}/metrics/links",
        OF_CONTENT,
        per="variant",
    ),
    clicked(
        "transactional_link_metrics",
        "transactional messages",
        "/transactional/{transactional_id}/metrics/links",
        UNDER_TEMPLATE,
        per="transactional message",
    ),
)
