"""A linter for what a tap writes: names the stream, the field and the rule that a SCHEMA or a RECORD breaks.

The rules are those under which ten targets load what they get (63 message shapes tried, 2026-11). They are written down
here once more, for messages, independent of `schema` and `records`, which keep them: a slip there shows here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft4Validator, FormatChecker

_INSTANT = re.compile(r"(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""Not the text of JSON that holds it, where the backslash itself is escaped."""
_LONG_NUMBER = re.compile(rb"[:,\[]-?\d{19,}")
_WORDS = {"type", "format", "properties", "items"}
_TYPES = {"string", "integer", "number", "boolean", "object", "array"}
LONGEST_NAME = 62
LARGEST = 2**63 - 1


def schema_findings(message: Mapping[str, Any], *, append_only: bool = False) -> list[str]:
    """Which rules a SCHEMA message breaks: "stream: field: rule" each. `append_only`: a setting asked for no key."""
    schema, keys = message["schema"], list(message["key_properties"])
    found = list(_root(schema, keys, append_only=append_only))
    bookmarks = message.get("bookmark_properties") or []
    found += [f"{name}: a bookmark is a declared field" for name in bookmarks if name not in schema["properties"]]
    return [f"{message['stream']}: {text}" for text in found]


def _root(schema: Mapping[str, Any], keys: list[str], *, append_only: bool) -> Iterator[str]:
    if schema.get("type") != "object" or set(schema) != {"type", "properties"}:
        yield f"(root): an object with properties and nothing besides, not {sorted(schema)}"
    properties = schema.get("properties", {})
    if not keys and not append_only:
        yield "(key): a stream has a key"
    for key in keys:
        part = properties.get(key)
        if part is None:
            yield f"{key}: a key is a declared field"
        elif part.get("type") not in (["string"], ["integer"], ["number"], ["boolean"]):
            yield f"{key}: a key has one plain type and no null, not {part.get('type')}"
    if not set(properties) - set(keys):
        yield "(fields): at least one field besides the key"
    yield from _members(properties, "", keys)


def _members(properties: Mapping[str, Any], above: str, keys: list[str]) -> Iterator[str]:
    folded: dict[str, str] = {}
    for name, part in properties.items():
        path = above + name
        if not 1 <= len(name) <= LONGEST_NAME:
            yield f"{path}: a name has 1 to {LONGEST_NAME} characters"
        if (same := folded.setdefault(name.casefold(), name)) is not name:
            yield f"{path}: names differ by more than case, unlike {above}{same}"
        yield from _part(part, path, is_key=not above and name in keys)


def _part(part: Mapping[str, Any], path: str, *, is_key: bool = False) -> Iterator[str]:
    types = part.get("type")
    if not isinstance(types, list) or len(set(types) - {"null"}) != 1 or not set(types) <= {*_TYPES, "null"}:
        yield f"{path}: one type besides null, not {types}"
        return
    (kind,) = set(types) - {"null"}
    if "null" not in types and not is_key:
        yield f"{path}: null is allowed except in keys"
    if words := sorted(set(part) - _WORDS):
        yield f"{path}: no {', '.join(words)}"
    if "format" in part and (kind != "string" or part["format"] not in ("date-time", "date")):
        yield f"{path}: no format but date-time and date, and on strings alone"
    if "properties" in part:
        if kind != "object" or not part["properties"]:
            yield f"{path}: properties are an object's, and not empty: a free-form map has none"
        yield from _members(part["properties"], f"{path}.", [])
    if "items" in part:
        if kind != "array":
            yield f"{path}: items are an array's"
        yield from _part(part["items"], f"{path}[]")


@dataclass
class RecordLint:
    """Checks records against their SCHEMA message.

    Schemas hold types and date-time formats alone, so two records with the same types in the same places are both valid
    or both not: each such form is checked once, which makes checking every record of a large run affordable.
    """

    message: Mapping[str, Any]
    _known: dict[Any, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        Draft4Validator.check_schema(self.message["schema"])
        self._validator = Draft4Validator(self.message["schema"], format_checker=FormatChecker())

    def findings(self, record: Mapping[str, Any], line: bytes = b"") -> list[str]:
        """Which rules the record breaks; `line` is where it was read from."""
        form = _form(record)
        if form not in self._known:
            self._known[form] = list(self._of_form(record))
        found = list(self._known[form])
        for name in self.message["key_properties"]:
            if record.get(name) is None:
                found.append(f"{name}: a key is never null or missing")
        if _NUL.search(line):
            found.append("(text): no U+0000, which most targets cannot store")
        if _LONG_NUMBER.search(line):
            found += [f"{path}: an integer beyond 64 bits needs a string field" for path in _too_large(record, "")]
        return [f"{self.message['stream']}: {text}" for text in found]

    def _of_form(self, record: Mapping[str, Any]) -> Iterator[str]:
        for error in self._validator.iter_errors(record):
            yield f"{'.'.join(map(str, error.path))}: {error.message[:200]}"
        yield from _misplaced(record, self.message["schema"], "")


def _misplaced(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    """Members that are not declared, and date-times in another spelling than ours."""
    if isinstance(value, dict) and schema.get("properties"):
        for name, item in value.items():
            below = f"{path}.{name}" if path else name
            if name not in schema["properties"]:
                yield f"{below}: every field that is written is declared"
            else:
                yield from _misplaced(item, schema["properties"][name], below)
    elif isinstance(value, list) and schema.get("items"):
        for item in value:
            yield from _misplaced(item, schema["items"], f"{path}[]")
    elif schema.get("format") == "date-time" and isinstance(value, str) and not _INSTANT.fullmatch(value):
        yield f"{path}: a date-time is written YYYY-MM-DDTHH:MM:SS.ffffffZ, not {value!r}"


def _too_large(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _too_large(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for item in value:
            yield from _too_large(item, f"{path}[]")
    elif isinstance(value, int) and not -LARGEST - 1 <= value <= LARGEST:
        yield path


def _form(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple((name, _form(value[name])) for name in sorted(value))
    if isinstance(value, list):
        return ("list", *sorted({_form(item) for item in value}, key=repr))
    if isinstance(value, str):
        return "instant" if _INSTANT.fullmatch(value) else "text"
    return type(value).__name__
