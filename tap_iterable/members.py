"""Members of lists: text, one identifier a line, maybe millions of them, five requests a minute.

A cut body has to be noticed, and there is no way to go on inside a list, so a list is spooled whole before its first
line is written.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from shared.errors import ApiError, GoneError, RefusedError
from shared.pagination import Request
from shared.streams import Batch, Settings, Step, Unit

from .client import LIST_USERS

if TYPE_CHECKING:
    from shared.answers import Response
    from shared.client import Client

LINES = 2000
SPOOL_IN_MEMORY = 4 * 1024 * 1024


def fetch(client: Client, unit: Unit) -> Generator[Step, None, None]:
    """The members of one list."""
    from shared.extract import in_turn

    list_id = unit.parent["listId"]
    yield from in_turn(client, LIST_USERS)
    request = Request("/api/lists/getUsers", {"listId": list_id}, quota=LIST_USERS)
    with tempfile.SpooledTemporaryFile(max_size=SPOOL_IN_MEMORY) as file:
        try:
            client.send(request, stream=unit.stream, into=file, read=_check)
        except (GoneError, RefusedError) as error:
            error.args = (f"{error} The list was {list_id}.",)
            raise
        except ApiError as error:
            # Some lists fail for ever: 13 hours of retries did not help (estuary/connectors#3883, 2025).
            raise ApiError(f"{error} List {list_id} is left out of this run.") from error
        file.seek(0)
        while lines := list(islice(file, LINES)):
            yield Batch(rows(lines, unit), size=sum(map(len, lines)))


def _check(response: Response) -> None:
    kind = response.headers.get("Content-Type", "")
    if "html" in kind:
        raise ValueError(f"members of a list do not come as {kind}")


def rows(lines: Sequence[bytes], unit: Unit) -> list[dict[str, Any]]:
    """Records of lines. Addresses may be placeholders, and are kept as they are."""
    by_email = unit.settings.get("user_key", "email") == "email"
    found = []
    for line in lines:
        text = line.decode("utf-8", "surrogateescape").strip()
        if not text:
            continue
        is_email = by_email or "@" in text
        found.append(
            {
                "listId": unit.parent["listId"],
                "email": text if is_email else None,
                "userId": None if is_email else text,
                "userIdentifier": text,
                "updatedAt": hour(unit),
            }
        )
    return found


def hour(unit: Unit) -> str:
    """The hour in which this run began, for rows that have no time of their own."""
    return f"{unit.now[:13]}:00:00.000000Z"


def is_wanted(unit: Unit) -> bool:
    """Whether the settings leave the list in."""
    ids: Settings = unit.settings
    wanted, types = ids.get("list_ids"), ids.get("list_types")
    return (not wanted or str(unit.parent["listId"]) in map(str, wanted)) and (
        not types or unit.parent.get("listType") in types
    )
