"""What recipients did with a campaign: when that is worth asking for, and how answers become records.

`/reports/{id}/email-activity` gives a row for every recipient however narrow its `since` (observed 2026-06), so an
incremental read of a campaign costs as many pages as a full one. What saves requests is not to visit a campaign:
`/reports` has counters and the times of the last open and click, equal to the newest events, for 1000 campaigns a
request. The gates here make a mark of those. The mark is taken before the visit, so what happens meanwhile moves it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

from shared.api.request import Row
from shared.streams import Record, Unit
from shared.timestamps import as_date, instant, seconds_between

from .defaults import by_person, known_by

Mark = str | bool
"""What a gate gives: a fingerprint, or True for "visit, and keep nothing"."""
DAY_SECONDS = 86_400
COUNTERS = (
    "opens.opens_total",
    "opens.last_open",
    "clicks.clicks_total",
    "clicks.last_click",
    "bounces.hard_bounces",
    "bounces.soft_bounces",
    "bounces.syntax_errors",
)
"""What moves in `/reports` when a recipient does something."""


# Gates


def fingerprint(unit: Unit, names: Sequence[str]) -> str:
    """The carried counters `names` of a campaign as short text; of date-times, only the digits."""
    return "/".join(_short(unit.parent.get(name)) for name in names)


def _short(value: Any) -> str:
    if isinstance(value, str):
        return re.sub(r"[^0-9]", "", value[:19])
    return "" if value is None else str(value)


def has_report(unit: Unit, names: Sequence[str] = COUNTERS[:1]) -> bool:
    """Whether the unit's parent has the counters `names`: e-mails of automations have none. Times may be missing."""
    return all(unit.parent.get(name) is not None for name in names if ".last_" not in name)


def is_settling(unit: Unit) -> bool:
    """Whether the campaign was sent so lately that bounces still come: they move no time in `/reports`."""
    sent = instant(unit.parent.get("send_time"))
    days = unit.settings["email_activity_settle_days"]
    return sent is None or seconds_between(sent, unit.now) < days * DAY_SECONDS


def activity_mark(unit: Unit) -> Mark:
    """Visit a campaign when its counters moved, and in every run while it settles and once after: until then the mark
    holds the run's own time, so that it never equals the one kept.
    """
    if not has_report(unit):
        return True
    mark = fingerprint(unit, COUNTERS)
    return f"{mark}/{unit.now[:19]}" if is_settling(unit) else mark


def sent_to_mark(unit: Unit) -> Mark:
    """Visit a campaign when its counters moved, and once when it has settled."""
    if not has_report(unit):
        return True
    mark = fingerprint(unit, COUNTERS)
    return f"{mark}/settling" if is_settling(unit) else mark


def opens_mark(unit: Unit) -> Mark:
    """Visit a campaign when it was opened since."""
    return fingerprint(unit, COUNTERS[:2]) if has_report(unit) else True


def is_quiet(unit: Unit) -> bool:
    """Whether counters may say that nothing is to be read."""
    return bool(unit.settings["incremental_reports"])


def unchanged(*names: str) -> Callable[[Unit], Mark]:
    """Visit a campaign when one of the counters `names` moved, and while it settles; always unless `is_quiet`."""

    def mark(unit: Unit) -> Mark:
        if not is_quiet(unit) or not has_report(unit, names):
            return True
        found = fingerprint(unit, names)
        return f"{found}/{unit.now[:19]}" if is_settling(unit) else found

    return mark


def list_mark(unit: Unit) -> Mark:
    """Visit a list when its counters moved, and once in a UTC day; always unless `is_quiet`.

    `/lists` says how many members there are in which state and when somebody last came, went or got a campaign. A new
    name of a tag, a merge field or an interest moves none of that, nor does a change to an archived contact.
    """
    stats = unit.parent.get("stats")
    if not is_quiet(unit) or not isinstance(stats, dict) or not stats.keys() >= LIST_COUNTERS:
        return True
    text = json.dumps(stats, sort_keys=True)
    return f"{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}/{unit.now[:10]}"


LIST_COUNTERS = {"member_count", "unsubscribe_count", "cleaned_count", "total_contacts", "last_sub_date"}
"""Without these the counters of a list vouch for nothing."""


def archived_mark(unit: Unit) -> Mark:
    """Members that are not archived are asked for in every run; those that are as `list_mark` says."""
    return list_mark(unit) if unit.partition == "archived" else True


def clicks_mark(unit: Unit) -> Mark:
    """Visit a link when it was clicked since; always unless `is_quiet`."""
    counters = ("total_clicks", "unique_clicks", "last_click")
    if not is_quiet(unit) or not has_report(unit, counters[:2]):
        return True
    return fingerprint(unit, counters)


# Which campaigns


def has(counter: str) -> Callable[[Unit], bool]:
    """Leave out campaigns whose `counter` is 0: their answer would be empty."""

    def where(unit: Unit) -> bool:
        return unit.parent.get(counter) != 0

    return where


def was_sent(unit: Unit) -> bool:
    """Leave out drafts of automations' e-mails: they have no report (404), or an empty one (2026-06)."""
    return bool(unit.parent.get("emails_sent")) or unit.parent.get("status") not in ("save", None)


def in_window(unit: Unit) -> bool:
    """Whether the campaign was sent within `email_activity_date_window` days (UTC days, today's included)."""
    days = unit.settings["email_activity_date_window"]
    if not days:
        return True
    sent = instant(unit.parent.get("send_time"))
    return sent is not None and as_date(sent) >= as_date(unit.now) - timedelta(days=days)


# Records


def events(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """One record for each thing a recipient did. `activity` may be empty, null or (in old campaigns) absent."""
    campaign_id = unit.parent["campaign_id"]
    for row in rows:
        email_id = known_by(row, "email_id", unit)
        activity = row.get("activity")
        if not activity:
            continue
        recipient = {**row, "email_id": email_id}
        del recipient["activity"]
        met: dict[str, int] = {}
        for event in activity:
            identity = [
                campaign_id,
                email_id,
                event.get("action"),
                event.get("timestamp"),
                event.get("url") or "",
                event.get("ip") or "",
                event.get("type") or "",
            ]
            text = json.dumps(identity, ensure_ascii=False, separators=(",", ":"))
            number = met.get(text, 0)
            met[text] = number + 1
            yield {**event, **recipient, "activity_id": activity_id(text, number)}


def activity_id(identity: str, number: int) -> str:
    """32 hex digits for event `number` of those with equal `identity` (a JSON array, which the number joins).

    The documented key is not enough: a link scanner follows several links of a mail in one second, and two opens may
    share one.
    """
    return sha256(f"{identity[:-1]},{number}]".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def opens(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """The members who opened, each with the time of the latest open.

    Whether `since` would cut the nested opens is not known, and an upsert of a cut list would lose the older ones: it
    is never sent.
    """
    for row in by_person("email_id")(rows, unit):
        times = [read for each in row.get("opens") or () if (read := instant(each.get("timestamp")))]
        yield {**row, "last_opened_at": max(times, default=None)}


def newest(rows: Sequence[Row]) -> str | None:
    """The latest instant in the recipients' activity."""
    times = [read for row in rows for each in row.get("activity") or () if (read := instant(each.get("timestamp")))]
    return max(times, default=None)
