"""An append-only stream writes what comes again in its look-back once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.records import recent_rows as seen
from shared.records.recent_rows import RecentRows
from shared.timestamps import from_seconds


def second(number: int) -> str:
    found = from_seconds(1_700_000_000 + number)
    assert found
    return found


def row(number: int) -> dict[str, Any]:
    return {"id": str(number), "at": second(number)}


def memory(kept: Any = None, bookmark: int | None = None) -> RecentRows:
    return RecentRows(
        kept, bookmark=None if bookmark is None else second(bookmark), lookback=10, names=("id",), field="at"
    )


def read(rows: RecentRows, numbers: list[int], end: int) -> list[int]:
    fresh, notes = rows.sift([row(number) for number in numbers], second(end))
    rows.note(notes)
    return [int(each["id"]) for each in fresh]


@given(st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=40), st.lists(st.integers(1, 25), min_size=1))
def test_over_many_runs_each_row_is_written_once_however_late_it_comes(late: Any, steps: list[int]) -> None:
    """A row is visible at its time, or up to nine seconds later."""
    written: list[int] = []
    rows = {number: number + (9 if is_late else 0) for number, is_late in late}
    kept, bookmark, now = "", None, 0
    for step in steps:
        now += step
        since = 0 if bookmark is None else bookmark - 10
        one = memory(kept, bookmark)
        middle = (since + now) // 2
        for start, end in ((since, middle), (middle, now)):
            there = [number for number, visible in rows.items() if start <= number < end and visible <= now]
            written += read(one, there, end)
            bookmark = max(bookmark or 0, end)
            kept = one.packed(second(bookmark))
    assert len(written) == len(set(written))
    assert set(written) >= {number for number, visible in rows.items() if visible < now - 10}


def test_until_the_bookmark_moves_what_was_kept_stays() -> None:
    first = memory()
    assert read(first, [5, 6], 10) == [5, 6]
    broken = memory(first.packed(second(10)), 10)
    assert read(broken, [5], 6) == []
    again = memory(broken.packed(second(10)), 10)
    assert read(again, [5, 6], 12) == []
    assert read(memory(again.packed(second(17)), 17), [5, 6], 20) == [5, 6], "both are older than the look-back"


def test_no_more_is_kept_than_fits_and_the_latest_first(monkeypatch: Any) -> None:
    monkeypatch.setattr(seen, "MOST", 2)
    rows = memory()
    read(rows, [3, 1, 2, 4], 5)
    assert read(memory(rows.packed(second(5)), 5), [1, 2, 3, 4], 6) == [1, 2]


@pytest.mark.parametrize("kept", [None, "", "no base64", 7, "AAAA", ["x"]])
def test_what_cannot_be_read_is_nothing(kept: Any) -> None:
    assert read(memory(kept, 1), [1], 2) == [1]
