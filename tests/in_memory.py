"""A whole sync against an API in memory: no sockets, no processes, every request kept."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, BinaryIO

import orjson

from shared.api.answers import Response
from shared.api.reading_order import ReadingOrder
from shared.api.request import Request
from shared.errors import Stopped
from shared.protocol import catalog
from shared.protocol.messages import Writer
from shared.protocol.state import State
from shared.report import Report
from shared.streams import Parent, Stream
from shared.sync import sync

NOW = "2026-11-10T00:00:00.000000Z"
TEXT: dict[str, Any] = {"type": ["null", "string"]}
DATE: dict[str, Any] = {"type": ["null", "string"], "format": "date-time"}


def day(number: int) -> str:
    return f"2026-11-{number:02d}T00:00:00.000000Z"


@dataclass
class Api:
    """A client without a network: `answer(request)` gives the body or raises; every request is kept."""

    answer: Callable[[Request], Any]
    settings: dict[str, Any] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    speed: float = 1e5  # faster, and on a busy machine six hours of a job's life pass before it is asked for
    most: int = 0
    under_way: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    pause: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)
    lock: Any = field(default_factory=threading.Lock)
    reading_order: ReadingOrder = field(default_factory=ReadingOrder)
    report: Report = field(default_factory=lambda: Report("tap-test"))

    def send(self, request: Request, *, stream: str = "", read: Any = None, shrinkable: bool = False) -> Any:
        if self.stop.is_set():
            raise Stopped
        with self.lock:
            self.asked.append(request)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        try:
            if self.pause:
                time.sleep(self.pause)
            body = self.answer(request)
        finally:
            with self.lock:
                self.under_way -= 1
            self.report.request(stream, method=request.method, path=request.path, status=200, seconds=0.0)
        response = Response(status=200, headers={}, content=orjson.dumps(body), url="", seconds=0.0)
        return read(response) if read else response

    def json(self, request: Request, *, stream: str = "") -> Any:
        return self.send(request, stream=stream, read=Response.json)

    def download(self, url: str, file: BinaryIO, *, stream: str = "") -> None:
        file.write(self.files[url])

    def now(self) -> str:
        return NOW

    def delay(self, quota: str) -> float:
        return 0.0

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.asked]


@dataclass
class Ran:
    status: int
    messages: list[dict[str, Any]]
    api: Api
    report: Report

    def rows(self, stream: str) -> list[dict[str, Any]]:
        return [m["record"] for m in self.messages if m["type"] == "RECORD" and m["stream"] == stream]

    def ids(self, stream: str) -> list[Any]:
        return [row["id"] for row in self.rows(stream)]

    @property
    def state(self) -> dict[str, Any]:
        assert self.messages[-1]["type"] == "STATE"
        value: dict[str, Any] = self.messages[-1]["value"]
        return value

    @property
    def bookmarks(self) -> dict[str, Any]:
        found: dict[str, Any] = self.state["bookmarks"]
        return found


SCHEMAS = {
    "id": {"type": ["null", "integer"]},
    "at": DATE,
    "name": TEXT,
    "parent_id": {"type": ["null", "integer"]},
    "c_id": {"type": ["null", "integer"]},
}


def run(
    streams: Sequence[Stream],
    answer: Callable[[Request], Any] | Api,
    *,
    state: Mapping[str, Any] | None = None,
    select: Sequence[str] = (),
    forecast: Any = None,
    **settings: Any,
) -> Ran:
    """A whole sync of `streams`, all selected unless `select` says otherwise."""
    api = answer if isinstance(answer, Api) else Api(answer)
    merged = {"concurrency": 4, "start_date": day(1), "extra_fields": "column", **settings}
    api.settings = merged
    schema = {"type": "object", "properties": SCHEMAS}
    selections = catalog.choose(
        None, streams, {s.name: schema for s in streams}, select=list(select), exclude=[], settings=merged
    )
    out = io.BytesIO()
    report = api.report
    tap: Any = SimpleNamespace(name="tap-test", forecast=forecast)
    client: Any = api
    status = sync.run(
        tap=tap,
        client=client,
        streams=streams,
        selections=selections,
        state=State.read(state or {}),
        writer=Writer(out),
        settings=merged,
        report=report,
        stop=api.stop,
    )
    return Ran(status, [json.loads(line) for line in out.getvalue().splitlines()], api, report)


def rows(*numbers: int, at: Callable[[int], str] = day) -> list[dict[str, Any]]:
    return [{"id": n, "at": at(n)} for n in numbers]


PARENT = Stream(name="p", path="/p")
CHILD = Stream(
    name="c",
    path="/p/{parent_id}/c",
    key_properties=("parent_id", "id"),
    parent=Parent(stream="p", keys={"parent_id": "id"}),
)


def family(request: Request) -> Any:
    if request.path == "/p":
        return rows(1, 2, 3)
    return rows(1, 2)
