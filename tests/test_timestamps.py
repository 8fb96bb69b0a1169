"""Instants in and out."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
import singer.utils
from hypothesis import given
from hypothesis import strategies as st

from shared.timestamps import canonical, from_milliseconds, from_seconds, instant, parse, shift, written

MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(timezone.utc))


@given(MOMENTS)
def test_canonical_is_what_singer_writes_and_sorts_as_time_does(moment: datetime) -> None:
    text = canonical(moment)
    assert text == singer.utils.strftime(moment)
    assert instant(text) == text
    assert parse(text) == moment
    assert canonical(moment + timedelta(seconds=1)) > text


@given(MOMENTS, st.integers(-14 * 60, 14 * 60))
def test_an_offset_is_taken_into_account(moment: datetime, minutes: int) -> None:
    moment = moment.replace(microsecond=0)
    local = moment.astimezone(timezone(timedelta(minutes=minutes)))
    assert instant(local.isoformat()) == canonical(moment)


@given(st.text())
def test_no_text_makes_it_fail(text: str) -> None:
    found = instant(text)
    assert found is None or len(found) == 27


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-06T20:17:57+00:00", "2026-11-06T20:17:57.000000Z"),
        ("2026-11-06 20:17:57+00:00", "2026-11-06T20:17:57.000000Z"),
        ("2026-11-06T20:17:57Z", "2026-11-06T20:17:57.000000Z"),
        ("2026-11-06T20:17:57.123456789Z", "2026-11-06T20:17:57.123456Z"),
        ("2026-11-06T22:17:57.5+0200", "2026-11-06T20:17:57.500000Z"),
        ("2026-11-06", "2026-11-06T00:00:00.000000Z"),
        ("2026-11-06 20:17", "2026-11-06T20:17:00.000000Z"),
        ("2026-13-06T20:17:57+00:00", None),
        ("2026-11-06T25:17:57+00:00", None),
        ("11/06/2026", None),
        ("0000-00-00 00:00:00", None),
        ("", None),
        (5, None),
        (None, None),
    ],
)
def test_instant_reads_what_apis_write(text: object, expected: str | None) -> None:
    assert instant(text) == expected


def test_people_may_write_american_dates_and_no_zone() -> None:
    assert written("01/31/2026") == written("1/31/2026") == datetime(2026, 1, 31, tzinfo=timezone.utc)
    assert written("2026-07-01", zone="America/New_York").hour == 4
    assert parse("2026-07-01", zone=ZoneInfo("America/New_York")).hour == 4


@pytest.mark.parametrize("text", ["last tuesday", "", "12:30", "13/31/2026", "31/01/2026", "P1D", "2026-02-30", "now"])
def test_what_people_write_that_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - pendulum has words of its own
        written(text)


@given(MOMENTS)
def test_both_readings_agree_on_what_programs_write(moment: datetime) -> None:
    assert written(canonical(moment)) == parse(canonical(moment)) == moment


def test_numbers_are_seconds_or_milliseconds_as_declared_and_0_is_never() -> None:
    assert from_seconds(1_793_491_200) == "2026-11-01T00:00:00.000000Z" == from_milliseconds(1_793_491_200_000)
    assert from_seconds("1793491200") == "2026-11-01T00:00:00.000000Z"
    assert from_milliseconds("2026-11-01T00:00:00Z") == "2026-11-01T00:00:00.000000Z"
    assert from_seconds(0) is from_seconds(None) is from_seconds(True) is from_seconds(10**30) is None


def test_shift_moves_by_seconds() -> None:
    assert shift("2026-11-01T00:00:00.000000Z", -1) == "2026-10-31T23:59:59.000000Z"
