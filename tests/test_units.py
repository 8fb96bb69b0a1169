"""Windows cover everything once; units are named and start where their bookmark says."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import TooLargeError
from shared.protocol.state import Bookmark, finish
from shared.records.encoder import is_new
from shared.streams import Outcome, Parent, Rows, Step, Stream, Unit, Window
from shared.sync.units import Followed, Reading, parent_values, unit, unit_key
from shared.sync.windows import WindowPlan, each_window, expected, gaps
from shared.timestamps import from_seconds, seconds_between


def second(number: int) -> str:
    found = from_seconds(1_700_000_000 + number)
    assert found
    return found


SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=5).map(
    lambda found: tuple((second(start), second(start + length)) for start, length in found)
)


@given(st.integers(0, 80), SPANS, st.data())
def test_windows_and_what_was_done_cover_everything_whatever_splits_and_fails(
    length: int, done: tuple[tuple[str, str], ...], data: Any
) -> None:
    window = Window(first=data.draw(st.floats(1e-5, 1e-3)), largest=data.draw(st.floats(1e-4, 1)))
    base = Unit(stream="s", since=second(0), now=second(length))
    bookmark = finish(Bookmark(done=done), (second(0), second(0)), origin=second(0))
    plan = WindowPlan.of(base, window, bookmark)
    read: list[tuple[str, str]] = []
    while (found := plan.next()) is not None:
        plan.active -= 1
        assert found.window
        if data.draw(st.integers(0, 3)) == 0 and plan.split(found.window):
            continue
        plan.finished(found.window, Outcome(data.draw(st.integers(0, 2)), 1, 1, 1.0))
        read.append(found.window)
        bookmark = finish(bookmark, found.window, origin=plan.origin)
    ordered = sorted(read)
    assert all(a[1] <= b[0] for a, b in zip(ordered, ordered[1:], strict=False)), "windows overlap"
    assert list(gaps((second(0), second(length)), (*read, *done))) == []
    if length:
        assert bookmark.value is not None and bookmark.value >= second(length)


def test_a_serial_plan_hands_out_one_window_at_a_time() -> None:
    plan = WindowPlan.of(
        Unit(stream="s", since=second(0), now=second(86_400 * 3)),
        Window(first=1, largest=9, parallel=False),
        Bookmark(),
    )
    assert plan.next() is not None
    assert plan.next() is None


def test_a_serial_plan_is_one_window_ahead_of_the_one_that_is_being_written() -> None:
    window = Window(first=1, largest=9, parallel=False)
    plan = WindowPlan.of(Unit(stream="s", since=second(0), now=second(86_400 * 9)), window, Bookmark())

    def received() -> tuple[str, str]:
        unit = plan.next()
        assert unit and unit.window
        plan.received(unit.window, Outcome(1, 1, 1, 1))
        return unit.window

    first, following = received(), received()
    assert plan.next() is None, "two are held already"
    plan.ended(first, Outcome(1, 1, 1, 1))
    assert received()[0] == following[1]
    assert plan.clean == 3, "how a window went counts once"


def test_the_window_that_a_broken_fetch_had_begun_is_handed_out_first_and_as_it_was() -> None:
    resume = {"id": 3, "window": [second(20), second(70)]}
    base = Unit(stream="s", since=second(0), now=second(100), resume=resume)
    plan = WindowPlan.of(base, Window(first=1, largest=1, parallel=False), Bookmark())
    found = []
    while (unit := plan.next()) is not None and unit.window:
        found.append(unit.window)
        plan.active -= 1
    assert found == [(second(20), second(70)), (second(0), second(20)), (second(70), second(100))]


@pytest.mark.parametrize("window", [None, [second(5)], [second(50), second(120)], [second(20), second(20)]])
def test_a_broken_window_that_is_no_more_to_be_read_is_forgotten(window: Any) -> None:
    base = Unit(stream="s", since=second(0), now=second(100), resume={"window": window})
    plan = WindowPlan.of(base, Window(first=1, largest=1), Bookmark())
    unit = plan.next()
    assert unit is not None and unit.window == (second(0), second(100))


def test_the_look_back_reaches_into_windows_that_were_finished_beyond_the_bookmark() -> None:
    base = Unit(stream="s", since=second(40), bookmark=second(50), now=second(100))
    done = ((second(60), second(80)), (second(90), second(95)))
    plan = WindowPlan.of(base, Window(first=1, largest=1), Bookmark(second(50), done=done))
    assert plan.spans == [(second(40), second(60)), (second(70), second(100))]


def test_the_windows_to_expect_are_those_of_a_read_that_finds_nothing() -> None:
    base = Unit(stream="s", since=second(0), now=second(86_400 * 7))
    window = Window(first=1, largest=4, resize=lambda width, outcome: width * 2, parallel=False)
    spans = [(second(86_400 * start), second(86_400 * end)) for start, end in ((0, 1), (1, 3), (3, 7))]
    assert expected(base, window) == spans


def test_each_window_is_read_in_order_and_one_that_is_too_large_in_halves() -> None:
    asked: list[tuple[str, str]] = []

    def read(part: Unit) -> Generator[Step, None, None]:
        assert part.window is not None
        asked.append(part.window)
        if seconds_between(*part.window) > 86_400:
            raise TooLargeError("too large")
        yield Rows([{"at": part.window[0]}])

    window = Window(first=9, largest=9, parallel=False)
    steps = list(each_window(Unit(stream="s", since=second(0), now=second(86_400 * 2)), window, read))
    assert [step.rows[0]["at"] for step in steps if isinstance(step, Rows)] == [second(0), second(86_400)]
    assert asked[0] == (second(0), second(86_400 * 2))
    with pytest.raises(TooLargeError):
        list(each_window(Unit(stream="s", since=second(0), now=second(1)), window, refuse))


def refuse(part: Unit) -> Generator[Step, None, None]:
    raise TooLargeError("too large")
    yield Rows([])


def test_the_smallest_window_cannot_be_split() -> None:
    plan = WindowPlan.of(Unit(stream="s", since=second(0), now=second(9)), Window(first=1, largest=1), Bookmark())
    assert not plan.split((second(0), second(1)))
    assert plan.split((second(0), second(2)))


def test_behind_a_crowded_spot_windows_are_soon_as_wide_as_before() -> None:
    window = Window(first=64, largest=64, resize=lambda width, outcome: width * 4)
    plan = WindowPlan.of(Unit(stream="s", since=second(0), now=second(86_400 * 640)), window, Bookmark())
    tries = 0
    while (found := plan.next()) is not None and found.window:
        tries += 1
        plan.active -= 1
        crowd = seconds_between(max(found.window[0], second(1000)), min(found.window[1], second(2000)))
        if crowd > 100:
            assert plan.split(found.window)
        else:
            plan.finished(found.window, Outcome(100 if crowd > 0 else 1, 1, 1, 1))
    assert tries < 70


def test_resize_decides_the_next_width_within_the_limits() -> None:
    window = Window(first=1, largest=4, resize=lambda width, outcome: width * 10)
    plan = WindowPlan.of(Unit(stream="s", since=second(0), now=second(86_400 * 30)), window, Bookmark())
    found = plan.next()
    assert found and found.window
    plan.finished(found.window, Outcome(0, 0, 1, 1))
    wider = plan.next()
    assert wider and wider.window and seconds_between(*wider.window) == 4 * 86_400


READING = Reading(
    stream=Stream(name="s", replication_key="t", lookback=60),
    settings={},
    now=second(1000),
    incremental=True,
    start_date=second(-5000),
)


def test_a_unit_starts_at_its_bookmark_less_the_lookback_else_at_the_start_date() -> None:
    assert unit(READING, bookmark=Bookmark(second(500))).since == second(440)
    assert unit(READING, bookmark=Bookmark()).since == second(-5000)
    assert unit(READING, bookmark=Bookmark(second(9999))).since == second(940), "a bookmark in the future is clamped"


@pytest.mark.parametrize(("value", "expected"), [(second(5), True), (second(4), False), (None, True), (7, True)])
def test_a_record_without_a_replication_value_is_always_written(value: Any, expected: bool) -> None:
    assert is_new(READING.stream, "t", {"t": value}, Unit(stream="s", since=second(5))) is expected


def test_a_unit_is_named_by_its_parents_keys_and_its_partition() -> None:
    parent = Parent(stream="lists", keys={"list_id": "id"}, carry=("stats.count",))
    values = parent_values(parent, {"id": 7, "stats": {"count": 3}})
    assert values == {"list_id": 7, "stats.count": 3}
    assert unit_key(values, parent.keys, "archived") == "7/archived"
    assert unit_key(values, parent.keys, "") == "7"
    assert unit_key({"a": "abcdef", "b": 1234}, ("a", "b"), "email", length=3) == "abc/123/email"
    assert unit_key({}, (), "email") == "email"


def test_what_a_row_lacks_comes_from_its_own_parent() -> None:
    parent = Parent(stream="lists", keys={"list": "id", "client": "client"}, carry=("zone", "size"))
    above = {"client": "c", "zone": "z", "size": 1, "id": "other"}
    found = parent_values(parent, {"id": "l", "size": 5}, above)
    assert found == {"list": "l", "client": "c", "zone": "z", "size": 5}


@given(st.lists(st.integers(0, 5), max_size=20).map(sorted), st.data())
def test_a_child_of_changed_parents_has_come_as_far_as_the_oldest_of_them_under_way(
    moments: list[int], data: Any
) -> None:
    followed, under_way = Followed(), list[int]()
    for moment in moments:
        followed.seen(second(moment))
        if data.draw(st.booleans()):  # else nothing is to be read below it
            followed.begun(second(moment))
            under_way.append(moment)
        if under_way and data.draw(st.booleans()):
            gone = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
            assert followed.finished(second(gone)) == second(min(under_way, default=moment))


def test_unsorted_parents_tell_nothing_before_the_end() -> None:
    followed = Followed()
    for moment in (2, 1):
        followed.seen(second(moment))
        followed.begun(second(moment))
    assert (followed.finished(second(1)), followed.finished(second(2)), followed.newest) == (None, None, second(2))
