"""From a page to the next request: cursors, and people found first and read then, a hundred a request."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shared.api.request import NextPage, Page, Request

from .met import Met
from .rows import found

logger = logging.getLogger("tap-customerio")

PEOPLE_A_REQUEST = 100
LONG_WALK = 50
"""After so many pages what is left of a window is read from two ends, side by side."""
MOST_WALKS = 10
"""Somebody may join during each of them, who need not be waited for."""


def after(*, empty_ends: bool = False) -> NextPage:
    """Send the page's `next` as `start`. `empty_ends`: a page without rows is the last one, whatever its `next`."""

    def next_page(page: Page) -> Sequence[Request]:
        token = page.at("next")
        if token in (None, "", 0):
            return []
        is_same = str(token) == page.request.params.get("start")
        if not page.rows and (empty_ends or is_same):
            return []
        return [page.request.with_params({"start": str(token)})]

    return next_page


following_page = after()


@dataclass(frozen=True)
class Chain:
    """The memo of a walk over deliveries: how many pages it has had, and the second down to which it goes."""

    pages: int
    down_to: int


def delivery_pages(page: Page) -> Sequence[Request]:
    """The next page of a window. Of a walk that runs long, the older half is walked by another one, side by side.

    Deliveries come from the newest to the oldest, so the walk goes on in its window, and ends where the other begins:
    nothing is read twice but the page where they meet, however many deliveries share a second.
    """
    request, following = page.request, following_page(page)
    first = int(request.params["start_ts"])
    chain = request.memo if isinstance(request.memo, Chain) else Chain(1, first)
    times = [row["created"] for row in page.rows if isinstance(row, dict) and isinstance(row.get("created"), int)]
    last = min(times, default=None)
    if not following or (last is not None and last < chain.down_to):
        return []
    if chain.pages < LONG_WALK or last is None:
        return [replace(each, memo=Chain(chain.pages + 1, chain.down_to)) for each in following]
    middle = (chain.down_to + last) // 2
    if middle >= last:  # a single second is left
        return [replace(each, memo=chain) for each in following]
    older = request.with_params({"start_ts": first, "end_ts": middle, "start": None}, memo=Chain(1, chain.down_to))
    return [*(replace(each, memo=Chain(1, middle + 1)) for each in following), older]


@dataclass
class Search:
    """The memo of a search for people: from where it is walked, whom it met, which walk this is, and whether that one
    met somebody new.
    """

    start: str | None = None
    met: Met = field(default_factory=Met)
    walk: int = 1
    is_news: bool = False


def people_pages(page: Page) -> Sequence[Request]:
    """After a page of the search: the next one, and the people found, a hundred a request, all side by side.

    The last of these requests remembers where the search goes on, for then all people before that have been read.

    Pages are positions (live), so where people go during the search, others slide past it. It is cheap beside reading
    people, so it is walked again from its beginning, until a walk meets nobody new. A walk asks for one person a page
    less than the one before, for its requests are to be told apart.
    """
    if page.request.path != "/customers":
        return []
    search = page.request.memo
    if not isinstance(search, Search):
        search = Search(page.request.params.get("start"))
    token = page.at("next")
    following = [page.request.with_params({"start": str(token)}, memo=search)] if token else []
    if following and following[0] == page.request:
        return following if page.at("identifiers") else []
    ids = [str(each["cio_id"]) for each in found(page.body) if search.met.add(str(each["cio_id"]))]
    search.is_news |= bool(ids)
    is_first = search.walk == 1
    if not following:
        following = _once_more(page.request, search)
    for place in range(0, len(ids), PEOPLE_A_REQUEST):
        is_last = place + PEOPLE_A_REQUEST >= len(ids)
        following.append(
            Request(
                path="/customers/attributes",
                params={"id_type": "cio_id"},
                method="POST",
                body={"ids": ids[place : place + PEOPLE_A_REQUEST]},
                memo=str(token) if token and is_last and is_first else None,
            )
        )
    return following


def _once_more(request: Request, search: Search) -> list[Request]:
    """The search from where it began, if somebody may have slid past it."""
    if not search.is_news or search.met.is_full:
        return []
    if search.walk == MOST_WALKS:
        logger.warning(
            "customers: %d walks of the search each met somebody new; whoever comes now is read by the next run",
            MOST_WALKS,
        )
        return []
    search.walk, search.is_news = search.walk + 1, False
    limit = int(request.params["limit"]) - 1
    return [request.with_params({"limit": limit, "start": search.start}, memo=search)]


def people_read(page: Page) -> Any:
    """Where a broken search goes on."""
    return {"search_start": page.request.memo} if isinstance(page.request.memo, str) else None
