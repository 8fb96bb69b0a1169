"""Rows that share a moment are each read once, however they lie over pages and whatever their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.api.answers import Response
from shared.api.paginators import halve
from shared.api.request import Request
from shared.errors import ApiError, TooLargeError
from shared.streams import Rows, Stream, Unit
from shared.sync.moments import Moments, by_moment

STREAM = Stream(
    name="opens",
    path="/opens",
    params={"page": 1, "size": 4},
    records="rows",
    key_properties=("n",),
    replication_key="at",
)
MOMENTS = Moments(
    date="at",
    since="since",
    since_all=lambda moment: moment,
    page="page",
    more=lambda body: bool(body["more"]),
    total="total",
    smaller=halve("size", smallest=2),
    anew=lambda unit: unit.scratch.update(anew=unit.scratch.get("anew", 0) + 1),
)


class Api:
    """Rows of `(moment, content)`, served from the first moment asked for on."""

    def __init__(self, rows: Sequence[tuple[int, int]], *, largest: int = 9, ignores_page: bool = False) -> None:
        self.rows = [{"at": f"{moment:02d}", "n": content} for moment, content in rows]
        self.largest, self.ignores_page, self.asked, self.said = largest, ignores_page, 0, list[str]()
        self.report = self

    def warn(self, stream: str, text: str) -> None:
        self.said.append(text)

    def send(self, request: Request, *, stream: str, read: Any, shrinkable: bool) -> Any:
        self.asked += 1
        assert self.asked < 500, "no end"
        size, page = int(request.params["size"]), 1 if self.ignores_page else int(request.params["page"])
        if size > self.largest:
            raise TooLargeError("too large")
        found = [row for row in self.rows if row["at"] >= request.params.get("since", "")]
        shown = found[(page - 1) * size : page * size]
        body = {"rows": shown, "more": page * size < len(found), "total": len(found)}
        import orjson

        return read(Response(200, content=orjson.dumps(body)))


def read(api: Any) -> list[tuple[int, int]]:
    unit = Unit(stream="opens")
    found: list[tuple[int, int]] = []
    for step in by_moment(STREAM, MOMENTS, api, unit):
        if unit.scratch.pop("anew", 0):
            found.clear()  # what is read again is written again
        assert isinstance(step, Rows)
        found += [(int(row["at"]), row["n"]) for row in step.rows]
    return found


rows = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), max_size=40)


@given(rows)
def test_sorted_rows_come_once_each_equal_ones_too(rows: list[tuple[int, int]]) -> None:
    rows.sort(key=lambda row: row[0])
    assert [moment for moment, _ in read(Api(rows))] == [moment for moment, _ in rows]
    assert Counter(read(Api(rows))) == Counter(rows)


@given(rows)
def test_rows_in_any_order_come_once_each(rows: list[tuple[int, int]]) -> None:
    assert Counter(read(Api(rows))) == Counter(rows)


def test_a_page_that_is_too_large_is_asked_for_in_half() -> None:
    rows = [(n // 3, n) for n in range(20)]
    assert read(Api(rows, largest=2)) == rows


def test_a_page_that_comes_again_and_again_is_an_error() -> None:
    with pytest.raises(ApiError, match="ignored page"):
        read(Api([(1, 7)] * 9, ignores_page=True))
