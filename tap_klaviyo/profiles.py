"""Profiles: those changed in a window, those that are suppressed, those in a list or a segment."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared.api.request import Params, Row
from shared.streams import Outcome, Record, Settings, Step, Stream, Unit
from shared.timestamps import instant, shift

from . import events
from .defaults import page

if TYPE_CHECKING:
    from shared.api.client import Client

SUPPRESSIONS = ("HARD_BOUNCE", "INVALID_EMAIL", "SPAM_COMPLAINT", "UNSUBSCRIBE", "USER_SUPPRESSED")

CONTACTS = ("email", "phone_number", "external_id", "first_name", "last_name")
"""Columns of a member that are there on demand: the profiles themselves are a stream."""


def profile_window(unit: Unit) -> Params:
    """Profiles changed in a window: both bounds are exclusive, so one second before its start is asked for."""
    assert unit.window is not None
    start, end = unit.window
    clauses = f"greater-than(updated,{shift(start, -1)[:19]}Z),less-than(updated,{end[:19]}Z)"
    return {**page(100)(unit), **more_of_profiles(unit), "filter": clauses, "sort": "updated"}


def with_undated(description: Stream, client: Client, unit: Unit) -> Generator[Step, None, None] | None:
    """With `undated_profiles`, behind the first window: those without a date of change, which no filter finds."""
    is_first = unit.bookmark is None and unit.window is not None and unit.window[0] == unit.since
    return _with_undated(description, client, unit) if is_first and unit.settings["undated_profiles"] else None


def _with_undated(description: Stream, client: Client, unit: Unit) -> Generator[Step, None, None]:
    from shared.sync.paging import pages

    yield from pages(client, unit, description)
    everyone = replace(description, params=lambda unit: {**page(100, sort="id")(unit), **more_of_profiles(unit)})
    for batch in pages(client, replace(unit, window=None), everyone):
        yield replace(batch, rows=[row for row in batch.rows if row.get("updated") is None])


def more_of_profiles(unit: Unit) -> Params:
    """Subscriptions and predictions come on demand; the latter lower the rate from tier L to M."""
    wanted = [
        name
        for name in ("subscriptions", "predictive_analytics")
        if name not in unit.deselected and (name == "subscriptions" or unit.settings["predictive_analytics"])
    ]
    return {"additional-fields[profile]": ",".join(wanted) or None}


def in_window(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """What the window before did not have."""
    assert unit.window is not None
    for row in rows:
        if (instant(row.get("updated")) or unit.window[0]) >= unit.window[0]:
            yield row


def resize(width: float, outcome: Outcome) -> float:
    """Wider while there are few profiles in a window."""
    return width * 2 if outcome.requests <= events.FEW_PAGES else width / 2 if outcome.requests > 20 else width


def suppressed(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Suppressed profiles, with the latest suppression lifted: the columns that v1 had."""
    for row in rows:
        suppressions = _marketing(row, "suppression")
        latest = max(suppressions, key=_moment, default={})
        yield {
            **row,
            "reason": latest.get("reason"),
            "timestamp": latest.get("timestamp"),
            "suppressions": suppressions,
        }


def excluded(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Who gets no e-mail of the unit's list, since when and why: the latest of several reasons."""
    for row in rows:
        held = [each for each in _marketing(row, "list_suppressions") if each.get("list_id") == unit.parent["list_id"]]
        latest = max(held, key=_moment, default={})
        yield {
            "profile_id": row.get("id"),
            "email": row.get("email"),
            "reason": latest.get("reason"),
            "timestamp": latest.get("timestamp"),
        }


def _marketing(row: Row, member: str) -> list[dict[str, Any]]:
    """The suppressions of one kind in a profile's subscriptions."""
    found: Any = row.get("subscriptions")
    for name in ("email", "marketing", member):
        found = found.get(name) if isinstance(found, dict) else None
    return [dict(each) for each in found or () if isinstance(each, dict)]


def _moment(suppression: Mapping[str, Any]) -> str:
    return instant(suppression.get("timestamp")) or ""


def suppression_partitions(settings: Settings) -> dict[str, Params]:
    """One reason at a time: the filter takes no list."""
    field = "subscriptions.email.marketing.suppression.reason"
    return {reason: {"filter": f'equals({field},"{reason}")'} for reason in SUPPRESSIONS}


def as_member(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """A profile in a list or a segment: who and since when."""
    for row in rows:
        contacts = {name: row.get(name) for name in CONTACTS}
        yield {"profile_id": row.get("id"), "joined_group_at": row.get("joined_group_at"), **contacts}


def member_params(unit: Unit) -> Params:
    """The members' ids, when they joined, and those of their contacts that are selected."""
    names = ("joined_group_at", *(name for name in CONTACTS if name not in unit.deselected))
    return {**page(100)(unit), "fields[profile]": ",".join(names), "sort": "joined_group_at"}
