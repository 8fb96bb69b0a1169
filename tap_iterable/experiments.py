"""Experiments: what is in their answers. Typed in the vendor's own client of 2026-09, in no specification yet.

The list says who made an experiment, the experiment itself all else; totals and trends come by variant, and trends as a
series for each metric, the holdout's beside those of the variants.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from shared.api.request import Row
from shared.streams import Record, Unit


def described(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """An experiment, with what only the list says of it, and what of `meta` is wanted most."""
    for row in rows:
        meta = row.get("meta") if isinstance(row.get("meta"), dict) else {}
        own = {name: meta.get(name) for name in ("name", "campaignId")} if isinstance(meta, dict) else {}
        listed = {name: unit.parent.get(name) for name in ("name", "author")}
        yield {**listed, **{name: value for name, value in own.items() if value is not None}, **row}


def has_begun(unit: Unit) -> bool:
    """Whether there can be anything to count yet."""
    return unit.parent.get("status") != "draft"


def totals(body: Any) -> Sequence[Any]:
    """A row for each variant."""
    return [{"status": body.get("status"), **_named(each)} if _is_one(each) else each for each in _variants(body)]


def trends(body: Any) -> Sequence[Any]:
    """A row for each point of each series."""
    found = []
    for variant in [*_variants(body), *([body["holdout"]] if body.get("holdout") else [])]:
        if not _is_one(variant):
            found.append(variant)  # left out by name
            continue
        series = variant.get("series")
        for metric, points in series.items() if isinstance(series, dict) else ():
            about = {name: value for name, value in _named(variant).items() if name != "series"}
            found += [{**about, "metric": metric, "interval": body.get("interval"), **point} for point in points or ()]
    return found


def _variants(body: Any) -> list[Any]:
    variants = body.get("variants") if isinstance(body, dict) else None
    if not isinstance(variants, list):
        raise ValueError("the answer has no 'variants'")
    return variants


def _is_one(variant: Any) -> bool:
    return isinstance(variant, dict)


def _named(variant: Row) -> Row:
    """A variant under the name that the other answers give to its id."""
    return {"variantId" if name == "id" else name: value for name, value in variant.items()}
