"""Helpers for tests: run a tap as users do, read its messages, check what Singer and this project promise of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import singer

from ..sandbox import WHEN_READ
from .lint import RecordLint, schema_findings


@dataclass
class Result:
    """What a tap's process gave: exit status, raw stdout, stderr as text, seconds taken."""

    status: int
    stdout: bytes
    stderr: str
    seconds: float = 0.0

    @cached_property
    def lines(self) -> list[bytes]:
        """Stdout's lines; a line that a kill cut off is left out."""
        whole, _, _ = self.stdout.rpartition(b"\n")
        return whole.split(b"\n") if whole else []

    @cached_property
    def messages(self) -> list[dict[str, Any]]:
        """Stdout's messages as JSON."""
        return [orjson.loads(line) for line in self.lines]

    def records(self, stream: str) -> list[dict[str, Any]]:
        """The records written for one stream, in order."""
        return self.by_stream().get(stream, [])

    def by_stream(self) -> dict[str, list[dict[str, Any]]]:
        """The records of every stream that has a SCHEMA, in order."""
        return self._by_stream

    @cached_property
    def _by_stream(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for message in self.messages:
            if message["type"] == "SCHEMA":
                found.setdefault(message["stream"], [])
            elif message["type"] == "RECORD":
                found[message["stream"]].append(message["record"])
        return found

    @property
    def state(self) -> dict[str, Any]:
        """The last STATE's value; an empty one when none was written."""
        states = [json.loads(line)["value"] for line in self.lines if line.startswith(b'{"type":"STATE"')]
        return states[-1] if states else {}

    def keys(self, stream: str) -> list[str]:
        """The stream's key_properties, as its SCHEMA says."""
        schemas = (m for m in self.messages if m["type"] == "SCHEMA" and m["stream"] == stream)
        return list(next(schemas)["key_properties"])


def command(tap: str, arguments: Sequence[str]) -> list[str]:
    """How to start a tap of this checkout as a process: `python -m tap_x ...`."""
    return [sys.executable, "-W", "error", "-m", tap.replace("-", "_"), *arguments]


def run_tap(
    tap: str,
    *arguments: str,
    config: Mapping[str, Any] | None = None,
    state: Mapping[str, Any] | None = None,
    catalog: Mapping[str, Any] | None = None,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> Result:
    """Run a tap to its end. Config, state and catalog are written to files in `folder` and passed by their options."""
    began = time.monotonic()
    done = subprocess.run(
        command(tap, [*arguments, *given(folder, config=config, state=state, catalog=catalog)]),
        capture_output=True,
        env={**os.environ, **(environment or {})},
        timeout=timeout,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr.decode(), time.monotonic() - began)


def given(folder: Path, **files: Mapping[str, Any] | None) -> list[str]:
    """Options that name JSON files with these contents, freshly written into `folder`."""
    options = []
    for name, content in files.items():
        if content is not None:
            path = folder / f"{name}-{time.monotonic_ns()}.json"
            path.write_text(json.dumps(content))
            options += [f"--{name}", str(path)]
    return options


def run_tap_until(tap: str, *arguments: str, records: int, send: signal.Signals, timeout: float = 60) -> Result:
    """Run a tap and send it a signal once so many RECORD lines were read; what it writes after that is read as well."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command(tap, arguments), stdout=subprocess.PIPE, stderr=errors)
        assert process.stdout is not None
        guard = threading.Timer(timeout, process.kill)
        guard.start()
        taken: list[bytes] = []
        count = 0
        for line in process.stdout:
            taken.append(line)
            count += line.startswith(b'{"type":"RECORD"')
            if count == records:
                process.send_signal(send)
                break
        began = time.monotonic()
        taken.append(process.stdout.read())
        status = process.wait()
        seconds = time.monotonic() - began
        guard.cancel()
        process.stdout.close()
        errors.seek(0)
        return Result(status, b"".join(taken), errors.read().decode(), seconds)


def problems(
    result: Result, *, secrets: Iterable[str] = (), killed: bool = False, append_only: bool = False
) -> list[str]:
    """What is wrong with a run's output: every line is checked, against Singer and by the linter.

    What `singer.parse_message` says of a RECORD does not depend on the record, so it is asked once for all RECORDs that
    are alike but for that.
    """
    found: list[str] = []
    checks: dict[str, RecordLint] = {}
    parsed: set[Any] = set()
    last = ""
    if not killed and result.stdout and not result.stdout.endswith(b"\n"):
        found.append("the last line is not ended")
    for number, line in enumerate(result.lines, 1):
        try:
            message = orjson.loads(line)  # strict: UTF-8, no NaN
            rest = tuple((name, value) for name, value in message.items() if name != "record")
            if message["type"] != "RECORD" or rest not in parsed:
                singer.parse_message(line.decode())
                parsed.add(rest if message["type"] == "RECORD" else None)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            found.append(f"line {number} is no Singer message ({error}): {line[:200]!r}")
            continue
        last = message["type"]
        if last == "SCHEMA":
            found += [f"line {number}: {text}" for text in schema_findings(message, append_only=append_only)]
            checks[message["stream"]] = RecordLint(message)
        elif last == "RECORD":
            check = checks.get(message["stream"])
            if check is None:
                found.append(f"line {number}: a RECORD of {message['stream']} before its SCHEMA")
            else:
                found += [f"line {number}: {text}" for text in check.findings(message["record"], line)]
    if result.lines and last != "STATE" and not killed:
        found.append(f"the last line is {last}, not STATE")
    everything = result.stdout + result.stderr.encode()
    found += ["a secret is in the output" for secret in secrets if secret.encode() in everything]
    if "Traceback" in result.stderr:
        found.append("a traceback on stderr")
    return found[:20]


def comparable(record: Any) -> str:
    """A record as text that is equal for equal records; 5 and 5.0 are equal."""
    text = orjson.dumps(record, option=orjson.OPT_SORT_KEYS).decode()
    return text if ".0" not in text else orjson.dumps(_plain(record), option=orjson.OPT_SORT_KEYS).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _timeless(got: Iterable[Any], truth: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """Both without the fields that say when the run was, which no truth can know."""
    got, truth = list(got), list(truth)
    names = {name for name, value in truth[0].items() if value == WHEN_READ} if truth else ()
    if not names:
        return got, truth
    kept = [[{n: v for n, v in each.items() if n not in names} for each in records] for records in (got, truth)]
    return kept[0], kept[1]


def differences(got: Iterable[Any], truth: Iterable[Any]) -> list[str]:
    """How two multisets of records differ, a few of each side; empty when they are equal."""
    got, truth = _timeless(got, truth)
    ours, theirs = Counter(map(comparable, got)), Counter(map(comparable, truth))
    missing, surplus = theirs - ours, ours - theirs
    counts = f"{sum(missing.values())} missing, {sum(surplus.values())} surplus"
    shown = [f"missing: {text[:1500]}" for text in list(missing)[:2]] + [
        f"surplus: {text[:1500]}" for text in list(surplus)[:2]
    ]
    return [counts, *shown] if shown else []


def missing(got: Iterable[Any], truth: Iterable[Any]) -> list[str]:
    """Records of the truth that were not written at all."""
    got, truth = _timeless(got, truth)
    ours = set(map(comparable, got))
    return [text for record in truth if (text := comparable(record)) not in ours]


def upserted(records: Iterable[Mapping[str, Any]], keys: Sequence[str]) -> dict[tuple[str, ...], Mapping[str, Any]]:
    """What a target that upserts would hold: the last record of each key."""
    return {tuple(comparable(record.get(name)) for name in keys): record for record in records}


def bookmarks(result: Result) -> Iterator[dict[str, Any]]:
    """The bookmarks of each STATE line, in order."""
    for message in result.messages:
        if message["type"] == "STATE":
            yield message["value"].get("bookmarks", {})
