"""The tap's schemas and the sandbox's answers against the vendor's own sample answers, which the facts restate."""

from __future__ import annotations

import json
from typing import Any

import pytest
from check_campaign_monitor_facts import shape

from tap_campaign_monitor.sandbox import CampaignMonitorSandbox
from tap_campaign_monitor.sandbox import expected as sandbox_expected
from tap_campaign_monitor.sandbox import truth as sandbox_truth
from tap_campaign_monitor.streams import STREAMS
from tap_campaign_monitor.tap import TAP

FACTS = {name: fact for name, fact in sandbox_truth.FACTS.items() if "sample" in fact}
BY_NAME = {stream.name: stream for stream in STREAMS}
ADDED = ("ClientID", "RecordKey", "DateLocal", "SentDateLocal", "SentAtLocal", "CustomFieldsObject")
every_fact = pytest.mark.parametrize("name", FACTS)


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((TAP.schemas / f"{name}.json").read_text("utf-8"))
    return found


def kinds(part: dict[str, Any], name: str = "") -> dict[str, str]:
    """Every field of a schema with its type, as the facts name them."""
    kind = next(each for each in part["type"] if each != "null") if isinstance(part["type"], list) else part["type"]
    if kind == "array":
        return kinds(part["items"], f"{name}[]")
    found = {name: kind} if name and not name.endswith("[]") else {}
    for member, each in part.get("properties", {}).items():
        found |= kinds(each, f"{name}.{member}" if name else member)
    return found


@every_fact
def test_every_sampled_field_has_a_column_of_its_type(name: str) -> None:
    columns = kinds(schema(name))
    for field, kind in FACTS[name]["fields"].items():
        if kind != "null":
            assert columns[field] in ({"number"} if kind == "number" else {kind, "number"}), field


@every_fact
def test_the_rows_stand_where_the_sample_has_them(name: str) -> None:
    assert BY_NAME[name].records == FACTS[name]["rows"]


@every_fact
def test_the_sandbox_gives_what_the_sample_gives(name: str) -> None:
    rows = [row for _, row in sandbox_expected.rows(CampaignMonitorSandbox(), name, {}, stayed=False)]
    given = {field for row in rows for field, _ in shape(row)}
    assert set(FACTS[name]["fields"]) <= given


@pytest.mark.parametrize("stream", [each for each in STREAMS if not each.hidden], ids=lambda stream: stream.name)
def test_schema_and_truth_name_the_same_columns(stream: Any) -> None:
    named = set(sandbox_truth.KINDS[stream.name])
    columns = set(schema(stream.name)["properties"])
    assert named - {*ADDED} == columns - {*ADDED}
