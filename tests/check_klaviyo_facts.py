"""Compares tap_klaviyo/sandbox/facts.json with Klaviyo's published specification.

    python tests/check_klaviyo_facts.py openapi.json

Prints what differs and exits 1, or says that all agrees.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FACTS = Path(__file__).parents[1] / "tap_klaviyo" / "sandbox" / "facts.json"


def parameter(described: Mapping[str, Any]) -> Any:
    """A query parameter in the words of the facts: sort keys, [default, cap] of a size, options, or how it is given."""
    schema = described["schema"]
    if described["name"] == "sort":
        return [name for name in schema["enum"] if not name.startswith("-")]
    if described["name"] == "page[size]":
        return [schema.get("default"), schema.get("maximum")]
    if schema.get("type") == "array":
        return sorted(schema["items"].get("enum", []))
    return "required" if described.get("required") else "string"


def described(specification: Mapping[str, Any], path: str) -> dict[str, Any]:
    """What the specification says of one endpoint."""
    get = specification["paths"].get(path, {}).get("get")
    if get is None:
        return {"path": None}
    return {
        "path": path,
        **get["x-klaviyo-ratelimit"],
        "scopes": sorted(get["x-klaviyo-scopes"]),
        "parameters": {
            each["name"]: parameter(each) for each in get["parameters"] if each["name"] not in ("revision", "id")
        },
        "filters": {
            name: sorted({operator for operators in fact["operators"].values() for operator in operators})
            for name, fact in (get.get("x-klaviyo-filters") or {}).items()
        },
    }


def resolved(specification: Mapping[str, Any], schema: Any) -> Any:
    """A schema with its reference followed."""
    while isinstance(schema, Mapping) and "$ref" in schema:
        found: Any = specification
        for name in schema["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        schema = found
    return schema


def report(specification: Mapping[str, Any], path: str) -> dict[str, Any]:
    """What the specification says of one report, or of metric aggregates."""
    post = specification["paths"].get(path, {}).get("post")
    if post is None:
        return {"path": None}

    def member(schema: Any, name: str) -> Any:
        return resolved(specification, resolved(specification, schema)["properties"][name])

    def options(name: str) -> list[str]:
        schema = member(attributes, name)
        return sorted(resolved(specification, schema.get("items", schema))["enum"])

    body = post["requestBody"]["content"]["application/vnd.api+json"]["schema"]
    attributes = member(member(body, "data"), "attributes")
    names = ("measurements", "interval", "by") if "by" in attributes["properties"] else ("statistics",)
    return {
        "path": path,
        **post["x-klaviyo-ratelimit"],
        "scopes": sorted(post["x-klaviyo-scopes"]),
        "required": sorted(attributes["required"]),
        **{name: options(name) for name in names},
    }


def differences(name: str, fact: Any, found: Any) -> Iterator[str]:
    """What differs between a fact and the specification, one line each."""
    if isinstance(fact, Mapping) and isinstance(found, Mapping):
        for member in dict.fromkeys((*fact, *found)):
            yield from differences(f"{name}: {member}", fact.get(member), found.get(member))
    elif fact != found:
        yield f"{name}: facts say {json.dumps(fact)}, the specification says {json.dumps(found)}"


def compare(facts: Mapping[str, Any], specification: Mapping[str, Any]) -> Iterator[str]:
    """Every difference."""
    yield from differences("revision", facts["revision"], specification["info"]["version"])
    streams = {name: fact for name, fact in facts["streams"].items() if "revision" not in fact}  # a later one's
    for name, fact in streams.items():
        yield from differences(name, fact, described(specification, fact["path"]))
    for name, fact in facts["reports"].items():
        yield from differences(name, fact, report(specification, fact["path"]))


def main(arguments: list[str]) -> int:
    """Exit code 0 when all agrees, 1 when something differs, 2 for wrong arguments."""
    if len(arguments) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    specification = json.loads(Path(arguments[0]).read_text("utf-8"))
    found = list(compare(json.loads(FACTS.read_text("utf-8")), specification))
    sys.stdout.write("\n".join(found or ["The facts agree with the specification."]) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
