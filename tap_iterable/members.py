"""Members of lists: text, one identifier a line, maybe millions of them, five requests a minute.

A cut body has to be noticed, and there is no way to go on inside a list, so a list is spooled whole before its first
line is written. Membership in all but dynamic lists also stands on the profiles (for Suppression and Internal lists
unconfirmed), so that one export of all users can stand for many lists.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from shared.api.request import Request, Row
from shared.errors import ApiError, GoneError, PartError, QuotaError, RefusedError
from shared.streams import Checkpoint, Received, Rows, Step, Unit, Window
from shared.sync.spool import spooled
from shared.sync.windows import each_window
from shared.timestamps import floor_seconds, shift

from . import exports
from .client import LIST_USERS
from .events import Export, as_ids
from .project import project

if TYPE_CHECKING:
    from shared.api.answers import Response
    from shared.api.client import Client

LINES = 2000
SPOOL_IN_MEMORY = 4 * 1024 * 1024
MOST_LISTS = 1_000_000
"""Of lists that are read from profiles: all of them at once."""
PROFILES = Export(data_type="user", is_event=False, only=("email", "userId", "emailListIds", "userListIds"))
FIRST_PROFILES = "2013-01-01T00:00:00.000000Z"
"""The year Iterable began."""
CLOCK_SECONDS = 60
"""How far the API's clock, of which an answer tells whole seconds, may be ahead of what we know of it."""
WHOLE = Window(first=100_000, largest=100_000, parallel=False)


def fetch(client: Client, unit: Unit) -> Generator[Step, None, None]:
    """The members of one list, or of all that are on profiles."""
    return of_profiles(client, unit) if unit.units else of_list(client, unit)


def of_list(client: Client, unit: Unit) -> Generator[Step, None, None]:
    """The members of one list, as it gives them."""
    from shared.sync.reader import in_turn

    list_id = unit.parent["listId"]
    yield from in_turn(client, LIST_USERS)
    request = Request(
        "/api/lists/getUsers",
        {"listId": list_id},
        quota=LIST_USERS,
        silence_seconds=float(unit.settings["list_users_timeout_s"]),
    )
    with spooled(SPOOL_IN_MEMORY) as file:
        try:
            client.send(request, stream=unit.stream, into=file, read=_check)
        except (GoneError, RefusedError, QuotaError) as error:
            error.args = (f"{error} The list was {list_id}.",)
            raise
        except ApiError as error:
            # Some lists fail for ever: 13 hours of retries did not help (estuary/connectors#3883, 2025).
            raise PartError(f"{error} List {list_id} is left out of this run.", part=f"list {list_id}") from error
        file.seek(0)
        while lines := list(islice(file, LINES)):
            yield Rows(rows(lines, unit), size=sum(map(len, lines)))


def of_profiles(client: Client, unit: Unit) -> Generator[Step, None, None]:
    """The members of all lists that profiles name, from an export of all users, whole if that is not too large.

    Who is updated meanwhile moves out of windows yet to come: those are read once more at the end.
    """
    begun = floor_seconds(unit.now)
    met: set[str] = set()
    exported = partial(_exported, client, met)
    yield from each_window(replace(unit, since=FIRST_PROFILES), WHOLE, exported)
    yield from exported(replace(unit, window=(begun, floor_seconds(shift(client.now(), CLOCK_SECONDS)))))
    if met == {"profiles"}:
        client.report.warn(
            unit.stream,
            "none of the profiles exported names a list (emailListIds, userListIds), so no members were found there: "
            "set list_users_source to api.",
        )
    for part in unit.units:
        yield Checkpoint(unit=part)


def _exported(client: Client, met: set[str], unit: Unit) -> Generator[Step, None, None]:
    """The members in one window of profiles; whether there were "profiles", and "lists" on them, is added to `met`."""
    wanted = {part.parent["listId"] for part in unit.units}
    by_user_id = project(unit.settings).kind == "userid"
    for step in exports.fetch(PROFILES)(client, unit):
        if isinstance(step, Rows):
            listed = [(row, _lists(row)) for row in step.rows]
            met.add("profiles")
            if any(ids for _, ids in listed):
                met.add("lists")
            found = [
                member(list_id, str(name), unit)
                for row, ids in listed
                if (name := row.get("userId") if by_user_id else row.get("email") or row.get("userId"))
                for list_id in sorted(wanted.intersection(ids))
            ]
            yield Rows(found, size=step.size)
        elif not isinstance(step, Received):
            yield step


def _lists(row: Row) -> list[Any]:
    """The lists on a profile; those in `userListIds` in projects that know users by more than their email."""
    found = [as_ids(row.get("emailListIds")), as_ids(row.get("userListIds"))]
    return [each for ids in found if isinstance(ids, list) for each in ids if isinstance(each, int)]


def _check(response: Response) -> None:
    kind = response.headers.get("Content-Type", "")
    if "html" in kind:
        raise ValueError(f"members of a list do not come as {kind}")


def rows(lines: Sequence[bytes], unit: Unit) -> list[dict[str, Any]]:
    """Records of lines. Addresses may be placeholders, and are kept as they are."""
    texts = (line.decode("utf-8", "surrogateescape").strip() for line in lines)
    return [member(unit.parent["listId"], text, unit) for text in texts if text]


def member(list_id: Any, text: str, unit: Unit) -> dict[str, Any]:
    """The record of one member, called by an email or by a userId."""
    is_email = "@" in text or project(unit.settings).user_key == "email"
    return {
        "listId": list_id,
        "email": text if is_email else None,
        "userId": None if is_email else text,
        "userIdentifier": text,
        "updatedAt": unit.now,
    }


def is_on_profiles(unit: Unit) -> bool:
    """Whether the list's members are to be found on profiles: those of dynamic lists are not there."""
    is_static = unit.parent.get("listType") != "Dynamic"
    return is_static and unit.settings["list_users_source"] == "users_export" and is_wanted(unit)


def is_asked(unit: Unit) -> bool:
    """Whether the list is to be asked for its members."""
    return is_wanted(unit) and not is_on_profiles(unit)


def is_wanted(unit: Unit) -> bool:
    """Whether the settings leave the list in."""
    list_id, kind = str(unit.parent["listId"]), kind_of_list(unit.parent.get("listType"))
    project(unit.settings).lists[list_id] = kind
    ids, types = unit.settings.get("list_ids"), unit.settings.get("list_types")
    return (not ids or list_id in ids) and (not types or kind in map(kind_of_list, types))


def kind_of_list(word: Any) -> str:
    """A type of lists, in the API's words or in those of its web pages, which call standard lists static."""
    text = str(word).strip().casefold().removesuffix("lists").removesuffix("list").strip()
    return "standard" if text == "static" else text


def unmatched(client: Client, counts: Mapping[str, int]) -> Iterator[str]:
    """What of `list_ids` and `list_types` no list matched."""
    lists = project(client.settings).lists
    ids = [each for each in client.settings.get("list_ids") or () if each not in lists]
    if ids:
        yield f"list_ids: the project has no list {', '.join(ids)}."
    types = [each for each in client.settings.get("list_types") or () if kind_of_list(each) not in lists.values()]
    if types:
        yield (
            f"list_types: no list is of type {', '.join(types)}; the project's are "
            f"{', '.join(sorted({kind.capitalize() for kind in lists.values()})) or 'none'}."
        )
