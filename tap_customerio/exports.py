"""All people through one export instead of the search: for very large accounts. Devices and timestamps are not in it.

An export shows in the customer's app and may notify somebody, so one run starts at most one. That it is about to be
made stands in the state, and its id from the moment it is known: the run after a killed one finds it, goes on waiting
for it, or downloads it again, within a day. One that turns out to be of no use is forgotten, and another one is made.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Generator, Iterator
from dataclasses import replace
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from shared.api.request import Request, Row
from shared.errors import ApiError, AuthError, GoneError, QuotaError
from shared.streams import Checkpoint, LeftOut, Rows, Step, Unit
from shared.sync import jobs
from shared.sync.spool import spooled
from shared.timestamps import floor_seconds, from_seconds

from .rows import IDENTIFIERS

if TYPE_CHECKING:
    from shared.api.client import Client

SPOOL_IN_MEMORY = 4 * 1024 * 1024
ROWS_A_BATCH = 1000
FLAGS = {"true": True, "false": False}
RESUMED_LINKS = 3
ASKED = "asked"
"""Under this name the state keeps when an export was about to be made whose id is not known yet."""


class UselessError(ApiError):
    """An export came whole and is not what was asked for."""


def everybody(client: Client, unit: Unit) -> Generator[Step, None, None] | None:
    """The people of an export, where the settings want one."""
    return _exported(client, unit) if unit.settings["customers_source"] == "export" else None


def _exported(client: Client, unit: Unit) -> Generator[Step, None, None]:
    known = _of_earlier_run(client, unit)
    if known is None:
        yield Checkpoint(resume={ASKED: client.now(), "units": []})
    with spooled(SPOOL_IN_MEMORY) as whole:
        while True:
            is_resumed = known is not None
            resume = {"id": known} if is_resumed else None
            identifier, _ = yield from jobs.done(JOB, client, replace(unit, resume=resume))
            try:
                missing = yield from _downloaded(client, unit, identifier, whole, is_resumed=is_resumed)
                break
            except (AuthError, QuotaError):
                raise
            except ApiError as error:
                if isinstance(error, UselessError):
                    yield Checkpoint(resume=None)
                if not is_resumed:
                    raise
                client.report.warn(
                    unit.stream, f"export {known} of an earlier run is of no use: {error} Another is made."
                )
                known = None
        rows = map(_person, _lines(whole))
        while batch := list(islice(rows, ROWS_A_BATCH)):
            yield Rows(batch)
    if missing:
        yield LeftOut(f"people of export {identifier}", f"{missing}. Run again to have another export made.")


def _of_earlier_run(client: Client, unit: Unit) -> int | None:
    """The export that an earlier run left behind, if it is still good."""
    known = unit.resume if isinstance(unit.resume, dict) else {}
    identifier = known.get("id")
    if identifier is None:
        return _begun_since(client, unit, str(known[ASKED])) if known.get(ASKED) else None
    try:
        return None if poll(client, identifier).failure else identifier
    except GoneError:
        return None


def _begun_since(client: Client, unit: Unit, moment: str) -> int | None:
    """The first export of people that was begun at `moment` or later and has not failed."""
    found = [
        (created, int(each["id"]))
        for each in client.json(Request("/exports"), stream=unit.stream).get("exports") or ()
        if isinstance(each, dict) and each.get("type") == "customers" and not each.get("failed")
        if (created := from_seconds(each.get("created_at"))) and created >= floor_seconds(moment)
    ]
    return min(found)[1] if found else None


def _downloaded(
    client: Client, unit: Unit, identifier: Any, whole: IO[bytes], *, is_resumed: bool
) -> Generator[Step, None, str]:
    """Puts the export's file into `whole`, and gives what it lacks of the rows that were announced, in words.

    A download may break off unnoticed, so a short file is asked for again; one that is as short twice is as it is. The
    file of an earlier run's export is asked for by a few links alone, since another export can be made.
    """
    total = _export(client, identifier).get("total")
    counts: list[int] = []

    def take(file: jobs.File, body: IO[bytes]) -> None:
        whole.seek(0)
        whole.truncate()
        shutil.copyfileobj(body, whole)
        columns = _columns(whole)
        if "cio_id" not in columns:
            raise UselessError(f"{unit.stream}: export {identifier} has no column cio_id, but {columns[:9]}.")
        counts.append(sum(1 for _ in _lines(whole)))
        if isinstance(total, int) and counts[-1] < total and counts.count(counts[-1]) == 1:
            raise ValueError(f"{counts[-1]} rows came, {total} were announced")

    links = 0

    def listed(client: Client, identifier: Any, after: str) -> list[jobs.File]:
        nonlocal links
        links += not after
        if is_resumed and links > RESUMED_LINKS:
            raise ApiError(f"{unit.stream}: the file of export {identifier} could not be had by {RESUMED_LINKS} links.")
        return pages(client, identifier, after)

    yield from jobs.collect(replace(JOB, pages=listed), client, unit, identifier, take)
    is_short = isinstance(total, int) and counts[-1] < total
    return f"{counts[-1]} rows came, {total} were announced" if is_short else ""


def start(client: Client, unit: Unit) -> int:
    """The id of a new export."""
    from .streams import found_people

    if "export" in unit.scratch:
        raise ApiError(f"customers: export {unit.scratch['export']} is gone. Run again to start another one.")
    began = client.now()
    request = Request("/exports/customers", method="POST", body={"filters": found_people(unit)["filter"]})
    identifier = client.send(
        request,
        stream=unit.stream,
        read=lambda answer: int(answer.json()["export"]["id"]),
        started=lambda: _begun_since(client, unit, began),
    )
    unit.scratch["export"] = identifier
    return int(identifier)


def poll(client: Client, identifier: Any) -> jobs.Status:
    """How an export stands."""
    export = _export(client, identifier)
    status = str(export.get("status"))
    if status == "failed" or export.get("failed"):
        return jobs.Status(failure=f"Customer.io gives no reason; it is named {export.get('description') or '(none)'}.")
    return jobs.Status(is_done=status == "done")


def pages(client: Client, identifier: Any, after: str) -> list[jobs.File]:
    """Its one file, with a link that is good for 15 minutes."""
    if after:
        return []
    return [jobs.File("customers.csv", str(client.json(Request(f"/exports/{identifier}/download"))["url"]))]


JOB = jobs.Job(start=start, poll=poll, pages=pages, first_poll_seconds=2, poll_cap_seconds=30)


def _export(client: Client, identifier: Any) -> dict[str, Any]:
    found = client.json(Request(f"/exports/{identifier}"))["export"]
    return found if isinstance(found, dict) else {}


def _columns(file: IO[bytes]) -> list[str]:
    """The columns of a CSV file; ValueError for an empty one."""
    try:
        columns = _reader(file).fieldnames
    except csv.Error as error:
        raise ValueError(f"it is no CSV: {error}") from error
    if not columns:
        raise ValueError("it is empty")
    return list(columns)


def _lines(file: IO[bytes]) -> Iterator[dict[str, str]]:
    """The rows of a CSV file as text by column, read from its beginning."""
    try:
        yield from _reader(file)
    except csv.Error as error:
        raise ValueError(f"it is no CSV: {error}") from error


def _reader(file: IO[bytes]) -> csv.DictReader[str]:
    csv.field_size_limit(2**31 - 1)  # an attribute may be of any length
    file.seek(0)
    # Python 3.10's reader refuses U+0000, which no record keeps anyway.
    lines = (line.decode("utf-8", "replace").replace("\0", "\ufffd").lstrip("\ufeff") for line in file)
    return csv.DictReader(lines, restval="")


def _person(row: dict[str, str]) -> Row:
    """As the search has them; a column is empty where the person lacks the attribute."""
    attributes = {name: value for name, value in row.items() if value and isinstance(name, str)}
    return {
        "id": row["cio_id"],
        "identifiers": {name: row.get(name) or None for name in IDENTIFIERS},
        "attributes": attributes,
        "unsubscribed": FLAGS.get(row.get("unsubscribed", "")),
    }
