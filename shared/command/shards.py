"""Past one machine: the shards into which a run can be cut, as `--plan` prints them.

A shard is what can be read apart from the rest without reading a parent twice: streams that hang together, or, where
the API reads by time, a span of it. Each is a selection and an overlay for the config, run with a state of its own;
`python -m shared.state merge` makes one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil
from typing import Any

from ..api.client import Client
from ..protocol.selection import Selection
from ..streams import Stream
from ..sync.units import partitions
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
    found = [
        _shard(client, family[0].name, family, settings, {})
        for family in _families([stream for stream in selected if stream not in timed], streams)
    ]
    if timed and start:
        end = settings.get("end_date") or floor_seconds(client.now())
        width = seconds_between(start, end) / spans
        edges = [floor_seconds(shift(start, width * number)) for number in range(spans)] + [end]
        for begun, ended in zip(edges, edges[1:], strict=False):
            overlay = {"start_date": begun, "end_date": ended}
            found.append(_shard(client, f"time-{begun[:10]}", timed, {**settings, **overlay}, overlay))
    return found


def _families(selected: Sequence[Stream], streams: Sequence[Stream]) -> Iterator[list[Stream]]:
    """The streams in groups that share no parent and no pages."""
    by_name = {stream.name: stream for stream in streams}
    roots: dict[str, str] = {}

    def root(name: str) -> str:
        while roots.setdefault(name, name) != name:
            name = roots[name]
        return name

    def join(name: str) -> None:
        stream = by_name[name]
        for above in [*(parent.stream for parent in stream.parents), *([stream.pages_of] if stream.pages_of else [])]:
            roots[root(name)] = root(above)
            join(above)

    for stream in selected:
        join(stream.name)
    groups: dict[str, list[Stream]] = {}
    for stream in selected:
        groups.setdefault(root(stream.name), []).append(stream)
    yield from groups.values()


def _shard(
    client: Client, name: str, members: Iterable[Stream], settings: Mapping[str, Any], overlay: Mapping[str, Any]
) -> dict[str, Any]:
    members = list(members)
    requests = {stream.name: _requests(stream, settings) for stream in members}
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
