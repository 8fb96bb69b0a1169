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
from string import Formatter
from typing import TYPE_CHECKING, Any

from ..api.request import Request
from ..errors import ApiError, AuthError, GoneError, RefusedError, Stopped, UnavailableError
from ..protocol import schema
from ..protocol.state import Bookmark
from ..sync.paging import decoded, first_request, located
from ..sync.units import Reading, batch_size, parent_values, partitions, unit
from ..timestamps import shift

if TYPE_CHECKING:
    from ..api.answers import Response
    from ..api.client import Client
    from ..streams import Parent, Stream, Unit
    from ..tap import Tap

Schemas = dict[str, dict[str, Any]]

OFFLINE_SECONDS = 12.0
"""So long may the first call take to be answered; after that discovery goes on as if there were no network."""
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
        with _patience(client.stop):
            tap.check(client)
        return of_account(tap, client, is_lenient=True)
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
    is_lenient: bool = False,
    known_schemas: Schemas | None = None,
) -> tuple[tuple[Stream, ...], Schemas]:
    """The streams and schemas with the account's own among them; asks only on behalf of the streams wanted.

    Lenient, one stream's refusal or failure leaves it with the fields that every account has.
    """
    streams, schemas = tap.streams, dict(known_schemas or known(tap)[1])
    if tap.more_streams is not None:
        own = tuple(tap.more_streams(client))
        streams = (*streams, *own)
        schemas |= {stream.name: _base(tap, stream) for stream in own}
    for stream in streams:
        if stream.extend_schema is None or not is_wanted(stream.name) or stream.name not in schemas:
            continue
        try:
            schemas[stream.name] = stream.extend_schema(schemas[stream.name], client)
        except (RefusedError, UnavailableError, GoneError) as error:
            # The sync will meet the same answer and say it once more, with the right exit code.
            logging.getLogger(tap.name).warning("%s: without the account's own fields: %s", stream.name, error)
        except AuthError:
            raise
        except ApiError as error:
            if not is_lenient:
                raise
            logging.getLogger(tap.name).warning("%s: without the account's own fields: %s", stream.name, error)
    return streams, schemas


def _base(tap: Tap, stream: Stream) -> dict[str, Any]:
    """The schema an account's own stream begins with: its file, where there is one for all of its kind."""
    if (tap.schemas / f"{stream.name}.json").is_file():
        return schema.load(tap.schemas, stream.name)
    return {"type": "object", "properties": {}}


class _OfflineError(Exception):
    """Nobody answered in time."""


@contextmanager
def _patience(stop: threading.Event) -> Iterator[None]:
    """Breaks off what the client does in here when it takes too long.

    A client goes on trying for minutes, which is right for a sync. Discovery without network has a good answer at hand.
    """
    is_late = threading.Event()

    def give_up() -> None:
        is_late.set()
        stop.set()

    timer = threading.Timer(OFFLINE_SECONDS, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Stopped:
        if is_late.is_set():
            raise _OfflineError(f"no answer within {OFFLINE_SECONDS:g} seconds") from None
        raise
    finally:
        timer.cancel()


# What the credential may read


@dataclass(frozen=True)
class Finding:
    """What one endpoint answered: readable, forbidden, empty, unavailable, failed, or not asked."""

    stream: str
    endpoint: str
    word: str
    detail: str = ""
    rows: Sequence[Any] = field(default=(), repr=False)
    parent: Mapping[str, Any] = field(default_factory=dict, repr=False)


def test(tap: Tap, client: Client, streams: Sequence[Stream], selected: Sequence[str]) -> Iterator[Finding]:
    """One cheap request for each endpoint behind the `selected` streams, as they are answered. Raises AuthError."""
    tap.check(client)
    prober = _Prober(client, {stream.name: stream for stream in streams})
    for name in selected:
        yield prober.finding(name)


class _Prober:
    """Asks each endpoint once, and parents before their children: a child's path needs a parent's row."""

    def __init__(self, client: Client, streams: Mapping[str, Stream]) -> None:
        self._client = client
        self._streams = streams
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
        if self._client.delay(stream.quota) > SCARCE_SECONDS:
            return Finding(stream.name, endpoint, "not asked", "would wait for quota")
        parents = [p for p in stream.parents if p.when is None or self._client.settings.get(p.when)]
        values: dict[str, Any] = {}
        if parents:
            above = self.finding(parents[0].stream)
            row = self._row(stream, parents[0], above)
            if row is None:
                return Finding(stream.name, endpoint, "not asked", f"{above.stream}: {above.word}")
            values = row
        unit = self._unit(stream, parents, values)
        if stream.fetch is not None and not _has_pages(stream, unit) and stream.fetch(self._client, unit) is not None:
            return Finding(stream.name, endpoint, "not asked", "takes a job of its own")
        return replace(self._send(stream, endpoint, unit), parent=values)

    def _row(self, stream: Stream, parent: Parent, above: Finding) -> dict[str, Any] | None:
        for row in above.rows:
            values = parent_values(parent, row, above.parent)
            if parent.where is None or parent.where(self._unit(stream, [parent], values)):
                return values
        return None

    def _unit(self, stream: Stream, parents: Sequence[Parent], values: Mapping[str, Any]) -> Unit:
        settings, now = self._client.settings, self._client.now()
        reading = Reading(stream=stream, settings=settings, now=now, incremental=False)
        partition, params = next(iter(partitions(stream, settings).items()), ("", {}))
        made = unit(reading, bookmark=Bookmark(), parent=values, partition=partition, params=params)
        return replace(
            made,
            units=(made,) if parents and batch_size(parents[0], settings) > 1 else (),
            window=(shift(now, -3600), now) if stream.window else None,
        )

    def _send(self, stream: Stream, endpoint: str, unit: Unit) -> Finding:
        def read(response: Response) -> Sequence[Any]:
            return located(stream, decoded(stream, response)[0])

        try:
            rows = self._client.send(_smallest(stream, first_request(stream, unit)), stream=stream.name, read=read)
        except AuthError:
            raise
        except RefusedError as error:
            return Finding(stream.name, endpoint, "unavailable" if stream.optional else "forbidden", str(error))
        except (UnavailableError, GoneError) as error:
            word = "unavailable" if stream.optional or isinstance(error, UnavailableError) else "failed"
            return Finding(stream.name, endpoint, word, str(error))
        except ApiError as error:
            return Finding(stream.name, endpoint, "failed", str(error))
        return Finding(stream.name, endpoint, "readable" if rows else "empty", rows=rows)


def _has_pages(stream: Stream, unit: Unit) -> bool:
    """Whether the row says how pages follow one another: it can then be tried by the first, whatever its hook does."""
    placeholders = {name for _, name, _, _ in Formatter().parse(stream.path) if name}
    return stream.next_page is not None and placeholders <= {*unit.settings, *unit.parent}


def _smallest(stream: Stream, request: Request) -> Request:
    """The request with the smallest page that the stream knows how to ask for."""
    while stream.shrink is not None and (smaller := stream.shrink(request)) is not None:
        request = smaller
    return request
