"""The fault matrix: every kind of fault, at the first, a middle and the last place of every stream of a tap.

Nothing of it is written out. A healthy run against the sandbox tells which requests belong to a stream and under which
parents; the stream's row tells where the rows stand in an answer and what their key is; the sandbox tells in which
words its vendor refuses. Each trial is a run with one fault and then a healthy run from the state that it left:

- all that the fault did not touch is exact, and no record is written that is not true
- what is missing is named on stderr, and the exit code tells of it
- the second run brings it
- nothing is asked in vain more often than the engine allows

Whole: `make contract`. A sample is part of the tests (`sampled`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson

from ..sandbox import WHEN_READ, Call, Refusal
from ..streams import Stream
from ..sync.paging import located
from .faults import EVERY, KINDS, PLACES, REFUSALS, ROWS, Fault, at_request, fault
from .healthy import Asked, Healthy, healthy
from .runs import Result, comparable, missing, problems
from .taps import sandbox_of, tap_of

TRIES = 60
"""How often one request may be made in vain: as long as the budget of time lasts (see `Retry`)."""

Trial = tuple[str, str, str, str]
"""Package, stream, kind, place."""


def trials(package: str) -> Iterator[Trial]:
    """All trials of a tap."""
    told = sandbox_of(package).trials
    for stream in tap_of(package).streams:
        if stream.hidden or stream.pages_of:
            continue
        for kind in KINDS:
            if _may_befall(stream, kind) and (kind != "unavailable" or told.unavailable):
                yield from ((package, stream.name, kind, place) for place in _places(kind))


def sampled(package: str, each: int = 3) -> list[Trial]:
    """A few of them, the same ones each time: of every kind so many, of streams and at places that rotate."""
    found = []
    for number, kind in enumerate(KINDS):
        own = [trial for trial in trials(package) if trial[2] == kind]
        for turn in range(min(each, len(own))):
            place = (turn * len(own) // each + number * len(own) // (each * len(KINDS))) % len(own)
            found.append(own[place])
    return list(dict.fromkeys(found))


def _may_befall(stream: Stream, kind: str) -> bool:
    if kind == "null":
        return not stream.null_rows
    if kind == "circle":
        return getattr(stream.next_page, "__qualname__", "").partition(".")[0] in ("cursor", "link")
    return kind != "saved place" or bool(stream.order == "descending" or stream.keep or stream.fetch)


def _places(kind: str) -> Sequence[str]:
    if kind in ("circle", "saved place"):
        return ("last",)
    return (*PLACES, EVERY) if kind in REFUSALS else PLACES


# What came of a trial


def findings(trial: Trial, folder: Path) -> list[str]:
    """What is not as it should be; "" alone says that the stream has no such place."""
    package, name, kind, place = trial
    well = healthy(package, name, folder)
    box = well.account.box
    box.heal()
    if kind == "saved place":
        return _saved_place(well, folder)
    found = fault(well, kind, place)
    if found is None:
        return [""]
    ill = box.afflict(found.match, found.effect)
    try:
        first, asked = well.account.run(name, folder)
    finally:
        box.heal()
    if not ill.met:
        return ["the fault was not met"]
    again, _ = well.account.run(name, folder, first.state)
    box.heal()
    return [
        *_of_the_run(well, kind, found, first, asked),
        *_in_vain(kind, found, ill.met),
        *_of_the_next(well, kind, found, first, again),
    ]


def _of_the_run(well: Healthy, kind: str, found: Fault, run: Result, asked: Sequence[Asked]) -> Iterator[str]:
    yield from _wrong_output(well, run)
    # Without some streams there is no run; that is said before anything is written.
    if run.status not in (0, 1) and not (run.status == 2 and kind in REFUSALS and not run.stdout):
        yield f"exit {run.status}: {run.stderr[-300:]}"
    records = run.records(well.stream.name)
    lost = [orjson.loads(text) for text in missing(records, well.truth)]
    if beyond := [record for record in lost if not found.may_miss(record)]:
        yield f"{len(beyond)} records are missing that the fault did not touch, as {comparable(beyond[0])[:300]}"
    untrue = untrue_of(records, well.truth)
    # A tap may know a name for what has none, and may leave off what the API does not understand.
    stands_in = kind == "keyless" and len(untrue) == 1 and len(records) == len(well.truth)
    leaves_off = well.stream.fetch is not None and all(_is_part(well, record) for record in untrue)
    if untrue and kind != "broken" and not (stands_in or leaves_off or found.renumbers):
        yield f"{len(untrue)} records are not true, as {comparable(untrue[0])[:300]}"
    is_plain = (
        isinstance(well.stream.records, str)
        and well.stream.transform is None
        and well.stream.fetch is None
        and not found.renumbers
    )
    if kind in ROWS and is_plain and len(lost) > 1:
        yield f"{len(lost)} records are missing for one row"
    yield from _unwritten(well, records, asked, found)
    yield from _told(well, kind, found, run, bool(lost and not stands_in and not (untrue and leaves_off)))


def untrue_of(records: Sequence[Mapping[str, Any]], truth: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The records that are not as the truth has them, whenever they were read."""
    timed = {name for name, value in truth[0].items() if value == WHEN_READ} if truth else set()

    def text(record: Mapping[str, Any]) -> str:
        return comparable({name: value for name, value in record.items() if name not in timed})

    true = set(map(text, truth))
    return [record for record in records if text(record) not in true]


def _is_part(well: Healthy, record: Mapping[str, Any]) -> bool:
    """Whether the record is a true one, but for columns that could not be had."""

    def is_it(true: Mapping[str, Any]) -> bool:
        return all(value is None or comparable(value) == comparable(true.get(name)) for name, value in record.items())

    return any(is_it(true) for true in well.truth)


def _wrong_output(well: Healthy, run: Result) -> Iterator[str]:
    """An error of ours is one finding; its traceback stands in the log only because that is kept in full here."""
    yield from (text for text in problems(run, append_only=not well.keys) if text != "a traceback on stderr")
    yield from (line for line in run.stderr.splitlines() if "internal error (" in line or line.startswith("Traceback"))


def _unwritten(well: Healthy, records: Sequence[Any], asked: Sequence[Asked], found: Fault) -> Iterator[str]:
    """Rows that the API gave, though the fault may have befallen what came after them."""
    stream = well.stream
    if stream.fetch or stream.transform or not found.whole:
        return
    for each in asked:
        if not well.owns(each) or each.answer.status >= 400:
            continue
        try:
            rows = located(stream, each.body)
        except ValueError:
            continue
        for row in rows:
            names = [name for name in stream.key_properties if isinstance(row, dict) and name in row]
            if names and not any(all(str(r.get(n)) == str(row[n]) for n in names) for r in records):
                yield f"a row that came was not written: {str(row)[:200]}"
                return


def _told(well: Healthy, kind: str, found: Fault, run: Result, is_missing: bool) -> Iterator[str]:
    said = "\n".join(line for line in run.stderr.splitlines() if not line.startswith("DEBUG"))
    closing = said[max(said.rfind("\nstream "), 0) :]
    if is_missing and run.status == 0:
        may = kind in ("gone", "unavailable", "broken") or (well.stream.optional and found.whole)
        # Of some requests a vendor says so that there is no such thing.
        may = may or (kind == "unwelcome" and ("gone" in closing or "unavailable" in closing))
        may = may or (kind == "unwelcome" and well.stream.fetch is not None)
        if not may:
            yield f"records are missing, and the exit code is 0: {closing[-300:]}"
        elif (
            kind != "broken"
            and well.stream.fetch is None
            and not any(name in said for name in (*found.names, "parents have none, or are gone"))
        ):
            yield f"what is missing is not named: {closing[-300:]}"
    if kind == "unavailable" and run.status == 1:
        yield f"what the plan lacks is no failure: {closing[-300:]}"
    if run.status == 1:
        lines = [line for line in closing.splitlines() if line.startswith(f"{well.account.tap.name}: ")]
        if not any(name in unquote(line) for line in lines for name in found.names):
            yield f"none of {', '.join(found.names)} is named at the end: {lines[:5]}"


def _in_vain(kind: str, found: Fault, met: Sequence[str]) -> Iterator[str]:
    if len(met) > found.most:
        yield f"{len(met)} requests were made in vain"
    (target, count), *_ = Counter(met).most_common(1)
    most = TRIES if kind not in REFUSALS else 4
    if count > most and kind not in ROWS:
        yield f"{target[:120]} was asked for {count} times in vain"


def _of_the_next(well: Healthy, kind: str, found: Fault, first: Result, again: Result) -> Iterator[str]:
    yield from (f"the next run: {text}" for text in _wrong_output(well, again))
    if again.status != 0:
        yield f"the next run: exit {again.status}: {again.stderr[-400:]}"
    name = well.stream.name
    lost = [orjson.loads(text) for text in missing([*first.records(name), *again.records(name)], well.truth)]
    if kind in ROWS:
        lost = [record for record in lost if not found.may_miss(record)]
    if kind in ("gone", "unwelcome") and well.stream.fetch is not None:  # a column that is not there
        written = [record for record in first.records(name) if _is_part(well, record)]
        keys = {tuple(comparable(record.get(key)) for key in well.keys) for record in written}
        lost = [each for each in lost if tuple(comparable(each.get(key)) for key in well.keys) not in keys]
    if lost:
        yield f"{len(lost)} records are missing still after the next run, as {comparable(lost[0])[:300]}"


def _saved_place(well: Healthy, folder: Path) -> list[str]:
    """A walk is broken off, and the place that was kept of it is refused."""
    box, name = well.account.box, well.stream.name
    if not well.asked:
        return [""]
    broken = at_request(well, Refusal(500), well.asked[-1])
    assert broken is not None
    box.afflict(broken.match, broken.effect)
    first, _ = well.account.run(name, folder)
    box.heal()
    if not first.state.get("bookmarks", {}).get(name, {}).get("resume", {}).get("units"):
        return [""]
    asked: list[str] = []

    def is_first(call: Call) -> bool:
        if well.owns(call):
            asked.append(call.target)
        return well.owns(call) and call.target == asked[0] and len(set(asked)) == 1

    box.afflict(is_first, box.trials.unwelcome)
    again, _ = well.account.run(name, folder, first.state)
    box.heal()
    third, _ = well.account.run(name, folder, again.state)
    box.heal()
    said = [] if again.status == 0 else [f"exit {again.status}: {again.stderr[-400:]}"]
    runs = [*first.records(name), *again.records(name), *third.records(name)]
    return [*said, *_wrong_output(well, again), *(f"missing: {text[:300]}" for text in missing(runs, well.truth)[:1])]
