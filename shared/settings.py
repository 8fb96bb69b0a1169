"""What a setting is: declared once, which gives the JSON schema, `--about`, the README's table, casting and messages.

Where values come from and go to is `config`'s business; what a setting is for stays with whoever reads it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from .timestamps import canonical, written
from .urls import is_loopback, is_url


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One declared setting.

    name          as written in config.json; upper-cased behind the tap's name it is the environment variable
    type          string, integer, number, boolean, date-time, array or object; values may come as strings. An array of
                  strings may be a single string
    default       what stands when it is not given
    required      without it nothing works (for "one of these" use the tap's `validate`)
    secret        never shown; may be given as {"file": "path"}
    minimum, maximum
                  limits of a number, inclusive; `clamp` moves a number beyond them to the limit instead of refusing it
    options       the only values allowed (of the elements, for an array)
    pattern       a regular expression a string must match
    unset         further values that mean "not given" (older taps write 0 for "the default")
    null          null in a file is a value of its own, not "not given"
    local         of a date-time: without a zone it stays without one (`2026-01-31T00:00:00.000000`), instead of UTC
    schema        JSON Schema (draft 4) members that an array's or an object's value must fit besides
    aliases       older names, dotted where they were nested
    label         the name for people, shown by Meltano's hub
    """

    name: str
    type: str = "string"
    description: str = ""
    default: Any = None
    required: bool = False
    secret: bool = False
    minimum: float | None = None
    maximum: float | None = None
    clamp: bool = False
    options: tuple[Any, ...] = ()
    pattern: str = ""
    unset: tuple[Any, ...] = ()
    null: bool = False
    local: bool = False
    schema: Mapping[str, Any] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    label: str = ""


START_DATE = Setting(
    name="start_date",
    type="date-time",
    description="Read what changed at or after this instant: RFC 3339, a date, or MM/DD/YYYY; UTC without a zone.",
    label="Start date",
)
"""The common `start_date`; a tap that cannot do without takes `replace(START_DATE, required=True)`."""

COMMON: tuple[Setting, ...] = (
    START_DATE,
    Setting(
        name="end_date",
        type="date-time",
        description="Read nothing at or after this instant, where the API can be asked for that. Default: now.",
        label="End date",
    ),
    Setting(
        name="base_url",
        description="Another address of the API: https, or a loopback address (a sandbox, a recording proxy).",
        label="Base URL",
    ),
    Setting(name="user_agent", description="The User-Agent header. Default: the tap's name and version."),
    Setting(
        name="request_timeout",
        type="number",
        description="Seconds to wait for an answer to go on.",
        default=300,
        minimum=1,
        unset=(0,),  # singer-io's taps read 0 as "the default"
    ),
    Setting(
        name="max_answer_megabytes",
        type="integer",
        description="The largest answer that is read, unpacked; a larger one is asked for in smaller parts, or fails.",
        default=256,
        minimum=1,
        maximum=4096,
    ),
    Setting(
        name="concurrency",
        type="integer",
        description="Requests under way at the same time; 1 is strictly one after the other.",
        default=8,
        minimum=1,
        maximum=64,
    ),
    Setting(
        name="fail_on_forbidden",
        type="boolean",
        description="A stream that the credential may not read makes the run fail (exit 1); false: a warning.",
        default=True,
    ),
    Setting(
        name="strict",
        type="boolean",
        description="A value that does not fit its column stops the stream, instead of going to `_extra`.",
        default=False,
    ),
    Setting(
        name="extra_fields",
        description="Fields the schema does not know: kept in the object column `_extra`, or only counted and named.",
        default="column",
        options=("column", "report"),
    ),
    Setting(
        name="log_format",
        description="Lines on stderr: text, or json (one object a line).",
        default="text",
        options=("text", "json"),
    ),
    Setting(
        name="account_label",
        description="Written as the column `_account` into every record, to tell accounts apart in one table.",
    ),
    Setting(
        name="key_mode",
        description="Keys where the documented one is not unique: `lossless` adds columns, `contract` keeps to it.",
        default="lossless",
        options=("lossless", "contract"),
    ),
    Setting(
        name="activate_version",
        type="boolean",
        description="Write ACTIVATE_VERSION after a complete full-table pass, so that targets drop what is gone.",
        default=False,
    ),
    Setting(
        name="mask",
        type="object",
        description="Personal data: field patterns such as `*.email` or `lists.contact.*`, each with `drop` (the field "
        "is not even read) or `sha256` (of the salt and the value, as hexadecimal text).",
        schema={"additionalProperties": {"enum": ["drop", "sha256"]}},
    ),
    Setting(name="mask_salt", description="The salt of `mask`; keep it secret, and the same in all runs.", secret=True),
    Setting(
        name="flatten",
        type="boolean",
        description="Objects become columns, one for each member; lists, and objects of any content, become JSON text.",
        default=False,
        aliases=("flattening_enabled",),
    ),
    Setting(
        name="flatten_depth",
        type="integer",
        description="Levels that `flatten` opens; deeper objects become JSON text. Default: all.",
        minimum=0,
        aliases=("flattening_max_depth",),
    ),
    Setting(
        name="flatten_separator",
        description="What stands between the names that `flatten` joins.",
        default="__",
        aliases=("flattening_separator",),
    ),
    Setting(
        name="batch",
        type="object",
        description='Write BATCH messages, the records going into files: {"root": "/folder", "format": "jsonl", '
        '"compression": "gzip"}.',
        aliases=("batch_config",),
    ),
)
"""The settings of every tap."""

PERSIST_TOKENS = Setting(
    name="persist_tokens",
    type="boolean",
    description="Write renewed OAuth tokens back into the config file that held the old ones.",
    default=True,
)
"""Of every tap with OAuth."""


def schema_of(declared: Sequence[Setting]) -> dict[str, Any]:
    """Settings as JSON Schema, secrets marked as Meltano's SDK marks them (`secret`, `writeOnly`)."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {setting.name: _property(setting) for setting in declared},
    }
    if required := [setting.name for setting in declared if setting.required]:
        schema["required"] = required
    return schema


def _property(setting: Setting) -> dict[str, Any]:
    kind = "string" if setting.type == "date-time" else setting.type
    options = {"enum": list(setting.options)} if setting.options else {}
    schema: dict[str, Any] = {"type": [kind] if setting.required else [kind, "null"], **setting.schema}
    if setting.type == "date-time":
        schema["format"] = "date-time"
    elif setting.type == "array":
        schema.setdefault("items", {"type": "string", **options})
    elif options:
        schema["enum"] = [*setting.options, *([] if setting.required else [None])]
    limits = {"minimum": setting.minimum, "maximum": setting.maximum, "pattern": setting.pattern or None}
    schema |= {name: limit for name, limit in limits.items() if limit is not None}
    if setting.label:
        schema["title"] = setting.label
    schema["description"] = setting.description
    if setting.default is not None:
        schema["default"] = setting.default
    if setting.secret:
        schema |= {"secret": True, "writeOnly": True}
    return schema


def brief(value: Any) -> str:
    """`value` as an error shows it: JSON, of a long one the beginning."""
    try:
        text = json.dumps(value, default=str, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = f"a nested {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:79]}…"


def is_unset(setting: Setting, value: Any) -> bool:
    """Whether `value` means "not given"."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    # Compared as text, since numbers may come as strings; False is not 0 here.
    return not isinstance(value, bool) and str(value).strip() in {str(unset) for unset in setting.unset}


def cast(setting: Setting, raw: Any) -> Any:
    """`raw` as the setting's type; raises ValueError with the rest of a sentence that begins with the name."""
    try:
        value = _instant(raw, local=setting.local) if setting.type == "date-time" else _CASTS[setting.type](raw)
    except ValueError as error:
        shown = "" if setting.secret else f"{brief(raw)}, "
        raise ValueError(f"is {shown}{error}") from error
    if setting.name == "base_url":
        return _checked_url(value)
    if setting.clamp:
        value = value if setting.minimum is None else max(value, int(setting.minimum))
        value = value if setting.maximum is None else min(value, int(setting.maximum))
    return value


def _string(raw: Any) -> str:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise ValueError("not text")
    return str(raw).strip()


def _integer(raw: Any) -> int:
    number = _number(raw)
    if number != int(number):
        raise ValueError("not a whole number")
    return int(raw) if isinstance(raw, int) else int(number)


def _number(raw: Any) -> float:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise ValueError("not a number")
    try:
        number = float(raw)
    except (ValueError, OverflowError):
        raise ValueError("not a number") from None
    if number - number != 0:  # infinity, NaN
        raise ValueError("not a number")
    return number


def _boolean(raw: Any) -> bool:
    word = str(raw).strip().lower()
    if word in {"true", "1", "yes", "on"}:
        return True
    if word in {"false", "0", "no", "off"}:
        return False
    raise ValueError("neither true nor false")


def _instant(raw: Any, *, local: bool) -> str:
    try:
        read = canonical(written(raw))
        has_zone = read == canonical(written(raw, zone="Etc/GMT+1"))
        return read if has_zone or not local else read.rstrip("Z")
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise ValueError("not a date (write 2026-01-31, or 2026-01-31T08:00:00Z)") from None


def _array(raw: Any) -> list[Any]:
    if isinstance(raw, str):
        raw = _decoded(raw) if raw.lstrip().startswith("[") else [raw.strip()]
    if not isinstance(raw, list | tuple):
        raise ValueError("not a list")
    return list(raw)


def _object(raw: Any) -> dict[str, Any]:
    if isinstance(raw, str):
        raw = _decoded(raw)
    if not isinstance(raw, dict):
        raise ValueError("not a JSON object")
    return raw


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None


_CASTS: dict[str, Callable[[Any], Any]] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "array": _array,
    "object": _object,
}


def _checked_url(url: str) -> str:
    if not is_url(url):
        raise ValueError(f"is {brief(url)}, not a URL such as https://api.example.com")
    parts = urlsplit(url)
    if not parts.hostname or parts.scheme not in {"https", "http"}:
        raise ValueError(f"is {brief(url)}, not a URL such as https://api.example.com")
    if parts.username or parts.password:
        raise ValueError("holds a user name or password; credentials have settings of their own")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(f"is {brief(url)}: http is allowed to this machine only, use https")
    return url.rstrip("/")


def wrong(declared: Sequence[Setting], values: Mapping[str, Any], now: datetime) -> Iterator[tuple[str, str]]:
    """What is wrong with cast values: settings' names, each with a sentence."""
    from jsonschema import Draft4Validator

    by_name = {setting.name: setting for setting in declared}
    present = {name: value for name, value in values.items() if value is not None}
    for error in Draft4Validator({"properties": schema_of(declared)["properties"]}).iter_errors(present):
        name, *rest = error.path
        inside = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)
        yield name, f"{name}{inside} {_explain(by_name[name], error)}"
    masks = values.get("mask") or {}
    for pattern in masks if isinstance(masks, dict) else ():
        if not all(pattern.partition(".")):
            yield "mask", f'mask {pattern}: a field is named with its stream, as "lists.name" or "*.name"'
    if isinstance(masks, dict) and "sha256" in masks.values() and not values.get("mask_salt"):
        yield "mask", "mask: sha256 needs a mask_salt, or who has a list of addresses can look up the hashes"
    start, end = values.get("start_date"), values.get("end_date")
    for name, value in (("start_date", start), ("end_date", end)):
        if value and value > canonical(now):
            yield name, f"{name} {value} is in the future"
    if start and end and end <= start:
        yield "end_date", f"end_date {end} is not after start_date {start}"


def _explain(setting: Setting, error: Any) -> str:
    shown = "" if setting.secret else f"is {brief(error.instance)}, "
    match error.validator:
        case "minimum":
            return f"{shown}at least {error.validator_value:g} is needed"
        case "maximum":
            return f"{shown}at most {error.validator_value:g} is allowed"
        case "enum":
            return (
                f"{shown}not one of {', '.join(str(option) for option in error.validator_value if option is not None)}"
            )
        case "pattern":
            return f"{shown}which does not look right (expected {error.validator_value})"
    return "does not fit" if setting.secret else f"{shown}which does not fit"
