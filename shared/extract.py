"""From a unit to its records: request, page, rows, hooks, and out as the bytes of RECORD lines.

A `Reader` reads one unit in steps, one request a step, so that whoever runs it may put it aside between two. It keeps
no bookmark and writes nothing: each step gives an `Output`. Pages are decoded, transformed and turned into bytes one at
a time, under the client's lock `processor`.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import quote

from . import messages, values
from .answers import Response
from .catalog import Selection
from .client import Client
from .errors import ApiError, SchemaError, TooLargeError
from .pagination import Back, Page, Request, Row, at
from .records import Shape
from .reshape import Reshape
from .streams import Batch, Checkpoint, Outcome, Record, Step, Stream, Unit, Wait
from .timestamps import from_seconds, instant
from .units import is_new

T = TypeVar("T")

REMEMBERED = 1_500
"""Rows that a walk remembers at least, to know repeats by."""
STEPS_BACK_LIMIT = 500
AHEAD = 8
"""Pages that one unit asks for side by side, where it knows them."""
SPOOL_IN_MEMORY = 16 * 1024 * 1024
SCARCE_SECONDS = 1.0
"""A quota that lets a request begin only after so long is waited for without holding a worker."""


@dataclass(slots=True)
class Output:
    """What one step gave: lines to write by stream, and what may be said of the unit once they are written."""

    lines: list[tuple[str, bytes, int]] = field(default_factory=list)
    size: int = 0
    high: str | None = None
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True)
class Sink:
    """One selected stream's way out: hook, parent's keys, schema, filter, masks and columns, bytes."""

    stream: Stream
    selection: Selection
    shape: Shape
    version: int | None = None
    unique: set[int] | None = None
    unique_limit: int = 1_000_000
    reshape: Reshape | None = None
    bare: bool = False
    """Records alone, for the files of BATCH messages."""

    def lines(
        self, rows: Sequence[Row], unit: Unit, time_extracted: str, *, care: bool
    ) -> tuple[bytes, int, str | None]:
        """The RECORD lines of raw `rows`, how many they are, and their latest replication value."""
        found = self.stream.transform(rows, unit) if self.stream.transform else rows
        fitted = self.shape.fit(_with_parent(found, self.stream, unit), care=care)
        key = self.selection.replication_key
        if unit.since is not None or self.stream.is_new is not None or unit.settings.get("end_date"):
            fitted = [record for record in fitted if is_new(self.stream, key, record, unit)]
        if self.unique is not None:
            fitted = [record for record in fitted if self._is_first(record)]
        high = None
        if key:
            values = [value for record in fitted if (value := record.get(key)) is not None]
            high = max((read for value in values if (read := as_instant(value))), default=None)
        if self.reshape is not None:
            fitted = self.reshape.records(fitted)
        name = self.selection.stream.name
        if self.bare:
            return messages.bare_lines(name, fitted), len(fitted), high
        data = messages.record_lines(name, fitted, time_extracted=time_extracted, version=self.version)
        return data, len(fitted), high

    def _is_first(self, record: Record) -> bool:
        assert self.unique is not None
        key = hash(tuple(str(record.get(name)) for name in self.selection.key_properties))
        if key in self.unique:
            return False
        if len(self.unique) < self.unique_limit:
            self.unique.add(key)
        return True


def as_instant(value: Any) -> str | None:
    """A replication value, written or raw, as a canonical instant; None when it is none."""
    if isinstance(value, str):
        return value if len(value) == 27 and value[26] == "Z" else instant(value)
    return from_seconds(value)


def _with_parent(rows: Iterable[Record], stream: Stream, unit: Unit) -> Iterable[Record]:
    """The rows with their parent's keys on them, where the body lacks them."""
    names = {name for parent in stream.parents if parent.inject for name in parent.keys}
    constants = {name: unit.parent[name] for name in names if name in unit.parent}
    if not constants:
        return rows
    return _injected(rows, constants)


def _injected(rows: Iterable[Record], constants: Mapping[str, Any]) -> Iterator[Record]:
    items = tuple(constants.items())
    for row in rows:
        for name, value in items:
            if row.get(name) is None:
                row[name] = value
        yield row


OnPage = Callable[[Stream, Unit, Page, bool, str], Output]
"""What to do with a decoded page: spawn children, make lines. Called under the processor's lock."""


class Errand:
    """A request sent ahead of its turn by whichever worker is free; when its turn comes first, it is sent then."""

    def __init__(self, work: Callable[[], Response]) -> None:
        self._work = work
        self._claim, self._done = threading.Lock(), threading.Event()
        self._value: Response | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Do it, unless somebody does already."""
        if not self._claim.acquire(blocking=False):
            return
        try:
            self._value = self._work()
        except BaseException as error:  # noqa: BLE001 - given to whoever waits for the result
            self._error = error
        finally:
            self._done.set()

    def result(self) -> Response:
        """The answer, or the error it came to."""
        self.run()
        self._done.wait()
        if self._error is not None:
            raise self._error
        assert self._value is not None
        return self._value


class Reader:
    """Reads one unit, one step at a time. `step` gives an Output, a Wait, or None at the unit's end."""

    def __init__(
        self,
        client: Client,
        stream: Stream,
        unit: Unit,
        *,
        on_page: OnPage,
        whole: bool,
        errands: Callable[[Errand], None],
    ) -> None:
        self.client, self.stream, self.unit = client, stream, unit
        self._errands = errands
        self._on_page = on_page
        self._spool: Any = None
        self._lines: list[tuple[str, int, int]] = []
        steps = stream.fetch(client, unit) if stream.fetch else None
        self._steps: Iterator[Output | Wait] = self._walk(whole) if steps is None else self._fetched(steps)
        self.rows = self.bytes = self.requests = 0
        self._seconds = 0.0
        self._began = time.monotonic()

    def step(self) -> Output | Wait | None:
        """One request further."""
        found = next(self._steps, None)
        if isinstance(found, Output) and self.stream.spool:
            return self._spooled(found)
        return found

    @property
    def outcome(self) -> Outcome:
        """How the unit went so far."""
        return Outcome(self.rows, self.bytes, self.requests, self._seconds or time.monotonic() - self._began)

    def close(self) -> None:
        """Let go of what the unit holds."""
        if isinstance(self._steps, Generator):
            self._steps.close()
        if self._spool is not None:
            self._spool.close()

    # A unit whose rows come page by page.

    def _walk(self, whole: bool) -> Iterator[Output | Wait]:
        client, stream, unit = self.client, self.stream, self.unit
        try:
            yield from walked(client, stream, unit, digest=self._digest, whole=whole, errands=self._errands)
        except TooLargeError:
            steps = stream.fetch(client, replace(unit, too_large=True)) if stream.fetch else None
            if steps is None:
                raise
            yield from self._fetched(steps)

    def _digest(self, walk: Walk, request: Request, response: Response) -> tuple[Output, Sequence[Request]]:
        stream = self.stream
        page, fresh, care = walk.read(request, response)
        following = walk.following(page)
        try:
            output = self._on_page(stream, self.unit, replace(page, rows=fresh), care, self.client.now())
        except ValueError as error:  # would be taken for a broken body and asked again
            raise SchemaError(f"{stream.name}: {request.path}: {error}") from error
        output.size = len(response.content)
        self.requests += 1
        self.rows += len(page.rows)
        self.bytes += len(response.content)
        if stream.order == "descending":
            output.checkpoint = walk.descend(output, following)
            output.high = None if following else walk.high
        elif stream.keep and (kept := stream.keep(page)) is not None:
            output.checkpoint = Checkpoint(resume=kept)
        return output, following

    # A unit that a hook fetches.

    def _fetched(self, steps: Iterator[Step]) -> Iterator[Output | Wait]:
        for found in steps:
            if isinstance(found, Wait):
                yield found
            elif isinstance(found, Checkpoint):
                yield Output(checkpoint=found)
            else:
                with self.client.processor:
                    page = Page(Request(self.stream.path), None, found.rows)
                    unit = found.unit or self.unit
                    output = self._on_page(self.stream, unit, page, found.care, self.client.now())
                output.size = found.size
                self.rows += len(found.rows)
                self.bytes += found.size
                self._seconds += found.seconds
                yield output

    # A unit that is kept back until its clean end.

    def _spooled(self, first: Output) -> Output | Wait | None:
        if self._spool is None:
            self._spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_IN_MEMORY)  # noqa: SIM115 - see close()
            self._steps = self._replay(first, self._steps)
            return next(self._steps, None)
        return first

    def _replay(self, first: Output, steps: Iterator[Any]) -> Iterator[Output | Wait]:
        high = None
        output: Output | Wait | None = first
        while output is not None:
            if isinstance(output, Wait):
                yield output
            else:
                for name, data, count in output.lines:
                    self._spool.write(data)
                    self._lines.append((name, len(data), count))
                high = max(high or "", output.high or "") or None
                yield Output(size=0)
            output = next(steps, None)
        self._spool.seek(0)
        for name, length, count in self._lines:
            data = self._spool.read(length)
            yield Output(lines=[(name, data, count)], size=length)
        yield Output(high=high)


Digest = Callable[["Walk", Request, Response], "tuple[T, Sequence[Request]]"]


def walked(
    client: Client,
    stream: Stream,
    unit: Unit,
    *,
    digest: Digest[T],
    whole: bool = False,
    errands: Callable[[Errand], None] | None = None,
) -> Iterator[T]:
    """What `digest` makes of each page of a unit, in order; it also says what to ask next.

    With `errands`, pages that are known before their turn are asked for side by side.
    """
    pending: deque[Request] = deque([first_request(stream, unit, whole=whole)])
    ahead: dict[int, Errand] = {}
    walk = Walk(stream, unit)
    steps_back = 0
    while pending:
        if errands is not None and len(pending) > 1:
            for coming in list(pending)[:AHEAD]:
                if id(coming) not in ahead:
                    ahead[id(coming)] = _sent_ahead(client, stream, coming, errands)
        request = pending.popleft()
        try:
            result, following = _answered(client, walk, request, ahead.pop(id(request), None), digest)
        except TooLargeError:
            smaller = stream.shrink(request) if stream.shrink else None
            if smaller is None:
                raise
            pending.appendleft(smaller)
            continue
        if request in following:
            raise ApiError(
                f"{stream.name}: {request.path}: the next page would be the same request again; "
                "the API may have ignored a parameter. Report this."
            )
        steps_back += sum(1 for asked in following if isinstance(asked.memo, Back))
        if steps_back > STEPS_BACK_LIMIT:
            raise ApiError(
                f"{stream.name}: {request.path}: the rows come in another order each time, so a complete read "
                "cannot be proven. Try again when fewer changes are made in the account."
            )
        pending.extend(following)
        only = [result]
        del result  # a suspended walk would keep its last page in memory
        yield only.pop()


def _sent_ahead(client: Client, stream: Stream, request: Request, errands: Callable[[Errand], None]) -> Errand:
    errand = Errand(lambda: client.send(request, stream=stream.name))
    errands(errand)
    return errand


def _answered(
    client: Client, walk: Walk, request: Request, sent: Errand | None, digest: Digest[T]
) -> tuple[T, Sequence[Request]]:
    if sent is not None:
        with suppress(ValueError):  # a broken body: ask again, with retries
            answer = sent.result()
            with client.processor:
                return digest(walk, request, answer)
    return client.send(
        request,
        stream=walk.stream.name,
        read=lambda response: digest(walk, request, response),
        shrinkable=walk.stream.shrink is not None,
    )


def in_turn(client: Client, quota: str) -> Iterator[Wait]:
    """For `fetch` hooks: waits until a request of a scarce `quota` may begin, holding no worker meanwhile."""
    while (seconds := client.delay(quota)) > SCARCE_SECONDS:
        yield Wait(seconds)


def pages(client: Client, unit: Unit, stream: Stream) -> Iterator[Batch]:
    """The raw rows of a unit page by page, as `stream` describes it: for `fetch` hooks that begin with a plain walk."""

    def digest(walk: Walk, request: Request, response: Response) -> tuple[Batch, Sequence[Request]]:
        page, fresh, care = walk.read(request, response)
        return Batch(fresh, size=len(response.content), care=care), walk.following(page)

    return walked(client, stream, unit, digest=digest)


class Walk:
    """What one walk over pages remembers: on which page it met the latest rows, and which pages hung in the air."""

    def __init__(self, stream: Stream, unit: Unit) -> None:
        self.stream, self.unit = stream, unit
        self.high: str | None = (unit.resume or {}).get("high") if isinstance(unit.resume, Mapping) else None
        self._met: dict[Any, int] = {}
        self._values: dict[Any, Any] = {}
        self._number = 0
        self._loose: set[int] = set()
        self._last: list[Any] = []

    def page(self, request: Request, body: Any) -> tuple[Page, list[Any]]:
        """The page of a decoded body, and those of its rows that were not met before."""
        rows = located(self.stream, body)
        if self.stream.next_page is None:
            return Page(request, body, rows), list(rows)
        if isinstance(request.memo, Back):
            self._loose.add(self._number)
        self._number += 1
        met, loose = self._met, self._loose
        identities = [self._identity(row) for row in rows]
        repeats = 0
        for identity in identities:
            if met.get(identity, -1) < 0 or met[identity] in loose:
                break
            repeats += 1
        fresh, values, key = [], self._values, self.stream.replication_key
        for row, identity in zip(rows, identities, strict=True):
            is_known = identity in met
            met[identity] = self._number
            if key and isinstance(row, dict) and row.get(key) is not None:
                value = hash(str(row[key]))
                is_known = is_known and values.get(identity) == value
                values[identity] = value
            if not is_known:
                fresh.append(row)
        if len(met) > 2 * REMEMBERED:
            self._met = {identity: met[identity] for identity in list(met)[-REMEMBERED:]}
            self._values = {identity: values[identity] for identity in self._met if identity in values}
        is_same = bool(identities) and identities == self._last
        self._last = identities
        return Page(request, body, rows, repeats, is_same), fresh

    def read(self, request: Request, response: Response) -> tuple[Page, list[Any], bool]:
        """The page of an answer, its rows not met before, and whether they need care. ValueError: no answer."""
        decode = self.stream.decode
        body, care = (decode(response), True) if decode else values.parse(response.content)
        return *self.page(request, body), care

    def following(self, page: Page) -> Sequence[Request]:
        """What to ask after a page."""
        is_past = self._is_past(page) or self._is_beyond(page)
        return self.stream.next_page(page) if self.stream.next_page and not is_past else []

    def _is_beyond(self, page: Page) -> bool:
        """Whether a walk from oldest to newest has come to rows that nobody asked for."""
        key, end = self.stream.replication_key, self.unit.settings.get("end_date")
        if self.stream.order != "ascending" or not page.rows or not end or key is None:
            return False
        value = as_instant(page.rows[-1].get(key)) if isinstance(page.rows[-1], dict) else None
        return value is not None and value >= end

    def _is_past(self, page: Page) -> bool:
        """Whether a walk from newest to oldest has come to rows that all are older than wanted."""
        key, since = self.stream.replication_key, self.unit.since
        if self.stream.order != "descending" or not page.rows or since is None or key is None:
            return False
        values = [as_instant(row.get(key)) for row in page.rows]
        if self.high is None:
            self.high = max((value for value in values if value), default=None)
        return all(value is not None and value < since for value in values)

    def descend(self, output: Output, following: Sequence[Request]) -> Checkpoint | None:
        """What to keep so that a walk from newest to oldest can go on where it was."""
        self.high = self.high or output.high
        if not following:
            return None
        return Checkpoint(resume={"params": dict(following[0].params), "high": self.high})

    def _identity(self, row: Any) -> Any:
        named = self.stream.identity
        if callable(named):
            return named(row)
        if not isinstance(row, dict):
            return row if isinstance(row, (str, int)) else None
        names = named or [name for name in self.stream.key_properties if name in row]
        return hash(tuple([_hashable(row.get(name)) for name in names]) or repr(row))


def _hashable(value: Any) -> Any:
    return value if value.__class__ in (str, int, bool, type(None)) else repr(value)


def located(stream: Stream, body: Any) -> Sequence[Any]:
    """The raw rows in a decoded body. ValueError where it has no place for them: then it is no answer at all."""
    if callable(stream.records):
        return stream.records(body)
    if not stream.records:
        return body if isinstance(body, list) else [body]
    where, _, last = stream.records.rpartition(".")
    holder = at(body, where)
    if not isinstance(holder, dict) or last not in holder:
        raise ValueError(f"the answer has no {stream.records!r}")
    found = holder[last]
    if found is None:
        return []
    if not isinstance(found, list):
        raise ValueError(f"{stream.records!r} of the answer is no list")
    return found


def first_request(stream: Stream, unit: Unit, *, whole: bool = False) -> Request:
    """The request that begins a unit. `whole`: without the filter on what is newer."""
    params: dict[str, Any] = dict(stream.params(unit) if callable(stream.params) else stream.params)
    params.update(unit.params)
    if stream.since and unit.since is not None and not whole:
        params.update(stream.since(unit))
    if stream.sparse:
        params.update(stream.sparse(sorted(unit.deselected)))
    if stream.order == "descending" and isinstance(unit.resume, Mapping):
        params = dict(unit.resume.get("params") or params)
    body = stream.body(unit) if callable(stream.body) else stream.body
    return Request(
        path=filled(stream.path, {**unit.settings, **unit.parent}),
        params={name: value for name, value in params.items() if value is not None},
        method=stream.method,
        body=body,
        quota=stream.quota,
    )


def filled(path: str, values: Mapping[str, Any]) -> str:
    """A path with its `{placeholders}` filled in, percent-encoded as one segment each."""
    if "{" not in path:
        return path
    return path.format_map({name: quote(str(value), safe="") for name, value in values.items()})
