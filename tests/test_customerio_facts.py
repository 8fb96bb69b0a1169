"""The tap's streams and schemas, and the sandbox's field lists, against the catalogue of streams."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.protocol import schema
from tap_customerio.sandbox.truth import KINDS
from tap_customerio.tap import TAP

FACTS = json.loads((Path(__file__).parent / "data" / "customerio_facts.json").read_text("utf-8"))["streams"]
STREAMS = {stream.name: stream for stream in TAP.streams}
ANY = {"object", "string", "list", "integer"}
LATER: dict[str, dict[str, str]] = {
    "messages": {"draft": "boolean"},
    "newsletter_test_groups": {"name": "string", "label": "string", "winner": "boolean"},
    "subscription_channels": {
        "name": "string",
        "description": "string",
        "type": "string",
        "subscribed_by_default": "boolean",
    },
}
"""Fields of the reference's text that its catalogue lacks, or that the tap makes."""
OF_SANDBOX = {
    "int": "integer",
    "str": "string",
    "text": "string",
    "bool": "boolean",
    "ts": "date-time",
    "instant": "date-time",
    "json": "object",
}

every_stream = pytest.mark.parametrize("name", FACTS)


def flat(properties: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, part in properties.items():
        kind = schema.type_of(part)
        yield f"{above}{name}", "list" if kind == "array" else kind
        yield from flat(part.get("properties", {}), f"{above}{name}.")
        yield from flat(part.get("items", {}).get("properties", {}), f"{above}{name}[].")


def flat_kinds(kinds: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, kind in kinds.items():
        if isinstance(kind, list):
            yield f"{above}{name}", "list"
            if isinstance(kind[0], dict):
                yield from flat_kinds(kind[0], f"{above}{name}[].")
        elif isinstance(kind, dict):
            yield f"{above}{name}", "object"
            yield from flat_kinds(kind, f"{above}{name}.")
        else:
            yield f"{above}{name}", OF_SANDBOX[kind]


def test_every_stream_but_opt_outs_is_in_the_catalogue() -> None:
    assert set(STREAMS) - set(FACTS) == {"optouts"}
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


@every_stream
def test_columns_are_the_documented_fields(name: str) -> None:
    columns = dict(flat(schema.load(TAP.schemas, name)["properties"]))
    expected = {**FACTS[name]["fields"], **LATER.get(name, {})}
    assert set(columns) == set(expected)
    for field, kind in expected.items():
        assert columns[field] in (ANY if kind == "any" else {kind}), field


@pytest.mark.parametrize("name", STREAMS)
def test_the_sandbox_has_the_same_fields_written_by_another_hand(name: str) -> None:
    assert dict(flat_kinds(KINDS[name])) == dict(flat(schema.load(TAP.schemas, name)["properties"]))


@pytest.mark.parametrize("name", STREAMS)
def test_schemas_are_what_targets_accept(name: str) -> None:
    assert schema.check(schema.load(TAP.schemas, name), STREAMS[name].key_properties) == []
