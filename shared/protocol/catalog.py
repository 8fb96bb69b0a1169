"""The Singer catalog: built for `--discover`, and read to know what is selected. Plain dicts throughout.

singer-python's `Schema` and `CatalogEntry` would drop words and ignore `selected-by-default`; its `metadata` functions
are used. Precedence, for streams and fields alike: `inclusion: unsupported` never, `automatic` always, then `selected`,
then `selected-by-default`, then what holds for the field around it. The command line comes on top: `--select` names
the streams to read, or the fields of a stream, whatever the catalog says; `--exclude` takes away from that.

Keys and types are the tap's own whatever the catalog says: it comes from an earlier day, from another tap for the same
source, or from a runner that rewrote it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from ..errors import CatalogError, SchemaError
from ..streams import Settings, Stream
from .messages import singer
from .patterns import Breadcrumb, Patterns, breadcrumbs, dotted, members
from .schema import ACCOUNT, EXTRA, JsonSchema, copied, type_of, written
from .selection import Selection

LOGGER = logging.getLogger(__name__)

Metadata = dict[Breadcrumb, dict[str, Any]]

_CATALOG_SCHEMA = {
    "type": "object",
    "required": ["streams"],
    "properties": {
        "streams": {
            "type": "array",
            "items": {
                "type": "object",
                "anyOf": [{"required": ["tap_stream_id"]}, {"required": ["stream"]}],
                "properties": {
                    "tap_stream_id": {"type": "string"},
                    "stream": {"type": "string"},
                    "schema": {"type": ["object", "null"], "properties": {"properties": {"type": ["object", "null"]}}},
                    "metadata": {
                        "type": ["array", "null"],
                        "items": {
                            "type": "object",
                            "required": ["breadcrumb", "metadata"],
                            "properties": {
                                "breadcrumb": {"type": "array", "items": {"type": "string"}},
                                "metadata": {"type": "object"},
                            },
                        },
                    },
                },
            },
        }
    },
}


# What a stream is, before anyone selects


def key_properties(stream: Stream, settings: Settings) -> tuple[str, ...]:
    """The stream's key as the settings have it; of several accounts in one table, each row is one account's."""
    keys = _own_key(stream, settings)
    return (*keys, ACCOUNT) if keys and settings.get("account_label") else keys


def _own_key(stream: Stream, settings: Settings) -> tuple[str, ...]:
    if stream.choose_key is not None and (chosen := stream.choose_key(settings)) is not None:
        return chosen
    if settings.get("key_mode") == "contract" and stream.contract_key is not None:
        return stream.contract_key
    return stream.key_properties


def _declared(stream: Stream, schemas: Mapping[str, JsonSchema], settings: Settings) -> JsonSchema:
    """All that the tap knows of the stream's records, with the columns every stream has; keys are never null."""
    schema = schemas[stream.name]
    properties = dict(schema.get("properties", {}))
    if settings.get("extra_fields", "column") == "column":
        properties[EXTRA] = {"type": ["null", "object"]}
    if settings.get("account_label"):
        properties[ACCOUNT] = {"type": ["null", "string"]}
    for name in key_properties(stream, settings):
        if name not in properties:
            raise SchemaError(f"{stream.name}: the key {name} is not in the stream's schema")
        kind = properties[name].get("type")
        properties[name] = {**properties[name], "type": [t for t in _as_list(kind) if t != "null"]}
    if stream.replication_key is not None and stream.replication_key not in properties:
        raise SchemaError(f"{stream.name}: the replication key {stream.replication_key} is not in the stream's schema")
    return {**schema, "properties": properties}


def _automatic(stream: Stream, settings: Settings) -> set[str]:
    names = {*key_properties(stream, settings), *stream.automatic, ACCOUNT}
    return names | {stream.replication_key} if stream.replication_key else names


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


# Building


def build(
    tap_name: str, streams: Sequence[Stream], schemas: Mapping[str, JsonSchema], settings: Settings
) -> dict[str, Any]:
    """The catalog of the streams that are not hidden, in the order of the table."""
    shown = [stream for stream in streams if not stream.hidden]
    if not shown:
        raise CatalogError(f"{tap_name}: there is no stream to read")
    names = {stream.name for stream in shown}
    return {"streams": [_entry(stream, names, schemas, settings) for stream in shown]}


def _entry(stream: Stream, shown: set[str], schemas: Mapping[str, JsonSchema], settings: Settings) -> dict[str, Any]:
    declared = _declared(stream, schemas, settings)
    keys = key_properties(stream, settings)
    metadata = singer().metadata.to_list(_metadata(stream, shown, declared, settings))
    return {
        "tap_stream_id": stream.name,
        "stream": stream.name,
        "key_properties": list(keys),
        "schema": written(declared, keys),
        "metadata": [{**line, "breadcrumb": list(line["breadcrumb"])} for line in metadata],
    }


def _metadata(stream: Stream, shown: set[str], declared: JsonSchema, settings: Settings) -> Metadata:
    write = singer().metadata.write
    metadata: Metadata = {}
    facts: dict[str, Any] = {
        "inclusion": "available",
        "selected-by-default": stream.selected,
        "table-key-properties": list(key_properties(stream, settings)),
    }
    if stream.replication_key:
        # Not `forced-`: a catalog may choose between the two, and says so under this very name.
        facts["replication-method"] = "FULL_TABLE" if stream.full_table else "INCREMENTAL"
        facts["valid-replication-keys"] = [stream.replication_key]
    else:
        facts["forced-replication-method"] = "FULL_TABLE"
    if parent := next((parent.stream for parent in stream.parents if parent.stream in shown), None):
        facts["parent-tap-stream-id"] = parent
    for word, value in facts.items():
        write(metadata, (), word, value)
    automatic = _automatic(stream, settings)
    for breadcrumb in breadcrumbs(declared):
        is_automatic = len(breadcrumb) == 2 and breadcrumb[1] in automatic
        write(metadata, breadcrumb, "inclusion", "automatic" if is_automatic else "available")
        write(metadata, breadcrumb, "selected-by-default", _by_default(stream, breadcrumb))
    return metadata


# Reading


@dataclass(frozen=True)
class _Entry:
    """What a catalog says of one stream."""

    metadata: Metadata = field(default_factory=dict)
    schema: JsonSchema = field(default_factory=dict)
    replication_method: str | None = None
    selected: bool | None = None

    def word(self, breadcrumb: Breadcrumb, word: str) -> Any:
        return self.metadata.get(breadcrumb, {}).get(word)

    def is_selected(self, breadcrumb: Breadcrumb) -> bool | None:
        """What the catalog itself says, None where it says nothing; older catalogs say it within the schema."""
        if self.word(breadcrumb, "inclusion") == "unsupported":
            return False
        if self.word(breadcrumb, "inclusion") == "automatic":
            return True
        node: Any = self.schema
        for step in breadcrumb:
            node = node.get(step) if isinstance(node, dict) else None
        in_schema = node.get("selected") if isinstance(node, dict) else None
        in_entry = None if breadcrumb else self.selected
        by_default = self.word(breadcrumb, "selected-by-default")
        said = (self.word(breadcrumb, "selected"), in_schema, in_entry, by_default)
        return next((choice for choice in said if isinstance(choice, bool)), None)


def _given(raw: Mapping[str, Any]) -> _Entry:
    """What one stream's object in a catalog says."""
    return _Entry(
        metadata=singer().metadata.to_map(raw.get("metadata") or []),
        schema=raw.get("schema") or {},
        replication_method=raw.get("replication_method"),
        selected=raw.get("selected"),
    )


def _entries(catalog: Any, streams: Sequence[Stream]) -> tuple[dict[str, _Entry], list[str]]:
    """Our stream's name → what the catalog says of it, and the names that are no stream of ours."""
    _check(catalog)
    by_name = {alias: stream for stream in streams if not stream.hidden for alias in stream.aliases}
    by_name |= {stream.name: stream for stream in streams if not stream.hidden}
    entries: dict[str, _Entry] = {}
    unknown = []
    for raw in catalog["streams"]:
        names = [raw[word] for word in ("tap_stream_id", "stream") if word in raw]
        stream = next((by_name[name] for name in names if name in by_name), None)
        if stream is None:
            unknown.append(names[0])
            continue
        entry = _given(raw)
        # Under an old and a new name at once: the one that is selected counts.
        if stream.name not in entries or (entry.is_selected(()) and not entries[stream.name].is_selected(())):
            entries[stream.name] = entry
    return entries, unknown


def lost(catalog: Any, streams: Sequence[Stream], select: Sequence[str] = (), exclude: Sequence[str] = ()) -> list[str]:
    """The streams that the catalog selects and that are not there. What the command line selects counts instead."""
    if catalog is None or select:
        return []
    known = {name for stream in streams if not stream.hidden for name in (stream.name, *stream.aliases)}
    found = []
    for raw in catalog["streams"]:
        names = [raw[word] for word in ("tap_stream_id", "stream") if word in raw]
        if not known.isdisjoint(names) or any(fnmatchcase(names[0], pattern) for pattern in exclude):
            continue
        if _given(raw).is_selected(()):
            found.append(str(names[0]))
    return found


def _check(catalog: Any) -> None:
    from jsonschema import Draft4Validator

    for error in Draft4Validator(_CATALOG_SCHEMA).iter_errors(catalog):
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)[:200]
        raise CatalogError(
            f"catalog{place}: {_reason(error)}. It must be what --discover prints, with `selected` added in metadata."
        )


def _reason(error: Any) -> str:
    if error.validator == "type":
        return f"must be {' or '.join(_as_list(error.validator_value))}, is {type(error.instance).__name__}"
    if error.validator == "required":
        return f"lacks {', '.join(name for name in error.validator_value if name not in error.instance)}"
    return "lacks tap_stream_id"


# Choosing


def choose(
    catalog: Any,
    streams: Sequence[Stream],
    schemas: Mapping[str, JsonSchema],
    *,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    settings: Settings,
    is_partial: bool = False,
    before: Sequence[Selection] = (),
) -> list[Selection]:
    """What to read, in the order of the table.

    Without a catalog the streams selected by default are read, all their fields. `is_partial` says that the account has
    not yet been asked for its own streams and fields: what is unknown or unselected is then no error. `before` is what
    that gave for the same choice: streams whose schema is still the same are taken from there.
    """
    known = {selection.stream.name: selection for selection in before}
    shown = [stream for stream in streams if not stream.hidden and stream.name in schemas]
    declared = {stream.name: _declared(stream, schemas, settings) for stream in shown}
    patterns = Patterns.of(select, exclude, settings.get("mask") or {})
    if not is_partial:
        patterns.check(shown, declared)
    entries, unknown = _entries(catalog, streams) if catalog is not None else ({}, [])
    if unknown and not is_partial:
        LOGGER.info("the catalog has streams that this tap does not know: %s", _listed(unknown))
    selections = []
    for stream in shown:
        entry = entries.get(stream.name)
        chosen = patterns.selects_stream(stream, declared[stream.name], is_partial=is_partial)
        if not _is_stream_selected(stream, entry, has_catalog=catalog is not None, patterns=patterns, chosen=chosen):
            continue
        if not is_partial:
            _warn(stream, entry, declared[stream.name], patterns, settings)
        made = known.get(stream.name)
        if made is None or made.stream is not stream or made.declared != declared[stream.name]:
            made = _selection(stream, entry or _Entry(), declared[stream.name], patterns, settings)
        selections.append(made)
    if not selections and not is_partial:
        raise CatalogError(
            "no stream is selected. Select some in the catalog (`selected: true` in the metadata with an empty "
            "breadcrumb) or with --select; --discover lists them."
        )
    return selections


def _is_stream_selected(
    stream: Stream, entry: _Entry | None, *, has_catalog: bool, patterns: Patterns, chosen: bool | None
) -> bool:
    if entry is not None and entry.word((), "inclusion") == "unsupported":
        return False
    if patterns.excludes_stream(stream):
        return False
    if chosen is not None:
        return chosen
    if has_catalog:
        return entry is not None and bool(entry.is_selected(()))
    return stream.selected


def _selection(
    stream: Stream, entry: _Entry, declared: JsonSchema, patterns: Patterns, settings: Settings
) -> Selection:
    keys = key_properties(stream, settings)
    automatic = _automatic(stream, settings)
    patterns = patterns.about(stream)
    if needed := sorted(name for name in automatic - {ACCOUNT} if patterns.drops(stream, name)):
        raise CatalogError(
            f"mask {stream.name}.{needed[0]}: part of the key or the bookmark cannot be dropped; hash it with sha256."
        )

    def keep(schema: JsonSchema, at: Breadcrumb, inherited: bool) -> JsonSchema:
        """`schema` with its selected members alone."""
        if schema.get("items") and type_of(schema) == "array":
            return {**schema, "items": keep(schema["items"], (*at, "items"), inherited)}
        if not schema.get("properties"):
            return schema
        properties = {}
        for name, member in schema["properties"].items():
            breadcrumb = (*at, "properties", name)
            is_automatic = not at and name in automatic
            if not (is_automatic or _is_field_selected(stream, entry, breadcrumb, inherited, patterns)):
                continue
            kept = keep(member, breadcrumb, True)
            if is_automatic or not _is_hollow(kept, member):
                properties[name] = kept
            else:
                LOGGER.warning(
                    "%s.%s is left out, because none of its members is selected", stream.name, dotted(breadcrumb)
                )
        return {**schema, "properties": properties}

    schema = copied(keep(declared, (), True))
    label = settings.get("account_label")
    return Selection(
        stream=stream,
        schema=schema,
        written=written(schema, keys),
        key_properties=keys,
        replication_key=stream.replication_key,
        full_table=_is_full_table(stream, entry),
        # The entry's own `replication_method` is what discoveries of other taps write, so nobody chose that.
        reads_all=stream.replication_key is None and str(entry.word((), "replication-method")).upper() == "FULL_TABLE",
        deselected=frozenset(declared["properties"]) - frozenset(schema["properties"]),
        deselected_members=_members_of(declared) - _members_of(schema),
        declared=declared,
        account=str(label) if label else None,
        masked=patterns.masked_fields(declared),
        keyless_skipped=_own_key(stream, settings) != stream.key_properties,
    )


def _members_of(schema: JsonSchema) -> frozenset[str]:
    """The members of its objects, and of the objects in its arrays, as patterns name them."""
    return frozenset(name for breadcrumb in breadcrumbs(schema) if "." in (name := dotted(breadcrumb)))


def _is_hollow(kept: JsonSchema, declared: JsonSchema) -> bool:
    """Whether an object, or an array's items, lost all its members: what is left would pass for a free-form one."""
    while "items" in kept:
        kept, declared = kept["items"], declared["items"]
    return bool(declared.get("properties")) and not kept.get("properties")


def _is_field_selected(
    stream: Stream, entry: _Entry, breadcrumb: Breadcrumb, inherited: bool, patterns: Patterns
) -> bool:
    if entry.word(breadcrumb, "inclusion") == "unsupported":
        return False
    path = dotted(breadcrumb)
    if patterns.excludes_field(stream, path):
        return False
    chosen = patterns.selects_field(stream, path)
    if chosen is not None:
        return chosen
    said = entry.is_selected(breadcrumb)
    return inherited and _by_default(stream, breadcrumb) if said is None else said


def _by_default(stream: Stream, breadcrumb: Breadcrumb) -> bool:
    return len(breadcrumb) != 2 or breadcrumb[1] not in stream.unselected


def _is_full_table(stream: Stream, entry: _Entry) -> bool:
    if stream.replication_key is None:
        return True
    # `forced-replication-method` is what discovery, perhaps another tap's, found; nobody chose it.
    method = entry.word((), "replication-method") or entry.replication_method
    return {"FULL_TABLE": True, "INCREMENTAL": False}.get(str(method).upper(), stream.full_table)


# What a user should know about the catalog given


def _warn(stream: Stream, entry: _Entry | None, declared: JsonSchema, patterns: Patterns, settings: Settings) -> None:
    automatic = _automatic(stream, settings)
    if kept := sorted(name for name in automatic if name != ACCOUNT and patterns.excludes_field(stream, name)):
        LOGGER.warning("%s: %s cannot be excluded, being part of its key or its bookmark", stream.name, ", ".join(kept))
    if entry is None:
        return
    method = entry.word((), "replication-method") or entry.replication_method
    if method is not None and str(method).upper() not in ("FULL_TABLE", "INCREMENTAL"):
        LOGGER.warning("%s: the replication method %.60s of the catalog is not known", stream.name, method)
    elif str(method).upper() == "INCREMENTAL" and stream.replication_key is None:
        LOGGER.warning("%s: cannot be read incrementally and is read whole", stream.name)
    if differing := sorted(_differing(entry.schema, written(declared, key_properties(stream, settings)))):
        LOGGER.warning(
            "%s: the catalog's types for %s differ from the tap's own, which are used",
            stream.name,
            _listed(differing),
        )


def _listed(names: Sequence[Any]) -> str:
    """The first of `names`: a catalog may be of any size."""
    shown = [name if len(name) <= 60 else f"{name[:59]}…" for name in map(str, names[:20])]
    return ", ".join(shown) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _differing(theirs: Any, ours: JsonSchema, at: Breadcrumb = ()) -> Iterator[str]:
    """The fields whose type or format differs, where the catalog gives one."""
    for breadcrumb in members(ours, at):
        node, own = theirs, ours
        for step in breadcrumb[len(at) :]:
            node = node.get(step) if isinstance(node, dict) else None
            own = own[step]
        if not isinstance(node, dict):
            continue
        if "type" in node and _shape(node) != _shape(own):
            yield dotted(breadcrumb)
        else:
            yield from _differing(node, own, breadcrumb)


def _shape(schema: Mapping[str, Any]) -> tuple[set[str], Any]:
    return {str(name) for name in _as_list(schema.get("type")) if name != "null"}, schema.get("format")
