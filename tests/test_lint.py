"""The linter finds what breaks a rule, and nothing in the taps' schemas; the contract tests lint full runs."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from shared.command import discovery
from shared.protocol import catalog
from shared.tap import Tap, settings_of
from shared.testing.lint import RecordLint, schema_findings

TEXT = {"type": ["null", "string"]}
GOOD: dict[str, Any] = {
    "type": "SCHEMA",
    "stream": "members",
    "key_properties": ["id"],
    "bookmark_properties": ["changed"],
    "schema": {
        "type": "object",
        "properties": {
            "id": {"type": ["string"]},
            "changed": {"type": ["null", "string"], "format": "date-time"},
            "count": {"type": ["null", "integer"]},
            "map": {"type": ["null", "object"]},
            "stats": {"type": ["null", "object"], "properties": {"rate": {"type": ["null", "number"]}}},
            "tags": {"type": ["null", "array"], "items": {"type": ["null", "object"], "properties": {"at": TEXT}}},
        },
    },
}
RECORD: dict[str, Any] = {
    "id": "a",
    "changed": "2026-01-01T00:00:00.000000Z",
    "count": 2**63 - 1,
    "map": {"anything": [1, None]},
    "stats": {"rate": 0.5},
    "tags": [{"at": "x"}],
}


def message(**changes: Any) -> dict[str, Any]:
    """The good SCHEMA message with other fields; a field that is None is taken out."""
    changed = copy.deepcopy(GOOD)
    for name, part in changes.items():
        changed["schema"]["properties"][name] = part
    return changed


def test_what_keeps_the_rules_is_not_found() -> None:
    assert schema_findings(GOOD) == []
    assert RecordLint(GOOD).findings(RECORD, json.dumps(RECORD).encode()) == []


@pytest.mark.parametrize(
    ("name", "part", "rule"),
    [
        ("x", {}, "one type besides null"),
        ("x", {"type": "string"}, "one type besides null"),
        ("x", {"type": ["null"]}, "one type besides null"),
        ("x", {"type": ["null", "string", "integer"]}, "one type besides null"),
        ("x", {"type": ["string"]}, "null is allowed"),
        ("x", {**TEXT, "enum": ["a"]}, "no enum"),
        ("x", {"oneOf": [TEXT]}, "one type besides null"),
        ("x", {**TEXT, "description": "words"}, "no description"),
        ("x", {**TEXT, "maxLength": 5}, "no maxLength"),
        ("x", {"type": ["null", "number"], "multipleOf": 0.01}, "no multipleOf"),
        ("x", {"type": ["null", "object"], "additionalProperties": False}, "no additionalProperties"),
        ("x", {"type": ["null", "object"], "properties": {}}, "a free-form map has none"),
        ("x", {"type": ["null", "object"], "properties": {"y": {"type": ["null", "string"], "$ref": "z"}}}, "no $ref"),
        ("x", {"type": ["null", "array"], "items": {}}, "one type besides null"),
        ("x", {**TEXT, "format": "uri"}, "no format but"),
        ("x", {"type": ["null", "integer"], "format": "date-time"}, "no format but"),
        ("Count", {"type": ["null", "integer"]}, "names differ by more than case"),
        ("y" * 63, TEXT, "1 to 62 characters"),
        ("id", TEXT, "a key has one plain type"),
        ("id", {"type": ["object"]}, "a key has one plain type"),
    ],
)
def test_a_broken_rule_is_named_with_its_stream_and_field(name: str, part: dict[str, Any], rule: str) -> None:
    findings = schema_findings(message(**{name: part}))
    assert [text for text in findings if text.startswith(f"members: {name}") and rule in text], findings


def test_a_stream_has_a_key_that_is_declared_and_something_besides() -> None:
    keyless = {**message(id=TEXT), "key_properties": []}
    assert schema_findings(keyless) == ["members: (key): a stream has a key"]
    assert schema_findings(keyless, append_only=True) == []
    assert "members: nothing: a key is a declared field" in schema_findings({**GOOD, "key_properties": ["nothing"]})
    bare = {
        **GOOD,
        "bookmark_properties": None,
        "schema": {"type": "object", "properties": {"id": {"type": ["string"]}}},
    }
    assert schema_findings(bare) == ["members: (fields): at least one field besides the key"]
    assert schema_findings({**GOOD, "bookmark_properties": ["gone"]}) == [
        "members: gone: a bookmark is a declared field"
    ]
    loose = {**GOOD, "schema": {**GOOD["schema"], "additionalProperties": True}}
    assert schema_findings(loose)[0].startswith("members: (root): an object with properties and nothing besides")


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"id": None}, "members: id: a key is never null or missing"),
        ({"count": "2"}, "members: count: '2' is not of type"),
        ({"count": 2**63}, "members: count: an integer beyond 64 bits"),
        ({"map": {"deep": [{"er": -(2**63) - 1}]}}, "members: map.deep[].er: an integer beyond 64 bits"),
        ({"map": {"deep": "\0"}}, "members: (text): no U+0000"),
        ({"unknown": 1}, "members: unknown: every field that is written is declared"),
        ({"stats": {"unknown": 1}}, "members: stats.unknown: every field that is written is declared"),
        ({"tags": [{"at": "x"}, {"unknown": 1}]}, "members: tags[].unknown: every field that is written is declared"),
        ({"changed": "2026-01-01T00:00:00Z"}, "members: changed: a date-time is written"),
        ({"changed": "0000-01-01T00:00:00.000000Z"}, "members: changed: a date-time is written"),
    ],
)
def test_a_record_that_breaks_a_rule_is_named(change: dict[str, Any], finding: str) -> None:
    lint = RecordLint(GOOD)
    record = {**RECORD, **change}
    findings = lint.findings(record, json.dumps(record, separators=(",", ":")).encode())
    assert [text for text in findings if text.startswith(finding)], findings
    quoted = {**RECORD, "map": {"deep": json.dumps("\0")}}
    assert lint.findings(quoted, json.dumps(quoted).encode()) == [], "JSON as text holds no U+0000, it names one"
    assert lint.findings(RECORD) == [], "what was learnt from one record is held against another"


@pytest.mark.parametrize("key_mode", ["lossless", "contract"])
def test_every_schema_keeps_the_rules(tap: Tap, key_mode: str) -> None:
    settings = {setting.name: setting.default for setting in settings_of(tap)}
    settings |= {"key_mode": key_mode, "account_label": "one"}
    adapted = tap.adapt(tap, settings) if tap.adapt else tap
    streams, schemas = discovery.known(adapted)
    every = [stream.name for stream in streams if not stream.hidden]  # `*` leaves out what is selected by name alone
    selections = catalog.choose(None, streams, schemas, select=every, settings=settings)
    assert len(selections) == len(every)
    found = [
        finding
        for each in selections
        for finding in schema_findings(
            {"stream": each.stream.name, "schema": each.written, "key_properties": each.key_properties},
            append_only=not each.stream.key_properties,
        )
    ]
    assert found == []
