"""The tap's streams and schemas, and the sandbox's endpoints, against what Iterable publishes of its API."""

from __future__ import annotations

import re
from typing import Any

import pytest
from check_iterable_facts import compare

from shared.protocol import schema
from shared.streams import Stream, Unit
from shared.sync.paging import first_request
from shared.sync.units import partitions
from shared.tap import settings_of
from tap_iterable import exports
from tap_iterable.event_streams import EVENTS
from tap_iterable.events import Export
from tap_iterable.sandbox import IterableSandbox, data_type_of
from tap_iterable.sandbox import exports as sandbox_exports
from tap_iterable.sandbox import truth as sandbox_truth
from tap_iterable.sandbox.account import FACTS
from tap_iterable.streams import STREAMS
from tap_iterable.tap import TAP
from tap_iterable.templates import MEDIA, TEMPLATE_TYPES

BY_NAME = {stream.name: stream for stream in STREAMS}
SETTINGS = {setting.name: setting.default for setting in settings_of(TAP)}
WINDOW = ("2026-11-01T00:00:00.000000Z", "2026-11-02T00:00:00.000000Z")
MADE_BY_HOOKS = {
    "templates": {"templateType", "messageMedium"},
    "catalogs": {"definedMappings", "undefinedFields"},
    "push_templates": set(),
}

PUBLISHED = {**FACTS["streams"], **FACTS["beyond"]}

every_fact = pytest.mark.parametrize("name", PUBLISHED)


def unit(stream: Stream, **members: Any) -> Unit:
    parent = {name: "1" for each in stream.parents for name in each.keys}
    return Unit(stream=stream.name, parent=parent, settings=SETTINGS, window=WINDOW, now=WINDOW[1], **members)


def shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_every_stream_is_an_export_or_has_facts() -> None:
    exported = {stream.name for stream in EVENTS} | {"users"}
    assert set(BY_NAME) == exported | set(PUBLISHED)


def test_every_type_of_data_is_a_stream() -> None:
    assert {data_type_of(stream.name) for stream in EVENTS} | {"user"} == set(FACTS["export"]["data_types"])


@every_fact
def test_path_and_items_are_the_published_ones(name: str) -> None:
    stream, fact = BY_NAME[name], PUBLISHED[name]
    assert shape(stream.path) == shape(fact["path"])
    if isinstance(stream.records, str) and stream.fetch is None and stream.decode is None:
        assert stream.records == fact["items"]


@every_fact
def test_every_parameter_sent_is_published(name: str) -> None:
    stream, known = BY_NAME[name], PUBLISHED[name]["parameters"]
    for params in partitions(stream, SETTINGS).values():
        for param, value in first_request(stream, unit(stream, params=params)).params.items():
            assert param in known
            if isinstance(known[param], list):
                assert value in known[param]


@every_fact
def test_every_published_field_is_a_column(name: str) -> None:
    published = set(PUBLISHED[name].get("fields", ()))
    if not published or BY_NAME[name].hidden:
        return
    properties = set(schema.load(TAP.schemas, name)["properties"])
    assert published <= properties
    assert properties - published <= MADE_BY_HOOKS.get(name, set()) | {"extractedAt"}


def test_an_export_sends_what_is_published() -> None:
    sent = exports.asked(Export(data_type="emailOpen"), unit(BY_NAME["email_open"]))
    assert sent == {
        "dataTypeName": "emailOpen",
        "startDateTime": "2026-11-01 00:00:00",
        "endDateTime": "2026-11-02 00:00:00",
    }
    assert set(sent) <= {"dataTypeName", *FACTS["export"]["parameters"]}
    assert {*sent, "outputFormat"} <= set(FACTS["jobs"]["start"])


def test_templates_are_filtered_by_what_the_filters_know() -> None:
    known = FACTS["streams"]["templates"]["parameters"]
    assert list(MEDIA) == known["messageMedium"]
    assert list(TEMPLATE_TYPES) == known["templateType"]


def kinds(part: dict[str, Any]) -> Any:
    """A schema in the words of the sandbox."""
    kind = schema.type_of(part)
    if kind == "object":
        members = part.get("properties")
        return {name: kinds(inner) for name, inner in members.items()} if members else "object"
    if kind == "array":
        return [schema.type_of(part["items"])]
    return "milliseconds" if part.get("wire") else kind


@pytest.mark.parametrize("stream", EVENTS, ids=lambda stream: stream.name)
def test_the_columns_of_events_are_those_the_sandbox_sends(stream: Stream) -> None:
    expected = sandbox_truth.kinds_of_event(data_type_of(stream.name))
    assert {name: kinds(part) for name, part in schema.load(TAP.schemas, stream.name)["properties"].items()} == expected


@pytest.mark.parametrize("name", sorted(sandbox_truth.KINDS))
def test_the_columns_are_those_that_were_written_twice(name: str) -> None:
    found = {column: kinds(part) for column, part in schema.load(TAP.schemas, name)["properties"].items()}
    expected = dict(sandbox_truth.KINDS[name])
    if name == "in_app_templates":
        found["inAppDisplaySettings"] = "object"
    for column, kind in expected.items():
        if kind == ["object"]:
            expected[column] = found[column] = ["object"]
    assert found == expected


def test_the_sandbox_has_the_published_parameters_that_it_needs() -> None:
    routes = {shape(route.path): route for route in IterableSandbox({}).routes()}
    for fact in PUBLISHED.values():
        route = routes[shape(fact["path"])]
        assert set(route.params) <= {*fact["parameters"]}
    assert set(sandbox_exports.DATA_TYPES) == set(FACTS["export"]["data_types"])


def test_the_check_sees_a_difference() -> None:
    contract: dict[str, Any] = {"info": {"version": "1.9"}, "paths": {}, "definitions": {}}
    found = list(compare(FACTS, contract))
    assert 'version: facts say "1.8", the specification says "1.9"' in found
    assert len(found) > 50
