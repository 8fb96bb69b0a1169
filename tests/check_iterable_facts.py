"""Compares tap_iterable/sandbox/facts.json with Iterable's published specification.

    python tests/check_iterable_facts.py openapi.json

The file is the specification as Swagger 2.0. Prints what differs and exits 1, or says that all agrees.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FACTS = Path(__file__).parents[1] / "tap_iterable" / "sandbox" / "facts.json"


def parameters(contract: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The query parameters of a path: their options, or else their type."""
    found = {}
    for each in contract["paths"].get(path, {}).get("get", {}).get("parameters", ()):
        if each["in"] == "query":
            found[each["name"]] = each.get("enum") or each.get("items", {}).get("enum") or each["type"]
    return found


def members(contract: Mapping[str, Any], definition: str) -> list[str]:
    """The names of a definition's members."""
    return sorted(contract["definitions"].get(definition, {}).get("properties", ()))


def described(contract: Mapping[str, Any], fact: Mapping[str, Any]) -> dict[str, Any]:
    """What the specification says where `fact` says something."""
    found: dict[str, Any] = {
        "path": fact["path"] if fact["path"] in contract["paths"] else None,
        "items": fact["items"],
        "parameters": parameters(contract, fact["path"]),
    }
    if "definition" in fact:
        found |= {"definition": fact["definition"], "fields": members(contract, fact["definition"])}
    return found


def differences(name: str, fact: Any, found: Any) -> Iterator[str]:
    """What differs between a fact and the specification, one line each."""
    if isinstance(fact, Mapping) and isinstance(found, Mapping):
        for member in dict.fromkeys((*fact, *found)):
            yield from differences(f"{name}: {member}", fact.get(member), found.get(member))
    elif fact != found:
        yield f"{name}: facts say {json.dumps(fact)}, the specification says {json.dumps(found)}"


def compare(facts: Mapping[str, Any], contract: Mapping[str, Any]) -> Iterator[str]:
    """Every difference."""
    yield from differences("version", facts["version"], contract["info"]["version"])
    for name, fact in facts["streams"].items():
        yield from differences(name, fact, described(contract, fact))
    export = parameters(contract, facts["export"]["path"])
    types = export.pop("dataTypeName", None)
    expected = {"path": facts["export"]["path"], "data_types": types, "parameters": export}
    yield from differences("export", facts["export"], expected)
    jobs = {
        "start": members(contract, "StartExportRequest"),
        "files": parameters(contract, "/api/export/{jobId}/files"),
        "answer": members(contract, "ExportJobStatusAndFiles"),
        "file": members(contract, "ExportFileAndUrl"),
    }
    yield from differences("jobs", facts["jobs"], jobs)


def main(arguments: list[str]) -> int:
    """Exit code 0 when all agrees, 1 when something differs, 2 for wrong arguments."""
    if len(arguments) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    contract = json.loads(Path(arguments[0]).read_text("utf-8"))
    found = list(compare(json.loads(FACTS.read_text("utf-8")), contract))
    sys.stdout.write("\n".join(found or ["The facts agree with the specification."]) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
