"""A walk by time over rows of which several may share a moment, be equal in all, and stand in any order within it.

Such rows are told apart by counting, so all rows of a moment are taken from one answer. The walk asks for what is new
since the moment it has come to, takes all whole moments of the answer, and asks again from the one that was cut off. A
moment that fills whole pages is read page by page until two reads agree. Rows that turn out unsorted are read page by
page too, from the beginning. For a `fetch` hook, which says how its API is asked (`Moments`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from ..api.answers import Response
from ..api.client import Client
from ..api.request import Request, at
from ..errors import ApiError, TooLargeError
from ..streams import Rows, Step, Stream, Unit
from .paging import decoded, first_request, located

WALKS = 3
"""So often what cannot be read in one answer is read, until two reads agree."""


@dataclass(frozen=True, kw_only=True)
class Moments:
    """How an API is asked for rows by time.

    `date` is the rows' field: text that sorts by time. `since` is the filter's parameter, `since_all` gives the value
    that brings all rows of a moment and later ones. `page` is the parameter of a page's number, counted from 1;
    `more(body)` whether there is another page, `total` the place of the number of all rows. `smaller` gives what to ask
    instead of too large a page. `anew` is told when a unit's rows begin once more.
    """

    date: str
    since: str
    since_all: Callable[[str], str]
    page: str
    more: Callable[[Any], bool]
    total: str
    smaller: Callable[[Request], Request | None]
    anew: Callable[[Unit], None]


@dataclass(frozen=True)
class _Answer:
    request: Request
    rows: list[Any]
    more: bool
    total: int
    size: int
    care: bool


def by_moment(stream: Stream, moments: Moments, client: Client, unit: Unit) -> Generator[Step, None, None]:
    """All rows of a unit, oldest first, those of each moment from one answer."""
    walk = _Walk(stream, moments, client, unit)
    following: Request | None = first_request(stream, unit)
    while following is not None:
        request = following
        try:
            following = yield from walk.step(request)
        except TooLargeError:
            less = moments.smaller(request)
            if less is None:
                raise
            following = less.with_params({moments.page: 1})
            moments.anew(unit)
    yield from walk.proof()


class _Walk:
    """One walk; `done` is the last moment that is complete."""

    def __init__(self, stream: Stream, moments: Moments, client: Client, unit: Unit) -> None:
        self.stream, self.moments, self.client, self.unit = stream, moments, client, unit
        self.done = ""
        self._first: _Answer | None = None
        self._before: _Answer | None = None
        self._read = 0

    def step(self, request: Request) -> Generator[Step, None, Request | None]:
        """Yields the whole moments of an answer; returns what to ask next."""
        answer = self._ask(request)
        self._first = self._first or answer
        rows = [row for row in answer.rows if self._time(row) > self.done] if self.done else answer.rows
        if not answer.more:
            yield self._found(rows, answer)
            return None
        times = [self._time(row) for row in answer.rows]
        if times != sorted(times):
            yield from self._unsorted(self._first)
            return None
        last = times[-1]
        whole = [row for row in rows if self._time(row) < last]
        start = self.moments.since_all(last)
        if whole:
            yield self._found(whole, answer)
            self.done = self._time(whole[-1])
        if not rows:
            return self._next_page(request)
        if whole or request.params.get(self.moments.since) != start:
            return request.with_params({self.moments.since: start, self.moments.page: 1})
        request = yield from self._alone(request, last)
        self.done = last
        return request

    def proof(self) -> Iterator[Rows]:
        """Nothing, unless fewer rows came than the first answer told of: they are not in order then, and read anew."""
        if self._first is not None and self._first.more and self._read < self._first.total:
            yield from self._unsorted(self._first)

    def _found(self, rows: list[Any], answer: _Answer) -> Rows:
        self._read += len(rows)
        return Rows(rows, size=answer.size, care=answer.care)

    def _ask(self, request: Request) -> _Answer:
        def read(response: Response) -> _Answer:
            body, care = decoded(self.stream, response)
            rows = list(located(self.stream, body))
            total = int(at(body, self.moments.total) or 0)
            return _Answer(request, rows, bool(rows) and self.moments.more(body), total, len(response.content), care)

        answer = self.client.send(request, stream=self.stream.name, read=read, shrinkable=True)
        before, self._before = self._before, answer
        is_next = before is not None and request == self._next_page(before.request)
        if before is not None and is_next and answer.more and answer.rows == before.rows:
            raise ApiError(
                f"{self.stream.name}: {request.path}: the next page has the same rows again; "
                f"the API may have ignored {self.moments.page}. Report this."
            )
        return answer

    def _next_page(self, request: Request) -> Request:
        return request.with_params({self.moments.page: int(request.params[self.moments.page]) + 1})

    def _time(self, row: Any) -> str:
        return str(row.get(self.moments.date) or "") if isinstance(row, dict) else ""

    def _unsorted(self, first: _Answer) -> Iterator[Rows]:
        """Page by page, where rows do not come in order; anew when fewer came than the first answer told of."""
        for _ in range(WALKS):
            self.moments.anew(self.unit)
            answer, self._read = first, 0
            yield self._found(answer.rows, answer)
            while answer.more:
                answer = self._ask(self._next_page(answer.request))
                yield self._found(answer.rows, answer)
            if self._read >= first.total:
                return
            first = self._ask(first.request)
        text = f"{first.request.path}: {self._read} rows came of {first.total}."
        self.client.report.warn(self.stream.name, text)

    def _alone(self, request: Request, last: str) -> Generator[Step, None, Request]:
        """Yields the rows of a moment that fills whole pages; returns the request that reached behind it."""
        written: Counter[int] = Counter()
        before = (0, 0)
        for _ in range(WALKS):
            found: Counter[int] = Counter()
            answer = self._ask(request)
            while True:
                fresh = []
                for row in answer.rows:
                    if self._time(row) == last:
                        digest = hash(orjson.dumps(row))
                        found[digest] += 1
                        if found[digest] > written[digest]:
                            written[digest] += 1
                            fresh.append(row)
                yield self._found(fresh, answer)
                if not answer.more or self._time(answer.rows[-1]) > last:
                    break
                answer = self._ask(self._next_page(answer.request))
            seen = (found.total(), sum(digest * count for digest, count in found.items()))
            if seen == before:
                break
            before = seen
        else:
            text = f"{request.path}: the rows of {last} differ from read to read."
            self.client.report.warn(self.stream.name, text)
        return answer.request
