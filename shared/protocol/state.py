"""Bookmarks: read, advance, resume. One shape for all taps:

    {"bookmarks": {stream: {<replication key>: value,           the plain stream's bookmark
                            "units": {unit: value | [value, mark] | [value, mark, done]},
                            "done": [[start, end], ...],         windows finished beyond the value
                            "seen": text,                        rows of an append-only stream's look-back
                            "refreshed": instant,                when the stream was last read whole (full_refresh)
                            "from": instant,                     where windows with an end (`end_date`) began
                            "resume": {...}}}}                    a pass under way

Beside `bookmarks`: `tap` and `account` say whose state it is (a salted hash of what the API calls the account), `as_of`
when the run that wrote it began, `found` how many records the last full read of a stream brought.

Values are canonical instants (UTC). A unit that is not listed was never read, unless there is a unit "*": that is where
those begin which have no bookmark of their own (an older tap kept one for all). `resume` holds `began` and `version` of
the pass, `done` (keys of the units it has finished), `followed` (unit of the parent's: the instant up to which those
below it are finished) and `units` (what a fetch hook wants back). Members this module does not know survive;
`currently_syncing` is dropped, since many streams run at once.

`marketing-taps merge-state FILE ...` prints the states of shards as one.

Knows neither HTTP nor threads: one thread changes a State, the units of a run start from the `Bookmark`s read before.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from secrets import token_hex
from typing import Any

from ..errors import StateError
from ..files import UnfitError, parsed, read_text
from ..timestamps import canonical, from_seconds, parse, shift

Span = tuple[str, str]
TOLERANCE_SECONDS = 300.0
"""Clocks that differ by no more are taken for alike."""
EARLIEST = "1900"
"""No record is older: to read on from there, or from a little before, has to be possible."""
EVERY_UNIT = "*"
_STALE = ("currently_syncing", "current_stream")


@dataclass(frozen=True, slots=True)
class Bookmark:
    """How far one unit has been read: `value`, the gate's `mark`, and windows `done` beyond the value."""

    value: str | None = None
    mark: Any = None
    done: tuple[Span, ...] = ()


def finish(bookmark: Bookmark, span: Span, *, origin: str) -> Bookmark:
    """The bookmark once the window `span` is complete; `origin` is where the windows of this read began.

    The value moves to the end of the finished prefix; what is finished beyond it is remembered, joined where it
    touches.
    """
    value = bookmark.value or origin
    done: list[Span] = []
    for start, end in sorted((*bookmark.done, span)):
        if start <= value:
            value = max(value, end)
        elif done and start <= done[-1][1]:
            done[-1] = (done[-1][0], max(done[-1][1], end))
        else:
            done.append((start, end))
    return replace(bookmark, value=value, done=tuple(done))


def later(first: str | None, second: str | None) -> str | None:
    """The later of two canonical instants; None counts as the beginning of time."""
    return max(first or "", second or "") or None


class State:
    """The state of a run. Reading never fails on what it does not know; a bookmark never moves backwards."""

    def __init__(self, value: Mapping[str, Any] | None = None) -> None:
        self._value: dict[str, Any] = {k: v for k, v in copy.deepcopy(dict(value or {})).items() if k not in _STALE}
        self._bookmarks: dict[str, Any] = self._value.setdefault("bookmarks", {})

    @classmethod
    def read(cls, value: Any) -> State:
        """The state in a parsed JSON `value`; StateError says what in it is not one."""
        if value is None:
            return cls()
        if not isinstance(value, dict):
            raise StateError(
                'state: expected a JSON object with "bookmarks"; pass the last STATE that the target wrote'
            )
        bookmarks = value.get("bookmarks", {})
        if bookmarks is None:
            bookmarks = {}
        if not isinstance(bookmarks, dict):
            raise StateError('state: "bookmarks" is not an object; pass the last STATE that the target wrote')
        for stream, entry in bookmarks.items():
            _check(entry, _ENTRY, f"bookmarks.{stream}")
        import orjson  # here, since `--about` has no use for it

        try:
            orjson.dumps(value)
        except TypeError as error:  # a lone surrogate, an integer beyond 64 bits
            raise StateError(f"state: holds what no STATE can ({error}); correct it or run without state") from None
        return cls({**value, "bookmarks": bookmarks})

    def belong(self, tap: str, account: str | None, streams: Iterable[str]) -> None:
        """Note that the state is that of `tap` and `account`, by the name that the API gives it; StateError when it is
        another's. `streams` are the names of the tap's.
        """
        of = self._value.get("tap")
        is_strange = self._bookmarks and not set(streams) & set(self._bookmarks)
        if (of is not None and of != tap) or (of is None and is_strange):
            whose = f"of {shown(of)}" if of else f"of another tap: {tap} has none of its streams"
            raise StateError(f"state: it is {whose}. Give {tap} its own state, or none")
        self._value["tap"] = tap
        if account is None:
            return
        salt, _, known = str(self._value.get("account") or "").partition(":")
        if known and known != _hash(salt, tap, account):
            raise StateError(
                "state: it is that of another account, whose bookmarks say nothing of this one. Give each account a "
                'state of its own; if they are one all the same, delete "account" from the state'
            )
        if not known:
            salt = token_hex(8)
            self._value["account"] = f"{salt}:{_hash(salt, tap, account)}"

    def begin(self, now: str, keys: Mapping[str, str | None]) -> list[str]:
        """Note that a run begins `now`; a sentence for each stream (of `keys`, which name its replication key) whose
        bookmark lies in the future: that is taken back to what the state can vouch for.
        """
        found = []
        late = shift(now, TOLERANCE_SECONDS)
        vouched = _instant(self._value.get("as_of"), "as_of")
        if vouched and vouched > late:
            vouched = None
        for stream, key in keys.items():
            latest = self._take_back(stream, key, late, vouched)
            if latest:
                found.append(
                    f"{stream}: its bookmark {latest} lies in the future (it is {now}); it is read again from "
                    f"{vouched or 'the beginning'}"
                )
        self._value["as_of"] = now
        return found

    def _take_back(self, stream: str, key: str | None, late: str, vouched: str | None) -> str | None:
        """The latest of a stream's instants that lay beyond `late`, all of which become `vouched`; None: none did."""
        entry = self._entry(stream)
        beyond: list[str] = []
        for unit in ("", *(entry.get("units") or ())):
            known = self.get(stream, key, unit)
            wrong = [
                instant for instant in (known.value, *(end for _, end in known.done)) if instant and instant > late
            ]
            if not wrong:
                continue
            beyond += wrong
            value = vouched if known.value and known.value > late else known.value
            done = tuple(
                (start, min(end, vouched or "") if end > late else end)
                for start, end in known.done
                if end <= late or (vouched and start < vouched)
            )
            if unit:
                entry["units"].pop(unit, None)
            elif key:
                entry.pop(key, None)
            self._store(stream, key, unit, replace(known, value=value, done=done))
        if (refreshed := _instant_or_none(entry.get("refreshed"))) and refreshed > late:
            beyond.append(refreshed)
            entry.pop("refreshed")
        resume = entry.get("resume") or {}
        for name, followed in list((resume.get("followed") or {}).items()):
            if followed > late:
                beyond.append(followed)
                del resume["followed"][name]
        return max(beyond, default=None)

    @property
    def value(self) -> dict[str, Any]:
        """The state as it goes into a STATE message; not to be changed."""
        return self._value

    def get(self, stream: str, key: str | None, unit: str = "") -> Bookmark:
        """The bookmark of a stream's `unit` ("" for a plain stream), whose value stands under replication `key`."""
        entry = self._entry(stream)
        where = f"bookmarks.{stream}.{f'units.{unit}' if unit else key}"
        if not unit:
            return Bookmark(
                _instant(entry.get(key), where) if key else None, entry.get("mark"), _spans(entry.get("done"), where)
            )
        units = entry.get("units")
        if units is not None and not isinstance(units, dict):
            raise StateError(
                f"state: bookmarks.{shown(stream)}.units is not an object; correct it or run without state"
            )
        found = (units or {}).get(unit, (units or {}).get(EVERY_UNIT))
        parts = list(found) if isinstance(found, list) else [found]
        value, mark, done = (*parts, None, None, None)[:3]
        return Bookmark(_instant(value, where), mark, _spans(done, where))

    def latest(self, stream: str, key: str | None) -> str | None:
        """The latest bookmark of a stream and of its units."""
        units = self._entry(stream).get("units")
        found = [self.get(stream, key, name).value for name in ("", *(units if isinstance(units, dict) else ()))]
        return max((value for value in found if value), default=None)

    def put(self, stream: str, key: str | None, unit: str, bookmark: Bookmark, *, to_the_minute: bool = False) -> None:
        """Store a unit's bookmark; its value never moves backwards, but for the seconds that `to_the_minute` drops."""
        value = later(bookmark.value, self.get(stream, key, unit).value)
        if value and to_the_minute:
            value = f"{value[:16]}Z"
        self._store(stream, key, unit, replace(bookmark, value=value))

    def clamp(self, stream: str, key: str | None, now: str) -> None:
        """Take what a wrong clock put into the future back to `now`: nothing of it was read."""
        units = self._entry(stream).get("units")
        for unit in ("", *(units if isinstance(units, dict) else ())):
            known = self.get(stream, key, unit)
            done = tuple((start, min(end, now)) for start, end in known.done if start < now)
            value = min(known.value, now) if known.value else None
            if (value, done) != (known.value, known.done):
                self._store(stream, key, unit, replace(known, value=value, done=done))

    def _store(self, stream: str, key: str | None, unit: str, bookmark: Bookmark) -> None:
        entry, value = self._open(stream), bookmark.value
        if unit:
            parts = [value, bookmark.mark, [list(span) for span in bookmark.done] or None]
            while len(parts) > 1 and parts[-1] is None:
                parts.pop()
            if parts != [None]:
                entry.setdefault("units", {})[unit] = parts if len(parts) > 1 else value
            return
        if key and value:
            entry[key] = value
        for name, member in (("mark", bookmark.mark), ("done", [list(span) for span in bookmark.done] or None)):
            if member is None:
                entry.pop(name, None)
            else:
                entry[name] = member

    def advance(self, stream: str, key: str | None, unit: str, value: str | None) -> None:
        """Move a unit's bookmark to `value`, if that is later."""
        if value:
            self.put(stream, key, unit, replace(self.get(stream, key, unit), value=value))

    def check(self, stream: str, key: str | None) -> None:
        """Read all bookmarks of a stream once; StateError names the first that cannot be read."""
        self.get(stream, key)
        for unit in self._entry(stream).get("units") or ():
            self.get(stream, key, unit)

    def member(self, stream: str, name: str) -> Any:
        """What stands under `name` of a stream's entry ("resume", "refreshed"), None if nothing."""
        return self._entry(stream).get(name)

    def set_member(self, stream: str, name: str, value: Any) -> None:
        """Put `value` under `name` of a stream's entry; an empty one takes the name out."""
        if value:
            self._open(stream)[name] = value
        elif stream in self._bookmarks:
            self._entry(stream).pop(name, None)
            if not self._bookmarks[stream]:
                del self._bookmarks[stream]

    def found(self, stream: str, count: int) -> int:
        """Note what a full read of a stream has brought; what the one before did."""
        known = self._value.get("found")
        counts: dict[str, Any] = known if isinstance(known, dict) else {}
        before = counts.get(stream)
        self._value["found"] = {**counts, stream: count}
        return before if before.__class__ is int else 0

    def forget(self, stream: str) -> None:
        """Drop all that is known of a stream."""
        self._bookmarks.pop(stream, None)

    def adopt(self, streams: Mapping[str, Iterable[str]]) -> None:
        """Take over what stands under the other names of `streams` (name -> aliases), unless a stream has an entry."""
        for name, aliases in streams.items():
            for alias in aliases:
                if alias in self._bookmarks and alias not in streams:
                    self._bookmarks.setdefault(name, self._bookmarks.pop(alias))

    def _entry(self, stream: str) -> dict[str, Any]:
        entry = self._bookmarks.get(stream)
        if entry is None:
            return {}
        if not isinstance(entry, dict):
            raise StateError(f"state: bookmarks.{shown(stream)} is not an object; correct it or run without state")
        return entry

    def _open(self, stream: str) -> dict[str, Any]:
        self._entry(stream)
        opened: dict[str, Any] = self._bookmarks.setdefault(stream, {})
        return opened


def merge(states: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The union of the states of shards: other streams, other units, other spans of time; in any order.

    Where shards read spans of one stream, each said `from` when it had begun: what they finished is put together, and
    the value is the end of what is finished without a gap. Elsewhere the later value wins where they meet.
    """
    merged: dict[str, Any] = {}
    vouched: list[str] = []
    for state in states:
        vouched += [state["as_of"]] if isinstance(state.get("as_of"), str) else []
        merged = _union(merged, state, depth=0)
    return {**merged, "as_of": min(vouched)} if vouched else merged


def _union(a: Any, b: Any, depth: int) -> Any:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        if depth == STREAM_DEPTH and "from" in a and "from" in b:
            return _spliced(a, b)
        return {k: _union(a[k], b[k], depth + 1) if k in a and k in b else a.get(k, b.get(k)) for k in sorted({*a, *b})}
    return max((a, b), key=lambda value: (value is not None, str(value)))


STREAM_DEPTH = 2
"""Of a stream's entry: state, bookmarks, stream."""
_OTHER_MEMBERS = {"units", "done", "refreshed", "resume", "mark", "seen", "from"}


def _spliced(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    """Two shards' entries of one stream, read by windows of time."""
    merged: dict[str, Any] = _union({**a, "from": None}, {**b, "from": None}, depth=STREAM_DEPTH + 1)
    origin = merged["from"] = min(a["from"], b["from"])
    for key in {*a, *b} - _OTHER_MEMBERS:
        found = _folded(origin, [(entry["from"], entry.get(key), entry.get("done")) for entry in (a, b)])
        merged[key], merged["done"] = found.value, [list(span) for span in found.done]
    if not merged.get("done"):
        merged.pop("done", None)
    for unit in {**(a.get("units") or {}), **(b.get("units") or {})}:
        parts = []
        for entry in (a, b):
            kept = (entry.get("units") or {}).get(unit)
            value, _, done = (*(kept if isinstance(kept, list) else [kept]), None, None, None)[:3]
            parts.append((entry["from"], value, done))
        known = _folded(origin, parts)
        kept = merged["units"][unit]
        mark = kept[1] if isinstance(kept, list) and len(kept) > 1 else None
        packed = [known.value, mark, [list(span) for span in known.done] or None]
        while len(packed) > 1 and packed[-1] is None:
            packed.pop()
        merged["units"][unit] = packed if len(packed) > 1 else known.value
    return merged


def _folded(origin: str, parts: Iterable[tuple[str, str | None, Any]]) -> Bookmark:
    """What shards have finished, as one bookmark that begins at `origin`."""
    spans = [span for _, _, done in parts for span in _spans(done, "done")]
    spans += [(begun, value) for begun, value, _ in parts if value and value > begun]
    bookmark = Bookmark(value=origin)
    for span in spans:
        bookmark = finish(bookmark, span, origin=origin)
    return bookmark


# Files


def read_file(path: str) -> Any:
    """The state in a file: bare, as a whole STATE message, or as the last STATE among the lines of an output."""
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise StateError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if not text.strip():
        return {}  # what a first run's redirection leaves behind when nothing was loaded
    try:
        return _unwrapped(parsed(text))
    except UnfitError as error:
        problem = error
    # At newlines alone: a text in an output may hold other characters that Python takes for the end of a line.
    for line in reversed(text.split("\n")):
        try:
            value = parsed(line)
        except UnfitError:
            continue  # an output that was broken off ends in half a line
        if isinstance(value, dict) and value.get("type", "STATE") == "STATE":
            return _unwrapped(value)
    raise StateError(f"{path} is neither a state nor an output with a STATE line in it: {problem}.")


def _unwrapped(value: Any) -> Any:
    if isinstance(value, dict) and value.get("type") == "STATE":
        if not isinstance(value.get("value"), dict):
            raise StateError("state: the STATE message has no value; pass the last STATE that the target wrote")
        return value["value"]
    return value


# Shapes


_ENTRY: dict[str, Any] = {
    "units": {"*": None},
    "done": list,
    "seen": str,
    "refreshed": str,
    "from": str,
    "resume": {"began": str, "done": list, "units": {"*": None}, "followed": {"*": str}, "version": int},
}
"""The members of a stream's entry that have a shape of their own; `*` stands for any name, None for anything."""


def _check(value: Any, shape: Any, where: str) -> None:
    """Raises StateError where `value` is neither null nor of that shape."""
    if value is None or shape is None:
        return
    kind = dict if isinstance(shape, dict) else shape
    if not isinstance(value, kind) or isinstance(value, bool):
        names = {dict: "an object", list: "a list", str: "text", int: "a whole number"}
        raise StateError(f"state: {shown(where)} is not {names[kind]}; correct it or run without state")
    if kind is list and where.endswith("resume.done") and not all(isinstance(each, str) for each in value):
        raise StateError(f"state: {shown(where)} is not a list of texts; correct it or run without state")
    if kind is dict:
        for name, member in shape.items():
            for each in value if name == "*" else {name} & value.keys():
                _check(value[each], member, f"{where}.{each}")


def shown(value: Any) -> str:
    """The beginning of `value`, for an error."""
    text = str(value)
    return text if len(text) <= 120 else f"{text[:119]}…"


def _hash(salt: str, tap: str, account: str) -> str:
    return sha256(f"{salt}:{tap}:{account}".encode("utf-8", "replace")).hexdigest()[:32]


def _instant(value: Any, where: str) -> str | None:
    if value is None or value == "":
        return None
    try:
        read = canonical(parse(value)) if isinstance(value, str) else None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            read = from_seconds(value)
        if read and read >= EARLIEST:
            return read
    except (ValueError, OverflowError):
        pass
    raise StateError(f"state: {shown(where)}: {_begun(value)!r} is not a date-time; correct it or delete this bookmark")


def _begun(value: Any) -> str:
    try:
        return str(value)[:60]
    except ValueError:  # an integer of thousands of digits
        return "a number"


def _instant_or_none(value: Any) -> str | None:
    try:
        return _instant(value, "")
    except StateError:
        return None


def _spans(value: Any, where: str) -> tuple[Span, ...]:
    if not value:
        return ()
    try:
        spans: Sequence[Sequence[Any]] = value
        return tuple((_instant(start, where) or "", _instant(end, where) or "") for start, end in spans)
    except (TypeError, ValueError):
        raise StateError(
            f"state: {shown(where)}: its finished windows are not [[start, end], ...]; delete them"
        ) from None
