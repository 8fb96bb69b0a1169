"""Exports of people in miniature: pending, then done or failed; a link that is good once it is asked for; CSV."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shared.sandbox import Answer, Call, Refusal, Row

if TYPE_CHECKING:
    from . import CustomerioSandbox

OPTIONS = {
    "polls": (int, "1", "so often an export is still pending when asked for"),
    "exports": (
        str,
        "good",
        "good, failed, nameless (no cio_id), lost (no file), off (wrong total); first link expired or short",
    ),
}
FIRST_ID = 700


def text_of(value: Any) -> str:
    """A value as an export has it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def begun(sandbox: CustomerioSandbox, call: Call) -> Answer:
    """A new export each time it is asked for."""
    wanted = call.json().get("filters")
    if not isinstance(wanted, dict):
        raise Refusal(400, "filters is required")
    created = int(sandbox.clock.now().timestamp())
    made = {
        "id": FIRST_ID + len(sandbox.made), "type": "customers", "status": "pending", "failed": False, "total": 0,
        "description": "everybody", "created_at": created, "updated_at": created, "downloads": 0,
    }  # fmt: skip
    sandbox.made.append({"export": made, "polls": 0, "numbers": sandbox.found(wanted)})
    return Answer.of({"export": made})


def polled(sandbox: CustomerioSandbox, call: Call) -> Answer:
    """How one stands."""
    made = _made(sandbox, call)
    made["polls"] += 1
    if made["polls"] > sandbox.options["polls"]:
        failed = sandbox.options["exports"] == "failed"
        total = 0 if failed else len(made["numbers"]) + (sandbox.options["exports"] == "off")
        made["export"] |= {"status": "failed" if failed else "done", "failed": failed, "total": total}
    return Answer.of({"export": made["export"]})


def linked(sandbox: CustomerioSandbox, call: Call) -> Answer:
    """Where its file is."""
    made = _made(sandbox, call)
    if made["export"]["status"] != "done":
        raise Refusal(422, "the export is not done")
    made["export"]["downloads"] += 1
    link = f"{sandbox.root_url}/files/{made['export']['id']}?link={made['export']['downloads']}"
    return Answer.of({"url": link})


def downloaded(sandbox: CustomerioSandbox, call: Call) -> Answer:
    """The file. A link is signed, and refuses another credential beside its own."""
    made = _made(sandbox, call)
    is_first = call.params.get("link") == 1
    is_lost = sandbox.options["exports"] == "lost" and made["export"]["id"] == FIRST_ID
    if "authorization" in call.headers or is_lost or (is_first and sandbox.options["exports"] == "expired"):
        return Answer(b"<Error/>", 403, "application/xml")
    numbers = made["numbers"][:-5] if is_first and sandbox.options["exports"] == "short" else made["numbers"]
    text = written([sandbox.workspace.person(number) for number in numbers])
    if sandbox.options["exports"] == "nameless" and made["export"]["id"] == FIRST_ID:
        text = text.replace("cio_id", "person", 1)
    return Answer(text.encode(), 200, "text/csv")


def written(people: Sequence[Row]) -> str:
    """People as CSV, a column for each attribute that anybody has."""
    names = list(dict.fromkeys(name for person in people for name in person["attributes"]))
    first = ("id", "email", "cio_id")
    columns = [*first, *(name for name in names if name not in first)]
    rows = [columns, *([text_of(person["attributes"].get(name)) for name in columns] for person in people)]
    return "".join(",".join(map(_quoted, row)) + "\r\n" for row in rows)


def _quoted(text: str) -> str:
    """A field of a CSV row. Python's own writer refuses U+0000 before 3.11."""
    return '"' + text.replace('"', '""') + '"' if set(text) & set('",\r\n') else text


def _made(sandbox: CustomerioSandbox, call: Call) -> dict[str, Any]:
    for made in sandbox.made:
        if str(made["export"]["id"]) == call.args["export_id"]:
            return made
    raise Refusal(404, "not found")
