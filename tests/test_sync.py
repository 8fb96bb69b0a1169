"""The engine against an API in memory: what each field of a stream's row promises, one test per promise."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

import pytest
from in_memory import CHILD, NOW, PARENT, Api, day, family, rows, run

from shared.api.paginators import cursor, halve, numbered, offset
from shared.api.request import Request
from shared.errors import (
    ApiError,
    AuthError,
    GoneError,
    PartError,
    QuotaError,
    RefusedError,
    TooLargeError,
    UnavailableError,
)
from shared.streams import Anyway, Checkpoint, Outcome, Parent, Received, Rows, Stream, Unit, Wait, Window
from shared.sync import jobs, sync
from shared.sync.reader import in_turn
from shared.timestamps import from_seconds, shift


def test_a_plain_stream_is_read_and_ends_with_state() -> None:
    ran = run([Stream(name="a", path="/a")], lambda _: rows(1, 2))
    assert ran.status == 0
    assert ran.ids("a") == [1, 2]
    kinds = [m["type"] for m in ran.messages]
    assert kinds[:3] == ["SCHEMA", "RECORD", "RECORD"]
    assert set(kinds[3:]) == {"STATE"}
    assert ran.rows("a")[0] == {"id": 1, "at": day(1), "name": None, "parent_id": None, "c_id": None}


def test_an_unsorted_stream_moves_its_bookmark_at_its_end_and_never_beyond_now() -> None:
    stream = Stream(name="a", path="/a", replication_key="at", since=lambda unit: {"since": unit.since})
    ran = run([stream], lambda _: [{"id": 1, "at": "2030-01-01"}, *rows(3, 2)])
    assert ran.bookmarks == {"a": {"at": NOW}}
    again = run([stream], lambda _: rows(3, 4, 5), state={"bookmarks": {"a": {"at": day(4)}}})
    assert again.api.asked[0].params == {"since": day(4)}
    assert again.ids("a") == [4, 5]
    assert again.bookmarks == {"a": {"at": day(5)}}


def test_the_start_date_and_the_lookback_are_applied_when_reading() -> None:
    stream = Stream(name="a", path="/a", replication_key="at", lookback=86_400, since=lambda u: {"since": u.since})
    assert run([stream], lambda _: []).api.asked[0].params == {"since": day(1)}
    ran = run([stream], lambda _: [], state={"bookmarks": {"a": {"at": day(4)}}})
    assert ran.api.asked[0].params == {"since": day(3)}
    assert ran.bookmarks == {"a": {"at": day(4)}}


def test_children_carry_their_parents_key_whether_or_not_the_parent_is_selected() -> None:
    for select in ([], ["c"]):
        ran = run([PARENT, CHILD], family, select=select)
        assert sorted((r["parent_id"], r["id"]) for r in ran.rows("c")) == [(p, i) for p in (1, 2, 3) for i in (1, 2)]
        assert ran.api.paths.count("/p") == 1
        assert ran.ids("p") == ([1, 2, 3] if not select else [])


def test_children_see_every_parent_even_those_the_parents_bookmark_leaves_out() -> None:
    parent = Stream(name="p", path="/p", replication_key="at", since=lambda unit: {"since": unit.since})
    ran = run([parent, CHILD], family, state={"bookmarks": {"p": {"at": day(3)}}})
    assert ran.api.asked[0].params == {}
    assert ran.ids("p") == [3]
    assert {r["parent_id"] for r in ran.rows("c")} == {1, 2, 3}


def test_grandchildren_carry_the_key_that_their_parents_rows_lack() -> None:
    grandchild = Stream(
        name="g",
        path="/p/{parent_id}/c/{child_id}/g",
        key_properties=("parent_id", "id"),
        parent=Parent(stream="c", keys={"parent_id": "parent_id", "child_id": "id"}),
    )
    ran = run([PARENT, CHILD, grandchild], lambda r: rows(1, 2, 3) if r.path == "/p" else rows(1, 2), select=["g"])
    assert {path for path in ran.api.paths if path.endswith("/g")} == {
        f"/p/{parent}/c/{child}/g" for parent in (1, 2, 3) for child in (1, 2)
    }
    assert {r["parent_id"] for r in ran.rows("g")} == {1, 2, 3}


FOLLOWER = Stream(
    name="c",
    path="/p/{parent_id}/c",
    key_properties=("parent_id", "id"),
    replication_key="at",
    parent=Parent(stream="p", keys={"parent_id": "id"}, changed_only=True),
)


def sided(*names: str) -> Stream:
    """A parent in partitions: side a has the rows 1 to 3, side b 5 and 6, each from `since` on."""
    partitions: Mapping[str, Any] = {name: {"side": name} for name in names}
    since = lambda unit: {"since": unit.since}  # noqa: E731
    return Stream(name="p", path="/p", replication_key="at", order="ascending", partitions=partitions, since=since)


def two_sides(request: Request) -> Any:
    if request.path != "/p":
        return rows(1)
    kept = range(1, 4) if request.params.get("side") == "a" else range(5, 7)
    return [row for row in rows(*kept) if row["at"] >= request.params.get("since", "")]


def test_children_of_changed_parents_only_keep_a_bookmark_of_their_own() -> None:
    parent = Stream(name="p", path="/p", replication_key="at")
    first = run([parent, FOLLOWER], family)
    assert {r["parent_id"] for r in first.rows("c")} == {1, 2, 3}
    assert first.bookmarks["c"] == {"at": day(3)}
    again = run([parent, FOLLOWER], family, state=first.state)
    assert {r["parent_id"] for r in again.rows("c")} == {3}


def test_children_of_changed_parents_only_miss_none_that_the_parents_bookmarks_leave_out() -> None:
    """The child was selected later than its parent."""
    parent = sided("a", "b")
    alone = run([parent, FOLLOWER], two_sides, select=["p"])
    both = run([parent, FOLLOWER], two_sides, state=alone.state)
    assert {r["parent_id"] for r in both.rows("c")} == {1, 2, 3, 5, 6}
    assert both.bookmarks["c"] == {"units": {"a": day(3), "b": day(6)}}
    again = run([parent, FOLLOWER], two_sides, state=both.state)
    assert {r["parent_id"] for r in again.rows("c")} == {3, 6}
    assert {each.params.get("since") for each in again.api.asked if each.path == "/p"} == {day(3), day(6)}


def test_children_of_changed_parents_only_follow_a_unit_that_joins_later_from_its_beginning() -> None:
    """Whether that is older or newer than what they have seen of the others."""
    for first, all_new in (("a", {5, 6}), ("b", {1, 2, 3})):
        one = run([sided(first), FOLLOWER], two_sides)
        both = run([sided("a", "b"), FOLLOWER], two_sides, state=one.state)
        assert all_new <= {r["parent_id"] for r in both.rows("c")} < {1, 2, 3, 5, 6}
        assert both.bookmarks["c"] == {"units": {"a": day(3), "b": day(6)}}


def test_children_of_changed_parents_only_go_on_from_an_older_state_with_one_bookmark_for_all() -> None:
    state = {"bookmarks": {"p": {"units": {"a": day(3)}}, "c": {"at": day(3)}}}
    ran = run([sided("a", "b"), FOLLOWER], two_sides, state=state)
    assert {r["parent_id"] for r in ran.rows("c")} == {3, 5, 6}
    again = run([sided("a", "b"), FOLLOWER], two_sides, state=ran.state)
    assert {r["parent_id"] for r in again.rows("c")} == {3, 6}


def test_children_of_changed_parents_only_go_on_behind_those_that_are_finished() -> None:
    def answer(request: Request) -> Any:
        if request.path == "/p/2/c":
            raise ApiError("c: no.")
        return two_sides(request)

    broken = run([sided("a", "b"), FOLLOWER], answer)
    assert broken.status == 1
    assert broken.bookmarks["c"] == {"units": {"a": day(2), "b": day(6)}}
    again = run([sided("a", "b"), FOLLOWER], two_sides, state=broken.state)
    assert {r["parent_id"] for r in again.rows("c")} == {2, 3, 6}


def test_a_full_pass_below_changed_parents_goes_on_behind_those_that_are_finished() -> None:
    def answer(request: Request) -> Any:
        if request.path == "/p/2/c":
            raise ApiError("c: no.")
        return two_sides(request)

    child = replace(FOLLOWER, full_table=True)
    broken = run([sided("a", "b"), child], answer, select=["c"])
    assert broken.bookmarks["c"] == {"resume": {"began": NOW, "done": [], "followed": {"a": day(2), "b": day(6)}}}
    again = run([sided("a", "b"), child], two_sides, state=broken.state, select=["c"])
    assert {r["parent_id"] for r in again.rows("c")} == {2, 3, 6}
    assert "c" not in again.bookmarks


def test_a_full_refresh_below_changed_parents_sees_all_of_them() -> None:
    child = replace(FOLLOWER, full_refresh="refresh_days")
    first = run([sided("a", "b"), child], two_sides, refresh_days=3)
    soon = run([sided("a", "b"), child], two_sides, state=first.state, refresh_days=3)
    assert {r["parent_id"] for r in soon.rows("c")} == {3, 6}
    soon.bookmarks["c"]["refreshed"] = shift(NOW, -3 * 86_400)
    due = run([sided("a", "b"), child], two_sides, state=soon.state, refresh_days=3)
    assert {r["parent_id"] for r in due.rows("c")} == {1, 2, 3, 5, 6}
    assert due.bookmarks["c"] == {"units": {"a": day(3), "b": day(6)}, "refreshed": NOW}


def test_full_tables_below_changed_parents_see_all_of_them_and_keep_no_bookmark() -> None:
    child = replace(FOLLOWER, full_table=True)
    first = run([sided("a", "b"), child], two_sides)
    again = run([sided("a", "b"), child], two_sides, state=first.state)
    assert {r["parent_id"] for r in again.rows("c")} == {1, 2, 3, 5, 6}
    assert "c" not in again.bookmarks


def test_a_stream_whose_only_parent_is_switched_off_is_complete_and_empty() -> None:
    child = Stream(
        name="c",
        path="/p/{parent_id}/c",
        key_properties=("parent_id", "id"),
        parent=Parent(stream="p", keys={"parent_id": "id"}, when="with_children"),
    )
    ran = run([PARENT, child], family, with_children=False)
    assert (ran.status, ran.rows("c"), ran.api.paths) == (0, [], ["/p"])
    assert len(run([PARENT, child], family, with_children=True).rows("c")) == 6


def test_a_vanished_parent_is_skipped_and_only_when_all_are_gone_the_child_has_failed() -> None:
    def answer(request: Request) -> Any:
        if request.path in gone:
            raise GoneError("c: gone.")
        return family(request)

    gone = {"/p/2/c"}
    ran = run([PARENT, CHILD], answer)
    assert ran.status == 0
    assert {r["parent_id"] for r in ran.rows("c")} == {1, 3}
    gone = {"/p/1/c", "/p/2/c", "/p/3/c"}
    assert run([PARENT, CHILD], answer).status == 1
    assert run([PARENT, replace(CHILD, optional=True)], answer).status == 0


def test_an_optional_child_that_some_parents_lack_says_so_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    lacking = {"/p/1/c", "/p/2/c"}

    def answer(request: Request) -> Any:
        if request.path in lacking:
            raise GoneError("c: gone.")
        return family(request)

    child = replace(CHILD, optional=True)
    ran = run([PARENT, child], answer)
    assert (ran.status, {r["parent_id"] for r in ran.rows("c")}) == (0, {3})
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "c: 2 parents have none, or are gone; skipped."
    ]
    caplog.clear()
    lacking.add("/p/3/c")
    assert run([PARENT, child], answer).status == 0
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_partitions_and_parents_have_bookmarks_of_their_own() -> None:
    child = Stream(
        name="c",
        path="/p/{parent_id}/c",
        key_properties=("parent_id", "id"),
        replication_key="at",
        order="ascending",
        partitions={"default": {}, "archived": {"status": "archived"}},
        parent=Parent(stream="p", keys={"parent_id": "id"}),
    )
    ran = run([PARENT, child], lambda r: rows(1) if r.path == "/p" else rows(5 if r.params else 2))
    assert ran.bookmarks["c"] == {"units": {"1/default": day(2), "1/archived": day(5)}}


def test_a_gate_skips_what_did_not_move_and_keeps_its_mark_when_the_unit_is_complete() -> None:
    counter = {"value": 7}
    child = Stream(
        name="c",
        path="/p/{parent_id}/c",
        key_properties=("parent_id", "id"),
        replication_key="at",
        parent=Parent(stream="p", keys={"parent_id": "id"}, carry=("count",)),
        gate=lambda unit: [unit.parent["count"]] if unit.parent["count"] else None,
    )

    def answer(request: Request) -> Any:
        return [{"id": 1, "count": counter["value"]}, {"id": 2, "count": 0}] if request.path == "/p" else rows(4)

    ran = run([PARENT, child], answer, extra_fields="report")
    assert ran.api.paths == ["/p", "/p/1/c"]
    assert ran.bookmarks["c"] == {"units": {"1": [day(4), [7]]}}
    assert run([PARENT, child], answer, state=ran.state).api.paths == ["/p"]
    counter["value"] = 8
    moved = run([PARENT, child], answer, state=ran.state)
    assert moved.api.paths == ["/p", "/p/1/c"]
    assert moved.bookmarks["c"] == {"units": {"1": [day(4), [8]]}}


def test_a_gate_may_have_a_unit_read_anyway_and_say_at_its_end_what_to_keep() -> None:
    def transform(found: Any, unit: Unit) -> Any:
        unit.scratch["rows"] = len(found)
        return found

    child = Stream(
        name="c",
        path="/p/{parent_id}/c",
        key_properties=("parent_id", "id"),
        replication_key="at",
        parent=Parent(stream="p", keys={"parent_id": "id"}),
        transform=transform,
        gate=lambda unit: Anyway(lambda read: read.scratch["rows"] if read.key == "1" else None),
    )
    ran = run([PARENT, child], lambda r: rows(1, 2) if r.path == "/p" else rows(4, 5))
    assert ran.bookmarks["c"] == {"units": {"1": [day(5), 2], "2": day(5)}}
    again = run([PARENT, child], lambda r: rows(1, 2) if r.path == "/p" else rows(4, 5), state=ran.state)
    assert sorted(again.api.paths) == ["/p", "/p/1/c", "/p/2/c"]
    assert again.bookmarks["c"] == ran.bookmarks["c"]


def test_a_parent_that_is_read_anyway_keeps_its_mark_too() -> None:
    noted = replace(PARENT, gate=lambda unit: Anyway(lambda read: "kept"), gate_full_table=True)
    child = Stream(name="c", path="/p/{parent_id}/c", parent=Parent(stream="p", keys={"parent_id": "id"}))
    ran = run([noted, child], lambda r: rows(1) if r.path == "/p" else rows(4))
    assert ran.bookmarks["p"]["mark"] == "kept"
    skipping = replace(PARENT, gate=lambda unit: None, gate_full_table=True)
    ran = run([skipping, child], lambda r: rows(1) if r.path == "/p" else rows(4))
    assert ran.api.paths == ["/p", "/p/1/c"], "what has children is not skipped"


def test_a_broken_unit_keeps_its_old_mark() -> None:
    child = Stream(
        name="c",
        path="/p/{parent_id}/c",
        replication_key="at",
        key_properties=("parent_id", "id"),
        parent=Parent(stream="p", keys={"parent_id": "id"}),
        gate=lambda unit: [1],
    )

    def answer(request: Request) -> Any:
        if request.path == "/p/2/c":
            raise ApiError("c: no.")
        return family(request)

    ran = run([PARENT, child], answer)
    assert ran.status == 1
    assert sorted(ran.bookmarks["c"]["units"]) == ["1", "3"]


def test_a_failing_stream_does_not_stop_the_others_and_a_refused_credential_stops_all() -> None:
    def answer(request: Request) -> Any:
        if request.path == "/a":
            raise error
        return rows(1)

    streams = [Stream(name="a", path="/a"), Stream(name="b", path="/b")]
    error: Exception = ApiError("a: broken.")
    ran = run(streams, answer)
    assert (ran.status, ran.ids("b")) == (1, [1])
    error = AuthError("refused")
    with pytest.raises(AuthError):
        run(streams, answer)


def test_a_refusal_is_a_failure_unless_the_user_says_otherwise_and_a_missing_feature_never_is() -> None:
    def answer(request: Request) -> Any:
        raise error

    error: Exception = RefusedError("a: 403.")
    stream = Stream(name="a", path="/a")
    assert run([stream], answer).status == 1
    assert run([stream], answer, fail_on_forbidden=False).status == 0
    assert run([Stream(name="a", path="/a", optional=True)], answer).status == 0
    error = UnavailableError("a: not on this plan.")
    assert run([stream], answer).status == 0


def test_an_error_of_ours_fails_its_stream_in_one_line() -> None:
    def broken(found: Any, unit: Unit) -> Any:
        raise KeyError("x")

    ran = run([Stream(name="a", path="/a", transform=broken), Stream(name="b", path="/b")], lambda _: rows(1))
    assert (ran.status, ran.ids("b")) == (1, [1])


def test_windows_are_read_side_by_side_and_the_bookmark_is_the_end_of_the_finished_prefix() -> None:
    stream = Stream(
        name="a",
        path="/a",
        replication_key="at",
        window=Window(first=1, largest=1),
        params=lambda unit: {"from": unit.window[0], "to": unit.window[1]} if unit.window else {},
    )
    everything = rows(*range(1, 10))

    def answer(request: Request) -> Any:
        if request.params["from"] == day(3) and fail:
            raise ApiError("a: broken.")
        return [row for row in everything if request.params["from"] <= row["at"] < request.params["to"]]

    fail = True
    ran = run([stream], answer)
    assert ran.status == 1
    assert ran.bookmarks["a"] == {"at": day(3), "done": [[day(4), NOW]]}
    fail = False
    again = run([stream], answer, state=ran.state)
    assert [request.params["from"] for request in again.api.asked] == [day(3)]
    assert sorted(ran.ids("a") + again.ids("a")) == list(range(1, 10))
    assert again.bookmarks["a"] == {"at": NOW}


def test_windows_finished_beyond_a_bookmark_are_read_again_where_all_is_read() -> None:
    window = Window(first=1, largest=1)
    stream = Stream(name="a", path="/a", replication_key="at", full_table=True, window=window)
    state = {"bookmarks": {"a": {"at": day(2), "done": [[day(5), NOW]]}}}
    assert len(run([stream], lambda _: [], state=state).api.asked) == 9


def test_a_window_that_is_too_large_is_read_in_halves() -> None:
    stream = Stream(
        name="a",
        path="/a",
        replication_key="at",
        window=Window(first=30, largest=30),
        params=lambda unit: {"from": unit.window[0], "to": unit.window[1]} if unit.window else {},
    )

    def answer(request: Request) -> Any:
        found = [row for row in rows(*range(1, 10)) if request.params["from"] <= row["at"] < request.params["to"]]
        if len(found) > 2:
            raise TooLargeError("too much")
        return found

    ran = run([stream], answer)
    assert (ran.status, sorted(ran.ids("a"))) == (0, list(range(1, 10)))
    assert ran.bookmarks["a"] == {"at": NOW}


@pytest.mark.parametrize("same_second", [1, 4, 9])
def test_a_window_of_many_pages_is_ended_early_and_what_is_left_is_read_side_by_side(same_second: int) -> None:
    everything = rows(*range(90), at=lambda n: shift(day(1), n // same_second * same_second * 7200))

    def answer(request: Request) -> Any:
        begin, end = request.params["from"], request.params["to"]
        found = [row for row in everything if begin <= row["at"] < end]
        at = int(request.params.get("page", 0))
        return {"rows": found[at : at + 5], "more": at + 5 if at + 5 < len(found) else None}

    def stream(pages: int | None) -> Stream:
        return Stream(
            name="a",
            path="/a",
            records="rows",
            replication_key="at",
            window=Window(first=30, largest=30, pages=pages),
            params=lambda unit: {"from": unit.window[0], "to": unit.window[1]} if unit.window else {},
            next_page=cursor("more", param="page"),
        )

    in_one, in_many = run([stream(None)], answer), run([stream(2)], answer)
    for ran in (in_one, in_many):
        assert sorted(ran.ids("a")) == list(range(90))
        assert ran.bookmarks["a"] == {"at": NOW}


def test_a_request_that_is_too_large_is_asked_again_smaller() -> None:
    def answer(request: Request) -> Any:
        if request.params["count"] > 3:
            raise TooLargeError("too much")
        start = request.params.get("offset", 0)
        return rows(*range(1, 10))[start : start + request.params["count"]]

    stream = Stream(name="a", path="/a", params={"count": 8}, next_page=offset(), shrink=halve("count", smallest=2))
    assert run([stream], answer).ids("a") == list(range(1, 10))


def test_from_newest_to_oldest_a_walk_stops_early_and_resumes_where_it_was() -> None:
    stream = Stream(
        name="a",
        path="/a",
        records="rows",
        replication_key="at",
        order="descending",
        next_page=cursor("next", param="start"),
    )
    pages = [rows(9, 8), rows(7, 6), rows(5, 4), rows(3, 2)]

    def answer(request: Request) -> Any:
        number = int(request.params.get("start", 0))
        if number == broken:
            raise ApiError("a: broken.")
        return {"rows": pages[number], "next": str(number + 1) if number + 1 < len(pages) else ""}

    broken, state = -1, {"bookmarks": {"a": {"at": day(6)}}}
    full = run([stream], answer, state=state)
    assert full.ids("a") == [9, 8, 7, 6], "the page that is wholly older ends the walk"
    assert len(full.api.asked) == 3
    assert full.bookmarks["a"] == {"at": day(9)}
    broken = 1
    cut = run([stream], answer, state=state)
    assert cut.bookmarks["a"]["at"] == day(6), "going back in time, the bookmark stays until the walk is done"
    broken = -1
    resumed = run([stream], answer, state=cut.state)
    assert [request.params.get("start") for request in resumed.api.asked] == ["1", "2"]
    assert resumed.bookmarks["a"] == {"at": day(9)}


def test_a_walk_from_newest_to_oldest_leaves_out_no_children() -> None:
    parent = Stream(
        name="p",
        path="/p",
        records="rows",
        replication_key="at",
        order="descending",
        next_page=cursor("next", param="start"),
    )
    follower = replace(FOLLOWER, parent=replace(FOLLOWER.parents[0], carry=("at",)))
    pages = [rows(9, 8), rows(7, 6), rows(5, 4)]

    def answer(request: Request) -> Any:
        if request.path != "/p":
            return rows(1)
        number = int(request.params.get("start", 0))
        return {"rows": pages[number], "next": str(number + 1) if number + 1 < len(pages) else ""}

    kept = {"at": day(6), "resume": {"units": {"": {"params": {"start": "1"}, "high": day(9)}}}}
    broken = run([parent, follower], answer, state={"bookmarks": {"p": kept, "c": {"at": day(6)}}})
    assert {f"/p/{number}/c" for number in (9, 8, 7, 6)} <= set(broken.api.paths), "they begin where it began"
    chosen_later = run([parent, follower], answer, state={"bookmarks": {"p": {"at": day(9)}}})
    assert {f"/p/{number}/c" for number in range(4, 10)} <= set(chosen_later.api.paths)


def test_pages_whose_number_is_known_go_side_by_side() -> None:
    def answer(request: Request) -> Any:
        number = request.params.get("page", 1)
        return {"rows": rows(number), "pages": 8}

    api = Api(answer, pause=0.02)
    stream = Stream(name="a", path="/a", records="rows", params={"page": 1}, next_page=numbered(pages="pages"))
    ran = run([stream], api)
    assert ran.ids("a") == list(range(1, 9)), "in their own order"
    assert api.most > 1


def test_one_answer_may_hold_several_streams() -> None:
    streams = [
        Stream(name="a", path="/a", records="data"),
        Stream(name="b", pages_of="a", records=lambda body: body["included"]),
    ]
    ran = run(streams, lambda _: {"data": rows(1), "included": rows(8, 9)})
    assert (ran.ids("a"), ran.ids("b"), len(ran.api.asked)) == ([1], [8, 9], 1)
    assert run(streams, lambda _: {"data": rows(1), "included": rows(8)}, select=["b"]).ids("b") == [8]


def test_a_key_met_in_another_unit_is_not_written_again_where_the_row_says_unique() -> None:
    stream = Stream(name="a", path="/a", partitions={"x": {"f": "x"}, "y": {"f": "y"}}, unique=True)
    assert sorted(run([stream], lambda r: rows(1, 2) if r.params["f"] == "x" else rows(2, 3)).ids("a")) == [1, 2, 3]


def test_an_object_may_be_the_whole_answer_and_a_missing_list_is_no_answer() -> None:
    assert run([Stream(name="a", path="/a")], lambda _: {"id": 1}).ids("a") == [1]
    assert run([Stream(name="a", path="/a", records="rows")], lambda _: {"rows": None}).ids("a") == []
    assert run([Stream(name="a", path="/a", records="rows")], lambda _: {"error": 1}).status == 1


def test_a_full_pass_that_broke_off_goes_on_with_the_parents_it_has_not_read() -> None:
    def answer(request: Request) -> Any:
        if request.path == "/p/2/c" and broken:
            raise ApiError("c: broken.")
        return family(request)

    broken = True
    ran = run([PARENT, CHILD], answer, activate_version=True)
    assert sorted(ran.bookmarks["c"]["resume"]["done"]) == ["1", "3"]
    assert "ACTIVATE_VERSION" not in [m["type"] for m in ran.messages if m.get("stream") == "c"]
    broken = False
    again = run([PARENT, CHILD], answer, state=ran.state, activate_version=True)
    assert again.api.paths == ["/p", "/p/2/c"]
    versions = {m["version"] for m in (*ran.messages, *again.messages) if m.get("stream") == "c" and "version" in m}
    assert len(versions) == 1, "a resumed pass keeps its version"
    assert [m["type"] for m in again.messages if m.get("stream") == "c"][-1] == "ACTIVATE_VERSION"
    assert "c" not in again.bookmarks
    old = json.loads(json.dumps(ran.state))
    old["bookmarks"]["c"]["resume"]["began"] = shift(NOW, -25 * 3600)
    assert len(run([PARENT, CHILD], answer, state=old).api.asked) == 4, "a day later the pass begins anew"


def test_a_finished_unit_is_read_again_where_children_hang_under_it() -> None:
    child = Stream(
        name="g", path="/c/{c_id}/g", key_properties=("c_id", "id"), parent=Parent(stream="c", keys={"c_id": "id"})
    )

    def answer(request: Request) -> Any:
        return rows(1, 2) if request.path == "/p" else rows(7)

    state = {"bookmarks": {"c": {"resume": {"began": NOW, "done": ["1", "2"]}}}}
    ran = run([PARENT, CHILD, child], answer, state=state, extra_fields="report")
    assert len(ran.rows("g")) == 2


def test_a_full_refresh_is_due_after_so_many_days_and_is_noted() -> None:
    stream = Stream(
        name="a", path="/a", replication_key="at", full_refresh="refresh_days", since=lambda u: {"since": u.since}
    )
    state = {"bookmarks": {"a": {"at": day(5), "refreshed": day(4)}}}
    assert run([stream], lambda _: rows(2), state=state, refresh_days=30).ids("a") == []
    ran = run([stream], lambda _: rows(2), state=state, refresh_days=6)
    assert ran.ids("a") == [2]
    assert ran.api.asked[0].params == {}
    assert ran.bookmarks["a"] == {"at": day(5), "refreshed": NOW}


def test_a_fetch_hook_gives_batches_checkpoints_and_waits() -> None:
    def fetch(client: Any, unit: Unit) -> Generator[Any, None, None]:
        if unit.resume is None:
            yield Rows(rows(1))
            yield Checkpoint(resume={"page": 1})
            yield Wait(3600)
        if broken:
            raise ApiError("a: broken.")
        yield Rows(rows(2))

    stream = Stream(name="a", fetch=fetch, replication_key="at")
    broken = True
    cut = run([stream], lambda _: None)
    assert (cut.status, cut.ids("a"), cut.bookmarks["a"]) == (1, [1], {"resume": {"units": {"": {"page": 1}}}})
    broken = False
    ran = run([stream], lambda _: None, state=cut.state)
    assert (ran.ids("a"), ran.bookmarks["a"]) == ([2], {"at": day(2)})


def exporting(lost: set[int]) -> tuple[Stream, list[Any]]:
    started: list[Any] = []

    def start(client: Any, unit: Unit) -> int:
        started.append([part.key for part in unit.units])
        return len(started)

    def poll(client: Any, identifier: int) -> jobs.Status:
        if identifier in lost:
            return jobs.Status(is_lost=True)
        polls[identifier] = polls.get(identifier, 0) + 1
        return jobs.Status(is_done=polls[identifier] > 2, files=(jobs.File("result", f"https://files/{identifier}"),))

    def results(file: BinaryIO, unit: Unit) -> Iterator[Any]:
        for part in unit.units:
            yield Rows(rows(3), unit=part)
            yield Checkpoint(unit=part, value=day(3))

    polls: dict[int, int] = {}
    job = jobs.Job(start=start, poll=poll, rows=results)
    stream = Stream(
        name="c",
        key_properties=("parent_id", "id"),
        replication_key="at",
        fetch=lambda client, unit: jobs.run(job, client, unit),
        parent=Parent(stream="p", keys={"parent_id": "id"}, batch=2),
        gate=lambda unit: [unit.parent["parent_id"]],
    )
    return stream, started


def test_parents_are_exported_in_groups_and_vouched_for_one_by_one() -> None:
    stream, started = exporting(set())
    api = Api(family, files={f"https://files/{n}": b"" for n in range(9)})
    ran = run([PARENT, stream], api)
    assert sorted(started) == [["1", "2"], ["3"]]
    assert sorted(r["parent_id"] for r in ran.rows("c")) == [1, 2, 3]
    assert ran.bookmarks["c"] == {"units": {str(n): [day(3), [n]] for n in (1, 2, 3)}}


def test_a_job_that_a_killed_run_left_is_taken_up_with_the_same_parents() -> None:
    stream, started = exporting(set())
    api = Api(family, files={f"https://files/{n}": b"" for n in range(9)})
    state = {"bookmarks": {"c": {"resume": {"units": {"1": {"id": 7, "units": ["1", "3"]}}}}}}
    ran = run([PARENT, stream], api, state=state)
    assert started == [["2"]]
    assert sorted(r["parent_id"] for r in ran.rows("c")) == [1, 2, 3]
    assert "resume" not in ran.bookmarks["c"]


def test_a_lost_job_is_started_anew() -> None:
    stream, started = exporting({1})
    api = Api(family, files={f"https://files/{n}": b"" for n in range(9)})
    ran = run([PARENT, stream], api, concurrency=1)
    assert len(started) == 3
    assert sorted(r["parent_id"] for r in ran.rows("c")) == [1, 2, 3]


def listed(api: Api, *, broken: int = 0) -> tuple[Stream, list[str]]:
    """A stream whose job lists two files a page; the first `broken` tries of each file come to nothing."""
    tries: dict[str, int] = {}
    taken: list[str] = []

    def pages(client: Any, identifier: int, after: str) -> list[jobs.File]:
        names = [name for name in ("a", "b", "c") if name > after][:2]
        return [jobs.File(name, f"https://files/{name}") for name in names]

    def take(file: jobs.File, body: Any) -> None:
        tries[file.name] = tries.get(file.name, 0) + 1
        if tries[file.name] <= broken:
            raise ValueError("half a line")
        taken.append(file.name)

    job = jobs.Job(start=lambda client, unit: 1, poll=lambda client, identifier: jobs.Status(is_done=True), pages=pages)

    def fetch(client: Any, unit: Unit) -> Iterator[Any]:
        identifier, _ = yield from jobs.done(job, client, unit)
        yield from jobs.collect(job, client, unit, identifier, take)
        yield Rows(rows(len(taken)))

    return Stream(name="a", fetch=fetch), taken  # type: ignore[arg-type]


@pytest.mark.parametrize("broken", [0, 1])
def test_the_files_of_a_job_are_listed_page_by_page_and_taken_once(broken: int) -> None:
    api = Api(lambda _: None, files={f"https://files/{name}": b"" for name in "abc"})
    stream, taken = listed(api, broken=broken)
    ran = run([stream], api)
    assert taken == ["a", "b", "c"]
    assert ran.ids("a") == [3]


def test_a_file_that_stays_broken_fails_the_unit() -> None:
    api = Api(lambda _: None, files={f"https://files/{name}": b"" for name in "abc"})
    ran = run([listed(api, broken=99)[0]], api)
    assert ran.status == 1
    assert "half a line" in str(ran.report.rows())


def test_parts_that_cannot_be_read_are_named_together_and_the_others_are_read_however_many_there_are() -> None:
    def answer(request: Request) -> Any:
        if request.path == "/p":
            return rows(*range(1, 9))
        number = int(request.path.split("/")[2])
        if number < 8:
            raise PartError(f"c: {request.path} answered 500.", part=f"list {number}")
        return rows(1)

    ran = run([PARENT, CHILD], answer, concurrency=1)
    assert (ran.status, len(ran.rows("c"))) == (1, 1)
    (problem,) = next(row["problems"] for row in ran.report.rows() if row["stream"] == "c")
    assert all(f"list {number}" in problem for number in range(1, 8))
    assert "/p/1/c answered 500" in problem


def test_a_tap_may_say_what_a_run_will_take(caplog: Any) -> None:
    def forecast(units: Sequence[Unit]) -> str:
        return f"to come: {[(unit.stream, unit.since) for unit in units]}"

    stream = Stream(name="a", path="/a", replication_key="at", lookback=86_400)
    with caplog.at_level("INFO", logger="tap-test"):
        run([stream, PARENT], lambda _: [], state={"bookmarks": {"a": {"at": day(4)}}}, select=["a"], forecast=forecast)
    assert f"to come: [('a', '{day(3)}')]" in caplog.text


@pytest.mark.parametrize(("chosen", "key"), [(("name",), ["name"]), ((), []), (None, ["id"])])
def test_a_setting_may_choose_the_key_and_append_only_has_none(chosen: Any, key: list[str]) -> None:
    stream = Stream(name="a", path="/a", choose_key=lambda settings: chosen, automatic=("at",))
    ran = run([stream], lambda _: [{"id": 1, "name": "x"}], select=["a.name"])
    schema = next(m for m in ran.messages if m["type"] == "SCHEMA")
    assert schema["key_properties"] == key
    assert {"at", "name", *key} == set(schema["schema"]["properties"]) - {"_extra"}
    assert len(ran.rows("a")) == 1


def test_windows_grow_by_what_the_api_took_not_by_what_was_waited() -> None:
    outcomes: list[float] = []

    def fetch(client: Any, unit: Unit) -> Iterator[Any]:
        yield Wait(0.001)
        yield Received(Outcome(0, 0, 1, 40.0))

    def resize(width: float, outcome: Any) -> float:
        outcomes.append(outcome.seconds)
        return width

    window = Window(first=30, largest=30, resize=resize)
    run([Stream(name="a", replication_key="at", fetch=fetch, window=window)], lambda _: None)  # type: ignore[arg-type]
    assert outcomes == [40.0]


def test_the_next_window_is_asked_for_while_one_is_being_written_and_keeps_its_own_resume() -> None:
    spans: list[Any] = []
    is_ahead = threading.Event()

    def fetch(client: Any, unit: Unit) -> Iterator[Any]:
        spans.append(unit.window)
        if len(spans) == 2:
            yield Checkpoint(resume={"id": 7, "window": list(unit.window or ())})
            is_ahead.set()
            raise ApiError("a: broken")
        yield Received(Outcome(1, 1, 1, 1.0))
        assert is_ahead.wait(5)
        yield Rows(rows(1))

    window = Window(first=5, largest=5, parallel=False)
    stream = Stream(name="a", replication_key="at", fetch=fetch, window=window)  # type: ignore[arg-type]
    ran = run([stream], lambda _: None)
    assert spans == [(day(1), day(6)), (day(6), NOW)]
    assert ran.bookmarks == {"a": {"at": day(6), "resume": {"units": {"": {"id": 7, "window": [day(6), NOW]}}}}}


def test_what_was_kept_for_a_window_that_nobody_will_ask_for_again_goes_when_all_windows_are_read() -> None:
    window = Window(first=30, largest=30, parallel=False)
    stream = Stream(name="a", path="/a", replication_key="at", window=window)
    stale = {"id": 7, "window": ["2020-01-01T00:00:00.000000Z", "2020-02-01T00:00:00.000000Z"]}
    ran = run([stream], lambda _: rows(2), state={"bookmarks": {"a": {"resume": {"units": {"": stale}}}}})
    assert ran.bookmarks == {"a": {"at": NOW}}


def test_a_scarce_quota_is_waited_for_without_holding_a_worker() -> None:
    api = Api(lambda _: None)
    delays = iter([15.0, 3.0, 0.5])
    api.delay = lambda quota: next(delays)  # type: ignore[method-assign]
    assert [wait.seconds for wait in in_turn(api, "q")] == [15.0, 3.0]  # type: ignore[arg-type]


def test_state_is_written_while_the_run_goes_on_and_vouches_only_for_what_was_written(monkeypatch: Any) -> None:
    monkeypatch.setattr(sync, "STATE_SECONDS", 0.0)
    monkeypatch.setattr(sync, "STATE_BYTES_PER_SECOND", 1e9)

    def answer(request: Request) -> Any:
        start = int(request.params.get("start", 0))
        return {"rows": rows(start + 1), "next": str(start + 1) if start < 7 else ""}

    stream = Stream(
        name="a",
        path="/a",
        records="rows",
        replication_key="at",
        order="ascending",
        next_page=cursor("next", param="start"),
    )
    ran = run([stream], answer)
    written = ""
    for message in ran.messages:
        if message["type"] == "RECORD":
            written = message["record"]["at"]
        elif message["type"] == "STATE":
            assert message["value"]["bookmarks"].get("a", {}).get("at", "") <= written
    assert [m["type"] for m in ran.messages].count("STATE") > 3


def test_when_told_to_stop_it_writes_what_it_has_and_returns() -> None:
    def answer(request: Request) -> Any:
        if request.params.get("start") == "3":
            api.stop.set()
        start = int(request.params.get("start", 0))
        return {"rows": rows(start + 1), "next": str(start + 1)}

    api = Api(answer)
    stream = Stream(
        name="a",
        path="/a",
        records="rows",
        replication_key="at",
        order="ascending",
        next_page=cursor("next", param="start"),
    )
    ran = run([stream], api)
    assert ran.messages[-1]["type"] == "STATE"
    written = ran.ids("a")
    assert ran.bookmarks.get("a", {}).get("at", day(1)) == day(max(written, default=1))


def test_account_label_stands_on_every_record() -> None:
    ran = run([Stream(name="a", path="/a")], lambda _: rows(1), account_label="shop")
    assert ran.rows("a")[0]["_account"] == "shop"


def test_epoch_seconds_may_be_a_replication_value() -> None:
    assert from_seconds(1_793_491_200) == "2026-11-01T00:00:00.000000Z"


def test_a_child_takes_what_its_parents_row_lacks_from_that_rows_own_parent() -> None:
    grandchild = Stream(
        name="g",
        path="/p/{parent_id}/c/{child_id}",
        key_properties=("parent_id", "id"),
        parent=Parent(stream="c", keys={"parent_id": "parent_id", "child_id": "id"}),
    )
    ran = run([PARENT, CHILD, grandchild], family, select=["g"])
    assert {path for path in ran.api.paths if path.count("/") > 3} == {
        f"/p/{p}/c/{c}" for p in (1, 2, 3) for c in (1, 2)
    }


def test_windows_begin_at_their_origin_when_there_is_no_start_date() -> None:
    window = Window(first=1, largest=1, origin=day(9))
    stream = Stream(name="a", path="/a", replication_key="at", window=window, params=lambda unit: {"at": unit.window})
    ran = run([stream], lambda _: [], start_date=None)
    assert [request.params["at"] for request in ran.api.asked] == [(day(9), NOW)]


def test_a_full_walk_that_broke_off_goes_on_where_its_row_says() -> None:
    """Each page tells what to keep; a walk broken off more than a day ago begins anew."""

    def answer(request: Request) -> Any:
        start = int(request.params.get("start", 1))
        if start == broken:
            raise ApiError("a: broken.")
        return {"items": rows(start), "next": start + 1 if start < 4 else None}

    stream = Stream(
        name="a",
        path="/a",
        records="items",
        params=lambda unit: {"start": (unit.resume or {}).get("start")},
        next_page=cursor("next", param="start"),
        keep=lambda page: {"start": page.at("next")} if page.at("next") else None,
    )
    broken = 3
    first = run([stream], answer)
    assert (first.status, first.ids("a")) == (1, [1, 2])
    broken = 0
    again = run([stream], answer, state=first.state)
    assert (again.status, again.ids("a")) == (0, [3, 4])
    assert again.bookmarks == {}
    kept = first.bookmarks["a"]["resume"]
    for began, expected in ((day(8), [1, 2, 3, 4]), (shift(NOW, 60), [3, 4])):
        state = {"bookmarks": {"a": {"resume": {**kept, "began": began}}}}
        assert run([stream], answer, state=state).ids("a") == expected, began


def test_a_complete_full_read_may_be_doubted_and_a_check_that_fails_is_no_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counts: list[Mapping[str, int]] = []

    def doubts(client: Any, written: Mapping[str, int]) -> list[str]:
        counts.append(dict(written))
        if len(counts) > 1:
            raise RefusedError("no.")
        return ["it has fewer rows than it says."]

    stream = Stream(name="a", path="/a", partitions={"x": {"f": "x"}, "y": {"f": "y"}}, checks=doubts)
    assert run([stream], lambda request: rows(1, 2) if request.params["f"] == "x" else []).status == 0
    assert counts == [{"x": 2, "y": 0}]
    assert "a: it has fewer rows than it says." in caplog.text
    assert run([stream], lambda _: rows(1)).status == 0
    kept = {"bookmarks": {"a": {"resume": {"began": NOW, "done": ["x"]}}}}
    run([stream], lambda _: rows(1), state=kept)
    assert len(counts) == 2, "a read that goes on has not counted all"


def test_windows_of_a_full_read_leave_none_out() -> None:
    window = Window(first=1, largest=1)
    stream = Stream(name="a", path="/a", replication_key="at", full_table=True, window=window)
    state = {"bookmarks": {"a": {"at": day(3), "done": [[day(4), NOW]]}}}
    ran = run([stream], lambda _: [], state=state)
    assert len(ran.api.asked) > 8


def test_a_used_up_quota_ends_its_stream_and_no_other() -> None:
    def answer(request: Request) -> Any:
        if request.path == "/a":
            raise QuotaError("a: 429. Run again later.")
        return rows(1)

    stream = Stream(name="a", path="/a", partitions={str(n): {"f": n} for n in range(9)})
    ran = run([stream, Stream(name="b", path="/b")], answer, concurrency=1)
    assert (ran.status, ran.ids("b"), ran.api.paths.count("/a")) == (1, [1], 1)


def test_a_parent_that_several_partitions_hold_is_asked_once_for_its_children() -> None:
    def answer(request: Request) -> Any:
        return rows(1, 2)

    parent = Stream(name="p", path="/p", partitions={"x": {"f": "x"}, "y": {"f": "y"}}, unique=True)
    child = Stream(
        name="c",
        path="/p/{parent_id}/c",
        parent=Parent(stream="p", keys={"parent_id": "id"}),
        key_properties=("parent_id", "id"),
    )
    assert sorted(run([parent, child], answer).api.paths) == ["/p", "/p", "/p/1/c", "/p/2/c"]
