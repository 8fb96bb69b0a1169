"""From a page to the next request: cursors, and people found first and read then, a hundred a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from shared.api.request import NextPage, Page, Request

PEOPLE_A_REQUEST = 100
LONG_WALK = 50
"""After so many pages what is left of a window is read from two ends, side by side."""


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


def delivery_pages(page: Page) -> Sequence[Request]:
    """The next page of a window; what is left of one that runs long goes on as two, cut in the middle.

    Deliveries come from the newest to the oldest, so the oldest second of the page is the last one to read again.
    """
    following = following_page(page)
    walked = (page.request.memo or 1) + 1
    if walked <= LONG_WALK or not following:
        return [replace(request, memo=walked) for request in following]
    first = page.request.params["start_ts"]
    last = min((row["created"] for row in page.rows if row.get("created")), default=first)
    middle = (first + last) // 2
    if middle == last:  # a single second
        return following
    older, newer = {"start_ts": first, "end_ts": middle}, {"start_ts": middle + 1, "end_ts": last}
    return [page.request.with_params({**half, "start": None}) for half in (newer, older)]


def people_pages(page: Page) -> Sequence[Request]:
    """After a page of the search: the next one, and the people found, a hundred a request, all side by side.

    The last of these requests remembers where the search goes on, for then all people before that have been read.
    """
    if page.request.path != "/customers":
        return []
    token = page.at("next")
    following = [page.request.with_params({"start": str(token)})] if token else []
    if following and following[0] == page.request:
        return following if page.at("identifiers") else []
    ids = [str(each["cio_id"]) for each in page.at("identifiers") or () if each.get("cio_id")]
    for place in range(0, len(ids), PEOPLE_A_REQUEST):
        is_last = place + PEOPLE_A_REQUEST >= len(ids)
        following.append(
            Request(
                path="/customers/attributes",
                params={"id_type": "cio_id"},
                method="POST",
                body={"ids": ids[place : place + PEOPLE_A_REQUEST]},
                memo=str(token) if token and is_last else None,
            )
        )
    return following


def people_read(page: Page) -> Any:
    """Where a broken search goes on."""
    return {"search_start": page.request.memo} if isinstance(page.request.memo, str) else None
