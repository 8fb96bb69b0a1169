from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import SchemaError
from shared.protocol import schema

TEXT = {"type": ["null", "string"]}


def files(folder: Path, **schemas: Any) -> Path:
    for name, content in schemas.items():
        path = folder / f"{name.replace('__', '/')}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    return folder


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def test_references_to_files_and_into_files_are_resolved(tmp_path: Path) -> None:
    folder = files(
        tmp_path,
        lists=of(
            id=TEXT, contact={"$ref": "shared/contact.json"}, city={"$ref": "shared/contact.json#/properties/c~1d"}
        ),
        shared__contact={**of(**{"c/d": TEXT}, link={"$ref": "shared/link.json"})},
        shared__link={"definitions": {"url": TEXT}, **of(href={"$ref": "#/definitions/url"})},
    )
    loaded = schema.load(folder, "lists")
    assert loaded == of(id=TEXT, contact=of(**{"c/d": TEXT}, link=of(href=TEXT)), city=TEXT)


def test_words_beside_a_reference_win(tmp_path: Path) -> None:
    folder = files(
        tmp_path, lists=of(a={"$ref": "shared/x.json", "description": "mine"}), shared__x={**TEXT, "description": "its"}
    )
    assert schema.load(folder, "lists")["properties"]["a"] == {**TEXT, "description": "mine"}


def test_a_loaded_schema_is_the_callers_own(tmp_path: Path) -> None:
    folder = files(tmp_path, lists=of(id=TEXT))
    schema.load(folder, "lists")["properties"]["more"] = TEXT
    assert schema.load(folder, "lists") == of(id=TEXT)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"$ref": "lists.json"}, "refers to itself"),
        ({"$ref": "gone.json"}, "gone.json does not exist"),
        (of(a={"$ref": "#/definitions/none"}), "names nothing"),
        ([], "holds no object"),
    ],
)
def test_what_cannot_be_resolved_is_said(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(SchemaError, match=said):
        schema.load(files(tmp_path, lists=content), "lists")


def test_what_is_written_has_types_formats_and_members_alone() -> None:
    declared = of(
        id={"type": "string", "description": "The key"},
        sent={"type": ["null", "string"], "format": "date-time", "wire": "seconds"},
        url={"type": "string", "format": "uri"},
        stats={"type": "object", "properties": {"rate": {"type": "number"}}},
        tags={"type": ["array", "null"], "items": {"type": "string"}},
        map={"type": ["null", "object"]},
    )
    assert schema.written(declared, ["id"]) == of(
        id={"type": ["string"]},
        sent={"type": ["null", "string"], "format": "date-time"},
        url={"type": ["null", "string"]},
        stats={"type": ["null", "object"], "properties": {"rate": {"type": ["null", "number"]}}},
        tags={"type": ["null", "array"], "items": {"type": ["null", "string"]}},
        map={"type": ["null", "object"]},
    )


def test_a_good_schema_breaks_no_rule() -> None:
    good = of(
        id=TEXT, at={**TEXT, "format": "date-time", "wire": "milliseconds"}, tags={"type": "array", "items": TEXT}
    )
    assert schema.check(good, ["id"]) == []


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"a": {"type": ["string", "integer"]}}, "one type besides null"),
        ({"a": {"description": "no type"}}, "one type besides null"),
        ({"a": {**TEXT, "enum": ["x"], "maxLength": 3}}, "a: enum, maxLength cannot be used"),
        ({"a": {"type": "object", "additionalProperties": False}}, "additionalProperties cannot be used"),
        ({"a": {**TEXT, "format": "email"}}, "the format 'email' cannot be used"),
        ({"a": {**TEXT, "wire": "seconds"}}, "`wire` is for date-times"),
        ({"a": TEXT, "A": TEXT}, "A: differs from a by case alone"),
        ({"a" * 63: TEXT}, "1 to 62 characters"),
        ({"a": {"type": "object", "properties": {}}}, "no `properties`"),
        ({"a": {"type": "array", "items": {"type": "object", "properties": {"b": {}}}}}, r"a\[\]\.b: a schema needs"),
        ({"_extra": TEXT}, "taken by the tap itself"),
        ({}, "no field besides the keys"),
        ({"id": {"type": "array"}, "a": TEXT}, "id: a key cannot be"),
    ],
)
def test_what_targets_refuse_is_found(properties: dict[str, Any], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        assert not schema.check(of(**{"id": TEXT, **properties}), ["id"]), schema.check(
            of(**{"id": TEXT, **properties}), ["id"]
        )


def test_an_undeclared_key_is_found() -> None:
    assert schema.check(of(a=TEXT), ["id"]) == ["id: is a key and is not declared"]


@settings(deadline=None)
@given(st.lists(st.text(max_size=80), unique=True), st.lists(st.text(max_size=5)))
def test_columns_are_short_and_unique_ignoring_case(names: list[str], taken: list[str]) -> None:
    columns = schema.columns(names, taken)
    assert list(columns) == names
    folded = [column.casefold() for column in columns.values()]
    assert len(set(folded) | {name.casefold() for name in taken}) == len(folded) + len({n.casefold() for n in taken})
    assert all(len(column) <= 62 for column in columns.values())


def test_a_name_that_fits_stays_and_a_later_one_renames_nothing() -> None:
    before = schema.columns(["City", "name"])
    after = schema.columns(["City", "name", "CITY", "x" * 70])
    assert before == {"City": "City", "name": "name"} == {name: after[name] for name in before}
    assert after["CITY"] != "CITY"
    assert after["x" * 70].startswith("x" * 55 + "_")
