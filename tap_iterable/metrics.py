"""Metrics of campaigns and experiments: CSV whose columns vary with the media asked for.

The columns are the union over the campaigns asked, an empty cell says that a metric does not apply. A recorded answer
(2017) had every metric column twice, with the same values.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from shared.api.answers import Response
from shared.errors import ApiError
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
_PER_MILLE = re.compile(r"/ m\b")
_NUMBER = re.compile(r"([-+]?)\s*[$€£]?\s*(\d{1,3}(?:,\d{3})+|\d*)(\.\d*)?([eE][-+]?\d{1,3})?\s*%?")
_NOTHING = frozenset({"", "nan", "n/a", "infinity", "-infinity", "+infinity"})


def column(header: str) -> str:
    """A column's name: `Purchases / M (Email)` → `purchases_per_mille_email`."""
    if header in _TEXTS:
        return _TEXTS[header]
    return _OTHERS.sub("_", _PER_MILLE.sub(" per_mille", header.strip().lower())).strip("_")


def value(name: str, cell: str) -> Any:
    """A cell: text as it is, a number as one (`1,234`, `.25`, `$5.00`, `12.5%`), null where it says that there is
    none. What is no number stays the text that it is, for `_extra`.
    """
    if name in _TEXTS.values():
        return cell or None
    text = cell.strip()
    if text.lower() in _NOTHING:
        return None
    found = _NUMBER.fullmatch(text)
    if found is None or not (found[2] or (found[3] or "").strip(".")):
        return text
    digits = f"{found[1]}{found[2].replace(',', '') or 0}{found[3] or ''}{found[4] or ''}"
    number = float(digits)
    if number - number:  # beyond what a number holds
        return text
    return number if found[3] or found[4] else int(digits)


def rows(response: Response) -> list[Row]:
    """The rows of a CSV answer; of columns that come twice, the first that is not empty. A column that no schema may
    know is left out where it is empty.
    """
    reader = csv.reader(io.StringIO(response.content.decode("utf-8-sig"), newline=""))
    names = [column(header) for header in next(reader, [])]
    found = []
    for cells in reader:
        row: dict[str, Any] = {}
        for name, cell in zip(names, cells, strict=False):
            if name and name not in row and (made := value(name, cell)) is not None:
                row[name] = made
        if row:
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
    """The metrics of up to 100 campaigns over their whole life. The narrower the range, the sooner they come."""
    from shared.api.request import Request
    from shared.sync.reader import in_turn

    made = [from_milliseconds(part.parent.get("createdAt")) for part in unit.units]
    params: Mapping[str, Any] = {
        "campaignId": [part.parent["id"] for part in unit.units],
        "startDateTime": _spelled(min(each or canonical(EPOCH) for each in made)),
        "endDateTime": _spelled(shift(unit.now, DAY_SECONDS)),
    }
    yield from in_turn(client, METRICS)
    request = Request("/api/campaigns/metrics", params, quota=METRICS)
    try:
        found = client.send(request, stream=unit.stream, read=rows, shrinkable=True)
    except ApiError as error:
        if len(unit.units) == 1:
            error.args = (f"{error} The campaign was {params['campaignId'][0]}.",)
        raise
    yield Rows(found)
    yield from (Checkpoint(unit=part) for part in unit.units)


def _spelled(moment: str) -> str:
    return f"{moment[:10]} {moment[11:19]}"
