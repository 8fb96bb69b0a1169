"""The sandbox's reports: what may be asked, and figures for each group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.sandbox import Refusal, Row, mix, salt

from .account import Account
from .truth import FACTS


@dataclass(frozen=True)
class Report:
    """One kind: what it groups by in any case."""

    of: str
    series: bool
    groups: tuple[str, ...]

    @property
    def name(self) -> str:
        """As paths and types have it, in the singular."""
        return f"{self.of}-{'series' if self.series else 'values'}-report"

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the specification says of it: attributes that are `required`, `statistics` and rates."""
        facts: Mapping[str, Any] = FACTS["reports"][f"{self.name}s".replace("-", "_")]
        return facts


LONGEST_DAYS = {"hourly": 7, "daily": 60}
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "campaign": ("campaign_id", "campaign_message_id", "send_channel"),
    "flow": ("flow_id", "flow_message_id", "send_channel"),
    "form": ("form_id", "form_version_id"),
    "segment": ("segment_id",),
}
REPORTS = tuple(
    Report(of, series, _GROUPS[of])
    for of, series in (
        ("campaign", False), ("flow", False), ("flow", True), ("form", False), ("form", True), ("segment", False),
        ("segment", True),
    )
)  # fmt: skip
BY_STREAM = {f"{each.name}s".replace("-", "_"): each for each in REPORTS}


def attributes(report: Report, body: Any) -> Row:
    """The attributes of a request; Refusal for what the API refuses."""
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict) or data.get("type") != report.name:
        raise Refusal(400, f"data.type has to be {report.name}")
    asked: Row = data.get("attributes") or {}
    if missing := set(report.facts["required"]) - asked.keys():
        raise Refusal(400, f"{', '.join(sorted(missing))} is required")
    if unknown := set(asked["statistics"]) - set(report.facts["statistics"]):
        raise Refusal(400, f"statistics: {', '.join(sorted(unknown))} is unknown")
    if not {"key"} <= asked["timeframe"].keys() and not {"start", "end"} <= asked["timeframe"].keys():
        raise Refusal(400, "timeframe needs a key, or start and end")
    if report.series and len(dates(asked["timeframe"])) > LONGEST_DAYS.get(asked.get("interval", ""), 366):
        raise Refusal(400, "The timeframe is too long for the interval.")
    if "group_by" in asked and not set(report.groups[:2]) <= set(asked["group_by"]):
        raise Refusal(400, f"group_by has to hold {', '.join(report.groups[:2])}")
    return asked


def dates(timeframe: Mapping[str, str]) -> list[str]:
    """The days of a series."""
    if "key" in timeframe:
        return ["2026-10-30T00:00:00+00:00", "2026-10-31T00:00:00+00:00"]
    start, end = (datetime.fromisoformat(timeframe[name][:10]) for name in ("start", "end"))
    return [f"{(start + timedelta(days=n)).isoformat()}+00:00" for n in range((end - start).days + 1)]


def results(account: Account, report: Report, asked: Mapping[str, Any]) -> Iterator[Row]:
    """All groups with their figures."""
    days = dates(asked["timeframe"]) if report.series else []
    for groupings in groups(account, report):
        statistics: Row = {}
        for name in asked["statistics"]:
            numbers = [_figure(name, groupings, day) for day in days or [""]]
            statistics[name] = numbers if report.series else numbers[0]
        yield {"groupings": groupings, "statistics": statistics}


def groups(account: Account, report: Report) -> Iterator[Row]:
    """What there are figures for."""
    if report.of in ("campaign", "flow"):
        for row in account.table(f"{report.of}s", {}).column("_self"):
            yield dict(zip(report.groups, (row["id"], f"{row['id']}.m", "email"), strict=True))
    elif report.of == "form":
        for row in account.table("forms", {}).column("_self"):
            yield {"form_id": row["id"], "form_version_id": None}
    else:
        for row in account.table("segments", {}).column("_self"):
            yield {"segment_id": row["id"]}


def _figure(name: str, groupings: Mapping[str, Any], day: str) -> Any:
    chance = mix(salt(3, name, *groupings.values(), day))
    return (chance % 1000) / 1000 if name.endswith(("rate", "value")) else chance % 500


def flat(report: Report, asked: Mapping[str, Any], found: Sequence[Row]) -> Iterator[Row]:
    """What each answer means, row by row; without the key, which is a hash of the tap's."""
    for result in found:
        for place, day in enumerate(dates(asked["timeframe"]) if report.series else [None]):
            figures = {name: value[place] if report.series else value for name, value in result["statistics"].items()}
            yield {**result["groupings"], **figures, **({"date_time": day} if day else {})}
