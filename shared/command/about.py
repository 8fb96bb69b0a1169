"""A tap's description in words: `--about`, and the tables and diagrams in `docs/`, which a test compares with it.

python -m shared.command.about docs/tap-x.md

rewrites what stands between `<!-- tap_x settings -->`, or `streams` or `tables`, and `<!-- end -->`.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..tap import json_schema, settings_of

if TYPE_CHECKING:
    from ..settings import Setting
    from ..streams import Stream
    from ..tap import Tap

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
CAPABILITIES = (
    "catalog",
    "properties",
    "discover",
    "state",
    "about",
    "test",
    "activate-version",
    "batch",
    "schema-flattening",
    "structured-logging",
)
"""In the words of Meltano's hub."""
USUAL = 3
"""What so many streams cost is said once, with one of `MARKS`."""
MARKS = "¹²³⁴⁵⁶⁷⁸⁹"
WIDTH = 100
INDENT = "      "
_MARKED = re.compile(r"(<!-- (tap_\w+) (settings|streams|tables) -->\n).*?(<!-- end -->)", re.DOTALL)


# --about


def about(tap: Tap, form: str) -> str:
    """What `--about` prints, as text, json or markdown."""
    return {"text": _text, "json": _json, "markdown": _markdown}[form](tap)


def _facts(tap: Tap) -> dict[str, Any]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        library = f"singer-python {version('singer-python')}"
    except PackageNotFoundError:
        library = "singer-python"
    return {
        "name": tap.name,
        "description": f"Singer tap for {tap.title}.",
        "version": tap.version,
        "sdk_version": library,
        "supported_python_versions": list(PYTHONS),
        "capabilities": list(CAPABILITIES),
        "settings": json_schema(tap),
    }


def _json(tap: Tap) -> str:
    streams = [
        {
            "name": stream.name,
            "description": stream.description,
            "key_properties": list(stream.key_properties),
            "replication_key": stream.replication_key,
            "replication_method": _method(stream),
            "parents": [parent.stream for parent in stream.parents],
            "selected_by_default": stream.selected,
        }
        for stream in _shown(tap)
    ]
    return json.dumps({**_facts(tap), "streams": streams}, indent=2, default=str) + "\n"


def _text(tap: Tap) -> str:
    from .addresses import page_of
    from .config import variable

    facts = _facts(tap)
    settings = []
    for s in settings_of(tap):
        default = f"default {_default(s)}; " if s.default is not None else ""
        settings.append(f"  {s.name}  ({_type(s)}; {default}{variable(tap.name, s.name)})")
        settings += textwrap.wrap(
            _explained(s), WIDTH, initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False
        )
    streams = []
    for stream in _shown(tap):
        under = f"; under {parents}" if (parents := _parents(stream)) else ""
        key = ", ".join(stream.key_properties)
        streams.append(f"{'*' if stream.selected else ' '} {stream.name}  ({_replication(stream)}; key {key}{under})")
        text = stream.description + (f" ({stream.cost})" if stream.cost else "")
        streams += textwrap.wrap(text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False)
    lines = [
        f"Name: {facts['name']}",
        f"Description: {facts['description']}",
        f"Version: {facts['version']}",
        f"Library: {facts['sdk_version']}",
        f"Python: {', '.join(PYTHONS)}",
        f"Capabilities: {', '.join(CAPABILITIES)}",
        *([f"Credential: {tap.describe_key}"] if tap.describe_key else []),
        f"Page: {page_of(tap.name)}",
        "",
        'Settings, and their environment variables. A secret is never shown, and may be given as {"file": "path"}:',
        "",
        *settings,
        "",
        "Streams; those marked with * are read unless you select others:",
        "",
        *streams,
    ]
    return "\n".join(lines) + "\n"


def _markdown(tap: Tap) -> str:
    facts = _facts(tap)
    parts = [
        f"# `{tap.name}`",
        facts["description"],
        "## Capabilities",
        "\n".join(f"- `{capability}`" for capability in CAPABILITIES),
        "## Settings",
        settings_table(tap).rstrip(),
        "## Streams",
        streams_table(tap).rstrip(),
    ]
    return "\n\n".join(parts) + "\n"


# Tables


def settings_table(tap: Tap) -> str:
    """The tap's settings as a Markdown table, those of every tap included."""
    rows = [(f"`{s.name}`", _type(s), _default(s, code=True), _explained(s)) for s in settings_of(tap)]
    return _table(("setting", "type", "default", "meaning"), rows)


def streams_table(tap: Tap) -> str:
    """The tap's streams as a Markdown table; what many of them cost is said once above it."""
    shown = _shown(tap)
    usual = [cost for cost, count in Counter(stream.cost for stream in shown if stream.cost).items() if count >= USUAL]
    marks = dict(zip(usual, MARKS, strict=False))
    rows = [
        (
            f"`{stream.name}`" + ("" if stream.selected else " °"),
            " ".join(filter(None, [stream.description, marks.get(stream.cost, stream.cost and f"({stream.cost})")])),
            ", ".join(f"`{key}`" for key in stream.key_properties),
            _replication(stream, code=True),
            _parents(stream),
            deletions(stream),
            when_refused(stream),
        )
        for stream in shown
    ]
    notes = ["° not selected by default"] if any(not stream.selected for stream in shown) else []
    notes += [f"{mark} {cost}" for cost, mark in marks.items()]
    above = "".join(f"{note}\n\n" for note in notes)
    head = ("stream", "holds", "key", "replication", "parent", "deletions", "when refused")
    return _FAULTS + above + _table(head, rows)


_FAULTS = """\
What fails is missing alone, is named at the end of the run and on the page of `--report`, and comes with the next run
that finds it well:

- **A refusal** of one request costs what the column *when refused* says: the stream, what lies below one parent, or
  one part (a channel, a status, a metric). Exit code 1; with `fail_on_forbidden: false` a warning. *No failure*: where
  all of the stream is refused, the account is taken to lack the feature; exit code 0.
- **A feature that the plan lacks**, in the API's own words: the same is missing, as *unavailable*; exit code 0.
- **A row without its key**, or that is no object: that row is left out, counted and named; exit code 1. The rest of its
  page is written, and no later run is held up by it.

"""


def when_refused(stream: Stream) -> str:
    """What is missing when a request of the stream is refused."""
    lost = "one parent's rows" if stream.parents else "one part" if stream.partitions is not None else "the stream"
    return f"{lost}; no failure" if stream.optional else lost


def diagram(tap: Tap) -> str:
    """The tables, their keys and what hangs under what: a Mermaid diagram for each family, one for those without."""
    from ..protocol.schema import type_of
    from .discovery import known

    schemas = known(tap)[1]
    blocks = []
    for family in _families(_shown(tap)):
        names = {stream.name for stream in family}
        lines = []
        for stream in family:
            parents = [parent for parent in stream.parents if parent.stream in names]
            properties = schemas[stream.name]["properties"]
            foreign = {name for parent in parents for name in parent.keys}
            columns = [
                (type_of(properties[key]), key, "PK, FK" if key in foreign else "PK") for key in stream.key_properties
            ]
            columns += [
                (type_of(properties[name]), name, "FK")
                for name in sorted(foreign - set(stream.key_properties))
                if name in properties
            ]
            members = " ".join(f"{kind} {_word(name)} {role}" for kind, name, role in columns)
            lines.append(f"  {stream.name} {{ {members} }}" if members else f"  {stream.name}")
            lines += [
                f'  {parent.stream} ||--o{{ {stream.name} : "{", ".join(parent.keys) or "rows"}"' for parent in parents
            ]
        blocks.append("\n".join(["```mermaid", "erDiagram", "  direction LR", *lines, "```", ""]))
    return "\n".join(blocks)


def _families(streams: Sequence[Stream]) -> list[list[Stream]]:
    """The streams by what hangs together, in their order; those that stand alone come last."""
    family = {stream.name: {stream.name} for stream in streams}
    for stream in streams:
        for parent in stream.parents:
            if parent.stream in family:
                joined = family[stream.name] | family[parent.stream]
                family.update(dict.fromkeys(joined, joined))
    single = [stream for stream in streams if len(family[stream.name]) == 1]
    found = {min(family[stream.name]): family[stream.name] for stream in streams if len(family[stream.name]) > 1}
    groups = [[stream for stream in streams if stream.name in names] for names in found.values()]
    return [*groups, *([single] if single else [])]


def _word(name: str) -> str:
    return re.sub(r"\W", "_", name)


def deletions(stream: Stream) -> str:
    """How the deletion of a record shows at the target."""
    if stream.deletions:
        return stream.deletions
    return "not shown" if _method(stream) == "INCREMENTAL" else "missing from the next read"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') or ' ' for cell in line)} |\n" for line in lines)


def _shown(tap: Tap) -> list[Stream]:
    return [stream for stream in tap.streams if not stream.hidden]


def _method(stream: Stream) -> str:
    return "INCREMENTAL" if stream.replication_key and not stream.full_table else "FULL_TABLE"


def _replication(stream: Stream, *, code: bool = False) -> str:
    if _method(stream) == "FULL_TABLE":
        return "full table"
    return f"by `{stream.replication_key}`" if code else f"by {stream.replication_key}"


def _parents(stream: Stream) -> str:
    return ", ".join(dict.fromkeys(parent.stream for parent in stream.parents))


def _type(setting: Setting) -> str:
    return setting.type + (", required" if setting.required else "") + (", secret" if setting.secret else "")


def _default(setting: Setting, *, code: bool = False) -> str:
    if setting.default is None:
        return "" if code else "-"
    text = setting.default if isinstance(setting.default, str) else json.dumps(setting.default)
    return f"`{text}`" if code else text


def _explained(setting: Setting) -> str:
    parts = [setting.description]
    if setting.options:
        parts.append(f"One of {', '.join(f'`{option}`' for option in setting.options)}.")
    limits = [("at least", setting.minimum), ("at most", setting.maximum)]
    if known := [f"{word} {limit:g}" for word, limit in limits if limit is not None]:
        text = ", ".join(known)
        parts.append(f"{text[0].upper()}{text[1:]}.")
    if setting.aliases:
        parts.append(f"Also as {', '.join(f'`{alias}`' for alias in setting.aliases)}.")
    return " ".join(part for part in parts if part)


# The pages


def rewritten(text: str) -> str:
    """`text` with every marked table made anew from the code of the tap that its marker names."""

    def table(match: re.Match[str]) -> str:
        begin, package, kind, end = match.groups()
        tap: Tap = import_module(f"{package}.tap").TAP
        made = {"settings": settings_table, "streams": streams_table, "tables": diagram}[kind]
        return begin + made(tap) + end

    return _MARKED.sub(table, text)


def main(paths: Sequence[str]) -> None:
    """Rewrite the tables in the files at `paths`."""
    for path in map(Path, paths):
        path.write_text(rewritten(path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
