from __future__ import annotations

import copy
import json
import math
import threading
from datetime import datetime
from typing import Any, TypedDict

import jsonschema
import pytest
import singer
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import SchemaError
from shared.protocol import catalog, messages
from shared.protocol.selection import Selection
from shared.records import fit as records
from shared.records import values
from shared.records.misfits import Misfits
from shared.records.values import clean_text
from shared.streams import Stream

NOW = "2026-11-01T12:00:00.000000Z"
TEXT = {"type": ["null", "string"]}
WHEN = {"type": ["null", "string"], "format": "date-time"}
DAY = {"type": ["null", "string"], "format": "date"}
WHOLE = {"type": ["null", "integer"]}
NUMBER = {"type": ["null", "number"]}
FLAG = {"type": ["null", "boolean"]}
MAP = {"type": ["null", "object"]}
LIST = {"type": ["null", "array"]}


def members(**properties: Any) -> dict[str, Any]:
    return {"type": ["null", "object"], "properties": properties}


def items(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": ["null", "array"], "items": of}


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": TEXT,
        "count": WHOLE,
        "rate": NUMBER,
        "vip": FLAG,
        "sent": WHEN,
        "seen": {**WHEN, "wire": "seconds"},
        "ticked": {**WHEN, "wire": "milliseconds"},
        "born": DAY,
        "fields": MAP,
        "any": LIST,
        "stats": members(opens=WHOLE, last=WHEN, more=members(rate=NUMBER, name=TEXT)),
        "tags": items(TEXT),
        "links": items(members(url=TEXT, clicks=WHOLE, at=items(WHEN))),
    },
}


def choose(properties: dict[str, Any] | None = None, *, row: dict[str, Any] | None = None, **options: Any) -> Selection:
    schema = SCHEMA if properties is None else {"type": "object", "properties": {"id": TEXT, **properties}}
    settings = options.pop("settings", {})
    stream = Stream(name="lists", **(row or {}))
    (selection,) = catalog.choose(
        options.pop("catalog", None), [stream], {"lists": schema}, settings=settings, **options
    )
    return selection


class Fitter:
    """Fits records to a schema of `id` and `properties`, and remembers what there is to say."""

    def __init__(self, properties: dict[str, Any] | None = None, *, strict: bool = False, **options: Any) -> None:
        self.selection = choose(properties, **options)
        self.problems = Misfits()
        settings = options.get("settings", {})
        self.shape = records.Shape(
            self.selection,
            strict=strict,
            extra_fields=settings.get("extra_fields", "column"),
            misfits=self.problems,
        )

    def __call__(self, *rows: Any, care: bool = True) -> list[dict[str, Any]]:
        return self.shape.fit([{"id": "1", **copy.deepcopy(row)} for row in rows], care=care)

    def value(self, value: Any, care: bool = True) -> Any:
        """What becomes of `value` in the column `a`, and what of it stands in `_extra`."""
        (row,) = self({"a": value}, care=care)
        return (row["a"], row["_extra"]) if "_extra" in row else row["a"]


# From bytes


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"a":1}', {"a": 1}),
        (b'["12345678901234567890"]', ["12345678901234567890"]),
        (b'["a1234567890123456789012b", 1.5]', ["a1234567890123456789012b", 1.5]),
        (b'["\\ud83d\\ude00", "\\n"]', ["\U0001f600", "\n"]),
        (b"12", 12),
    ],
)
def test_ordinary_pages_need_no_care(content: bytes, value: Any) -> None:
    assert values.parse(content) == (value, False)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"[9223372036854775808]", [2**63]),
        (b"9223372036854775808", 2**63),
        (b'{"a": -123456789012345678901234}', {"a": -123456789012345678901234}),
        (b"[1,\n99999999999999999999]", [1, 99999999999999999999]),
        (b'["99999999999999999999",99999999999999999999]', ["9" * 20, 99999999999999999999]),
        (b'["a\\u0000b"]', ["a\0b"]),
        (b'["a\x00b"]', ["a\0b"]),
        (b'["\\ud800"]', ["\ud800"]),
        (b"[Infinity,1e999]", [math.inf, math.inf]),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'["caf\xe9"]', ["caf\udce9"]),
        (b'["\xed\xa0\x80"]', ["\ud800"]),
        (b"[" + b"7" * 5000 + b"]", ["7" * 5000]),
    ],
)
def test_what_targets_cannot_take_is_read_without_loss_and_with_care(content: bytes, value: Any) -> None:
    assert values.parse(content) == (value, True)


@pytest.mark.parametrize("filled", range(values.PART - 30, values.PART + 5))
def test_a_wide_number_is_found_wherever_it_stands(filled: int) -> None:
    text = "x" * filled
    assert values.parse(f'["{text}",12345678901234567890]'.encode()) == ([text, 12345678901234567890], True)
    assert values.parse(f'["{text}",123456789012345678]'.encode()) == ([text, 123456789012345678], False)


class Wanted(TypedDict, total=False):
    rows: list[dict[str, Any]] | None


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"rows":[{"a":{"b":1}}],"rest":[{}]}', {"rows": [{"a": {"b": 1}}]}),
        (b'{"rest":1}', {}),
        (b'{"rows":null}', {"rows": None}),
        (b'{"rows":5,"rest":1}', {"rows": 5, "rest": 1}),
        (b'[{"rows":[]}]', [{"rows": []}]),
        (b'{"rows":[{"a":"\\ud800"}],"rest":1}', {"rows": [{"a": "\ud800"}], "rest": 1}),
        (b'{"rows":[{"a":123456789012345678901}],"rest":1}', {"rows": [{"a": 123456789012345678901}]}),
    ],
)
def test_only_what_is_wanted_is_built_where_the_answer_has_that_shape(content: bytes, value: Any) -> None:
    assert values.parse(content, Wanted)[0] == value


@pytest.mark.parametrize("content", [b"", b'{"a":', b"<html>", b'["caf\xe9', b"[" * 100_000])
def test_what_is_no_json_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        values.parse(content)


@settings(deadline=None)
@given(st.recursive(st.none() | st.integers() | st.text() | st.floats(), lambda inner: st.lists(inner, max_size=4)))
def test_any_json_is_read_as_python_reads_it(value: Any) -> None:
    text = json.dumps(value)
    assert repr(values.parse(text.encode())[0]) == repr(json.loads(text))


# One value into its type

CASES: list[tuple[dict[str, Any], Any, Any]] = [
    (TEXT, "", ""),
    (TEXT, 5, "5"),
    (TEXT, 2**64, str(2**64)),
    (TEXT, 1.5, "1.5"),
    (TEXT, True, "true"),
    (TEXT, {"a": [1, None]}, '{"a":[1,null]}'),
    (TEXT, [], "[]"),
    (WHOLE, 5, 5),
    (WHOLE, 5.0, 5),
    (WHOLE, "3", 3),
    (WHOLE, "-3.00", -3),
    (WHOLE, 2**63 - 1, 2**63 - 1),
    (NUMBER, 5, 5),
    (NUMBER, "12.50", 12.5),
    (NUMBER, "3", 3),
    (NUMBER, "1e3", 1000.0),
    (FLAG, False, False),
    (FLAG, "true", True),
    (WHEN, "2026-11-01T10:00:00+00:00", "2026-11-01T10:00:00.000000Z"),
    (WHEN, "2026-11-01T10:00:00Z", "2026-11-01T10:00:00.000000Z"),
    (WHEN, "2026-11-01 10:00:00.5Z", "2026-11-01T10:00:00.500000Z"),
    (WHEN, "2026-11-01T10:00:00.123456+02:00", "2026-11-01T08:00:00.123456Z"),
    (WHEN, "2026-11-01", "2026-11-01T00:00:00.000000Z"),
    (WHEN, "", None),
    ({**WHEN, "wire": "seconds"}, 1_793_527_200, "2026-11-01T10:00:00.000000Z"),
    ({**WHEN, "wire": "seconds"}, 0, None),
    ({**WHEN, "wire": "seconds"}, "0", None),
    ({**WHEN, "wire": "milliseconds"}, 1_793_527_200_250, "2026-11-01T10:00:00.250000Z"),
    ({**WHEN, "wire": "milliseconds"}, "2026-11-01T10:00:00Z", "2026-11-01T10:00:00.000000Z"),
    (DAY, "2026-02-28", "2026-02-28"),
    (DAY, "", None),
    (MAP, {"a": 1}, {"a": 1}),
    (LIST, [1, "a"], [1, "a"]),
    (TEXT, None, None),
    (members(b=TEXT), None, None),
    (items(WHOLE), ["1", None, 2.0], [1, None, 2]),
]


@pytest.mark.parametrize("care", [True, False])
@pytest.mark.parametrize(("schema", "value", "fitted"), CASES)
def test_what_can_be_converted_without_loss_is(schema: dict[str, Any], value: Any, fitted: Any, care: bool) -> None:
    fitter = Fitter({"a": schema})
    result = fitter.value(value, care=care)
    assert result == fitted
    assert type(result) is type(fitted)
    assert fitter.problems.lines() == []


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (WHOLE, 5.5),
        (WHOLE, True),
        (WHOLE, "5.5"),
        (WHOLE, "007"),
        (WHOLE, "1,234"),
        (WHOLE, ""),
        (NUMBER, False),
        (NUMBER, "nan"),
        (NUMBER, "0.12345678901234567890123"),
        (NUMBER, "1e999"),
        (NUMBER, "\u0663"),
        (FLAG, "no"),
        (FLAG, 1),
        (WHEN, "yesterday"),
        (WHEN, "0000-00-00 00:00:00"),
        (WHEN, "2026-13-01T00:00:00Z"),
        (WHEN, 1_793_527_200),
        ({**WHEN, "wire": "seconds"}, False),
        ({**WHEN, "wire": "seconds"}, "9" * 5000),
        (DAY, "2026-02-30"),
        (DAY, "20260228"),
        (DAY, "2026-11-01T10:00:00Z"),
        (MAP, "a"),
        (MAP, [1]),
        (LIST, {}),
        (members(b=TEXT), "x"),
        (items(TEXT), "x"),
    ],
)
@pytest.mark.parametrize("care", [True, False])
def test_what_does_not_fit_is_null_and_stands_in_extra(schema: dict[str, Any], value: Any, care: bool) -> None:
    fitter = Fitter({"a": schema})
    assert fitter.value(value, care=care) == (None, {"a": value})
    (counted,) = fitter.problems.counts().items()
    assert counted[0][:2] == ("lists", "a")
    assert counted[1] == 1


def test_integers_beyond_64_bits_are_kept_as_text() -> None:
    assert Fitter({"a": WHOLE}).value(2**63) == (None, {"a": str(2**63)})
    assert Fitter({"a": NUMBER}).value(2**80) == float(2**80)
    assert Fitter({"a": NUMBER}).value(2**63 + 1) == (None, {"a": str(2**63 + 1)})
    assert Fitter({"a": MAP}).value({"b": [2**64]}) == {"b": [str(2**64)]}
    assert Fitter({"a": NUMBER}).value(10**400) == (None, {"a": str(10**400)})


def test_nan_and_infinity_become_null() -> None:
    assert Fitter({"a": NUMBER}).value(math.nan) == (None, {"a": "nan"})
    assert Fitter({"a": TEXT}).value(math.inf) == (None, {"a": "inf"})
    fitter = Fitter({"a": MAP})
    assert fitter.value({"b": [math.inf, 1]}) == {"b": [None, 1]}
    assert fitter.problems.lines() == ["lists: NaN or infinity became null: a (1)"]


def test_nul_and_lone_surrogates_are_replaced_everywhere_and_counted() -> None:
    fitter = Fitter({"a": TEXT, "b": MAP, "c": items(TEXT), "d": WHOLE})
    (row,) = fitter({"a": "x\0\ud800y", "b": {"k\0": [{"\udfff": "\0"}]}, "c": ["\0"], "d": "\0", "new\0": "\0"})
    assert row == {
        "id": "1",
        "a": "x\ufffd\ufffdy",
        "b": {"k\ufffd": [{"\ufffd": "\ufffd"}]},
        "c": ["\ufffd"],
        "d": None,
        "_extra": {"d": "\ufffd", "new\ufffd": "\ufffd"},
    }
    replaced = {field for _, field, kind in fitter.problems.counts() if kind == values.REPLACED}
    assert replaced == {"a", "b", "c[]", "d"}


def test_surrogates_that_belong_together_become_their_character() -> None:
    assert Fitter({"a": TEXT}).value("\ud83d\ude00") == "\U0001f600"


def test_a_date_time_without_format_stays_as_it_came() -> None:
    assert Fitter({"a": TEXT}).value("2026-11-01T10:00:00+02:00") == "2026-11-01T10:00:00+02:00"


# Fields


def test_a_missing_column_is_null_and_a_missing_member_stays_missing() -> None:
    assert Fitter({"a": TEXT, "b": members(c=TEXT, d=TEXT)})({"b": {"c": "x"}}) == [
        {"id": "1", "a": None, "b": {"c": "x"}}
    ]


@pytest.mark.parametrize("care", [True, False])
def test_unknown_fields_go_to_extra_at_any_depth(care: bool) -> None:
    fitter = Fitter({"stats": members(opens=WHOLE), "links": items(members(url=TEXT))})
    (row,) = fitter(
        {"new": {"a": 1}, "stats": {"opens": 1, "new_thing": 2}, "links": [{"url": "u"}, {"url": "v", "x": 3}]},
        care=care,
    )
    assert row == {
        "id": "1",
        "stats": {"opens": 1},
        "links": [{"url": "u"}, {"url": "v"}],
        "_extra": {"new": {"a": 1}, "stats.new_thing": 2, "links.1.x": 3},
    }
    assert fitter.problems.lines() == [
        "lists: fields that the schema does not know, kept in _extra: new (1), stats.new_thing (1), links[].x (1)"
    ]


def test_unknown_fields_are_only_counted_where_extra_fields_says_report() -> None:
    fitter = Fitter({"a": WHOLE}, settings={"extra_fields": "report"})
    assert fitter({"a": "x", "new": 1}, {"new": 2}) == [{"id": "1", "a": None}] * 2
    assert fitter.problems.lines() == [
        "lists: fields that the schema does not know, left out: new (2)",
        "lists: text where an integer was expected: null, the value left out: a (1)",
    ]


def test_a_field_called_extra_is_not_lost() -> None:
    assert Fitter({})({"_extra": 5}, {"_extra": {"a": 1}, "new": 2, "a": 3}, {"_extra": {}}, {"_extra": None}) == [
        {"id": "1", "_extra": {"_extra": 5}},
        {"id": "1", "_extra": {"a": 1, "new": 2, "a_": 3}},
        {"id": "1"},
        {"id": "1"},
    ]


def test_deselected_fields_go_without_a_word_at_any_depth() -> None:
    fitter = Fitter(
        {"a": TEXT, "stats": members(opens=WHOLE, clicks=WHOLE), "links": items(members(url=TEXT, x=TEXT))},
        exclude=["lists.a", "lists.stats.clicks", "lists.links.x"],
    )
    (row,) = fitter({"a": "x", "stats": {"opens": 1, "clicks": 2}, "links": [{"url": "u", "x": "y"}]})
    assert row == {"id": "1", "stats": {"opens": 1}, "links": [{"url": "u"}]}
    assert fitter.problems.lines() == []


def test_ignored_members_go_without_a_word_where_the_schema_does_not_know_them() -> None:
    fitter = Fitter({"stats": members(opens=WHOLE)}, row={"ignored": ("_links",)})
    (row,) = fitter({"_links": [1], "stats": {"opens": 1, "_links": 2}, "new": {"a": [{"_links": 3, "b": 4}]}})
    assert row == {"id": "1", "stats": {"opens": 1}, "_extra": {"new": {"a": [{"b": 4}]}}}
    assert [field for _, field, _ in fitter.problems.counts()] == ["new"]


def test_a_misfit_in_an_array_names_its_place() -> None:
    fitter = Fitter({"links": items(members(clicks=WHOLE, at=items(WHEN)))})
    (row,) = fitter({"links": [{"clicks": 1}, {"clicks": "many", "at": [NOW, "never"]}, "none"]})
    assert row == {
        "id": "1",
        "links": [{"clicks": 1}, {"clicks": None, "at": [NOW, None]}, None],
        "_extra": {"links.1.clicks": "many", "links.1.at.1": "never", "links.2": "none"},
    }
    assert {field for _, field, _ in fitter.problems.counts()} == {"links[].clicks", "links[].at[]", "links[]"}


def test_the_account_label_is_on_every_record() -> None:
    fitter = Fitter({}, settings={"account_label": "emea"})
    assert fitter({}, {"_account": "other"}) == [
        {"id": "1", "_account": "emea"},
        {"id": "1", "_account": "emea", "_extra": {"_account": "other"}},
    ]


# Keys


@pytest.mark.parametrize("care", [True, False])
@pytest.mark.parametrize("row", [{"id": None}, {}, {"id": math.nan}])
def test_a_record_without_its_key_is_left_out_and_named(row: dict[str, Any], care: bool) -> None:
    fitter = Fitter({"list_id": TEXT}, row={"key_properties": ("id", "list_id")})
    rows = [{"id": "1", "list_id": "7"}, {**row, "list_id": "7"}, {"id": "2", "list_id": "7"}]
    assert [each["id"] for each in fitter.shape.fit(rows, care=care)] == ["1", "2"]
    said = fitter.problems.left_out("lists")
    assert said.startswith("1 record was left out") and "list_id 7" in said


def test_empty_text_is_no_key_unless_more_of_the_key_says_which_record_it_is() -> None:
    assert Fitter({}).shape.fit([{"id": ""}, {"id": "1"}]) == [{"id": "1"}]
    pair = Fitter({"version": TEXT}, row={"key_properties": ("id", "version")})
    assert pair.shape.fit([{"id": "1", "version": ""}]) == [{"id": "1", "version": ""}]


def test_a_key_is_converted_like_any_value() -> None:
    assert Fitter({}).shape.fit([{"id": 7}]) == [{"id": "7"}]


def test_records_without_a_key_that_a_setting_chose_are_left_out_and_counted() -> None:
    row = {"key_properties": ("id",), "contract_key": ("email",)}
    fitter = Fitter({"email": TEXT}, row=row, settings={"key_mode": "contract"})
    assert fitter({"email": "a@b.c"}, {}, {"email": None}, {"email": ""}) == [
        {"id": "1", "email": "a@b.c"},
    ]
    assert fitter.problems.lines() == ["lists: records without this part of the chosen key were left out: email (3)"]


def test_an_empty_array_where_an_object_belongs_is_an_empty_object() -> None:
    fit = Fitter({"fields": MAP, "stats": members(opens=WHOLE)})
    (record,) = fit({"fields": [], "stats": []})
    assert (record["fields"], record["stats"]) == ({}, {})
    assert fit.problems.lines() == []


def test_a_row_that_is_no_object_is_left_out() -> None:
    fitter = Fitter({})
    assert fitter.shape.fit(["row", {"id": "1"}]) == [{"id": "1"}]  # type: ignore[list-item]
    assert "text where a record was expected" in fitter.problems.left_out("lists")


# Strict


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"count": "x"}, r"^lists: count: text where an integer was expected.* in the record id='1'"),
        ({"stats": {"more": {"rate": True}}}, r"^lists: stats\.more\.rate: a boolean where a number"),
        ({"fields": {"a": math.nan}}, "^lists: fields: NaN or infinity became null"),
        ({"id": "a\0"}, "^lists: id: characters that targets cannot store"),
    ],
)
def test_strict_makes_an_error_of_what_would_be_nulled_or_replaced(row: dict[str, Any], said: str) -> None:
    with pytest.raises(SchemaError, match=said):
        Fitter(strict=True)(row)


def test_strict_lets_pass_what_fits_and_what_is_kept() -> None:
    assert Fitter({"a": WHOLE}, strict=True)({"a": "5", "new": 1}) == [{"id": "1", "a": 5, "_extra": {"new": 1}}]


# Misfits


def test_problems_add_up_over_threads() -> None:
    problems = Misfits()

    def add() -> None:
        for _ in range(500):
            problems.add("lists", "a", "kind")

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems.counts() == {("lists", "a", "kind"): 2000}


def test_endless_field_names_are_not_all_remembered_or_said() -> None:
    problems = Misfits()
    for number in range(3000):
        problems.add("lists", f"key\n{number}", "unknown")
    assert sum(problems.counts().values()) == 3000
    (line,) = problems.lines()
    assert line.startswith("lists: unknown: other fields (2000), key\ufffd0 (1), ")
    assert line.endswith(", and 961 more")
    assert len(line) < 1000


# For any record

KEYS = st.sampled_from(["id", *SCHEMA["properties"], "opens", "last", "more", "name", "url", "clicks", "at", "new"])
AWKWARD = st.sampled_from(
    [0, "0", "", "5", "5.0", "-1.50", "true", NOW, "2026-11-01T10:00:00+00:00", "2026-11-01", "a\0", "\ud800", 2**63]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8) | AWKWARD
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4),
    max_leaves=8,
)
ROWS = st.lists(st.dictionaries(KEYS | st.text(max_size=3), ANYTHING, max_size=8), max_size=3)
FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("date-time")  # type: ignore[untyped-decorator]
def is_date_time(value: Any) -> bool:
    return not isinstance(value, str) or bool(datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ"))


@FORMATS.checks("date")  # type: ignore[untyped-decorator]
def is_date(value: Any) -> bool:
    return not isinstance(value, str) or bool(datetime.strptime(value, "%Y-%m-%d"))


def fitted(rows: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
    fitter = Fitter(**options)
    return fitter.shape.fit([{**copy.deepcopy(row), "id": "1"} for row in rows])


@settings(deadline=None)
@given(ROWS)
def test_any_json_fits_and_is_valid_and_can_be_written(rows: list[dict[str, Any]]) -> None:
    fitter = Fitter()
    validator = jsonschema.Draft4Validator(fitter.selection.written, format_checker=FORMATS)
    result = fitter(*({**row, "id": "1"} for row in rows))
    for row in result:
        validator.validate(row)
        assert set(SCHEMA["properties"]) <= set(row) <= {*SCHEMA["properties"], "_extra"}
        assert row.get("_extra") != {}
    lines = messages.record_lines("lists", result, time_extracted=NOW)
    assert [json.loads(line)["record"] for line in lines.splitlines()] == result
    for value in _leaves(result):
        assert not isinstance(value, str) or "\0" not in value
        assert not isinstance(value, int) or abs(value) <= 2**63


@settings(deadline=None)
@given(ROWS)
def test_fitting_twice_equals_once(rows: list[dict[str, Any]]) -> None:
    once = fitted(rows)
    problems = Misfits()
    shape = records.Shape(choose(), misfits=problems)
    assert shape.fit(copy.deepcopy(once)) == once
    assert problems.lines() == []


@settings(deadline=None)
@given(ROWS)
def test_clean_pages_fit_alike_with_and_without_care(rows: list[dict[str, Any]]) -> None:
    content = json.dumps([{"id": "1", **row} for row in rows]).encode()
    value, care = values.parse(content)
    problems = [Misfits(), Misfits()]
    selection = choose()
    results: list[Any] = []
    for each, is_careful in zip(problems, (True, care), strict=True):
        try:
            results.append(records.Shape(selection, misfits=each).fit(copy.deepcopy(value), care=is_careful))
        except SchemaError:
            results.append(None)
    assert results[0] == results[1]
    assert problems[0].counts() == problems[1].counts()


@settings(deadline=None)
@given(ROWS)
def test_nothing_is_lost(rows: list[dict[str, Any]]) -> None:
    """Every text and number that came stands in the column, or in `_extra`, in some form."""
    for row, result in zip(rows, fitted(rows), strict=True):
        for name, value in row.items():
            if name in ("id", "_extra") or value in (None, "", 0, "0"):
                continue
            if name not in SCHEMA["properties"]:
                assert clean_text(name, []) in result["_extra"]
            elif result[name] is None:
                assert name in result["_extra"]


MOMENTS = st.datetimes().map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0"))
INT64 = st.integers(-(2**63), 2**63 - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
CLEAN = st.fixed_dictionaries(
    {
        "id": PLAIN.filter(bool),  # empty text is no key
        "count": st.none() | INT64,
        "rate": st.none() | FINITE,
        "vip": st.booleans(),  # singer-python makes False of a null
        "sent": st.none() | MOMENTS,
        "fields": st.none() | st.dictionaries(PLAIN, PLAIN | INT64 | FINITE, max_size=3),
        "stats": st.none()
        | st.fixed_dictionaries(
            {},
            optional={"opens": INT64, "last": MOMENTS, "more": st.fixed_dictionaries({"rate": FINITE, "name": PLAIN})},
        ),
        "tags": st.none() | st.lists(PLAIN, max_size=3),
        "links": st.none() | st.lists(st.fixed_dictionaries({"url": PLAIN, "at": st.lists(MOMENTS)}), max_size=3),
    }
)


@settings(deadline=None)
@given(st.lists(CLEAN, max_size=3), st.booleans())
def test_clean_records_come_out_as_singers_transformer_has_them(rows: list[dict[str, Any]], care: bool) -> None:
    properties = {name: SCHEMA["properties"][name] for name in ("id", "count", "rate", "vip", "sent", "fields")}
    properties |= {name: SCHEMA["properties"][name] for name in ("stats", "tags", "links")}
    fitter = Fitter(properties)
    expected = [singer.transform(copy.deepcopy(row), copy.deepcopy(fitter.selection.written)) for row in rows]
    assert fitter.shape.fit(copy.deepcopy(rows), care=care) == expected
    assert fitter.problems.lines() == []


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for name, member in value.items() for leaf in (name, *_leaves(member))]
    return [leaf for member in value for leaf in _leaves(member)] if isinstance(value, list) else [value]
