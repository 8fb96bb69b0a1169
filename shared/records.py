"""One record made to fit its schema and the selected fields.

What fits is compiled once per stream: walking the schema for every record, as singer-python's Transformer does, manages
3,000 records a second; the code generated here checks each value's class in place and calls a function only where a
value is not yet what the schema wants (`benchmarks/pipeline.py` has the figures). The rules are in the functions called
then (`_integer`, `_string`, …): lossless, or null with the value kept in `_extra`. Rows are changed in place and may
share no nested objects.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from .errors import SchemaError
from .schema import ACCOUNT, EXTRA, type_of
from .timestamps import WIRES

if TYPE_CHECKING:
    from .catalog import Selection

Record = dict[str, Any]
Path = tuple[str | None, ...]
"""Names from the record down to a value; None stands for the position in an array."""
At = tuple[int, ...]
"""The positions that fill a Path's Nones."""
Fix = Callable[[Any, Record, At], Any]

HIGHEST = 2**63 - 1
LOWEST = -(2**63)

# --- from bytes ----------------------------------------------------------------------------------------------------

_DIGITS = bytes(ord("0") if chr(code).isdigit() else code for code in range(128)) + bytes(range(128, 256))
_WIDE_RUN = b"0" * 19
_RUN = re.compile(rb"[0-9]+")
_BEFORE_NUMBERS = frozenset(b":,[- \t\r\n")
_NUL = re.compile(rb"\\u0000")  # more than twice as fast as `in`


def parse(content: bytes) -> tuple[Any, bool]:
    """The JSON value in `content`, and whether its records need care when they are fitted.

    Care is needed where a value may hold what most targets cannot take: U+0000, lone surrogates, NaN, infinity,
    integers beyond 64 bits. Raises ValueError for anything that is not JSON.
    """
    if _has_wide_number(content):
        return _parse_anything(content), True
    try:
        return orjson.loads(content), b"\\" in content and _NUL.search(content) is not None
    except orjson.JSONDecodeError:
        return _parse_anything(content), True


def _has_wide_number(content: bytes) -> bool:
    """Whether there are numbers of 19 digits and more: orjson turns those beyond 2^64 into floats without a word.

    Runs of digits are found by making all digits alike, ten times as fast as by a regular expression. Most are hashes
    or ids in strings, which the byte before tells.
    """
    alike = content.translate(_DIGITS)
    start = alike.find(_WIDE_RUN)
    while start >= 0:
        if start == 0 or content[start - 1] in _BEFORE_NUMBERS:
            return True
        run = _RUN.match(content, start)
        start = alike.find(_WIDE_RUN, run.end() if run else len(content))
    return False


def _parse_anything(content: bytes) -> Any:
    """JSON as APIs write it: with NaN, lone surrogates, raw control characters, bytes that are no UTF-8, a BOM."""
    encoding = json.detect_encoding(content)
    try:
        text = content.decode(encoding, "surrogatepass")
    except UnicodeDecodeError:
        text = content.decode(encoding, "surrogateescape")  # each bad byte a lone surrogate, replaced when fitted
    try:
        return json.loads(text, strict=False, parse_int=_parse_integer)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error


def _parse_integer(digits: str) -> int | str:
    # CPython refuses to read integers of more than 4,300 digits; as text nothing is lost.
    return int(digits) if len(digits) <= 1000 else digits


# --- what any target can take --------------------------------------------------------------------------------------

REPLACED = "characters that targets cannot store were replaced by U+FFFD"
NOT_FINITE = "NaN or infinity became null"
WIDE = "integers beyond 2^63 became text"


def clean(value: Any, found: list[str]) -> Any:
    """`value`, free of what targets cannot take, at any depth; what had to be changed is added to `found`."""
    todo = [value] if value.__class__ in (dict, list) else []
    while todo:
        node = todo.pop()
        if node.__class__ is dict:
            if not all(name.isascii() and "\0" not in name for name in node):
                members = [(_clean_text(name, found), member) for name, member in node.items()]
                node.clear()
                node.update(members)
            places: Iterable[tuple[Any, Any]] = node.items()
        else:
            places = enumerate(node)
        for place, member in places:
            if member.__class__ in (dict, list):
                todo.append(member)
            else:
                node[place] = _clean_scalar(member, found)
    return value if value.__class__ in (dict, list) else _clean_scalar(value, found)


def _clean_scalar(value: Any, found: list[str]) -> Any:
    if value.__class__ is str:
        return _clean_text(value, found)
    if value.__class__ is float and value - value != 0:
        found.append(NOT_FINITE)
        return None
    if value.__class__ is int and not LOWEST <= value <= HIGHEST:
        found.append(WIDE)
        return str(value)
    return value


def _clean_text(text: str, found: list[str]) -> str:
    if "\0" not in text:
        if text.isascii():
            return text
        try:
            text.encode()
            return text
        except UnicodeEncodeError:
            pass
    found.append(REPLACED)
    # Through UTF-16, so that two surrogates which belong together become the character they mean.
    return text.replace("\0", "\ufffd").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


# --- one value into its type: the value, or MISFIT ------------------------------------------------------------------

MISFIT = object()
_INTEGER = re.compile(r"(-?(?:0|[1-9][0-9]{0,18}))(?:\.0{1,20})?")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,60})(?:\.[0-9]{1,60})?(?:[eE][+-]?[0-9]{1,3})?")
_FRACTION = re.compile(r"\.([0-9]{1,6})(?:Z|\+00:00)")
_SEPARATORS = ("--T::", "-- ::")
_WHOLE_SECONDS = dict.fromkeys(("+00:00", " +00:00", "Z"), ".000000Z")
_fromisoformat = datetime.fromisoformat


def _string(value: Any) -> Any:
    if value.__class__ is str:
        return value
    if value.__class__ is float and value - value != 0:
        return MISFIT
    return _json_text(value)


def _json_text(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # beyond 64 bits, or nested deeper than orjson goes
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _integer(value: Any) -> Any:
    if value.__class__ is float and value.is_integer():
        value = int(value)
    elif value.__class__ is str and (match := _INTEGER.fullmatch(value)):
        value = int(match[1])
    return value if value.__class__ is int and LOWEST <= value <= HIGHEST else MISFIT


def _number(value: Any) -> Any:
    if value.__class__ is str and _NUMBER.fullmatch(value):
        exact = Decimal(value)
        if (whole := _integer(value)) is not MISFIT:
            return whole
        value = float(value)
        return value if value - value == 0 and exact == Decimal(repr(value)) else MISFIT
    if value.__class__ is float:
        return value if value - value == 0 else MISFIT
    if value.__class__ is not int:
        return MISFIT
    if LOWEST <= value <= HIGHEST:
        return value
    try:
        return float(value) if float(value) == value else MISFIT
    except OverflowError:
        return MISFIT


def _boolean(value: Any) -> Any:
    if value.__class__ is bool:
        return value
    return {"true": True, "false": False}.get(value, MISFIT) if value.__class__ is str else MISFIT


def _date_time(value: Any, read: Callable[[Any], str | None] = WIRES["date-time"]) -> Any:
    if value.__class__ is str:
        if not value:
            return None
        if value[4:17:3] in _SEPARATORS:
            tail = _WHOLE_SECONDS.get(value[19:])
            if tail is None and (match := _FRACTION.fullmatch(value, 19)):
                tail = f".{match[1]:0<6}Z"
            if tail is not None:
                try:
                    _fromisoformat(value[:19])
                except ValueError:
                    return MISFIT
                return f"{value[:10]}T{value[11:19]}{tail}"
    try:
        result = read(value)
    except ValueError:
        return MISFIT
    return MISFIT if result is None else result


def _epoch(read: Callable[[Any], str | None]) -> Callable[[Any], Any]:
    def epoch(value: Any) -> Any:
        # Zero is how APIs that count from 1970 write "never".
        return None if value == "0" or (value == 0 and value.__class__ is not bool) else _date_time(value, read)

    return epoch


def _date(value: Any) -> Any:
    if value.__class__ is not str:
        return MISFIT
    if not value:
        return None
    try:
        date.fromisoformat(value)
    except ValueError:
        return MISFIT
    return value if len(value) == 10 and value[4::3] == "--" else MISFIT  # later Pythons read 20261101 as well


def _object(value: Any) -> Any:
    return value if value.__class__ is dict else MISFIT


def _array(value: Any) -> Any:
    return value if value.__class__ is list else MISFIT


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date-time": _date_time,
    "date": _date,
    "object": _object,
    "array": _array,
}


def converter(schema: Mapping[str, Any]) -> Callable[[Any], Any]:
    """What turns a value into the type of `schema`, or into MISFIT."""
    wire = schema.get("wire", "date-time")
    return _CONVERT[type_of(schema)] if wire == "date-time" else _epoch(WIRES[wire])


_KINDS = {
    str: "text",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    dict: "an object",
    list: "an array",
    type(None): "null",
}
_ARTICLES = {"integer": "an integer", "object": "an object", "array": "an array"}


def _kind(value: Any) -> str:
    if value.__class__ is float and value - value != 0:
        return "NaN or infinity"
    return _KINDS.get(value.__class__, "a value of another kind")


# When a value certainly fits as it stands; `v` is the value. The second form is for pages that need care.
_FITS = {
    "string": ("v.__class__ is str", 'v.__class__ is str and v.isascii() and "\\0" not in v'),
    "integer": ("v.__class__ is int", f"v.__class__ is int and {LOWEST} <= v <= {HIGHEST}"),
    "number": ("v.__class__ is float or v.__class__ is int", "v.__class__ is float and v - v == 0"),
    "boolean": ("v.__class__ is bool", "v.__class__ is bool"),
    "object": ("v.__class__ is dict", "False"),
    "array": ("v.__class__ is list", "False"),
}


# --- what is said at the end ---------------------------------------------------------------------------------------


class Problems:
    """What was nulled, replaced or not known, counted per stream, field and kind by any number of threads."""

    _FIELDS_COUNTED = 1000  # a map taken for an object with members would name a field per key
    _FIELDS_NAMED = 40

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], Counter[str]] = {}

    def add(self, stream: str, field: str, kind: str, count: int = 1) -> None:
        with self._lock:
            fields = self._counts.setdefault((stream, kind), Counter())
            if field not in fields and len(fields) >= self._FIELDS_COUNTED:
                field = "other fields"
            fields[field] += count

    def counts(self) -> dict[tuple[str, str, str], int]:
        """(stream, field, kind) → how often."""
        with self._lock:
            return {
                (stream, field, kind): count
                for (stream, kind), fields in self._counts.items()
                for field, count in fields.items()
            }

    def lines(self) -> list[str]:
        """One line for the log per stream and kind, naming the fields, the most frequent first."""
        with self._lock:
            return [self._line(stream, kind, fields) for (stream, kind), fields in sorted(self._counts.items())]

    def _line(self, stream: str, kind: str, fields: Counter[str]) -> str:
        named = [f"{_printable(field)} ({count})" for field, count in fields.most_common(self._FIELDS_NAMED)]
        if len(fields) > len(named):
            named.append(f"and {len(fields) - len(named)} more")
        return f"{stream}: {kind}: {', '.join(named)}"


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in name[:120])


# --- a stream's transform ------------------------------------------------------------------------------------------


class _Skip(Exception):
    """The record has no key, and a setting chose a key that records may lack."""


class Shape:
    """What makes a stream's records fit; compiled for `selection`, safe to share between threads.

    `strict` raises SchemaError instead of nulling or replacing. What the schema does not know goes to `_extra`, or
    with `extra_fields="report"` is only counted.
    """

    def __init__(
        self, selection: Selection, *, strict: bool = False, extra_fields: str = "column", problems: Problems
    ) -> None:
        self._rules = _Rules(selection, strict=strict, extra_fields=extra_fields, problems=problems)
        self._written = selection.written

    def fit(self, records: Iterable[Record], care: bool = True) -> list[Record]:
        """The records with the selected fields alone, each of its type; changed in place.

        `care=False` is for values that `parse` found clean. Raises SchemaError for a record without its key.
        """
        rows = records if isinstance(records, list) else list(records)
        rows = (self._fit_carefully if care else self._fit_clean)(rows)
        if self._rules.strict:
            for row in rows:
                self._validate(row)
        return rows

    @cached_property
    def _fit_clean(self) -> Callable[[list[Record]], list[Record]]:
        return _Code(self._rules, care=False).function()

    @cached_property
    def _fit_carefully(self) -> Callable[[list[Record]], list[Record]]:
        return _Code(self._rules, care=True).function()

    @cached_property
    def _validator(self) -> Any:
        from jsonschema import Draft4Validator

        return Draft4Validator(self._written)

    def _validate(self, row: Record) -> None:
        for error in self._validator.iter_errors(row):
            path = ".".join(str(part) for part in error.path)
            rules = self._rules
            raise SchemaError(f"{rules.stream}: {path} breaks the schema ({error.validator}) in {rules.name(row)}")


class _Rules:
    """What is done with values that do not fit as they stand: the functions that the generated code calls."""

    def __init__(self, selection: Selection, *, strict: bool, extra_fields: str, problems: Problems) -> None:
        properties = selection.schema["properties"]
        self.stream = selection.stream.name
        self.strict = strict
        self.keys = selection.key_properties
        self.skips_keyless = selection.keyless_skipped
        self.schema = selection.schema
        self.declared = selection.declared or selection.schema
        self.account = selection.account if ACCOUNT in properties else None
        self.columns = [name for name in properties if name not in (EXTRA, ACCOUNT)]
        self.known = frozenset(self.columns)
        self._ignored = frozenset(selection.stream.ignored)
        self._deselected = frozenset(self.declared["properties"]) - frozenset(properties)
        self._problems = problems
        self._keeps_extra = extra_fields == "column" and EXTRA in properties
        kept = f"kept in {EXTRA}" if self._keeps_extra else "left out"
        self._unknown_kind = f"fields that the schema does not know, {kept}"
        self._misfit_ending = f"null, the value {kept}"

    def name(self, root: Record) -> str:
        """The record's key for an error message."""
        return "the record " + (", ".join(f"{key}={root.get(key)!r:.80}" for key in self.keys) or "(no key)")

    def _said(self, field: str, kind: str, root: Record) -> None:
        if self.strict:
            raise SchemaError(
                f"{self.stream}: {_printable(field)}: {kind}, in {self.name(root)}. "
                "Correct it at the source, deselect the field, or set `strict` to false."
            )
        self._problems.add(self.stream, field, kind)

    def _stash(self, name: str, value: Any, root: Record) -> None:
        """Keep `value` under `name` in the record's `_extra`."""
        if self._keeps_extra:
            unnamed: list[str] = []
            extra = root.setdefault(EXTRA, {})
            name = _clean_text(name, unnamed)
            while name in extra:
                name += "_"
            extra[name] = str(value) if value.__class__ is float and value - value != 0 else clean(value, unnamed)

    def tidy(self, root: Record) -> None:
        """Every selected column, no other: what is missing is null, what is unknown goes to `_extra`."""
        if root.__class__ is not dict:
            raise SchemaError(f"{self.stream}: a record is {_kind(root)}, not an object")
        if self._keeps_extra:
            # A record that was fitted before has one; an API's own column of that name is an unknown field like others.
            before = root.pop(EXTRA, None)
            if before.__class__ is dict and before:
                root[EXTRA] = before
            elif before is not None and before != {}:
                self._unknown(EXTRA, EXTRA, before, root)
        for name in [name for name in root if name not in self.known]:
            if name == EXTRA and self._keeps_extra:
                continue
            value = root.pop(name)
            if name not in self._deselected and not (name == ACCOUNT and value == self.account):
                self._unknown(name, name, value, root)
        for name in self.columns:
            if name not in root:
                root[name] = None

    def _unknown(self, field: str, name: str, value: Any, root: Record) -> None:
        if self._ignored:
            if field.rpartition(".")[2] in self._ignored:
                return
            _drop(value, self._ignored)
        self._problems.add(self.stream, field, self._unknown_kind)
        self._stash(name, value, root)

    def fixer(self, path: Path, schema: Mapping[str, Any], *, key: bool = False) -> Fix:
        """What turns a value that may not fit as it stands into one that does."""
        kind = type_of(schema)
        convert = converter(schema)
        field = _field(path)
        wanted = _ARTICLES.get(kind, f"a {kind}")

        def fix(value: Any, root: Record, at: At) -> Any:
            found: list[str] = []
            if value.__class__ in (str, dict, list):
                value = clean(value, found)
            fitted = MISFIT if value is None else convert(value)
            if fitted is MISFIT or (key and fitted is None):
                if key:
                    return self._without_key(field, value, root)
                self._said(field, f"{_kind(value)} where {wanted} was expected: {self._misfit_ending}", root)
                self._stash(_place(path, at), value, root)
                fitted = None
            for change in found:
                self._said(field, change, root)
            return fitted

        return fix

    def _without_key(self, field: str, value: Any, root: Record) -> None:
        if self.skips_keyless and value is None:
            self._problems.add(self.stream, field, "records without this part of the chosen key were left out")
            raise _Skip
        lack = "is missing" if value is None else f"holds {_kind(value)} that does not fit"
        raise SchemaError(
            f"{self.stream}: a record came without its key: {field} {lack} in {self.name(root)}. "
            "Targets cannot store it; the stream ends here."
        )

    def strays(self, path: Path, kept: frozenset[str], dropped: frozenset[str]) -> Callable[[Record, Record, At], None]:
        """What takes the members that are not `kept` out of a nested object; those not `dropped` are unknown."""
        above = _field(path)

        def stray(node: Record, root: Record, at: At) -> None:
            for name in [name for name in node if name not in kept]:
                value = node.pop(name)
                if name not in dropped:
                    self._unknown(f"{above}.{name}", f"{_place(path, at)}.{name}", value, root)

        return stray


def _drop(value: Any, names: frozenset[str]) -> None:
    """Take the members called so out of `value`, at any depth."""
    todo = [value]
    while todo:
        node = todo.pop()
        if node.__class__ is dict:
            for name in names & node.keys():
                del node[name]
            todo += node.values()
        elif node.__class__ is list:
            todo += node


def _field(path: Path) -> str:
    """A path as it is counted, one name for all positions: `opens[].timestamp`."""
    return ".".join("[]" if part is None else part for part in path).replace(".[]", "[]")


def _place(path: Path, at: At) -> str:
    """A path as it stands in `_extra`, positions included: `opens.3.timestamp`."""
    positions = iter(at)
    return ".".join(str(next(positions)) if part is None else part for part in path)


class _Code:
    """The generated function of a Shape, which says no more than what fits.

    For a stream with a key `id`, a date-time and an object with one number it reads:

        def fit(rows):
            for r in rows:
                if r.__class__ is not dict or r.keys() != known: tidy(r)
                v = r['id']
                if not (v.__class__ is str): r['id'] = c1(v, r, ())
                v = r['sent']
                if v is not None:
                    t = c2(v)
                    if t is not misfit: r['sent'] = t
                    else: r['sent'] = c3(v, r, ())
                o1 = r['stats']
                if o1.__class__ is dict:
                    if not o1.keys() <= c4: c5(o1, r, ())
                    v = o1.get('rate')
                    if not (v.__class__ is float or v.__class__ is int or v is None): o1['rate'] = c6(v, r, ())
                elif o1 is not None: r['stats'] = c7(o1, r, ())
            return rows
    """

    def __init__(self, rules: _Rules, *, care: bool) -> None:
        self._rules = rules
        self._care = care
        self._lines: list[str] = []
        self._constants: dict[str, Any] = {}

    def function(self) -> Callable[[list[Record]], list[Record]]:
        rules = self._rules
        names = self._constants
        names.update(known=rules.known, tidy=rules.tidy, account=rules.account, Skip=_Skip)
        names["misfit"] = MISFIT
        skips = rules.skips_keyless
        self._emit(0, "def fit(rows):")
        if skips:
            self._emit(1, "kept = []")
        self._emit(1, "for r in rows:")
        depth = 2
        if skips:
            self._emit(2, "try:")
            depth = 3
        self._emit(depth, "if r.__class__ is not dict or r.keys() != known: tidy(r)")
        for name in rules.columns:
            part = rules.schema["properties"][name]
            declared = rules.declared["properties"].get(name, part)
            self._emit(depth, f"v = r[{name!r}]")
            self._value(part, declared, f"r[{name!r}]", (name,), (), depth, key=name in rules.keys)
        if rules.account is not None:
            self._emit(depth, f"r[{ACCOUNT!r}] = account")
        if skips:
            self._emit(depth, "kept.append(r)")
            self._emit(2, "except Skip: pass")
        self._emit(1, "return kept" if skips else "return rows")
        code = compile("\n".join(self._lines), f"<fit {rules.stream}>", "exec")
        exec(code, names)  # noqa: S102 - it holds our own words, and names only as repr() spells them
        function: Callable[[list[Record]], list[Record]] = names["fit"]
        return function

    def _emit(self, depth: int, line: str) -> None:
        self._lines.append("\t" * depth + line)

    def _constant(self, value: Any) -> str:
        name = f"c{len(self._constants)}"
        self._constants[name] = value
        return name

    def _value(
        self,
        schema: Mapping[str, Any],
        declared: Mapping[str, Any],
        target: str,
        path: Path,
        indexes: tuple[str, ...],
        depth: int,
        *,
        key: bool = False,
    ) -> None:
        """Code that makes `v`, which stands at `target`, fit."""
        kind = type_of(schema)
        at = f"({''.join(f'{index}, ' for index in indexes)})"
        repair = f"{target} = {self._constant(self._rules.fixer(path, schema, key=key))}(v, r, {at})"
        if kind == "object" and schema.get("properties"):
            self._members(schema, declared, target, path, indexes, depth, at)
            self._emit(depth, f"elif v is not None: {repair}")
        elif kind == "array" and schema.get("items"):
            array, index = f"a{len(path)}", f"i{len(path)}"
            self._emit(depth, "if v.__class__ is list:")
            self._emit(depth + 1, f"{array} = v")
            self._emit(depth + 1, f"for {index}, v in enumerate({array}):")
            within = (*path, None)
            items, declared_items = schema["items"], declared.get("items", schema["items"])
            self._value(items, declared_items, f"{array}[{index}]", within, (*indexes, index), depth + 2)
            self._emit(depth, f"elif v is not None: {repair}")
        elif kind in _FITS:
            fits = _FITS[kind][self._care] + ("" if key else " or v is None")
            self._emit(depth, f"if not ({fits}): {repair}")
        elif key:
            self._emit(depth, repair)
        else:
            # Date-times are the costliest values and never stand as they came, so they skip the way through `fixer`.
            convert = self._constant(converter(schema))
            self._emit(depth, "if v is not None:")
            self._emit(depth + 1, f"t = {convert}(v)")
            self._emit(depth + 1, f"if t is not misfit: {target} = t")
            self._emit(depth + 1, f"else: {repair}")

    def _members(
        self,
        schema: Mapping[str, Any],
        declared: Mapping[str, Any],
        target: str,
        path: Path,
        indexes: tuple[str, ...],
        depth: int,
        at: str,
    ) -> None:
        members = schema["properties"]
        kept = frozenset(members)
        dropped = frozenset(declared.get("properties", members)) - kept
        node = f"o{len(path)}"
        self._emit(depth, "if v.__class__ is dict:")
        self._emit(depth + 1, f"{node} = v")
        stray = self._constant(self._rules.strays(path, kept, dropped))
        self._emit(depth + 1, f"if not {node}.keys() <= {self._constant(kept)}: {stray}({node}, r, {at})")
        for name, part in members.items():
            self._emit(depth + 1, f"v = {node}.get({name!r})")
            below = declared.get("properties", members).get(name, part)
            self._value(part, below, f"{node}[{name!r}]", (*path, name), indexes, depth + 1)
