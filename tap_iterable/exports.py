"""Exports: all events and all users come from one endpoint of four requests a minute, or from jobs.

Rows come unsorted, events have no id, and the server closes long answers. So a window is spooled whole, and only after
its clean end, and a look at which of its rows are equal, is a first row written. There is nothing to salvage from a cut
body: no second of it is known to be complete. A window that fails twice is halved, one that was quick makes the next
one wider. The number of requests is the cost, not the bytes.

A backfill goes through jobs where the key may start them: no quota, no timeout. Their files are spooled just alike, so
that both ways give the same records, the numbers of equal rows included.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from functools import partial
from typing import IO, TYPE_CHECKING, Any, cast

from shared.api.request import Request
from shared.errors import ApiError, RefusedError, TooLargeError
from shared.protocol.state import Bookmark
from shared.streams import Checkpoint, Outcome, Received, Settings, Step, Unit, Window
from shared.sync import jobs
from shared.sync.spool import spooled
from shared.sync.windows import WindowPlan
from shared.timestamps import floor_seconds, instant, seconds_between

from .client import EXPORT, JOB_FILES, JOB_START
from .events import Export

if TYPE_CHECKING:
    from array import array

    from shared.api.answers import Response
    from shared.api.client import Client

logger = logging.getLogger("tap-iterable")

FORMAT = "application/x-json-stream"
DAY_SECONDS = 86_400
MEGABYTE = 1_000_000
SPOOL_IN_MEMORY = 4 * 1024 * 1024
REFUSED = "export_jobs_are_refused"
"""Stands in the settings once this run's key was not let start a job."""


def resize(width: float, outcome: Outcome) -> float:
    """The next window's seconds. 15 seconds is what one request costs anyway, so a quicker window was too small; events
    come in blasts, so growth is by steps, not in proportion. What a window needs of memory and disk grows with it.
    """
    if not outcome.rows or (outcome.seconds < 15 and outcome.bytes < 64 * MEGABYTE):
        return width * 4
    if outcome.seconds < 60 and outcome.bytes < 256 * MEGABYTE:
        return width * 2
    return width / 2 if outcome.seconds > 150 or outcome.bytes > 1000 * MEGABYTE else width


WINDOW = Window(
    first=lambda settings: float(settings["api_window_in_days"]),
    largest=lambda settings: float(settings["max_window_in_days"]),
    resize=resize,
    parallel=False,  # each window tells how wide the next may be; the streams run side by side
)


def forecast(units: Iterable[Unit]) -> str | None:
    """What the exports of a run will take if no window is too large."""
    requests = through_jobs = 0
    settings: Settings = {}
    for each in units:
        settings, plan = each.settings, WindowPlan.of(each, WINDOW, Bookmark())
        is_for_a_job = _is_for_a_job(replace(each, window=(plan.origin, each.now)))
        while (found := plan.next()) is not None and found.window:
            plan.ended(found.window, Outcome(0, 0, 1, 0))
            through_jobs += is_for_a_job
            requests += not is_for_a_job
    if not requests + through_jobs:
        return None
    minutes = requests / float(settings["export_requests_per_minute"])
    return (
        f"Exports to come, if none is too large: {requests} requests, which take {minutes:.0f} minutes, and "
        f"{through_jobs} jobs."
    )


def fetch(export: Export) -> Callable[[Client, Unit], Generator[Step, None, None]]:
    """The rows of one window."""

    def fetched(client: Client, unit: Unit) -> Generator[Step, None, None]:
        unit = _with_own_resume(unit)
        if not _is_for_a_job(unit):
            try:
                yield from _directly(client, unit, export)
                return
            except TooLargeError:
                if not _may_choose(unit) or _seconds(unit) > DAY_SECONDS:
                    raise
            logger.info("%s: %s to %s is too much for one answer: through a job.", unit.stream, *_window(unit))
        try:
            yield from _through_job(client, unit, export)
        except RefusedError as error:
            if unit.settings["export_mode"] != "auto":
                raise
            logger.info("%s Exports are asked for directly.", error)
            yield from _directly(client, unit, export)

    return fetched


def _with_own_resume(unit: Unit) -> Unit:
    """The unit without what an earlier run kept for another window."""
    kept = unit.resume if isinstance(unit.resume, dict) else {}
    return unit if kept.get("window") == list(_window(unit)) else replace(unit, resume=None)


def _may_choose(unit: Unit) -> bool:
    return unit.settings["export_mode"] == "auto" and not unit.settings.get(REFUSED)


def _is_for_a_job(unit: Unit) -> bool:
    if not _may_choose(unit):
        return bool(unit.settings["export_mode"] == "job")
    backfill = seconds_between(unit.since or _window(unit)[0], unit.now)
    return unit.resume is not None or backfill > float(unit.settings["job_threshold_days"]) * DAY_SECONDS


def _window(unit: Unit) -> tuple[str, str]:
    assert unit.window is not None
    return unit.window


def _seconds(unit: Unit) -> float:
    return seconds_between(*_window(unit))


def asked(export: Export, unit: Unit) -> dict[str, Any]:
    """The parameters of a window: the start is inclusive, the end exclusive, in UTC where no zone is named."""
    start, end = (f"{moment[:10]} {moment[11:19]}" for moment in _window(unit))
    # Columns of users may be called otherwise than their fields.
    fields = unit.deselected if export.is_event else unit.deselected & (unit.settings.get("user_fields") or {}).keys()
    chosen = {"onlyFields": export.only, "omitFields": export.unwanted(fields)}
    named = {name: ",".join(names) for name, names in chosen.items() if names}
    return {"dataTypeName": export.data_type, "startDateTime": start, "endDateTime": end, **named}


# Directly


def _directly(client: Client, unit: Unit, export: Export) -> Generator[Step, None, None]:
    from shared.sync.reader import in_turn  # here and below: heavy, and `--version` has no use for it

    from .spooled import Numbers, batches, repeated, scanned

    yield from in_turn(client, EXPORT)
    request = Request("/api/export/data.json", asked(export, unit), quota=EXPORT)
    with spooled(SPOOL_IN_MEMORY) as file:

        def read(response: Response) -> tuple[array[int], Outcome]:
            rows, hashes = scanned(file, export)
            return hashes, Outcome(rows, file.tell(), 1, response.seconds)

        try:
            hashes, outcome = client.send(
                request, stream=unit.stream, into=file, read=read, shrinkable=_seconds(unit) > 1
            )
        except ApiError as error:
            start, end = _window(unit)
            error.args = (f"{error} The window was {start} to {end}.",)
            raise
        yield Received(outcome)
        count = Numbers(repeated([hashes])).count
        del hashes
        file.seek(0)
        yield from batches(file, export, count)


# Through a job


def _through_job(client: Client, unit: Unit, export: Export) -> Generator[Step, None, None]:
    from .spooled import Numbers, batches, repeated, scanned

    job = jobs.Job(
        start=partial(start, export=export),
        poll=partial(poll, stream=unit.stream),
        pages=partial(pages, stream=unit.stream),
        give_up_seconds=float(unit.settings["job_timeout_s"]),
    )
    identifier, _ = yield from jobs.done(job, client, unit)
    emitted = (unit.resume or {}).get("after") if (unit.resume or {}).get("id") == identifier else None
    # From now on there is nothing left to cancel.
    yield Checkpoint(resume=jobs.kept(unit, identifier, **({"after": emitted} if emitted else {}), done=True))
    with spooled(SPOOL_IN_MEMORY) as spool:
        names: list[tuple[str, int]] = []
        hashes: list[array[int]] = []
        rows = 0

        def take(file: jobs.File, body: IO[bytes]) -> None:
            nonlocal rows
            found, new = scanned(body, export)
            rows += found
            hashes.append(new)
            body.seek(0)
            shutil.copyfileobj(body, spool)
            _end_line(spool)
            names.append((file.name, spool.tell()))

        yield from jobs.collect(job, client, unit, identifier, take)
        # How long a job stood in the queue says nothing of the next. That one is not begun ahead, since the state keeps
        # one job for a stream.
        yield Received(Outcome(rows, spool.tell(), 1, 0), begin_next=False)
        count = Numbers(repeated(hashes)).count
        hashes.clear()
        is_skipped = emitted in [name for name, _ in names]
        spool.seek(0)
        for name, end in names:
            for batch in batches(spool, export, count, end=end):
                if not is_skipped:
                    yield batch
            if name == emitted:
                is_skipped = False
            yield Checkpoint(resume=jobs.kept(unit, identifier, after=name, done=True))


def _end_line(spool: IO[bytes]) -> None:
    """A file's last line may lack its end."""
    if spool.tell():
        spool.seek(-1, 2)
        if spool.read(1) != b"\n":
            spool.write(b"\n")


def start(client: Client, unit: Unit, export: Export) -> int:
    """The id of a new job for the unit's window."""
    began = client.now()

    def begun() -> int | None:
        """The id of the job if it had begun although the answer was lost."""
        answer = client.json(Request("/api/export/jobs", quota=JOB_FILES), stream=unit.stream)
        for found in answer.get("jobs") or ():
            scheduled = instant(found.get("scheduledStartTime"))
            if found.get("dataTypeName") == export.data_type and scheduled and scheduled >= floor_seconds(began):
                return int(found["id"])
        return None

    body = {**asked(export, unit), "outputFormat": FORMAT}
    request = Request("/api/export/start", method="POST", body=body, quota=JOB_START)
    try:
        return client.send(request, stream=unit.stream, read=lambda answer: int(answer.json()["jobId"]), started=begun)
    except RefusedError:
        cast("dict[str, Any]", client.settings)[REFUSED] = True
        raise


def poll(client: Client, identifier: Any, *, stream: str = "") -> jobs.Status:
    """How a job stands. A running one may go back to enqueued; the specification writes states with a capital, the
    service without.
    """
    answer = _files(client, identifier, "", stream)
    if answer.get("exportTruncated"):
        raise TooLargeError(f"The export job {identifier} was cut at the most that one may hold.")
    state = str(answer.get("jobState")).lower()
    return jobs.Status(is_done=state == "completed", is_lost=state in ("failed", "cancelled", "cancelling"))


def pages(client: Client, identifier: Any, after: str, *, stream: str = "") -> list[jobs.File]:
    """The files listed behind the one called `after`, with links that live for 30 minutes. An empty page is the end,
    whatever the size of the pages before.
    """
    files = _files(client, identifier, after, stream).get("files") or []
    return [jobs.File(str(each["file"]), str(each["url"])) for each in files]


def _files(client: Client, identifier: Any, after: str, stream: str) -> dict[str, Any]:
    params = {"startAfter": after} if after else {}
    answer = client.json(Request(f"/api/export/{identifier}/files", params, quota=JOB_FILES), stream=stream)
    return answer if isinstance(answer, dict) else {}


def cancel(client: Client, resume: Any) -> None:
    """End a job that still runs: it would hold one of the organization's four places."""
    if isinstance(resume, dict) and resume.get("id") is not None and not resume.get("done"):
        client.send(Request(f"/api/export/{resume['id']}", method="DELETE"))
