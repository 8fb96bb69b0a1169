"""What `make demo` shows: each tap against its own sandbox into a DuckDB file, then once more a day later.

Runs in the target's environment, which has DuckDB. Nothing here asks the network or needs an account.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

QUERIES = {
    "campaign_monitor": "SELECT campaignid, count(*) AS n FROM campaign_monitor.campaign_opens GROUP BY ALL",
    "customerio": "SELECT type, count(*) AS activities FROM customerio.activities GROUP BY ALL ORDER BY ALL",
    "iterable": "SELECT campaignid, count(*) AS opens FROM iterable.email_open GROUP BY ALL ORDER BY 2 DESC LIMIT 10",
    "klaviyo": "SELECT reason, count(*) AS profiles FROM klaviyo.global_exclusions GROUP BY ALL ORDER BY ALL",
    "mailchimp": "SELECT list_id, status, count(*) AS members FROM mailchimp.list_members GROUP BY ALL ORDER BY ALL",
}
"""One query to try for each tap; the largest table's first rows where there is none."""

SANDBOXES = {
    # Its API allows ten requests a second, which alone would take a quarter of a minute.
    "customerio": "rate=40",
}
"""Options of a tap's sandbox."""


@dataclass
class Sent:
    """What a tap wrote in one run."""

    records: Counter[str] = field(default_factory=Counter)
    incremental: set[str] = field(default_factory=set)
    seconds: float = 0.0


def main() -> None:
    """Run every tap there is, and say what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--taps", type=Path, required=True, help="folder with the taps' commands")
    parser.add_argument("--target", type=Path, required=True, help="folder with the target's command")
    parser.add_argument("--folder", type=Path, required=True, help="where the database and the states go")
    arguments = parser.parse_args()
    taps = sorted(path for path in arguments.taps.glob("tap-*") if path.is_file())
    if not taps:
        sys.exit(f"There is no tap in {arguments.taps}.")
    database = arguments.folder / "marketing.duckdb"
    for leftover in arguments.folder.glob("marketing.duckdb*"):
        leftover.unlink()
    for tap in taps:
        show(tap, arguments.target / "target-duckdb", database)
    schema = name_of(taps[0])
    query = QUERIES.get(schema) or f"SELECT * FROM {schema}.{largest(database, schema)} LIMIT 10"  # noqa: S608
    print(f"\nThe database is {database}. One query to try:\n")
    print(f"  {arguments.target}/python -c \"import duckdb; duckdb.connect('{database}').sql('{query}').show()\"\n")
    with duckdb.connect(str(database), read_only=True) as connection:
        print(connection.sql(query))


def show(tap: Path, target: Path, database: Path) -> None:
    """One tap: all of the sandbox's account, then only what a day changed."""
    name = name_of(tap)
    state = database.with_name(f"{name}.state.jsonl")
    config = database.with_name(f"{name}.target.json")
    config.write_text(json.dumps({"path": str(database), "default_target_schema": name}))
    state.write_text("")

    first_day: list[str | Path] = ["--sandbox", *filter(None, [SANDBOXES.get(name)])]
    print(f"\n{tap.name} {shown(first_day)} | {target.name}", flush=True)
    first = run([tap, *first_day], [target, "--config", config], state)
    rows = tables(database, name)
    print(f"{sum(first.records.values()):,} records in {first.seconds:.1f} s")

    # The target echoes a STATE once it has stored what stands before it: the last one is where the next run begins.
    reached = state.with_suffix(".json")
    reached.write_text(state.read_text().splitlines()[-1])
    options = ",".join(["day=1", *filter(None, [SANDBOXES.get(name)])])
    a_day_later: list[str | Path] = ["--sandbox", options, "--state", reached]
    print(f"\n{tap.name} {shown(a_day_later)} | {target.name}", flush=True)
    second = run([tap, *a_day_later], [target, "--config", config], state)
    print(f"{sum(second.records.values()):,} records in {second.seconds:.1f} s\n")

    later = tables(database, name)
    lines = [("table", "rows", "a day later", "sent for that", "")]
    for table in sorted(later, key=lambda table: (table not in second.incremental, table)):
        how = "only what changed" if table in second.incremental else "the whole (it has no bookmark)"
        lines.append((table, f"{rows.get(table, 0):,}", f"{later[table]:,}", f"{second.records[table]:,}", how))
    print_table(lines)
    for table in second.incremental:
        if rows.get(table, 0) > 100 and second.records[table] >= first.records[table]:
            sys.exit(f"{tap.name}: {table} came whole again, although it has a bookmark.")


def shown(arguments: list[str | Path]) -> str:
    """Arguments as a person would type them in the demo's folder."""
    return " ".join(word.name if isinstance(word, Path) else word for word in arguments)


def run(tap: list[str | Path], target: list[str | Path], state: Path) -> Sent:
    """A tap's output piped into a target, counted on its way; the target's STATE lines are appended to `state`."""
    sent, began = Sent(), time.monotonic()
    read_log, load_log = state.with_suffix(".tap.log"), state.with_suffix(".target.log")
    with state.open("a") as states, read_log.open("w") as read_said, load_log.open("w") as load_said:
        loading = subprocess.Popen(target, stdin=subprocess.PIPE, stdout=states, stderr=load_said)
        reading = subprocess.Popen([*tap, "--log-level", "warning"], stdout=subprocess.PIPE, stderr=read_said)
        assert reading.stdout is not None
        assert loading.stdin is not None
        try:
            for line in counted(reading.stdout, sent):
                loading.stdin.write(line)
            loading.stdin.close()
        except BrokenPipeError:  # the target has ended, and says why below
            reading.kill()
        ended = ((target[0], loading.wait(), load_log), (tap[0], reading.wait(), read_log))
    for command, code, log in ended:
        if code:
            sys.exit(f"{command} ended with exit code {code}; {log} ends in:\n{log.read_text()[-3000:]}")
    sent.seconds = time.monotonic() - began
    return sent


def counted(lines: Iterable[bytes], sent: Sent) -> Iterable[bytes]:
    """The lines as they are, their records counted by stream."""
    for line in lines:
        message = json.loads(line)
        if message["type"] == "RECORD":
            sent.records[message["stream"]] += 1
        elif message["type"] == "SCHEMA" and message.get("bookmark_properties"):
            sent.incremental.add(message["stream"])
        yield line


def tables(database: Path, schema: str) -> dict[str, int]:
    """The rows of each table."""
    with duckdb.connect(str(database), read_only=True) as connection:
        found = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = ? ORDER BY ALL", [schema]
        ).fetchall()
        # Counted, not taken from the catalog's estimate, which counts rows that were replaced.
        return {
            table: (connection.execute(f'SELECT count(*) FROM "{schema}"."{table}"').fetchone() or (0,))[0]  # noqa: S608
            for (table,) in found
        }


def largest(database: Path, schema: str) -> str:
    """The table with the most rows."""
    rows = tables(database, schema)
    return max(rows, key=rows.__getitem__)


def print_table(lines: Sequence[Sequence[str]]) -> None:
    """Columns, numbers to the right."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for name, *numbers, how in lines:
        cells = [number.rjust(width) for number, width in zip(numbers, widths[1:-1], strict=True)]
        print("  ".join([name.ljust(widths[0]), *cells, how]).rstrip())


def name_of(tap: Path) -> str:
    """The schema a tap's tables go to."""
    return tap.name.removeprefix("tap-").replace("-", "_")


if __name__ == "__main__":
    main()
