"""Exports: all events and all users come from one endpoint of four requests a minute, or from jobs.

Rows come unsorted, events have no id, and the server closes long answers. So a window is spooled whole, and only after
its clean end, and a look at which of its rows are equal, is a first row written. There is nothing to salvage from a cut
body: no second of it is known to be complete. A window that fails twice is halved, one that was quick makes the next
one wider. The number of requests is the cost, not the bytes. A line that is broken for good is left out, and named.

A backfill goes through jobs where the key may start them: no quota, no timeout. Their files are spooled just alike, so
that both ways give the same records, the numbers of equal rows included.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from shared.api.request import Request
from shared.errors import ApiError, GoneError, PartError, RefusedError, RetryableError, TooLargeError
from shared.streams import Checkpoint, Outcome, Received, Rows, Settings, Step, Unit, Wait, Window
from shared.sync import jobs
from shared.sync.spool import spooled
from shared.sync.windows import expected
from shared.timestamps import floor_seconds, instant, seconds_between, shift

from .client import EXPORT, JOB_FILES, JOB_START
from .events import Export
from .project import project

if TYPE_CHECKING:
    from shared.api.answers import Response
    from shared.api.client import Client

    from .spooled import Broken, UnfinishedError

logger = logging.getLogger("tap-iterable")

FORMAT = "application/x-json-stream"
DAY_SECONDS = 86_400
MEGABYTE = 1_000_000
SPOOL_IN_MEMORY = 4 * 1024 * 1024
TURN_SECONDS = 2.0
"""How long at most an export waits for its turn before it looks whether another was refused meanwhile."""
INDEXED = ("documentCreatedAt", "documentUpdatedAt")
UTC_ENDS = frozenset({" +00:00", "+00:00", "Z"})
LATE_MINUTES, SOON_MINUTES = 7 * 1440, 60
"""How late events come that phones held back, and how late nearly all of them."""


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


def lookback_seconds(settings: Settings) -> float:
    """How much is read again behind a bookmark: as the settings say, or a week for events where that is no further
    request, since a window is as wide. An append-only target would need a week of events in the state.
    """
    if (minutes := settings.get("lookback_minutes")) is not None:
        return 60.0 * float(minutes)
    is_free = float(settings["api_window_in_days"]) * 1440 > LATE_MINUTES and settings["event_key"] != "append"
    return 60.0 * (LATE_MINUTES if is_free else SOON_MINUTES)


def forecast(units: Iterable[Unit]) -> str | None:
    """What the exports of a run will take if no window is too large."""
    requests = through_jobs = 0
    settings: Settings = {}
    for each in units:
        settings, windows = each.settings, expected(each, WINDOW)
        if windows and _is_for_a_job(replace(each, window=(windows[0][0], each.now))):
            through_jobs += len(windows)
        else:
            requests += len(windows)
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
        unit, known = _with_own_resume(unit), project(unit.settings)
        known.check_exports(unit.stream)
        try:
            yield from _either_way(client, unit, export)
        except GoneError:
            if not export.also or known.calls(export.data_type) == export.also:
                raise
            known.types[export.data_type] = export.also
            yield from _either_way(client, unit, export)

    return fetched


def _either_way(client: Client, unit: Unit, export: Export) -> Generator[Step, None, None]:
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
        project(unit.settings).refuse_jobs(error)
        yield from _directly(client, unit, export)


def _with_own_resume(unit: Unit) -> Unit:
    """The unit without what an earlier run kept for another window; that lines are broken it kept of a time."""
    kept = unit.resume if isinstance(unit.resume, dict) else {}
    window, (start, end) = kept.get("window"), _window(unit)
    is_own = window == [start, end]
    if "broken" in kept and isinstance(window, list) and len(window) == 2:
        is_own = str(window[0]) < end and start < str(window[1])
    return unit if is_own else replace(unit, resume=None)


def _may_choose(unit: Unit) -> bool:
    return unit.settings["export_mode"] == "auto" and project(unit.settings).may_start_jobs


def _is_for_a_job(unit: Unit) -> bool:
    if not _may_choose(unit):
        return bool(unit.settings["export_mode"] == "job")
    backfill = seconds_between(unit.since or _window(unit)[0], unit.now)
    return (unit.resume or {}).get("id") is not None or backfill > float(
        unit.settings["job_threshold_days"]
    ) * DAY_SECONDS


def _window(unit: Unit) -> tuple[str, str]:
    assert unit.window is not None
    return unit.window


def _seconds(unit: Unit) -> float:
    return seconds_between(*_window(unit))


def asked(export: Export, unit: Unit) -> dict[str, Any]:
    """The parameters of a window: the start is inclusive, the end exclusive, in UTC where no zone is named."""
    start, end = (f"{moment[:10]} {moment[11:19]}" for moment in _window(unit))
    known = project(unit.settings)
    # Columns of users may be called otherwise than their fields.
    fields = unit.deselected if export.is_event else unit.deselected & known.fields.keys()
    chosen = {"onlyFields": export.only, "omitFields": export.unwanted(fields)}
    named = {name: ",".join(names) for name, names in chosen.items() if names}
    return {"dataTypeName": known.calls(export.data_type), "startDateTime": start, "endDateTime": end, **named}


# Directly


def _directly(client: Client, unit: Unit, export: Export) -> Generator[Step, None, None]:
    from .spooled import UnfinishedError, counted

    yield from _in_turn(client, unit)
    request = Request("/api/export/data.json", asked(export, unit), quota=EXPORT)
    with spooled(SPOOL_IN_MEMORY) as file:
        tails: list[UnfinishedError] = []

        def read(response: Response) -> Outcome:
            try:
                return Outcome(counted(file), file.seek(0, 2), 1, response.seconds)
            except UnfinishedError as error:
                tails.append(error)
                raise

        try:
            outcome = client.send(request, stream=unit.stream, into=file, read=read, shrinkable=_seconds(unit) > 1)
        except RefusedError as error:
            raise project(unit.settings).refuse_exports(unit.stream, error) from None
        except (TooLargeError, RetryableError) as error:
            if not tails or not (yield from _is_broken_for_good(client, unit, export, tails)):
                raise _with_window(error, unit) from None
            outcome = Outcome(tails[-1].lines, file.seek(0, 2), 2, 0)
        except ApiError as error:
            raise _with_window(error, unit) from None
        finally:
            project(unit.settings).export_answered()
        yield Received(outcome)
        yield from _rows_of(file, unit, export, outcome.rows)


def _in_turn(client: Client, unit: Unit) -> Generator[Step, None, None]:
    """Waits for the quota without holding a worker, and no longer than until an export is refused."""
    known = project(unit.settings)
    most = int(unit.settings["export_concurrency"])
    while (seconds := client.delay(EXPORT)) > 1 or not known.may_begin_export(most):
        yield Wait(min(seconds, TURN_SECONDS) if seconds > 1 else 1)
        known.check_exports(unit.stream)


def _with_window(error: ApiError, unit: Unit) -> ApiError:
    start, end = _window(unit)
    words = f"{error} The window was {start} to {end}."
    if _seconds(unit) <= 1 and isinstance(error, (TooLargeError, RetryableError)):
        why = "this key may not start one" if not project(unit.settings).may_start_jobs else "see export_mode"
        words += f" Less than a second cannot be asked for: only an export job can read so much ({why})."
    error.args = (words,)
    return error


def _is_broken_for_good(
    client: Client, unit: Unit, export: Export, tails: Sequence[UnfinishedError]
) -> Generator[Step, None, bool]:
    """Whether the last line of an answer is as broken in the project as in that answer: then the answer was whole, and
    to ask for less of it comes to the same. The second that the line names, asked for alone, has the line as it is.
    """
    from .spooled import UnfinishedError, counted, time_of

    tail = tails[-1].tail
    if not tail.startswith(b"{") or any(each.tail != tail for each in tails):
        return False
    if _seconds(unit) <= 1:
        return True
    at = time_of(tail)
    if at is None or not _window(unit)[0] <= at < _window(unit)[1]:
        return False
    yield from _in_turn(client, unit)
    second = replace(unit, window=(floor_seconds(at), shift(floor_seconds(at), 1)))
    request = Request("/api/export/data.json", asked(export, second), quota=EXPORT)
    with spooled(SPOOL_IN_MEMORY) as file:

        def read(response: Response) -> bool:
            try:
                counted(file)
            except UnfinishedError as error:
                return error.tail == tail
            file.seek(0)
            return any(line.strip() == tail for line in file)

        try:
            return client.send(request, stream=unit.stream, into=file, read=read, shrinkable=True)
        except (TooLargeError, RetryableError):
            return False


def _rows_of(file: IO[bytes], unit: Unit, export: Export, lines: int) -> Generator[Step, None, None]:
    """The rows of a spooled answer, then what of it is broken."""
    from .spooled import Broken, Numbers, batches

    numbers, broken = Numbers(lines), Broken()
    file.seek(0)
    for batch in batches(file, export, numbers, broken):
        yield _news(batch, unit, export)
    yield from _left_out(unit, broken)


def _left_out(unit: Unit, broken: Broken) -> Generator[Step, None, None]:
    """Names the broken lines of a window that is written. The next run reads it once more, in case they are mended by
    then; a window that was read before, or begins before the bookmark, is done with.
    """
    if not broken.lines:
        return
    left = broken.left_out(_window(unit))
    start, end = _window(unit)
    if unit.resume is not None or (unit.bookmark and start <= unit.bookmark < end):
        yield left
        return
    yield Checkpoint(resume={"window": [start, end], "broken": broken.lines})
    raise PartError(f"{unit.stream}: {left.what}: {left.why} The next run looks again.", part=left.what)


def _news(batch: Rows, unit: Unit, export: Export) -> Rows:
    """Of events that are read again in case they come late, those that do: indexed since, or nobody says when."""
    if not export.is_event or not unit.bookmark or unit.settings.get("lookback_minutes") is not None:
        return batch
    since = shift(min(unit.bookmark, unit.now), -60 * SOON_MINUTES)
    if unit.window is None or unit.window[0] >= since:
        return batch
    plain = f"{since[:10]} {since[11:19]}"
    rows = [row for row in batch.rows if _is_news(row, plain)]
    return replace(batch, rows=rows)


def _is_news(row: Mapping[str, Any], since: str) -> bool:
    created, indexed = row.get("createdAt"), row.get("itblInternal")
    times = (created, *(indexed.get(name) for name in INDEXED)) if isinstance(indexed, dict) else ()
    texts = [time for time in times if time.__class__ is str and len(time) > 18]
    # Compared as exports write times, in UTC; of another form, or of no time at all, it is news.
    return len(texts) < 2 or any(time[19:] not in UTC_ENDS or time.replace("T", " ")[:19] >= since for time in texts)


# Through a job


def _through_job(client: Client, unit: Unit, export: Export) -> Generator[Step, None, None]:
    from .spooled import Broken, Numbers, UnfinishedError, batches, counted

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
        tails: dict[str, bytes] = {}
        lines = 0

        def take(file: jobs.File, body: IO[bytes]) -> None:
            nonlocal lines
            try:
                lines += counted(body)
            except UnfinishedError as error:
                if tails.get(file.name) != error.tail:  # the same when it is loaded again: so the file is
                    tails[file.name] = error.tail
                    raise
                lines += error.lines
            body.seek(0)
            shutil.copyfileobj(body, spool)
            _end_line(spool)
            names.append((file.name, spool.tell()))

        yield from jobs.collect(job, client, unit, identifier, take)
        # How long a job stood in the queue says nothing of the next. That one is not begun ahead, since the state keeps
        # one job for a stream.
        yield Received(Outcome(lines, spool.tell(), 1, 0), begin_next=False)
        numbers, broken = Numbers(lines), Broken()
        is_skipped = emitted in [name for name, _ in names]
        spool.seek(0)
        for name, end in names:
            for batch in batches(spool, export, numbers, broken, end=end):
                if not is_skipped:
                    yield _news(batch, unit, export)
            if name == emitted:
                is_skipped = False
            yield Checkpoint(resume=jobs.kept(unit, identifier, after=name, done=True))
        yield from _left_out(unit, broken)


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
            if found.get("dataTypeName") == body["dataTypeName"] and scheduled and scheduled >= floor_seconds(began):
                return int(found["id"])
        return None

    body = {**asked(export, unit), "outputFormat": FORMAT}
    request = Request("/api/export/start", method="POST", body=body, quota=JOB_START)
    return client.send(request, stream=unit.stream, read=lambda answer: int(answer.json()["jobId"]), started=begun)


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
