"""What the streams share: pages, the filter on time, local times in records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from shared.pagination import NextPage, Page, Request, Row, overlapping
from shared.streams import Params, Record, Settings, Unit

from .zones import asked_from, utc, zone_of

SMALLEST_PAGE = 10
"""Fewer rows a page are refused."""


def local_times(*names: str, kept: str = "") -> Callable[[Sequence[Row], Unit], Iterator[Record]]:
    """A transform: the client's id on rows, their local times `names` as instants, and the text of `kept` beside."""

    def transform(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
        place = zone_of(unit)
        for row in rows:
            record = {**row, "ClientID": unit.parent["ClientID"]}
            if kept:
                record[f"{kept}Local"] = row.get(kept)
            for name in names:
                if text := row.get(name):
                    record[name] = utc(text, place) or text
            yield record

    return transform


def paged(unit: Unit) -> Params:
    return {"page": 1, "pagesize": unit.settings["page_size"]}


def by_email(**more: str) -> Callable[[Unit], Params]:
    def params(unit: Unit) -> Params:
        return {**paged(unit), "orderfield": "email", "orderdirection": "asc", **more}

    return params


def by_date(unit: Unit) -> Params:
    return {**paged(unit), "orderfield": "date", "orderdirection": "asc"}


def since(unit: Unit) -> Params:
    assert unit.since is not None
    return {"date": asked_from(unit.since, zone_of(unit))}


def _has_more(body: Any) -> bool:
    return int(body.get("PageNumber") or 1) < int(body.get("NumberOfPages") or 0)


def safe_pages() -> NextPage:
    """Pages that overlap, so that rows which leave meanwhile hide none, and never smaller than the API takes."""
    overlap = overlapping("page", "pagesize", more=_has_more)

    def next_page(page: Page) -> Sequence[Request]:
        return [_large_enough(asked) for asked in overlap(page)]

    return next_page


def _large_enough(request: Request) -> Request:
    size, number = int(request.params["pagesize"]), int(request.params["page"])
    if size >= SMALLEST_PAGE:
        return request
    page = 1 + (number - 1) * size // SMALLEST_PAGE
    return request.with_params({"page": page, "pagesize": SMALLEST_PAGE}, memo=request.memo)


def grouped(fields: Any) -> dict[str, Any] | None:
    """Custom fields by name; those that stand several times, once for each of their options, as lists."""
    if not isinstance(fields, list):
        return None
    made: dict[str, list[Any]] = {}
    for field in fields:
        made.setdefault(str(field.get("Key")), []).append(field.get("Value"))
    return {name: values[0] if len(values) == 1 else values for name, values in made.items()}


def lookback(settings: Settings) -> float:
    return float(settings["lookback_minutes"]) * 60
