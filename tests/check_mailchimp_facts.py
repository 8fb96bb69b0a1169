"""Compares tap_mailchimp/sandbox/facts.json with Mailchimp's published contract.

    python tests/check_mailchimp_facts.py openapi.json [additions.json]

The first file is the contract as OpenAPI 3; the second, optional one lists fields of later contracts under
`added_fields`: {"<path> <items key>[]": {field: type}}, and their endpoints under `paths`. Prints what
differs and exits 1, or says that all agrees.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FACTS = Path(__file__).parents[1] / "tap_mailchimp" / "sandbox" / "facts.json"


def kind(schema: Mapping[str, Any]) -> Any:
    """The type of a parameter or a field in the words of the facts."""
    if "enum" in schema and schema.get("type") != "array":
        return schema["enum"]
    if schema.get("type") == "array":
        return "list"
    if schema.get("format") == "date-time":
        return "date-time"
    return schema.get("type") or ("object" if "properties" in schema else None)


def fields(schema: Mapping[str, Any], name: str = "") -> Iterator[tuple[str, Any]]:
    """Every field below `schema` with its type, nested ones dotted, array elements marked `[]`."""
    if schema.get("type") == "array":
        yield from fields(schema.get("items", {}), f"{name}[]")
        return
    found = kind({word: part for word, part in schema.items() if word != "enum"})
    if name:
        yield name, found
    if found == "object":
        for member, part in schema.get("properties", {}).items():
            if member != "_links":
                yield from fields(part, f"{name}.{member}" if name else member)
    for form in schema.get("oneOf", ()):
        yield from fields(form, name)


def answer(contract: Mapping[str, Any], path: str, method: str = "get") -> Mapping[str, Any]:
    """The schema of an endpoint's good answer."""
    found: Mapping[str, Any] = contract["paths"][path][method]["responses"]["200"]["content"]["application/json"]
    return found["schema"]  # type: ignore[no-any-return]


def described(contract: Mapping[str, Any], fact: Mapping[str, Any]) -> dict[str, Any]:
    """What the contract says where `fact` says something."""
    if fact["path"] not in contract["paths"]:
        return {"path": None}
    get = contract["paths"][fact["path"]]["get"]
    body = answer(contract, fact["path"])
    rows = body
    if fact["items"]:
        rows = body["properties"].get(fact["items"], {}).get("items")
        if rows is None:
            return {"path": fact["path"], "items": None}
    return {
        "path": fact["path"],
        "items": fact["items"],
        "parameters": {each["name"]: kind(each["schema"]) for each in get["parameters"] if each["in"] == "query"},
        "fields": dict(fields(rows)),
    }


def described_later(additions: Mapping[str, Any], fact: Mapping[str, Any]) -> dict[str, Any]:
    """What the list of later endpoints says: in words, of which the first is the type."""
    get = additions.get("paths", {}).get(fact["path"], {}).get("get")
    if get is None:
        return {"path": None}
    row = get["response_item"] if "response_item" in get else get["response"][fact["items"]][0]
    return {
        "path": fact["path"],
        "items": fact["items"],
        "parameters": {name: worded(text) for name, text in get["query"].items()},
        "fields": dict(worded_fields(row)),
    }


def worded(text: Any) -> Any:
    """A parameter's type; a list names the values it may have."""
    return text if isinstance(text, list) else re.split("[, =]", text)[0]


def worded_fields(row: Mapping[str, Any], name: str = "") -> Iterator[tuple[str, str]]:
    """The fields below a row, in the words of the facts."""
    for member, part in row.items():
        if isinstance(part, dict):
            yield f"{name}{member}", "object"
            yield from worded_fields(part, f"{name}{member}.")
        elif isinstance(part, list):
            yield f"{name}{member}[]", worded(part[0])
        else:
            yield f"{name}{member}", worded(part)


def differences(name: str, fact: Any, found: Any) -> Iterator[str]:
    """What differs between a fact and the contract, one line each."""
    if isinstance(fact, Mapping) and isinstance(found, Mapping):
        for member in dict.fromkeys((*fact, *found)):
            yield from differences(f"{name}: {member}", fact.get(member), found.get(member))
    elif fact != found:
        yield f"{name}: facts say {json.dumps(fact)}, the contract says {json.dumps(found)}"


def compare(facts: Mapping[str, Any], contract: Mapping[str, Any], additions: Mapping[str, Any]) -> Iterator[str]:
    """Every difference."""
    yield from differences("contract", facts["contract"], contract["info"]["version"])
    for name, fact in facts["streams"].items():
        ours = ("later", "later_parameters", "is_later", "added")
        known = {word: part for word, part in fact.items() if word not in ours}
        if fact.get("is_unlisted"):
            continue
        if not fact.get("is_later"):
            yield from differences(name, known, described(contract, fact))
        elif additions:
            yield from differences(name, known, described_later(additions, fact))
    batches = facts["batches"]
    body = contract["paths"][batches["path"]]["post"]["requestBody"]["content"]["application/json"]["schema"]
    yield from differences("batches: request", batches["request"], dict(fields(body)))
    status = dict(fields(answer(contract, f"{batches['path']}/{{batch_id}}")))
    yield from differences("batches: answer", batches["answer"], status)
    for place, added in additions.get("added_fields", {}).items():
        path, items = place.removesuffix("[]").split(" ")
        for name, fact in facts["streams"].items():
            if (fact["path"], fact["items"]) == (path, items):
                for field, text in added.items():
                    expected = "date-time" if "date-time" in text else text.split(" ")[0]
                    if fact.get("later", {}).get(field) != expected:
                        yield f"{name}: {field} ({text}) is not among the later fields"


def main(arguments: list[str]) -> int:
    """Exit code 0 when all agrees, 1 when something differs, 2 for wrong arguments."""
    if len(arguments) not in (1, 2):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    contract, additions = (*(json.loads(Path(path).read_text("utf-8")) for path in arguments), {})[:2]
    found = list(compare(json.loads(FACTS.read_text("utf-8")), contract, additions))
    sys.stdout.write("\n".join(found or ["The facts agree with the contract."]) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
