"""What a stream's records look like: `schemas/*.json` read, their references resolved, and what of them is written.

Schemas are plain dicts of JSON Schema draft 4. The files say more than targets understand (`description`, `wire`,
`$ref`); `written` is what goes out. 63 message shapes tried on ten targets (2026-11) gave the rules that `check` holds:
one non-null type each, null allowed except in keys, no combining or constraining words, no `format` but date-time and
date, names unique ignoring case within 62 characters, something besides the keys.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from ..errors import SchemaError
from ..timestamps import WIRES

if TYPE_CHECKING:
    from pathlib import Path

JsonSchema = dict[str, Any]

EXTRA = "_extra"
"""The column for what the schema does not know, and for values that do not fit their own column."""
ACCOUNT = "_account"
"""The column that `account_label` adds."""
TYPES = ("string", "integer", "number", "boolean", "object", "array")
LONGEST_NAME = 62  # PostgreSQL cuts what is longer than 63, two names then being one; a target shortens those of 63.
_FORMATS = ("date-time", "date")
_KNOWN_WORDS = {"type", "format", "wire", "description", "properties", "items"}


def load(folder: Path, name: str) -> JsonSchema:
    """The schema in `<name>.json`, references resolved; the caller's own copy."""
    place = (str(folder), name)
    if place not in _LOADED:
        _LOADED[place] = resolve({"$ref": f"{name}.json"}, lambda path: _read(folder, path))
    schema: JsonSchema = copied(_LOADED[place])
    return schema


_LOADED: dict[tuple[str, str], JsonSchema] = {}


def _read(folder: Path, path: str) -> JsonSchema:
    try:
        schema = json.loads(folder.joinpath(*path.split("/")).read_bytes())
    except FileNotFoundError as error:
        raise SchemaError(f"schemas: {path} does not exist") from error
    except ValueError as error:
        raise SchemaError(f"schemas: {path} is not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise SchemaError(f"schemas: {path} holds no object")
    return schema


def resolve(schema: JsonSchema, read: Callable[[str], JsonSchema]) -> JsonSchema:
    """`schema` with every `$ref` replaced by what it names: "file.json", "file.json#/a/b" or, within a file, "#/a/b".

    Files are named from the schemas' folder, also by files in `shared/`. Words beside a `$ref` win over its own.
    """

    def resolved(node: Any, file: str, trail: tuple[str, ...]) -> Any:
        if isinstance(node, list):
            return [resolved(part, file, trail) for part in node]
        if not isinstance(node, dict):
            return node
        reference = node.get("$ref")
        if not isinstance(reference, str):
            return {word: resolved(part, file, trail) for word, part in node.items() if word != "definitions"}
        path, _, pointer = reference.partition("#")
        path = path or file
        step = f"{path}#{pointer}"
        if step in trail:
            raise SchemaError(f"schemas: {step} refers to itself")
        target = _at(read(path), pointer, step)
        beside = {word: part for word, part in node.items() if word != "$ref"}
        return {**resolved(target, path, (*trail, step)), **resolved(beside, file, trail)}

    result: JsonSchema = resolved(schema, "", ())
    return result


def _at(document: Any, pointer: str, step: str) -> JsonSchema:
    for part in pointer.strip("/").split("/") if pointer.strip("/") else ():
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(document, dict) or name not in document:
            raise SchemaError(f"schemas: {step} names nothing")
        document = document[name]
    if not isinstance(document, dict):
        raise SchemaError(f"schemas: {step} is no schema")
    return document


def type_of(schema: Mapping[str, Any]) -> str:
    """The one non-null type of `schema`; "date-time" and "date" for strings of that format."""
    types = schema.get("type")
    names = [name for name in ([types] if isinstance(types, str) else types or ()) if name != "null"]
    if len(names) != 1 or names[0] not in TYPES:
        raise SchemaError(f"a schema needs one type besides null, of {', '.join(TYPES)}; this one has {types!r}")
    if names[0] == "string" and schema.get("format") in _FORMATS:
        return str(schema["format"])
    return str(names[0])


def written(schema: Mapping[str, Any], keys: Iterable[str] = ()) -> JsonSchema:
    """What goes into SCHEMA messages and the catalog: types, formats, members. Null is allowed except in `keys`."""
    return _written(schema, frozenset(keys), root=True)


def _written(schema: Mapping[str, Any], keys: frozenset[str], *, root: bool = False, key: bool = False) -> JsonSchema:
    kind = type_of(schema)
    if root:
        result: JsonSchema = {"type": "object"}
    elif kind in _FORMATS:
        result = {"type": ["string"] if key else ["null", "string"], "format": kind}
    else:
        result = {"type": [kind] if key else ["null", kind]}
    if root or (kind == "object" and schema.get("properties")):
        result["properties"] = {
            name: _written(part, frozenset(), key=name in keys) for name, part in schema.get("properties", {}).items()
        }
    if kind == "array" and schema.get("items"):
        result["items"] = _written(schema["items"], frozenset())
    return result


def columns(names: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """An account's own field names → column names: within 62 characters, unique ignoring case, also among `taken`.

    A name that is too long or clashes is cut and gets `_` and 6 hex digits of its hash. Of two that clash the first
    keeps its name, so that a field the account adds later renames no column.
    """
    used = {name.casefold() for name in taken}
    result: dict[str, str] = {}
    for name in names:
        column = name if len(name) <= LONGEST_NAME and name.casefold() not in used else _cut(name)
        used.add(column.casefold())
        result[name] = column
    return result


def _cut(name: str) -> str:
    digits = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{name[: LONGEST_NAME - 7]}_{digits}"


def check(schema: Mapping[str, Any], keys: Iterable[str]) -> list[str]:
    """Which rules of what targets accept `schema` breaks, one sentence each; none is good."""
    keys = tuple(keys)
    if schema.get("type") != "object" or not isinstance(schema.get("properties"), dict):
        return ["the schema is no object with properties"]
    properties = schema["properties"]
    problems = list(_check_members(properties, ""))
    problems += [f"{name}: the name is taken by the tap itself" for name in (EXTRA, ACCOUNT) if name in properties]
    for key in keys:
        if key not in properties:
            problems.append(f"{key}: is a key and is not declared")
        elif {"object", "array"} & set(_types(properties[key])):
            problems.append(f"{key}: a key cannot be an object or an array")
    if not set(properties) - set(keys):
        problems.append("there is no field besides the keys")
    return problems


def _types(schema: Mapping[str, Any]) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else list(types)


def _check_members(properties: Mapping[str, Any], above: str) -> Iterator[str]:
    folded: dict[str, str] = {}
    for name, part in properties.items():
        path = f"{above}{name}"
        if not name or len(name) > LONGEST_NAME:
            yield f"{path}: a name has 1 to {LONGEST_NAME} characters"
        if other := folded.get(name.casefold()):
            yield f"{path}: differs from {above}{other} by case alone"
        folded[name.casefold()] = name
        yield from _check_part(part, path)


def _check_part(part: Mapping[str, Any], path: str) -> Iterator[str]:
    if unknown := sorted(set(part) - _KNOWN_WORDS):
        yield f"{path}: {', '.join(unknown)} cannot be used"
    try:
        kind = type_of(part)
    except SchemaError as error:
        yield f"{path}: {error}"
        return
    if "format" in part and kind not in _FORMATS:
        yield f"{path}: the format {part['format']!r} cannot be used"
    if "wire" in part and (kind != "date-time" or part["wire"] not in WIRES):
        yield f"{path}: `wire` is for date-times, one of {', '.join(WIRES)}"
    if "properties" in part:
        if kind != "object":
            yield f"{path}: has properties and is no object"
        elif not part["properties"]:
            yield f"{path}: a free-form object has no `properties`"
        else:
            yield from _check_members(part["properties"], f"{path}.")
    if "items" in part:
        if kind != "array":
            yield f"{path}: has items and is no array"
        else:
            yield from _check_part(part["items"], f"{path}[]")


def copied(value: Any) -> Any:
    """A copy that shares no object or array with `value`; several times as fast as `copy.deepcopy`."""
    if value.__class__ is dict:
        made = value.copy()
        for name, part in value.items():
            if part.__class__ is dict or part.__class__ is list:
                made[name] = copied(part)
        return made
    return [copied(part) for part in value] if value.__class__ is list else value
