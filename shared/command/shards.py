"""Past one machine: the shards into which a run can be cut, as `--plan` prints them.

A shard is what can be read apart from the rest without reading a parent twice: streams that hang together, or, where
the API reads by time, a span of it. Where a setting picks some of an account's many (an agency's clients), each of
those is cut off, too. A shard is a selection and an overlay for the config, run with a state of its own;
`marketing-taps merge-state` makes one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from math import ceil
from types import MappingProxyType
from typing import Any

from ..api.client import Client
from ..api.request import at
from ..errors import ApiError, AuthError
from ..protocol.selection import Selection
from ..protocol.state import Bookmark
from ..streams import Rows, Stream
from ..sync.paging import pages
from ..sync.units import Reading, partitions, unit
from ..sync.windows import DAY_SECONDS
from ..timestamps import floor_seconds, seconds_between, shift

ANSWER_SECONDS = 0.5
"""What an answer is taken to need, where no quota needs more."""


def shards(
    client: Client, streams: Sequence[Stream], selections: Sequence[Selection], settings: Mapping[str, Any], spans: int
) -> list[dict[str, Any]]:
    """The shards for what is selected; streams that read by time in so many `spans`, where there is a start date."""
    selected = [selection.stream for selection in selections]
    start: str | None = settings.get("start_date")
    timed = [stream for stream in selected if stream.window and start and spans > 1]
    rest = [stream for stream in selected if stream not in timed]
    cut = next((stream for stream in streams if stream.cut_by), None)
    below = [stream for stream in rest if cut is not None and cut.name in _above(stream, streams)]
    if cut is not None and below:
        rest = [stream for stream in rest if stream not in below]
        found = list(_Cut(client, cut, below, {stream.name: stream for stream in streams}, settings).shards())
    else:
        found = []
    found += [_shard(client, family[0].name, family, settings, {}) for family in _families(rest, streams)]
    if timed and start:
        end = settings.get("end_date") or floor_seconds(client.now())
        width = seconds_between(start, end) / spans
        edges = [floor_seconds(shift(start, width * number)) for number in range(spans)] + [end]
        for begun, ended in zip(edges, edges[1:], strict=False):
            overlay = {"start_date": begun, "end_date": ended}
            found.append(_shard(client, f"time-{begun[:10]}", timed, {**settings, **overlay}, overlay))
    return found


@dataclass(frozen=True)
class _Cut:
    """A plan for the streams `below` the rows of `stream`: each row, with what hangs under it, by itself.

    How much that is at least is told by the rows right below, which take a request for each kind.
    """

    client: Client
    stream: Stream
    below: Sequence[Stream]
    streams: Mapping[str, Stream]
    settings: Mapping[str, Any]

    def shards(self) -> Iterator[dict[str, Any]]:
        families = self._families()
        for row in self._rows(self.stream, {}):
            values = {name: at(row, name) for name in self.stream.key_properties}
            chosen = [str(value) for value in values.values()]
            count = cache(partial(self._count, values=values))
            for family in families:
                requests = {stream.name: count(self._parent(stream)) for stream in family if not stream.pages_of}
                name = "-".join([family[0].name, *chosen])
                overlay = {self.stream.cut_by: chosen}
                yield _shard(self.client, name, family, self.settings, overlay, requests)

    def _families(self) -> list[list[Stream]]:
        """What shares a parent below the rows; streams that take a request or two go along with the first family."""
        whole = frozenset(name for name in self.streams if self._is_row(name))
        found = list(_families(self.below, list(self.streams.values()), apart=whole))
        deep = [family for family in found if any(self._parent(stream) not in whole for stream in family)]
        flat = [stream for family in found if family not in deep for stream in family]
        return [[*deep[0], *flat], *deep[1:]] if deep else [flat]

    def _is_row(self, name: str) -> bool:
        """Whether the stream holds a row for each of those that the account is cut by."""
        return self.streams[name].key_properties == self.stream.key_properties

    def _parent(self, stream: Stream) -> str:
        source = self.streams[stream.pages_of] if stream.pages_of else stream
        return source.parents[0].stream

    def _count(self, name: str, *, values: Mapping[str, Any]) -> int:
        """How many rows a stream has, as far as one request can tell."""
        stream = self.streams[name]
        if self._is_row(name):
            return 1
        above = self._parent(stream)
        if self._is_row(above):
            return 0 if stream.quota else len(self._rows(stream, values))
        is_one_each = stream.key_properties == self.streams[above].key_properties
        return self._count(above, values=values) if is_one_each else 0

    def _rows(self, stream: Stream, values: Mapping[str, Any]) -> Sequence[Any]:
        """The rows of a stream; none where they cannot be read now."""
        reading = Reading(stream=stream, settings=self.settings, now=self.client.now(), incremental=False)
        made = unit(reading, bookmark=Bookmark(), parent=values)
        steps = stream.fetch(self.client, made) if stream.fetch else None
        try:
            found = pages(self.client, made, stream) if steps is None else steps
            return [row for step in found if isinstance(step, Rows) for row in step.rows]
        except AuthError:
            raise
        except ApiError:
            return ()


def _above(stream: Stream, streams: Sequence[Stream]) -> set[str]:
    """The names of the streams that a stream hangs under, directly or not."""
    by_name = {each.name: each for each in streams}
    names = {parent.stream for parent in stream.parents} | ({stream.pages_of} if stream.pages_of else set())
    return names.union(*(_above(by_name[name], streams) for name in names))


def _families(
    selected: Sequence[Stream], streams: Sequence[Stream], *, apart: frozenset[str] = frozenset()
) -> Iterator[list[Stream]]:
    """The streams in groups that share no parent and no pages, but for the parents `apart`."""
    by_name = {stream.name: stream for stream in streams}
    roots: dict[str, str] = {}

    def root(name: str) -> str:
        while roots.setdefault(name, name) != name:
            name = roots[name]
        return name

    def join(name: str) -> None:
        stream = by_name[name]
        for above in [*(parent.stream for parent in stream.parents), *([stream.pages_of] if stream.pages_of else [])]:
            if above not in apart:
                roots[root(name)] = root(above)
                join(above)

    for stream in selected:
        join(stream.name)
    groups: dict[str, list[Stream]] = {}
    for stream in selected:
        groups.setdefault(root(stream.name), []).append(stream)
    yield from groups.values()


def _shard(
    client: Client,
    name: str,
    members: Sequence[Stream],
    settings: Mapping[str, Any],
    overlay: Mapping[str, Any],
    known: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, Any]:
    requests = {
        stream.name: known[stream.name]
        if stream.name in known
        else _weighed(client, stream) or _requests(stream, settings)
        for stream in members
    }
    by_quota: dict[str, int] = {}
    for stream in members:
        by_quota[stream.quota] = by_quota.get(stream.quota, 0) + requests[stream.name]
    total = sum(requests.values())
    at_once = int(settings.get("concurrency") or 1)
    waits = [client.limits.least_seconds(quota, count) for quota, count in by_quota.items()]
    return {
        "name": name,
        "select": [stream.name for stream in members],
        "config": dict(overlay),
        # What depends on how many rows and parents there are cannot be known before they are read.
        "estimate": {
            "requests_at_least": total,
            "seconds_at_least": round(max(*waits, ceil(total / at_once) * ANSWER_SECONDS), 1),
            "and": {stream.name: stream.cost for stream in members if stream.cost},
        },
    }


def _weighed(client: Client, stream: Stream) -> int | None:
    """The requests a stream takes as the API's own counts tell; None where they do not, or not now."""
    try:
        return stream.weigh(client) if stream.weigh else None
    except AuthError:
        raise
    except ApiError:
        return None


def _requests(stream: Stream, settings: Mapping[str, Any]) -> int:
    """The fewest requests a stream takes: one for each partition and window; nothing for what rides on others."""
    if stream.pages_of or stream.parents:
        return 0
    count = len(partitions(stream, settings))
    start, end = settings.get("start_date"), settings.get("end_date")
    if stream.window and start and end:
        largest = stream.window.largest
        days = largest(settings) if callable(largest) else largest
        count *= max(1, ceil(seconds_between(start, end) / (days * DAY_SECONDS)))
    return count
