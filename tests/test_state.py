"""Bookmarks: shapes read and written, prefixes of windows, merging."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import StateError
from shared.protocol.state import Bookmark, State, finish, merge
from shared.timestamps import from_seconds


def second(number: int) -> str:
    found = from_seconds(1_700_000_000 + number)
    assert found
    return found


def test_a_plain_stream_has_its_bookmark_under_its_replication_key() -> None:
    state = State()
    state.advance("members", "changed", "", second(5))
    assert state.value == {"bookmarks": {"members": {"changed": second(5)}}}
    assert state.get("members", "changed").value == second(5)


def test_units_keep_value_mark_and_windows_in_the_shortest_form() -> None:
    state = State()
    state.put("s", "t", "a", Bookmark(second(1)))
    state.put("s", "t", "b", Bookmark(second(1), mark=[1, "x"]))
    state.put("s", "t", "c", Bookmark(None, mark=7))
    state.put("s", "t", "d", Bookmark(second(1), done=((second(3), second(4)),)))
    state.put("s", "t", "e", Bookmark("2026-05-01T12:29:31.000000Z"), to_the_minute=True)
    assert state.value["bookmarks"]["s"]["units"] == {
        "a": second(1),
        "b": [second(1), [1, "x"]],
        "c": [None, 7],
        "d": [second(1), None, [[second(3), second(4)]]],
        "e": "2026-05-01T12:29Z",
    }
    assert state.get("s", "t", "e").value == "2026-05-01T12:29:00.000000Z"
    read = State.read(state.value)
    assert [read.get("s", "t", key) for key in "abcd"] == [state.get("s", "t", key) for key in "abcd"]


def test_what_lies_in_the_future_was_not_read() -> None:
    state = State.read({"bookmarks": {"s": {"t": second(9), "done": [[second(2), second(9)], [second(7), second(8)]]}}})
    state.put("s", "t", "u", Bookmark(second(9), mark=1))
    state.put("s", "t", "v", Bookmark(second(3)))
    state.clamp("s", "t", second(5))
    assert state.get("s", "t") == Bookmark(second(5), done=((second(2), second(5)),))
    assert state.get("s", "t", "u") == Bookmark(second(5), mark=1)
    assert state.get("s", "t", "v") == Bookmark(second(3))


@given(st.lists(st.integers(0, 1000), min_size=1))
def test_a_bookmark_never_moves_backwards(values: list[int]) -> None:
    state = State()
    for n, value in enumerate(values, 1):
        state.advance("s", "t", "u", second(value))
        assert state.get("s", "t", "u").value == second(max(values[:n]))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=7), st.randoms(use_true_random=False))
def test_the_value_is_the_end_of_the_finished_prefix_in_whatever_order_windows_finish(
    widths: list[int], random: Any
) -> None:
    edges = [0, *itertools.accumulate(widths)]
    spans = [(second(a), second(b)) for a, b in itertools.pairwise(edges)]
    order = random.sample(spans, len(spans))
    bookmark = Bookmark()
    for n, span in enumerate(order, 1):
        bookmark = finish(bookmark, span, origin=second(0))
        prefix = next((i for i, s in enumerate(spans) if s not in order[:n]), len(spans))
        assert bookmark.value == second(edges[prefix])
        assert all(start > (bookmark.value or "") for start, _ in bookmark.done)
    assert bookmark == Bookmark(second(edges[-1]))


def test_windows_of_the_lookback_do_not_move_the_value_back() -> None:
    bookmark = finish(Bookmark(second(100)), (second(90), second(95)), origin=second(90))
    assert bookmark == Bookmark(second(100))
    assert finish(bookmark, (second(95), second(110)), origin=second(90)) == Bookmark(second(110))


def test_unknown_members_survive_and_currently_syncing_does_not() -> None:
    state = State.read({"bookmarks": {"s": {"mine": 1}, "other": {"x": [2]}}, "more": True, "currently_syncing": "s"})
    state.advance("s", "t", "", second(1))
    assert state.value == {"bookmarks": {"s": {"mine": 1, "t": second(1)}, "other": {"x": [2]}}, "more": True}


def test_values_in_other_spellings_are_read_as_instants() -> None:
    state = State.read(
        {"bookmarks": {"s": {"t": 1_700_000_005, "units": {"a": "2023-11-14", "b": "2023-11-14T22:13:25Z"}}}}
    )
    assert state.get("s", "t").value == state.get("s", "t", "b").value == second(5)
    assert state.get("s", "t", "a").value == "2023-11-14T00:00:00.000000Z"


@pytest.mark.parametrize(
    "value",
    [
        [],
        "x",
        {"bookmarks": []},
        {"bookmarks": {"s": []}},
        {"bookmarks": {"s": {"t": "soon"}}},
        {"bookmarks": {"s": {"t": True}}},
        {"bookmarks": {"s": {"units": ["a"]}}},
        {"bookmarks": {"s": {"units": {"a": {}}}}},
        {"bookmarks": {"s": {"done": "x"}}},
    ],
)
def test_what_cannot_be_state_is_named_in_one_line(value: Any) -> None:
    with pytest.raises(StateError) as caught:
        State.read(value).check("s", "t")
    assert "\n" not in str(caught.value) and str(caught.value).startswith("state:")


BOOKMARKS = st.dictionaries(
    st.sampled_from("abc"),
    st.fixed_dictionaries(
        {},
        optional={
            "t": st.integers(0, 9).map(second),
            "units": st.dictionaries(st.sampled_from("xyz"), st.integers(0, 9).map(second)),
        },
    ),
)
STATES = BOOKMARKS.map(lambda b: {"bookmarks": b})


@given(STATES, STATES, STATES)
def test_merging_states_commutes_and_associates(a: Any, b: Any, c: Any) -> None:
    assert merge([a, b]) == merge([b, a])
    assert merge([merge([a, b]), c]) == merge([a, merge([b, c])])
    assert merge([a, a]) == merge([a])


def test_forget_and_adopt() -> None:
    state = State.read({"bookmarks": {"old": {"t": second(1)}, "gone": {"t": second(1)}}})
    state.forget("gone")
    state.adopt({"new": ("older", "old"), "newer": ("new",)})
    assert state.value == {"bookmarks": {"new": {"t": second(1)}}}


def test_units_without_a_bookmark_of_their_own_begin_at_the_one_for_all() -> None:
    state = State({"bookmarks": {"s": {"units": {"*": second(1), "a": second(5)}}}})
    assert [state.get("s", "t", key).value for key in "ab"] == [second(5), second(1)]
    state.advance("s", "t", "b", second(3))
    assert state.value["bookmarks"]["s"]["units"] == {"*": second(1), "a": second(5), "b": second(3)}
