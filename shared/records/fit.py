"""One record made to fit its schema and the selected fields.

What fits is compiled once per stream: walking the schema for every record, as singer-python's Transformer does, manages
3,000 records a second; the code generated here checks each value's class in place and calls a function only where a
value is not yet what the schema wants (`benchmarks/pipeline.py` has the figures). The rules are in the functions called
then (`shared.values`): lossless, or null with the value kept in `_extra`. Rows are changed in place and may
share no nested objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from hashlib import blake2b
from types import CodeType
from typing import TYPE_CHECKING, Any

from ..errors import SchemaError
from ..protocol.schema import ACCOUNT, EXTRA, type_of
from .misfits import Misfits, printable
from .values import ARTICLES, FITS, MISFIT, clean, clean_text, converter, kind_of, surrogate

if TYPE_CHECKING:
    from ..protocol.selection import Selection

Record = dict[str, Any]
Path = tuple[str | None, ...]
"""Names from the record down to a value; None stands for the position in an array."""
At = tuple[int, ...]
"""The positions that fill a Path's Nones."""
Fix = Callable[[Any, Record, At], Any]


class _Skip(Exception):
    """The record has no key: it is left out."""


class Shape:
    """What makes a stream's records fit; compiled for `selection`, safe to share between threads.

    `strict` raises SchemaError instead of nulling or replacing. What the schema does not know goes to `_extra`, or
    with `extra_fields="report"` is only counted.
    """

    def __init__(
        self, selection: Selection, *, strict: bool = False, extra_fields: str = "column", misfits: Misfits
    ) -> None:
        self._rules = _Rules(selection, strict=strict, extra_fields=extra_fields, misfits=misfits)
        self._written = selection.written

    def prepare(self) -> None:
        """Compile what the first `fit` would have to."""
        _ = self._fit_clean, self._fit_carefully

    def fit(self, records: Iterable[Record], care: bool = True) -> list[Record]:
        """The records with the selected fields alone, each of its type; changed in place.

        `care=False` is for values that `parse` found clean. A record without its key is left out and counted.
        """
        rows = records if isinstance(records, list) else list(records)
        rows = (self._fit_carefully if care else self._fit_clean)(rows)
        if self._rules.strict:
            for row in rows:
                self._validate(row)
        return rows

    def leave_out(self, row: Any, why: str) -> bool:
        """Count a raw row that cannot be written; False."""
        return self._rules.leave_out(row, why)

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

    def __init__(self, selection: Selection, *, strict: bool, extra_fields: str, misfits: Misfits) -> None:
        properties = selection.schema["properties"]
        self.stream = selection.stream.name
        self.strict = strict
        self.keys = selection.key_properties
        self.skips_keyless = selection.keyless_skipped
        injected = {name for parent in selection.stream.parents if parent.inject for name in parent.keys}
        own = [name for name in self.keys if name not in injected]
        are_texts = all(type_of(properties[name]) == "string" and "format" not in properties[name] for name in own)
        self.own_keys = own if are_texts else []
        self.schema = selection.schema
        self.declared = selection.declared or selection.schema
        self.account = selection.account if ACCOUNT in properties else None
        self.columns = [name for name in properties if name not in (EXTRA, ACCOUNT)]
        self.known = frozenset(self.columns)
        self._ignored = frozenset(selection.stream.ignored)
        self._deselected = frozenset(self.declared["properties"]) - frozenset(properties)
        self._misfits = misfits
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
                f"{self.stream}: {printable(field)}: {kind}, in {self.name(root)}. "
                "Correct it at the source, deselect the field, or set `strict` to false."
            )
        self._misfits.add(self.stream, field, kind)

    def _stash(self, name: str, value: Any, root: Record) -> None:
        """Keep `value` under `name` in the record's `_extra`."""
        if self._keeps_extra:
            unnamed: list[str] = []
            extra = root.setdefault(EXTRA, {})
            name = clean_text(name, unnamed)
            while name in extra:
                name += "_"
            extra[name] = str(value) if value.__class__ is float and value - value != 0 else clean(value, unnamed)

    def tidy(self, root: Record) -> None:
        """Every selected column, no other: what is missing is null, what is unknown goes to `_extra`."""
        if root.__class__ is not dict:
            self._misfits.leave_out(self.stream, f"{kind_of(root)} where a record was expected")
            raise _Skip
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
        self._misfits.add(self.stream, field, self._unknown_kind)
        self._stash(name, value, root)

    def fixer(self, path: Path, schema: Mapping[str, Any], *, key: bool = False) -> Fix:
        """What turns a value that may not fit as it stands into one that does."""
        kind = type_of(schema)
        convert = converter(schema)
        field = _field(path)
        wanted = ARTICLES.get(kind, f"a {kind}")

        def fix(value: Any, root: Record, at: At) -> Any:
            found: list[str] = []
            if value.__class__ in (str, dict, list):
                value = clean(value, found)
            fitted = MISFIT if value is None else convert(value)
            if fitted is MISFIT or (key and fitted is None):
                if key:
                    return self._without_key(field, value, root)
                self._said(field, f"{kind_of(value)} where {wanted} was expected: {self._misfit_ending}", root)
                self._stash(_place(path, at), value, root)
                fitted = None
            for change in found:
                self._said(field, change, root)
            return fitted

        return fix

    def _without_key(self, field: str, value: Any, root: Record) -> None:
        if self.skips_keyless and value in (None, ""):
            self._misfits.add(self.stream, field, "records without this part of the chosen key were left out")
        else:
            lack = "no" if value in (None, "") else f"{kind_of(value)} as"
            self._misfits.leave_out(self.stream, f"{lack} {field} ({self._identified(root)})")
        raise _Skip

    def require_text(self, root: Record) -> None:
        """What a record's own key holds is not all empty text."""
        if not any(root[name] for name in self.own_keys):
            self._without_key(self.own_keys[0], "", root)

    def leave_out(self, row: Any, why: str) -> bool:
        told = self._identified(row) if row.__class__ is dict else kind_of(row)
        self._misfits.leave_out(self.stream, f"{told}: {why}")
        return False

    def _identified(self, root: Record) -> str:
        """What tells people which record it is: the rest of its key, and the first short values that it has."""
        told = [name for name in self.keys if root.get(name) not in (None, "")]
        told += [
            name for name, value in root.items() if value.__class__ in (str, int) and value != "" and name not in told
        ]
        return ", ".join(f"{name} {str(root[name])[:40]}" for name in told[:3]) or "an empty record"

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


def _compiled(source: str) -> CodeType:
    """Streams of one schema, such as Klaviyo's of events, have one code: each takes a millisecond and a half."""
    key = blake2b(source.encode()).digest()  # the sources of all streams are megabytes
    if key not in _COMPILED:
        _COMPILED[key] = compile(source, "<fit>", "exec")
    return _COMPILED[key]


_COMPILED: dict[bytes, CodeType] = {}


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
        names.update(misfit=MISFIT, surrogate=surrogate)
        self._emit(0, "def fit(rows):")
        self._emit(1, "lost = False")
        self._emit(1, "for i, r in enumerate(rows):")
        self._emit(2, "try:")
        depth = 3
        self._emit(depth, "if r.__class__ is not dict or r.keys() != known: tidy(r)")
        for name in rules.columns:
            part = rules.schema["properties"][name]
            declared = rules.declared["properties"].get(name, part)
            self._emit(depth, f"v = r[{name!r}]")
            self._value(part, declared, f"r[{name!r}]", (name,), (), depth, key=name in rules.keys)
        if rules.own_keys:
            lacks = " or ".join(f"r[{name!r}]" for name in rules.own_keys)
            self._emit(depth, f"if not ({lacks}): {self._constant(rules.require_text)}(r)")
        if rules.account is not None:
            self._emit(depth, f"r[{ACCOUNT!r}] = account")
        self._emit(2, "except Skip:")
        self._emit(3, "rows[i], lost = None, True")
        self._emit(1, "return [r for r in rows if r is not None] if lost else rows")
        exec(_compiled("\n".join(self._lines)), names)  # noqa: S102 - it holds our own words, and names only as repr() spells them
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
        elif kind in FITS:
            fits = FITS[kind][self._care] + ("" if key else " or v is None")
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
