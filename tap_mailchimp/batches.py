"""E-mail activity through `/batches`: Mailchimp makes the requests itself and leaves the answers in one archive.

Direct requests are the default, because they are better in nearly every run: no queue, a bookmark for each campaign,
no result that expires, no quota shared with the account's other applications. A batch helps where those hold the ten
connections all the time, or where a single page takes longer than the 120 seconds that a request may.

A batch is polled, found again and started anew by `shared.jobs`. Its result lives for 7 days, a link to it for 10
minutes from the poll that gave it. Never use a batch for members of segments: there it gives 10 rows at most, whatever
`count` says.
"""

from __future__ import annotations

import codecs
import json
import logging
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from shared.api.request import Request
from shared.errors import RetryableError
from shared.protocol.state import later
from shared.streams import Checkpoint, Rows, Settings, Step, Stream, Unit
from shared.sync import jobs
from shared.timestamps import instant, seconds_between

from .activity import newest

if TYPE_CHECKING:
    from shared.api.client import Client
MOST_CAMPAIGNS = 100
"""Campaigns a batch: as many as the singer-io tap asks for."""
MOST_BATCHES = 5
"""Batches under way at once. Mailchimp takes 500 for an account, all applications together, and runs them in turn."""
_CHUNK = 64 * 1024

logger = logging.getLogger("tap-mailchimp")


def campaigns(settings: Settings) -> int:
    """How many campaigns are read together."""
    return MOST_CAMPAIGNS if settings["email_activity_mode"] == "batch" else 1


def at_once(settings: Settings) -> int | None:
    """How many batches may be under way."""
    return MOST_BATCHES if settings["email_activity_mode"] == "batch" else None


def fetch(client: Client, unit: Unit, stream: Stream) -> Generator[Step, None, None] | None:
    """The campaigns of `unit` through a batch, where the mode says so; `stream` is how one is read directly."""
    if unit.units:
        return _through_batch(client, unit, stream)
    if unit.too_large and unit.settings["email_activity_mode"] == "auto":
        logger.warning("%s: campaign %s is too much for direct requests: through a batch.", unit.stream, unit.key)
        # What was written of it so far is written again: it has the same keys.
        return _through_batch(client, unit, stream)
    return None


def _through_batch(client: Client, unit: Unit, stream: Stream) -> Generator[Step, None, None]:
    parts = unit.units or (unit,)
    tallies = {part.key: Tally() for part in parts}
    job = jobs.Job(
        start=lambda client, unit: start(client, parts, stream),
        poll=poll,
        rows=lambda file, unit: rows(file, parts, tallies),
    )
    # A batch that was kept in the state began before today's look at /reports: what came between is not in it.
    is_kept = bool(unit.resume)
    yield from jobs.run(job, client, unit)
    for part in parts:
        tally = tallies[part.key]
        if tally.status == 404:
            logger.warning("%s: campaign %s is gone. Skipped.", unit.stream, part.key)
            continue
        if not tally.is_whole:
            from shared.sync.paging import pages

            logger.info("%s: the batch left out (part of) campaign %s: asking directly.", unit.stream, part.key)
            for step in pages(client, part, stream):
                if isinstance(step, Rows):
                    tally.newest = later(tally.newest, newest(step.rows))
                    yield replace(step, unit=part)
        if unit.units:
            kept = replace(part, scratch={}) if is_kept else part
            yield Checkpoint(unit=kept, value=tally.newest)


@dataclass
class Tally:
    """What an archive held of one campaign."""

    status: int = 0
    rows: int = 0
    total: int = 0
    newest: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether every recipient was there. An answer may come in several entries."""
        return self.status == 200 and self.rows >= self.total


def rows(file: BinaryIO, parts: Sequence[Unit], tallies: dict[str, Tally]) -> Iterator[Rows]:
    """The raw rows in an archive, for each campaign asked for; what was found of it goes to its tally."""
    by_key = {part.key: part for part in parts}
    for key in tallies:
        tallies[key] = Tally()
    for operation, status, size, body in entries(file):
        part = by_key.get(operation)
        if part is None:
            continue
        tally = tallies[operation]
        found = body.get("emails") if isinstance(body, dict) else None
        if status != 200 or not isinstance(found, list):
            tally.status = status if status != 200 else 500
            continue
        tally.status = tally.status or 200
        tally.rows += len(found)
        tally.total = max(tally.total, int(body.get("total_items") or 0))
        tally.newest = later(tally.newest, newest(found))
        yield Rows(found, size=size, unit=part)


# The API


def start(client: Client, units: Sequence[Unit], stream: Stream) -> str:
    """The id of a new batch that asks for the activity of `units`."""
    began = client.now()

    def begun() -> str | None:
        """The id of the batch if it had been made although its answer was lost."""
        request = Request("/batches", {"count": 50, "exclude_fields": "_links,batches._links"})
        answer = client.json(request, stream=stream.name)
        for batch in answer.get("batches") or ():
            submitted = instant(batch.get("submitted_at"))
            if batch.get("total_operations") == len(units) and submitted and seconds_between(began, submitted) > -1:
                return str(batch["id"])
        return None

    request = Request("/batches", method="POST", body={"operations": [operation(unit, stream) for unit in units]})
    return client.send(request, stream=stream.name, read=lambda response: str(response.json()["id"]), started=begun)


def operation(unit: Unit, stream: Stream) -> dict[str, Any]:
    """The batch operation that reads what the first request for `unit` would begin to read.

    Without `count` it gives all pages, as several entries under the same operation_id.
    """
    from shared.sync.paging import first_request

    request = first_request(stream, unit)
    params = {name: value for name, value in request.params.items() if name not in ("count", "offset")}
    return {"method": "GET", "path": request.path, "operation_id": unit.key, "params": params}


def poll(client: Client, batch: Any) -> jobs.Status:
    """How a batch stands: pending, preprocessing, started, finalizing, finished. A 404 means that it has expired."""
    answer = client.json(Request(f"/batches/{batch}", {"exclude_fields": "_links"}))
    if answer.get("status") != "finished":
        return jobs.Status()
    url = answer.get("response_body_url")
    # Finished and nothing stored happens: then it is to be submitted again (singer-io/tap-mailchimp, 2020).
    return jobs.Status(is_done=True, files=(jobs.File("archive", str(url)),)) if url else jobs.Status(is_lost=True)


# The archive


def entries(file: IO[bytes]) -> Iterator[tuple[str, int, int, Any]]:
    """(operation_id, status_code, size, body) of each result in a `.tar.gz`, read as a stream.

    Entries come in any order, an operation may have several, a folder may come first, and files may be empty.
    """
    import tarfile  # here, since `--version` has no use for it

    try:
        with tarfile.open(fileobj=file, mode="r|gz") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if content is None:
                    continue
                for result in elements(iter(lambda content=content: content.read(_CHUNK), b"")):  # type: ignore[misc]
                    answer = result.get("response")
                    body = _json(answer) if isinstance(answer, str) else answer
                    size = len(answer) if isinstance(answer, str) else 0
                    yield str(result.get("operation_id")), int(result.get("status_code") or 0), size, body
    except (tarfile.TarError, EOFError, zlib.error, ValueError) as error:
        raise RetryableError(f"The archive of the batch cannot be read to its end: {error}.") from error


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None  # an error page of some gateway; the status tells


def elements(chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The objects of a JSON array, one at a time: a file may hold more than memory should."""
    decode = codecs.getincrementaldecoder("utf-8")().decode
    scan = json.JSONDecoder().raw_decode
    text, wanted = "", 0
    for chunk in chain(chunks, (b"",)):
        text += decode(chunk, not chunk)
        if chunk and len(text) < wanted:
            continue  # an element of many megabytes is not tried again with each chunk
        while (text := text.lstrip(" \t\r\n,[")) and text[0] != "]":
            try:
                element, end = scan(text)
            except ValueError:
                if not chunk:
                    raise
                wanted = 2 * len(text)
                break
            text, wanted = text[end:], 0
            if isinstance(element, dict):
                yield element
