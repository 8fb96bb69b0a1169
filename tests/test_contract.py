"""What every stream of every tap promises, shown by whole runs of its process against its sandbox."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from conftest import APART, GRANTED, SCARCE, SMALL_PAGES, TAPS, THOROUGH, WALKS, tap_of

from shared.sandbox import Sandbox
from shared.testing.runs import (
    Result,
    bookmarks,
    command,
    comparable,
    differences,
    given,
    missing,
    problems,
    run_tap,
    run_tap_until,
    upserted,
)

MOMENTS = {package: 20 if package == THOROUGH else 2 for package in TAPS}
DRIFTS = {package: ((1, False), (2, True), (3, True)) if package == THOROUGH else ((1, True),) for package in TAPS}
"""Which accounts are read while their rows come and go, in small pages or large ones."""
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
SPEED = 100
"""The sandbox's clock, and with it the tap's waits and its pace of STATE lines, so that tests need not wait."""


@dataclass(frozen=True)
class Part:
    """What one run reads of a tap: all its streams but those of APART, or these."""

    package: str
    is_apart: bool = False

    def __str__(self) -> str:
        return f"{self.package}{'-apart' if self.is_apart else ''}"

    @property
    def select(self) -> list[str]:
        """The arguments that choose the streams."""
        apart = APART.get(self.package, ((), {}))[0]
        if self.is_apart:
            return [word for stream in apart for word in ("--select", stream)]
        return ["--select", "*", *(word for stream in apart for word in ("--exclude", stream))]

    def sandbox(self, **options: Any) -> Sandbox:
        """The tap's sandbox, not started."""
        make = tap_of(self.package).sandbox
        assert make is not None
        return make({name: str(value) for name, value in self._with(options).items()})

    def options(self, **options: Any) -> list[str]:
        """The arguments that have the tap start its sandbox."""
        text = ",".join(f"{name}={value}" for name, value in self._with({"speed": SPEED, **options}).items())
        return ["--sandbox", text]

    def _with(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return {**(APART[self.package][1] if self.is_apart else {}), **options}


WHOLE = [Part(package) for package in TAPS]
PARTS = [*WHOLE, *(Part(package, is_apart=True) for package in APART)]
STREAMS = [
    (Part(package, stream.name in APART.get(package, ((), {}))[0]), stream.name)
    for package in TAPS
    for stream in tap_of(package).streams
    if not stream.hidden
]


@cache
def truth(part: Part, stream: str, **options: Any) -> list[dict[str, Any]]:
    """What a faultless read of the stream gives."""
    box = part.sandbox(**options)
    return box.truth(stream, settings(box))


def settings(box: Sandbox) -> dict[str, Any]:
    """The sandbox's settings, which it can only give once it listens."""
    box.start()
    try:
        return dict(box.settings)
    finally:
        box.stop()


def secrets(package: str) -> list[str]:
    """The credentials of the sandbox."""
    tap = tap_of(package)
    values = settings(Part(package).sandbox())
    return [str(values[each.name]) for each in tap.settings if each.secret and values.get(each.name)]


@cache
def full_run(part: Part, folder: Path, **options: Any) -> Result:
    """A run of all streams, once for all tests of this process."""
    return run_tap(part.package, *part.options(**options), *part.select, folder=folder)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.mark.parametrize(("part", "stream"), STREAMS, ids=str)
def test_a_full_run_gives_every_record_once(part: Part, stream: str, folder: Path) -> None:
    result = full_run(part, folder)
    assert result.status == 0, result.stderr[-2000:]
    records = result.by_stream()[stream]
    assert differences(records, truth(part, stream)) == []
    keys = result.keys(stream)
    if keys:
        assert len(upserted(records, keys)) == len(records), "a key is not unique"


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_every_line_of_a_full_run_is_valid_and_holds_no_secret(part: Part, folder: Path) -> None:
    assert problems(full_run(part, folder), secrets=secrets(part.package)) == []


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_faults_change_nothing(part: Part, folder: Path) -> None:
    result = full_run(part, folder, faults="on")
    assert result.status == 0, result.stderr[-2000:]
    assert problems(result, secrets=secrets(part.package)) == []
    for stream, records in result.by_stream().items():
        assert differences(records, truth(part, stream)) == [], stream


@pytest.mark.parametrize(
    ("package", "seed", "small"), [(package, *drift) for package in TAPS for drift in DRIFTS[package]]
)
def test_nothing_that_stayed_is_missed_while_rows_come_and_go(
    package: str, seed: int, small: bool, tmp_path: Path
) -> None:
    part = Part(package)
    with part.sandbox(drift=1, seed=seed, **GRANTED.get(package, {})) as box:
        config = {**box.settings, "base_url": box.base_url, **(SMALL_PAGES[package] if small else {})}
        left_out = [f"--exclude={stream}" for stream in SCARCE.get(package, ())]
        result = run_tap(package, *part.select, *left_out, config=config, folder=tmp_path)
        assert result.status == 0, result.stderr[-2000:]
        assert problems(result) == []
        for stream, records in result.by_stream().items():
            lost = lost_keys(records, box.stayed(stream, config), result.keys(stream))
            assert lost == [], f"{stream}: {len(lost)}"


def lost_keys(records: list[Any], stayed: list[Any], keys: list[str]) -> list[Any]:
    """Keys of rows that stayed and were not written in any version."""
    written = upserted(records, keys)
    return [key for key in upserted(stayed, keys) if key not in written]


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_a_day_later_everything_new_and_changed_is_written(part: Part, folder: Path, tmp_path: Path) -> None:
    first = full_run(part, folder)
    second = run_tap(part.package, *part.options(day=1), *part.select, state=first.state, folder=tmp_path)
    assert second.status == 0, second.stderr[-2000:]
    assert problems(second) == []
    incremental = set(second.state["bookmarks"])
    box = part.sandbox()
    for stream, records in second.by_stream().items():
        keys, today, as_read = second.keys(stream), truth(part, stream, day=1), box.as_read(stream)
        held = upserted([*first.records(stream), *records], keys)
        lost = [
            key
            for key, record in upserted(today, keys).items()
            if comparable(without(held.get(key), as_read)) != comparable(without(record, as_read))
        ]
        assert lost == [], f"{stream}: {len(lost)} records are not as they are today"
        if stream not in incremental:
            assert differences(records, today) == [], stream


def without(record: Mapping[str, Any] | None, names: frozenset[str]) -> dict[str, Any] | None:
    return None if record is None else {name: value for name, value in record.items() if name not in names}


@pytest.mark.parametrize("part", WHOLE, ids=str)
def test_a_second_run_at_once_repeats_little_of_what_has_bookmarks(part: Part, folder: Path, tmp_path: Path) -> None:
    first = full_run(part, folder)
    second = run_tap(part.package, *part.options(), *part.select, state=first.state, folder=tmp_path)
    assert second.status == 0, second.stderr[-2000:]
    for stream, entry in first.state["bookmarks"].items():
        written, again = len(first.records(stream)), len(second.records(stream))
        assert again <= written, stream
        if written > 500 and "units" in entry:
            assert again < written / 2, f"{stream}: {again} of {written} again"


@pytest.mark.parametrize("part", WHOLE, ids=str)
def test_no_bookmark_ever_moves_back(part: Part, folder: Path) -> None:
    before: dict[tuple[str, ...], str] = {}
    for state in bookmarks(full_run(part, folder)):
        for stream, entry in state.items():
            for path, value in instants(entry, (stream,)):
                assert value >= before.get(path, ""), path
                before[path] = value


def instants(entry: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], str]]:
    """The bookmark values in a stream's entry, by where they stand."""
    found = []
    for name, value in entry.items() if isinstance(entry, dict) else ():
        if name == "units" and isinstance(value, dict):
            for unit, kept in value.items():
                first = kept[0] if isinstance(kept, list) else kept
                found += [((*path, unit), first)] if isinstance(first, str) else []
        elif isinstance(value, str) and name != "refreshed":
            found.append(((*path, name), value))
    return found


@pytest.mark.parametrize(
    ("part", "moment", "moments"),
    [
        (part, number + 1, moments)
        for part in PARTS
        for moments in [2 if part.is_apart else MOMENTS[part.package]]
        for number in range(moments)
    ],
    ids=str,
)
def test_killed_at_any_moment_and_resumed_it_loses_nothing(
    part: Part, moment: int, moments: int, folder: Path, tmp_path: Path
) -> None:
    config = given(tmp_path, config=SMALL_PAGES[part.package])
    whole = full_run(part, folder)
    total = sum(map(len, whole.by_stream().values()))
    first, second = killed_and_resumed(
        part, [*part.select, *config], total * moment // (moments + 1), SIGNALS[moment % 3], tmp_path
    )
    for stream in whole.by_stream():
        records = [*first.records(stream), *second.records(stream)]
        assert missing(records, truth(part, stream)) == [], stream
    if moment > moments // 2:
        assert sum(map(len, second.by_stream().values())) < total, "it began anew"


@pytest.mark.parametrize(
    ("package", "stream", "extra", "number"),
    [
        (package, stream, extra, number)
        for package in TAPS
        for place, (stream, extra) in enumerate(WALKS[package])
        for number in ([0, 2] if package == THOROUGH else [place % 3])
    ],
)
def test_killed_inside_each_kind_of_walk_and_resumed_it_loses_nothing(
    package: str, stream: str, extra: Mapping[str, Any], number: int, tmp_path: Path
) -> None:
    part = Part(package)
    expected = truth(part, stream)
    arguments = ["--select", stream, *given(tmp_path, config={**SMALL_PAGES[package], **extra})]
    first, second = killed_and_resumed(
        part, arguments, len(expected) * (2 * number + 1) // 6, SIGNALS[number], tmp_path
    )
    assert missing([*first.records(stream), *second.records(stream)], expected) == []


def killed_and_resumed(
    part: Part, arguments: list[str], records: int, send: signal.Signals, folder: Path
) -> tuple[Result, Result]:
    """A run that gets a signal after so many records, and the run that goes on from its last STATE."""
    box = part.options()
    first = run_tap_until(part.package, *box, *arguments, records=records, send=send)
    assert first.status == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[send], first.stderr[-2000:]
    assert first.seconds < 5, "it took too long to stop"
    assert problems(first, killed=send == signal.SIGKILL) == []
    second = run_tap(part.package, *box, *arguments, state=first.state, folder=folder)
    assert second.status == 0, second.stderr[-2000:]
    assert problems(second) == []
    return first, second


@pytest.mark.parametrize("package", TAPS)
def test_a_closed_pipe_ends_it_quietly(package: str) -> None:
    process = subprocess.Popen(
        command(package, Part(package).options()), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(30) == 141
    assert "Error" not in errors and "Traceback" not in errors


@pytest.mark.parametrize("package", TAPS)
def test_what_is_deselected_is_not_written(package: str, folder: Path, tmp_path: Path) -> None:
    roots = [each for each in tap_of(package).streams if not each.parents and not each.hidden]
    stream = min(roots, key=lambda each: not each.seed)
    result = run_tap(package, "--sandbox", "--select", stream.name, "--exclude", f"{stream.name}.*", folder=tmp_path)
    assert result.status == 0, result.stderr[-2000:]
    assert list(result.by_stream()) == [stream.name]
    automatic = {*result.keys(stream.name), *([stream.replication_key] if stream.replication_key else [])}
    written = {name for record in result.records(stream.name) for name in record}
    assert automatic <= written <= automatic | {"_extra"}


@pytest.mark.parametrize("part", WHOLE, ids=str)
def test_a_catalog_of_its_own_discovery_gives_the_same_run(part: Part, folder: Path, tmp_path: Path) -> None:
    found = subprocess.run(command(part.package, ["--discover"]), capture_output=True, check=True)
    expected = full_run(part, folder).by_stream()
    catalog = json.loads(found.stdout)
    for entry in catalog["streams"]:
        for each in entry["metadata"]:
            if not each["breadcrumb"]:
                each["metadata"]["selected"] = entry["stream"] in expected
    result = run_tap(part.package, *part.options(), catalog=catalog, folder=tmp_path)
    assert result.status == 0, result.stderr[-2000:]
    for stream, records in result.by_stream().items():
        assert differences(records, truth(part, stream)) == [], stream
