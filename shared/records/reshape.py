"""Records on their way out as settings want them: personal data masked, objects spread over columns.

Works on records that fit their schema already, so bookmarks, keys and filters have seen the true values. What a mask
drops was never selected (see `catalog`); here are the members of free-form maps, and of texts that hold JSON, which no
catalog knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

from ..errors import ConfigError
from ..protocol.patterns import mask_patterns, reaches
from ..protocol.schema import EXTRA, JsonSchema, columns, type_of
from ..protocol.selection import Selection
from ..streams import Record, Settings

Patterns = Sequence[tuple[str, str, str]]
"""Patterns of the setting, each with its glob of fields and what is done to them: "drop" or "sha256"."""
TEXT = {"type": ["null", "string"]}
MOST_MET, MOST_KNOWN = 200, 100_000
"""Fields that are noted for a pattern; paths whose answer is kept."""


@dataclass(frozen=True)
class Reshape:
    """What becomes of one stream: `written` is its SCHEMA, `records` its records, changed in place or made anew."""

    written: JsonSchema
    _steps: tuple[Callable[[list[Record]], list[Record]], ...] = ()

    def records(self, rows: list[Record]) -> list[Record]:
        """The records as they are to be written."""
        for step in self._steps:
            rows = step(rows)
        return rows


def reshape(selection: Selection, settings: Settings) -> Reshape:
    """What the settings make of a selected stream; nothing, without `mask` and `flatten`."""
    schema = selection.written
    steps: list[Callable[[list[Record]], list[Record]]] = []
    if patterns := list(mask_patterns(selection.stream, settings)):
        mask = _Mask(patterns, str(settings.get("mask_salt") or ""), selection.masked)
        schema = mask.schema(selection)
        steps.append(mask.records)
    if settings.get("flatten"):
        flatten = _Flatten.of(schema, str(settings["flatten_separator"]), settings.get("flatten_depth"))
        schema = flatten.schema(schema)
        steps.append(flatten.records)
    return Reshape(schema, tuple(steps))


# Masks


class _Mask:
    def __init__(self, patterns: Patterns, salt: str, met: dict[str, set[str]]) -> None:
        """`met`: where the fields that each pattern meets are noted."""
        self._patterns, self._salt, self._met = patterns, salt.encode(), met
        self._known: dict[str, str] = {}
        self._tree: Mapping[str, Any] = {}

    def schema(self, selection: Selection) -> JsonSchema:
        """The stream's schema, hashed fields being strings."""
        if selection.replication_key and self._how(selection.replication_key):
            name = f"{selection.stream.name}.{selection.replication_key}"
            raise ConfigError(f"mask {name}: is the stream's bookmark and cannot be masked.")
        schema, self._tree = self._node(selection.written, "")
        for key in selection.key_properties:
            schema["properties"][key] = {**schema["properties"][key]}
            schema["properties"][key]["type"] = [t for t in schema["properties"][key]["type"] if t != "null"]
        return schema

    def _node(self, schema: JsonSchema, above: str) -> tuple[JsonSchema, dict[str, Any]]:
        """The masked schema of an object, and which of its members are to be touched: a word, a tree, True (a map), or
        False (a text, which may be JSON).
        """
        properties: dict[str, Any] = {}
        tree: dict[str, Any] = {}
        for name, part in schema["properties"].items():
            path = f"{above}{name}"
            properties[name] = part
            if self._how(path) == "sha256":
                properties[name], tree[name] = TEXT, "sha256"
                continue
            inner, wraps = part, 0
            while inner.get("items"):
                inner, wraps = inner["items"], wraps + 1
            if inner.get("properties"):
                changed, below = self._node(inner, f"{path}.")
                if below:
                    tree[name], properties[name] = below, _wrapped(changed, part, wraps)
            elif type_of(inner) in ("object", "array"):
                tree[name] = True
            elif type_of(inner) == "string" and not wraps:
                tree[name] = False
        return {**schema, "properties": properties}, tree

    def _how(self, path: str) -> str | None:
        """What is done with the field at `path`; dropping wins."""
        if (known := self._known.get(path)) is not None:
            return known or None
        # Positions in arrays (`opens.3.timestamp`) are no part of a pattern.
        plain = ".".join(part for part in path.split(".") if not part.isdigit())
        found = set()
        for pattern, glob, how in self._patterns:
            if reaches(glob, path) or reaches(glob, plain):
                found.add(how)
                met = self._met.setdefault(pattern, set())
                if len(met) < MOST_MET:
                    met.add(plain)
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[path] = how = min(found, default="")  # "drop" < "sha256"
        return how or None

    def records(self, rows: list[Record]) -> list[Record]:
        for row in rows:
            self._apply(row, self._tree, "")
        return rows

    def _apply(self, value: Any, tree: Mapping[str, Any], above: str) -> None:
        if value.__class__ is list:
            for item in value:
                self._apply(item, tree, above)
        elif value.__class__ is dict:
            for name, below in tree.items():
                found = value.get(name)
                if found is None:
                    continue
                if below == "sha256":
                    value[name] = self._digest(found)
                elif below is False:
                    value[name] = self._text(found, f"{above}{name}.")
                elif below is True:
                    # What stands in `_extra` is named by its whole path.
                    self._sweep(found, "" if name == EXTRA and not above else f"{above}{name}.")
                else:
                    self._apply(found, below, f"{above}{name}.")

    def _sweep(self, value: Any, above: str) -> None:
        """Mask in a map, at any depth, what the patterns name."""
        if value.__class__ is list:
            for item in value:
                self._sweep(item, above)
        elif value.__class__ is dict:
            for name in list(value):
                path = f"{above}{name}"
                how = self._how(path)
                if how == "drop":
                    del value[name]
                elif how and value[name] is not None:
                    value[name] = self._digest(value[name])
                elif value[name].__class__ is str:
                    value[name] = self._text(value[name], f"{path}.")
                else:
                    self._sweep(value[name], f"{path}.")

    def _text(self, text: Any, above: str) -> Any:
        """A text, masked within where it is an object or a list as JSON: so a column keeps what has no type of its
        own.
        """
        if text.__class__ is not str or text[:1] not in ("{", "["):
            return text
        try:
            value = orjson.loads(text)
            before = orjson.dumps(value)
            self._sweep(value, above)
            after = orjson.dumps(value)
        except (ValueError, TypeError):
            return text
        return text if before == after else after.decode()

    def _digest(self, value: Any) -> str:
        text = value if value.__class__ is str else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
        return sha256(self._salt + text.encode()).hexdigest()


def _wrapped(inner: JsonSchema, part: JsonSchema, wraps: int) -> JsonSchema:
    """`part`, an array of arrays of ..., with other items at its core."""
    return inner if wraps == 0 else {**part, "items": _wrapped(inner, part["items"], wraps - 1)}


# Columns


@dataclass(frozen=True)
class _Flatten:
    """The columns of a stream: its plain values, members of its objects, and JSON text for what stays nested."""

    plain: tuple[str, ...]
    texts: tuple[str, ...]
    objects: Mapping[str, Any]
    kinds: Mapping[str, JsonSchema] = field(repr=False)

    @classmethod
    def of(cls, schema: JsonSchema, separator: str, depth: int | None) -> _Flatten:
        """The columns for `schema`, objects opened `depth` levels down, or all."""
        top = schema["properties"]
        limit = 1_000 if depth is None else depth
        opened = {name: part for name, part in top.items() if part.get("properties") and limit > 0}
        paths = [path for name, part in opened.items() for path in _paths(part, (name,), limit - 1)]
        taken = set(top) - set(opened)
        objects: dict[str, Any] = {}
        kinds: dict[str, JsonSchema] = {}
        for path, part in paths:
            joined = separator.join(path)
            column = columns([joined], taken)[joined]
            taken.add(column)
            node = objects
            for step in path[:-1]:
                node = node.setdefault(step, {})
            is_text = type_of(part) in ("object", "array")
            node[path[-1]] = (column, is_text)
            kinds[column] = TEXT if is_text else part
        rest = [name for name in top if name not in opened]
        texts = tuple(name for name in rest if type_of(top[name]) in ("object", "array"))
        plain = tuple(name for name in rest if name not in texts)
        kinds = {**{name: TEXT if name in texts else top[name] for name in rest}, **kinds}
        return cls(plain, texts, objects, kinds)

    def schema(self, schema: JsonSchema) -> JsonSchema:
        """The flat schema."""
        return {**schema, "properties": dict(self.kinds)}

    def records(self, rows: list[Record]) -> list[Record]:
        """The records, one value a column."""
        return [self._flat(row) for row in rows]

    def _flat(self, row: Record) -> Record:
        flat = {name: row.get(name) for name in self.plain}
        for name in self.texts:
            if name in row:
                flat[name] = _text(row[name])
        _spread(row, self.objects, flat)
        return flat


def _paths(schema: JsonSchema, at: tuple[str, ...], depth: int) -> Iterator[tuple[tuple[str, ...], JsonSchema]]:
    for name, part in schema["properties"].items():
        if part.get("properties") and depth > 0:
            yield from _paths(part, (*at, name), depth - 1)
        else:
            yield (*at, name), part


def _spread(value: Any, tree: Mapping[str, Any], flat: Record) -> None:
    is_object = value.__class__ is dict
    for name, below in tree.items():
        found = value.get(name) if is_object else None
        if below.__class__ is tuple:
            column, is_text = below
            flat[column] = _text(found) if is_text else found
        else:
            _spread(found, below, flat)


def _text(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
