"""Compares tap_customerio/sandbox/facts.json with the catalogue of streams.

    python tests/check_customerio_facts.py streams.json

Prints what differs and exits 1, or says that all agrees. Streams that the tap does not have yet are named.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FACTS = Path(__file__).parents[1] / "tap_customerio" / "sandbox" / "facts.json"
WORDS = ("kind", "method", "path", "primary_key", "replication_key", "parent")


def fields(part: Mapping[str, Any], name: str = "") -> Iterator[tuple[str, str]]:
    """Every field with its type, nested ones dotted, array elements marked `[]`."""
    if part["type"] == "array":
        yield from fields(part.get("items") or {"type": "any"}, f"{name}[]")
        return
    if name:
        is_wire = part.get("format") == "date-time"
        yield name, ("seconds" if "seconds" in part.get("api", "") else "date-time") if is_wire else part["type"]
    for member, inner in part.get("properties", {}).items():
        yield from fields(inner, f"{name}.{member}" if name else member)


def compare(facts: Mapping[str, Any], catalogue: Mapping[str, Any]) -> Iterator[str]:
    """Every difference, one line each."""
    for name, fact in facts["streams"].items():
        if "path" not in fact:
            continue
        found = catalogue["streams"].get(name)
        if found is None:
            yield f"{name}: the catalogue has no such stream"
            continue
        published = dict(fields({"type": "object", "properties": found["fields"]}))
        published |= {field: kind for field, kind in fact["fields"].items() if published.get(field) == "any"}
        expected = {**{word: found.get(word) for word in WORDS}, "fields": published}
        for word, value in expected.items():
            if fact[word] != value:
                yield f"{name}: {word}: facts say {json.dumps(fact[word])}, the catalogue says {json.dumps(value)}"


def main(arguments: list[str]) -> int:
    """Exit code 0 when all agrees, 1 when something differs, 2 for wrong arguments."""
    if len(arguments) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    catalogue = json.loads(Path(arguments[0]).read_text("utf-8"))
    facts = json.loads(FACTS.read_text("utf-8"))
    found = list(compare(facts, catalogue))
    sys.stdout.write("\n".join(found or ["The facts agree with the catalogue."]) + "\n")
    missing = sorted(set(catalogue["streams"]) - set(facts["streams"]))
    sys.stdout.write(f"Not in the tap: {', '.join(missing) or 'none'}.\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
