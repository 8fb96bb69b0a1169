"""Time series in miniature: what happened stands as single hits, from which answers and truth are counted apart.

An answer cuts its periods first and sorts the hits into them; the truth asks of each hit in which period it falls.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from shared.sandbox import Answer, Call, Param, Refusal, Row, mix, salt

from .account import DAY, GONE, NOW

if TYPE_CHECKING:
    from . import CustomerioSandbox

EASTERN = ZoneInfo("America/New_York")
MOST = {"hours": 24, "days": 45, "weeks": 12, "months": 121}
COUNTERS = ("sent", "delivered", "opened", "2xx", "beamed")
"""Awkward: nobody knows the last one."""
JOURNEY = ("started", "activated", "exited_early", "finished", "converted", "never_activated", "messaged")
CLICKS = ("clicked", "human_clicked", "machine_clicked")
LATE = {"human_opened": NOW - 20 * DAY, "machine_clicked": NOW - 20 * DAY}
"""Awkward: counters that exist only since then, so that their arrays are shorter."""

STREAMS: dict[str, tuple[str, tuple[str, ...], bool]] = {
    "campaign_metrics": ("campaigns", ("campaign_id",), True),
    "campaign_action_metrics": ("campaign_actions", ("campaign_id", "action_id"), True),
    "campaign_journey_metrics": ("campaigns", ("campaign_id",), True),
    "broadcast_metrics": ("broadcasts", ("broadcast_id",), False),
    "newsletter_metrics": ("newsletters", ("newsletter_id",), False),
    "transactional_metrics": ("transactional_messages", ("transactional_id",), False),
    "broadcast_action_metrics": ("broadcast_actions", ("broadcast_id", "action_id"), False),
    "newsletter_content_metrics": ("newsletter_contents", ("newsletter_id", "content_id"), False),
    "campaign_link_metrics": ("campaigns", ("campaign_id",), False),
    "broadcast_link_metrics": ("broadcasts", ("broadcast_id",), False),
    "newsletter_link_metrics": ("newsletters", ("newsletter_id",), False),
    "transactional_link_metrics": ("transactional_messages", ("transactional_id",), False),
    "campaign_action_link_metrics": ("campaign_actions", ("campaign_id", "action_id"), False),
    "broadcast_action_link_metrics": ("broadcast_actions", ("broadcast_id", "action_id"), False),
    "newsletter_content_link_metrics": ("newsletter_contents", ("newsletter_id", "content_id"), False),
}
"""Stream → its parents, the names of their ids, whether it is asked for by time."""
PATHS = {
    "campaign_metrics": "/campaigns/{campaign_id}/metrics",
    "campaign_action_metrics": "/campaigns/{campaign_id}/actions/{action_id}/metrics",
    "campaign_journey_metrics": "/campaigns/{campaign_id}/journey_metrics",
    "broadcast_metrics": "/broadcasts/{broadcast_id}/metrics",
    "newsletter_metrics": "/newsletters/{newsletter_id}/metrics",
    "transactional_metrics": "/transactional/{transactional_id}/metrics",
    "broadcast_action_metrics": "/broadcasts/{broadcast_id}/actions/{action_id}/metrics",
    "newsletter_content_metrics": "/newsletters/{newsletter_id}/contents/{content_id}/metrics",
    "campaign_link_metrics": "/campaigns/{campaign_id}/metrics/links",
    "broadcast_link_metrics": "/broadcasts/{broadcast_id}/metrics/links",
    "newsletter_link_metrics": "/newsletters/{newsletter_id}/metrics/links",
    "transactional_link_metrics": "/transactional/{transactional_id}/metrics/links",
    "campaign_action_link_metrics": "/campaigns/{campaign_id}/actions/{action_id}/metrics/links",
    "broadcast_action_link_metrics": "/broadcasts/{broadcast_id}/actions/{action_id}/metrics/links",
    "newsletter_content_link_metrics": "/newsletters/{newsletter_id}/contents/{content_id}/metrics/links",
}
BY_TIME = {
    "version": Param(options=("1", "2")),
    "res": Param(options=tuple(MOST)),
    "resolution": Param(options=tuple(MOST)),
    "tz": Param(default="UTC"),
    "start": Param("integer"),
    "end": Param("integer"),
}
BY_STEPS = {"period": Param(options=tuple(MOST), default="days"), "steps": Param("integer", default=0, least=0)}

PARAMS = {**BY_TIME, **BY_STEPS, "type": Param(), "unique": Param("boolean")}
WITH_CHANNELS = ("campaign_metrics", "broadcast_metrics")
CHANNELS = ("email", "webhook")

Hit = tuple[int, str, int]


def names(stream: str) -> tuple[str, ...]:
    """The counters that a series has."""
    if stream == "campaign_journey_metrics":
        return JOURNEY
    return CLICKS if stream.endswith("_link_metrics") else (*COUNTERS, "human_opened")


def hits(stream: str, ids: Sequence[str], *, day: int) -> list[Hit]:
    """When what happened how often; a later day has hits of its own and late ones of weeks before."""
    chance = salt(1, stream, *ids)
    found = []
    for number in range(6 + 3 * day):
        back = mix(chance, number) % (80 * DAY) if number < 6 else mix(chance, number) % (25 * DAY) - day * DAY + 7200
        name = names(stream)[mix(chance, number, 1) % len(names(stream))]
        at = NOW - back
        if at >= LATE.get(name, 0) and at < NOW + day * DAY - 60:
            found.append((at, name, 1 + number))
    return found


def links(stream: str, ids: Sequence[str]) -> list[Row]:
    """The links of a parent. Awkward: one comes without id and address."""
    named = [{"id": 10 * int(ids[0]) + n, "href": f"https://example.com/{n}?ü={ids[0]}"} for n in (1, 2)]
    return [*named, {"id": None, "href": None}]


def of_channel(hit: Hit, channel: str) -> bool:
    """Whether a hit is of a channel; each is of one, and "" is all."""
    return not channel or CHANNELS[hit[0] % len(CHANNELS)] == channel


# Answers


def answer(stream: str, sandbox: CustomerioSandbox, call: Call) -> Answer:
    """The series of one parent, or of each of its links."""
    _, id_names, is_timed = STREAMS[stream]
    ids = [call.args[name] for name in id_names]
    if str(GONE) in ids:
        raise Refusal(404, "not found")
    is_timed = is_timed and (stream == "campaign_journey_metrics" or call.params.get("version") == "2")
    edges = _asked(stream, call) if is_timed else _counted(call, sandbox)
    end = float(call.params["end"]) if is_timed else sandbox.clock.now().timestamp()
    channel = call.params.get("type", "") if stream in WITH_CHANNELS else ""
    happened = partial(_series, stream, edges=edges, end=end, day=sandbox.day, channel=channel)
    if stream.endswith("_link_metrics"):
        happened = partial(happened, is_unique=bool(call.params.get("unique")))
        found = [
            {
                "link": link if link["id"] is not None else None,
                "metric": {"series": happened([*ids, str(link["id"])])},
            }
            for link in links(stream, ids)
        ]
        return Answer.of({"links": found})
    series = happened(ids)
    if stream == "campaign_journey_metrics":
        return Answer.of({"journey_metric": series})
    if int(ids[0]) % 3 == 0 and not any(map(any, series.values())):
        return Answer.of({"metric": {}})  # Awkward: one way to write that nothing happened
    if not is_timed:
        return Answer.of({"metric": {"series": series}})
    first, last = (datetime.fromtimestamp(at, timezone.utc) for at in (edges[0], end))
    said = {"start": f"{first:%Y-%m-%d %H:%M:%S} +0000 UTC", "end": f"{last:%Y-%m-%d %H:%M:%S} +0000 UTC"}
    return Answer.of({**said, "res": call.params["res"], "metric": {"series": series}})


def _asked(stream: str, call: Call) -> list[float]:
    """The starts of the periods from the one that holds start to the one that holds end."""
    resolution = call.params.get("resolution" if stream == "campaign_journey_metrics" else "res")
    start, end = call.params.get("start"), call.params.get("end")
    if resolution is None or start is None or end is None or end < start:
        raise Refusal(400, "start, end and res are required")
    if end - start > 3653 * DAY:
        raise Refusal(400, "end is more than 10 years after start")
    first = cut(start, resolution, timezone.utc)
    return _up_to(first, resolution, timezone.utc, lambda at: at <= end)


def _counted(call: Call, sandbox: CustomerioSandbox) -> list[float]:
    """The starts of the last periods; one alone is not given."""
    resolution = call.params.get("period") or call.params.get("res") or "days"
    steps = call.params.get("steps", 0) or MOST[resolution]
    steps = max(2, min(steps, MOST[resolution]))
    now = sandbox.clock.now().timestamp()
    first = cut(now - steps * _LONGEST[resolution], resolution, EASTERN)
    return _up_to(first, resolution, EASTERN, lambda at: at <= now)[-steps:]


_LONGEST = {"hours": 3600, "days": 90_001, "weeks": 7 * 90_001, "months": 31 * DAY}


def _up_to(first: float, resolution: str, zone: tzinfo, wanted: Any) -> list[float]:
    """Starts of periods, one after the other while they are wanted. A little over its length, each is cut anew."""
    starts = []
    at = first
    while wanted(at):
        starts.append(at)
        at = cut(at + {"hours": 3600, "days": 1.3 * DAY, "weeks": 7.3 * DAY, "months": 31.5 * DAY}[resolution],
                 resolution, zone)  # fmt: skip
    return starts


def _series(
    stream: str,
    ids: Sequence[str],
    *,
    edges: Sequence[float],
    end: float,
    day: int,
    channel: str = "",
    is_unique: bool = False,
) -> dict[str, list[int]]:
    """A number for each period, of a late counter for the later periods alone. One person makes all of a hit."""
    series = {name: [0] * len(edges) for name in names(stream)}
    for at, name, count in hits(stream, ids, day=day):
        place = bisect_right(edges, at) - 1
        if place >= 0 and at <= end and of_channel((at, name, count), channel):
            series[name][place] += 1 if is_unique else count
    for name in LATE.keys() & series.keys():
        series[name] = series[name][max(bisect_right(edges, LATE[name]) - 1, 0) :] if LATE[name] <= end else []
    return series


# Truth


def cut(at: float, resolution: str, zone: tzinfo) -> float:
    """When the period that holds an instant began."""
    local = datetime.fromtimestamp(at, zone)
    if resolution == "hours":
        return at - at % 3600
    day = local.date()
    if resolution == "weeks":
        day -= timedelta(days=day.isoweekday() - 1)
    if resolution == "months":
        day = date(day.year, day.month, 1)
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()


def rows(sandbox: CustomerioSandbox, stream: str, settings: Mapping[str, Any], since: str) -> Iterator[Row]:
    """The rows of a stream as its records have them: one for each parent and period that has a hit."""
    chosen = settings.get("metrics_resolutions") or [settings.get("metrics_resolution") or "days"]
    channels = (settings.get("metrics_channels") or ["all"]) if stream in WITH_CHANNELS else [""]
    for resolution in chosen:
        for channel in channels:
            yield from _of(sandbox, stream, resolution, channel, since, bool(settings.get("metrics_unique_clicks")))


def _of(
    sandbox: CustomerioSandbox, stream: str, resolution: str, channel: str, since: str, is_unique: bool
) -> Iterator[Row]:
    parents, id_names, is_timed = STREAMS[stream]
    zone: tzinfo = timezone.utc if is_timed else EASTERN
    earliest = cut(datetime.fromisoformat(since[:19] + "+00:00").timestamp(), resolution, zone) if since else 0.0
    if not is_timed:
        earliest = max(earliest, _oldest(sandbox.workspace.now, resolution))
    asked = (resolution, zone, earliest, "" if channel == "all" else channel)
    named = {"channel": channel} if channel else {}
    for parent in sandbox.parents_of(parents):
        found: Row = {name: parent[name] if name in parent else parent["id"] for name in id_names} | named
        ids = [str(found[name]) for name in id_names]
        if not stream.endswith("_link_metrics"):
            yield from _rows(stream, found, ids, asked, sandbox.day)
            continue
        for link in links(stream, ids):
            known = {**found, "link_id": link["id"] or 0, "href": link["href"]}
            yield from _rows(stream, known, [*ids, str(link["id"])], asked, sandbox.day, is_unique=is_unique)


def _oldest(now: float, resolution: str) -> float:
    """The start of the oldest period that is given without dates."""
    local = datetime.fromtimestamp(now, EASTERN)
    back = MOST[resolution] - 1
    if resolution == "hours":
        return cut(now - back * 3600, resolution, EASTERN)
    if resolution == "months":
        year, month = divmod(local.year * 12 + local.month - 1 - back, 12)
        return datetime(year, month + 1, 1, tzinfo=EASTERN).timestamp()
    return cut((local - timedelta(days=back * (7 if resolution == "weeks" else 1))).timestamp(), resolution, EASTERN)


def _rows(
    stream: str,
    found: Row,
    ids: Sequence[str],
    asked: tuple[str, tzinfo, float, str],
    day: int,
    *,
    is_unique: bool = False,
) -> Iterator[Row]:
    resolution, zone, earliest, channel = asked
    counts: dict[float, Counter[str]] = {}
    for at, name, count in hits(stream, ids, day=day):
        if of_channel((at, name, count), channel):
            counts.setdefault(cut(at, resolution, zone), Counter()).update({name: count, f"unique_{name}": 1})
    for start, counter in counts.items():
        if start < earliest:
            continue
        known = [name for name in names(stream) if name not in LATE or start >= cut(LATE[name], resolution, zone)]
        shown = {f"responses_{name}" if name == "2xx" else name: counter[name] for name in known}
        shown |= {f"unique_{name}": counter[f"unique_{name}"] for name in known if is_unique}
        moment = datetime.fromtimestamp(start, timezone.utc)
        yield {**found, "resolution": resolution, "period_start": f"{moment:%Y-%m-%dT%H:%M:%S.000000Z}", **shown}
