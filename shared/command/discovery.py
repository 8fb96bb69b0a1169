"""Which streams and fields this account has, and what its credential may read. Knows nothing of syncing.

Discovery costs the few calls that a tap names (`check`, `more_streams`, `extend_schema`), never one probe a stream:
runners discover before most runs. Looking whether each endpoint can be read is `test`, which a person asks for.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from string import Formatter
from typing import TYPE_CHECKING, Any

from ..api.request import Page, Request
from ..errors import (
    ApiError,
    AuthError,
    ConfigError,
    GoneError,
    RefusedError,
    Stopped,
    TapError,
    UnavailableError,
    told,
)
from ..protocol import schema
from ..protocol.state import Bookmark
from ..streams import Rows
from ..sync.paging import decoded, first_request, located
from ..sync.units import Reading, batch_size, parent_values, partitions, unit
from ..timestamps import shift

if TYPE_CHECKING:
    from ..api.answers import Response
    from ..api.client import Client
    from ..streams import Parent, Stream, Unit, Window
    from ..tap import Tap

Schemas = dict[str, dict[str, Any]]

OFFLINE_SECONDS = 12.0
"""So long may the first call take to be answered; after that discovery goes on as if there were no network."""
TEST_SECONDS = 15.0
"""So long is tried to have an answer to what --test asks."""
FIRST_ROWS = 100
"""Rows that --test takes of a parent that is read by a hook."""
SCARCE_SECONDS = 1.0
"""A quota that makes a request wait so long is not spent on a test."""


def discover(tap: Tap, client: Client | None) -> tuple[tuple[Stream, ...], Schemas]:
    """The account's streams with their schemas; those that every account has where there is no client or no network.

    Raises AuthError when the credential is refused.
    """
    streams, schemas = known(tap)
    if client is None:
        return streams, schemas
    log = logging.getLogger(tap.name)
    try:
        with _patience(client.stop, OFFLINE_SECONDS):
            tap.check(client)
        streams, schemas, _ = of_account(tap, client)
        return streams, schemas
    except AuthError:
        raise
    except (ApiError, _OfflineError) as error:
        log.warning("the catalog holds what every account has, without this account's own fields: %s", error)
        return streams, schemas


def known(tap: Tap) -> tuple[tuple[Stream, ...], Schemas]:
    """The streams that every account has."""
    return tap.streams, {
        stream.name: schema.load(tap.schemas, stream.name) for stream in tap.streams if not stream.hidden
    }


def of_account(
    tap: Tap,
    client: Client,
    *,
    is_wanted: Callable[[str], bool] = lambda _: True,
    known_schemas: Schemas | None = None,
) -> tuple[tuple[Stream, ...], Schemas, dict[str, TapError]]:
    """The streams and schemas with the account's own among them; asks only on behalf of the streams wanted.

    Where that fails, the streams that do not need it go on. A stream whose fields could not be asked for just now
    stands in the third part, with the reason; it keeps the fields that every account has.
    """
    log = logging.getLogger(tap.name)
    streams, schemas = tap.streams, dict(known_schemas or known(tap)[1])
    failed: dict[str, TapError] = {}
    if tap.more_streams is not None:
        try:
            own = tuple(tap.more_streams(client))
        except (AuthError, ConfigError, Stopped):
            raise
        except Exception as error:
            log.warning("without the streams that only this account has: %s", told(error))
            own = ()
        streams = (*streams, *own)
        schemas |= {stream.name: _base(tap, stream) for stream in own}
    for stream in streams:
        if stream.extend_schema is None or not is_wanted(stream.name) or stream.name not in schemas:
            continue
        try:
            schemas[stream.name] = stream.extend_schema(schemas[stream.name], client)
        except (AuthError, ConfigError, Stopped):
            raise
        except Exception as error:
            log.warning("%s: without the account's own fields: %s", stream.name, told(error))
            if not isinstance(error, (RefusedError, UnavailableError, GoneError)):
                # A refusal will be met again; but to read without columns that are there at other times loses them.
                failed[stream.name] = told(error)
    return streams, schemas, failed


def _base(tap: Tap, stream: Stream) -> dict[str, Any]:
    """The schema an account's own stream begins with: its file, where there is one for all of its kind."""
    if (tap.schemas / f"{stream.name}.json").is_file():
        return schema.load(tap.schemas, stream.name)
    return {"type": "object", "properties": {}}


class _OfflineError(Exception):
    """Nobody answered in time."""


@contextmanager
def _patience(stop: threading.Event, seconds: float) -> Iterator[None]:
    """Breaks off what the client does in here when it takes too long.

    A client goes on trying for minutes, which is right for a sync. Discovery without network has a good answer at hand.
    """
    is_late = threading.Event()

    def give_up() -> None:
        is_late.set()
        stop.set()

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Stopped:
        if is_late.is_set():
            raise _OfflineError(f"no answer within {seconds:g} seconds") from None
        raise
    finally:
        timer.cancel()


# What the credential may read


@dataclass(frozen=True)
class Finding:
    """What one endpoint answered: readable, forbidden, empty, unavailable, gone, failed, or not asked."""

    stream: str
    endpoint: str
    word: str
    detail: str = ""
    rows: Sequence[tuple[Any, Mapping[str, Any]]] = field(default=(), repr=False)
    """Rows that came, each with what it has of the rows above it."""


def test(tap: Tap, client: Client, streams: Sequence[Stream], selected: Sequence[str]) -> Iterator[Finding]:
    """What each endpoint behind the `selected` streams answers to a cheap request or a few. Raises AuthError."""
    prober = _Prober(client.hasty(TEST_SECONDS), {stream.name: stream for stream in streams})
    for name in selected:
        yield prober.finding(name)


@contextmanager
def test_patience(client: Client) -> Iterator[None]:
    """Ends a test whose first answer does not come, with an ApiError that names the host."""
    try:
        with _patience(client.stop, TEST_SECONDS):
            yield
    except _OfflineError as error:
        raise ApiError(f"{client.host}: {error}. Is there a network, a proxy, another base_url?") from None


class _Prober:
    """Asks each endpoint once, and parents before their children: a child's path needs a parent's row."""

    def __init__(self, client: Client, streams: Mapping[str, Stream]) -> None:
        self._client = client
        self._streams = streams
        self._with_children = {parent.stream for stream in streams.values() for parent in stream.parents}
        self._findings: dict[str, Finding] = {}

    def finding(self, name: str) -> Finding:
        found = self._findings.get(name)
        if found is None:
            found = self._findings[name] = self._ask(self._streams[name])
        return found

    def _ask(self, stream: Stream) -> Finding:
        endpoint = f"{stream.method} {stream.path}".strip()
        if stream.pages_of:
            return replace(self.finding(stream.pages_of), stream=stream.name, rows=())
        if stream.probe:
            return self._send(stream, f"GET {stream.probe}", Request(stream.probe), lambda _: [None])
        if self._client.delay(stream.quota) > SCARCE_SECONDS:
            return Finding(stream.name, endpoint, "not asked", "would wait for quota")
        parents = [p for p in stream.parents if p.when is None or self._client.settings.get(p.when)]
        if not parents:
            found = self._read(stream, endpoint, [], {})
            return replace(found, word="failed") if found.word == "gone" else found
        above = self.finding(parents[0].stream)
        answers = []
        for values in _sample(list(self._values(stream, parents[0], above))):
            asked = self._read(stream, endpoint, parents, values)
            name = ", ".join(f"{key} {values.get(key)}" for key in parents[0].keys)
            answers.append(replace(asked, detail=f"{name}: {asked.detail}") if asked.word in WORST[:3] else asked)
        if not answers:
            return Finding(stream.name, endpoint, "not asked", f"{above.stream}: {above.word}")
        worst = min(answers, key=lambda each: WORST.index(each.word))
        if worst.word == "empty":  # other parents may have rows
            worst = replace(worst, word="readable", detail=f"those of {len(answers)} of {above.stream} were asked for")
        return replace(worst, rows=[pair for each in answers for pair in each.rows])

    def _values(self, stream: Stream, parent: Parent, above: Finding) -> Iterator[dict[str, Any]]:
        """What the stream takes of each of its parent's rows that it is read for."""
        for row, its_own in above.rows:
            values = parent_values(parent, row, its_own) if isinstance(row, dict) else {}
            is_whole = values and all(values[name] not in (None, "") for name in parent.keys)
            if is_whole and (parent.where is None or parent.where(self._unit(stream, [parent], values))):
                yield values

    def _unit(self, stream: Stream, parents: Sequence[Parent], values: Mapping[str, Any]) -> Unit:
        settings, now = self._client.settings, self._client.now()
        reading = Reading(stream=stream, settings=settings, now=now, incremental=False)
        partition, params = next(iter(partitions(stream, settings).items()), ("", {}))
        made = unit(reading, bookmark=Bookmark(), parent=values, partition=partition, params=params)
        return replace(
            made,
            units=(made,) if parents and batch_size(parents[0], settings) > 1 else (),
            window=_widest(stream.window, settings, now) if stream.window else None,
        )

    def _read(self, stream: Stream, endpoint: str, parents: Sequence[Parent], values: Mapping[str, Any]) -> Finding:
        unit = self._unit(stream, parents, values)
        if stream.fetch is not None and not _has_pages(stream, unit) and (steps := stream.fetch(self._client, unit)):
            is_cheap = stream.name in self._with_children and stream.cancel is None and stream.window is None
            if not is_cheap:
                return Finding(stream.name, endpoint, "not asked", "takes a job of its own")
            rows = (row for step in steps if isinstance(step, Rows) for row in step.rows)
            found = self._answered(stream, endpoint, lambda: list(islice(rows, FIRST_ROWS)))
            return replace(found, rows=[(row, values) for row, _ in found.rows])

        request = first_request(stream, unit)
        if stream.name not in self._with_children:
            request = _smallest(stream, request)

        def read(response: Response) -> Sequence[Any]:
            body = decoded(stream, response)[0]
            rows = located(stream, body)
            leads_on = not rows and stream.next_page is not None and stream.next_page(Page(request, body, rows))
            return [None] if leads_on else rows  # a search, say, whose finds are read by further requests

        found = self._send(stream, endpoint, request, read)
        if found.word == "empty" and unit.window:
            found = replace(found, word="readable", detail=f"nothing came of {unit.window[0]} to {unit.window[1]}")
        return replace(found, rows=[(row, values) for row, _ in found.rows])

    def _send(
        self, stream: Stream, endpoint: str, request: Request, read: Callable[[Response], Sequence[Any]]
    ) -> Finding:
        return self._answered(stream, endpoint, lambda: self._client.send(request, stream=stream.name, read=read))

    def _answered(self, stream: Stream, endpoint: str, ask: Callable[[], Sequence[Any]]) -> Finding:
        try:
            rows = ask()
        except AuthError:
            raise
        except RefusedError as error:
            return Finding(stream.name, endpoint, "unavailable" if stream.optional else "forbidden", str(error))
        except UnavailableError as error:
            return Finding(stream.name, endpoint, "unavailable", str(error))
        except GoneError as error:
            return Finding(stream.name, endpoint, "unavailable" if stream.optional else "gone", str(error))
        except ApiError as error:
            return Finding(stream.name, endpoint, "failed", str(error))
        return Finding(stream.name, endpoint, "readable" if rows else "empty", rows=[(row, {}) for row in rows])


WORST = ("forbidden", "failed", "unavailable", "readable", "not asked", "empty", "gone")
"""What is said of a stream whose parents were answered in several ways: the first of these."""


def _sample(found: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The first, the middle and the last."""
    for place in sorted({0, len(found) // 2, len(found) - 1} if found else ()):
        yield found[place]


def _widest(window: Window, settings: Mapping[str, Any], now: str) -> tuple[str, str]:
    """The latest time that one request may ask for."""
    largest = window.largest(settings) if callable(window.largest) else window.largest
    return max(shift(now, -largest * 86_400), settings.get("start_date") or window.origin), now


def _has_pages(stream: Stream, unit: Unit) -> bool:
    """Whether the row says how pages follow one another: it can then be tried by the first, whatever its hook does."""
    placeholders = {name for _, name, _, _ in Formatter().parse(stream.path) if name}
    return stream.next_page is not None and placeholders <= {"partition", *unit.settings, *unit.parent}


def _smallest(stream: Stream, request: Request) -> Request:
    """The request with the smallest page that the stream knows how to ask for."""
    while stream.shrink is not None and (smaller := stream.shrink(request)) is not None:
        request = smaller
    return request
