"""What many rows ask for: pages as large as allowed, and what is newer than the bookmark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.api.request import Params
from shared.streams import Settings, Unit
from shared.timestamps import shift

PAGE_SIZE_SINCE = {
    "campaigns": "2026-04-15",
    "lists": "2026-04-15",
    "segments": "2026-04-15",
    "templates": "2026-04-15",
}
"""Endpoints that learned `page[size]` late; before, their pages have the same size, which is fixed."""


def page(largest: int, endpoint: str = "", **params: Any) -> Callable[[Unit], Params]:
    """Pages as large as allowed, and `params`."""

    def of(unit: Unit) -> Params:
        if unit.settings["api_revision"] < PAGE_SIZE_SINCE.get(endpoint, ""):
            return params
        return {"page[size]": min(int(unit.settings.get("page_size") or largest), largest), **params}

    return of


def newer(field: str) -> Callable[[Unit], Params]:
    """Asks for what is at or after `Unit.since`, besides what the partition asks for."""

    def of(unit: Unit) -> Params:
        assert unit.since is not None
        clause = f"greater-or-equal({field},{unit.since[:19]}Z)"
        fixed = unit.params.get("filter")
        return {"filter": f"and({fixed},{clause})" if fixed else clause}

    return of


def after(field: str) -> Callable[[Unit], Params]:
    """The same where the API knows only `greater-than`: from one second before on."""

    def of(unit: Unit) -> Params:
        assert unit.since is not None
        return {"filter": f"greater-than({field},{shift(unit.since, -1)[:19]}Z)"}

    return of


def updated_lookback(settings: Settings) -> float:
    """Seconds."""
    hours = settings.get("lookback_hours")
    return 3600.0 * float(1 if hours is None else hours)
