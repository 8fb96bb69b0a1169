"""Metrics of campaigns and experiments: CSV whose columns vary with the media asked for.

The columns are the union over the campaigns asked, an empty cell says that a metric does not apply. A recorded answer
(2017) had every metric column twice, with the same values.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Generator, Iterator, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from shared.api.answers import Response
from shared.errors import ApiError
from shared.streams import Anyway, Checkpoint, Rows, Settings, Step, Unit
from shared.timestamps import EPOCH, canonical, from_milliseconds, shift

from .campaigns import NOT_FINAL
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
    """A campaign that nothing moves any more is read once, and again when it was edited. By day or week, what is kept
    is the day up to which it was read.
    """
    settled_at = _settled_at(unit)
    if _days(unit.settings) is None:
        return _moved_at(unit)[:19] if settled_at < unit.now else True
    if unit.mark is not None and str(unit.mark) >= settled_at[:10] and not unit.settings.get("activate_version"):
        return unit.mark
    return Anyway(unit.now[:10])


def _moved_at(unit: Unit) -> str:
    moved = [from_milliseconds(unit.parent.get(name)) for name in ("updatedAt", "endedAt")]
    return max((each for each in moved if each), default=canonical(EPOCH))


def _settled_at(unit: Unit) -> str:
    """When nothing more is to be counted: what still sends does so without moving any time."""
    if unit.parent.get("campaignState") in NOT_FINAL:
        return shift(unit.now, DAY_SECONDS)
    return shift(_moved_at(unit), float(unit.settings["metrics_lookback_days"]) * DAY_SECONDS)


def _days(settings: Settings) -> int | None:
    """How many days a window has; None for the whole life of a campaign."""
    return {"day": 1, "week": 7}.get(str(settings.get("metrics_window")))


def key(settings: Settings) -> tuple[str, ...] | None:
    """One record for each campaign, or for each window of each."""
    return None if _days(settings) is None else ("id", "windowStart")


def of_campaigns(client: Client, unit: Unit) -> Generator[Step, None, None]:
    """The metrics of up to 100 campaigns: over their whole life, or by days or weeks."""
    days = _days(unit.settings)
    if days is None:
        made = [from_milliseconds(part.parent.get("createdAt")) for part in unit.units]
        span = (min(each or canonical(EPOCH) for each in made), shift(unit.now, DAY_SECONDS))
        yield Rows((yield from _asked(client, unit, unit.units, span)))
    else:
        yield from _by_windows(client, unit, days)
    yield from (Checkpoint(unit=part) for part in unit.units)


def _by_windows(client: Client, unit: Unit, days: int) -> Generator[Step, None, None]:
    """A record for each window in which anything was counted. Windows that were not settled are read again."""
    lives = [(_life(part), part) for part in unit.units]
    first, last = min(life[0] for life, _ in lives), max(life[1] for life, _ in lives)
    done = str(unit.resume.get("until")) if isinstance(unit.resume, dict) else ""
    for start, end in windows(first, last, days):
        parts = [part for (begun, ended), part in lives if begun < end and ended > start]
        if not parts or end <= done:
            continue
        found = yield from _asked(client, unit, parts, (start, end))
        counted = [row for row in found if any(value for name, value in row.items() if name != "id")]
        yield Rows([{**row, "windowStart": start, "windowEnd": end} for row in counted])
        yield Checkpoint(resume={"until": end, "units": [part.key for part in unit.units]})


def _life(part: Unit) -> tuple[str, str]:
    """From when until when there can be something new to count."""
    settings = part.settings
    begun = from_milliseconds(part.parent.get("createdAt")) or canonical(EPOCH)
    start = max(begun, settings.get("start_date") or begun)
    if part.mark is not None and not settings.get("activate_version"):
        again = shift(
            f"{str(part.mark)[:10]}T00:00:00.000000Z", -float(settings["metrics_lookback_days"]) * DAY_SECONDS
        )
        start = max(start, again)
    return start, min(max(_settled_at(part), start), part.now)


def windows(start: str, end: str, days: int) -> Iterator[tuple[str, str]]:
    """Whole days, or weeks from Monday on, from the one that holds `start` to the one that holds `end`."""
    day = date.fromisoformat(start[:10])
    day -= timedelta(days=day.weekday() if days == 7 else 0)
    while (begun := f"{day}T00:00:00.000000Z") <= end:
        day += timedelta(days=days)
        yield begun, f"{day}T00:00:00.000000Z"


def _asked(
    client: Client, unit: Unit, parts: Sequence[Unit], span: tuple[str, str]
) -> Generator[Step, None, list[Row]]:
    """The rows of a request. The narrower the range, the sooner they come."""
    from shared.api.request import Request
    from shared.sync.reader import in_turn

    ids = [part.parent["id"] for part in parts]
    params = {"campaignId": ids, "startDateTime": _spelled(span[0]), "endDateTime": _spelled(span[1])}
    yield from in_turn(client, METRICS)
    request = Request("/api/campaigns/metrics", params, quota=METRICS)
    try:
        return client.send(request, stream=unit.stream, read=rows, shrinkable=True)
    except ApiError as error:
        if len(unit.units) == 1:
            error.args = (f"{error} The campaign was {ids[0]}.",)
        raise


def _spelled(moment: str) -> str:
    return f"{moment[:10]} {moment[11:19]}"
