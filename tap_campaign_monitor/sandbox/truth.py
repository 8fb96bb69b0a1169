"""What the tap must make of the sandbox's rows, by the fields of `facts.json`.

Times of rows are local text, or tell their offset; where a column `…Local` stands beside, it keeps the text.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from shared.sandbox import Row, truth
from shared.sandbox.kinds import facts_beside, kinds_by_stream

FACTS = facts_beside(__file__)["streams"]
KINDS = kinds_by_stream(FACTS)
"""Stream → field → kind."""


def record(stream: str, row: Row, zone: str) -> Row:
    """The record of a row of a client in `zone`."""
    kinds = KINDS[stream]
    given = dict(row)
    for name, kind in kinds.items():
        if kind == "date-time" and (text := row.get(name)):
            given |= {f"{name}Local": text} if f"{name}Local" in kinds else {}
            given[name] = text if "T" in text else utc(text, zone)
    return truth.record(kinds, given, aside=("ClientID",))


def utc(text: str, zone: str) -> str:
    """Local text as an instant, worked out anew: the later of what it may mean, or standard time if it means none."""
    naive = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    place = ZoneInfo(zone)
    offsets = {(naive + timedelta(hours=h)).astimezone(place).utcoffset() or timedelta() for h in range(-30, 31, 6)}
    meant = [naive - offset for offset in offsets]
    fitting = [each for each in meant if each.astimezone(place).strftime("%Y-%m-%d %H:%M:%S") == text]
    return max(fitting or meant).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
