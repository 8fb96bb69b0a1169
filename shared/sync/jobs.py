"""Reading through an export job that the API runs by itself: start, poll, fetch its files, pick it up after a crash.

`run` is a body for a row's `fetch` hook. The job's id stands in the state from the moment it is known until its unit is
complete, so a killed run finds it again. Polling holds no worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, BinaryIO

from ..api.client import Client
from ..errors import ApiError, GoneError, RefusedError, RetryableError
from ..streams import Checkpoint, Rows, Step, Unit, Wait
from .spool import spooled

STARTS = 3
"""So often a job is started (again) for one unit before it counts as failed."""
DOWNLOADS = 6
SPOOL_IN_MEMORY = 1024 * 1024


@dataclass(frozen=True, slots=True)
class File:
    """One file of a job's result: its link expires, its name stays."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Status:
    """What a poll told. `is_done`: no more polls are needed. `is_lost`: start it anew. `files`: its results, where a
    poll tells of them. `failure`: the API's words when the job itself failed.
    """

    is_done: bool = False
    is_lost: bool = False
    files: tuple[File, ...] = ()
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One API's export jobs.

    start        (client, unit) -> the job's id (JSON)
    poll         (client, id) -> Status; GoneError means lost
    rows         (file, unit) -> batches of raw rows (and checkpoints of sub-units) of a downloaded file
    pages        (client, id, name of a file) -> the files listed behind that one, with fresh links; none: the end
    first_poll_seconds, poll_cap_seconds
                 the wait before a poll doubles from the first to the cap
    give_up_seconds
                 a job that takes longer has failed
    """

    start: Callable[[Client, Unit], Any]
    poll: Callable[[Client, Any], Status]
    rows: Callable[[BinaryIO, Unit], Iterable[Step]] | None = None
    pages: Callable[[Client, Any, str], Sequence[File]] | None = None
    first_poll_seconds: float = 2.0
    poll_cap_seconds: float = 60.0
    give_up_seconds: float = 6 * 3600.0


def run(job: Job, client: Client, unit: Unit) -> Generator[Step, None, None]:
    """Read `unit` through a job: the one that `unit.resume` names, or a new one."""
    identifier, status = yield from done(job, client, unit)
    assert job.rows is not None
    for file in status.files:
        with spooled(SPOOL_IN_MEMORY) as body:
            yield from _downloaded(client, unit, file, body, lambda: job.poll(client, identifier).files)
            yield from job.rows(body, unit)  # type: ignore[arg-type]


def done(job: Job, client: Client, unit: Unit) -> Generator[Step, None, tuple[Any, Status]]:
    """The id of a job for `unit` that is done, the one that `unit.resume` names or a new one, and its last status."""
    known = unit.resume if isinstance(unit.resume, dict) else {}
    identifier = known.get("id")
    for _ in range(STARTS):
        if identifier is None:
            identifier, known = job.start(client, unit), {}
        yield Checkpoint(resume=kept(unit, identifier, **known))
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
            return identifier, status
        identifier = None
    raise ApiError(f"{unit.stream}: the API lost its export job {STARTS} times. Try again later.")


def kept(unit: Unit, identifier: Any, **more: Any) -> dict[str, Any]:
    """What the state keeps of a job under way, by which a killed run finds it, and the same window, again."""
    window = {"window": list(unit.window)} if unit.window else {}
    return {**more, "id": identifier, "units": [part.key for part in unit.units], **window}


def collect(
    job: Job, client: Client, unit: Unit, identifier: Any, take: Callable[[File, IO[bytes]], None]
) -> Generator[Wait, None, None]:
    """Hands every file of a job that is done to `take`, whole and in the order listed. A ValueError from `take` counts
    as a broken download.
    """
    assert job.pages is not None
    after = ""
    while page := job.pages(client, identifier, after):
        listed = partial(job.pages, client, identifier, after)
        for file in page:
            with spooled(SPOOL_IN_MEMORY) as body:
                yield from _downloaded(client, unit, file, body, listed, partial(take, file))
        after = page[-1].name


def _downloaded(
    client: Client,
    unit: Unit,
    file: File,
    body: IO[bytes],
    listed: Callable[[], Iterable[File]],
    read: Callable[[IO[bytes]], None] = lambda body: None,
) -> Generator[Wait, None, None]:
    """Puts `file` whole into `body`, and lets `read` have a look at it. Before each further try the file is looked up
    in what `listed` gives, since its link may have expired.
    """
    for tries in range(1, DOWNLOADS + 1):
        try:
            client.download(file.url, body, stream=unit.stream)
            body.seek(0)
            read(body)
            body.seek(0)
            return
        except (RefusedError, GoneError, RetryableError):
            if tries == DOWNLOADS:
                raise
        except ValueError as error:
            if tries == DOWNLOADS:
                raise ApiError(f"{unit.stream}: file {file.name} of its export job: {error}.") from error
        yield Wait(2.0 ** (tries - 1))
        file = next((each for each in listed() if each.name == file.name), file)


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


__all__ = ["File", "Job", "Rows", "Status", "collect", "done", "kept", "run"]
