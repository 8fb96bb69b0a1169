"""Exports in the sandbox: direct answers that may be cut, and jobs that fail, are cut short, and hand out links that
expire.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.sandbox import Answer, Call, Param, Refusal, Route, Row, dumps, mix, salt

from .account import EVENT_KINDS

if TYPE_CHECKING:
    from . import IterableSandbox

DATA_TYPES = (*EVENT_KINDS, "user")
FILES_A_PAGE = 10
ROWS_A_FILE = 100
TORN = 7
"""The event whose line is torn."""
LINK_SECONDS = 1800
JSON_LINES = "application/x-json-stream"
_EXPIRED = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>'


@dataclass
class Job:
    """One export job. Each poll moves it on: enqueued, running, back to enqueued, running, completed."""

    identity: int
    data_type: str
    start: datetime
    end: datetime
    scheduled: datetime
    fields: Row = field(default_factory=dict)
    polls: int = 0
    state: str = "enqueued"
    fails: bool = False
    is_truncated: bool = False


def types(sandbox: IterableSandbox) -> tuple[str, ...]:
    """The types of data, under the names that this project knows."""
    other = {"unknownSession": "anonSession"} if sandbox.options["other"] else {}
    return tuple(other.get(name, name) for name in DATA_TYPES)


def _known(data_type: str) -> str:
    return "unknownSession" if data_type == "anonSession" else data_type


def routes(data_types: Sequence[str]) -> list[Route]:
    """The endpoints of exports."""
    window = {"startDateTime": Param(required=True), "endDateTime": Param(required=True)}
    chosen = {"onlyFields": Param(), "omitFields": Param(), "campaignId": Param("integer")}
    known = Param(options=tuple(data_types), required=True)
    return [
        Route(
            path="/api/export/data.json",
            handler=_direct,
            params={"dataTypeName": known, **window, **chosen},
            quota="export",
        ),
        Route(path="/api/export/start", handler=_start, method="POST", quota="start"),
        Route(path="/api/export/jobs", handler=_jobs, params={"jobState": Param()}),
        Route(path="/api/export/{job_id}/files", handler=_files, params={"startAfter": Param()}, quota="files"),
        Route(path="/api/export/{job_id}", handler=_cancel, method="DELETE", quota="cancel"),
        Route(
            path="/files/{job_id}/{file}",
            handler=_file,
            params={"expires": Param(), "X-Signature": Param()},
            public=True,
        ),
    ]


def _read(text: Any) -> datetime:
    """`yyyy-MM-dd HH:mm:ss`, UTC where no zone is named."""
    text = str(text)
    try:
        return datetime.strptime(text if len(text) > 19 else f"{text} +0000", "%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        raise Refusal(400, "Invalid date-time", title="BadParams") from None


def rows(sandbox: IterableSandbox, data_type: str, start: datetime, end: datetime) -> Iterator[Row]:
    """The rows of a window, unsorted."""
    account = sandbox.account
    if data_type == "user":
        found = [row for _, at, row in account.users() if start <= at < end]
        yield from sorted(found, key=lambda row: mix(salt(1, row["profileUpdatedAt"], str(row.get("email")))))
        return
    times = account.times(data_type)
    numbers = [number for number, at in enumerate(times) if start <= at < end]
    for number in sorted(numbers, key=mix):
        yield account.event(data_type, number)


def chosen(row: Row, params: Mapping[str, Any]) -> Row:
    """A row without the fields that were not asked for."""
    only, omitted = (str(params.get(name) or "") for name in ("onlyFields", "omitFields"))
    names = set(only.split(",")) if only else set(row)
    return {name: value for name, value in row.items() if name in names and name not in omitted.split(",")}


def _lines(
    sandbox: IterableSandbox, data_type: str, start: datetime, end: datetime, params: Mapping[str, Any]
) -> list[bytes]:
    """The lines of a window, of which one may be torn."""
    found = []
    torn = sandbox.account.event(data_type, TORN) if data_type == sandbox.options["torn"] else None
    for row in rows(sandbox, data_type, start, end):
        line = dumps(chosen(row, params))
        found.append(line[: len(line) // 2] if row == torn else line)
    return found


def _direct(sandbox: IterableSandbox, call: Call) -> Answer:
    start, end = _read(call.params["startDateTime"]), _read(call.params["endDateTime"])
    data_type = _known(call.params["dataTypeName"])
    lines = _lines(sandbox, data_type, start, end, call.params)
    if sandbox.options["drift"]:
        sandbox.account.happen(data_type, sandbox.clock.now())
    body = b"\n".join(lines)  # the last line lacks its end
    most = sandbox.options["cut"]
    if most and len(lines) > most:
        if salt(sandbox.options["seed"], call.target) % 2:
            raise Refusal(504)
        body = body[: len(body) // 2]  # a proxy made it a whole answer
    return Answer(body, content_type=JSON_LINES)


# Jobs


def _start(sandbox: IterableSandbox, call: Call) -> Answer:
    body = call.json()
    if set(body) - {"dataTypeName", "outputFormat", "startDateTime", "endDateTime", "onlyFields", "omitFields"}:
        raise Refusal(400, "Unknown member", title="BadJsonBody")
    if body.get("dataTypeName") not in types(sandbox) or body.get("outputFormat") not in (JSON_LINES, "text/csv"):
        raise Refusal(400, "Invalid JSON body", title="BadJsonBody")
    identity = 3000 + len(sandbox.jobs)
    job = Job(
        identity,
        _known(body["dataTypeName"]),
        _read(body["startDateTime"]),
        _read(body["endDateTime"]),
        sandbox.clock.now(),
        {name: body[name] for name in ("onlyFields", "omitFields") if name in body},
    )
    ill = sandbox.job_ills
    job.fails = "fail" in ill and not any(each.data_type == job.data_type for each in sandbox.jobs.values())
    job.is_truncated = "truncate" in ill and job.end - job.start > timedelta(days=600)
    sandbox.jobs[identity] = job
    return Answer.of({"jobId": identity})


def _jobs(sandbox: IterableSandbox, call: Call) -> Answer:
    return Answer.of({"jobs": [shown(job) for job in sandbox.jobs.values()]})


def shown(job: Job) -> Row:
    """A job as the list of jobs has it."""
    return {
        "id": job.identity,
        "dataTypeName": job.data_type,
        "jobState": job.state,
        "scheduledStartTime": job.scheduled.isoformat(),
        "bytesExported": 100,
    }


def _job(sandbox: IterableSandbox, call: Call) -> Job:
    try:
        return sandbox.jobs[int(call.args["job_id"])]
    except (KeyError, ValueError):
        raise Refusal(404, "No such job", title="NotFound") from None


def _files(sandbox: IterableSandbox, call: Call) -> Answer:
    job = _job(sandbox, call)
    job.polls += 1
    if job.state not in ("completed", "failed", "cancelled"):
        job.state = ("enqueued", "running", "enqueued", "running")[min(job.polls - 1, 3)]
        if job.polls > 2:
            job.state = "failed" if job.fails else "completed"
    names = [f"file-{number:06d}.json" for number in range(-(-len(_content(sandbox, job)) // ROWS_A_FILE))]
    if job.state == "running":
        names = names[:1]  # files appear while it runs
    elif job.state != "completed":
        names = []
    after = call.params.get("startAfter", "")
    now = sandbox.clock.now().timestamp()
    found = []
    for name in [name for name in names if name > after][:FILES_A_PAGE]:
        life = LINK_SECONDS
        if "expire" in sandbox.job_ills and (job.identity, name) not in sandbox.expired:
            sandbox.expired.add((job.identity, name))
            life = -1
        signature = f"{salt(1, job.identity, name):x}"
        url = f"{sandbox.root_url}/files/{job.identity}/{name}?expires={now + life:.0f}&X-Signature={signature}"
        found.append({"file": name, "url": url})
    state = job.state.capitalize() if sandbox.options["other"] else job.state
    return Answer.of({"jobId": job.identity, "jobState": state, "exportTruncated": job.is_truncated, "files": found})


def _content(sandbox: IterableSandbox, job: Job) -> list[bytes]:
    if job.identity not in sandbox.contents:
        found = _lines(sandbox, job.data_type, job.start, job.end, job.fields)
        sandbox.contents[job.identity] = found
        if sandbox.options["drift"]:
            sandbox.account.happen(job.data_type, sandbox.clock.now())
    return sandbox.contents[job.identity]


def _file(sandbox: IterableSandbox, call: Call) -> Answer:
    if "api-key" in call.headers:
        return Answer(b"<Error>Only one auth mechanism allowed</Error>", 400, "application/xml")
    job = _job(sandbox, call)
    signature = f"{salt(1, job.identity, call.args['file']):x}"
    if call.params.get("X-Signature") != signature or float(call.params["expires"]) < sandbox.clock.now().timestamp():
        return Answer(_EXPIRED, 403, "application/xml")
    number = int(call.args["file"].removeprefix("file-").removesuffix(".json"))
    part = _content(sandbox, job)[number * ROWS_A_FILE : (number + 1) * ROWS_A_FILE]
    return Answer(b"\n".join(part), content_type=JSON_LINES)


def _cancel(sandbox: IterableSandbox, call: Call) -> Answer:
    job = _job(sandbox, call)
    if job.state in ("completed", "failed"):
        raise Refusal(400, "The job has ended", title="BadParams")
    job.state = "cancelled"
    return Answer.of({"msg": "", "code": "Success", "params": None})
