from __future__ import annotations

import copy
import json
import logging
from typing import Any

import jsonschema
import pytest
import singer.metadata

from shared.errors import CatalogError, SchemaError
from shared.protocol import catalog
from shared.protocol.patterns import breadcrumbs, dotted
from shared.protocol.selection import Selection
from shared.streams import Parent, Stream

TEXT = {"type": ["null", "string"], "description": "for people"}
WHEN = {"type": ["null", "string"], "format": "date-time", "wire": "seconds"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": TEXT,
        "list_id": TEXT,
        "changed": WHEN,
        "name": TEXT,
        "stats": {
            "type": ["null", "object"],
            "properties": {"opens": {"type": ["null", "integer"]}, "clicks": {"type": ["null", "integer"]}},
        },
        "links": {
            "type": ["null", "array"],
            "items": {"type": ["null", "object"], "properties": {"url": TEXT, "clicks": {"type": ["null", "integer"]}}},
        },
    },
}
STREAMS = (
    Stream(name="lists", aliases=("audiences",)),
    Stream(
        name="members",
        key_properties=("id", "list_id"),
        contract_key=("id",),
        replication_key="changed",
        parent=Parent(stream="lists", keys={"list_id": "id"}),
    ),
    Stream(name="opens", selected=False, replication_key="changed", full_table=True),
    Stream(name="ids", hidden=True),
    Stream(name="clicks", parent=(Parent(stream="ids", keys={}), Parent(stream="members", keys={})), selected=False),
)
SCHEMAS = {stream.name: SCHEMA for stream in STREAMS}
STATS, OPENS = ("properties", "stats"), ("properties", "stats", "properties", "opens")
URL = ("properties", "links", "items", "properties", "url")
ALL = frozenset((*SCHEMA["properties"], "_extra"))


def built(**settings: Any) -> dict[str, Any]:
    return catalog.build("tap-test", STREAMS, SCHEMAS, settings)


def edited(changes: dict[str, dict[tuple[str, ...], dict[str, Any]]], **settings: Any) -> dict[str, Any]:
    """The catalog with metadata changed: stream → breadcrumb → words."""
    result = built(**settings)
    for entry in result["streams"]:
        for line in entry["metadata"]:
            line["metadata"] |= changes.get(entry["stream"], {}).get(tuple(line["breadcrumb"]), {})
    return result


def choose(
    given: Any = None, *, select: tuple[str, ...] = (), exclude: tuple[str, ...] = (), **options: Any
) -> dict[str, Selection]:
    settings = options.pop("settings", {})
    chosen = catalog.choose(given, STREAMS, SCHEMAS, select=select, exclude=exclude, settings=settings, **options)
    return {selection.stream.name: selection for selection in chosen}


def fields(selection: Selection) -> set[str]:
    return set(selection.schema["properties"])


# Building


def test_the_catalog_holds_every_stream_that_is_not_hidden_in_the_tables_order() -> None:
    assert [entry["tap_stream_id"] for entry in built()["streams"]] == ["lists", "members", "opens", "clicks"]


def test_the_catalog_says_what_singer_wants_to_know() -> None:
    members = built()["streams"][1]
    metadata = singer.metadata.to_map(members["metadata"])
    assert metadata[()] == {
        "inclusion": "available",
        "selected-by-default": True,
        "table-key-properties": ["id", "list_id"],
        "replication-method": "INCREMENTAL",
        "valid-replication-keys": ["changed"],
        "parent-tap-stream-id": "lists",
    }
    automatic = {crumb[1] for crumb, words in metadata.items() if words["inclusion"] == "automatic"}
    assert automatic == {"id", "list_id", "changed"}
    assert metadata[OPENS] == metadata[URL] == {"inclusion": "available", "selected-by-default": True}
    assert members["schema"]["properties"]["id"] == {"type": ["string"]}
    assert members["schema"]["properties"]["changed"] == {"type": ["null", "string"], "format": "date-time"}
    assert members["schema"]["properties"]["_extra"] == {"type": ["null", "object"]}


def test_the_replication_method_is_forced_only_where_there_is_no_choice() -> None:
    stream_level = {entry["stream"]: singer.metadata.to_map(entry["metadata"])[()] for entry in built()["streams"]}
    assert stream_level["lists"]["forced-replication-method"] == "FULL_TABLE"
    assert stream_level["opens"]["replication-method"] == "FULL_TABLE"
    assert stream_level["opens"]["selected-by-default"] is False
    assert "forced-replication-method" not in stream_level["opens"]


def test_a_hidden_parent_is_not_named() -> None:
    clicks = built()["streams"][3]
    assert singer.metadata.to_map(clicks["metadata"])[()]["parent-tap-stream-id"] == "members"


def test_settings_decide_on_the_columns_that_every_stream_has() -> None:
    lists = built(extra_fields="report", account_label="emea")["streams"][0]
    metadata = singer.metadata.to_map(lists["metadata"])
    assert "_extra" not in lists["schema"]["properties"]
    assert metadata["properties", "_account"]["inclusion"] == "automatic"
    selection = choose(settings={"extra_fields": "report", "account_label": "emea"})["lists"]
    assert selection.account == "emea"
    assert fields(selection) == ALL - {"_extra"} | {"_account"}


def test_building_leaves_the_schemas_alone() -> None:
    before = copy.deepcopy(SCHEMAS)
    built(account_label="emea")
    choose()
    assert before == SCHEMAS


@pytest.mark.parametrize(
    "stream", [Stream(name="lists", key_properties=("uid",)), Stream(name="lists", replication_key="uid")]
)
def test_a_key_that_is_no_field_is_an_error(stream: Stream) -> None:
    with pytest.raises(SchemaError, match=r"lists: the .*key uid is not in the stream's schema"):
        catalog.build("tap-test", [stream], SCHEMAS, {})


def test_key_mode_gives_the_contracts_key() -> None:
    assert choose()["members"].key_properties == ("id", "list_id")
    selection = choose(settings={"key_mode": "contract"})["members"]
    assert selection.key_properties == ("id",)
    assert selection.keyless_skipped
    assert selection.written["properties"]["list_id"] == {"type": ["null", "string"]}
    assert not choose(settings={"key_mode": "contract"})["lists"].keyless_skipped


# Choosing with a catalog


def test_without_a_catalog_and_with_the_untouched_one_the_same_is_read() -> None:
    assert choose() == choose(built())
    assert list(choose()) == ["lists", "members"]


def test_a_selection_holds_what_a_sync_needs() -> None:
    members = choose()["members"]
    assert fields(members) == ALL
    assert members.schema["properties"]["changed"]["wire"] == "seconds"
    assert members.written["properties"]["changed"] == {"type": ["null", "string"], "format": "date-time"}
    assert (members.replication_key, members.full_table, members.deselected) == ("changed", False, frozenset())


@pytest.mark.parametrize(
    ("words", "is_read"),
    [
        ({"inclusion": "unsupported", "selected": True}, False),
        ({"inclusion": "automatic", "selected": False}, True),
        ({"selected": False, "selected-by-default": True}, False),
        ({"selected": True, "selected-by-default": False}, True),
        ({"selected-by-default": True}, True),
        ({"selected-by-default": False}, False),
    ],
)
def test_precedence_holds_for_streams_and_fields(words: dict[str, Any], is_read: bool) -> None:
    given = edited({"lists": {(): words, ("properties", "name"): {"selected": True}}})
    assert ("lists" in choose(given)) is is_read
    given = edited({"lists": {(): {"selected": True}, ("properties", "name"): words, OPENS: words}})
    lists = choose(given)["lists"]
    assert ("name" in fields(lists)) is is_read
    assert ("opens" in lists.schema["properties"]["stats"]["properties"]) is is_read
    assert ("name" in lists.deselected) is not is_read


def test_automatic_fields_are_read_even_where_a_runner_deselected_them() -> None:
    crumbs = [("properties", name) for name in (*SCHEMA["properties"], "_extra")]
    given = edited({"members": {crumb: {"selected": False} for crumb in crumbs}})
    members = choose(given)["members"]
    assert fields(members) == {"id", "list_id", "changed"}
    assert members.deselected == {"name", "stats", "links", "_extra"}


def test_a_deselected_object_takes_its_members_along() -> None:
    given = edited({"lists": {STATS: {"selected": False}, OPENS: {"selected": True}}})
    assert "stats" not in fields(choose(given)["lists"])


def test_an_object_without_a_selected_member_is_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    crumbs = [(*STATS, "properties", "opens"), (*STATS, "properties", "clicks"), URL, (*URL[:-1], "clicks")]
    given = edited({"lists": {crumb: {"selected": False} for crumb in crumbs}})
    assert fields(choose(given)["lists"]) == ALL - {"stats", "links"}
    assert "lists.stats is left out" in caplog.text
    assert "lists.links is left out" in caplog.text


def test_members_of_objects_in_arrays_are_selected_one_by_one() -> None:
    lists = choose(edited({"lists": {URL: {"selected": False}}}))["lists"]
    assert set(lists.written["properties"]["links"]["items"]["properties"]) == {"clicks"}
    assert lists.deselected == set() and lists.deselected_members == {"links.url"}


def test_a_catalog_of_the_old_style_says_selected_within_the_schema() -> None:
    schema = {"selected": True, "properties": {"name": {"selected": False}, "stats": {"selected": True}}}
    chosen = choose({"streams": [{"stream": "lists", "schema": schema}, {"stream": "members", "schema": {}}]})
    assert list(chosen) == ["lists"]
    assert chosen["lists"].deselected == {"name"}


def test_a_stream_the_catalog_only_lists_is_not_selected() -> None:
    with pytest.raises(CatalogError, match="no stream is selected"):
        choose({"streams": [{"tap_stream_id": "lists", "stream": "lists"}]})


def test_fields_that_the_catalog_does_not_know_yet_are_added() -> None:
    given = edited({"lists": {(): {"selected": True}}})
    extended = copy.deepcopy(SCHEMA)
    extended["properties"]["custom"] = TEXT
    (lists, *_) = catalog.choose(given, STREAMS, {**SCHEMAS, "lists": extended}, settings={})
    assert "custom" in lists.schema["properties"]


@pytest.mark.parametrize("entry", [{"tap_stream_id": "audiences"}, {"tap_stream_id": "x-1", "stream": "audiences"}])
def test_a_stream_is_recognised_by_an_older_name(entry: dict[str, Any]) -> None:
    chosen = choose({"streams": [{**entry, "selected": True}]})
    assert list(chosen) == ["lists"]


def test_of_an_old_and_a_new_name_the_selected_one_counts() -> None:
    old, new = {"tap_stream_id": "audiences", "selected": True}, {"tap_stream_id": "lists", "selected": False}
    assert list(choose({"streams": [old, new]})) == list(choose({"streams": [new, old]})) == ["lists"]


def test_a_stream_that_is_not_known_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    given = edited({})
    given["streams"] += [{"tap_stream_id": "gone", "selected": True}, {"stream": "ids", "selected": True}]
    assert list(choose(given)) == ["lists", "members"]
    assert "does not know: gone, ids" in caplog.text


def test_types_that_differ_are_a_warning_and_without_effect(caplog: pytest.LogCaptureFixture) -> None:
    given = built()
    properties = given["streams"][0]["schema"]["properties"]
    properties["changed"] = {"type": ["null", "string"]}
    properties["stats"]["properties"]["opens"] = {"type": "number"}
    properties["name"] = {"type": "string"}
    assert choose(given) == choose()
    assert [record.getMessage() for record in caplog.records] == [
        "lists: the catalog's types for changed, stats.opens differ from the tap's own, which are used"
    ]


@pytest.mark.parametrize(
    ("method", "stream", "full_table"),
    [
        ("FULL_TABLE", "members", True),
        ("INCREMENTAL", "opens", False),
        ("INCREMENTAL", "lists", True),
        ("LOG_BASED", "members", False),
    ],
)
def test_the_catalog_chooses_the_replication_method_where_there_is_a_choice(
    method: str, stream: str, full_table: bool, caplog: pytest.LogCaptureFixture
) -> None:
    given = edited({stream: {(): {"selected": True, "replication-method": method}}})
    assert choose(given)[stream].full_table is full_table
    assert bool(caplog.records) is (method == "LOG_BASED" or stream == "lists")
    entry = {"stream": stream, "selected": True, "replication_method": method}
    assert choose({"streams": [entry]})[stream].full_table is full_table


def test_a_method_that_another_taps_discovery_forced_was_nobodys_choice() -> None:
    metadata = [{"breadcrumb": [], "metadata": {"selected": True, "forced-replication-method": "FULL_TABLE"}}]
    assert not choose({"streams": [{"stream": "members", "metadata": metadata}]})["members"].full_table


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], r"^catalog: must be object, is list\."),
        ({}, "^catalog: lacks streams"),
        ({"streams": {}}, r"^catalog\.streams: must be array, is dict"),
        ({"streams": [{"schema": {}}]}, r"^catalog\.streams\[0\]: lacks tap_stream_id"),
        ({"streams": [{"stream": 5}]}, r"^catalog\.streams\[0\]\.stream: must be string"),
        ({"streams": [{"stream": "lists", "metadata": [{"breadcrumb": []}]}]}, r"metadata\[0\]: lacks metadata"),
        (
            {"streams": [{"stream": "lists", "metadata": {"selected": True}}]},
            "metadata: must be array or null, is dict",
        ),
    ],
)
def test_a_malformed_catalog_is_refused_in_one_line(given: Any, said: str) -> None:
    with pytest.raises(CatalogError, match=said) as caught:
        choose(given)
    assert "\n" not in str(caught.value)


# The command line's patterns


@pytest.mark.parametrize(
    ("select", "exclude", "streams"),
    [
        (("members",), (), ["members"]),
        (("*s",), (), ["lists", "members", "opens", "clicks"]),
        (("*",), ("*ks", "opens"), ["lists", "members"]),
        ((), ("members",), ["lists"]),
        (("audiences",), (), ["lists"]),
        (("opens.name", "lists"), (), ["lists", "opens"]),
    ],
)
@pytest.mark.parametrize("has_catalog", [True, False])
def test_patterns_pick_streams_with_and_without_a_catalog(
    select: tuple[str, ...], exclude: tuple[str, ...], streams: list[str], has_catalog: bool
) -> None:
    assert list(choose(built() if has_catalog else None, select=select, exclude=exclude)) == streams


@pytest.mark.parametrize(
    ("select", "exclude", "read"),
    [
        (("members.name",), (), {"name"}),
        (("members.na*", "members.stats"), (), {"name", "stats", "stats.opens", "stats.clicks"}),
        (("members.stats.opens",), (), {"stats", "stats.opens"}),
        (("members.*",), ("members.stats.clicks", "members.links"), {"name", "_extra", "stats", "stats.opens"}),
        (("members", "members.name"), ("*.stats", "*.links"), {"name", "_extra"}),
        (("members.links.url",), (), {"links", "links.url"}),
        (("members",), ("members.*",), set()),
    ],
)
def test_patterns_pick_fields_beside_the_automatic_ones(
    select: tuple[str, ...], exclude: tuple[str, ...], read: set[str]
) -> None:
    members = choose(select=select, exclude=exclude)["members"]
    paths = {dotted(breadcrumb) for breadcrumb in breadcrumbs(members.schema)}
    assert paths - {"id", "list_id", "changed"} == read
    assert paths >= {"id", "list_id", "changed"}


def test_a_fields_pattern_beats_the_catalog_and_a_streams_leaves_fields_to_it() -> None:
    given = edited({"lists": {("properties", "name"): {"selected": False}}})
    assert "name" not in fields(choose(given, select=("lists",))["lists"])
    assert "name" in fields(choose(given, select=("lists.name",))["lists"])


def test_a_fields_pattern_picks_the_streams_that_have_the_field() -> None:
    extended = copy.deepcopy(SCHEMA)
    extended["properties"]["custom"] = TEXT
    chosen = catalog.choose(None, STREAMS, {**SCHEMAS, "opens": extended}, select=["*.custom"], settings={})
    assert [selection.stream.name for selection in chosen] == ["opens"]


def test_what_cannot_be_read_is_not_selected_by_a_pattern() -> None:
    given = edited({"lists": {(): {"inclusion": "unsupported"}}})
    assert list(choose(given, select=("*",))) == ["members", "opens", "clicks"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"select": ("member",)}, r"--select member: no stream is called like that\. Did you mean members\?"),
        ({"exclude": ("zzz",)}, r"--exclude zzz: no stream is called like that\. --discover lists"),
        ({"select": ("lists.nam",)}, r"--select lists\.nam: no field is called like that\. Did you mean name\?"),
        ({"select": ("ids",)}, "--select ids: no stream"),
        ({"exclude": ("*",)}, "no stream is selected"),
    ],
)
def test_a_pattern_that_matches_nothing_is_an_error(options: dict[str, Any], said: str) -> None:
    with pytest.raises(CatalogError, match=said):
        choose(**options)


def test_excluding_a_key_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert "id" in fields(choose(exclude=("members.id",))["members"])
    assert "members: id cannot be excluded" in caplog.text


def test_before_the_account_is_asked_nothing_is_an_error_or_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    given = edited({"lists": {(): {"selected": True}}})
    given["streams"].append({"stream": "its own"})
    given["streams"][0]["schema"]["properties"]["name"] = {"type": "integer"}
    chosen = choose(given, select=("lists.custom", "its own"), exclude=("lists.other",), is_partial=True)
    assert list(chosen) == ["lists"]
    assert choose(select=("its own",), is_partial=True) == {}
    assert caplog.records == []


def test_the_catalog_is_json_and_its_schemas_are_schemas() -> None:
    for entry in json.loads(json.dumps(built(account_label="emea")))["streams"]:
        jsonschema.Draft4Validator.check_schema(entry["schema"])
