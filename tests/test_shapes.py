"""Shapes of answers: what a file of them says, that no value is ever in it, and what differs from what is expected."""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from shared.api.answers import Response
from shared.api.request import Request
from shared.evidence import __main__ as command
from shared.evidence.comparison import compare, digest, expected, merged
from shared.evidence.names import Names, Paths, known_names, tap_of
from shared.evidence.recorder import Recorder
from shared.evidence.shapes import MOST_OWN_NAMES, Room, Shape, length, rough, text_form
from shared.testing.inside import run_inside
from tap_klaviyo.tap import TAP as KLAVIYO
from tap_mailchimp.tap import TAP as MAILCHIMP

TAPS = [tap_of(f"tap-{name}") for name in ("campaign-monitor", "customerio", "iterable", "klaviyo", "mailchimp")]
KNOWN = Names(("id", "data", "links", "relationships", "tags", "at"), b"salt")


def shape(*values: Any) -> dict[str, Any]:
    found = Shape()
    for value in values:
        found.add(value, KNOWN, Room())
    return found.told()


def recorded(*bodies: Any, stream: str = "lists", path: str = "/lists", **params: Any) -> dict[str, Any]:
    recorder = Recorder(MAILCHIMP, salt=b"salt")
    for body in bodies:
        recorder(stream, Request(path=path, params=params), Response(status=200, content=orjson.dumps(body)))
    return recorder.told()


def endpoint(told: dict[str, Any]) -> dict[str, Any]:
    (found,) = told["endpoints"].values()
    return dict(found)


# What a file says


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("", "empty"),
        ("2026-11-05T10:00:00+00:00", "date-time, T, zero offset with colon"),
        ("2026-11-05T10:00:00.123Z", "date-time, T, Z, fraction of 3 digits"),
        ("2026-11-05 10:00:00 +02:00", "text"),
        ("2026-11-05 10:00", "date-time, blank, no offset"),
        ("2026-11-05T10:00:00+0530", "date-time, T, other offset"),
        ("2026-11-05", "date"),
        ("11/5/2026", "date with slashes"),
        ("1763000000", "digits, 10 digits"),
        ("9d1f0a6e-0000-4000-8000-000000000001", "uuid"),
        ("6b836a4a6b", "hex"),
        ("someone@example.com", "address"),
        ("https://example.com/x", "URL"),
        ("sent", "word"),
        ("two words", "text"),
        ("x" * 5000, "long"),
    ],
)
def test_a_text_has_a_form(text: str, form: str) -> None:
    assert text_form(text) == form


def test_counts_and_lengths_are_rough() -> None:
    assert [rough(n) for n in (0, 1, 7, 12345)] == ["0", "1", "2-9", "1000+"]
    assert [length(n) for n in (0, 3, 4, 900, 99_999)] == ["0", "1-3", "4-7", "256-1023", "1024+"]


def test_members_have_types_and_shares() -> None:
    found = shape({"id": 1, "at": None}, {"id": "x"}, {"id": "y", "at": "2026-11-05"}, {"id": "z"})
    assert found["members"]["id"]["types"] == {"integer": "25%", "text": "75%"}
    assert found["members"]["at"]["present"] == "50%"
    assert found["members"]["at"]["types"] == {"null": "50%", "text": "50%"}


def test_relations_have_a_form() -> None:
    def resource(relation: Any) -> dict[str, Any]:
        return {"relationships": {"tags": relation}}

    rows = [{"data": [{"id": 1}]}, {"data": []}, {"data": None}, {"links": {}}, {}]
    relations = shape([resource(each) for each in rows])["items"]["members"]["relationships"]["members"]
    assert set(relations["tags"]["relation"]) == {"data", "empty data", "null data", "links only", "empty"}


def test_a_share_that_is_not_all_never_reads_as_all() -> None:
    found = shape(*[{"id": 1}] * 999, {"id": None})
    assert found["members"]["id"]["types"] == {"integer": "99%", "null": "1%"}


def test_own_names_are_pseudonyms_and_few() -> None:
    members = shape({f"field {n}": n for n in range(500)})["members"]
    assert len(members) == MOST_OWN_NAMES + 1
    assert all(re.fullmatch(r"own:([g-v]{10}|others)", name) for name in members)


def test_two_files_have_different_pseudonyms() -> None:
    assert Names((), None)("shoe size") != Names((), None)("shoe size")


def test_a_run_of_any_length_has_a_small_file() -> None:
    found, room = Shape(), Room(left=100)
    for n in range(1000):
        found.add({"data": [{f"{n}": {f"{m}": n for m in range(50)}}]}, KNOWN, room)
    assert room.left >= 0
    assert len(json.dumps(found.told())) < 20_000


def test_a_path_is_told_by_its_template() -> None:
    path = Paths(MAILCHIMP)
    assert path("/3.0/lists/a1b2c3/members") == "/lists/{}/members"
    assert path("/secret/lists-of-mine/x") == "/{}/{}/{}"


@pytest.mark.parametrize(
    ("rows", "total", "offset", "said"),
    [
        (10, 25, 0, "agree"),
        (5, 25, 20, "agree"),
        (3, 25, 0, "fewer rows than the total"),
        (5, 3, 0, "more rows than the"),
    ],
)
def test_totals_are_compared_with_rows(rows: int, total: int, offset: int, said: str) -> None:
    body = {"lists": [{"id": "x"}] * rows, "total_items": total}
    found = endpoint(recorded(body, count=10, offset=offset))
    (word,) = found["totals"]
    assert word.startswith(said)
    assert found["page sizes asked for"] == {"10": "100%"}


def test_headers_of_limits_are_named_by_known_words_alone() -> None:
    recorder = Recorder(MAILCHIMP)
    headers = {"X-RateLimit-Remaining": "12", "X-RateLimit-Jane": "1", "Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}
    recorder("lists", Request(path="/lists"), Response(status=429, headers=headers, content=b"<html>"))
    found = endpoint(recorder.told())
    assert found["limit headers"] == {
        "x-ratelimit-remaining": {"a number of 1-4 digits": "100%"},
        "retry-after": {"date": "100%"},
    }
    assert found["statuses"] == {"429": "100%"}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"a": NaN}', b'{"\\ud800": "\\udfff"}', b"[" * 5000])
def test_whatever_an_answer_holds_the_run_goes_on(content: bytes) -> None:
    recorder = Recorder(MAILCHIMP)
    recorder("", Request(path="http://[", params={"count": "²"}), Response(status=200, content=content))
    json.dumps(recorder.told()).encode()


# No value is in it

EXAMPLES = int(os.environ.get("SHAPES_EXAMPLES", "200"))
KEPT = ["id", "lists", "data", "relationships", "links", "total_items"]
UNLIKE = some.text(alphabet="zwxyбж ☂7", min_size=4)
"""Texts no four characters of which stand in any word of ours, nor in a pseudonym, which has the letters g to v."""
MOMENTS = some.datetimes().map(lambda moment: f"{moment.isoformat()}+05:45")
NUMBERS = some.integers() | some.floats(allow_nan=False)
LIKE = some.text() | some.emails() | some.uuids().map(str) | MOMENTS | NUMBERS.map(str)


def bodies(texts: some.SearchStrategy[str]) -> some.SearchStrategy[Any]:
    return some.recursive(
        texts | NUMBERS | some.none() | some.booleans(),
        lambda inner: (
            some.lists(inner, max_size=4) | some.dictionaries(some.sampled_from(KEPT) | texts, inner, max_size=5)
        ),
        max_leaves=12,
    )


def file_of(body: Any, status: int) -> dict[str, Any]:
    """What is written of a body that stands in the answer, in its headers and in the path."""
    recorder = Recorder(MAILCHIMP)
    content = json.dumps(body).encode()
    text = content.decode()
    headers = {"Retry-After": text, "X-RateLimit-Limit": text, "Content-Type": text, f"X-RateLimit-{text}": "1"}
    request = Request(path=f"/lists/{text}/{text}", params={"count": 10, "offset": text})
    recorder(text, request, Response(status=status, content=content, headers=headers))
    return recorder.told()


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield name
            yield from texts_in(below)
    elif isinstance(value, list):
        for each in value:
            yield from texts_in(each)
    else:
        yield str(value)


def own(body: Any) -> Iterator[str]:
    """Every text and number of a body, and the names that are an account's own."""
    return (each for each in texts_in(body) if each not in KEPT)


@settings(max_examples=EXAMPLES, deadline=None)
@given(bodies(UNLIKE), some.sampled_from([200, 404]))
def test_no_piece_of_a_value_or_of_an_own_name_stands_in_the_file(body: Any, status: int) -> None:
    text = json.dumps(file_of(body, status), ensure_ascii=False)
    assert not re.search(r"\d{5}", text)
    for secret in own(body):
        pieces = (
            {secret[i : i + 4] for i in range(len(secret) - 3)} if not secret.isascii() or " " in secret else {secret}
        )
        assert len(secret) < 4 or secret in ("None", "True", "False") or not any(piece in text for piece in pieces)


SAYS = re.compile(
    r"own:([g-v]{10}|others)|\d{1,3}%|\d{1,4}-\d{1,4}|1024\+|1000\+|\d{1,3}"
    r"|(negative, )?(\d{1,2}|\d{1,2}-\d{1,2}) digits( or more)?|digits, [\d-]+ digits( or more)?"
    r"|a number of (negative, )?[\d-]+ digits( or more)?"
    r"|date-time, (T|blank), [Za-z ]+(, fraction of \d digits)?"
)
"""What a file may say besides the words below and the names that the tap knows."""
WORDS = {
    *("shapes", "tap", "version", "endpoints", "streams", "answers", "statuses", "content", "page sizes asked for"),
    *("pages", "totals", "limit headers", "bodies", "answer", "error", "types", "forms", "lengths", "members", "items"),
    *(
        "present",
        "relation",
        "null",
        "boolean",
        "integer",
        "number",
        "text",
        "array",
        "object",
        "whole",
        "list",
        "date",
    ),
    *("negative, whole", "with decimals", "negative, with decimals", "number and more", "empty", "long", "decimal"),
    *("date with slashes", "uuid", "hex", "ULID", "URL", "address", "phone", "markup", "JSON", "word", "JSON lines"),
    *("full", "short", "longer than asked for", "agree", "more rows than the total", "fewer rows than the total"),
    *("data", "null data", "empty data", "links only", "neither data nor links", "none", "other", "broken JSON"),
    *("broken JSON lines", "CSV", "HTML", "own", "retry-after", "x-ratelimit-limit", MAILCHIMP.name, MAILCHIMP.version),
    *KEPT,
}


@settings(max_examples=EXAMPLES, deadline=None)
@given(bodies(LIKE), some.sampled_from([200, 404]))
def test_a_file_is_made_of_a_fixed_list_of_words(body: Any, status: int) -> None:
    """Whatever the values look like, dates and addresses among them."""
    for text in texts_in(file_of(body, status)):
        names = known_names(MAILCHIMP)
        is_path = re.fullmatch(r"GET (/(\{\}|lists|[a-z-]+|v?\d{1,2}(\.\d)?))+", text)
        assert text in WORDS or text in names or SAYS.fullmatch(text) or is_path, text


# What differs


def sandbox_run(tmp_path: Path, *streams: str) -> dict[str, Any]:
    """What `--shapes` writes of a run of tap-klaviyo against its sandbox."""
    assert KLAVIYO.sandbox is not None
    box = KLAVIYO.sandbox({"speed": "50", "day": "1"})
    file = tmp_path / "shapes.json"
    select = [part for stream in streams for part in ("--select", stream)]
    found = run_inside(KLAVIYO, box, ["--no-progress", "--shapes", str(file), *select], config={}, folder=tmp_path)
    assert found.status == 0, found.stderr
    told: dict[str, Any] = json.loads(file.read_text())
    return told


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return sandbox_run(tmp_path_factory.mktemp("klaviyo"), "tags", "campaigns", "profiles")


def differences(told: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each.kind, each.place) for each in compare(told, expected(KLAVIYO), KLAVIYO)]


def members(told: dict[str, Any], path: str = "GET /api/tags") -> dict[str, Any]:
    found: dict[str, Any] = told["endpoints"][path]["bodies"]["answer"]["members"]["data"]["items"]["members"]
    return found


def test_a_run_against_the_sandbox_is_as_expected(served: dict[str, Any]) -> None:
    assert differences(served) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.update({"own:ghijklmnop": {**m["id"]}}), ("unknown member", "data[].own:ghijklmnop")),
        (lambda m: m["attributes"]["members"].pop("name"), ("never seen", "data[].attributes.name")),
        (
            lambda m: m["attributes"]["members"]["name"].update(types={"integer": "100%"}),
            ("other type", "data[].attributes.name"),
        ),
        (lambda m: m["id"].update(types={"null": "1%", "text": "99%"}), ("null in a key", "data[].id")),
        (
            lambda m: m["relationships"]["members"]["tag-group"].update(relation={"links only": "100%"}),
            ("links only", "data[].relationships.tag-group"),
        ),
    ],
)
def test_what_differs_is_named(served: dict[str, Any], change: Callable[[Any], Any], said: tuple[str, str]) -> None:
    told = copy.deepcopy(served)
    change(members(told))
    assert differences(told) == [said]


def test_a_moment_in_another_form_is_named(served: dict[str, Any]) -> None:
    told = copy.deepcopy(served)
    members(told, "GET /api/campaigns")["attributes"]["members"]["created_at"]["forms"] = {
        "date-time, T, no offset": "100%"
    }
    assert differences(told) == [("other form", "data[].attributes.created_at")]


def test_totals_headers_statuses_and_endpoints_that_differ_are_named(served: dict[str, Any]) -> None:
    told = copy.deepcopy(served)
    tags = told["endpoints"]["GET /api/tags"]
    tags["totals"] = {"fewer rows than the total": "50%"}
    tags["statuses"] = {"200": "90%", "206": "5%", "429": "5%"}
    tags["limit headers"]["x-ratelimit-limit"] = {"list": "100%"}
    told["endpoints"]["GET /api/unheard-of"] = {"streams": ["tags"], "bodies": {}}
    assert sorted(kind for kind, _ in differences(told)) == ["limit header", "status", "total", "unknown endpoint"]


def test_own_fields_are_no_difference_where_they_belong(served: dict[str, Any]) -> None:
    told = copy.deepcopy(served)
    attributes = members(told, "GET /api/profiles")["attributes"]["members"]
    attributes["properties"]["members"]["own:ghijklmnop"] = {"present": "1%", "types": {"text": "100%"}}
    assert differences(told) == []


@pytest.mark.parametrize("form", command.FORMATS)
def test_the_command_prints_them(
    served: dict[str, Any], form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = copy.deepcopy(served)
    members(told)["attributes"]["members"]["name"]["types"] = {"integer": "100%"}
    file = tmp_path / "shapes.json"
    file.write_text(json.dumps(told))
    assert command.main([str(file), "--format", form]) == 1
    printed = capsys.readouterr().out
    assert "data[].attributes.name" in printed
    assert "integer (100%) instead of text" in printed
    if form == "json":
        assert json.loads(printed)[0]["kind"] == "other type"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"shapes": 99, "endpoints": {}}', '{"shapes": 1, "endpoints": {}, "tap": "os"}']
)
def test_what_is_no_such_file_is_said(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "shapes.json"
    file.write_text(text)
    assert command.main([str(file)]) == 2
    assert str(file) in capsys.readouterr().err


def test_what_is_expected_is_merged_from_several_runs() -> None:
    one = digest(recorded({"lists": [{"id": "x", "name": "n"}]}))
    other = digest(recorded({"lists": [{"id": None, "web_id": 1}]}))
    found = merged(one, other)["GET /lists"]["bodies"]["answer"]["members"]["lists"]["items"]["members"]
    assert found["id"]["types"] == ["null", "text"]
    assert found["id"]["always"]
    assert "always" not in found["name"]
    assert "always" not in found["web_id"]


@pytest.mark.parametrize("tap", TAPS, ids=lambda tap: tap.name)
def test_every_tap_says_what_it_expects(tap: Any) -> None:
    assert expected(tap)
