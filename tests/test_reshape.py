"""What masks and columns make of records and of their SCHEMA."""

from __future__ import annotations

import copy
from hashlib import sha256
from typing import Any

import pytest

from shared.errors import CatalogError, ConfigError
from shared.protocol import catalog
from shared.records.fit import Shape
from shared.records.misfits import Misfits
from shared.records.reshape import reshape
from shared.streams import Stream
from shared.testing.lint import RecordLint, schema_findings

TEXT = {"type": ["null", "string"]}
NUMBER = {"type": ["null", "integer"]}
WHEN = {"type": ["null", "string"], "format": "date-time"}
STREAM = Stream(name="members", key_properties=("id",), replication_key="changed")
SCHEMAS: dict[str, Any] = {
    "members": {
        "type": "object",
        "properties": {
            "id": TEXT,
            "changed": WHEN,
            "email": TEXT,
            "map": {"type": ["null", "object"]},
            "tags": {"type": ["null", "array"], "items": TEXT},
            "contact": {
                "type": ["null", "object"],
                "properties": {
                    "phone": TEXT,
                    "at": WHEN,
                    "place": {"type": ["null", "object"], "properties": {"zip": NUMBER, "city": TEXT}},
                },
            },
            "opens": {
                "type": ["null", "array"],
                "items": {"type": ["null", "object"], "properties": {"ip": TEXT, "n": NUMBER}},
            },
        },
    }
}
RECORD: dict[str, Any] = {
    "id": "a",
    "changed": "2026-01-01T00:00:00.000000Z",
    "email": "ä@example.com",
    "map": {"FNAME": "Ann", "AGE": 5, "deep": [{"email": "x"}]},
    "tags": ["one"],
    "contact": {"phone": "1", "at": None, "place": {"zip": 5, "city": None}},
    "opens": [{"ip": "127.0.0.1", "n": 1}, None],
    "_extra": {"opens.1.ip": 7, "email2": "y", "contact.fax": "2"},
}


def reshaped(record: dict[str, Any] = RECORD, **settings: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The written properties, and the record; both keep the linter's rules."""
    settings = {"flatten_separator": "__", "mask_salt": "salt", **settings}
    (selection,) = catalog.choose(None, [STREAM], SCHEMAS, settings=settings)
    made = reshape(selection, settings)
    (found,) = made.records(Shape(selection, misfits=Misfits()).fit([copy.deepcopy(record)]))
    message = {"stream": "members", "schema": made.written, "key_properties": ["id"]}
    assert schema_findings(message) == []
    assert RecordLint(message).findings(found) == []
    return made.written["properties"], found


def digest(text: str) -> str:
    return sha256(f"salt{text}".encode()).hexdigest()


def test_without_settings_nothing_changes() -> None:
    properties, record = reshaped()
    assert record == RECORD
    assert list(properties) == list(RECORD)


def test_a_hash_is_of_salt_and_value_and_its_column_is_text() -> None:
    properties, record = reshaped(mask={"members.email": "sha256", "*.contact.place.zip": "sha256", "*.id": "sha256"})
    assert record["email"] == digest("ä@example.com")
    assert record["contact"]["place"] == {"zip": digest("5"), "city": None}
    assert record["id"] == digest("a")
    assert properties["id"] == {"type": ["string"]}
    assert properties["contact"]["properties"]["place"]["properties"]["zip"] == TEXT


def test_a_hash_leaves_null_null() -> None:
    _, record = reshaped(
        {**RECORD, "email": None, "contact": None}, mask={"*.email": "sha256", "*.contact.*": "sha256"}
    )
    assert (record["email"], record["contact"]) == (None, None)


def test_a_whole_object_is_hashed_as_json() -> None:
    properties, record = reshaped(mask={"*.contact": "sha256"})
    assert properties["contact"] == TEXT
    assert record["contact"] == digest('{"at":null,"phone":"1","place":{"city":null,"zip":5}}')


def test_what_is_dropped_has_no_column() -> None:
    properties, record = reshaped(mask={"*.email": "drop", "*.contact.p*": "drop"})
    assert "email" not in properties and "email" not in record
    assert list(properties["contact"]["properties"]) == ["at"]


def test_members_of_maps_are_masked_at_any_depth() -> None:
    _, record = reshaped(mask={"*.map.FNAME": "drop", "*.map.AGE": "sha256", "*.map.deep.email": "sha256"})
    assert record["map"] == {"AGE": digest("5"), "deep": [{"email": digest("x")}]}


def test_what_lies_in_extra_is_masked_by_its_path() -> None:
    _, record = reshaped(mask={"*.opens.ip": "sha256", "*.email*": "drop", "*.contact": "sha256"})
    assert record["_extra"] == {"opens.1.ip": digest("7"), "contact.fax": digest("2")}
    assert record["opens"] == [{"ip": digest("127.0.0.1"), "n": 1}, None]


def test_dropping_wins_over_hashing() -> None:
    properties, _ = reshaped(mask={"*.email": "sha256", "members.e*": "drop"})
    assert "email" not in properties


@pytest.mark.parametrize(
    ("pattern", "how", "said"),
    [
        ("members.id", "drop", "members.id: part of the key or the bookmark cannot be dropped"),
        ("members.changed", "drop", "members.changed: part of the key"),
        ("members.changed", "sha256", "members.changed: is the stream's bookmark"),
        ("member.email", "drop", "no stream is called like that"),
    ],
)
def test_a_mask_that_cannot_be_is_an_error(pattern: str, how: str, said: str) -> None:
    with pytest.raises((CatalogError, ConfigError), match=said):
        reshaped(mask={pattern: how})


def test_objects_become_columns_and_the_rest_json_text() -> None:
    properties, record = reshaped(flatten=True)
    assert record == {
        "id": "a",
        "changed": RECORD["changed"],
        "email": RECORD["email"],
        "map": '{"FNAME":"Ann","AGE":5,"deep":[{"email":"x"}]}',
        "tags": '["one"]',
        "contact__phone": "1",
        "contact__at": None,
        "contact__place__zip": 5,
        "contact__place__city": None,
        "opens": '[{"ip":"127.0.0.1","n":1},null]',
        "_extra": '{"opens.1.ip":7,"email2":"y","contact.fax":"2"}',
    }
    assert properties["contact__at"] == WHEN
    assert set(properties) == set(record)
    assert properties["opens"] == properties["_extra"] == TEXT


def test_objects_open_as_deep_as_said() -> None:
    assert reshaped(flatten=True, flatten_depth=1)[1]["contact__place"] == '{"zip":5,"city":null}'
    record = reshaped(flatten=True, flatten_depth=0)[1]
    assert record["contact"] == '{"phone":"1","at":null,"place":{"zip":5,"city":null}}'


def test_a_missing_object_is_null_in_all_its_columns_and_no_extra_stays_away() -> None:
    record = {name: value for name, value in RECORD.items() if name != "_extra"}
    _, found = reshaped({**record, "contact": None, "map": None}, flatten=True, flatten_separator=".")
    assert [found[name] for name in ("contact.phone", "contact.at", "contact.place.zip", "map")] == [None] * 4
    assert "_extra" not in found


def test_columns_that_clash_or_are_too_long_are_told_apart() -> None:
    innermost = {"type": ["null", "object"], "properties": {"c": TEXT, "id": TEXT}}
    inner = {"type": ["null", "object"], "properties": {"b__c": TEXT, "b": innermost}}
    long = {"type": ["null", "object"], "properties": {"y" * 60: TEXT}}
    schema = {"type": "object", "properties": {"id": TEXT, "A__B__ID": TEXT, "a": inner, "x" * 10: long}}
    settings = {"flatten": True, "flatten_separator": "__"}
    (selection,) = catalog.choose(None, [Stream(name="s")], {"s": schema}, settings=settings)
    made = reshape(selection, settings)
    assert schema_findings({"stream": "s", "schema": made.written, "key_properties": ["id"]}) == []
    record = {"id": "1", "A__B__ID": "2", "a": {"b__c": "3", "b": {"c": "4", "id": "5"}}, "x" * 10: {"y" * 60: "6"}}
    (found,) = made.records([record])
    assert sorted(str(value) for value in found.values()) == ["1", "2", "3", "4", "5", "6"]


def test_masks_come_before_columns() -> None:
    _, record = reshaped(flatten=True, mask={"*.contact.phone": "sha256", "*.map.FNAME": "drop"})
    assert record["contact__phone"] == digest("1")
    assert record["map"] == '{"AGE":5,"deep":[{"email":"x"}]}'
