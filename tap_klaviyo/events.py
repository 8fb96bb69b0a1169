"""Events: one stream per metric of the contract, one for all metrics, and the account's own ones.

Klaviyo renames its metrics in place, so the id stays and the name changes (2023, and again from 2026-07-01). A stream
therefore knows all names its metric ever had, and keeps its bookmarks by metric id. `/api/metrics` is walked once for
all of them. A metric is there with its first event: until then its stream has no units, which is no failure.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.api.request import Params, Row
from shared.protocol.schema import EXTRA, copied
from shared.streams import Outcome, Parent, Record, Rows, Settings, SharedWalk, Step, Stream, Unit, Window
from shared.timestamps import shift

from . import attributions, density
from .fieldsets import of_embedded
from .jsonapi import collection, resources

if TYPE_CHECKING:
    from shared.api.client import Client

DAY_SECONDS = 86_400.0
LOOKBACK_HOURS = 168
LAG_SECONDS = 3
"""Bounds nearer to now may be refused as lying in the future."""
FEW_PAGES, MANY_PAGES = 2, 20

ALIASES: Mapping[str, tuple[str, ...]] = {
    "receive": ("Received Email",),
    "click": ("Clicked Email",),
    "open": ("Opened Email",),
    "bounce": ("Bounced Email",),
    "dropped_email": ("Dropped Email",),
    "mark_as_spam": ("Marked Email as Spam",),
    "unsubscribe": ("Unsubscribed", "Unsubscribed from Email Marketing"),
    "subscribe_list": ("Subscribed to List",),
    "unsub_list": ("Unsubscribed from List",),
    "update_email_preferences": ("Updated Email Preferences",),
    "clicked_sms": ("Clicked SMS", "Clicked Text Message"),
    "consented_to_receive": (
        "Consented to Receive SMS",
        "Subscribed to SMS Marketing",
        "Subscribed to Text Messaging Marketing",
    ),
    "failed_to_deliver": ("Failed to Deliver SMS", "Failed to Deliver Text Message"),
    "failed_to_deliver_automated_response": (
        "Failed to deliver Automated Response SMS",
        "Failed to Deliver Automated Response Text Message",
    ),
    "received_automated_response": (
        "Received Automated Response SMS",
        "Received Automated Response Text Message",
    ),
    "received_sms": ("Received SMS", "Received Text Message"),
    "sent_sms": ("Sent SMS", "Sent Text Message"),
    "unsubscribed_from_sms": (
        "Unsubscribed from SMS",
        "Unsubscribed from SMS Marketing",
        "Unsubscribed from Text Messaging Marketing",
    ),
    "subscribed_to_email": ("Subscribed to Email Marketing",),
    "subscribed_to_text_message_transactional": ("Subscribed to Text Messaging Transactional",),
    "unsubscribed_from_text_message_transactional": ("Unsubscribed from Text Messaging Transactional",),
}
"""Stream → every name its metric ever had, oldest first."""

TEXT_MESSAGE_NAMES: Mapping[str, tuple[str, ...]] = {
    "clicked_sms": ("clicked_text_message",),
    "consented_to_receive": ("subscribed_to_text_message", "subscribed_to_sms"),
    "failed_to_deliver": ("failed_to_deliver_text_message",),
    "failed_to_deliver_automated_response": ("failed_to_deliver_automated_response_text_message",),
    "received_automated_response": ("received_automated_response_text_message",),
    "received_sms": ("received_text_message",),
    "sent_sms": ("sent_text_message",),
    "unsubscribed_from_sms": ("unsubscribed_from_text_message",),
}
"""The names that singer-io's tap gives these streams since 1.2."""

UNDOCUMENTED = frozenset(
    ("subscribed_to_email", "subscribed_to_text_message_transactional", "unsubscribed_from_text_message_transactional")
)
"""Metrics that are not in the contract: off unless selected."""

# Which metric feeds which stream


def plain(name: Any) -> str:
    """A name without regard to case and blanks."""
    return " ".join(str(name or "").casefold().split())


_STREAM_OF = {plain(name): stream for stream, names in ALIASES.items() for name in names}


def stream_of(metric: Mapping[str, Any]) -> str | None:
    """The stream that a metric's name means."""
    return _STREAM_OF.get(plain(metric.get("name")))


def is_own(metric: Mapping[str, Any]) -> bool:
    """Whether the metric is Klaviyo's own: other integrations may use the same names."""
    integration = metric.get("integration")
    if not isinstance(integration, Mapping):
        return False
    return "klaviyo" in (plain(integration.get("key")), plain(integration.get("name")))


def metrics(body: Any) -> Sequence[Row]:
    """A page of metrics, each with the stream it feeds as far as this page can tell."""
    return feeding(list(resources()(body)))


def feeding(rows: Sequence[Row]) -> Sequence[Row]:
    """The account's metrics, each with the stream it feeds: Klaviyo's own one, or else whatever has that name."""
    named = [row for row in rows if row.__class__ is dict]
    owned = {stream_of(row) for row in named if is_own(row)}
    for row in named:
        name = stream_of(row)
        row["feeds"] = name if name not in owned or is_own(row) else None
    return rows


def every_metric(client: Client, unit: Unit) -> Generator[Step, None, None]:
    """All metrics at once: which of those that share a name is Klaviyo's own may show on a later page alone."""
    from shared.sync.paging import pages

    batches = list(pages(client, unit, METRICS))
    rows = [row for batch in batches for row in batch.rows]
    yield Rows(feeding(rows), size=sum(batch.size for batch in batches))


def plain_metrics(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """The metrics as records."""
    for row in rows:
        yield {name: value for name, value in row.items() if name != "feeds"}


METRIC_FIELDS = ("name", "created", "updated", "integration", "type")


def of_metrics(is_fed: Callable[[Mapping[str, Any]], bool]) -> Parent:
    """Under the metrics that feed a stream. Their ids and names come with the event, so no column is injected."""
    return Parent(
        stream="metrics",
        keys={"metric_id": "id"},
        carry=(*METRIC_FIELDS, "feeds"),
        where=lambda unit: is_fed(unit.parent),
        inject=False,
    )


# What is asked

_PROFILE = of_embedded("profile", "events", "profile")


def _stamp(instant: str) -> str:
    return f"{instant[:19]}Z"


def asked(unit: Unit) -> Params:
    """The events of one metric, or of all, in one window."""
    clauses = [f'equals(metric_id,"{unit.parent["metric_id"]}")'] if "metric_id" in unit.parent else []
    if unit.window is not None:
        start, end = unit.window
        clauses += [f"greater-or-equal(datetime,{_stamp(start)})", f"less-than(datetime,{_stamp(end)})"]
    else:
        clauses.append(f"greater-or-equal(datetime,{_stamp(unit.now)})")
    params: dict[str, Any] = {"filter": ",".join(clauses), "sort": "datetime"}
    if "profile" not in unit.deselected:
        params |= _PROFILE(unit.deselected_members | unit.deselected)
    return {**params, **density.page(unit)}


_ATTRIBUTES = ("timestamp", "event_properties", "datetime", "uuid")


def sparse(*, metric: bool) -> Callable[[Sequence[str]], Params]:
    """Leaves off the wire what is deselected. The profile is most of an event. `metric`: it is side-loaded, which makes
    sure that an event says of which metric it is.
    """

    def params(deselected: Sequence[str]) -> Params:
        gone = set(deselected)
        wanted = ["attributions"] * (not gone.issuperset(("attribution_ids", "attributions")))
        wanted += ["metric"] * metric
        wanted += ["profile"] * ("profile" not in gone)
        asked_for: dict[str, Any] = {"include": ",".join(wanted) or None}
        if EXTRA in gone and gone & set(_ATTRIBUTES):
            asked_for["fields[event]"] = ",".join(
                name for name in _ATTRIBUTES if name not in gone or name in ("datetime", "timestamp")
            )
        return asked_for

    return params


def metric_of(event: Row) -> str | None:
    """The id of an event's metric, None where that cannot be resolved any more."""
    found: str | None = event.get("metric_id")
    return found


def window(settings: Settings) -> float:
    """The first window's days; never less than the look-back, which belongs into one window."""
    return max(float(settings["event_window_days"]), lookback(settings) / DAY_SECONDS)


def resize(width: float, outcome: Outcome) -> float:
    """Twice as wide after few pages, narrower after many: chains of pages are short, and they run side by side."""
    if outcome.requests <= FEW_PAGES:
        return width * 2
    return width / 2 if outcome.requests > MANY_PAGES else width


def lookback(settings: Settings) -> float:
    """Seconds: events come late, beyond 4 days in cases, and their attribution moves for 5 days."""
    hours = settings.get("lookback_hours")
    return 3600.0 * float(LOOKBACK_HOURS if hours is None else hours)


def with_metric(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Events with their metric: from the unit where it has one, or else side-loaded."""
    known = unit.parent.get("metric_id")
    metric = {"id": known, **{name: unit.parent.get(name) for name in METRIC_FIELDS}}
    for row in rows:
        if known is not None:
            row["metric"] = row.get("metric") or [copied(metric)]
            row["metric_id"] = row.get("metric_id") or known
        held = row.get("metric") or []
        row["metric_name"] = held[0].get("name") if held else None
        row.setdefault("metric_id", None)
        row.setdefault("profile_id", None)
        row.setdefault("attribution_ids", None)
        row.setdefault("attributions", None)
        yield row


def is_asked_for(record: Record, unit: Unit) -> bool:
    """The windows say which events are new."""
    return True


def with_future(client: Client, unit: Unit) -> Generator[Step, None, None] | None:
    """With `include_future_events`: behind the last window those dated later than now, which move no bookmark."""
    settings = unit.settings
    if not settings.get("include_future_events") or unit.window is None or settings.get("end_date"):
        return None
    if unit.window[1] < shift(unit.now, -LAG_SECONDS - 1):
        return None
    return _with_future(client, unit)


def _with_future(client: Client, unit: Unit) -> Generator[Step, None, None]:
    from shared.sync.paging import pages

    description = _description(unit.stream)
    yield from pages(client, unit, description)
    yield from pages(client, replace(unit, window=None), description)


def _description(name: str) -> Stream:
    return _OTHERS.get(name) or metric_stream(name=name)


# The streams

_event = partial(
    collection,
    path="/api/events",
    quota="XL events",
    params=asked,
    transform=with_metric,
    is_new=is_asked_for,
    lookback=lookback,
    window=Window(first=window, largest=730, lag_seconds=LAG_SECONDS, resize=resize, pages=MANY_PAGES),
    fetch=with_future,
    deletions="never: events survive their profile",
)
metric_stream = partial(
    _event,
    records=attributions.events("profile"),
    sparse=sparse(metric=False),
    shared_walk=SharedWalk(stream="events", unit_of=metric_of, pays=density.pays, weigh=density.weigh),
    reaches_back=True,
    replication_key="timestamp",
    cost="1 request per 1000 events of its metric, 1 at least per window",
)

ALL = _event(
    name="events",
    description="Events of all metrics",
    records=attributions.events("profile", "metric"),
    sparse=sparse(metric=True),
    replication_key="datetime",
    selected=False,
)


ATTRIBUTED = _event(
    name="event_attributions",
    description="To which campaign or flow, and which event before, each event is attributed: a row each",
    records=attributions.events(),
    transform=attributions.as_rows,
    sparse=lambda _: {"include": "attributions", "fields[event]": "datetime,timestamp"},
    shared_walk=SharedWalk(stream="events", unit_of=None, pays=lambda *_: False),
    key_properties=("event_id", "position"),
    replication_key="datetime",
    identity=("id",),
    cost="none beside events; else 1 request per 1000 events of any metric",
    selected=False,
)


def merges(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Which profile was merged into which, by the events that tell of it: the survivor's own."""
    for row in rows:
        told = row.get("event_properties") or {}
        extra, (_, _, parted) = told.get("$extra"), str(told.get("$event_id") or "").partition("merge_tombstone:")
        gone, _, surviving = parted.partition(":")
        known = extra.get("KlaviyoID") if isinstance(extra, Mapping) else None
        yield {
            "id": row.get("id"),
            "gone_profile_id": known or gone or None,
            "surviving_profile_id": row.get("profile_id") or surviving or None,
            "datetime": row.get("datetime"),
        }


MERGED = metric_stream(
    name="merged_profiles",
    description="Profiles that were merged into others: the id that is gone, and the one that survives",
    parent=of_metrics(lambda metric: plain(metric.get("name")) == "merged profile"),
    transform=merges,
    sparse=lambda _: {"include": None},
    replication_key="datetime",
    selected=False,
)
_OTHERS = {stream.name: stream for stream in (ALL, ATTRIBUTED, MERGED)}


def _fed(name: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda metric: metric.get("feeds") == name


CONTRACT: tuple[Stream, ...] = tuple(
    metric_stream(
        name=name,
        description=f"Events of the metric {names[-1]}",
        parent=of_metrics(_fed(name)),
        aliases=TEXT_MESSAGE_NAMES.get(name, ()),
        seed=name not in UNDOCUMENTED,
        selected=name not in UNDOCUMENTED,
    )
    for name, names in ALIASES.items()
)


METRICS = collection(
    name="metrics",
    description="Metrics: what events are of",
    path="/api/metrics",
    quota="M metrics",
    ahead=True,
    records=metrics,
    fetch=every_metric,
    transform=plain_metrics,
)
