"""The tap's requests and the sandbox's endpoints, against what Klaviyo publishes of its API."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import check_klaviyo_facts
import pytest

from shared.protocol import schema
from shared.streams import Stream, Unit
from shared.sync.paging import first_request
from shared.sync.units import partitions
from shared.tap import settings_of
from tap_klaviyo import aggregates
from tap_klaviyo.client import LATER_SCOPES, OAUTH, TIERS
from tap_klaviyo.events import ALIASES
from tap_klaviyo.sandbox import aggregates as sandbox_aggregates
from tap_klaviyo.sandbox import reports as sandbox_reports
from tap_klaviyo.sandbox import truth as sandbox_truth
from tap_klaviyo.sandbox.endpoints import BY_STREAM
from tap_klaviyo.sandbox.kinds import KINDS_OF_ROWS
from tap_klaviyo.sandbox.query import read_filter
from tap_klaviyo.sandbox.records import EVENTS
from tap_klaviyo.tap import TAP

EVERYTHING = sandbox_truth.FACTS
FACTS, REPORTS = EVERYTHING["streams"], EVERYTHING["reports"]
STREAMS = {stream.name: stream for stream in TAP.streams if stream.method == "GET"}
POSTED = {stream.name: stream for stream in TAP.streams if stream.method == "POST"}
SETTINGS = {
    **{setting.name: setting.default for setting in settings_of(TAP)},
    "predictive_analytics": True,
    "template_definition": True,
}
SOURCES = {
    **dict.fromkeys((*ALIASES, "event_attributions", "merged_profiles"), "events"),
    **{f"{kind}_tags": f"{kind}s" for kind in ("campaign", "flow", "list", "segment")},
    "global_exclusions": "profiles",
    "list_suppressions": "profiles",
    "flow_actions": "flows",
    "catalog_variants": "catalog_items",
    "campaign_variations": "messages_of_campaigns",
}
"""Streams that read another one's endpoint."""
KINDS = {"campaign_messages": "campaign-message", "profiles": "profile", "global_exclusions": "profile"}

every_stream = pytest.mark.parametrize("name", STREAMS)
every_reader = pytest.mark.parametrize("name", [name for name, stream in STREAMS.items() if not stream.pages_of])
"""Those that ask for pages themselves."""


def fact_of(name: str) -> Mapping[str, Any]:
    fact: Mapping[str, Any] = FACTS[SOURCES.get(name, name)]
    return fact


def units(stream: Stream) -> Iterator[Unit]:
    parent = {name: "x" for each in stream.parents for name in each.keys}
    for partition, params in partitions(stream, SETTINGS).items():
        yield Unit(
            stream=stream.name,
            parent=parent,
            partition=partition,
            params=params,
            since="2026-11-01T00:00:00.000000Z",
            window=("2026-11-01T00:00:00.000000Z", "2026-11-02T00:00:00.000000Z") if stream.window else None,
            settings=SETTINGS,
            now="2026-11-02T00:00:00.000000Z",
            deselected=deselected(stream),
            deselected_members=frozenset(("profile.email", "profile.title")),
        )


def deselected(stream: Stream) -> frozenset[str]:
    """Every third field, of those that may be, and what the schema does not know."""
    needed = {*stream.key_properties, stream.replication_key}
    return frozenset(["_extra", *[*schema.load(TAP.schemas, stream.name)["properties"]][1::3]]) - needed


def sent(stream: Stream) -> Iterator[tuple[str, Any]]:
    for unit in units(stream):
        yield from first_request(stream, unit).params.items()


def shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


@every_stream
def test_paths_are_the_published_ones(name: str) -> None:
    assert shape(STREAMS[name].path) == shape(fact_of(name)["path"])


@every_reader
def test_every_parameter_sent_is_published_and_pages_are_as_large_as_allowed(name: str) -> None:
    known = fact_of(name)["parameters"]
    asked = dict(sent(STREAMS[name]))
    assert set(asked) <= set(known)
    assert {param for param, how in known.items() if how == "required"} <= set(asked)
    if "page[size]" in known:
        assert asked["page[size]"] == known["page[size]"][1]
    for param in ("sort", "include"):
        assert set(str(asked.get(param) or "").split(",")) - {""} <= set(known.get(param, []))
    for param, value in asked.items():
        if param.startswith(("fields[", "additional-fields[")):
            assert set(str(value).split(",")) <= set(known[param])


@pytest.mark.parametrize(
    "name",
    [
        stream.name
        for stream in STREAMS.values()
        if stream.sparse and stream.name not in ("event_attributions", "merged_profiles")
    ],
)
def test_a_fieldset_leaves_out_what_was_deselected_and_nothing_else(name: str) -> None:
    stream, asked = STREAMS[name], dict(sent(STREAMS[name]))
    kind = "event" if stream.path == "/api/events" else KINDS.get(name) or KINDS_OF_ROWS[name][0]
    needed = {"global_exclusions": {"subscriptions"}, "campaign_messages": {"definition"}}.get(name, set())
    needed = {"definition"} if name == "flow_messages" else needed
    needed = needed or ({"datetime", "timestamp"} if kind == "event" else set())
    attributes = set(schema.load(TAP.schemas, name)["properties"]) & set(fact_of(name)["parameters"][f"fields[{kind}]"])
    wanted = attributes - deselected(stream) - {"id"}
    chosen = set(asked.get(f"fields[{kind}]", ",".join(attributes - {"id"})).split(","))
    assert chosen - needed == wanted - needed


@every_stream
def test_every_filter_sent_is_published(name: str) -> None:
    endpoint = BY_STREAM[SOURCES.get(name, name)]
    for param, value in sent(STREAMS[name]):
        if param == "filter":
            for operator, field, _ in read_filter(str(value), endpoint):
                assert operator in fact_of(name)["filters"][field]


@every_reader
def test_every_quota_is_the_published_one(name: str) -> None:
    tier = STREAMS[name].quota.partition(" ")[0]
    (burst, _), (steady, _) = TIERS[tier]
    assert (f"{burst}/s", f"{steady}/m") == (fact_of(name)["burst"], fact_of(name)["steady"])


@every_stream
def test_the_scopes_asked_for_at_authorisation_suffice(name: str) -> None:
    assert set(fact_of(name)["scopes"]) <= {*OAUTH.scopes, *(f"{scope}:read" for scope in LATER_SCOPES)}


@every_stream
def test_what_a_later_revision_has_is_asked_for_with_that(name: str) -> None:
    assert first_request(STREAMS[name], next(units(STREAMS[name]))).headers.get("revision") == fact_of(name).get(
        "revision"
    )


@every_stream
def test_schemas_are_what_targets_accept_and_what_the_truth_expects(name: str) -> None:
    stream, loaded = STREAMS[name], schema.load(TAP.schemas, name)
    for keys in (stream.key_properties, stream.contract_key or stream.key_properties):
        assert schema.check(loaded, keys) == []
    kinds = sandbox_truth.KINDS["events" if name in ALIASES else name]
    assert list(loaded["properties"]) == list(kinds)


@pytest.mark.parametrize("name", BY_STREAM)
def test_the_sandbox_knows_what_is_published_and_nothing_else(name: str) -> None:
    endpoint, fact = BY_STREAM[name], FACTS[name]
    assert shape(endpoint.path) == shape(fact["path"])
    params = endpoint.params()
    assert set(params) == set(fact["parameters"])
    if "page[size]" in params:
        size = params["page[size]"]
        assert [size.default, size.most] == fact["parameters"]["page[size]"]
    assert (
        [option for option in params["sort"].options if option[0] != "-"] == fact["parameters"]["sort"]
        if ("sort" in params)
        else True
    )


def test_names_of_metrics_were_written_twice_and_agree() -> None:
    assert {stream: tuple(name.lower() for name in names) for stream, names in ALIASES.items()} == EVENTS


def test_differences_from_the_specification_are_told() -> None:
    get = {
        "x-klaviyo-ratelimit": {"burst": "3/s", "steady": "60/m"},
        "x-klaviyo-scopes": ["tags:read"],
        "parameters": [{"name": "sort", "schema": {"enum": ["id", "-id"]}}],
    }
    specification = {"info": {"version": "r"}, "paths": {"/api/tags": {"get": get}}}
    fact = check_klaviyo_facts.described(specification, "/api/tags")
    facts = {"revision": "r", "streams": {"tags": fact}, "reports": {}}
    assert list(check_klaviyo_facts.compare(facts, specification)) == []
    get["x-klaviyo-scopes"] = ["other:read"]
    (told,) = check_klaviyo_facts.compare(facts, specification)
    assert told.startswith("tags: scopes")


# Reports


@pytest.mark.parametrize("name", sandbox_reports.BY_STREAM)
def test_reports_ask_for_what_is_published(name: str) -> None:
    fact = REPORTS[name]
    assert POSTED[name].path == fact["path"]
    (burst, _), (steady, _) = TIERS["report"]
    assert (f"{burst}/s", f"{steady}/m", "225/d") == (fact["burst"], fact["steady"], fact["daily"])
    report = sandbox_reports.BY_STREAM[name]
    assert sorted(report.facts["required"]) == fact["required"]
    assert sorted(report.facts["statistics"]) == fact["statistics"]
    loaded = set(schema.load(TAP.schemas, name)["properties"])
    assert set(fact["statistics"]) | set(report.groups) <= loaded
    assert set(fact["scopes"]) <= set(OAUTH.scopes)


def test_metric_aggregates_ask_for_what_is_published() -> None:
    fact = REPORTS["metric_aggregates"]
    assert POSTED["metric_aggregates"].path == fact["path"]
    (burst, _), (steady, _) = TIERS["S"]
    assert (f"{burst}/s", f"{steady}/m") == (fact["burst"], fact["steady"])
    assert list(sandbox_aggregates.REQUIRED) == fact["required"]
    assert [*aggregates.MEASUREMENTS] == fact["measurements"] == [*sandbox_aggregates.MEASUREMENTS]
    assert [*sandbox_aggregates.INTERVALS] == fact["interval"]
    assert [*sandbox_aggregates.DIMENSIONS] == fact["by"]
    assert set(fact["measurements"]) <= set(schema.load(TAP.schemas, "metric_aggregates")["properties"])
    assert set(fact["scopes"]) <= set(OAUTH.scopes)
