"""One walk for units of several streams: who gets which rows, when it is made, and whose bookmarks move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as some
from in_memory import NOW, Api, Ran, day, run

from shared.api.paginators import cursor
from shared.api.request import Request
from shared.errors import ApiError
from shared.streams import Parent, SharedWalk, Stream, Unit, Window
from shared.sync.shared_walk import united

KINDS = ("x", "y", "z")
EVENTS: list[dict[str, Any]] = [
    {"id": n, "at": day(1 + n % 9), "name": KINDS[n // 9] if n < 27 else None} for n in range(30)
]
"""Of each kind one a day from the 1st to the 9th; the last three are of no kind."""


def asked(unit: Unit) -> dict[str, Any]:
    assert unit.window is not None
    return {"from": unit.window[0], "to": unit.window[1], "kind": unit.parent.get("kind")}


def stream(name: str, *, pages: int | None = None, **members: Any) -> Stream:
    window = Window(first=3, largest=3, pages=pages)
    next_page = cursor("more", param="page")
    return Stream(
        name=name, path="/e", records="rows", replication_key="at", params=asked, window=window, next_page=next_page,
        **members,
    )  # fmt: skip


def of_kind(name: str, kinds: str, *, enough: int = 2) -> Stream:
    parent = Parent(stream="kinds", keys={"kind": "id"}, where=lambda unit: unit.parent["kind"] in kinds, inject=False)
    joint = SharedWalk(stream="all", unit_of=lambda row: row["name"], pays=lambda wanted, _: wanted >= enough)
    return stream(name, parent=parent, shared_walk=joint)


def tap(*, enough: int = 2, pages: int | None = None) -> list[Stream]:
    kinds = Stream(name="kinds", path="/kinds", records="rows")
    return [kinds, of_kind("a", "x", enough=enough), of_kind("b", "yz", enough=enough), stream("all", pages=pages)]


def answer(request: Request) -> Any:
    if request.path == "/kinds":
        return {"rows": [{"id": kind} for kind in (*KINDS, "w")]}
    params = request.params
    found = [
        row
        for row in EVENTS
        if params["from"] <= row["at"] < params["to"] and params.get("kind") in (None, row["name"])
    ]
    found.sort(key=lambda row: str(row["at"]))
    page = int(params.get("page", 0))
    return {"rows": found[page : page + 4], "more": page + 4 if page + 4 < len(found) else None}


def walks(ran: Ran) -> list[Any]:
    """What was asked for: the kinds (None: all) and the windows."""
    return [
        (each.params.get("kind"), each.params["from"])
        for each in ran.api.asked
        if each.path == "/e" and "page" not in each.params
    ]


def ids(*kinds: str | None, since: int = 1) -> list[int]:
    return [row["id"] for row in EVENTS if row["name"] in kinds and row["at"] >= day(since)]


def test_enough_units_share_one_walk_and_keep_bookmarks_of_their_own() -> None:
    ran = run(tap(), answer, select=["a", "b"])
    assert walks(ran) == [(None, day(1)), (None, day(4)), (None, day(7))]
    assert (sorted(ran.ids("a")), sorted(ran.ids("b"))) == (ids("x"), ids("y", "z"))
    assert ran.bookmarks == {"a": {"units": {"x": NOW}}, "b": {"units": {"y": NOW, "z": NOW}}}


def test_too_few_units_are_read_one_by_one() -> None:
    ran = run(tap(enough=9), answer, select=["a", "b"])
    assert {kind for kind, _ in walks(ran)} == set(KINDS)
    assert (sorted(ran.ids("a")), sorted(ran.ids("b"))) == (ids("x"), ids("y", "z"))


def test_who_takes_every_row_has_the_others_share_its_walk_however_few_they_are() -> None:
    ran = run(tap(enough=9), answer, select=["a", "all"])
    assert {kind for kind, _ in walks(ran)} == {None}
    assert (sorted(ran.ids("a")), sorted(ran.ids("all"))) == (ids("x"), list(range(30)))
    assert ran.bookmarks == {"a": {"units": {"x": NOW}}, "all": {"at": NOW}}
    alone = run(tap(), answer, select=["all"])
    assert alone.api.paths.count("/kinds") == 0 and len(alone.ids("all")) == 30


def test_nobody_gets_again_what_it_had_and_who_lacks_more_reads_that_alone() -> None:
    state = {"bookmarks": {"a": {"units": {"x": day(8)}}, "b": {"units": {"y": day(5)}}}}
    ran = run(tap(), answer, select=["a", "b"], state=state)
    assert walks(ran).count((None, day(5))) == 1, "two of three units want what is from the 5th on"
    assert {kind for kind, start in walks(ran) if start < day(5)} == {"z"}
    assert sorted(ran.ids("a")) == ids("x", since=8)
    assert sorted(ran.ids("b")) == sorted([*ids("y", since=5), *ids("z")])
    assert ran.bookmarks == {"a": {"units": {"x": NOW}}, "b": {"units": {"y": NOW, "z": NOW}}}


@pytest.mark.parametrize("broken", [day(1), day(4), day(7)])
def test_a_walk_that_broke_vouches_for_what_was_read_and_the_next_run_brings_the_rest(broken: str) -> None:
    def failing(request: Request) -> Any:
        if request.params.get("from") == broken and "page" in request.params:
            raise ApiError("all: broken.")
        return answer(request)

    streams = ["a", "b", "all"]
    first = run(tap(), failing, select=streams)
    assert first.status == 1
    assert [row["outcome"] for row in first.report.rows() if row["stream"] in streams] == ["failed"] * 3
    second = run(tap(), answer, state=first.state, select=streams)
    assert second.status == 0
    for name, wanted in (("a", ids("x")), ("b", ids("y", "z")), ("all", list(range(30)))):
        assert {*first.ids(name), *second.ids(name)} == set(wanted)
        assert set(second.ids(name)) != set(wanted), "what was vouched for is not read again"


def test_a_deselected_field_is_left_out_only_where_nobody_wants_it() -> None:
    seen: list[frozenset[str]] = []

    def sparse(deselected: Any) -> Mapping[str, Any]:
        seen.append(frozenset(deselected))
        return {}

    streams = [each if each.name != "all" else stream("all", sparse=sparse) for each in tap()]
    run(streams, answer, select=["a.id", "b.id", "b.name"])
    assert seen and all("c_id" in each and "name" not in each for each in seen)


spans = some.tuples(some.integers(1, 7), some.integers(1, 3)).map(lambda pair: [day(pair[0]), day(sum(pair))])
units = some.dictionaries(some.sampled_from(KINDS), some.tuples(some.integers(1, 9), some.lists(spans, max_size=2)))


@given(
    of_a=units, of_b=units, enough=some.integers(1, 4), has_all=some.booleans(), pages=some.sampled_from((None, 1, 2))
)
@examples(max_examples=150, deadline=None)
def test_each_unit_gets_what_it_lacks_once_whatever_it_had(
    of_a: Mapping[str, Any], of_b: Mapping[str, Any], enough: int, has_all: bool, pages: int | None
) -> None:
    state: dict[str, Any] = {"bookmarks": {"all": {"at": day(6)}}}
    had: dict[str, tuple[int, list[list[str]]]] = {}
    for name, kinds, given_units in (("a", "x", of_a), ("b", "yz", of_b)):
        kept = {kind: each for kind, each in given_units.items() if kind in kinds}
        state["bookmarks"][name] = {"units": {kind: [day(at), None, done] for kind, (at, done) in kept.items()}}
        had.update(kept)
    ran = run(
        tap(enough=enough, pages=pages), Api(answer), state=state, select=["a", "b", *(["all"] if has_all else [])]
    )
    lacking = []
    for row in EVENTS:
        since, done = had.get(str(row["name"]), (1, []))
        is_done = any(start <= row["at"] < end for start, end in done)
        if row["name"] and row["at"] >= day(since) and not is_done:
            lacking.append(row["id"])
    assert sorted([*ran.ids("a"), *ran.ids("b")]) == lacking
    if has_all:
        assert sorted(ran.ids("all")) == [row["id"] for row in EVENTS if row["at"] >= day(6)]


def test_spans_that_touch_are_one() -> None:
    assert united([("c", "d"), ("a", "b"), ("b", "bb"), ("aa", "b")]) == [("a", "bb"), ("c", "d")]


# What rows there are decides


def weighing(verdict: bool, seen: list[Any]) -> list[Stream]:
    def weigh(client: Any, unit: Unit, keys: Any) -> bool:
        seen.append((unit.window, sorted(keys)))
        return verdict

    def shared(each: Stream) -> Stream:
        return replace(each, shared_walk=replace(each.shared_walk, weigh=weigh)) if each.shared_walk else each

    return [shared(each) for each in tap()]


@pytest.mark.parametrize("verdict", [True, False])
def test_what_rows_there_are_decides_whether_a_walk_is_shared(verdict: bool) -> None:
    seen: list[Any] = []
    ran = run(weighing(verdict, seen), answer, select=["a", "b"])
    assert seen == [((day(1), NOW), ["x", "y", "z"])]
    assert {kind for kind, _ in walks(ran)} == ({None} if verdict else set(KINDS))
    assert (sorted(ran.ids("a")), sorted(ran.ids("b"))) == (ids("x"), ids("y", "z"))


def test_nothing_is_weighed_where_all_rows_are_read_anyway() -> None:
    seen: list[Any] = []
    ran = run(weighing(False, seen), answer, select=["a", "b", "all"])
    assert seen == [] and {kind for kind, _ in walks(ran)} == {None}


def test_two_streams_may_take_every_row_of_one_walk() -> None:
    every = stream("other", shared_walk=SharedWalk(stream="all", unit_of=None, pays=lambda *_: False))
    for select in (["all", "other"], ["all", "other", "a"]):
        ran = run([*tap(enough=9), every], answer, select=select)
        assert {kind for kind, _ in walks(ran)} == {None}
        assert sorted(ran.ids("all")) == sorted(ran.ids("other")) == list(range(30))
        assert ran.bookmarks["all"] == ran.bookmarks["other"] == {"at": NOW}
    alone = run([*tap(), every], answer, select=["other"])
    assert sorted(alone.ids("other")) == list(range(30))


# What comes late while a unit is quiet


def quiet(*, enough: int = 9) -> list[Stream]:
    return [
        replace(each, reaches_back=True, lookback=86_400.0) if each.shared_walk else each for each in tap(enough=enough)
    ]


def test_the_look_back_of_a_quiet_unit_reaches_back_to_its_newest_row() -> None:
    rows = [{"id": 1, "at": day(2), "name": "x"}]

    def answers(request: Request) -> Any:
        if request.path == "/kinds":
            return {"rows": [{"id": "x"}]}
        return {"rows": [row for row in rows if request.params["from"] <= str(row["at"]) < request.params["to"]]}

    first = run(quiet(), answers, select=["a"])
    assert first.bookmarks["a"]["units"] == {"x": [NOW, day(2)]}
    rows.append({"id": 2, "at": day(5), "name": "x"})
    second = run(quiet(), answers, select=["a"], state=first.state)
    assert sorted(second.ids("a")) == [1, 2], "the newest one again, and what came late"
    assert len(walks(second)) == 3, "in windows no narrower than usual"
    assert second.bookmarks["a"]["units"] == {"x": [NOW, day(5)]}


def test_a_busy_unit_looks_back_as_far_as_ever() -> None:
    state = {"bookmarks": {"a": {"units": {"x": [day(8), day(8)]}}}}
    second = run(quiet(), answer, select=["a"], state=state)
    assert min(start for _, start in walks(second)) == day(7)


def test_a_shared_walk_does_not_reach_back_and_still_keeps_what_is_newest() -> None:
    state = {"bookmarks": {"a": {"units": {"x": [day(8), day(2)]}}, "b": {"units": {"y": [day(8), day(2)]}}}}
    ran = run(quiet(enough=2), answer, select=["a", "b"], state=state)
    assert (None, day(7)) in walks(ran) and ("x", day(2)) not in walks(ran)
    assert ran.bookmarks["a"]["units"]["x"] == [NOW, day(9)]
