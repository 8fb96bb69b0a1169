"""From a unit to its records: request, page, rows, hooks, and out as the bytes of RECORD lines.

A `Reader` reads one unit in steps, one request a step, so that whoever runs it may put it aside between two. It keeps
no bookmark and writes nothing: each step gives an `Output`. Pages are decoded, transformed and turned into bytes one at
a time, in the client's reading order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ..api.answers import Response
from ..api.client import Client
from ..api.request import Page, Request, Row
from ..errors import SchemaError, TooLargeError
from ..records.encoder import moment_of
from ..records.recent_rows import Note
from ..streams import Checkpoint, LeftOut, Outcome, Received, Step, Stream, Unit, Wait
from ..timestamps import floor_seconds
from .paging import PageSize, Paging, Prefetcher, read_pages

SCARCE_SECONDS = 1.0
"""A quota that lets a request begin only after so long is waited for without holding a worker."""


@dataclass(slots=True)
class Output:
    """What one step gave: lines to write by stream, and what may be said of the unit once they are written."""

    lines: list[tuple[str, bytes, int]] = field(default_factory=list)
    size: int = 0
    high: str | None = None
    checkpoint: Checkpoint | None = None
    notes: Sequence[Note] = ()
    left_out: Sequence[LeftOut] = ()


OnPage = Callable[[Stream, Unit, Page, bool, str], Output]
"""What to do with a decoded page: spawn children, make lines. Called while no other page is."""


class Reader:
    """Reads one unit, one step at a time. `step` gives an Output, a Wait, a Received, or None at the unit's end."""

    def __init__(
        self,
        client: Client,
        stream: Stream,
        unit: Unit,
        *,
        on_page: OnPage,
        whole: bool,
        prefetcher: Prefetcher,
        page_size: PageSize | None = None,
    ) -> None:
        self.client, self.stream, self.unit = client, stream, unit
        self._prefetcher, self._page_size = prefetcher, page_size
        self._members = {part.key: part for part in unit.units}
        self.has_read = False
        """Whether anything came of the unit yet."""
        self._on_page = on_page
        steps = stream.fetch(client, unit) if stream.fetch else None
        self._steps: Iterator[Output | Wait | Received] = self._walk(whole) if steps is None else self._fetched(steps)
        self.ended_at: str | None = None
        """Where a window that has too many pages was ended."""
        self.rows = self.bytes = self.requests = 0
        self._outcome: Outcome | None = None
        self._awaited = 1
        self._began = time.monotonic()

    def step(self) -> Output | Wait | Received | None:
        """One request further."""
        return next(self._steps, None)

    @property
    def is_over(self) -> bool:
        """Whether the walk has no more to ask for. A hook's end shows only when it is come to."""
        return self._awaited == 0

    @property
    def outcome(self) -> Outcome:
        """How the unit went so far."""
        return self._outcome or Outcome(self.rows, self.bytes, self.requests, time.monotonic() - self._began)

    @property
    def seconds(self) -> float:
        """Since the unit was begun."""
        return time.monotonic() - self._began

    def members_left(self) -> tuple[Unit, ...]:
        """Of a unit that reads for several, those that are not complete yet."""
        return tuple(self._members.values())

    def close(self) -> None:
        """Let go of what the unit holds."""
        if isinstance(self._steps, Generator):
            self._steps.close()

    # A unit whose rows come page by page.

    def _walk(self, whole: bool) -> Iterator[Output | Wait | Received]:
        client, stream, unit = self.client, self.stream, self.unit
        try:
            yield from read_pages(
                client,
                stream,
                unit,
                digest=self._digest,
                whole=whole,
                prefetcher=self._prefetcher,
                page_size=self._page_size,
            )
        except TooLargeError:
            steps = stream.fetch(client, replace(unit, too_large=True)) if stream.fetch else None
            if steps is None:
                raise
            yield from self._fetched(steps)

    def _digest(self, walk: Paging, request: Request, response: Response) -> tuple[Output, Sequence[Request]]:
        stream, size = self.stream, len(response.content)
        page, fresh, care = walk.read(request, response)
        self.has_read = True
        self.client.report.repeated(stream.name, len(page.rows) - len(fresh) - page.repeats)
        response.release()
        following = walk.following(page)
        if following and stream.window and self.requests + 1 >= (stream.window.pages or float("inf")):
            self.ended_at = cut_off(page.rows, stream.replication_key)
        if self.ended_at is not None:
            walk.has_ended_early = True
            following, fresh = [], before(fresh, stream.replication_key, self.ended_at)
        self._awaited += len(following) - 1
        walk.foresee(following)
        try:
            output = self._on_page(stream, self.unit, replace(page, rows=fresh), care, self.client.now())
        except ValueError as error:  # would be taken for a broken body and asked again
            raise SchemaError(f"{stream.name}: {request.path}: {error}") from error
        output.size = size
        self.requests += 1
        self.rows += len(page.rows)
        self.bytes += size
        if stream.order == "descending":
            output.checkpoint = walk.descend(output.high, following)
            output.high = None if following else walk.high
        elif stream.keep and (kept := stream.keep(page)) is not None:
            output.checkpoint = Checkpoint(resume=kept)
        return output, following

    # A unit that a hook fetches.

    def _fetched(self, steps: Iterator[Step]) -> Iterator[Output | Wait | Received]:
        for found in steps:
            if isinstance(found, Wait):
                yield found
            elif isinstance(found, Received):
                self._outcome = found.outcome
                yield found
            elif isinstance(found, Checkpoint):
                self.has_read = True
                if found.unit is not None:
                    self._members.pop(found.unit.key, None)
                yield Output(checkpoint=found)
            elif isinstance(found, LeftOut):
                yield Output(left_out=[found])
            else:
                with self.client.reading_order.turn(0):
                    page = Page(Request(self.stream.path), None, found.rows)
                    unit = found.unit or self.unit
                    output = self._on_page(self.stream, unit, page, found.care, self.client.now())
                output.size = found.size
                self.has_read = True
                self.rows += len(found.rows)
                self.bytes += found.size
                yield output


def cut_off(rows: Sequence[Row], key: str | None) -> str | None:
    """The last second on a page of rows in order, if the page has earlier ones: all rows before that have been read."""
    moments = [moment_of(rows[place], key) for place in (0, -1)] if rows else []
    if not moments or moments[0] is None or moments[1] is None:
        return None
    last = floor_seconds(moments[1])
    return last if moments[0] < last else None


def before(rows: Sequence[Row], key: str | None, moment: str) -> list[Row]:
    """The rows before `moment`, and those of no time."""
    return [row for row in rows if (moment_of(row, key) or "") < moment]


def in_turn(client: Client, quota: str) -> Iterator[Wait]:
    """For `fetch` hooks: waits until a request of a scarce `quota` may begin, holding no worker meanwhile."""
    while (seconds := client.delay(quota)) > SCARCE_SECONDS:
        yield Wait(seconds)
