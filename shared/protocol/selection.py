"""What is read of a stream, as catalog, settings and command line have it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..streams import Stream
from .schema import JsonSchema


@dataclass(frozen=True, kw_only=True)
class Selection:
    """One stream to be read, and of what.

    schema            the selected fields alone, with `wire`; `_extra` and `_account` where they are due
    declared          all fields the tap knows: what is in here and not in `schema` is dropped without a word
    written           `schema` as the SCHEMA message has it
    full_table        the effective replication method: all is read, bookmark or not
    reads_all         the catalog asks for FULL_TABLE where the stream knows nothing else: its gate is not heeded
    deselected        the top-level fields of `declared` that nobody wants; `deselected_members` those below, dotted
    account           the constant for the column `_account`
    masked            the fields that each pattern of the setting `mask` has met so far
    keyless_skipped   a setting chose a key that records may lack; those are left out, not an error
    """

    stream: Stream
    schema: JsonSchema
    written: JsonSchema
    key_properties: tuple[str, ...]
    replication_key: str | None
    full_table: bool
    reads_all: bool = False
    deselected: frozenset[str] = frozenset()
    deselected_members: frozenset[str] = frozenset()
    declared: JsonSchema = field(default_factory=dict)
    account: str | None = None
    masked: dict[str, set[str]] = field(default_factory=dict, compare=False)
    keyless_skipped: bool = False
