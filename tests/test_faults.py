"""A fault stays where it happened: what failed is missing, alone, by name, and comes once it is well again."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from in_memory import CHILD, NOW, PARENT, Ran, day, family, rows, run

from shared.api.paginators import cursor, halve, keyset, offset
from shared.api.request import Request
from shared.errors import (
    ApiError,
    GoneError,
    QuotaError,
    RefusedError,
    RetryableError,
    TapError,
    TooLargeError,
    UnavailableError,
)
from shared.streams import LeftOut, Parent, Rows, Step, Stream, Unit, Window


def failing(path: str, error: Exception) -> Callable[[Request], Any]:
    """The family of PARENT and CHILD, of which one request fails."""

    def answer(request: Request) -> Any:
        if request.path == path:
            raise error
        return family(request)

    return answer


def said(ran: Ran) -> str:
    """What the closing summary says."""
    return ran.report.summary()


def pairs(ran: Ran) -> list[tuple[int, int]]:
    return sorted((row["parent_id"], row["id"]) for row in ran.rows("c"))


ALL = [(parent, child) for parent in (1, 2, 3) for child in (1, 2)]


@pytest.mark.parametrize("parent", [1, 2, 3])
@pytest.mark.parametrize(
    ("error", "status", "outcome"),
    [
        (RefusedError("c: 403."), 1, "partly refused"),
        (UnavailableError("c: not on the plan."), 0, "partly unavailable"),
        (GoneError("c: 404."), 0, "complete"),
        (ApiError("c: 400."), 1, "failed"),
        (RetryableError("c: 500."), 1, "failed"),
        (TooLargeError("c: 504."), 1, "failed"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
@pytest.mark.parametrize("optional", [True, False])
def test_one_parent_takes_no_other_with_it(
    parent: int, error: TapError, status: int, outcome: str, optional: bool
) -> None:
    streams = [PARENT, replace(CHILD, optional=optional)]
    ran = run(streams, failing(f"/p/{parent}/c", error))
    assert ran.status == status
    assert pairs(ran) == [pair for pair in ALL if pair[0] != parent]
    assert {row["stream"]: row["outcome"] for row in ran.report.rows()}["c"] == outcome
    if not isinstance(error, GoneError):
        assert str(error) in said(ran)
    healthy = run(streams, family, state=ran.state)
    assert healthy.status == 0
    assert set(pairs(ran)) | set(pairs(healthy)) == set(ALL)


@pytest.mark.parametrize(
    ("error", "status", "outcome"),
    [
        (RefusedError("c: 403."), 1, "refused"),
        (UnavailableError("c: not on the plan."), 0, "unavailable"),
        (GoneError("c: 404."), 1, "failed"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_every_parent_says_holds_for_the_stream(error: TapError, status: int, outcome: str) -> None:
    def answer(request: Request) -> Any:
        if request.path != "/p":
            raise type(error)(str(error))
        return family(request)

    ran = run([PARENT, CHILD], answer)
    assert (ran.status, ran.ids("p"), ran.rows("c")) == (status, [1, 2, 3], [])
    assert {row["stream"]: row["outcome"] for row in ran.report.rows()}["c"] == outcome


def test_the_one_parent_that_had_to_be_asked_may_have_vanished() -> None:
    child = replace(
        CHILD, parent=Parent(stream="p", keys={"parent_id": "id"}, where=lambda u: u.parent["parent_id"] == 2)
    )
    ran = run([PARENT, child], failing("/p/2/c", GoneError("c: 404.")))
    assert (ran.status, ran.ids("p")) == (0, [1, 2, 3])
    assert "gone: parent_id 2" in said(ran)


@pytest.mark.parametrize("kind", [RefusedError, UnavailableError, ApiError])
def test_after_twenty_equal_answers_the_rest_is_taken_for_alike_and_said(kind: type[TapError]) -> None:
    def answer(request: Request) -> Any:
        if request.path == "/p":
            return [{"id": number, "at": day(1)} for number in range(1, 101)]
        raise kind("c: no.")

    ran = run([PARENT, CHILD], answer, concurrency=1)
    assert len(ran.api.asked) == 21
    assert kind is UnavailableError or "After 20 equal answers the rest was not asked for." in said(ran)


def test_a_success_among_refusals_has_all_parents_asked() -> None:
    def answer(request: Request) -> Any:
        if request.path == "/p":
            return [{"id": number, "at": day(1)} for number in range(1, 101)]
        if request.path == "/p/1/c":
            return rows(1)
        raise RefusedError("c: no.")

    ran = run([PARENT, CHILD], answer, concurrency=1)
    assert len(ran.api.asked) == 101
    assert "79 more" in said(ran), "twenty are named"


def test_a_refusal_may_be_a_warning() -> None:
    assert run([PARENT, CHILD], failing("/p/2/c", RefusedError("c: 403.")), fail_on_forbidden=False).status == 0


def test_refused_partitions_are_missing_alone() -> None:
    stream = Stream(name="a", path="/a", partitions={"x": {"f": "x"}, "y": {"f": "y"}})

    def answer(request: Request) -> Any:
        if request.params["f"] == "x":
            raise RefusedError("a: 403.")
        return rows(1)

    ran = run([stream], answer)
    assert (ran.status, ran.ids("a")) == (1, [1])
    assert "refused: x" in said(ran)


def test_the_next_pass_after_a_refusal_is_a_whole_one() -> None:
    ran = run([PARENT, CHILD], failing("/p/2/c", RefusedError("c: 403.")))
    assert "c" not in ran.state["bookmarks"]
    assert run([PARENT, CHILD], family, state=ran.state).api.paths.count("/p/1/c") == 1


# Rows


@pytest.mark.parametrize("bad", [{"at": day(2)}, {"id": None}, None, "text", 7, []])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_row_without_a_key_is_missing_alone_and_blocks_nothing(bad: Any, place: int) -> None:
    stream = Stream(name="a", path="/a", records="rows", replication_key="at", next_page=cursor("next", param="start"))

    def answer(request: Request) -> Any:
        page: list[Any] = rows(1, 2) if not request.params.get("start") else rows(3)
        if not request.params.get("start"):
            page.insert(place, bad)
        return {"rows": page, "next": "" if request.params.get("start") else "1"}

    ran = run([stream], answer)
    assert (ran.status, ran.ids("a")) == (1, [1, 2, 3])
    assert "1 record was left out" in said(ran)
    assert ran.bookmarks["a"] == {"at": day(3)}, "the bookmark passes it"


@pytest.mark.parametrize("bad", [{"at": day(2)}, {"id": None}, {"id": ""}, None, "text"])
@pytest.mark.parametrize("select", [[], ["c"]])
def test_a_parent_without_a_key_is_not_asked_for(bad: Any, select: list[str]) -> None:
    ran = run([PARENT, CHILD], lambda r: [*rows(1), bad] if r.path == "/p" else rows(7), select=select)
    assert ran.status == 1
    assert sorted(ran.api.paths) == ["/p", "/p/1/c"]
    assert pairs(ran) == [(1, 7)]
    assert "left out" in said(ran).lower()


def test_the_parents_key_on_a_row_is_the_parents() -> None:
    ran = run([PARENT, CHILD], lambda r: rows(1) if r.path == "/p" else [{"id": 5, "parent_id": 99, "at": None}])
    assert pairs(ran) == [(1, 5)]


def test_a_row_that_a_transform_cannot_read_is_missing_alone() -> None:
    def upper(found: Any, _: Unit) -> Iterator[dict[str, Any]]:
        for row in found:
            yield {**row, "name": row["name"].upper()}

    given = [{"id": n, "at": day(n), "name": None if n == 2 else "x"} for n in (1, 2, 3)]
    ran = run([Stream(name="a", path="/a", transform=upper)], lambda _: given)
    assert (ran.status, ran.ids("a")) == (1, [1, 3])
    assert "id 2" in said(ran) and "AttributeError" in said(ran)


# Members of a batch


def batched(bad: int, error: TapError) -> tuple[list[Stream], Callable[[Request], Any]]:
    def fetch(client: Any, unit: Unit) -> Generator[Step, None, None]:
        names = [part.parent["parent_id"] for part in unit.units]
        found = client.json(Request("/c", {"ids": ",".join(map(str, names))}))
        yield Rows([{"id": number, "parent_id": number} for number in found])

    def answer(request: Request) -> Any:
        if request.path == "/p":
            return [{"id": number, "at": day(1)} for number in range(1, 31)]
        asked = [int(number) for number in request.params["ids"].split(",")]
        if bad in asked:
            raise type(error)(str(error))
        return asked

    child = replace(CHILD, path="", fetch=fetch, parent=Parent(stream="p", keys={"parent_id": "id"}, batch=10))
    return [PARENT, child], answer


@pytest.mark.parametrize("bad", [1, 15, 30])
@pytest.mark.parametrize("kind", [RefusedError, GoneError, ApiError, RetryableError, TooLargeError, UnavailableError])
def test_a_batch_is_halved_down_to_the_member_that_fails(bad: int, kind: type[TapError]) -> None:
    streams, answer = batched(bad, kind("c: no."))
    ran = run(streams, answer)
    assert sorted(row["id"] for row in ran.rows("c")) == [number for number in range(1, 31) if number != bad]
    assert ran.status == (0 if kind in (GoneError, UnavailableError) else 1)
    assert len(ran.api.asked) <= 1 + 3 + 2 * 4
    if kind is RefusedError:
        assert f"parent_id {bad}." in said(ran)


def test_batches_that_are_all_refused_are_not_halved_for_ever() -> None:
    streams, _ = batched(0, RefusedError("c: no."))

    def answer(request: Request) -> Any:
        if request.path == "/p":
            return [{"id": number, "at": day(1)} for number in range(1, 501)]
        raise RefusedError("c: no.")

    ran = run(streams, answer)
    assert ran.status == 1
    assert len(ran.api.asked) <= 1 + 20 + 8, "those under way at the twentieth are still answered"


def test_what_a_hook_leaves_out_is_named_and_the_rest_is_written() -> None:
    def fetch(_: Any, __: Unit) -> Generator[Step, None, None]:
        yield Rows(rows(1))
        yield LeftOut("line 2", "a: line 2 is no JSON.")
        yield Rows(rows(3))

    ran = run([Stream(name="a", fetch=fetch, replication_key="at")], lambda _: [])
    assert (ran.status, ran.ids("a"), ran.bookmarks["a"]) == (1, [1, 3], {"at": day(3)})
    assert "Left out: line 2" in said(ran)


# Saved places, walks, totals


@pytest.mark.parametrize("kind", [ApiError, RefusedError, GoneError])
def test_a_saved_place_that_is_refused_is_dropped(kind: type[TapError]) -> None:
    stream = Stream(
        name="a",
        path="/a",
        records="rows",
        replication_key="at",
        order="descending",
        next_page=cursor("next", param="start"),
    )

    def answer(request: Request) -> Any:
        if request.params.get("start") == "dead":
            raise kind("a: the cursor is unknown.")
        return {"rows": rows(2, 1), "next": ""}

    resume = {"units": {"": {"params": {"start": "dead"}, "high": day(2)}}}
    ran = run([stream], answer, state={"bookmarks": {"a": {"resume": resume}}})
    assert (ran.status, ran.ids("a"), ran.bookmarks["a"]) == (0, [2, 1], {"at": day(2)})
    assert "the saved place was refused" in said(ran)


@pytest.mark.parametrize("kind", [QuotaError, RetryableError])
def test_a_saved_place_outlives_a_passing_failure(kind: type[TapError]) -> None:
    stream = Stream(
        name="a",
        path="/a",
        records="rows",
        replication_key="at",
        order="descending",
        next_page=cursor("next", param="s"),
    )

    def answer(_: Request) -> Any:
        raise kind("a: later.")

    resume = {"units": {"": {"params": {"s": "here"}, "high": day(2)}}}
    ran = run([stream], answer, state={"bookmarks": {"a": {"resume": resume}}})
    assert (ran.status, ran.bookmarks["a"]["resume"]) == (1, resume)


def test_pages_that_go_in_a_circle_end_with_an_error_after_their_rows() -> None:
    following = {None: "A", "A": "B", "B": "A"}
    stream = Stream(name="a", path="/a", records="rows", next_page=cursor("next", param="start"))

    def answer(request: Request) -> Any:
        place = request.params.get("start")
        return {"rows": rows({None: 1, "A": 2, "B": 3}[place]), "next": following[place]}

    ran = run([stream], answer)
    assert (ran.status, ran.ids("a"), len(ran.api.asked)) == (1, [1, 2, 3], 3)
    assert "circle" in said(ran)


def paged(request: Request, *, cap: int, have: int, total: Any) -> Mapping[str, Any]:
    begin, count = int(request.params.get("offset", 0)), int(request.params["count"])
    end = min(begin + min(cap, count), have)
    return {"rows": rows(*range(begin + 1, end + 1)), "total": total}


PAGED = Stream(
    name="a", path="/a", records="rows", total="total", params={"count": 10, "offset": 0}, next_page=offset()
)


def test_a_page_that_is_shorter_than_its_total_is_asked_on() -> None:
    ran = run([PAGED], lambda request: paged(request, cap=4, have=21, total=21))
    assert (ran.status, ran.ids("a")) == (0, list(range(1, 22)))


def test_a_walk_that_ends_below_its_total_has_failed_and_moves_no_bookmark() -> None:
    stream = replace(PAGED, replication_key="at")
    ran = run([stream], lambda request: paged(request, cap=10, have=13, total=40))
    assert (ran.status, ran.ids("a")) == (1, list(range(1, 14)))
    assert "bookmarks" not in ran.state or "a" not in ran.state["bookmarks"]
    assert "40 rows" in said(ran)


@pytest.mark.parametrize("total", [None, "many", 3])
def test_a_total_that_says_less_or_nothing_changes_nothing(total: Any) -> None:
    ran = run([PAGED], lambda request: paged(request, cap=10, have=13, total=total))
    assert (ran.status, ran.ids("a")) == (0, list(range(1, 14)))


def test_null_where_rows_belong_is_no_answer_unless_the_vendor_writes_it_for_none() -> None:
    stream = Stream(name="a", path="/a", records="rows", replication_key="at")
    ran = run([stream], lambda _: {"rows": None})
    assert ran.status == 1 and not ran.state.get("bookmarks", {}).get("a")
    assert run([replace(stream, null_rows=True)], lambda _: {"rows": None}).status == 0
    counted = replace(stream, null_rows=True, total="total")
    assert run([counted], lambda _: {"rows": None, "total": 0}).status == 0
    assert run([counted], lambda _: {"rows": None, "total": 5}).status == 1


def test_a_page_size_that_works_is_kept_for_the_next_parents() -> None:
    child = replace(
        CHILD,
        records="rows",
        params={"count": 8, "offset": 0},
        next_page=offset(overlap=0),
        shrink=halve("count", smallest=1),
    )

    def answer(request: Request) -> Any:
        if request.path == "/p":
            return [{"id": number, "at": day(1)} for number in range(1, 21)]
        if int(request.params["count"]) > 2:
            raise TooLargeError("c: 504.")
        return {"rows": rows(1)}

    ran = run([PARENT, child], answer, concurrency=1)
    assert (ran.status, len(pairs(ran))) == (0, 20)
    assert sum(int(request.params.get("count", 0)) > 2 for request in ran.api.asked) == 2


# Hooks


def broken(*_: Any, **__: Any) -> Any:
    raise TypeError("a text in a counter")


def broken_for_2(unit: Unit) -> Any:
    return broken() if unit.parent["parent_id"] == 2 else 1


@pytest.mark.parametrize(
    "child",
    [
        replace(CHILD, gate=broken_for_2),
        replace(CHILD, size=broken_for_2),
        replace(CHILD, params=lambda unit: {"x": broken_for_2(unit)}),
        replace(CHILD, parent=Parent(stream="p", keys={"parent_id": "id"}, where=broken_for_2)),
        replace(CHILD, fetch=lambda _, unit: (broken_for_2(unit), None)[1]),
    ],
    ids=["gate", "size", "params", "where", "fetch"],
)
def test_an_exception_in_a_hook_fails_its_unit_and_no_other(child: Stream) -> None:
    if child.gate is not None:
        child = replace(child, replication_key="at")
    other = Stream(name="z", path="/z")
    ran = run([PARENT, child, other], lambda r: rows(9) if r.path == "/z" else family(r))
    assert (ran.status, ran.ids("p"), ran.ids("z")) == (1, [1, 2, 3], [9])
    assert pairs(ran) == [pair for pair in ALL if pair[0] != 2]
    assert "internal error (TypeError: a text in a counter)" in said(ran)


def test_an_exception_in_what_shares_a_page_leaves_the_page() -> None:
    streams = [
        Stream(name="a", path="/a", records="data"),
        Stream(name="b", pages_of="a", records=broken),
        Stream(name="d", pages_of="a", records=lambda body: body["more"]),
    ]
    ran = run(streams, lambda _: {"data": rows(1), "more": rows(2)})
    assert (ran.status, ran.ids("a"), ran.ids("b"), ran.ids("d")) == (1, [1], [], [2])


def test_a_refused_window_ends_its_unit_with_one_answer() -> None:
    stream = Stream(name="a", path="/a", replication_key="at", window=Window(first=1, largest=1, parallel=False))

    def answer(_: Request) -> Any:
        raise RefusedError("a: 403.")

    ran = run([stream], answer)
    assert (ran.status, len(ran.api.asked)) == (1, 1)
    assert {row["stream"]: row["outcome"] for row in ran.report.rows()} == {"a": "refused"}


def test_one_refusal_closes_the_streams_that_need_the_same_permission() -> None:
    streams = [Stream(name=name, path=f"/{name}", permission="exports") for name in "abcd"]

    def answer(_: Request) -> Any:
        raise RefusedError("403: exports are not for this key.")

    ran = run(streams, answer, concurrency=1)
    assert (ran.status, len(ran.api.asked)) == (1, 1)
    assert {row["outcome"] for row in ran.report.rows()} == {"refused"}


# What is odd stays as it is, what is dropped is counted, what vanishes is said


def test_rows_of_one_key_and_different_content_on_one_page_are_all_written() -> None:
    twins = [{"id": 1, "at": day(1), "name": name} for name in ("red", "blue", "red")]
    stream = Stream(name="a", path="/a", records="rows", params={"count": 3, "offset": 0}, next_page=offset(overlap=0))
    ran = run([stream], lambda request: {"rows": [] if request.params["offset"] else twins})
    assert [row["name"] for row in ran.rows("a")] == ["red", "blue"], "the very same twice is one"


def test_rows_that_are_dropped_for_a_key_that_was_met_are_counted() -> None:
    stream = Stream(name="a", path="/a", records="rows", next_page=cursor("next", param="start"))

    def answer(request: Request) -> Any:
        return {"rows": rows(3, 1), "next": ""} if request.params.get("start") else {"rows": rows(1, 2), "next": "1"}

    ran = run([stream], answer)
    assert (ran.status, ran.ids("a")) == (0, [1, 2, 3])
    assert "a: 1 rows came again under a key that was met before" in said(ran)


def test_a_full_read_that_finds_nothing_where_the_last_found_much_is_said() -> None:
    stream = Stream(name="a", path="/a")
    many = [{"id": number, "at": day(1)} for number in range(30)]
    full = run([stream], lambda _: many)
    assert "nothing was found" not in said(full)
    empty = run([stream], lambda _: [], state=full.state)
    assert empty.status == 0
    assert "a: nothing was found, where the last full read brought 30 records" in said(empty)
    assert "nothing was found" not in said(run([stream], lambda _: [], state=empty.state)), "once is enough"


def test_an_incremental_read_that_finds_nothing_new_says_nothing() -> None:
    stream = Stream(name="a", path="/a", replication_key="at", since=lambda unit: {"since": unit.since})
    many = [{"id": number, "at": day(1)} for number in range(30)]
    full = run([stream], lambda _: many)
    assert "nothing was found" not in said(run([stream], lambda _: [], state=full.state))


def test_a_poison_window_keeps_none_behind_it_from_coming_and_is_asked_for_again() -> None:
    window = Window(first=1, largest=1)
    stream = Stream(
        name="a",
        path="/a",
        replication_key="at",
        window=window,
        params=lambda unit: {"from": (unit.window or ("",))[0]},
    )

    def answer(request: Request) -> Any:
        if request.params["from"] == day(3):
            raise ApiError("a: 400.")
        return [{"id": int(request.params["from"][8:10]), "at": request.params["from"]}]

    ran = run([stream], answer)
    assert (ran.status, sorted(ran.ids("a"))) == (1, [1, 2, 4, 5, 6, 7, 8, 9])
    healthy = run([stream], lambda r: [{"id": int(r.params["from"][8:10]), "at": r.params["from"]}], state=ran.state)
    asked = [request.params["from"] for request in healthy.api.asked]
    assert healthy.status == 0 and 3 in healthy.ids("a")
    assert day(5) not in asked, "what was finished behind it is not asked for again"


def test_a_job_or_link_that_was_saved_is_dropped_when_it_is_refused() -> None:
    def fetch(client: Any, unit: Unit) -> Generator[Step, None, None]:
        job = (unit.resume or {}).get("job") or client.json(Request("/start"))["job"]
        yield Rows(client.json(Request(f"/jobs/{job}")))

    def answer(request: Request) -> Any:
        if request.path == "/start":
            return {"job": "new"}
        if request.path != "/jobs/new":
            raise GoneError("a: the job is unknown.")
        return rows(1)

    resume = {"began": NOW, "units": {"": {"job": "dead"}}}
    ran = run([Stream(name="a", fetch=fetch)], answer, state={"bookmarks": {"a": {"resume": resume}}})
    assert (ran.status, ran.ids("a"), ran.api.paths) == (0, [1], ["/jobs/dead", "/start", "/jobs/new"])
    assert "the saved place was refused" in said(ran) and "a" not in ran.bookmarks, ran.state


def test_a_next_page_that_is_the_same_again_ends_with_an_error() -> None:
    stream = Stream(name="a", path="/a", records="rows", next_page=cursor("next", param="start"))
    ran = run([stream], lambda _: {"rows": rows(1), "next": "A"})
    assert (ran.status, ran.ids("a"), len(ran.api.asked)) == (1, [1], 2)


def test_a_page_size_that_works_grows_again_slowly() -> None:
    child = replace(
        CHILD,
        records="rows",
        params={"count": 8, "offset": 0},
        next_page=offset(overlap=0),
        shrink=halve("count", smallest=1),
    )
    heavy = {"/p/1/c"}

    def answer(request: Request) -> Any:
        if request.path == "/p":
            return [{"id": number, "at": day(1)} for number in range(1, 131)]
        if request.path in heavy and int(request.params["count"]) > 4:
            raise TooLargeError("c: 504.")
        return {"rows": rows(1)}

    ran = run([PARENT, child], answer, concurrency=1)
    sizes = [int(request.params["count"]) for request in ran.api.asked if "count" in request.params]
    assert ran.status == 0
    assert sizes[:40] == [8, *([4] * 39)] and sizes[-1] == 8


def test_a_unit_is_called_alike_whoever_stands_beside_it() -> None:
    stream = replace(CHILD, replication_key="at")
    alone = run([PARENT, stream], lambda r: rows(2) if r.path == "/p" else rows(5))
    among = run([PARENT, stream], lambda r: rows(1, 2, 3) if r.path == "/p" else rows(5))
    (name,) = alone.bookmarks["c"]["units"]
    assert among.bookmarks["c"]["units"][name] == alone.bookmarks["c"]["units"][name]


@pytest.mark.parametrize("kind", ["keyset", "descending"])
@pytest.mark.parametrize("odd", [1, 2, 3, 4, 7])
def test_a_row_that_is_none_is_no_hindrance_to_a_walk_by_its_dates(kind: str, odd: int) -> None:
    def answer(request: Request) -> Any:
        begin, count = int(request.params.get("offset", 0)), int(request.params["count"])
        since = str(request.params.get("since") or "")
        before = str(request.params.get("before") or "z")
        found = [row for row in rows(*range(1, 8)) if since < row["at"] <= before]
        shown = (found if kind == "keyset" else found[::-1])[begin : begin + count]
        return {"rows": ["odd" if row["id"] == odd else row for row in shown]}

    walk = {
        "keyset": replace(PAGED, total="", params={"count": 3, "offset": 0}, order="ascending"),
        "descending": replace(PAGED, total="", params={"count": 3, "offset": 0}, order="descending"),
    }[kind]
    paginator = keyset("at", since="since", before="before") if kind == "keyset" else offset(overlap=0)
    ran = run([replace(walk, replication_key="at", next_page=paginator)], answer)
    assert ran.status == 1
    assert sorted(set(ran.ids("a"))) == [number for number in range(1, 8) if number != odd]
    assert "left out, for having no key" in said(ran)


def test_a_failed_parent_is_named_where_its_path_does_not_say_it() -> None:
    child = replace(CHILD, path="/c", params=lambda unit: {"of": unit.parent["parent_id"]})

    def answer(request: Request) -> Any:
        if request.params.get("of") == 2:
            raise RetryableError("c: GET /c answered 500.")
        return family(request)

    ran = run([PARENT, child], answer)
    assert ran.status == 1 and "c: GET /c answered 500. Missing: parent_id 2." in said(ran)


@pytest.mark.parametrize("is_every", [True, False])
def test_parents_that_are_all_gone_today_are_asked_for_again(is_every: bool) -> None:
    parent = replace(PARENT, replication_key="at", order="ascending")
    below = Parent(stream="p", keys={"parent_id": "id"}, carry=("at",), changed_only=True)
    child = replace(CHILD, replication_key="at", parent=below)

    def answer(request: Request) -> Any:
        if request.path == "/p/1/c" or (is_every and request.path != "/p"):
            raise GoneError("c: 404.")
        return family(request)

    first = run([parent, child], answer, concurrency=1)
    assert first.status == (1 if is_every else 0)
    healthy = run([parent, child], family, state=first.state)
    assert set(pairs(first)) | set(pairs(healthy)) == {pair for pair in ALL if is_every or pair[0] != 1}
