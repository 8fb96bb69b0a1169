"""From a page to what to ask next.

A paginator is a function `(Page) -> Sequence[Request]`: nothing, one request, or several that may go side by side. It
holds nothing, so threads may share it; what it must remember from one request to the next it puts into `Request.memo`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..timestamps import instant, rfc3339, shift
from .request import NextPage, Page, Params, Request

STEPS_BACK = (49, 450, 4500)
"""How far a walk goes back, again and again, to find a row it knows; then to the start."""


@dataclass(frozen=True, slots=True)
class Back:
    """A request's memo: the page before it hung in the air, so its rows prove nothing; this is the nth step back.

    Whatever was planned behind the page before it is dropped.
    """

    tries: int
    largest: int = 0


@dataclass(frozen=True, slots=True)
class Planned:
    """A request's memo: the largest page there may be, and whether what comes behind this one is yet to be planned."""

    largest: int
    is_last: bool = True


def offset(count: str = "count", start: str = "offset", *, overlap: int = 1) -> NextPage:
    """Ask on at `start` + rows received - `overlap`, until a page is short (and the API counts no more).

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
        if received != asked and not (shared_rows < received < asked and position + received < (page.total or 0)):
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
        # A row that is none, or has no such date, has its place all the same.
        stamps = [row.get(field) if isinstance(row, dict) else None for row in page.rows]
        texts = [each for each in stamps if isinstance(each, str)]
        last = instant(stamps[-1])
        is_sorted = texts == stamps and all(a <= b for a, b in zip(texts, texts[1:], strict=False))
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


def overlapping(
    number: str = "page",
    size: str = "pageSize",
    *,
    more: Callable[[Any], bool],
    total: str = "",
    overlap: int = 1,
    smallest: int = 1,
) -> NextPage:
    """Page numbers for an API that has nothing but them, while `more(body)`; no page is larger than the first.

    Rows that go while one reads shift later ones onto the page before, out of sight. So each further page is asked for
    a little smaller, just so that it begins with the last `overlap` rows of the page before (page 2 of 999 begins with
    row 1000 of page 1 of 1000). If its first row is not known, rows before it have gone: step back until a known row
    leads the page. Where the rows keep their order this proves the walk whole, whichever page was read first: so, with
    the number of rows at `total`, all pages may be asked side by side. The first page has to be at least twice as
    large as the `smallest` there may be.
    """

    def planned(position: int, largest: int, rows: int) -> Iterator[Request]:
        step = max(1, min(overlap, largest // 10))
        while True:
            params = _covering(max(position - step, 0), number, size, largest, smallest)
            position = int(params[number]) * int(params[size])
            yield Request("", params, memo=Planned(largest, position >= rows))
            if position >= rows:
                return

    def next_page(page: Page) -> Sequence[Request]:
        request, received, memo = page.request, len(page.rows), page.request.memo
        asked = int(request.params[size])
        start = (int(request.params[number]) - 1) * asked
        largest = memo.largest if isinstance(memo, (Back, Planned)) else asked
        if start and not page.repeats:
            tries = memo.tries if isinstance(memo, Back) else 0
            back = start - (STEPS_BACK[tries] if tries < len(STEPS_BACK) else start)
            return [
                request.with_params(_covering(back, number, size, largest, smallest), memo=Back(tries + 1, largest))
            ]
        if not received or not more(page.body) or (isinstance(memo, Planned) and not memo.is_last):
            return []
        rows = int(page.at(total) or 0) if total else 0
        return [request.with_params(to.params, memo=to.memo) for to in planned(start + received, largest, rows)]

    return next_page


def smaller_overlapping(number: str = "page", size: str = "pageSize", *, smallest: int) -> Callable[[Request], Any]:
    """What `overlapping` asks instead of a page that was too large: pages of half the size from the same row on."""

    def smaller(request: Request) -> Request | None:
        asked = int(request.params[size])
        largest = request.memo.largest if isinstance(request.memo, (Back, Planned)) else asked
        if largest <= smallest:
            return None
        start, largest = (int(request.params[number]) - 1) * asked, max(smallest, largest // 2)
        return request.with_params(_covering(start, number, size, largest, 1), memo=Planned(largest))

    return smaller


def _covering(position: int, number: str, size: str, largest: int, smallest: int) -> Params:
    """The page that holds the row at `position` and reaches furthest beyond it."""
    if position < smallest or 2 * position <= largest:  # the first page reaches as far as the second could
        return {number: 1, size: largest}
    least = -(-position // largest)
    numbers = [before for before in range(least, least + 50) if position // before >= smallest]
    before = max(numbers, key=lambda before: (before + 1) * (position // before))
    return {number: before + 1, size: position // before}


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
