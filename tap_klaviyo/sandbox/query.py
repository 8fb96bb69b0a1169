"""What the API's collections have in common: filters, sparse fieldsets, cursors, and resources as they go out."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from shared.sandbox import Param, Refusal, Row
from shared.timestamps import instant

from .people import Resource

DATES = frozenset(
    ("created", "updated", "created_at", "updated_at", "scheduled_at", "expires_at", "joined_group_at", "datetime")
)

Clause = tuple[str, str, Any]
"""Operator, field, value."""


@dataclass(frozen=True)
class Endpoint:
    """One collection, as `facts` have it. `always`: relations whose linkage needs no include."""

    stream: str
    facts: Mapping[str, Any]
    always: tuple[str, ...] = ()
    parent: tuple[str, str] | None = None

    @property
    def path(self) -> str:
        """The path, its parent's id under its own name."""
        path: str = self.facts["path"]
        return path.replace("{id}", f"{{{self.parent[1]}}}") if self.parent else path

    @property
    def size(self) -> Sequence[int] | None:
        """Default and cap of `page[size]`, none where pages have a size of their own."""
        return self.facts["parameters"].get("page[size]")  # type: ignore[no-any-return]

    @property
    def required(self) -> bool:
        """Whether it has to be filtered."""
        return self.facts["parameters"].get("filter") == "required"  # type: ignore[no-any-return]

    def params(self) -> dict[str, Param]:
        """What its query may hold."""
        made = dict.fromkeys(self.facts["parameters"], Param())
        if "filter" in made:
            made["filter"] = Param(required=self.required)
        if names := self.facts["parameters"].get("sort"):
            made["sort"] = Param(options=(*names, *(f"-{name}" for name in names)))
        if self.size:
            made["page[size]"] = Param("integer", least=1, most=self.size[1], default=self.size[0])
        return made


def rates(facts: Mapping[str, Any]) -> tuple[tuple[int, float], ...]:
    """The burst and the steady limit of `facts`: (requests, seconds)."""
    seconds = {"s": 1.0, "m": 60.0}
    texts = (facts[name].split("/") for name in ("burst", "steady"))
    return tuple((int(count), seconds[unit]) for count, unit in texts)


_CALL = re.compile(r"\s*([a-z-]+)\(")
_VALUE = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\[[^\]]*\]|[^,()\s]+)\s*""")


def read_filter(text: str, endpoint: Endpoint) -> list[Clause]:
    """The clauses of `op(field,value),and(op(...),...)`; Refusal for what the endpoint does not know."""
    clauses: list[Clause] = []
    rest = _clauses(text, clauses)
    if rest.strip():
        raise Refusal(400, "Invalid filter provided")
    known = endpoint.facts["filters"]
    for operator, name, _ in clauses:
        if operator not in known.get(name, ()):
            raise Refusal(400, f"Invalid filter provided: {operator} on {name}")
    return clauses


def _clauses(text: str, found: list[Clause]) -> str:
    while True:
        match = _CALL.match(text)
        if match is None:
            raise Refusal(400, "Invalid filter provided")
        operator, text = match[1], text[match.end() :]
        if operator == "and":
            text = _clauses(text, found)
        else:
            name, text = _next(text)
            value: Any = None
            if text.startswith(","):
                value, text = _next(text[1:])
            found.append((operator, str(name), value))
        if not text.startswith(")"):
            raise Refusal(400, "Invalid filter provided")
        text = text[1:].lstrip()
        if not text.startswith(","):
            return text
        text = text[1:]


def _next(text: str) -> tuple[Any, str]:
    match = _VALUE.match(text)
    if match is None:
        raise Refusal(400, "Invalid filter provided")
    return _read(match[1]), text[match.end() :]


def _read(text: str) -> Any:
    if text[0] in "\"'":
        return text[1:-1]
    if text[0] == "[":
        return [_read(part.strip()) for part in text[1:-1].split(",")]
    return {"true": True, "false": False}.get(text, text)


def matches(resource: Resource, clauses: Sequence[Clause]) -> bool:
    """Whether a resource is one that the filter wants."""
    return all(_holds(_value(resource, name), operator, wanted) for operator, name, wanted in clauses)


def _value(resource: Resource, name: str) -> Any:
    hidden = resource.get("_filter", {})
    if name in hidden:
        return hidden[name]
    if name == "id":
        return resource["id"]
    value: Any = resource["attributes"]
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _holds(value: Any, operator: str, wanted: Any) -> bool:
    if isinstance(value, list):
        return any(_holds(each, operator, wanted) for each in value)
    if operator in ("equals", "any"):
        return bool(value in wanted) if isinstance(wanted, list) else bool(value == wanted)
    if operator == "contains":
        return str(wanted) in str(value)
    mine, bound = instant(value), date_time(wanted)
    if mine is None:
        return False
    return {
        "greater-than": mine > bound,
        "greater-or-equal": mine >= bound,
        "less-than": mine < bound,
        "less-or-equal": mine <= bound,
    }[operator]


def date_time(text: Any) -> str:
    """A bound of the filter; a "+" that was not percent-encoded arrives as a blank, and is refused."""
    found = None if " " in str(text) else instant(str(text))
    if found is None:
        raise Refusal(400, f"Invalid filter provided: {text} is no date-time")
    return found


def cursor(*place: Any) -> str:
    """An opaque cursor."""
    return base64.urlsafe_b64encode("::".join(map(str, ("next", *place))).encode()).decode().rstrip("=")


def place(text: str, count: int) -> tuple[int, ...]:
    """What a cursor stands for; Refusal when it is none."""
    try:
        word, *parts = base64.urlsafe_b64decode(text.encode() + b"==").decode().split("::")
        if word != "next" or len(parts) != count:
            raise ValueError
        return tuple(int(part) for part in parts)
    except ValueError:
        raise Refusal(400, "Invalid cursor provided.") from None


@lru_cache
def names(text: str | None) -> tuple[str, ...]:
    """The parts of a comma-separated parameter."""
    return tuple(part for part in (text or "").split(",") if part)


def wire(
    resource: Resource,
    params: Mapping[str, Any],
    *,
    linked: Sequence[str],
    find: Callable[[Mapping[str, str]], Any] | None = None,
    side: dict[tuple[str, str], Any] | None = None,
    always: Sequence[str] = (),
) -> Row:
    """A resource as it goes out: the fields asked for, linkage of the relations in `linked`. What they point to is put
    into `side`, as `find` gives it.
    """
    kind = resource["type"]
    attributes = dict(resource["attributes"])
    for name in names(params.get(f"additional-fields[{kind}]")):
        attributes[name] = resource.get("_more", {}).get(name)
    wanted = params.get(f"fields[{kind}]")
    if wanted is not None:
        asked = names(wanted)
        attributes = {name: value for name, value in attributes.items() if name in asked}
    relations: Row = {}
    url = f"https://a.klaviyo.com/api/{kind}s/{resource['id']}"
    for name, relation in resource["relationships"].items():
        shown: Row = {"links": {"self": f"{url}/relationships/{name}", "related": f"{url}/{name}"}}
        if "data" in relation and (name in linked or name in always):
            shown["data"] = relation["data"]
        relations[name] = shown
        if name in linked and side is not None and find is not None:
            data = relation.get("data")
            for link in data if isinstance(data, list) else [data] if data else []:
                key = (link["type"], link["id"])
                if key not in side and (found := find(link)) is not None:
                    side[key] = found
    return {
        "type": kind,
        "id": resource["id"],
        "attributes": attributes,
        "relationships": relations,
        "links": {"self": url},
    }
