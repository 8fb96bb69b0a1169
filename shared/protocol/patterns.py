"""Fields named by globs: `--select` and `--exclude` of the command line, and the setting `mask`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ..errors import CatalogError
from ..streams import Settings, Stream
from .schema import JsonSchema, type_of

Breadcrumb = tuple[str, ...]
"""Where a field is declared, as Singer's metadata say it: ("properties", "stats", "properties", "rate")."""


# Fields


def members(schema: Mapping[str, Any], at: Breadcrumb = ()) -> Iterator[Breadcrumb]:
    """The breadcrumbs of the members an object declares, or those of an array's items."""
    if schema.get("items") and type_of(schema) == "array":
        yield from members(schema["items"], (*at, "items"))
    elif schema.get("properties"):
        for name in schema["properties"]:
            yield (*at, "properties", name)


def breadcrumbs(schema: Mapping[str, Any], at: Breadcrumb = ()) -> Iterator[Breadcrumb]:
    """The breadcrumb of every field at any depth, outer ones first."""
    for breadcrumb in members(schema, at):
        yield breadcrumb
        node = schema
        for step in breadcrumb[len(at) :]:
            node = node[step]
        yield from breadcrumbs(node, breadcrumb)


def dotted(breadcrumb: Breadcrumb) -> str:
    """A breadcrumb as patterns name it: stats.rate."""
    steps = iter(breadcrumb)
    return ".".join(next(steps) for step in steps if step == "properties")


# Patterns


_Pattern = tuple[str, str, str]
"""A stream's glob, the dot if there is one, a field's glob."""


@dataclass(frozen=True)
class Patterns:
    """`--select` and `--exclude`: globs for "stream" or "stream.field", where a field may be "stats.rate"."""

    select: Sequence[_Pattern]
    exclude: Sequence[_Pattern]
    masked: Sequence[_Pattern]
    dropped: Sequence[_Pattern]

    @classmethod
    def of(cls, select: Sequence[str], exclude: Sequence[str], masks: Mapping[str, str]) -> Patterns:
        """Those of the command line and of the setting `mask`."""
        dropped = [pattern for pattern, how in masks.items() if how == "drop"]
        return cls(*([pattern.partition(".") for pattern in given] for given in (select, exclude, masks, dropped)))

    def about(self, stream: Stream) -> Patterns:
        """Those that speak of a stream: it has many fields, and there may be many patterns."""
        return Patterns(
            *(
                [pattern for pattern in given if _matches_stream(stream, pattern[0])]
                for given in (self.select, self.exclude, self.masked, self.dropped)
            )
        )

    def selects_stream(self, stream: Stream, declared: JsonSchema, *, is_partial: bool) -> bool | None:
        """None where nothing is selected on the command line. A field's pattern selects the streams that have it."""
        if not self.select:
            return None
        globs = [
            (dot, glob)
            for name, dot, glob in self.select
            if _matches_stream(stream, name) and not (stream.by_name and name == "*")
        ]
        if is_partial or any(not dot for dot, _ in globs):
            return bool(globs)
        return any(covers(glob, dotted(breadcrumb)) for _, glob in globs for breadcrumb in breadcrumbs(declared))

    def excludes_stream(self, stream: Stream) -> bool:
        return any(_matches_stream(stream, name) for name, dot, _ in self.exclude if not dot)

    def selects_field(self, stream: Stream, path: str) -> bool | None:
        """None where the patterns leave it to the catalog: no pattern speaks of this stream's fields."""
        fields = [(dot, glob) for name, dot, glob in self.select if _matches_stream(stream, name)]
        if any(dot and _reaches(glob, path) for dot, glob in fields):
            return True
        return False if fields and all(dot for dot, _ in fields) else None

    def excludes_field(self, stream: Stream, path: str) -> bool:
        return self.drops(stream, path) or any(
            dot and _matches_stream(stream, name) and covers(glob, path) for name, dot, glob in self.exclude
        )

    def drops(self, stream: Stream, path: str) -> bool:
        """Whether a mask takes the field away."""
        return any(_matches_stream(stream, name) and reaches(glob, path) for name, _, glob in self.dropped)

    def masked_fields(self, declared: JsonSchema) -> dict[str, set[str]]:
        """The declared fields that each mask names, in patterns that speak of one stream."""
        paths = [dotted(breadcrumb) for breadcrumb in breadcrumbs(declared)]
        return {
            f"{name}{dot}{glob}": {path for path in paths if reaches(glob, path)} for name, dot, glob in self.masked
        }

    def check(self, streams: Sequence[Stream], declared: Mapping[str, JsonSchema]) -> None:
        """Raises CatalogError for a pattern that matches nothing: it is a typing error, not a wish."""
        for option, patterns in (("--select", self.select), ("--exclude", self.exclude), ("mask", self.masked)):
            for name, dot, glob in patterns:
                matched = [stream for stream in streams if _matches_stream(stream, name)]
                if not matched:
                    known = [stream.name for stream in streams]
                    raise CatalogError(
                        f"{option} {name}{dot}{glob}: no stream is called like that.{_meant(name, known)}"
                    )
                if dot and option != "mask":  # a mask may name what an account does not have yet
                    paths = [dotted(crumb) for stream in matched for crumb in breadcrumbs(declared[stream.name])]
                    if not any(covers(glob, path) for path in paths):
                        raise CatalogError(
                            f"{option} {name}{dot}{glob}: no field is called like that.{_meant(glob, paths)}"
                        )


def _matches_stream(stream: Stream, glob: str) -> bool:
    return any(fnmatchcase(name, glob) for name in (stream.name, *stream.aliases))


def covers(glob: str, path: str) -> bool:
    """Whether `glob` names the field at `path`, or an object that it is a member of."""
    return any(fnmatchcase(part, glob) for part in _prefixes(path))


def reaches(glob: str, path: str) -> bool:
    """Whether a mask's `glob` names the field at `path`, or an object that it is a member of, at any depth: personal
    data lie wherever an API has put them.
    """
    parts = path.split(".")
    return any(covers(glob, ".".join(parts[start:])) for start in range(len(parts)))


def _reaches(glob: str, path: str) -> bool:
    """Whether `glob` covers the field at `path`, or names a member below it."""
    return covers(glob, path) or any(fnmatchcase(path, part) for part in _prefixes(glob) if part != glob)


def _prefixes(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _meant(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=3)
    return f" Did you mean {' or '.join(close)}?" if close else " --discover lists what there is."


def mask_patterns(stream: Stream, settings: Settings) -> Iterator[tuple[str, str, str]]:
    """The setting `mask` for one stream: patterns, each with its glob of fields and what is done to them."""
    for pattern, how in (settings.get("mask") or {}).items():
        name, _, glob = pattern.partition(".")
        if _matches_stream(stream, name):
            yield pattern, glob, how


def masks_met(
    masked: Iterable[Mapping[str, Iterable[str]]], settings: Settings
) -> Iterator[tuple[str, str, list[str]]]:
    """The patterns of `mask` that spoke of a stream read, each with what it does and the fields that it met."""
    met: dict[str, set[str]] = {}
    for each in masked:
        for pattern, paths in each.items():
            met.setdefault(pattern, set()).update(paths)
    for pattern, how in (settings.get("mask") or {}).items():
        if pattern in met:
            yield pattern, how, sorted(met[pattern])
