"""Compares tap_campaign_monitor/sandbox/facts.json with the vendor's own sample answers.

    python tests/check_campaign_monitor_facts.py folder-of-samples

The folder is that of the answers which the vendor's Python client ships as test data. Prints what differs and exits 1,
or says that all agrees.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FACTS = Path(__file__).parents[1] / "tap_campaign_monitor" / "sandbox" / "facts.json"
KINDS = {str: "string", bool: "boolean", int: "integer", float: "number", list: "list", dict: "object"}


def shape(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every field below `value` with its type, nested ones dotted, elements of arrays marked `[]`."""
    if isinstance(value, list):
        for part in value:
            yield from shape(part, f"{name}[]")
        return
    if name and not name.endswith("[]"):
        yield name, KINDS.get(type(value), "null")
    if isinstance(value, dict):
        for member, part in value.items():
            yield from shape(part, f"{name}.{member}" if name else member)


def rows(body: Any, place: str) -> list[Any]:
    """The rows of an answer."""
    found = body[place] if place else body
    return found if isinstance(found, list) else [found]


def described(folder: Path, fact: dict[str, Any]) -> dict[str, str]:
    """What the sample has of a stream's rows."""
    body = json.loads((folder / fact["sample"]).read_text("utf-8"))
    found: dict[str, str] = {}
    for row in rows(body, fact["rows"]):
        for name, kind in shape(row):
            found[name] = "number" if {found.get(name, kind), kind} == {"integer", "number"} else kind
    return found


def main() -> int:
    """0 when all agrees."""
    folder, wrong = Path(sys.argv[1]), 0
    for name, fact in json.loads(FACTS.read_text("utf-8"))["streams"].items():
        if "sample" not in fact:
            continue
        found = described(folder, fact)
        if found != fact["fields"]:
            wrong += 1
            sys.stdout.write(f"{name}: {sorted(set(found.items()) ^ set(fact['fields'].items()))}" + "\n")
    sys.stdout.write("all agrees\n" if not wrong else f"{wrong} differ\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
