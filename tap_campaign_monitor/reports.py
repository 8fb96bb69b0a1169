"""What recipients did with a campaign: when that is worth asking for, how it is read, how rows get a key.

The unit of these reports is the minute: several rows may share one and be equal in all but their number, and the order
inside it is not promised.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from shared.api.client import Client
from shared.api.paginators import halve
from shared.api.request import Row
from shared.streams import Anyway, Record, Step, Stream, Unit
from shared.timestamps import seconds_between

from .defaults import has_more, local_setting, local_times, may_skip, today
from .zones import code, minute, utc, zone_of

DAY_SECONDS = 86_400
SETTLING_DAYS = 3
"""So long after it was sent a campaign's counters may lag behind its reports."""
YOUNG_DAYS = 60
"""So long a campaign's summary is asked for in every run: late opens and clicks trickle in."""
PURGED_DAYS = 30
"""So long after a campaign was sent rows of its recipients may have been purged: it will not become whole."""
MINUTES = 2_000
"""Minutes whose rows are counted at the same time."""


# When


def sent(unit: Unit) -> str | None:
    """When the unit's campaign was sent."""
    return utc(unit.parent.get("SentDate"), zone_of(unit))


def age_days(unit: Unit) -> float:
    """How many days ago the unit's campaign was sent; 0 when that cannot be told."""
    moment = sent(unit)
    return seconds_between(moment, unit.now) / DAY_SECONDS if moment else 0


def is_wanted(unit: Unit) -> bool:
    """Whether the campaign is one to go into: sent before `end_date` and within `campaign_window_days`."""
    moment, end, days = sent(unit), local_setting(unit, "end_date"), unit.settings.get("campaign_window_days")
    return moment is None or not ((end and moment >= end) or (days is not None and age_days(unit) > days))


def is_wanted_since_start(unit: Unit) -> bool:
    """The same, and sent since `start_date`."""
    start, moment = local_setting(unit, "start_date"), sent(unit)
    return is_wanted(unit) and not (start and moment and moment < start)


def moved(counter: str, *, settles: bool = True) -> Callable[[Unit], Any]:
    """A gate: ask when the parent's `counter` moved, while a campaign settles, and every `force_read_days`.

    Kept are the counter, the day, and the zone that the bookmark beside them was told in.
    """

    def gate(unit: Unit) -> Any:
        count = unit.parent.get(counter)
        is_settled = isinstance(count, int) and not (settles and age_days(unit) < SETTLING_DAYS)
        if not (unit.settings["skip_unchanged"] and is_settled):
            return Anyway([None, 0, code(unit)])
        kept = unit.mark if isinstance(unit.mark, list) and len(unit.mark) == 3 else [None, 0, ""]
        if kept[0] == count and today(unit) - int(kept[1] or 0) <= unit.settings["force_read_days"]:
            return unit.mark
        return Anyway([count, today(unit), code(unit)])

    return gate


COUNTER_OF = {
    "campaign_email_client_usage": "TotalOpened",
    "campaign_opens": "TotalOpened",
    "campaign_clicks": "Clicks",
    "campaign_bounces": "Bounced",
    "campaign_unsubscribes": "Unsubscribed",
    "campaign_spam_complaints": "SpamComplaints",
}
"""Which counter of a campaign's summary tells of new rows in a stream."""
_COUNTERS = tuple(dict.fromkeys(COUNTER_OF.values()))


def summaries(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """The rows, their counters kept for `still`."""
    for row in rows:
        unit.scratch["counters"] = [row.get(name) for name in _COUNTERS]
    return local_times()(rows, unit)


def still(unit: Unit) -> Any:
    """A gate: ask in every run while a campaign is young, then at intervals that double while its counters stand still.

    Kept are the day, the interval and the counters. What hangs below must have been read with the same counters.
    """
    most = unit.settings["summary_interval_days"]
    if not (may_skip(unit) and most) or age_days(unit) < YOUNG_DAYS:
        return True
    kept = unit.mark if isinstance(unit.mark, list) and len(unit.mark) == 2 + len(_COUNTERS) else [0, 0]
    told = dict(zip(_COUNTERS, kept[2:], strict=False))
    below = [isinstance(mark, list) and mark[:1] == [told.get(COUNTER_OF[name])] for name, mark in unit.below.items()]
    if today(unit) - kept[0] < min(kept[1], most) and all(below):
        return unit.mark

    def looked(unit: Unit) -> Any:
        found = unit.scratch.get("counters")
        return [today(unit), min(2 * kept[1], most) if found == kept[2:] else 1, *found] if found else None

    return Anyway(looked)


def once(unit: Unit) -> Any:
    """A gate: ask until the campaign has settled, then never again."""
    settings = unit.settings
    return 1 if settings["skip_unchanged"] and age_days(unit) > settings["recipients_settle_days"] else True


def until_whole(unit: Unit) -> Any:
    """A gate: ask until all recipients were read after the campaign had settled, then never again."""
    return 1 if unit.settings["skip_unchanged"] and unit.mark == 1 else Anyway(_is_whole)


def _is_whole(unit: Unit) -> int | None:
    age, read = age_days(unit), unit.scratch.get("rows", 0)
    is_whole = read >= int(unit.parent.get("TotalRecipients") or 0) and age > unit.settings["recipients_settle_days"]
    return 1 if is_whole or age > PURGED_DAYS else None


def recipients(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """The rows, counted for `until_whole`."""
    unit.scratch["rows"] = unit.scratch.get("rows", 0) + len(rows)
    return local_times()(rows, unit)


# How


def by_minute(stream: Stream, client: Client, unit: Unit) -> Generator[Step, None, None]:
    """All rows of a report, oldest first, each minute's from one answer."""
    from shared.sync.moments import Moments, by_moment  # heavy

    moments = Moments(
        date=stream.replication_key or "Date",
        since="date",
        since_all=lambda local: minute(datetime.fromisoformat(local) - timedelta(minutes=1)),
        page="page",
        more=has_more,
        total="TotalNumberOfRecords",
        smaller=halve("pagesize", smallest=100),
        anew=lambda unit: unit.scratch.pop("met", None),  # rows that are read again get the numbers they had
    )
    return by_moment(stream, moments, client, unit)


# Records


def with_keys(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """The rows with `RecordKey`: one person may click two links in a minute, and even rows equal in all exist."""
    met: dict[str, dict[int, int]] = unit.scratch.setdefault("met", {})
    under = unit.parent.get("CampaignID") or unit.parent["EmailID"]
    for row in rows:
        identity = [
            under,
            row.get("ListID") or unit.parent.get("ListID"),
            row.get("EmailAddress"),
            row.get("Date"),
            row.get("URL") or "",
            row.get("IPAddress") or "",
        ]
        text = json.dumps(identity, ensure_ascii=False, separators=(",", ":"))
        counts = met.setdefault(str(row.get("Date")), {})
        counts[hash(text)] = number = counts.get(hash(text), 0) + 1
        if len(met) > MINUTES:
            del met[next(iter(met))]
        digest = sha256(f"{text[:-1]},{number}]".encode("utf-8", "surrogatepass")).hexdigest()
        yield {**row, **_nowhere(row), "RecordKey": digest[:32]}


def _nowhere(row: Row) -> Row:
    """What an unknown place is in the record: nothing, where the API writes empty text."""
    return {name: None for name in ("Latitude", "Longitude") if row.get(name) == ""}
