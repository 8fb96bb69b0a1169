"""What a stream asks when all is well, and what it is answered: where its requests and its rows are found.

The sandbox keeps both; the log at DEBUG tells which stream asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ..sandbox import WHEN_READ, Answer, Call, Sandbox
from ..streams import Record, Stream
from ..sync.paging import located
from ..tap import Tap
from .inside import run_inside
from .runs import Result
from .taps import sandbox_of, tap_of

SPEED = 300
"""The sandbox's clock, and with it the waits."""


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


def asked_by(call: Call, answer: Answer) -> Asked:
    """The request as it stands in the record."""
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
            asked.append(asked_by(call, answer))
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
    # What is asked before it starts is asked for its columns, which it can do without.
    for line in re.finditer(
        r"^DEBUG (\S+): ([A-Z]+) (\S+) (?:\d{3}|no answer) ", _since_start(result.stderr, name), re.MULTILINE
    ):
        owners.setdefault((line[2], _whole_path(package, line[3])), set()).add(line[1])
    shapes: dict[tuple[str, str], set[str]] = {}
    for (method, path), names in owners.items():
        shapes.setdefault((method, _shape(path)), set()).update(names)
    own = frozenset(shape for shape, names in shapes.items() if names == {name}) - _of_no_stream(
        package, name, folder, result.stderr
    )
    stream = next(each for each in found.tap.streams if each.name == name)
    whole = Healthy(found, stream, own, asked, _timeless(found, name, result.records(name)), result.keys(name))
    each_once = {each.identity: each for each in asked if whole.owns(each)}
    return replace(whole, asked=tuple(each_once.values()))


def _since_start(log: str, name: str) -> str:
    return log[max(log.find(f"INFO {name}: started"), 0) :]


def _of_no_stream(package: str, name: str, folder: Path, log: str) -> frozenset[tuple[str, str]]:
    """Requests that belong to no stream are told of as the account's; so are those of a stream that is called so."""
    if name != "account":
        return _told_as_the_accounts(package, log)
    return _account_shapes(package, folder)


@cache
def _account_shapes(package: str, folder: Path) -> frozenset[tuple[str, str]]:
    found = account(package)
    other = next(each.name for each in found.tap.streams if not each.hidden and each.name != "account")
    result, _ = found.run(other, folder)
    found.box.heal()
    return _told_as_the_accounts(package, result.stderr)


def _told_as_the_accounts(package: str, log: str) -> frozenset[tuple[str, str]]:
    told = re.findall(r"^DEBUG account: ([A-Z]+) (\S+) ", log, re.MULTILINE)
    return frozenset((method, _shape(_whole_path(package, path))) for method, path in told)


def _whole_path(package: str, path: str) -> str:
    """A path of the log as the sandbox sees it."""
    prefix = account(package).box.prefix
    return prefix + path.removeprefix(prefix)


def _timeless(account: Account, name: str, records: Sequence[Record]) -> list[Record]:
    """The records, without the instant of the run where they hold it, which the sandbox's own truth tells."""
    told = account.box.truth(name, {**account.box.settings, **account.config})[:1] if records else []
    timed = {column: value for record in told for column, value in record.items() if value == WHEN_READ}
    return [{**record, **timed} for record in records]


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
    names = {*stream.key_properties} - {key for parent in stream.parents for key in parent.keys}
    return next((each for each in lists if names & each[2][0].keys()), None)


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
