"""The tap's streams and schemas, and the sandbox's field lists, against the catalogue of streams."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from shared.protocol import schema
from shared.sandbox.kinds import facts_beside
from tap_customerio.sandbox import truth
from tap_customerio.tap import TAP

EVERY = facts_beside(truth.__file__)["streams"]
FACTS = {name: fact for name, fact in EVERY.items() if "path" in fact}
STREAMS = {stream.name: stream for stream in TAP.streams}
OF_WIRE = {"seconds": "date-time"}

every_stream = pytest.mark.parametrize("name", FACTS)


def flat(part: Mapping[str, Any], name: str = "") -> Iterator[tuple[str, str]]:
    """The fields below a schema and their types, in the words of the facts."""
    if schema.type_of(part) == "array":
        yield from flat(part["items"], f"{name}[]") if "items" in part else [(f"{name}[]", "any")]
        return
    if name:
        yield name, schema.type_of(part)
    for member, inner in part.get("properties", {}).items():
        yield from flat(inner, f"{name}.{member}" if name else member)


NEWER = {
    "optouts",
    "broadcast_trigger_details",
    "broadcast_trigger_errors",
    "campaign_action_link_metrics",
    "broadcast_action_link_metrics",
    "newsletter_content_link_metrics",
}
"""Streams that the catalogue lacks."""


def test_every_stream_but_the_newer_ones_is_in_the_catalogue() -> None:
    assert set(STREAMS) - set(FACTS) == NEWER
    assert {name for name, stream in STREAMS.items() if stream.seed} == {
        name for name, fact in FACTS.items() if fact["kind"] == "seed"
    }


@every_stream
def test_keys_and_bookmarks_are_the_documented_ones(name: str) -> None:
    stream, fact = STREAMS[name], FACTS[name]
    assert set(stream.key_properties) == set(fact["primary_key"])
    assert stream.replication_key == fact["replication_key"]
    assert [parent.stream for parent in stream.parents] == ([fact["parent"]] if fact["parent"] else [])


@every_stream
def test_paths_are_the_documented_ones(name: str) -> None:
    stream, fact = STREAMS[name], FACTS[name]
    assert stream.method == fact["method"]
    documented = re.split(r"[ ?]", fact["path"])[0]
    assert re.sub(r"\{.*?\}", "{}", stream.path) == re.sub(r"\{.*?\}", "{}", documented)


@pytest.mark.parametrize("name", STREAMS)
def test_columns_are_the_documented_fields(name: str) -> None:
    columns = dict(flat(schema.load(TAP.schemas, name)))
    fact = EVERY[name]
    expected = {**fact["fields"], **fact.get("later", {})}
    assert set(columns) == set(expected)
    for field, kind in expected.items():
        assert columns[field] == OF_WIRE.get(kind, kind), field


@pytest.mark.parametrize("name", STREAMS)
def test_schemas_are_what_targets_accept(name: str) -> None:
    assert schema.check(schema.load(TAP.schemas, name), STREAMS[name].key_properties) == []
