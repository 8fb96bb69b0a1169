"""Any paginator, over any number of rows, with rows that come, go and tie while it walks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.api.paginators import Back, cursor, halve, keyset, link, numbered, offset, overlapping, smaller_overlapping
from shared.api.request import NextPage, Request, at
from shared.streams import Stream, Unit
from shared.sync.paging import Paging
from shared.timestamps import instant, rfc3339

Row = dict[str, Any]
BEGIN = 1_760_000_000


def stamp(second: int) -> str:
    """The wire form of a second after some beginning."""
    from datetime import datetime, timezone

    return datetime.fromtimestamp(BEGIN + second, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def walk(
    next_page: NextPage,
    request: Request,
    serve: Callable[[Request], Any],
    *,
    limit: int = 2_000,
    counted: bool = False,
    turns: Sequence[int] = (),
) -> list[Row]:
    """The rows that a walk emits, with the engine's own bookkeeping of repeats. `turns`: in what order the answers to
    requests come that are known together.
    """
    key = "changed" if "since" in request.params else None
    stream = Stream(name="rows", records="rows", next_page=next_page, replication_key=key, counted=counted)
    state = Paging(stream, Unit(stream="rows"))
    pending: list[tuple[Request, Any]] = [(request, None)]
    emitted: list[Row] = []
    for _ in range(limit):
        if not pending:
            return emitted
        asked, answer = pending.pop(0)
        page, fresh = state.page(asked, answer or serve(asked))
        emitted += fresh
        following = list(next_page(page))
        assert asked not in following
        if any(isinstance(each.memo, Back) for each in following):
            pending.clear()
        order = sorted(range(len(following)), key=lambda place: turns[place % len(turns)] if turns else place)
        answers = {place: serve(following[place]) for place in order} if turns else {}
        pending += [(each, answers.get(place)) for place, each in enumerate(following)]
    raise AssertionError("the walk does not end")


def by_offset(rows: Sequence[Row]) -> Callable[[Request], Any]:
    """An endpoint with count and offset."""

    def serve(request: Request) -> Any:
        start, count = int(request.params.get("offset", 0)), int(request.params["count"])
        return {"rows": list(rows[start : start + count])}

    return serve


def by_second(rows: Callable[[], Sequence[Row]]) -> Callable[[Request], Any]:
    """An endpoint sorted by `changed`, with half-open filters (since, before]."""

    def serve(request: Request) -> Any:
        p = request.params
        since, before = instant(p["since"]), instant(p.get("before", "2100-01-01"))
        assert since and before
        found = sorted(
            (row for row in rows() if since < (instant(row["changed"]) or "") <= before),
            key=lambda row: (row["changed"], hash(row["id"])),
        )
        start = int(p.get("offset", 0))
        return {"rows": found[start : start + int(p["count"])]}

    return serve


@given(total=st.integers(0, 40), count=st.integers(2, 12))
def test_offset_yields_each_row_once(total: int, count: int) -> None:
    rows = [{"id": n} for n in range(total)]
    assert walk(offset(), Request("/x", {"count": count}), by_offset(rows)) == rows


@settings(max_examples=300, deadline=None)
@given(
    total=st.integers(1, 60),
    count=st.integers(2, 9),
    moves=st.lists(st.tuples(st.booleans(), st.integers(0, 80)), max_size=25),
    counted=st.booleans(),
)
def test_offset_misses_nothing_that_stayed_while_rows_come_and_go(
    total: int, count: int, moves: list[tuple[bool, int]], counted: bool
) -> None:
    rows = [{"id": n} for n in range(total)]
    changes, new, gone = iter(moves), iter(range(1000, 2000)), set()
    serve = by_offset(rows)

    def moving(request: Request) -> Any:
        answer = serve(request)
        for insert, place in (change for change in [next(changes, None)] if change):
            if insert:
                rows.insert(min(place, len(rows)), {"id": next(new)})
            elif rows:
                gone.add(rows.pop(place % len(rows))["id"])
        return answer

    emitted = {row["id"] for row in walk(offset(), Request("/x", {"count": count}), moving, counted=counted)}
    assert set(range(total)) - gone <= emitted


@given(values=st.lists(st.integers(0, 3), max_size=30).map(sorted), count=st.integers(2, 7))
def test_equal_rows_that_are_counted_come_as_often_as_they_are_there(values: list[int], count: int) -> None:
    rows = [{"id": value} for value in values]
    assert walk(offset(), Request("/x", {"count": count}), by_offset(rows), counted=True) == rows


def test_offset_stops_when_the_api_ignores_count_or_offset() -> None:
    rows = [{"id": n} for n in range(7)]
    assert walk(offset(), Request("/x", {"count": 5}), lambda _: {"rows": rows}) == rows
    assert walk(offset(), Request("/x", {"count": 7}), lambda _: {"rows": rows}) == rows


def by_number(rows: Sequence[Row]) -> Callable[[Request], Any]:
    """An endpoint with page numbers."""

    def serve(request: Request) -> Any:
        size = int(request.params["pageSize"])
        start = (int(request.params["page"]) - 1) * size
        return {"rows": list(rows[start : start + size]), "more": start + size < len(rows), "total": len(rows)}

    return serve


@given(total=st.integers(0, 80), size=st.integers(20, 30), ahead=st.booleans(), overlap=st.integers(1, 4))
def test_overlapping_pages_yield_each_row_once(total: int, size: int, ahead: bool, overlap: int) -> None:
    rows = [{"id": n} for n in range(total)]
    next_page = overlapping(
        more=lambda body: body["more"], total="total" if ahead else "", overlap=overlap, smallest=10
    )
    assert walk(next_page, Request("/x", {"page": 1, "pageSize": size}), by_number(rows)) == rows


@settings(max_examples=300, deadline=None)
@given(
    total=st.integers(1, 120),
    size=st.integers(20, 30),
    moves=st.lists(st.tuples(st.booleans(), st.integers(0, 99)), max_size=25),
    turns=st.lists(st.integers(0, 9), max_size=5),
    smallest=st.sampled_from([1, 10]),
)
@example(total=56, size=27, moves=[(False, 0), (False, 0), (False, 27), (True, 50)], turns=[], smallest=1)
def test_overlapping_pages_miss_nothing_that_stayed_while_rows_come_and_go(
    total: int, size: int, moves: list[tuple[bool, int]], turns: list[int], smallest: int
) -> None:
    rows = [{"id": n} for n in range(total)]
    changes, new, gone = iter(moves), iter(range(1000, 2000)), set()
    serve = by_number(rows)

    def moving(request: Request) -> Any:
        assert int(request.params["pageSize"]) >= smallest
        answer = serve(request)
        for insert, place in (change for change in [next(changes, None)] if change):
            if insert:
                rows.insert(min(place, len(rows)), {"id": next(new)})
            elif rows:
                gone.add(rows.pop(place % len(rows))["id"])
        return answer

    next_page = overlapping(more=lambda body: body["more"], total="total" if turns else "", smallest=smallest)
    emitted = walk(next_page, Request("/x", {"page": 1, "pageSize": size}), moving, turns=turns)
    assert set(range(total)) - gone <= {row["id"] for row in emitted}


@given(total=st.integers(30, 90), size=st.integers(20, 30), broken=st.integers(1, 5))
def test_pages_that_were_too_large_go_on_as_smaller_ones_from_the_same_row(total: int, size: int, broken: int) -> None:
    rows = [{"id": n} for n in range(total)]
    next_page = overlapping(more=lambda body: body["more"], total="total")
    smaller = smaller_overlapping(smallest=5)
    state, pending = Paging(Stream(name="rows", records="rows", next_page=next_page), Unit(stream="rows")), []
    emitted: list[Row] = []
    pending = [Request("/x", {"page": 1, "pageSize": size})]
    while pending:
        asked, broken = pending.pop(0), broken - 1
        if broken == 0:
            less = smaller(asked)
            assert less and int(less.params["pageSize"]) <= size // 2
            pending = [less]
            continue
        page, fresh = state.page(asked, by_number(rows)(asked))
        emitted += fresh
        pending += next_page(page)
    assert emitted == rows
    assert smaller(Request("/x", {"page": 3, "pageSize": 5})) is None


SECONDS = st.lists(st.integers(0, 6), min_size=0, max_size=40)


def keyset_walk() -> NextPage:
    return keyset("changed", since="since", before="before")


@given(seconds=SECONDS, count=st.integers(2, 8))
def test_keyset_yields_each_row_once_however_many_share_a_second(seconds: list[int], count: int) -> None:
    rows = [{"id": n, "changed": stamp(second)} for n, second in enumerate(seconds)]
    request = Request("/x", {"count": count, "since": stamp(-1)})
    emitted = walk(keyset_walk(), request, by_second(lambda: rows))
    assert sorted(row["id"] for row in emitted) == list(range(len(rows)))


@settings(max_examples=300, deadline=None)
@given(
    seconds=SECONDS,
    count=st.integers(2, 8),
    moves=st.lists(
        st.lists(st.tuples(st.sampled_from(["change", "remove", "insert", "tick"]), st.integers(0, 60)), max_size=5),
        max_size=20,
    ),
)
def test_keyset_misses_nothing_that_stayed_while_rows_change(
    seconds: list[int], count: int, moves: list[list[tuple[str, int]]]
) -> None:
    """Any number of rows change in one second, while the walk is in that second too."""
    rows = {n: {"id": n, "changed": stamp(second)} for n, second in enumerate(seconds)}
    changes, new, now, gone = iter(moves), iter(range(1000, 2000)), max(seconds, default=0), set()
    serve = by_second(lambda: list(rows.values()))

    def moving(request: Request) -> Any:
        nonlocal now
        answer = serve(request)
        for what, place in next(changes, []):
            key = sorted(rows)[place % len(rows)] if rows else None
            if what == "tick":
                now += 1
            elif what == "insert":
                number = next(new)
                rows[number] = {"id": number, "changed": stamp(now)}
            elif key is not None and what == "remove":
                del rows[key]
                gone.add(key)
            elif key is not None:
                rows[key] = {"id": key, "changed": stamp(now)}
        return answer

    request = Request("/x", {"count": count, "since": stamp(-1)})
    emitted = {row["id"] for row in walk(keyset_walk(), request, moving)}
    assert set(range(len(seconds))) - gone <= emitted


def test_a_row_that_changed_since_it_was_met_does_not_prove_that_none_was_skipped() -> None:
    rows = {8: 0, **dict.fromkeys(range(1, 7), 5)}
    serve = by_second(lambda: [{"id": n, "changed": stamp(second)} for n, second in rows.items()])

    def moving(request: Request) -> Any:
        answer = serve(request)
        if [row["id"] for row in answer["rows"]] == [3, 4, 5]:  # 8 comes to stand where 5 stood, and 6 before it
            rows.pop(1, None), rows.pop(2, None)
            rows[8] = 5
        return answer

    emitted = walk(keyset_walk(), Request("/x", {"count": 3, "since": stamp(-1)}), moving)
    assert {row["id"] for row in emitted} == {1, 2, 3, 4, 5, 6, 8}


def test_keyset_falls_back_on_offsets_when_rows_are_not_sorted() -> None:
    rows = [{"id": n, "changed": stamp(5 - n % 4)} for n in range(11)]
    request = Request("/x", {"count": 3, "since": stamp(-1)})
    assert walk(keyset_walk(), request, by_offset(rows)) == rows


@given(sizes=st.lists(st.integers(0, 5), max_size=8))
def test_cursor_and_link_go_on_until_there_is_none(sizes: list[int]) -> None:
    pages = [[{"id": (n, m)} for m in range(size)] for n, size in enumerate(sizes)] or [[]]
    flat = [row for page in pages for row in page]

    def serve(request: Request) -> Any:
        number = int(request.params.get("after", request.path.rpartition("/")[2] or 0))
        following = number + 1 if number + 1 < len(pages) else None
        return {"rows": pages[number], "next": following and str(following), "url": following and f"/x/{following}"}

    assert walk(cursor("next", param="after"), Request("/x/"), serve) == flat
    assert walk(link("url"), Request("/x/0"), serve) == flat


@given(total=st.integers(0, 30), size=st.integers(1, 7))
def test_numbered_pages_are_asked_side_by_side_after_the_first(total: int, size: int) -> None:
    rows = [{"id": n} for n in range(total)]

    def serve(request: Request) -> Any:
        number = int(request.params.get("page", 1))
        return {"rows": rows[(number - 1) * size : number * size], "pages": -(-total // size)}

    assert walk(numbered("page", pages="pages"), Request("/x", {"page": 1}), serve) == rows


def test_halve_goes_down_to_the_smallest_and_no_further() -> None:
    smaller = halve("count", smallest=50)
    sizes, request = [], Request("/x", {"count": 1000, "offset": 3})
    while (found := smaller(request)) is not None:
        request = found
        sizes.append(request.params["count"])
    assert sizes == [500, 250, 125, 62, 50]
    assert request.params["offset"] == 3


@pytest.mark.parametrize(
    ("path", "value"), [("", {"a": {"b": 1}}), ("a", {"b": 1}), ("a.b", 1), ("a.b.c", None), ("x", None)]
)
def test_at_follows_a_dotted_path_and_breaks_quietly(path: str, value: Any) -> None:
    assert at({"a": {"b": 1}}, path) == value


def test_stamp_is_what_the_wire_takes() -> None:
    assert rfc3339(instant(stamp(0)) or "") == stamp(0)
