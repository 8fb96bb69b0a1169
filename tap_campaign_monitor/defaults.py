"""What the streams share: pages, where to begin and the filter for it, local times in records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

from shared.api.paginators import overlapping, smaller_overlapping
from shared.api.request import NextPage, Params, Row
from shared.streams import Record, Settings, Unit
from shared.timestamps import as_date, shift

from .zones import asked_from, code, utc, zone_of

SMALLEST_PAGE = 10
"""Fewer rows a page are refused."""
SHARED_ROWS = 10
"""So many rows two pages have in common: as many may go between two requests without a page to be read again."""
BRIEF = 12
"""So many of an id's 32 digits tell it from all others of an account: 8 bookmarks a campaign, 5 a list."""
FIRST_DAY = date(2020, 1, 1).toordinal()
ZONE_SECONDS = 26 * 3600
"""As far as two zones are apart: so much more is read again once a client's zone is another one."""


# Times in records


def local_times(*names: str, kept: str = "") -> Callable[[Sequence[Row], Unit], Iterator[Record]]:
    """A transform: the client's id on rows, their local times `names` as instants, and the text of `kept` beside."""

    def transform(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
        place = zone_of(unit)
        for row in rows:
            record = {**row, "ClientID": unit.parent["ClientID"]}
            if kept:
                record[f"{kept}Local"] = row.get(kept)
            for name in names:
                if text := row.get(name):
                    record[name] = utc(text, place) or text
            yield record

    return transform


# Where to begin


def local_setting(unit: Unit, name: str) -> str | None:
    """A date of the settings as an instant: without a zone it is the client's own local time."""
    text = unit.settings.get(f"{name}_local")
    return utc(text, zone_of(unit)) if text else unit.settings.get(name)


def begin(unit: Unit) -> str | None:
    """The instant from which on the unit's rows are wanted; None: all of them."""
    if "begin" not in unit.scratch:
        unit.scratch["begin"] = _begin(unit)
    found: str | None = unit.scratch["begin"]
    return found


def _begin(unit: Unit) -> str | None:
    if unit.since is None or unit.bookmark is None:
        return unit.since and local_setting(unit, "start_date")
    noted = unit.mark[-1] if isinstance(unit.mark, list) and unit.mark else None
    return shift(unit.since, -ZONE_SECONDS) if noted not in (None, code(unit)) else unit.since


def wanted(begin: Callable[[Unit], str | None]) -> Callable[[Record, Unit], bool]:
    """Whether a row belongs to what is asked for: its minute is not before that of `begin`."""

    def is_wanted(record: Record, unit: Unit) -> bool:
        value, first = record.get("Date") or record.get("SentDate"), begin(unit)
        return first is None or not isinstance(value, str) or value >= f"{first[:16]}:00.000000Z"

    return is_wanted


def since(unit: Unit) -> Params:
    """The filter on time, to the minute."""
    first = begin(unit)
    return {"date": asked_from(first, zone_of(unit))} if first else {}


def lookback(settings: Settings) -> float:
    return float(settings["lookback_minutes"]) * 60


def today(unit: Unit) -> int:
    """The number of the day of the run, counted from 2020 on."""
    return as_date(unit.now).toordinal() - FIRST_DAY


def may_skip(unit: Unit) -> bool:
    """Whether what has probably not changed may be left out of a stream that is written whole."""
    return bool(unit.settings["skip_unchanged"]) and not unit.settings.get("activate_version")


# Pages


def paged(unit: Unit) -> Params:
    return {"page": 1, "pagesize": unit.settings["page_size"]}


def by_email(**more: str) -> Callable[[Unit], Params]:
    def params(unit: Unit) -> Params:
        return {**paged(unit), "orderfield": "email", "orderdirection": "asc", **more}

    return params


def by_date(unit: Unit) -> Params:
    return {**paged(unit), "orderfield": "date", "orderdirection": "asc"}


def has_more(body: Any) -> bool:
    """Whether the API says that there is a page behind this one."""
    return int(body.get("PageNumber") or 1) < int(body.get("NumberOfPages") or 0)


next_page: NextPage = overlapping(
    "page", "pagesize", more=has_more, total="TotalNumberOfRecords", overlap=SHARED_ROWS, smallest=SMALLEST_PAGE
)
"""Pages side by side that overlap, so that rows which leave meanwhile hide none."""
smaller = smaller_overlapping("page", "pagesize", smallest=100)
"""What to ask instead of a page that was too much for the server."""
