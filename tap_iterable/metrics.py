"""Metrics of campaigns and experiments: CSV whose columns vary with the media asked for.

The columns are the union over the campaigns asked, an empty cell says that a metric does not apply. A recorded answer
(2017) had every metric column twice, with the same values.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared.api.answers import Response
from shared.errors import TooLargeError
from shared.streams import Checkpoint, Rows, Step, Unit
from shared.timestamps import EPOCH, canonical, from_milliseconds, shift

from .client import METRICS

if TYPE_CHECKING:
    from shared.api.client import Client
    from shared.api.request import Row

CAMPAIGNS_A_REQUEST = 100
"""About 400 ids fit into a URL."""
NOT_YET = ("Draft", "Scheduled")
DAY_SECONDS = 86_400

_TEXTS = {
    "Campaign ID": "campaignId",
    "Experiment ID": "experimentId",
    "Template ID": "templateId",
    "Name": "name",
    "Type": "type",
    "Created by": "createdBy",
    "Creation Date": "creationDate",
    "Last modified": "lastModified",
    "Subject": "subject",
}
_OTHERS = re.compile(r"[^0-9a-z]+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")


def column(header: str) -> str:
    """A column's name: `Purchases / M (Email)` → `purchases_per_mille_email`."""
    if header in _TEXTS:
        return _TEXTS[header]
    return _OTHERS.sub("_", header.strip().lower().replace("/ m", " per_mille ")).strip("_")


def value(name: str, cell: str) -> Any:
    """A cell: text as it is, a number as one, and null for `NaN`, `N/A`, `Infinity` and nothing."""
    if name in _TEXTS.values():
        return cell or None
    if not _NUMBER.fullmatch(cell):
        return None
    return float(cell) if "." in cell or "e" in cell.lower() else int(cell)


def rows(response: Response) -> list[Row]:
    """The rows of a CSV answer; of columns that come twice, the first that is not empty."""
    reader = csv.reader(io.StringIO(response.content.decode("utf-8-sig"), newline=""))
    names = [column(header) for header in next(reader, [])]
    found = []
    for cells in reader:
        row: dict[str, Any] = {}
        for name, cell in zip(names, cells, strict=False):
            if name and row.get(name) is None:
                row[name] = value(name, cell)
        if any(member is not None for member in row.values()):
            found.append(row)
    return found


def is_sent(unit: Unit) -> bool:
    """Whether the campaign can have metrics at all."""
    return unit.parent.get("campaignState") not in NOT_YET


def settled(unit: Unit) -> Any:
    """A campaign that nothing moves any more is read once, and again when it was edited."""
    days = float(unit.settings["metrics_lookback_days"])
    moved = [from_milliseconds(unit.parent.get(name)) for name in ("updatedAt", "endedAt")]
    latest = max((each for each in moved if each), default=canonical(EPOCH))
    return latest[:19] if latest < shift(unit.now, -days * DAY_SECONDS) else True


def of_campaigns(client: Client, unit: Unit) -> Generator[Step, None, None]:
    """The metrics of up to 100 campaigns over their whole life; of half as many where that is too much for a URL."""
    from shared.api.request import Request
    from shared.sync.reader import in_turn

    params: Mapping[str, Any] = {
        "campaignId": [part.parent["id"] for part in unit.units],
        # What the range is without dates is not documented.
        "startDateTime": "1970-01-01 00:00:00",
    }
    yield from in_turn(client, METRICS)
    try:
        found = client.send(Request("/api/campaigns/metrics", params, quota=METRICS), stream=unit.stream, read=rows)
    except TooLargeError:
        middle = len(unit.units) // 2
        if not middle:
            raise
        yield from of_campaigns(client, replace(unit, units=unit.units[:middle]))
        yield from of_campaigns(client, replace(unit, units=unit.units[middle:]))
        return
    yield Rows(found)
    yield from (Checkpoint(unit=part) for part in unit.units)
