"""One request as a description, and one page as it came: what paginators and stream descriptions speak of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import ApiError

Row = dict[str, Any]


Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request as a description.

    `path` is appended to the API's base URL, or is itself a whole URL. `params` values are text, numbers, booleans
    (sent as true/false) or lists (sent as repeated parameters). `body` goes out as JSON. `quota` names the limit the
    request draws from; `ahead`, that it does so before others. `memo` is the paginator's own and is never sent.
    `silence_seconds`: how long nothing may come of the answer, where that is not what the settings say.
    """

    path: str
    params: Params = field(default_factory=dict)
    method: str = "GET"
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    quota: str = ""
    ahead: bool = False
    memo: Any = field(default=None, compare=False)
    silence_seconds: float | None = None

    def with_params(self, params: Params, *, memo: Any = None) -> Request:
        """The same request with `params` added or replaced; a value of None takes its parameter out."""
        merged = {name: value for name, value in {**self.params, **params}.items() if value is not None}
        return replace(self, params=merged, memo=memo)

    def with_url(self, url: str) -> Request:
        """The request for a whole URL that the API gave, taken verbatim; an ApiError when what it gave is no text."""
        if not isinstance(url, str):
            raise ApiError(
                f"{self.method} {self.path}: the link to the next page is no text, but {type(url).__name__}."
            )
        return replace(self, path=url, params={}, memo=None)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: its `request`, its decoded `body`, its raw `rows`, and what the walk saw before it.

    `repeats` says how many of this page's rows, from its first one on, the walk had met before. `is_same`: its rows are
    those of the page before. `total`: how many rows the body says there are in all, if it does.
    """

    request: Request
    body: Any
    rows: Sequence[Any]
    repeats: int = 0
    is_same: bool = False
    total: int | None = None

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
