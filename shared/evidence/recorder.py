"""Keeps the shapes of all answers of a run, endpoint by endpoint, and writes them to a file."""

from __future__ import annotations

import json
import os
import re
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from ..api.answers import Response, http_date
from ..api.request import Request, at
from ..streams import Stream
from ..tap import Tap
from .names import Names, Paths, known_names
from .shapes import Room, Shape, number_form, rough, shares, text_form

VERSION = 1
MOST_ENDPOINTS = 300

_SIZES = ("count", "limit", "page[size]", "pagesize", "pageSize")
_OFFSETS = ("offset",)
_PAGES = ("page",)
_TOTALS = ("total_items", "TotalNumberOfRecords", "totalCount", "total_count", "total")
_HEADER = re.compile(r"ratelimit|rate-limit|retry-after|quota", re.IGNORECASE)
_HEADER_WORD = (
    "x|api|burst|daily|day|hour|limit|minute|policy|quota|rate|ratelimit|remaining|requests|reset|retry|after|second|"
    "steady|used|window"
)
_HEADER_WORDS = frozenset(_HEADER_WORD.split("|"))
_CONTENT = (("ndjson", "JSON lines"), ("json", "JSON"), ("csv", "CSV"), ("html", "HTML"), ("text", "text"))


@dataclass(slots=True)
class Endpoint:
    """What was seen of one endpoint; `bodies` by kind of status: what an error holds is no row."""

    streams: set[str] = field(default_factory=set)
    answers: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    content: Counter[str] = field(default_factory=Counter)
    headers: dict[str, Counter[str]] = field(default_factory=dict)
    sizes: Counter[str] = field(default_factory=Counter)
    pages: Counter[str] = field(default_factory=Counter)
    totals: Counter[str] = field(default_factory=Counter)
    bodies: dict[str, Shape] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = {"streams": sorted(self.streams), "answers": rough(self.answers)}
        for label, counts in (
            ("statuses", self.statuses),
            ("content", self.content),
            ("page sizes asked for", self.sizes),
            ("pages", self.pages),
            ("totals", self.totals),
        ):
            if counts:
                found[label] = shares(counts, sum(counts.values()))
        if self.headers:
            found["limit headers"] = {name: shares(c, sum(c.values())) for name, c in sorted(self.headers.items())}
        found["bodies"] = {name: shape.told() for name, shape in sorted(self.bodies.items())}
        return found


class Recorder:
    """Takes every answer of a run in, from any thread."""

    def __init__(self, tap: Tap, *, salt: bytes | None = None) -> None:
        self._tap = tap
        self._streams: Mapping[str, Stream] = {stream.name: stream for stream in tap.streams}
        self._names = Names(known_names(tap), salt)
        self._template = Paths(tap)
        self._endpoints: dict[tuple[str, str], Endpoint] = {}
        self._room = Room()
        self._lock = threading.Lock()

    def __call__(self, stream: str, request: Request, response: Response) -> None:
        """Take in the answer to `request`, which was made for `stream`."""
        with self._lock:
            endpoint = self._endpoint(request)
            if endpoint is None:
                return
            endpoint.answers += 1
            if stream:
                endpoint.streams.add(stream if stream in self._streams else "own")
            endpoint.statuses[str(response.status)] += 1
            self._take_headers(endpoint, response)
            kind, body = _body(response)
            endpoint.content[kind] += 1
            if kind not in ("JSON", "JSON lines"):
                return
            is_well = response.status < 300
            shape = endpoint.bodies.setdefault("answer" if is_well else "error", Shape())
            shape.add(body, self._names, self._room)
            if is_well:
                self._take_page(endpoint, request, response, self._streams.get(stream), body)

    def _endpoint(self, request: Request) -> Endpoint | None:
        try:
            path = urlsplit(request.path).path
        except (ValueError, AttributeError):  # a link that is none
            path = ""
        key = (request.method, self._template(path))
        if key not in self._endpoints and len(self._endpoints) >= MOST_ENDPOINTS:
            return None
        return self._endpoints.setdefault(key, Endpoint())

    def _take_headers(self, endpoint: Endpoint, response: Response) -> None:
        for name in response.headers:
            if _HEADER.search(name) and all(part in _HEADER_WORDS for part in name.lower().split("-")):
                forms = endpoint.headers.setdefault(name.lower(), Counter())
                forms[_header_form(response.headers[name])] += 1

    def _take_page(
        self, endpoint: Endpoint, request: Request, response: Response, stream: Stream | None, body: Any
    ) -> None:
        """Whether the page is as long as was asked for, and what its total says of the rows."""
        asked = _asked(request, response)
        size = next((asked[name] for name in _SIZES if name in asked), None)
        if size is None:
            return
        endpoint.sizes[str(size) if size < 10_000 else "more than 9999"] += 1
        rows = _rows(stream, body)
        if rows is None:
            return
        word = "empty" if not rows else "full" if rows == size else "short" if rows < size else "longer than asked for"
        endpoint.pages[word] += 1
        total = _total(stream, body)
        if total is None:
            return
        before = next((asked[name] for name in _OFFSETS if name in asked), None)
        if before is None:
            before = next(((asked[name] - 1) * size for name in _PAGES if name in asked), 0)
        reached = before + rows
        if reached > total and rows:
            endpoint.totals["more rows than the total"] += 1
        elif rows < size and reached < total:
            endpoint.totals["fewer rows than the total"] += 1
        else:
            endpoint.totals["agree"] += 1

    def told(self) -> dict[str, Any]:
        """All that was seen, as JSON."""
        with self._lock:
            return {
                "shapes": VERSION,
                "tap": self._tap.name,
                "version": self._tap.version,
                "endpoints": {
                    f"{method} {path}": endpoint.told() for (method, path), endpoint in sorted(self._endpoints.items())
                },
            }

    def write(self, path: str) -> None:
        """Write the file; raises OSError. Not through a link, which another user of the machine may have put there."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
        with open(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
            json.dump(self.told(), file, indent=1)
            file.write("\n")


def _body(response: Response) -> tuple[str, Any]:
    """What kind of content the body is, and its JSON; lines of JSON as a list."""
    content = response.content
    if not content:
        return "none", None
    try:
        return "JSON", _parsed(content)
    except (ValueError, RecursionError):
        pass
    try:
        return "JSON lines", [_parsed(line) for line in content.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        said = response.headers.get("Content-Type", "").lower()
        return next(
            (f"broken {word}" if "JSON" in word else word for sign, word in _CONTENT if sign in said), "other"
        ), None


def _parsed(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except ValueError:
        return json.loads(content)  # what orjson refuses: NaN, half a surrogate


def _header_form(value: str) -> str:
    value = value.strip()
    try:
        return f"a number of {number_form(int(value))}"
    except ValueError:
        pass
    if http_date(value) is not None:
        return "date"
    return f"{'list' if ',' in value else 'number and more' if value[:1].isdigit() else text_form(value)}"


def _asked(request: Request, response: Response) -> dict[str, int]:
    """The whole numbers among the parameters."""
    try:
        given = dict(parse_qsl(urlsplit(response.url or request.path).query))
    except ValueError:
        given = {}
    given.update({name: str(value) for name, value in request.params.items()})
    if isinstance(request.body, dict):
        given.update({name: str(value) for name, value in request.body.items() if isinstance(value, int)})
    return {name: int(value) for name, value in given.items() if value.isascii() and value.isdigit() and len(value) < 9}


def _rows(stream: Stream | None, body: Any) -> int | None:
    if stream is not None and isinstance(stream.records, str):
        found = at(body, stream.records)
        return len(found) if isinstance(found, list) else None
    if isinstance(body, list):
        return len(body)
    lists = [len(each) for each in body.values() if isinstance(each, list)] if isinstance(body, dict) else []
    return lists[0] if len(lists) == 1 else None


def _total(stream: Stream | None, body: Any) -> int | None:
    names = (stream.total,) if stream is not None and stream.total else _TOTALS
    found = next((each for name in names if (each := at(body, name)) is not None), None)
    return found if isinstance(found, int) and not isinstance(found, bool) else None
