"""Klaviyo's answers as they are: links without linkage, attributions, merges, namesakes, and how dense events lie."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as some
from test_tap_klaviyo import NOW, STREAMS, settings, unit

from shared.api.client import Context
from shared.api.request import Request
from shared.errors import ApiError
from shared.report import Report
from shared.streams import Rows
from shared.timestamps import parse, shift
from tap_klaviyo import attributions, density, events, jsonapi, own_metrics, variations
from tap_klaviyo.client import connect
from tap_klaviyo.tap import validate


def links(name: str) -> dict[str, Any]:
    return {"links": {"related": f"https://a.klaviyo.com/api/{name}"}}


def linked(kind: str, *ids: str) -> dict[str, Any]:
    return {"data": [{"type": kind, "id": each} for each in ids], **links(kind)}


# Keys with a second source


def test_a_side_loaded_resource_belongs_to_the_one_that_names_it() -> None:
    body = {
        "data": [
            {"type": "catalog-item", "id": "mug", "relationships": {"variants": linked("catalog-variant", "red")}},
            {"type": "catalog-item", "id": "cap", "relationships": {"variants": links("x")}},
        ],
        "included": [
            {"type": "catalog-variant", "id": "red", "relationships": {"item": links("item")}},
            {"type": "catalog-variant", "id": "own", "relationships": {"item": {"data": {"id": "cap"}}}},
            {"type": "catalog-variant", "id": "lost", "relationships": None},
            {"type": "tag", "id": "t"},
        ],
    }
    rows = jsonapi.included("catalog-variant", relation="variants", column="item_id")(body)
    assert {row["id"]: row["item_id"] for row in rows} == {"red": "mug", "own": "cap", "lost": None}


def test_the_template_of_a_flow_s_message_stands_in_its_definition_too() -> None:
    def template(relation: Any, definition: Any) -> Any:
        resource = {
            "type": "flow-message",
            "id": "m",
            "attributes": {"definition": definition},
            "relationships": {"template": relation},
        }
        return jsonapi.flat(resource)["template_id"]

    assert template(links("template"), {"template_id": "T1"}) == "T1"
    assert template({"data": {"type": "template", "id": "T2"}}, {"template_id": "T1"}) == "T2"
    assert template(links("x"), {}) is None


# Attributions


def attribution(event: str | None, identifier: str, **held: str) -> dict[str, Any]:
    relations: dict[str, Any] = {name: {"data": {"type": name, "id": each}} for name, each in held.items()}
    if event:
        relations["event"] = {"data": {"type": "event", "id": event}}
    return {"type": "attribution", "id": identifier, "attributes": {}, "relationships": relations}


def event(identifier: str, *attributed: str) -> dict[str, Any]:
    return {"type": "event", "id": identifier, "relationships": {"attributions": linked("attribution", *attributed)}}


FLOW = {"flow": "F", "flow-message": "FM", "flow-message-variation": "V", "attributed-event": "E0"}


def test_an_event_s_attributions_are_flat_and_all_there_although_their_ids_are_the_event_s() -> None:
    body = {
        "data": [event("E1", "E1", "E1"), event("E2"), {"type": "event", "id": "E3"}],
        "included": [
            attribution("E1", "E1", **FLOW),
            attribution("E1", "E1", **{"campaign": "C", "campaign-message": "CM"}),
            attribution("E9", "E9", flow="other"),
        ],
    }
    one, two, three = attributions.events()(body)
    nothing = dict.fromkeys(attributions.RELATIONS)
    assert one["attributions"] == [
        {
            **nothing,
            "attributed_event_id": "E0",
            "flow_id": "F",
            "flow_message_id": "FM",
            "flow_message_variation_id": "V",
        },
        {**nothing, "campaign_id": "C", "campaign_message_id": "CM"},
    ]
    assert two["attributions"] == [] and "attributions" not in three
    rows = list(attributions.as_rows([one, two, three], unit("event_attributions")))
    assert [(row["event_id"], row["position"], row["campaign_id"]) for row in rows] == [("E1", 0, None), ("E1", 1, "C")]


def test_attributions_with_ids_of_their_own_are_found_by_these() -> None:
    body = {
        "data": [event("E1", "a", "b")],
        "included": [attribution(None, "b", flow="2"), attribution(None, "a", flow="1")],
    }
    (row,) = attributions.events()(body)
    assert [each["flow_id"] for each in row["attributions"]] == ["1", "2"]


# Merged profiles


@pytest.mark.parametrize(
    ("properties", "gone", "surviving"),
    [
        ({"$extra": {"KlaviyoID": "A"}, "$event_id": "merge_tombstone:A:B"}, "A", "B"),
        ({"$event_id": "merge_tombstone:A:B"}, "A", "B"),
        ({"$extra": {"KlaviyoID": "A"}}, "A", None),
        ({"$extra": None, "$event_id": None}, None, None),
        (None, None, None),
    ],
)
def test_a_merge_tells_who_is_gone_and_who_survives(properties: Any, gone: Any, surviving: Any) -> None:
    (row,) = events.merges([{"id": "e", "datetime": NOW, "event_properties": properties}], unit("merged_profiles"))
    assert (row["gone_profile_id"], row["surviving_profile_id"]) == (gone, surviving)
    (row,) = events.merges([{"id": "e", "profile_id": "C", "event_properties": properties}], unit("merged_profiles"))
    assert row["surviving_profile_id"] == "C", "the event's own profile is the survivor"


# Names that hold still


def metric(identifier: str, name: str, created: str | None = "2025") -> dict[str, Any]:
    return {"id": identifier, "name": name, "created": created}


def test_the_oldest_metric_of_a_name_keeps_the_bare_one() -> None:
    old, new = metric("Old001", "Placed Order", "2023"), metric("New001", "placed-order!", "2024")
    assert own_metrics.names([new, old]) == {
        "Old001": "event_placed_order",
        "New001": "event_placed_order_New001",
    }
    assert own_metrics.names([metric("Att001", "Attributions")]) == {"Att001": "event_attributions_Att001"}
    assert own_metrics.names([metric("Kan001", "注文")]) == {"Kan001": "event_Kan001"}
    long = [metric("a", "x" * 60 + "a", "1"), metric("b", "x" * 60 + "b", "2")]
    assert own_metrics.names(long)["a"] == f"event_{'x' * 44}" != own_metrics.names(long)["b"]


NAMES = some.sampled_from(("Placed Order", "placed order", "Placed  Order!", "Ordered", "注文", "Attributions", ""))


@given(some.lists(NAMES, min_size=1, max_size=8), some.lists(NAMES, max_size=4))
def test_a_stream_keeps_its_name_whatever_metrics_join(first: Sequence[str], later: Sequence[str]) -> None:
    there = [metric(f"M{n}", name, f"2024-{n}") for n, name in enumerate(first)]
    joined = [metric(f"N{n}", name, f"2025-{n}") for n, name in enumerate(later)]
    before, after = own_metrics.names(there), own_metrics.names([*joined, *there])
    assert {each["id"]: after[each["id"]] for each in there} == before
    assert len({name.casefold() for name in after.values()}) == len(after)


class Metrics:
    """A client of an account with these metrics."""

    def __init__(self, *rows: Mapping[str, Any], **chosen: Any) -> None:
        self.rows, self.settings, self.report = rows, settings(**chosen), Report("tap-klaviyo")

    def json(self, request: Request, *, stream: str = "") -> Any:
        return {"data": [{"type": "metric", "id": row["id"], "attributes": dict(row)} for row in self.rows]}


def test_a_stream_is_found_by_the_names_it_had_when_others_were_chosen() -> None:
    rows = metric("Old001", "Order", "2023"), metric("New001", "Order", "2024"), metric("New002", "Order", "2025")
    (alone,) = own_metrics.own_streams(Metrics(*rows, metric_streams=["New001"]))  # type: ignore[arg-type]
    assert alone.name == "event_order_New001" and "event_order" in alone.aliases
    every = list(own_metrics.own_streams(Metrics(*rows, metric_streams=["all"])))  # type: ignore[arg-type]
    assert [each.name for each in every] == ["event_order", "event_order_New001", "event_order_New002"]
    said = [name for each in every for name in (each.name, *each.aliases)]
    assert len(said) == len(set(said)), "no name means two streams"


def test_a_metric_that_is_not_there_is_named() -> None:
    client = Metrics(
        metric("Old001", "Order"),
        metric("Mail01", "Received Email"),
        metric_streams=["Gone", "order", "received email"],
    )
    assert [each.name for each in own_metrics.own_streams(client)] == ["event_order"]  # type: ignore[arg-type]
    (note,) = client.report.notes
    assert "'Gone'" in note


# One pass or many


class Site:
    """A client of an account with so many events a day of each metric, evenly spread, and of some all at once."""

    def __init__(self, daily: Mapping[str, float], *, mailing: Mapping[str, int] | None = None) -> None:
        self.daily, self.mailing, self.asked = daily, mailing or {}, 0

    def json(self, request: Request, *, stream: str = "") -> Any:
        self.asked += 1
        bounds = unquote(str(request.params["filter"])).split("datetime,")[1:]
        start, end = (f"{part[:19]}.000000Z" for part in bounds)
        size = int(request.params["page[size]"])
        span = (parse(end) - parse(start)).total_seconds()
        rows: list[tuple[float, str]] = []
        for name, count in self.mailing.items():
            if end == NOW:
                rows += [(n / 100, name) for n in range(min(count, size))]
        for name, rate in self.daily.items():
            step = 86_400 / rate
            rows += [(n * step, name) for n in range(1, min(int(span / step), size) + 1)]
        rows.sort()
        data = [
            {
                "type": "event",
                "id": str(place),
                "attributes": {"datetime": shift(end, -back)},
                "relationships": {"metric": {"data": {"id": name}}},
            }
            for place, (back, name) in enumerate(rows[:size])
        ]
        return {"data": data, "links": {"next": "more" if len(rows) > size else None}}


WANTED = [f"Mail{n:02}" for n in range(15)]
WEEK = (shift(NOW, -8 * 86_400), NOW)


@pytest.mark.parametrize(
    ("daily", "mailing", "one_pass"),
    [
        ({"Site": 4320.0, "Mail00": 72.0}, {}, False),
        ({"Site": 4320.0, "Mail00": 72.0}, {"Mail00": 5000}, False),
        ({"Site": 500.0, "Mail00": 20_000.0}, {}, True),
        ({"Site": 500.0, "Mail00": 200.0}, {"Site": 900, "Mail00": 900}, True),
        ({"Site": 10.0, "Mail00": 10.0}, {}, True),
        ({}, {}, True),
    ],
)
def test_how_many_events_nobody_wants_decides_between_one_pass_and_many(
    daily: Mapping[str, float], mailing: Mapping[str, int], one_pass: bool
) -> None:
    site = Site(daily, mailing=mailing)
    assert density.weigh(site, unit("events", window=WEEK), WANTED) is one_pass  # type: ignore[arg-type]
    assert site.asked <= 3


def test_where_it_cannot_be_told_each_metric_is_read_alone() -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise ApiError("no")

    client: Any = SimpleNamespace(json=refuse)
    assert density.weigh(client, unit("events", window=WEEK), WANTED) is False


def test_a_look_at_the_density_asks_for_no_more_than_it_needs() -> None:
    seen: list[Request] = []

    def json(request: Request, **_: Any) -> Any:
        seen.append(request)
        return {"data": []}

    client: Any = SimpleNamespace(json=json)
    older = unit("events", window=WEEK, settings=settings(api_revision="2025-10-15"))
    for built in (unit("events", window=WEEK), older):
        assert density.weigh(client, built, WANTED)
    new, old = (request.params for request in seen)
    assert new["fields[event]"] == "datetime" and "include" not in new and new["page[size]"] == 1000
    assert "page[size]" not in old
    assert STREAMS["receive"].shared_walk is not None and STREAMS["receive"].shared_walk.weigh is density.weigh


# Variations of campaigns' messages


def variation(identifier: str, channel: str) -> dict[str, Any]:
    definition = {"name": "A", "details": {"channel": channel, "template_id": "T"}}
    return {"type": "campaign-variation", "id": identifier, "attributes": {"definition": definition}}


@pytest.mark.parametrize("is_known", [True, False])
def test_variations_come_beside_their_messages_or_one_message_at_a_time(is_known: bool) -> None:
    message = {
        "type": "campaign-message",
        "id": "m/1",
        "attributes": {"definition": {"name": "Hi", "status": "sent"}},
        "relationships": {
            "campaign": {"data": {"type": "campaign", "id": "c"}},
            "campaign-variations": linked("campaign-variation", "v"),
        },
    }

    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        assert request.headers["revision"] == "2026-10-15"
        if request.url.partition("?")[0].endswith("/m%2F1/campaign-variations"):
            return 200, {}, json.dumps({"data": [variation("v", "whatsapp")], "links": {}})
        if "include" not in request.url:
            return 200, {}, json.dumps({"data": [message], "links": {}})
        if not is_known:
            errors = [{"detail": "'campaign-variations' is not a valid value for 'include'."}]
            return 400, {}, json.dumps({"errors": errors})
        return 200, {}, json.dumps({"data": [message], "included": [variation("v", "whatsapp")], "links": {}})

    chosen = validate(settings())
    client = connect(Context(settings=chosen, report=Report("tap-klaviyo")))
    with responses.RequestsMock() as mock:
        mock.add_callback("GET", re.compile(r"https://a\.klaviyo\.com/api/campaign-messages.*"), answer)
        steps = list(variations.read(client, unit("campaign_variations", settings=chosen)))
    (row,) = (row for step in steps if isinstance(step, Rows) for row in step.rows)
    told = {name: row[name] for name in ("id", "campaign_id", "campaign_message_id", "message_name", "channel")}
    assert told == {
        "id": "v",
        "campaign_id": "c",
        "campaign_message_id": "m/1",
        "message_name": "Hi",
        "channel": "whatsapp",
    }
