"""The tap's schemas and requests, and the sandbox's endpoints, against what Mailchimp publishes of its API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import pytest

from shared.protocol import schema
from shared.sandbox.kinds import facts_beside
from shared.streams import Stream, Unit
from shared.sync.paging import first_request
from shared.sync.units import parent_values, partitions
from shared.tap import settings_of
from tap_mailchimp.sandbox import MailchimpSandbox, truth
from tap_mailchimp.tap import TAP

FACTS = facts_beside(truth.__file__)
STREAMS = {stream.name: stream for stream in TAP.streams}
SETTINGS = {setting.name: setting.default for setting in settings_of(TAP)}
# Everything that can send a parameter, switched on.
EVERY = {"segment_types": ["saved", "static", "fuzzy"], "template_types": ["user", "base", "gallery"]}
ANYWHERE = {"count", "offset", "exclude_fields"}  # obeyed by endpoints that do not list them (observed 2026-06)
PARENTS_KEYS = {
    "list_segment_members": {"segment_id": "integer"},
    "reports_domain_performance": {"campaign_id": "string"},
    "reports_locations": {"campaign_id": "string"},
    "reports_ecommerce_product_activity": {"campaign_id": "string"},
    "tags": {"list_id": "string"},
    "list_activity": {"list_id": "string"},
    "list_locations": {"list_id": "string"},
    "list_clients": {"list_id": "string"},
    "ecommerce_customers": {"store_id": "string"},
    "ecommerce_products": {"store_id": "string"},
    "ecommerce_carts": {"store_id": "string"},
    "ecommerce_promo_rules": {"store_id": "string"},
    "ecommerce_promo_codes": {"store_id": "string", "promo_rule_id": "string"},
    **{
        f"member_{name}": {"list_id": "string", "email_id": "string"}
        for name in ("tags", "activity", "activity_feed", "events", "goals")
    },
    "reports_advice": {"campaign_id": "string"},
    "campaign_checklists": {"campaign_id": "string"},
    "sms_campaign_content": {"sms_campaign_id": "string"},
    "landing_page_content": {"page_id": "string"},
    "template_default_content": {"template_id": "integer"},
    "reports_sub_reports": {"campaign_id": "string"},
    "campaign_content": {"campaign_id": "string"},
    "reporting_survey_responses": {"survey_id": "string"},
    "reporting_survey_answers": {"survey_id": "string", "question_id": "string"},
}
MADE_BY_HOOKS = {
    "reports_email_activity": {"activity_id": "string"},
    "reports_open_details": {"last_opened_at": "date-time"},
    "member_tags": {"member_last_changed": "date-time"},
    "member_notes": {"member_last_changed": "date-time"},
    "member_activity": {"member_last_changed": "date-time", "_index": "integer"},
    "member_activity_feed": {"member_last_changed": "date-time", "_index": "integer"},
    "member_events": {"member_last_changed": "date-time", "_index": "integer"},
    "member_goals": {"member_last_changed": "date-time"},
    **{
        name: {"_index": "integer"}
        for name in (
            "list_locations",
            "list_clients",
            "list_signup_forms",
            "reports_advice",
            "reports_locations",
            "reports_domain_performance",
            "reports_ecommerce_product_activity",
        )
    },
    "chimp_chatter": {"_index": "integer"},
    "conversation_messages": {"list_id": "string"},  # published as an integer, although ids of lists are text
}
OF_HOOKS = {"interests": {"category_id": "x"}}
"""What a hook puts into the path beside the parent's keys."""
NOT_WRITTEN = {"batches": {"response_body_url"}}
"""Links that are as good as a credential."""
ROWS_OF = {"reports_email_activity": "activity[]"}
"""Where one row becomes many, each with its recipient's other fields: what each is made of."""

KINDS: dict[str, Any] = {"integer": int, "boolean": bool, "string": (str, bool), "date-time": str, "list": str}

every_stream = pytest.mark.parametrize("name", FACTS["streams"])


def flat(part: Mapping[str, Any], name: str = "") -> Iterator[tuple[str, str]]:
    """The fields below a schema and their types, as the facts write them."""
    if "array" in part["type"]:
        yield from flat(part["items"], f"{name}[]")
        return
    if name:
        yield name, schema.type_of(part)
    for member, inner in part.get("properties", {}).items():
        yield from flat(inner, f"{name}.{member}" if name else member)


def expected_columns(name: str) -> dict[str, str]:
    fact = FACTS["streams"][name]
    columns = {**fact["fields"], **fact.get("later", {})}
    columns = {field: kind for field, kind in columns.items() if field not in NOT_WRITTEN.get(name, ())}
    if rows := ROWS_OF.get(name):
        columns = {field.removeprefix(f"{rows}."): kind for field, kind in columns.items() if field != rows}
    return {**columns, **PARENTS_KEYS.get(name, {}), **MADE_BY_HOOKS.get(name, {})}


def units(stream: Stream) -> Iterator[Unit]:
    settings = {**SETTINGS, **EVERY}
    parent = {name: "x" for each in stream.parents for name in each.keys} | OF_HOOKS.get(stream.name, {})
    for partition, params in partitions(stream, settings).items():
        yield Unit(
            stream=stream.name,
            parent=parent,
            partition=partition,
            params=params,
            since="2026-11-01T00:00:00.000000Z",
            settings=settings,
            now="2026-11-02T00:00:00.000000Z",
        )


def sent(stream: Stream) -> Iterator[tuple[str, Any]]:
    for unit in units(stream):
        yield from first_request(stream, unit).params.items()


def shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_every_stream_has_facts_and_every_fact_a_stream() -> None:
    assert set(STREAMS) == set(FACTS["streams"])


@every_stream
def test_path_and_items_are_the_published_ones(name: str) -> None:
    stream, fact = STREAMS[name], FACTS["streams"][name]
    assert (shape(stream.path), stream.records) == (shape(fact["path"]), fact["items"])


@every_stream
def test_every_parameter_sent_is_published(name: str) -> None:
    fact = FACTS["streams"][name]
    known = {**fact["parameters"], **fact.get("later_parameters", {})}
    for param, value in sent(STREAMS[name]):
        if param not in known:
            assert param in ANYWHERE
        elif isinstance(known[param], list):
            assert value in known[param]
        else:
            assert isinstance(value, KINDS[known[param]])


@every_stream
def test_every_request_for_rows_says_count(name: str) -> None:
    """Also those that come whole: `tag-search` obeys it although that is not published (observed 2026-06)."""
    assert ("count" in dict(sent(STREAMS[name]))) is bool(FACTS["streams"][name]["items"])


@every_stream
def test_columns_are_the_published_fields(name: str) -> None:
    loaded = schema.load(TAP.schemas, name)
    assert dict(flat(loaded)) == expected_columns(name)


@every_stream
def test_schemas_are_what_targets_accept(name: str) -> None:
    stream = STREAMS[name]
    loaded = schema.load(TAP.schemas, name)
    for keys in (stream.key_properties, stream.contract_key or stream.key_properties):
        assert schema.check(loaded, keys) == []
    if stream.replication_key:
        assert stream.replication_key in loaded["properties"]


@every_stream
def test_links_are_excluded_at_every_depth(name: str) -> None:
    """The contract has `_links` inside orders, carts and products too; the facts leave them out as the tap does."""
    inner = {
        "ecommerce_orders": {"orders.customer._links", "orders.lines._links"},
        "ecommerce_carts": {"carts.customer._links", "carts.lines._links"},
        "ecommerce_products": {"products.images._links", "products.variants._links"},
        "account_exports": {"exports.download_url"},
        "batches": {"batches.response_body_url"},
    }
    items = FACTS["streams"][name]["items"]
    expected = {"_links", *([f"{items}._links"] if items else []), *inner.get(name, set())}
    assert set(dict(sent(STREAMS[name]))["exclude_fields"].split(",")) == expected


@every_stream
def test_no_field_that_something_needs_is_kept_off_the_wire(name: str) -> None:
    """However much is deselected: keys, the bookmark, and what children, gates and hooks read."""
    stream = STREAMS[name]
    automatic = {*stream.key_properties, *([stream.replication_key] if stream.replication_key else [])}
    deselected = sorted(set(schema.load(TAP.schemas, name)["properties"]) - automatic)
    assert stream.sparse is not None
    excluded = {field.rpartition(".")[2] for field in stream.sparse(deselected)["exclude_fields"].split(",")}
    needed = set(stream.identity) if isinstance(stream.identity, tuple) else set()
    for child in TAP.streams:
        for parent in child.parents:
            if parent.stream == name:
                needed |= {path.split(".")[0] for path in (*parent.keys.values(), *parent.carry)}
    assert not excluded & (needed | automatic)
    assert excluded - {"_links", "download_url", "response_body_url"} <= set(deselected)


def test_batches_ask_what_the_contract_takes() -> None:
    from tap_mailchimp.batches import operation

    stream = STREAMS["reports_email_activity"]
    asked = operation(next(units(stream)), stream)
    assert {f"operations[].{name}" for name in asked} <= set(FACTS["batches"]["request"])
    assert {"id", "status", "response_body_url", "submitted_at", "total_operations"} <= set(FACTS["batches"]["answer"])


# The sandbox


@pytest.fixture(scope="module")
def served() -> Iterator[MailchimpSandbox]:
    sandbox = MailchimpSandbox({})
    sandbox.start()
    yield sandbox
    sandbox.stop()


@every_stream
def test_the_sandbox_takes_what_the_tap_sends_and_nothing_unpublished(name: str) -> None:
    fact = FACTS["streams"][name]
    routes = {shape(route.path): route for route in MailchimpSandbox({}).routes() if route.method == "GET"}
    params = routes[shape(f"/3.0{fact['path']}".rstrip("/"))].params
    assert set(params) - ANYWHERE - {"fields"} <= {*fact["parameters"], *fact.get("later_parameters", ())}
    assert {param for param, _ in sent(STREAMS[name])} - ANYWHERE <= set(params)
    for param, known in params.items():
        if isinstance(kind := fact["parameters"].get(param), list) and known.options:
            assert set(known.options) <= set(kind)


@every_stream
def test_the_sandbox_answers_with_the_published_items_and_fields(name: str, served: MailchimpSandbox) -> None:
    fact = FACTS["streams"][name]
    published = top_level({**fact["fields"], **fact.get("later", {})})
    rows = answered(served, name)
    assert rows
    # Now and then a row has a field that nobody knows yet, on purpose: most rows must have published ones alone.
    assert sum(set(row) - {"_links"} <= published for row in rows) > len(rows) * 0.9
    for record in served.truth(name, {}):
        assert set(record) - {"_extra"} == top_level(expected_columns(name)) - set(STREAMS[name].unselected)


def top_level(fields: Mapping[str, str]) -> set[str]:
    return {field.partition(".")[0].removesuffix("[]") for field in fields}


def answered(served: MailchimpSandbox, name: str) -> list[dict[str, Any]]:
    """Some rows of a stream, with one parent that has any."""
    return below(served, name)[1]


def below(served: MailchimpSandbox, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A parent that has rows, and those."""
    stream = STREAMS[name]
    if not stream.parents:
        return {}, fetched(served, stream, {})
    parent = stream.parents[0]
    above, parents = below(served, parent.stream)
    for row in parents:
        values = parent_values(parent, row, above)
        if parent.where is not None and not parent.where(replace(next(units(stream)), parent=values)):
            continue
        for each in met_by_hook(served, name, values):
            if rows := fetched(served, stream, each):
                return each, rows
    return {}, []


def met_by_hook(served: MailchimpSandbox, name: str, parent: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parent, or what a hook that goes a level deeper finds below it."""
    if name == "interests":
        for group in fetched(served, STREAMS["interest_categories"], parent):
            yield {**parent, "category_id": group["id"]}
    else:
        yield parent


def fetched(served: MailchimpSandbox, stream: Stream, parent: Mapping[str, Any]) -> list[dict[str, Any]]:
    unit = next(units(stream))
    request = first_request(stream, replace(unit, parent=parent, params={}), whole=True)
    params = {name: str(value).lower() if isinstance(value, bool) else value for name, value in request.params.items()}
    url = f"{served.base_url}{request.path}?{urlencode(params)}"
    headers = {"Authorization": f"Bearer {served.settings['api_key']}"}
    try:
        with urlopen(HttpRequest(url, headers=headers)) as response:
            body = json.loads(response.read())
    except HTTPError as error:
        if error.code != 404:
            raise
        return []  # some parents have none
    items = FACTS["streams"][stream.name]["items"]
    found: list[dict[str, Any]] = body[items] if items else [body]
    return found
