"""The contract: what every stream of every tap promises, shown by whole runs of its process against its sandbox.

A test module takes these tests over with `from shared.testing.contract import *`; its `TAPS`, where it has one, names
the packages to try. With `--stream NAME` all runs read that stream alone, with the parents it needs: seconds instead
of a minute, while one works on it. What has to be known of a tap is told by its sandbox (`Sandbox.trials`).
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ..sandbox import Sandbox
from ..sandbox.trials import Trials
from ..streams import Stream
from .runs import (
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
from .taps import TAPS, sandbox_of, tap_of

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
SPEED = 100
"""The sandbox's clock, and with it the tap's waits and its pace of STATE lines, so that tests need not wait."""
DRIFTS = ((1, True),)
DRIFTS_OF_THE_THOROUGH = ((1, False), (2, True), (3, True))
"""Which accounts are read while their rows come and go, in small pages or large ones."""
MOMENTS = 2
MOMENTS_OF_THE_THOROUGH = 20

Test = TypeVar("Test", bound=Callable[..., None])
Cases = Iterable[Sequence[Any]]


@dataclass(frozen=True)
class Part:
    """What one run reads of a tap: all its streams but those that are read apart, or these, or `only` one."""

    package: str
    is_apart: bool = False
    only: str = ""

    def __str__(self) -> str:
        return f"{self.package}{'-apart' if self.is_apart else ''}"

    @property
    def trials(self) -> Trials:
        """What its sandbox says of trying it."""
        return trials_of(self.package)

    @property
    def streams(self) -> list[Stream]:
        """The streams whose records are looked at."""
        return [
            stream
            for stream in tap_of(self.package).streams
            if not stream.hidden
            and self.only in ("", stream.name)
            and (stream.name in self.trials.apart) == self.is_apart
        ]

    @property
    def select(self) -> list[str]:
        """The arguments that choose the streams."""
        if self.only or self.is_apart:
            return [word for stream in self.streams for word in ("--select", stream.name)]
        by_name = [word for stream in self.streams if stream.by_name for word in ("--select", stream.name)]
        return ["--select", "*", *by_name, *(word for stream in self.trials.apart for word in ("--exclude", stream))]

    @property
    def is_thorough(self) -> bool:
        """Whether to try it at very many moments."""
        return self.trials.thorough and not self.is_apart and not self.only

    def sandbox(self, **options: Any) -> Sandbox:
        """The tap's sandbox, not started."""
        return sandbox_of(self.package, **self._with(options))

    def options(self, **options: Any) -> list[str]:
        """The arguments that have the tap start its sandbox."""
        text = ",".join(f"{name}={value}" for name, value in self._with({"speed": SPEED, **options}).items())
        return ["--sandbox", text]

    def _with(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return {**self.trials.options, **(self.trials.apart_options if self.is_apart else {}), **options}


@cache
def trials_of(package: str) -> Trials:
    """How a tap is tried."""
    trials = sandbox_of(package).trials
    named = {*trials.apart, *trials.scarce, *(stream for stream, _ in trials.walks)}
    assert named <= {stream.name for stream in tap_of(package).streams}, "trials name a stream that there is not"
    return trials


# Which tests there are


@dataclass(frozen=True)
class Chosen:
    """The taps to try, and the one stream of them that `--stream` names."""

    packages: tuple[str, ...]
    only: str = ""

    def parts(self) -> list[Part]:
        """All that is read, each stream in one of them."""
        made = [Part(package, is_apart, self.only) for is_apart in (False, True) for package in self.packages]
        return [part for part in made if part.streams]

    def whole(self) -> list[Part]:
        """All but what is read apart; a single stream wherever it belongs."""
        return [part for part in self.parts() if self.only or not part.is_apart]


def each(names: str, cases: Callable[[Chosen], Cases]) -> Callable[[Test], Test]:
    """Have pytest call the test with these arguments, once for each of the cases."""

    def mark(test: Test) -> Test:
        test.cases = (names, cases)  # type: ignore[attr-defined]
        return test

    return mark


def pytest_addoption(parser: pytest.Parser) -> None:
    """For the conftest of whoever takes the tests over."""
    parser.addoption("--stream", metavar="NAME", default="", help="the contract of this stream alone, with its parents")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Spread the tests over the taps and streams that are wanted."""
    found = getattr(metafunc.function, "cases", None)
    if found is not None:
        only = metafunc.config.getoption("stream")
        chosen = Chosen(tuple(getattr(metafunc.module, "TAPS", TAPS)), only)
        if only and not chosen.parts():
            raise pytest.UsageError(f"--stream: no tap has a stream {only}")
        names, cases = found
        metafunc.parametrize(names.split(), list(cases(chosen)), ids=_called)


def _called(value: object) -> str | None:
    return str(value) if isinstance(value, Part) else None


def _parts(chosen: Chosen) -> Cases:
    return [(part,) for part in chosen.parts()]


def _whole(chosen: Chosen) -> Cases:
    return [(part,) for part in chosen.whole()]


def _streams(chosen: Chosen) -> Cases:
    return [(part, stream.name) for part in chosen.parts() for stream in part.streams]


def _drifts(chosen: Chosen) -> Cases:
    for part in chosen.whole():
        if part.only not in part.trials.scarce:
            yield from ((part, *drift) for drift in (DRIFTS_OF_THE_THOROUGH if part.is_thorough else DRIFTS))


def _moments(chosen: Chosen) -> Cases:
    for part in chosen.parts():
        count = MOMENTS_OF_THE_THOROUGH if part.is_thorough else MOMENTS
        yield from ((part, number + 1, count) for number in range(count))


def _walks(chosen: Chosen) -> Cases:
    for package in chosen.packages:
        for place, (stream, extra) in enumerate(trials_of(package).walks):
            if chosen.only in ("", stream):
                for number in [0, 2] if trials_of(package).thorough else [place % 3]:
                    yield Part(package), stream, extra, number


# What is compared


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
    values = settings(sandbox_of(package))
    return [str(values[each.name]) for each in tap.settings if each.secret and values.get(each.name)]


@cache
def full_run(part: Part, folder: Path, **options: Any) -> Result:
    """A run of all streams, once for all tests of this process."""
    return run_tap(part.package, *part.options(**options), *part.select, folder=folder)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@each("part stream", _streams)
def test_a_full_run_gives_every_record_once(part: Part, stream: str, folder: Path) -> None:
    result = full_run(part, folder)
    assert result.status == 0, result.stderr[-2000:]
    records = result.by_stream()[stream]
    assert differences(records, truth(part, stream)) == []
    keys = result.keys(stream)
    if keys:
        assert len(upserted(records, keys)) == len(records), "a key is not unique"


@each("part", _parts)
def test_every_line_of_a_full_run_is_valid_and_holds_no_secret(part: Part, folder: Path) -> None:
    assert problems(full_run(part, folder), secrets=secrets(part.package)) == []


@each("part", _parts)
def test_faults_change_nothing(part: Part, folder: Path) -> None:
    result = full_run(part, folder, faults="on")
    assert result.status == 0, result.stderr[-2000:]
    assert problems(result, secrets=secrets(part.package)) == []
    for stream, records in result.by_stream().items():
        assert differences(records, truth(part, stream)) == [], stream


@each("part seed small", _drifts)
def test_nothing_that_stayed_is_missed_while_rows_come_and_go(
    part: Part, seed: int, small: bool, tmp_path: Path
) -> None:
    trials = part.trials
    with part.sandbox(drift=1, seed=seed, **trials.granted) as box:
        config = {**box.settings, "base_url": box.base_url, **(trials.small_pages if small else {})}
        left_out = [f"--exclude={stream}" for stream in trials.scarce]
        result = run_tap(part.package, *part.select, *left_out, config=config, folder=tmp_path)
        assert result.status == 0, result.stderr[-2000:]
        assert problems(result) == []
        for stream, records in result.by_stream().items():
            lost = lost_keys(records, box.stayed(stream, config), result.keys(stream))
            assert lost == [], f"{stream}: {len(lost)}"


def lost_keys(records: list[Any], stayed: list[Any], keys: list[str]) -> list[Any]:
    """Keys of rows that stayed and were not written in any version."""
    written = upserted(records, keys)
    return [key for key in upserted(stayed, keys) if key not in written]


@each("part", _parts)
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


@each("part", _whole)
def test_a_second_run_at_once_repeats_little_of_what_has_bookmarks(part: Part, folder: Path, tmp_path: Path) -> None:
    first = full_run(part, folder)
    second = run_tap(part.package, *part.options(), *part.select, state=first.state, folder=tmp_path)
    assert second.status == 0, second.stderr[-2000:]
    for stream, entry in first.state["bookmarks"].items():
        written, again = len(first.records(stream)), len(second.records(stream))
        assert again <= written, stream
        if written > 500 and "units" in entry:
            assert again < written / 2, f"{stream}: {again} of {written} again"


@each("part", _whole)
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


@each("part moment moments", _moments)
def test_killed_at_any_moment_and_resumed_it_loses_nothing(
    part: Part, moment: int, moments: int, folder: Path, tmp_path: Path
) -> None:
    config = given(tmp_path, config=part.trials.small_pages)
    whole = full_run(part, folder)
    total = sum(map(len, whole.by_stream().values()))
    first, second = killed_and_resumed(
        part, [*part.select, *config], max(1, total * moment // (moments + 1)), SIGNALS[moment % 3], tmp_path
    )
    for stream in whole.by_stream():
        records = [*first.records(stream), *second.records(stream)]
        assert missing(records, truth(part, stream)) == [], stream
    if moment > moments // 2 and not part.only:  # one stream may be one page, or read anew from its beginning
        assert sum(map(len, second.by_stream().values())) < total, "it began anew"


@each("part stream extra number", _walks)
def test_killed_inside_each_kind_of_walk_and_resumed_it_loses_nothing(
    part: Part, stream: str, extra: Mapping[str, Any], number: int, tmp_path: Path
) -> None:
    expected = truth(part, stream)
    arguments = ["--select", stream, *given(tmp_path, config={**part.trials.small_pages, **extra})]
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
    if part.only and first.status == 0:
        pytest.skip("the stream is so short that it was read before the signal came")
    assert first.status == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[send], first.stderr[-2000:]
    assert first.seconds < 5, "it took too long to stop"
    assert problems(first, killed=send == signal.SIGKILL) == []
    second = run_tap(part.package, *box, *arguments, state=first.state, folder=folder)
    assert second.status == 0, second.stderr[-2000:]
    assert problems(second) == []
    return first, second


@each("part", _whole)
def test_a_closed_pipe_ends_it_quietly(part: Part) -> None:
    process = subprocess.Popen(
        command(part.package, Part(part.package).options()), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(30) == 141
    assert "Error" not in errors and "Traceback" not in errors


@each("part", _whole)
def test_what_is_deselected_is_not_written(part: Part, tmp_path: Path) -> None:
    stream = min(part.streams, key=lambda stream: (bool(stream.parents), not stream.seed))
    arguments = ["--select", stream.name, "--exclude", f"{stream.name}.*"]
    result = run_tap(part.package, *part.options(), *arguments, folder=tmp_path)
    assert result.status == 0, result.stderr[-2000:]
    assert list(result.by_stream()) == [stream.name]
    automatic = {*result.keys(stream.name), *stream.automatic, *filter(None, [stream.replication_key])}
    written = {name for record in result.records(stream.name) for name in record}
    assert automatic <= written <= automatic | {"_extra"}


@each("part", _whole)
def test_a_catalog_of_its_own_discovery_gives_the_same_run(part: Part, folder: Path, tmp_path: Path) -> None:
    found = subprocess.run(command(part.package, ["--discover"]), capture_output=True, check=True)
    expected = full_run(part, folder).by_stream()
    catalog = json.loads(found.stdout)
    for entry in catalog["streams"]:
        for metadata in entry["metadata"]:
            if not metadata["breadcrumb"]:
                metadata["metadata"]["selected"] = entry["stream"] in expected
    result = run_tap(part.package, *part.options(), catalog=catalog, folder=tmp_path)
    assert result.status == 0, result.stderr[-2000:]
    for stream, records in result.by_stream().items():
        assert differences(records, truth(part, stream)) == [], stream
