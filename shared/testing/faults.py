"""The kinds of fault, and what each of them is at one place of one stream: which requests meet it, in what form."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from ..sandbox import Answer, Call, Refusal
from ..sandbox.afflictions import Effect
from ..streams import Stream
from ..sync.run import ALIKE
from .healthy import Asked, Healthy, asked_by, key_of, rows_place

HALVINGS = 16
"""Requests by which a batch, or a window, is halved down to the member that fails, and some to spare."""

REFUSALS = ("refused", "gone", "unavailable", "unwelcome")
LASTING = ("500", "reset")
ROWS = ("keyless", "no object", "broken")
KINDS = (*REFUSALS, *LASTING, "null", *ROWS, "circle", "saved place")
PLACES = ("first", "middle", "last")
EVERY = "every"


@dataclass
class Fault:
    """Which requests meet what, which records may be missing for it, and by which words it is named."""

    match: Callable[[Call], bool]
    effect: Effect
    may_miss: Callable[[Mapping[str, Any]], bool]
    names: Sequence[str]
    whole: bool = False
    """Whether it befalls the whole stream."""
    most: int = 1_000
    """Requests that may meet it."""
    renumbers: bool = False
    """Whether other rows may get other numbers for it."""


def fault(well: Healthy, kind: str, place: str) -> Fault | None:
    """The fault of a trial; None where the stream has no such place."""
    if kind in REFUSALS:
        refusal = getattr(well.account.box.trials, kind)
        return _refusal(well, kind, refusal, place) if refusal is not None and well.asked else None
    if kind in LASTING:
        return _at_place(well, Refusal(500) if kind == "500" else kind, place)
    candidates = [each for each in well.with_rows if each.body is not None]
    if kind == "null":
        return at_request(well, _without_rows(well.stream), _pick(candidates, place))
    if kind in ROWS:
        return _row(well, kind, _pick(candidates, place))
    return _circle(well) if kind == "circle" else None


def _pick(found: Sequence[Any], place: str) -> Any:
    if not found or (place == "middle" and len(found) < 3) or (place == "last" and len(found) < 2):
        return None
    return found[{"first": 0, "middle": len(found) // 2, "last": -1}[place]]


def _refusal(well: Healthy, kind: str, refusal: Refusal, place: str) -> Fault | None:
    if place == EVERY:
        most = ALIKE + HALVINGS if kind != "gone" else 1_000  # each parent may be gone, and is asked for
        return Fault(well.owns, refusal, lambda _: True, [well.stream.name], whole=True, most=most)
    found = _at_place(well, refusal, place)
    return found and replace(found, most=HALVINGS + len(well.asked) // 2)


def _at_place(well: Healthy, effect: Effect, place: str) -> Fault | None:
    """At a parent or member of a batch, where the stream has several, else at a page."""
    if len(well.parents) < 2:
        return at_request(well, effect, _pick(well.asked, place))
    parent = _pick(well.parents, place)
    if parent is None:
        return None

    def match(call: Call) -> bool:
        return well.owns(call) and well.is_of(asked_by(call, Answer()), parent)

    return Fault(match, effect, lambda record: well.parent_of(record) == parent, [parent[-1]])


def at_request(well: Healthy, effect: Effect, asked: Asked | None) -> Fault | None:
    """At the same page of the same parent, in whatever order parents come; the times in a request may be others."""
    if asked is None:
        return None
    parent = next((each for each in well.parents if well.is_of(asked, each)), None) if len(well.parents) > 1 else None
    beside = [each for each in well.asked if parent is None or well.is_of(each, parent)]
    ordinal, met = beside.index(asked), dict[Any, int]()

    def match(call: Call) -> bool:
        if not well.owns(call) or not (parent is None or well.is_of(asked_by(call, Answer()), parent)):
            return False
        return met.setdefault((call.method, call.target, call.body), len(met)) == ordinal

    if parent is None:
        return Fault(match, effect, lambda _: True, [well.stream.name], whole=True)
    return Fault(match, effect, lambda record: well.parent_of(record) == parent, [parent[-1], well.stream.name])


def _row(well: Healthy, kind: str, asked: Asked | None) -> Fault | None:
    if asked is None:
        return None
    place = rows_place(well.stream, asked.body)
    assert place is not None
    row = place[2][len(place[2]) // 2]
    names = key_of(well.stream, row)
    if not names:
        return None
    changes = {"keyless": _keyless(well.stream), "no object": lambda _: 7, "broken": _broken(well.stream)}
    found = at_request(well, _with_row(well.stream, changes[kind]), asked)
    assert found is not None
    own = {str(row[name]) for name in names}
    is_of_parent = found.may_miss
    if "_index" in well.keys:  # numbers its equals, so with one less the others have other numbers
        return replace(found, names=[well.stream.name], renumbers=True)

    def may_miss(record: Mapping[str, Any]) -> bool:
        return is_of_parent(record) and bool(own & {str(value) for value in _leaves(record)})

    return replace(found, may_miss=may_miss, names=[well.stream.name], whole=False)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    else:
        yield value


def _circle(well: Healthy) -> Fault | None:
    """The last page of the longest walk by cursor is its first page again."""
    walks: list[list[Asked]] = []
    for each in well.asked:
        if walks and _is_led(walks[-1][-1], each):
            walks[-1].append(each)
        else:
            walks.append([each])
    walk = max(walks, key=len, default=[])
    if len(walk) < 2:
        return None
    return at_request(well, lambda _, __: walk[0].answer, walk[-1])


def _is_led(first: Asked, second: Asked) -> bool:
    """Whether the first answer names the second request: by a cursor, or by its URL."""
    (path, _, before), (further, _, after) = first.target.partition("?"), second.target.partition("?")
    if path != further:
        return False
    query = set(after.split("&")) - set(before.split("&"))
    values = [unquote(each.partition("=")[2]) for each in query]
    long = [value for value in values if len(value) > 5]
    return bool(long) and all(value in unquote(first.answer.body.decode(errors="replace")) for value in long)


# Answers that are not as they should be


def _as_json(body: Any) -> bytes:
    """As it came, numbers of any size included."""
    return json.dumps(body).encode()


def _without_rows(stream: Stream) -> Callable[[Call, Answer], Answer]:
    def change(_: Call, answer: Answer) -> Answer:
        body = json.loads(answer.body)
        place = rows_place(stream, body)
        if place is not None and place[0] is not None:
            place[0][place[1]] = None
        return replace(answer, body=b"null" if place is None or place[0] is None else _as_json(body))

    return change


def _with_row(stream: Stream, change_row: Callable[[Any], Any]) -> Callable[[Call, Answer], Answer]:
    """The row in the middle becomes another."""

    def change(_: Call, answer: Answer) -> Answer:
        body = json.loads(answer.body)
        place = rows_place(stream, body)
        if place is not None:
            rows = place[2]
            rows[len(rows) // 2] = change_row(rows[len(rows) // 2])
            body = rows[0] if rows is not body and place[0] is None else body
        return replace(answer, body=_as_json(body))

    return change


def _keyless(stream: Stream) -> Callable[[Any], Any]:
    return lambda row: {name: value for name, value in row.items() if name not in key_of(stream, row)}


def _broken(stream: Stream) -> Callable[[Any], Any]:
    def change(row: Any) -> Any:
        kept = key_of(stream, row)
        return {name: value if name in kept else _other(name, value) for name, value in row.items()}

    return change


def _other(name: str, value: Any) -> Any:
    """A value of another type."""
    if isinstance(value, dict) and value and name not in ("links", "relationships"):
        return {inner: _other(inner, part) for inner, part in value.items()}
    if name in ("type", "id", "links", "relationships"):
        return value
    if isinstance(value, str):
        return {"odd": [1]}
    if isinstance(value, bool):
        return "perhaps"
    return "odd" if isinstance(value, (int, float)) else 7
