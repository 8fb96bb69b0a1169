"""The engine behind every sandbox's truth, and the language of its fields."""

from __future__ import annotations

from typing import Any

import pytest

from shared.sandbox.kinds import kinds_by_stream, kinds_of
from shared.sandbox.truth import digest, occurrences, record

KINDS = kinds_of(
    {
        "id": "integer",
        "name": "string",
        "at": "date-time",
        "stats": "object",
        "stats.opens": "number",
        "tags[]": "string",
        "lines[]": "object",
        "lines[].paid": "boolean",
    }
)


def test_fields_stand_inside_those_that_hold_them() -> None:
    assert KINDS == {
        "id": "integer",
        "name": "string",
        "at": "date-time",
        "stats": {"opens": "number"},
        "tags": ["string"],
        "lines": [{"paid": "boolean"}],
    }
    facts = {"lists": {"fields": {"id": "string"}, "later": {"at": "string"}, "added": {"id": "integer"}}}
    assert kinds_by_stream(facts) == {"lists": {"id": "integer", "at": "string"}}


def test_what_is_missing_is_null_and_what_is_unknown_is_kept_beside() -> None:
    row = {
        "id": 1,
        "stats": {"opens": 2, "new": "\0"},
        "lines": [{"paid": True}, {"paid": 1}],
        "aside": 1,
        "more": [2**64],
    }
    made = record(KINDS, row, aside=("aside",))
    assert made["name"] is made["at"] is made["tags"] is None
    assert made["stats"] == {"opens": 2}
    assert made["lines"] == [{"paid": True}, {"paid": None}]
    assert made["_extra"] == {"stats.new": "\ufffd", "lines.1.paid": 1, "more": [str(2**64)]}


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("integer", 3.0, 3),
        ("integer", "12", 12),
        ("string", {"a": "é"}, '{"a":"é"}'),
        ("string", True, "true"),
        ("date-time", "2026-11-02T03:04:05+02:00", "2026-11-02T01:04:05.000000Z"),
        ("date-time", "2026-11-02 03:04:05.5 +00:00", "2026-11-02T03:04:05.500000Z"),
        ("date-time", "", None),
        ("seconds", 1, "1970-01-01T00:00:01.000000Z"),
        ("seconds", 0, None),
        ("milliseconds", 1500, "1970-01-01T00:00:01.500000Z"),
        ("any", [1, "\0"], [1, "\ufffd"]),
    ],
)
def test_a_value_that_fits(kind: str, value: Any, expected: Any) -> None:
    assert record({"x": kind}, {"x": value}) == {"x": expected}


@pytest.mark.parametrize(
    ("kind", "value"),
    [("integer", 1.5), ("integer", True), ("number", "1"), ("boolean", 1), ("object", []), ("date-time", "someday")],
)
def test_a_value_that_does_not_fit_is_kept_beside(kind: str, value: Any) -> None:
    assert record({"x": kind}, {"x": value}) == {"x": None, "_extra": {"x": value}}


def test_equal_rows_are_numbered() -> None:
    rows = [{"n": 1, "of": "a"}, {"n": 2, "of": "b"}, {"n": 3, "of": "a"}]
    assert [(row["n"], before) for row, _, before in occurrences(rows, lambda row: [row["of"]])] == [
        (1, 0),
        (2, 0),
        (3, 1),
    ]
    assert digest({"b": 1, "a": "é"}) == digest({"a": "é", "b": 1}) != digest({"a": "e", "b": 1})
