"""Streams of metrics that only this account has: chosen by `metric_streams`, and named so that the names hold still."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.api.request import Row
from shared.protocol import schema
from shared.streams import Stream

from . import events
from .client import pages
from .events import plain
from .fieldsets import SCHEMAS

if TYPE_CHECKING:
    from shared.api.client import Client


def own_streams(client: Client) -> Iterable[Stream]:
    """A stream for each metric that `metric_streams` names, unless one of the contract's streams reads it."""
    wanted = client.settings.get("metric_streams") or []
    if not wanted:
        return ()
    found = events.feeding(
        [row for body in pages(client, "/api/metrics", quota="M metrics") for row in events.metrics(body)]
    )
    named = names(row for row in found if not row["feeds"])
    texts = {plain(text): str(text) for text in wanted}
    is_all = bool(texts.keys() & {"all", "*"})
    known = {word for row in found for word in (plain(row.get("name")), plain(row["id"]), plain(named.get(row["id"])))}
    for word in texts.keys() - known - {"all", "*"}:
        client.report.warn("", f"metric_streams: the account has no metric {texts[word]!r} (any more).")
    chosen = [
        row
        for row in found
        if not row["feeds"]
        and (is_all or texts.keys() & {plain(row.get("name")), plain(row["id"]), plain(named[row["id"]])})
    ]
    taken, streams = {named[row["id"]] for row in chosen}, []
    for row in chosen:
        streams.append(_own_stream(row, named[row["id"]], taken))
        taken.update(streams[-1].aliases)
    return streams


RESERVED = frozenset(("event", "event_", "event_attributions"))
"""What no stream of a single metric may be called."""


def _slug(row: Row) -> str:
    return f"event_{re.sub('[^a-z0-9]+', '_', plain(row.get('name'))).strip('_')}"[:50].rstrip("_")


def names(rows: Iterable[Row]) -> Mapping[str, str]:
    """What the streams of metrics are called, by the metrics' ids. Of those whose names are alike the oldest has the
    bare name, and keeps it whatever joins later; the others have their ids behind it.
    """
    found: dict[str, str] = {}
    taken = set(RESERVED)
    for row in sorted(rows, key=lambda row: (str(row.get("created") or "9"), str(row["id"]))):
        slug = _slug(row)
        found[row["id"]] = slug if slug not in taken else f"{slug}_{row['id']}"
        taken |= {slug, found[row["id"]].casefold()}
    return found


def _own_stream(row: Row, name: str, taken: Collection[str]) -> Stream:
    """The stream of one metric, with the names it may have had: what was chosen beside it used to count."""
    identifier, slug = str(row["id"]), _slug(row)
    earlier = (f"event_{identifier}", identifier, f"{slug}_{identifier}", *(() if slug in RESERVED else (slug,)))
    return events.metric_stream(
        name=name,
        description=f"Events of the metric {row.get('name')}",
        parent=events.of_metrics(partial(_is_metric, identifier)),
        extend_schema=_event_schema,
        aliases=tuple(each for each in earlier if each not in taken),
    )


def _is_metric(identifier: str, metric: Mapping[str, Any]) -> bool:
    return metric.get("metric_id") == identifier


def _event_schema(_: dict[str, Any], __: Client) -> dict[str, Any]:
    return schema.load(SCHEMAS, "receive")
