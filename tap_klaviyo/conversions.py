"""Which metric counts as a conversion in reports: what the settings say, or what the account counts as revenue.

Revenue may be mapped to a metric or to a custom one, whose id reports take just as well. Where nothing is mapped it is
the metric named "Placed Order". Several integrations may each have one of that name; the choice is then said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.api.request import Row
from shared.errors import GoneError, UnavailableError

from .client import pages
from .events import plain
from .jsonapi import flat

if TYPE_CHECKING:
    from shared.api.client import Client
    from shared.streams import Unit

NAME = "placed order"


@dataclass(frozen=True)
class Conversion:
    """A metric's id. `counts`: False where the account has none for revenue and any other stands in its place, since
    reports are not given without one. `is_custom`: it is computed from others.
    """

    metric_id: str
    counts: bool = True
    is_custom: bool = False


def conversion(client: Client, unit: Unit, *, custom: bool = True) -> Conversion:
    """What a report counts as conversions. Without `custom` a computed metric is passed over."""
    chosen = unit.params.get("conversion_metric_id") or unit.settings.get("conversion_metric_id")
    if chosen:
        return Conversion(str(chosen))
    integration = str(unit.settings.get("conversion_integration") or "").strip().casefold()
    if not integration and (mapped := _mapped(client, unit, custom=custom)):
        return mapped
    metrics = list(_metrics(client, unit))
    named = [row for row in metrics if plain(row.get("name")) == NAME and _is_of(row, integration)]
    if len(named) > 1:
        others = ", ".join(f"{row['id']} ({_integration(row)})" for row in named)
        client.report.warn(
            unit.stream,
            f"{len(named)} metrics are named {named[0]['name']}: {others}. Conversions are those of {named[0]['id']}, "
            "the oldest; conversion_metric_id or conversion_integration chooses another.",
        )
    if named:
        return Conversion(str(named[0]["id"]))
    what = f"no metric {NAME!r} of the integration {integration!r}" if integration else "no metric for revenue"
    if not metrics:
        raise UnavailableError(f"{unit.stream}: the account has {what}, and no other either.")
    client.report.warn(unit.stream, f"the account has {what}, so conversions are left off; set conversion_metric_id.")
    return Conversion(str(metrics[0]["id"]), counts=False)


def _mapped(client: Client, unit: Unit, *, custom: bool) -> Conversion | None:
    """What the account counts as revenue; None where nothing is mapped, or the revision does not know of it yet."""
    path = "/api/mapped-metrics?include=metric,custom-metric"
    try:
        for body in pages(client, path, quota="S mapped metrics", stream=unit.stream):
            for row in (flat(each) for each in body["data"] if each.get("id") == "revenue"):
                if row.get("metric_id"):
                    return Conversion(str(row["metric_id"]))
                if custom and row.get("custom_metric_id"):
                    return Conversion(str(row["custom_metric_id"]), is_custom=True)
    except GoneError:
        pass
    return None


def _metrics(client: Client, unit: Unit) -> Iterator[Row]:
    """The account's metrics, the oldest first."""
    found = [
        flat(each)
        for body in pages(client, "/api/metrics", quota="M metrics", stream=unit.stream)
        for each in body["data"]
    ]
    yield from sorted(found, key=lambda row: (str(row.get("created") or ""), str(row.get("id"))))


def _integration(row: Mapping[str, Any]) -> str:
    integration = row.get("integration")
    return str(integration.get("name") or "of its own") if isinstance(integration, Mapping) else "of its own"


def _is_of(row: Mapping[str, Any], wanted: str) -> bool:
    """Whether a metric is the integration's, by its name, key or id; all are where none is wanted."""
    integration = row.get("integration")
    held = integration if isinstance(integration, Mapping) else {}
    return not wanted or wanted in {plain(held.get(name)) for name in ("name", "key", "id")}
