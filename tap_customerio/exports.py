"""All people through one export instead of the search: for very large accounts. Devices and timestamps are not in it.

An export shows in the customer's app and may notify somebody, so one run starts at most one. Its id stands in the state
from the moment it is known: a killed run goes on waiting for it, or downloads it again, within a day.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Generator, Iterator
from dataclasses import replace
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from shared.api.request import Request, Row
from shared.errors import ApiError, GoneError
from shared.streams import Rows, Step, Unit
from shared.sync import jobs
from shared.sync.spool import spooled
from shared.timestamps import floor_seconds, from_seconds

if TYPE_CHECKING:
    from shared.api.client import Client

SPOOL_IN_MEMORY = 4 * 1024 * 1024
ROWS_A_BATCH = 1000
FLAGS = {"true": True, "false": False}


def everybody(client: Client, unit: Unit) -> Generator[Step, None, None] | None:
    """The people of an export, where the settings want one."""
    return _exported(client, unit) if unit.settings["customers_source"] == "export" else None


def _exported(client: Client, unit: Unit) -> Generator[Step, None, None]:
    job = jobs.Job(start=start, poll=poll, pages=pages, first_poll_seconds=2, poll_cap_seconds=30)
    identifier, _ = yield from jobs.done(job, client, _without_failed(client, unit))
    total = _export(client, identifier).get("total")
    with spooled(SPOOL_IN_MEMORY) as whole:

        def take(file: jobs.File, body: IO[bytes]) -> None:
            shutil.copyfileobj(body, whole)
            whole.seek(0)
            found = sum(1 for _ in _lines(whole))
            if total is not None and found != total:
                whole.seek(0)
                whole.truncate()
                raise ValueError(f"{found} rows came, {total} were announced")

        yield from jobs.collect(job, client, unit, identifier, take)
        rows = map(_person, _lines(whole))
        while batch := list(islice(rows, ROWS_A_BATCH)):
            yield Rows(batch)


def _without_failed(client: Client, unit: Unit) -> Unit:
    """The unit, its export of an earlier run forgotten if that came to nothing."""
    known = unit.resume if isinstance(unit.resume, dict) else {}
    if known.get("id") is None:
        return unit
    try:
        is_failed = poll(client, known["id"]).failure != ""
    except GoneError:
        is_failed = True
    return replace(unit, resume=None) if is_failed else unit


def start(client: Client, unit: Unit) -> int:
    """The id of a new export."""
    from .streams import found_people

    if "export" in unit.scratch:
        raise ApiError(f"customers: export {unit.scratch['export']} is gone. Run again to start another one.")
    began = client.now()

    def begun() -> int | None:
        """The id of the export if it had begun although the answer was lost."""
        for each in client.json(Request("/exports"), stream=unit.stream).get("exports") or ():
            created = from_seconds(each.get("created_at"))
            if each.get("type") == "customers" and created and created >= floor_seconds(began):
                return int(each["id"])
        return None

    request = Request("/exports/customers", method="POST", body={"filters": found_people(unit)["filter"]})
    identifier = client.send(
        request, stream=unit.stream, read=lambda answer: int(answer.json()["export"]["id"]), started=begun
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


def _export(client: Client, identifier: Any) -> dict[str, Any]:
    found = client.json(Request(f"/exports/{identifier}"))["export"]
    return found if isinstance(found, dict) else {}


def _lines(file: IO[bytes]) -> Iterator[dict[str, str]]:
    """The rows of a CSV file as text by column, read from its beginning."""
    csv.field_size_limit(2**31 - 1)  # an attribute may be of any length
    file.seek(0)
    # Python 3.10's reader refuses U+0000, which no record keeps anyway.
    lines = (line.decode("utf-8", "replace").replace("\0", "\ufffd").lstrip("\ufeff") for line in file)
    try:
        yield from csv.DictReader(lines, restval="")
    except csv.Error as error:
        raise ValueError(f"it is no CSV: {error}") from error


def _person(row: dict[str, str]) -> Row:
    """As the search has them; a column is empty where the person lacks the attribute."""
    attributes = {name: value for name, value in row.items() if value}
    return {
        "id": row["cio_id"],
        "identifiers": {name: row.get(name) or None for name in ("cio_id", "email", "id")},
        "attributes": attributes,
        "unsubscribed": FLAGS.get(row.get("unsubscribed", "")),
    }
