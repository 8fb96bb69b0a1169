"""Local wall-clock times of a client ↔ instants.

The API writes a client's own local time without an offset, to the minute, and reads its `date` filter likewise. Which
zone that is, only a Windows-style label in the client's details says.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from shared.streams import Unit
from shared.timestamps import canonical, parse

logger = logging.getLogger("tap-campaign-monitor")

LABEL = "BasicDetails.TimeZone"
"""Where a client's details, and below them every unit, have the label."""
_PREFIX = re.compile(r"\((?:GMT|UTC)(?:([+-])(\d\d?):?(\d\d)?)?\)\s*")


def zone_of(unit: Unit) -> tzinfo:
    """The zone of the client that a unit belongs to."""
    return zone(unit.settings.get("timezone") or "", unit.parent.get(LABEL) or "")


def code(unit: Unit) -> str:
    """A short name of what tells the unit's zone, to be kept beside bookmarks."""
    told = unit.settings.get("timezone") or unit.parent.get(LABEL) or ""
    return f"{crc32(told.encode()) & 0xFFF:03x}"


@lru_cache(maxsize=1000)
def zone(setting: str, label: str) -> tzinfo:
    """The zone that the setting names, or else the label: exactly, by its places, or by the offset that it shows."""
    if setting:
        return ZoneInfo(setting)
    labels = _labels()
    place = _PREFIX.sub("", label)
    found = labels.get(label) or next((labels[each] for each in labels if _PREFIX.sub("", each) == place), "")
    if not found and place:
        cities = {name.rpartition("/")[2].replace("_", " ").lower(): name for name in sorted(available_timezones())}
        parts = (part.strip().lower() for part in re.split(r"[,:]", place))
        found = next((cities[part] for part in parts if part in cities), "")
    if found:
        try:
            return ZoneInfo(found)
        except ZoneInfoNotFoundError:
            logger.warning("this machine has no zone %s", found)
    match = _PREFIX.match(label)
    offset = timedelta()
    if match and match[1]:
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0)) * (1 if match[1] == "+" else -1)
    logger.warning("time zone %r is unknown: taken as fixed %s; set timezone to correct that", label, offset)
    return timezone(offset)


@lru_cache(maxsize=1)
def _labels() -> dict[str, str]:
    path = Path(__file__).with_name("timezone_map.json")
    return dict(json.loads(path.read_text("utf-8")))


@lru_cache(maxsize=2_000)
def utc(text: Any, place: tzinfo) -> str | None:
    """Local text as an instant; None when it is none.

    An hour that comes twice is read as its second pass, one that the clocks skip as if they had not moved: in both
    cases the smaller offset, which is standard time.
    """
    try:
        naive = datetime.fromisoformat(text)
        if naive.tzinfo is not None:
            return canonical(naive)
        offsets = [naive.replace(tzinfo=place, fold=fold).utcoffset() or timedelta() for fold in (0, 1)]
        return canonical((naive - min(offsets)).replace(tzinfo=timezone.utc))
    except (TypeError, ValueError, OverflowError):
        return None


def asked_from(instant: str, place: tzinfo) -> str:
    """From what local minute to ask, so that nothing since `instant` is left out: a minute early, for whether the
    filter includes its own is not sure, and from the beginning of an hour that comes twice.
    """
    moment = parse(instant).astimezone(place)
    naive = moment.replace(tzinfo=None, fold=0)
    twice = (naive.replace(tzinfo=place).utcoffset() or timedelta()) - (
        naive.replace(tzinfo=place, fold=1).utcoffset() or timedelta()
    )
    return minute(naive - timedelta(minutes=1) - max(twice, timedelta()))


def minute(naive: datetime) -> str:
    """A local time as the filter takes it."""
    return naive.strftime("%Y-%m-%d %H:%M")
