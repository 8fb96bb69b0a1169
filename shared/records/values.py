"""Values as APIs write them, made into what targets can take: parsing, cleaning, and casting into a schema's type.

Casting is lossless or ends in MISFIT.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec
import orjson

from ..protocol.schema import type_of
from ..timestamps import WIRES

HIGHEST = 2**63 - 1
LOWEST = -(2**63)

# --- from bytes ----------------------------------------------------------------------------------------------------

_ALIKE = bytes(
    ord("0") if chr(code).isdigit() else ord(":") if chr(code) in ":,[- \t\r\n" else code for code in range(128)
) + bytes(range(128, 256))
_WIDE_NUMBER = b":" + b"0" * 19
PART = 16 * 1024  # bytes that are looked through at once
_NUL = re.compile(rb"\\u0000")  # more than twice as fast as `in`


def parse(content: bytes, wanted: Any = Any) -> tuple[Any, bool]:
    """The JSON value in `content`, and whether its records need care when they are fitted.

    Care is needed where a value may hold what most targets cannot take: U+0000, lone surrogates, NaN, infinity,
    integers beyond 64 bits. `wanted` is a type whose TypedDicts name the members that are of use; others are not
    built, unless the value has another shape. Raises ValueError for anything that is not JSON.
    """
    try:
        value = _decoded(content, wanted)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _parse_anything(content), True
    return value, _has_wide_number(content) or (b"\\" in content and _NUL.search(content) is not None)


def _decoded(content: bytes, wanted: Any) -> Any:
    try:
        return _decoder(wanted).decode(content)
    except msgspec.ValidationError:
        return _decoder(Any).decode(content)


_decoder = lru_cache(msgspec.json.Decoder)


def _has_wide_number(content: bytes) -> bool:
    """Whether there are numbers of 19 digits and more.

    They are found by making all digits alike, and all bytes that may stand before a number: five times as fast as by a
    regular expression. Most long runs of digits are hashes or ids in strings, which the byte before tells. Part by
    part, since a copy of the whole page would be fresh memory.
    """
    for start in range(0, len(content), PART):
        if _WIDE_NUMBER in content[start : start + PART + len(_WIDE_NUMBER) - 1].translate(_ALIKE):
            return True
    return len(content) > 18 and content[:19].isdigit()


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
            for name in node:
                if not name.isascii() or "\0" in name:
                    members = [(clean_text(each, found), member) for each, member in node.items()]
                    node.clear()
                    node.update(members)
                    break
            places: Iterable[tuple[Any, Any]] = node.items()
        else:
            places = enumerate(node)
        for place, member in places:
            kind = member.__class__
            if kind is str:
                if not member.isascii() or "\0" in member:
                    node[place] = clean_text(member, found)
            elif kind is dict or kind is list:
                todo.append(member)
            elif kind is float or kind is int:
                node[place] = _clean_scalar(member, found)
    return value if value.__class__ in (dict, list) else _clean_scalar(value, found)


def _clean_scalar(value: Any, found: list[str]) -> Any:
    if value.__class__ is str:
        return clean_text(value, found)
    if value.__class__ is float and value - value != 0:
        found.append(NOT_FINITE)
        return None
    if value.__class__ is int and not LOWEST <= value <= HIGHEST:
        found.append(WIDE)
        return str(value)
    return value


def clean_text(text: str, found: list[str]) -> str:
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
    return value if value.__class__ is dict else {} if value == [] else MISFIT  # so PHP writes an empty map


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
ARTICLES = {"integer": "an integer", "object": "an object", "array": "an array"}


def kind_of(value: Any) -> str:
    if value.__class__ is float and value - value != 0:
        return "NaN or infinity"
    return _KINDS.get(value.__class__, "a value of another kind")


surrogate = re.compile("[\ud800-\udfff]").search

# When a value certainly fits as it stands: `v` is the value, `surrogate` the function above. The second form is for
# pages that need care.
FITS = {
    "string": ("v.__class__ is str", 'v.__class__ is str and "\\0" not in v and (v.isascii() or surrogate(v) is None)'),
    "integer": ("v.__class__ is int", f"v.__class__ is int and {LOWEST} <= v <= {HIGHEST}"),
    "number": ("v.__class__ is float or v.__class__ is int", "v.__class__ is float and v - v == 0"),
    "boolean": ("v.__class__ is bool", "v.__class__ is bool"),
    "object": ("v.__class__ is dict", "False"),
    "array": ("v.__class__ is list", "False"),
}
