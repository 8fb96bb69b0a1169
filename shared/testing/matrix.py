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

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson

from ..sandbox import Answer, Call, Refusal, Sandbox
from ..sandbox.afflictions import Effect
from ..streams import Stream
from ..sync.paging import located
from ..sync.run import ALIKE
from ..tap import Tap
from .inside import run_inside
from .runs import Result, comparable, missing, problems
from .taps import sandbox_of, tap_of

SPEED = 300
TRIES = 60
"""How often one request may be made in vain: as long as the budget of time lasts (see `Retry`)."""
HALVINGS = 16
"""Requests by which a batch, or a window, is halved down to the member that fails, and some to spare."""

REFUSALS = ("refused", "gone", "unavailable", "unwelcome")
LASTING = ("500", "reset")
ROWS = ("keyless", "no object", "broken")
KINDS = (*REFUSALS, *LASTING, "null", *ROWS, "circle", "saved place")
PLACES = ("first", "middle", "last")
EVERY = "every"

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


def sampled(package: str) -> list[Trial]:
    """A few of them, the same ones each time: of every kind one, of one stream each, at places that rotate."""
    found = []
    for number, kind in enumerate(KINDS):
        own = [trial for trial in trials(package) if trial[2] == kind]
        if own:
            name = own[number * len(own) // len(KINDS)][1]
            places = _places(kind)
            found.append((package, name, kind, places[number % len(places)]))
    return found


def _may_befall(stream: Stream, kind: str) -> bool:
    if kind == "null":
        return not stream.null_rows
    if kind == "circle":
        return stream.next_page is not None
    return kind != "saved place" or bool(stream.order == "descending" or stream.keep or stream.fetch)


def _places(kind: str) -> Sequence[str]:
    if kind in ("circle", "saved place"):
        return ("last",)
    return (*PLACES, EVERY) if kind in REFUSALS else PLACES


# What a healthy run asks


@dataclass(frozen=True)
class Asked:
    """One request and its answer."""

    method: str
    target: str
    sent: bytes
    answer: Answer

    @cached_property
    def text(self) -> str:
        """All that the request says."""
        return unquote(self.target.replace("+", " ")) + " " + self.sent.decode(errors="replace")

    @property
    def identity(self) -> tuple[str, str, bytes]:
        """What tells it from others."""
        return self.method, self.target, self.sent

    @cached_property
    def body(self) -> Any:
        """The answer's body; None where it is no JSON."""
        try:
            return json.loads(self.answer.body)
        except ValueError:
            return None


def _shape(path: str) -> str:
    """The path without what names a single thing."""
    return "/".join("*" if re.search(r"\d", part) and part != "v3.3" else part for part in path.split("/"))


def _asked_by(call: Call, answer: Answer) -> Asked:
    return Asked(call.method, call.target, call.body, answer)


@dataclass
class Account:
    """A tap's small account, and how it is read."""

    tap: Tap
    box: Sandbox
    config: Mapping[str, Any]

    def run(self, stream: str, folder: Path, state: Mapping[str, Any] | None = None) -> tuple[Result, list[Asked]]:
        """A run of one stream, and all that it asked."""
        asked: list[Asked] = []

        def note(call: Call, answer: Answer) -> Answer:
            asked.append(_asked_by(call, answer))
            return answer

        self.box.afflict(lambda _: True, note)
        arguments = ["--select", stream, "--log-level", "debug"]
        return run_inside(self.tap, self.box, arguments, config=self.config, state=state, folder=folder), asked


@cache
def account(package: str) -> Account:
    """The one of this process."""
    told = sandbox_of(package).trials
    box = sandbox_of(package, speed=SPEED, **told.fault_options)
    return Account(tap_of(package), box, {**told.small_pages, **told.fault_settings, "concurrency": 1})


@dataclass(frozen=True)
class Healthy:
    """A stream as a faultless run read it."""

    account: Account
    stream: Stream
    shapes: frozenset[tuple[str, str]]
    """Methods and paths of its requests."""
    asked: Sequence[Asked]
    """Its requests, each once, in order."""
    truth: Sequence[Mapping[str, Any]]
    keys: Sequence[str]

    def owns(self, call: Call | Asked) -> bool:
        """Whether the request is one of the stream's own."""
        path = call.target.partition("?")[0]
        return (call.method, _shape(path)) in self.shapes

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that name the parent of a record."""
        if len(self.stream.parents) != 1 or not self.stream.parents[0].inject:
            return ()
        return tuple(name for name in self.stream.parents[0].keys if self.truth and name in self.truth[0])

    def parent_of(self, record: Mapping[str, Any]) -> tuple[str, ...]:
        """The ids of a record's parent."""
        return tuple(str(record.get(name)) for name in self.columns)

    @cached_property
    def parents(self) -> list[tuple[str, ...]]:
        """The parents that were asked for, by their ids, in order."""
        known = dict.fromkeys(map(self.parent_of, self.truth)) if self.columns else ()
        return list(dict.fromkeys(each for asked in self.asked for each in known if self.is_of(asked, each)))

    def is_of(self, asked: Asked, parent: Sequence[str]) -> bool:
        """Whether a request is one for the parent's children, or for it among others."""
        if found := self._in_path.search(asked.target.partition("?")[0]):
            named = {name: unquote(text) for name, text in found.groupdict().items()}
            return all(named.get(name, value) == value for name, value in zip(self.columns, parent, strict=True))
        return all(mentions(asked.text, value) for value in parent)

    @cached_property
    def _in_path(self) -> re.Pattern[str]:
        """The stream's path, with what it names of a parent; "never" where it names nothing."""
        if not any(f"{{{name}}}" in self.stream.path for name in self.columns):
            return re.compile(r"(?!)")
        parts = re.split(r"\{(\w+)\}", self.stream.path)
        pattern = "".join(f"(?P<{part}>[^/]+?)" if place % 2 else re.escape(part) for place, part in enumerate(parts))
        return re.compile(pattern + "$")

    @cached_property
    def with_rows(self) -> list[Asked]:
        """Requests whose answers hold rows."""
        return [each for each in self.asked if rows_place(self.stream, each.body)]


def mentions(text: str, name: str) -> bool:
    """Whether a request names the parent."""
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) is not None


@cache
def healthy(package: str, name: str, folder: Path) -> Healthy:
    """The stream's faultless run."""
    found = account(package)
    found.box.heal()
    result, asked = found.run(name, folder)
    assert result.status == 0, result.stderr[-2000:]
    owners: dict[tuple[str, str], set[str]] = {}
    for line in re.finditer(r"^DEBUG (\S+): ([A-Z]+) (\S+) (?:\d{3}|no answer) ", result.stderr, re.MULTILINE):
        owners.setdefault((line[2], found.box.prefix + line[3].removeprefix(found.box.prefix)), set()).add(line[1])
    shapes: dict[tuple[str, str], set[str]] = {}
    for (method, path), names in owners.items():
        shapes.setdefault((method, _shape(path)), set()).update(names)
    own = frozenset(shape for shape, names in shapes.items() if names == {name}) - _of_no_stream(package, name, folder)
    stream = next(each for each in found.tap.streams if each.name == name)
    whole = Healthy(found, stream, own, asked, result.records(name), result.keys(name))
    each_once = {each.identity: each for each in asked if whole.owns(each)}
    return replace(whole, asked=tuple(each_once.values()))


def _of_no_stream(package: str, name: str, folder: Path) -> frozenset[tuple[str, str]]:
    """Requests that belong to no stream are told of as the account's; so are those of a stream that is called so."""
    if name != "account":
        return frozenset()
    return _account_shapes(package, folder)


@cache
def _account_shapes(package: str, folder: Path) -> frozenset[tuple[str, str]]:
    found = account(package)
    other = next(each.name for each in found.tap.streams if not each.hidden and each.name != "account")
    result, asked = found.run(other, folder)
    found.box.heal()
    told = set(re.findall(r"^DEBUG account: ([A-Z]+) (\S+) ", result.stderr, re.MULTILINE))
    shapes = {(method, _shape(path)) for method, path in told}
    return frozenset(shapes & {(each.method, _shape(each.target.partition("?")[0])) for each in asked})


# Where rows stand in an answer


def rows_place(stream: Stream, body: Any) -> tuple[Any, Any, list[Any]] | None:
    """What holds the rows, under which name, and the rows; None where the answer has none."""
    if isinstance(stream.records, str) and stream.records:
        holder: Any = body
        *way, last = stream.records.split(".")
        for part in way:
            holder = holder.get(part) if isinstance(holder, dict) else None
        found = holder.get(last) if isinstance(holder, dict) else None
        return (holder, last, found) if isinstance(found, list) and found else None
    if stream.records == "" and not stream.fetch:
        return (None, None, body if isinstance(body, list) else [body]) if body else None
    lists = sorted(_lists(None, None, body), key=lambda each: len(each[2]), reverse=True)
    if callable(stream.records):  # it may look into several lists: that one is meant without which there are no rows
        return next((each for each in lists if _is_needed(stream, body, each)), None)
    return lists[0] if lists else None


def _is_needed(stream: Stream, body: Any, place: tuple[Any, Any, list[Any]]) -> bool:
    holder, name, rows = place
    if holder is None:
        return True
    holder[name] = []
    try:
        return not located(stream, json.loads(json.dumps(body)))
    except ValueError:
        return True
    finally:
        holder[name] = rows


def _lists(holder: Any, name: Any, value: Any) -> Iterator[tuple[Any, Any, list[Any]]]:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        yield holder, name, value
    elif isinstance(value, dict):
        for inner, part in value.items():
            yield from _lists(value, inner, part)


def key_of(stream: Stream, row: Any) -> tuple[str, ...]:
    """The raw row's own members that make its key."""
    identity = stream.identity if isinstance(stream.identity, tuple) else ()
    from_parents = {name for parent in stream.parents for name in parent.keys}
    names = [name for name in (*stream.key_properties, *identity, "id") if name not in from_parents]
    return tuple(name for name in dict.fromkeys(names) if isinstance(row, dict) and name in row)


def _as_json(body: Any) -> bytes:
    """As it came, numbers of any size included."""
    return json.dumps(body).encode()


def _without_rows(stream: Stream) -> Callable[[Call, Answer], Answer]:
    def change(_: Call, answer: Answer) -> Answer:
        body = json.loads(answer.body)
        place = rows_place(stream, body)
        if place is not None and place[0] is not None:
            place[0][place[1]] = None
        return replace(answer, body=b"null" if place is None or place[0] is None else _as_json(body))

    return change


def _with_row(stream: Stream, change_row: Callable[[Any], Any]) -> Callable[[Call, Answer], Answer]:
    """The row in the middle becomes another."""

    def change(_: Call, answer: Answer) -> Answer:
        body = json.loads(answer.body)
        place = rows_place(stream, body)
        if place is not None:
            rows = place[2]
            rows[len(rows) // 2] = change_row(rows[len(rows) // 2])
            body = rows[0] if rows is not body and place[0] is None else body
        return replace(answer, body=_as_json(body))

    return change


def _keyless(stream: Stream) -> Callable[[Any], Any]:
    return lambda row: {name: value for name, value in row.items() if name not in key_of(stream, row)}


def _broken(stream: Stream) -> Callable[[Any], Any]:
    def change(row: Any) -> Any:
        kept = key_of(stream, row)
        return {name: value if name in kept else _other(name, value) for name, value in row.items()}

    return change


def _other(name: str, value: Any) -> Any:
    """A value of another type."""
    if isinstance(value, dict) and value and name not in ("links", "relationships"):
        return {inner: _other(inner, part) for inner, part in value.items()}
    if name in ("type", "id", "links", "relationships"):
        return value
    if isinstance(value, str):
        return {"odd": [1]}
    if isinstance(value, bool):
        return "perhaps"
    return "odd" if isinstance(value, (int, float)) else 7


# One trial


@dataclass
class Fault:
    """Which requests meet what, which records may be missing for it, and by which words it is named."""

    match: Callable[[Call], bool]
    effect: Effect
    may_miss: Callable[[Mapping[str, Any]], bool]
    names: Sequence[str]
    whole: bool = False
    """Whether it befalls the whole stream."""
    most: int = field(default=1_000)
    """Requests that may meet it."""


def fault(well: Healthy, kind: str, place: str) -> Fault | None:
    """The fault of a trial; None where the stream has no such place."""
    if kind in REFUSALS:
        refusal = getattr(well.account.box.trials, kind)
        return _refusal(well, kind, refusal, place) if refusal is not None and well.asked else None
    if kind in LASTING:
        return _at_place(well, Refusal(500) if kind == "500" else kind, place)
    candidates = [each for each in well.with_rows if each.body is not None]
    if kind == "null":
        return _at_request(well, _without_rows(well.stream), _pick(candidates, place))
    if kind in ROWS:
        return _row(well, kind, _pick(candidates, place))
    return _circle(well) if kind == "circle" else None


def _pick(found: Sequence[Any], place: str) -> Any:
    if not found or (place == "middle" and len(found) < 3) or (place == "last" and len(found) < 2):
        return None
    return found[{"first": 0, "middle": len(found) // 2, "last": -1}[place]]


def _refusal(well: Healthy, kind: str, refusal: Refusal, place: str) -> Fault | None:
    if place == EVERY:
        most = ALIKE + HALVINGS if kind != "gone" else 3 * len(well.asked) + HALVINGS
        return Fault(well.owns, refusal, lambda _: True, [well.stream.name], whole=True, most=most)
    found = _at_place(well, refusal, place)
    return found and replace(found, most=HALVINGS + len(well.asked) // 2)


def _at_place(well: Healthy, effect: Effect, place: str) -> Fault | None:
    """At a parent or member of a batch, where the stream has several, else at a page."""
    if len(well.parents) < 2:
        return _at_request(well, effect, _pick(well.asked, place))
    parent = _pick(well.parents, place)
    if parent is None:
        return None

    def match(call: Call) -> bool:
        return well.owns(call) and well.is_of(_asked_by(call, Answer()), parent)

    return Fault(match, effect, lambda record: well.parent_of(record) == parent, [parent[-1]])


def _at_request(well: Healthy, effect: Effect, asked: Asked | None) -> Fault | None:
    """At the same page of the same parent, in whatever order parents come; the times in a request may be others."""
    if asked is None:
        return None
    parent = next((each for each in well.parents if well.is_of(asked, each)), None) if len(well.parents) > 1 else None
    beside = [each for each in well.asked if parent is None or well.is_of(each, parent)]
    ordinal, met = beside.index(asked), dict[Any, int]()

    def match(call: Call) -> bool:
        if not well.owns(call) or not (parent is None or well.is_of(_asked_by(call, Answer()), parent)):
            return False
        return met.setdefault((call.method, call.target, call.body), len(met)) == ordinal

    if parent is None:
        return Fault(match, effect, lambda _: True, [well.stream.name], whole=True)
    return Fault(match, effect, lambda record: well.parent_of(record) == parent, [parent[-1], well.stream.name])


def _row(well: Healthy, kind: str, asked: Asked | None) -> Fault | None:
    if asked is None:
        return None
    place = rows_place(well.stream, asked.body)
    assert place is not None
    row = place[2][len(place[2]) // 2]
    names = key_of(well.stream, row)
    if not names:
        return None
    changes = {"keyless": _keyless(well.stream), "no object": lambda _: "odd", "broken": _broken(well.stream)}
    found = _at_request(well, _with_row(well.stream, changes[kind]), asked)
    assert found is not None
    own = {str(row[name]) for name in names}
    is_of_parent = found.may_miss

    def may_miss(record: Mapping[str, Any]) -> bool:
        return is_of_parent(record) and bool(own & {str(value) for value in _leaves(record)})

    return replace(found, may_miss=may_miss, names=[well.stream.name], whole=False)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    else:
        yield value


def _circle(well: Healthy) -> Fault | None:
    """The last page of the longest walk by cursor is its first page again."""
    walks: list[list[Asked]] = []
    for each in well.asked:
        if walks and _is_led(walks[-1][-1], each):
            walks[-1].append(each)
        else:
            walks.append([each])
    walk = max(walks, key=len, default=[])
    if len(walk) < 2:
        return None
    return _at_request(well, lambda _, __: walk[0].answer, walk[-1])


def _is_led(first: Asked, second: Asked) -> bool:
    """Whether the first answer names the second request: by a cursor, or by its URL."""
    (path, _, before), (further, _, after) = first.target.partition("?"), second.target.partition("?")
    if path != further:
        return False
    query = set(after.split("&")) - set(before.split("&"))
    values = [unquote(each.partition("=")[2]) for each in query]
    long = [value for value in values if len(value) > 5]
    return bool(long) and all(value in unquote(first.answer.body.decode(errors="replace")) for value in long)


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
    if run.status not in (0, 1):
        yield f"exit {run.status}: {run.stderr[-300:]}"
    records = run.records(well.stream.name)
    lost = [orjson.loads(text) for text in missing(records, well.truth)]
    if beyond := [record for record in lost if not found.may_miss(record)]:
        yield f"{len(beyond)} records are missing that the fault did not touch, as {comparable(beyond[0])[:300]}"
    untrue = [record for record in records if missing([*well.truth], [record])]
    # A tap may know a name for what has none, and may leave off what the API does not understand.
    stands_in = kind == "keyless" and len(untrue) == 1 and len(records) == len(well.truth)
    leaves_off = kind == "unwelcome" and well.stream.fetch is not None and f"{well.stream.name}: " in run.stderr
    if untrue and kind != "broken" and not (stands_in or leaves_off):
        yield f"{len(untrue)} records are not true, as {comparable(untrue[0])[:300]}"
    if kind in ROWS and well.stream.transform is None and well.stream.fetch is None and len(lost) > 1:
        yield f"{len(lost)} records are missing for one row"
    yield from _unwritten(well, records, asked, found)
    yield from _told(well, kind, found, run, bool(lost and not stands_in))


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
    closing = said[said.rfind("\nstream ") :]
    if is_missing and run.status == 0:
        may = kind in ("gone", "unavailable", "broken") or (well.stream.optional and found.whole)
        may = may or (kind == "unwelcome" and well.stream.fetch is not None)
        if not may:
            yield f"records are missing, and the exit code is 0: {closing[-300:]}"
        elif kind != "broken" and not any(name in said for name in found.names):
            yield f"what is missing is not named: {closing[-300:]}"
    if kind == "unavailable" and run.status != 0:
        yield f"what the plan lacks is no failure: {closing[-300:]}"
    if run.status == 1:
        lines = [line for line in closing.splitlines() if line.startswith(f"{well.account.tap.name}: ")]
        if not any(name in line for line in lines for name in found.names):
            yield f"none of {', '.join(found.names)} is named at the end: {lines[:5]}"


def _in_vain(kind: str, found: Fault, met: Sequence[str]) -> Iterator[str]:
    if len(met) > found.most:
        yield f"{len(met)} requests were made in vain"
    (target, count), *_ = Counter(met).most_common(1)
    most = TRIES if kind not in REFUSALS else 2
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
    if lost:
        yield f"{len(lost)} records are missing still after the next run, as {comparable(lost[0])[:300]}"


def _saved_place(well: Healthy, folder: Path) -> list[str]:
    """A walk is broken off, and the place that was kept of it is refused."""
    box, name = well.account.box, well.stream.name
    if not well.asked:
        return [""]
    broken = _at_request(well, Refusal(500), well.asked[-1])
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
