"""What recipients did with a campaign: when that is worth asking for, how it is read, how rows get a key.

The unit of these reports is the minute: several rows may share one and be equal in all but their number, and the order
inside it is not promised. So a minute's rows are always taken from one answer. The walk asks for what is new since the
minute it has come to, takes all whole minutes of the answer, and asks again from the one that was cut off.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from shared.answers import Response
from shared.client import Client
from shared.errors import TooLargeError
from shared.pagination import Request, Row, halve
from shared.streams import Batch, Record, Step, Stream, Unit
from shared.timestamps import as_date, seconds_between

from .zones import minute, utc, zone_of

logger = logging.getLogger("tap-campaign-monitor")

DAY_SECONDS = 86_400
SETTLING_DAYS = 3
"""So long after it was sent a campaign's counters may lag behind its reports."""
WALKS = 3
"""So often a minute that fills a page is read, until two reads agree."""
MINUTES = 2_000
"""Minutes whose rows are counted at the same time."""
smaller = halve("pagesize", smallest=100)


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
    settings, moment = unit.settings, sent(unit)
    end, days = settings.get("end_date"), settings.get("campaign_window_days")
    return moment is None or not ((end and moment >= end) or (days is not None and age_days(unit) > days))


def is_wanted_since_start(unit: Unit) -> bool:
    """The same, and sent since `start_date`."""
    start, moment = unit.settings.get("start_date"), sent(unit)
    return is_wanted(unit) and not (start and moment and moment < start)


def moved(counter: str) -> Any:
    """A gate: ask when the summary's `counter` moved, while the campaign settles, and every `force_read_days`."""

    def gate(unit: Unit) -> Any:
        settings, count = unit.settings, unit.parent.get(counter)
        if not settings["skip_unchanged"] or not isinstance(count, int) or age_days(unit) < SETTLING_DAYS:
            return True
        return counted(unit, count, as_date(unit.now).toordinal())

    return gate


def counted(unit: Unit, count: int, today: int) -> Any:
    """The kept mark while `count` is the same and was read lately, else a new one."""
    mark = unit.mark if isinstance(unit.mark, list) and len(unit.mark) == 2 else [None, 0]
    is_same = mark[0] == count and today - int(mark[1] or 0) <= unit.settings["force_read_days"]
    return unit.mark if is_same else [count, today]


def once(unit: Unit) -> Any:
    """A gate: ask until the campaign has settled, then never again."""
    settings = unit.settings
    return 1 if settings["skip_unchanged"] and age_days(unit) > settings["recipients_settle_days"] else True


# How


@dataclass(frozen=True)
class _Answer:
    request: Request
    rows: list[Row]
    more: bool
    size: int
    care: bool


def by_minute(stream: Stream, client: Client, unit: Unit) -> Generator[Step, None, None]:
    """All rows of a report, oldest first, each minute's from one answer."""
    from shared import values  # heavy
    from shared.extract import first_request

    request, done, date = first_request(stream, unit), "", stream.replication_key or "Date"

    def ask(asked: Request) -> _Answer:
        def read(response: Response) -> _Answer:
            body, care = values.parse(response.content)
            if not isinstance(body, dict) or not isinstance(body.get("Results"), list):
                raise ValueError("the answer has no 'Results'")
            rows = body["Results"]
            more = bool(rows) and int(body.get("PageNumber") or 1) < int(body.get("NumberOfPages") or 0)
            return _Answer(asked, rows, more, len(response.content), care)

        found = client.send(asked, stream=stream.name, read=read, shrinkable=True)
        assert isinstance(found, _Answer)
        return found

    while True:
        try:
            answer = ask(request)
        except TooLargeError:
            less = smaller(request)
            if less is None:
                raise
            request = less.with_params({"page": 1})
            continue
        rows = [row for row in answer.rows if row[date] > done] if done else answer.rows
        if not answer.more:
            yield Batch(rows, size=answer.size, care=answer.care)
            return
        if not _is_sorted(answer.rows, date):
            yield from _numbered(ask, answer)
            return
        last = answer.rows[-1][date]
        whole = [row for row in rows if row[date] < last]
        start = _before(last)
        if whole:
            yield Batch(whole, size=answer.size, care=answer.care)
            done = whole[-1][date]
        if not rows:
            request = request.with_params({"page": int(request.params["page"]) + 1})
        elif whole or request.params.get("date") != start:
            request = request.with_params({"date": start, "page": 1})
        else:
            full, request = _alone(ask, request, last, date)
            yield Batch(full, size=answer.size)
            done = last


def _before(local: str) -> str:
    return minute(datetime.fromisoformat(local) - timedelta(minutes=1))


def _is_sorted(rows: Sequence[Row], date: str) -> bool:
    return all(a[date] <= b[date] for a, b in zip(rows, rows[1:], strict=False))


def _numbered(ask: Any, answer: _Answer) -> Iterator[Batch]:
    """Page by page, where the rows do not come in order."""
    yield Batch(answer.rows, size=answer.size, care=answer.care)
    while answer.more:
        answer = ask(answer.request.with_params({"page": int(answer.request.params["page"]) + 1}))
        yield Batch(answer.rows, size=answer.size, care=answer.care)


def _alone(ask: Any, request: Request, local: str, date: str) -> tuple[list[Row], Request]:
    """The rows of a minute that fills whole pages, and the request that reached behind it."""
    import orjson

    union: Counter[bytes] = Counter()
    before: Counter[bytes] | None = None
    for _ in range(WALKS):
        asked = request
        found: Counter[bytes] = Counter()
        while True:
            answer = ask(asked)
            found.update(orjson.dumps(row) for row in answer.rows if row[date] == local)
            if not answer.more or answer.rows[-1][date] > local:
                break
            asked = asked.with_params({"page": int(asked.params["page"]) + 1})
        union |= found
        if found == before:
            break
        before = found
    else:
        logger.warning("%s: the rows of %s differ from read to read", request.path, local)
    return [orjson.loads(text) for text, count in union.items() for _ in range(count)], asked


# Records


def with_keys(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """The rows with `RecordKey`: one person may click two links in a minute, and even rows equal in all exist."""
    met: dict[str, dict[str, int]] = unit.counts.setdefault("met", {})
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
        counts[text] = number = counts.get(text, 0) + 1
        if len(met) > MINUTES:
            del met[next(iter(met))]
        digest = sha256(f"{text[:-1]},{number}]".encode("utf-8", "surrogatepass")).hexdigest()
        yield {**row, "RecordKey": digest[:32]}


def since_minute(record: Record, unit: Unit) -> bool:
    """Whether a row belongs to what is asked for: its minute is not before that of `Unit.since`."""
    value = record.get("Date") or record.get("SentDate")
    return unit.since is None or not isinstance(value, str) or value >= _floor(unit.since)


def _floor(instant: str) -> str:
    return f"{instant[:16]}:00.000000Z"
