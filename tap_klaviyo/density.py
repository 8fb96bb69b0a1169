"""One pass over all events, or one for each metric wanted: which of the two takes fewer requests.

One pass gives the events of the other metrics too, of which a site's visits may be most; a pass for each metric takes a
request at least, however few its events are. Three pages of events, taken at different times, tell how many of the
others there are a second: how many, and not which share, since a mailing fills whole pages within minutes.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from math import log2
from statistics import median
from typing import TYPE_CHECKING

from shared.api.request import Params, Request
from shared.errors import ApiError
from shared.timestamps import instant, seconds_between, shift

from .jsonapi import resources

if TYPE_CHECKING:
    from shared.api.client import Client
    from shared.streams import Unit

logger = logging.getLogger("tap-klaviyo")

LARGEST_PAGE = 1000
SMALLER_PAGE = 200
"""Of revisions that know no `page[size]` on events."""
PAGE_SIZE_SINCE = "2026-01-15"
PLACES = (1.0, 1 / 3, 2 / 3)
"""Where in the time to be read pages are looked at, each backwards from there."""
CLEAR = 3
"""So many times more or less than what decides is clear after the first look, if that went over some time."""


def pays(wanted: int, metrics: int) -> bool:
    """Whether one pass may take fewer requests at all: to look takes one already."""
    return wanted >= 3


def weigh(client: Client, unit: Unit, wanted: Collection[str]) -> bool:
    """Whether one pass over a window of all events takes fewer requests than one for each metric of `wanted`."""
    assert unit.window is not None
    span = seconds_between(*unit.window)
    days = span / 86_400 / float(unit.settings["event_window_days"])
    spared = (len(wanted) - 1) * (1 + max(0.0, log2(days)))  # windows double while there is little in them
    try:
        surplus = _surplus(client, unit, wanted, span, spared)
    except ApiError as error:
        logger.info("events: which way takes fewer requests cannot be told, so each metric is read alone. %s", error)
        return False
    way = "one pass over all events" if surplus <= spared else "a pass for each metric"
    logger.info(
        "events: %s; about %.0f pages hold events of metrics that nobody wants, and one pass spares %.0f requests",
        way,
        surplus,
        spared,
    )
    return surplus <= spared


def _surplus(client: Client, unit: Unit, wanted: Collection[str], span: float, spared: float) -> float:
    """About how many pages the events of other metrics fill."""
    assert unit.window is not None
    start, end = unit.window
    size = _page_size(unit)
    rates = []
    for place in PLACES:
        until = shift(start, span * place) if place < 1 else end
        body = client.json(_look(unit, start, until), stream=unit.stream)
        rows = resources()(body)
        others = sum(row.get("metric_id") not in wanted for row in rows)
        is_all = not (body.get("links") or {}).get("next")
        if is_all and place == 1:
            return others / size
        oldest = start if is_all or not rows else instant(rows[-1].get("datetime")) or start
        seconds = max(seconds_between(oldest, until), 1.0)
        rates.append(others / seconds)
        guess = rates[0] * span / size
        if len(rates) == 1 and seconds >= span / 50 and not spared / CLEAR < guess < spared * CLEAR:
            return guess
    return median(rates) * span / size


def page(unit: Unit) -> Params:
    """Pages as large as allowed, where the revision has a say in it."""
    return {} if unit.settings["api_revision"] < PAGE_SIZE_SINCE else {"page[size]": _page_size(unit)}


def _page_size(unit: Unit) -> int:
    if unit.settings["api_revision"] < PAGE_SIZE_SINCE:
        return SMALLER_PAGE
    return min(int(unit.settings.get("page_size") or LARGEST_PAGE), LARGEST_PAGE)


def _look(unit: Unit, start: str, until: str) -> Request:
    """The latest events of any metric before an instant, without what they hold."""
    bounds = f"greater-or-equal(datetime,{start[:19]}Z),less-than(datetime,{until[:19]}Z)"
    params = {"filter": bounds, "sort": "-datetime", "fields[event]": "datetime", **page(unit)}
    return Request("/api/events", params, quota="XL events")
