"""Public targets, each in an environment of its own: what they are given, and what they have then.

`changes` compares the two: rows per key, and each value by its type in the SCHEMA.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from shared.testing.runs import Result

from .postgres import Postgres

ENVIRONMENTS = Path(os.environ.get("INTEGRATION_ENVIRONMENTS", ".integration"))
Row = Mapping[str, Any]


def program(environment: str, name: str) -> str:
    """A command of one of the environments that the Makefile made."""
    path = (ENVIRONMENTS / environment / "bin" / name).absolute()
    if not path.exists():
        raise RuntimeError(f"{path} is missing: run `make integration`, which makes it")
    return str(path)


@dataclass(frozen=True)
class Place:
    """Where one load goes: a folder, and the server and database for those targets that need one."""

    folder: Path
    schema: str
    postgres: Postgres | None = None
    database: str = ""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One public target.

    configure   its config for a place
    rows        (place, stream) -> the rows it has
    arguments   its command line for a place, whose config lies in the file named
    empty       what it keeps an empty string as
    text        what else it makes of text
    flat        it has no nested values: give it `flatten`
    versions    it obeys ACTIVATE_VERSION
    batches     it reads BATCH files
    """

    name: str
    command: str
    configure: Callable[[Place], Mapping[str, Any]]
    rows: Callable[[Place, str], Iterable[Row]]
    arguments: Callable[[Place, str], list[str]] = lambda _, config: ["--config", config]
    empty: str | None = ""
    text: Callable[[str], str] = str
    flat: bool = False
    versions: bool = False
    batches: bool = False
    needs_postgres: bool = False
    quick: bool = False
    """CI loads into it."""

    def load(self, data: bytes, place: Place) -> str:
        """Feed it a tap's output; what it printed."""
        config = place.folder / f"{self.name}.json"
        config.write_text(json.dumps(self.configure(place)))
        done = subprocess.run(
            [program(self.name, self.command), *self.arguments(place, str(config))],
            input=data,
            capture_output=True,
            cwd=place.folder,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"{self.name} ended with {done.returncode}:\n{done.stderr.decode()[-3000:]}")
        return done.stdout.decode()


def _of_postgres(place: Place, stream: str) -> Iterator[Row]:
    assert place.postgres is not None
    sql = f'SELECT row_to_json(t) FROM "{place.schema}"."{stream}" t'
    for line in filter(None, place.postgres.query(place.database, sql).split("\n")):
        yield json.loads(line)


_DUMP = """import duckdb, sys
with duckdb.connect(sys.argv[1], read_only=True) as c:
    tables = c.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = ?", [sys.argv[2]])
    for (table,) in tables.fetchall():
        for (row,) in c.execute(f'SELECT to_json(t) FROM "{sys.argv[2]}"."{table}" t').fetchall():
            print(f'["{table}", {row}]')
"""


@cache
def _duckdb(database: Path, schema: str) -> Mapping[str, list[Row]]:
    """All tables, read by one process of the target's environment, which has DuckDB."""
    command = [program("target-duckdb", "python"), "-c", _DUMP, str(database), schema]
    text = subprocess.check_output(command, text=True, env={**os.environ, "PYTHONUTF8": "1"})
    tables: dict[str, list[Row]] = {}
    for line in filter(None, text.split("\n")):  # splitlines() would split at U+2028 as well
        table, row = json.loads(line)
        tables.setdefault(table, []).append(row)
    return tables


def _of_duckdb(place: Place, stream: str) -> Iterator[Row]:
    yield from _duckdb(place.folder / "loaded.duckdb", place.schema).get(stream.lower(), [])


def _of_jsonl(place: Place, stream: str) -> Iterator[Row]:
    path = place.folder / f"{stream}.jsonl"
    for line in filter(None, path.read_text("utf-8").split("\n") if path.exists() else ()):
        yield json.loads(line)


def _of_csv(place: Place, stream: str) -> Iterator[Row]:
    path = place.folder / f"{stream}.csv"
    if path.exists():
        csv.field_size_limit(sys.maxsize)
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)


def _of_stitch(place: Place, stream: str) -> Iterator[Row]:
    with (place.folder / "requests.jsonl").open(encoding="utf-8") as file:
        for request in map(json.loads, file):
            if request["table_name"] == stream:
                yield from (message["data"] for message in request["messages"])


def _copied(text: str) -> str:
    """Control characters as they come out of a COPY that was fed JSON strings: spelled out."""
    return json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("\\\\", "\\")


def _server(place: Place, database: str) -> dict[str, Any]:
    assert place.postgres is not None
    return {
        "host": "127.0.0.1",
        "port": place.postgres.port,
        "user": "postgres",
        "password": "unused",  # the server trusts this machine, the target wants to see one
        database: place.database,
        "default_target_schema": place.schema,
    }


TARGETS = (
    Target(
        name="target-jsonl",
        command="target-jsonl",
        configure=lambda place: {"destination_path": str(place.folder), "do_timestamp_file": False},
        rows=_of_jsonl,
        quick=True,
    ),
    Target(
        name="target-duckdb",
        command="target-duckdb",
        configure=lambda place: {
            "path": str(place.folder / "loaded.duckdb"),
            "default_target_schema": place.schema,
        },
        rows=_of_duckdb,
        empty=None,
        quick=True,
    ),
    Target(
        name="pipelinewise-target-postgres",
        command="target-postgres",
        configure=lambda place: _server(place, "dbname"),
        rows=_of_postgres,
        empty=None,
        text=_copied,
        needs_postgres=True,
        quick=True,
    ),
    Target(
        name="meltanolabs-target-postgres",
        command="target-postgres",
        configure=lambda place: {**_server(place, "database"), "activate_version": True, "hard_delete": True},
        rows=_of_postgres,
        versions=True,
        batches=True,
        needs_postgres=True,
        quick=True,
    ),
    Target(
        name="meltanolabs-target-csv",
        command="target-csv",
        configure=lambda place: {"output_path": str(place.folder)},
        rows=_of_csv,
        empty=None,
        flat=True,
    ),
    Target(
        name="target-stitch",
        command="target-stitch",
        configure=lambda _: {},
        arguments=lambda place, _: ["--dry-run", "--output-file", str(place.folder / "requests.jsonl")],
        rows=_of_stitch,
    ),
)


# Comparison


def changes(result: Result, target: Target, place: Place) -> list[str]:
    """How what the target has differs from what was sent, a few lines for each stream; none is good."""
    found = []
    schemas = {message["stream"]: message for message in result.messages if message["type"] == "SCHEMA"}
    for stream, records in result.by_stream().items():
        if records:
            found += [f"{stream}: {text}" for text in _of_stream(schemas[stream], records, target, place)]
    return found


def _of_stream(schema: Row, records: list[Any], target: Target, place: Place) -> Iterator[str]:
    properties, keys = schema["schema"]["properties"], schema["key_properties"]
    keeps_last = target.rows in (_of_postgres, _of_duckdb)
    rows = list(target.rows(place, schema["stream"]))
    columns = {name: name for name in properties}
    if rows:
        folded = {name.casefold(): name for name in rows[0]}
        columns = {name: folded.get(name.casefold(), name) for name in properties}
    sent: dict[Any, list[dict[str, Any]]] = {}
    for record in records:
        plain = {name: _plain(record.get(name), part, target, target.text) for name, part in properties.items()}
        sent.setdefault(tuple(plain[key] for key in keys), []).append(plain)
    have: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        plain = {name: _plain(row.get(columns[name]), part, target, str) for name, part in properties.items()}
        have.setdefault(tuple(plain[key] for key in keys), []).append(plain)
    wanted = {key: (versions[-1:] if keeps_last else versions) for key, versions in sent.items()}
    counts = Counter({key: len(versions) for key, versions in wanted.items()})
    loaded = Counter({key: len(versions) for key, versions in have.items()})
    if counts != loaded:
        few = list((counts - loaded).items())[:3], list((loaded - counts).items())[:3]
        yield f"{counts.total()} rows sent, {loaded.total()} there; missing {few[0]}, surplus {few[1]}"
    said: set[str] = set()
    for key, versions in wanted.items():
        for ours, theirs in zip(versions, have.get(key, ()), strict=False):
            for name in properties:
                if ours[name] != theirs[name] and name not in said:
                    said.add(name)
                    yield f"{name} of {key}: sent {ours[name]!r:.200}, there is {theirs[name]!r:.200}"


def _plain(value: Any, part: Row, target: Target, text: Callable[[str], str]) -> Any:
    """A value as what it means, however a target spells it; hashable."""
    if value is None or (target.empty is None and value == ""):
        return None
    (kind,) = set(part["type"]) - {"null"}
    if part.get("format") == "date-time":
        return _instant(value)
    if kind in ("integer", "number"):
        return Decimal(str(value)).normalize()
    if kind == "boolean":
        return value if isinstance(value, bool) else {"true": True, "false": False}[str(value).lower()]
    if kind in ("object", "array"):
        return json.dumps(json.loads(value) if isinstance(value, str) else value, sort_keys=True, ensure_ascii=False)
    return text(value)


def _instant(value: str) -> datetime:
    """To the microsecond; targets without a zone mean UTC."""
    text = value.replace("Z", "+00:00").replace(" ", "T", 1)
    head, _, rest = text.partition(".")
    if rest:  # fromisoformat reads three or six digits, no others, before Python 3.11
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        text = f"{head}.{digits:0<6}{rest[len(digits) :]}"
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)
