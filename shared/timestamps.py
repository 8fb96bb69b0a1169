"""Instants in and out: what APIs and people write ↔ one form, `YYYY-MM-DDTHH:MM:SS.ffffffZ`, always UTC.

That form (singer-python's own) sorts as text the way the instants sort, so bookmarks are compared as strings.
`instant` is on the hot path; what people write in a config goes through `written`, which knows more spellings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import Any

UTC = timezone.utc
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Python 3.10's fromisoformat takes neither "Z" nor fractions of other than 3 or 6 digits.
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?"
    r"\s*(?:([Zz]|UTC)|([+-])(\d\d):?(\d\d)?)?)?",
    re.ASCII,
)
_AMERICAN = re.compile(r"\d{1,2}/\d{1,2}/\d{4}", re.ASCII)


def canonical(moment: datetime) -> str:
    """`moment` (aware) as `YYYY-MM-DDTHH:MM:SS.ffffffZ`."""
    moment = moment.astimezone(UTC)
    return f"{moment.year:04d}{moment.strftime('-%m-%dT%H:%M:%S.%f')}Z"


def parse(text: str, *, zone: tzinfo = UTC) -> datetime:
    """What a program wrote as an aware datetime in UTC; text without an offset is read in `zone`.

    Accepts RFC 3339, ISO dates and date-times. Raises ValueError for anything else.
    """
    text = text.strip()
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a date or date-time")
    year, month, day, hour, minute, second, fraction, is_utc, sign, off_hours, off_minutes = match.groups()
    microsecond = int((fraction or "0").ljust(6, "0")[:6])
    moment = datetime(
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), microsecond, tzinfo=zone
    )
    if is_utc:
        return moment.replace(tzinfo=UTC)
    if sign:
        offset = timedelta(hours=int(off_hours), minutes=int(off_minutes or 0))
        return (moment.replace(tzinfo=UTC) - (offset if sign == "+" else -offset)).astimezone(UTC)
    return moment.astimezone(UTC)


def written(text: str, *, zone: str = "UTC") -> datetime:
    """What a person wrote as an aware datetime in UTC; text without an offset is read in `zone` (an IANA name).

    Accepts what `parse` does, other ISO 8601 dates, and MM/DD/YYYY. Raises ValueError for anything else.
    """
    import pendulum  # 60 ms, which only a config with dates has to pay

    text = text.strip()
    if _AMERICAN.fullmatch(text):
        return pendulum.from_format(text, "M/D/YYYY", tz=zone).astimezone(UTC)
    if not re.match(r"\d{4}", text):  # a time without a day would be taken for today's
        raise ValueError(f"{text!r} is not a date or date-time")
    read = pendulum.parse(text, tz=zone)
    if not isinstance(read, pendulum.DateTime):
        raise ValueError(f"{text!r} is not a date or date-time")
    return read.astimezone(UTC)


def instant(value: Any) -> str | None:
    """`value` as an API writes date-times, in the canonical form; None when it cannot be read as one.

    Numbers are not guessed at: see `from_seconds` and `from_milliseconds`.
    """
    if value.__class__ is not str:
        return None
    if (
        len(value) == 25
        and value[19:] == "+00:00"
        and value[4] == "-"
        and value[7] == "-"
        and value[13] == ":"
        and value[16] == ":"
    ):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return None
        return f"{value[:10]}T{value[11:19]}.000000Z"
    try:
        return canonical(parse(value))
    except (ValueError, OverflowError):
        return None


def from_seconds(value: Any) -> str | None:
    """Unix seconds (a number, or digits in a string) in the canonical form; 0 means never and gives None."""
    return _from_number(value, 1)


def from_milliseconds(value: Any) -> str | None:
    """Unix milliseconds in the canonical form; 0 means never and gives None. A date-time text is read as one."""
    return _from_number(value, 1000)


def _from_number(value: Any, per_second: int) -> str | None:
    if value.__class__ is str:
        digits = value[1:] if value[:1] == "-" else value
        if not (digits.isascii() and digits.isdigit()):
            return instant(value)
        value = int(value)
    if value.__class__ not in (int, float) or not value:
        return None
    try:
        return canonical(EPOCH + timedelta(microseconds=round(value * (1_000_000 // per_second))))
    except (ValueError, OverflowError):
        return None


WIRES: dict[str, Callable[[Any], str | None]] = {
    "date-time": instant,
    "seconds": from_seconds,
    "milliseconds": from_milliseconds,
}
"""How a schema's `"wire"` names a date-time's form on the wire → the function that reads it."""


def shift(instant_text: str, seconds: float) -> str:
    """The canonical instant `seconds` later (earlier when negative)."""
    return canonical(parse(instant_text) + timedelta(seconds=seconds))


def floor_seconds(instant_text: str) -> str:
    """The canonical instant with its fraction cut off."""
    return f"{instant_text[:19]}.000000Z"


def seconds_between(start: str, end: str) -> float:
    """Seconds from one canonical instant to another."""
    return (parse(end) - parse(start)).total_seconds()


def rfc3339(instant_text: str) -> str:
    """A canonical instant in whole seconds with a numeric offset: `YYYY-MM-DDTHH:MM:SS+00:00`."""
    return f"{instant_text[:19]}+00:00"


def as_date(instant_text: str) -> date:
    """The UTC day of a canonical instant."""
    return date.fromisoformat(instant_text[:10])
