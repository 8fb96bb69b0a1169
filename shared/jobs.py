"""Reading through an export job that the API runs by itself: start, poll, fetch its files, pick it up after a crash.

`run` is a body for a row's `fetch` hook. The job's id stands in the state from the moment it is known until its unit is
complete, so a killed run finds it again. Polling holds no worker.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO

from .client import Client
from .errors import ApiError, GoneError, RefusedError, RetryableError
from .streams import Batch, Checkpoint, Step, Unit, Wait

STARTS = 3
"""So often a job is started (again) for one unit before it counts as failed."""
DOWNLOADS = 6
SPOOL_IN_MEMORY = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Status:
    """What a poll told. `is_done`: no more polls are needed. `is_lost`: start it anew. `files`: where its results are,
    as far as known, in order. `failure`: the API's words when the job itself failed.
    """

    is_done: bool = False
    is_lost: bool = False
    files: tuple[str, ...] = ()
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One API's export jobs.

    start        (client, unit) -> the job's id (JSON)
    poll         (client, id) -> Status; GoneError means lost
    rows         (file, unit) -> batches of raw rows (and checkpoints of sub-units) of a downloaded file
    cancel       (client, id): end a job nobody waits for any more
    first_poll_seconds, poll_cap_seconds
                 the wait before a poll doubles from the first to the cap
    give_up_seconds
                 a job that takes longer has failed
    """

    start: Callable[[Client, Unit], Any]
    poll: Callable[[Client, Any], Status]
    rows: Callable[[BinaryIO, Unit], Iterable[Step]]
    cancel: Callable[[Client, Any], None] | None = None
    first_poll_seconds: float = 2.0
    poll_cap_seconds: float = 60.0
    give_up_seconds: float = 6 * 3600.0


def run(job: Job, client: Client, unit: Unit) -> Generator[Step, None, None]:
    """Read `unit` through a job: the one that `unit.resume` names, or a new one."""
    known = unit.resume if isinstance(unit.resume, dict) else {}
    identifier = known.get("id")
    for _ in range(STARTS):
        if identifier is None:
            identifier = job.start(client, unit)
        yield Checkpoint(resume={"id": identifier, "units": [part.key for part in unit.units]})
        began = time.monotonic()
        try:
            status = yield from _finished(job, client, unit, identifier)
        except ApiError:
            client.report.job(unit.stream, job_type="export", seconds=time.monotonic() - began, succeeded=False)
            raise
        client.report.job(
            unit.stream, job_type="export", seconds=time.monotonic() - began, succeeded=not status.is_lost
        )
        if not status.is_lost:
            for file in status.files:
                yield from _fetched(job, client, unit, identifier, file)
            return
        identifier = None
    raise ApiError(f"{unit.stream}: the API lost its export job {STARTS} times. Try again later.")


def _finished(job: Job, client: Client, unit: Unit, identifier: Any) -> Generator[Step, None, Status]:
    """Poll until the job is done or lost."""
    delay, began = job.first_poll_seconds, time.monotonic()
    while True:
        try:
            status = job.poll(client, identifier)
        except GoneError:
            return Status(is_lost=True)
        if status.failure:
            raise ApiError(f"{unit.stream}: export job {identifier} failed: {status.failure}")
        if status.is_done or status.is_lost:
            return status
        if (time.monotonic() - began) * client.speed > job.give_up_seconds:
            raise ApiError(
                f"{unit.stream}: export job {identifier} was not done within {job.give_up_seconds / 3600:g} hours. "
                "It is kept in the state; run again to go on waiting for it."
            )
        yield Wait(delay)
        delay = min(delay * 2, job.poll_cap_seconds)


def _fetched(job: Job, client: Client, unit: Unit, identifier: Any, url: str) -> Generator[Step, None, None]:
    """Download one file whole, asking for a fresh link when the old one has expired, then its rows."""
    place = url.split("?", maxsplit=1)[0]
    for tries in range(1, DOWNLOADS + 1):
        with tempfile.SpooledTemporaryFile(max_size=SPOOL_IN_MEMORY) as file:
            try:
                client.download(url, file, stream=unit.stream)
            except (RefusedError, GoneError, RetryableError):
                if tries == DOWNLOADS:
                    raise
                yield Wait(2.0 ** (tries - 1))
                fresh = job.poll(client, identifier).files
                url = next((link for link in fresh if link.split("?")[0] == place), url)
                continue
            file.seek(0)
            yield from job.rows(file, unit)  # type: ignore[arg-type]
            return


__all__ = ["Batch", "Job", "Status", "run"]
