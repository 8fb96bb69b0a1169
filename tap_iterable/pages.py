"""How pages are asked for and read: by number, with the presence of a link to say that more will come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.api.paginators import overlapping, smaller_overlapping
from shared.api.request import Page, Params, Request
from shared.streams import Unit


def numbered(most: int, **params: Any) -> Callable[[Unit], Params]:
    """The first page, as large as may be."""

    def of(unit: Unit) -> Params:
        return {"page": 1, "pageSize": min(most, int(unit.settings["page_size"])), **params}

    return of


def has_more(body: Any) -> bool:
    """Whether there is a next page. Only the presence of its URL counts: the key goes to no host that a body names."""
    return bool(inside(body).get("nextPageUrl"))


def inside(body: Any) -> Mapping[str, Any]:
    """Catalogs answer in an envelope that the specification does not show."""
    inner = body.get("params") if isinstance(body, dict) else None
    return inner if isinstance(inner, dict) else body if isinstance(body, dict) else {}


def enveloped(name: str) -> Callable[[Any], Sequence[Any]]:
    """The rows in an answer that may come in an envelope."""

    def rows(body: Any) -> Sequence[Any]:
        found = inside(body).get(name)
        if not isinstance(found, list):
            raise ValueError(f"the answer has no {name!r}")
        return found

    return rows


by_number = overlapping(more=has_more)


def by_number_of_a_size(page: Page) -> Sequence[Request]:
    """The same where the largest page is not documented: an API that gives less than it was asked for, and has more, is
    asked again for what it gives. One that refuses is asked for half as much (`shrink`).
    """
    asked, given = int(page.request.params["pageSize"]), len(page.rows)
    if page.request.params["page"] == 1 and 0 < given < asked and has_more(page.body):
        return [page.request.with_params({"pageSize": given})]
    return by_number(page)


half_the_size = smaller_overlapping(smallest=10)
