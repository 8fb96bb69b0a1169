"""From a page to what to ask next.

A paginator is a function `(Page) -> Sequence[Request]`: nothing, one request, or several that may go side by side. It
holds nothing, so threads may share it; what it must remember from one request to the next it puts into `Request.memo`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .timestamps import instant, rfc3339, shift

Row = dict[str, Any]
Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request as a description.

    `path` is appended to the API's base URL, or is itself a whole URL. `params` values are text, numbers, booleans
    (sent as true/false) or lists (sent as repeated parameters). `body` goes out as JSON. `quota` names the limit the
    request draws from. `memo` is the paginator's own and is never sent.
    """

    path: str
    params: Params = field(default_factory=dict)
    method: str = "GET"
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    quota: str = ""
    memo: Any = field(default=None, compare=False)

    def with_params(self, params: Params, *, memo: Any = None) -> Request:
        """The same request with `params` added or replaced; a value of None takes its parameter out."""
        merged = {name: value for name, value in {**self.params, **params}.items() if value is not None}
        return replace(self, params=merged, memo=memo)

    def with_url(self, url: str) -> Request:
        """The request for a whole URL that the API gave, taken verbatim."""
        return replace(self, path=url, params={}, memo=None)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: its `request`, its decoded `body`, its raw `rows`, and what the walk saw before it.

    `repeats` says how many of this page's rows, from its first one on, the walk had met before. `is_same`: its rows are
    those of the page before.
    """

    request: Request
    body: Any
    rows: Sequence[Any]
    repeats: int = 0
    is_same: bool = False

    def at(self, path: str) -> Any:
        """What stands at a dotted `path` of the body, None where the path breaks."""
        return at(self.body, path)


NextPage = Callable[[Page], Sequence[Request]]


def at(value: Any, path: str) -> Any:
    """What stands at a dotted `path` inside nested objects, None where the path breaks. An empty path is the value."""
    for name in path.split(".") if path else ():
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


STEPS_BACK = (49, 450, 4500)
"""How far a walk goes back, again and again, to find a row it knows; then to the start."""


@dataclass(frozen=True, slots=True)
class Back:
    """A request's memo: the page before it hung in the air, so its rows prove nothing; this is the nth step back."""

    tries: int
    largest: int = 0


def offset(count: str = "count", start: str = "offset", *, overlap: int = 1) -> NextPage:
    """Ask on at `start` + rows received - `overlap`, until a page has fewer rows than `count`.

    The first row of each further page must be one that the walk has met. If it is not, rows before it have gone and
    later ones slid out of sight: step back until a known row leads the page. Rows that came in only cause repeats. An
    API that ignores `count` answers with more rows than asked, one that ignores `start` with the same page twice.
    """

    def next_page(page: Page) -> Sequence[Request]:
        request, received = page.request, len(page.rows)
        asked, position = int(request.params[count]), int(request.params.get(start, 0))
        shared_rows = min(overlap, asked - 1)
        if shared_rows and position and not page.repeats:
            tries = request.memo.tries if isinstance(request.memo, Back) else 0
            step = STEPS_BACK[tries] if tries < len(STEPS_BACK) else position
            return [request.with_params({start: max(0, position - step)}, memo=Back(tries + 1))]
        if received != asked:
            return []
        if page.is_same:  # maybe as many rows came in before it: one page further on tells
            return [] if request.memo == "same" else [request.with_params({start: position + received}, memo="same")]
        return [request.with_params({start: position + received - shared_rows})]

    return next_page


def keyset(
    field: str,
    *,
    since: str,
    before: str,
    count: str = "count",
    start: str = "offset",
    stamp: Callable[[str], str] = rfc3339,
) -> NextPage:
    """Walk up a sorted `field` of whole seconds: after each full page ask for what comes `since` its last row's second.

    `since` is exclusive and `before` inclusive, so one second less is asked for and the repeats are dropped. A page
    that one single second fills is paged by offset inside that second; then the walk goes on behind it. Rows that
    change meanwhile move to the end and are met again. Rows that turn out unsorted are walked by offset.
    """
    by_offset = offset(count, start)

    def next_page(page: Page) -> Sequence[Request]:
        request = page.request
        if before in request.params:
            inside = by_offset(page)
            return inside or [request.with_params({since: request.params[before], before: None, start: 0})]
        if len(page.rows) < int(request.params[count]):
            return by_offset(page) if request.params.get(start) else []
        stamps = [row.get(field) for row in page.rows]
        last = instant(stamps[-1])
        is_sorted = all(isinstance(a, str) for a in stamps) and all(
            a <= b for a, b in zip(stamps, stamps[1:], strict=False)
        )
        if last is None or not is_sorted or request.params.get(start):
            return by_offset(page)
        if instant(stamps[0]) == last:
            alone = {since: stamp(shift(last, -1)), before: stamp(last), start: len(page.rows) - 1}
            return [request.with_params(alone)]
        return [request.with_params({since: stamp(shift(last, -1)), start: 0})]

    return next_page


def cursor(path: str, *, param: str) -> NextPage:
    """Send the cursor found at `path` of each page as `param` of the next, until there is none."""

    def next_page(page: Page) -> Sequence[Request]:
        token = page.at(path)
        return [page.request.with_params({param: token})] if token else []

    return next_page


def link(path: str) -> NextPage:
    """Follow the whole URL found at `path` of each page, verbatim, until there is none."""

    def next_page(page: Page) -> Sequence[Request]:
        url = page.at(path)
        return [page.request.with_url(url)] if url else []

    return next_page


def overlapping(number: str = "page", size: str = "pageSize", *, more: Callable[[Any], bool]) -> NextPage:
    """Page numbers for an API that has nothing but them, while `more(body)`; no page is larger than the first.

    Rows that go while one reads shift later ones onto the page before, out of sight. So each further page is asked for
    a little smaller, just so that it begins with a row of the page before (page 2 of 999 begins with row 1000 of page 1
    of 1000). If its first row is not known, rows before it have gone: step back until a known row leads the page.
    """

    def covering(position: int, largest: int) -> Params:
        """The page that holds the row at `position` and reaches furthest beyond it."""
        if 2 * position <= largest:  # the first page does, and reaches furthest
            return {number: 1, size: largest}
        least = -(-position // largest)
        before = max(range(least, least + 50), key=lambda pages: (pages + 1) * (position // pages))
        return {number: before + 1, size: max(1, position // before)}

    def next_page(page: Page) -> Sequence[Request]:
        request, received = page.request, len(page.rows)
        asked = int(request.params[size])
        start = (int(request.params[number]) - 1) * asked
        memo = request.memo
        largest = memo.largest if isinstance(memo, Back) else memo or asked
        if start and not page.repeats:
            tries = memo.tries if isinstance(memo, Back) else 0
            back = STEPS_BACK[tries] if tries < len(STEPS_BACK) else start
            return [request.with_params(covering(start - back, largest), memo=Back(tries + 1, largest))]
        if not received or not more(page.body):
            return []
        return [request.with_params(covering(start + received - 1, largest), memo=largest)]

    return next_page


def numbered(param: str = "page", *, pages: str, first: int = 1) -> NextPage:
    """Page numbers, all asked side by side once the first page has told at `pages` how many there are."""

    def next_page(page: Page) -> Sequence[Request]:
        if page.request.params.get(param, first) != first or not page.rows:
            return []
        total = page.at(pages) or 0
        return [page.request.with_params({param: number}) for number in range(first + 1, first + int(total))]

    return next_page


def halve(count: str, *, smallest: int) -> Callable[[Request], Request | None]:
    """What to ask instead of a request that was too large: half the page, None below `smallest`."""

    def smaller(request: Request) -> Request | None:
        now = int(request.params[count])
        return request.with_params({count: max(smallest, now // 2)}, memo=request.memo) if now > smallest else None

    return smaller
