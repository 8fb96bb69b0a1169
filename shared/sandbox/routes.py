"""What a request, its parameters and its answer are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson

from ..timestamps import parse as parse_instant


@dataclass(frozen=True, slots=True)
class Param:
    """What one query parameter may be.

    `kind`: string, integer, number, boolean or date-time. `options` are the only values allowed. Integers below
    `least` or above `most` are refused; above `cap` they are silently lowered to it.
    """

    kind: str = "string"
    options: tuple[str, ...] = ()
    default: Any = None
    least: int | None = None
    most: int | None = None
    cap: int | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one parameter was refused; `found` is what came, None when nothing did."""

    name: str
    param: Param
    found: str | None
    known: bool = True


class Refusal(Exception):
    """Ends a request with an error; the vendor's `refuse` gives it its body."""

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        title: str = "",
        problems: Sequence[Problem] = (),
        wait_seconds: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.title = status, detail, title
        self.problems, self.wait_seconds = tuple(problems), wait_seconds


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, value: Any, status: int = 200) -> Answer:
        """`value` as JSON."""
        return cls(dumps(value), status)


@dataclass(slots=True)
class Call:
    """One request on its way to its handler: `args` from the path, `params` read and checked."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    route: Route | None = None
    args: dict[str, str] = field(default_factory=dict)
    query: list[tuple[str, str]] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The target without its query, as it came (still percent-encoded)."""
        return self.target.partition("?")[0]

    def json(self) -> Any:
        """The body as JSON; anything else is refused."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise Refusal(400, f"The body is no JSON: {error}") from error


@dataclass(frozen=True, kw_only=True)
class Route:
    """One row of an API's table of endpoints.

    `path` has `{placeholders}`. `params` are those it knows. `public` ones ask for no credential. `quota` names the
    limits it draws from. `lasting` answers depend on nothing but the request and the day, so they may be kept.
    """

    path: str
    handler: Callable[[Any, Call], Answer]
    method: str = "GET"
    params: Mapping[str, Param] = field(default_factory=dict)
    public: bool = False
    quota: str = ""
    lasting: bool = False


def dumps(value: Any) -> bytes:
    """`value` as compact JSON, integers of any size too; lone surrogates as escapes."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def read_param(name: str, param: Param, text: str) -> Any:
    """`text` as the parameter's kind; raises Refusal."""
    value: Any = text
    try:
        if param.kind == "integer":
            value = int(text)
            if (param.least is not None and value < param.least) or (param.most is not None and value > param.most):
                raise ValueError
            if param.cap is not None:
                value = min(value, param.cap)
        elif param.kind == "number":
            value = float(text)
        elif param.kind == "boolean":
            value = {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        elif param.kind == "date-time":
            # A plus sign that was not percent-encoded arrives as a blank, and is refused as APIs do.
            value = parse_instant(text)
            if " " in text:
                raise ValueError
        if param.options and text not in param.options:
            raise ValueError
    except (ValueError, KeyError, OverflowError):
        raise Refusal(400, f"{name} is malformed", problems=[Problem(name, param, text)]) from None
    return value
