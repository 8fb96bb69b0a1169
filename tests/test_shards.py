"""A run cut into shards gives what one run gives, and their states become the state of one, in whatever order."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.protocol.state import State, merge
from shared.testing.runs import differences, given, run_tap

CHOSEN = ("receive", "open", "lists", "profiles")
SELECT = [word for name in CHOSEN for word in ("--select", name)]


def instant(day: int) -> str:
    return f"2026-01-{day:02d}T00:00:00.000000Z"


def entry(begun: int, value: int, *done: tuple[int, int], **more: Any) -> dict[str, Any]:
    """A shard's state of one stream, read by windows."""
    finished = {"done": [[instant(a), instant(b)] for a, b in done]} if done else {}
    return {"bookmarks": {"s": {"at": instant(value), "from": instant(begun), **finished, **more}}}


def test_spans_are_put_together_in_any_order() -> None:
    parts = [entry(1, 5), entry(5, 9), entry(9, 12)]
    for order in itertools.permutations(parts):
        assert merge(order) == entry(1, 12)
        assert merge([merge(order[:2]), order[2]]) == entry(1, 12)


def test_a_gap_stays_to_be_read() -> None:
    for order in itertools.permutations([entry(1, 3), entry(5, 9), entry(9, 12, (13, 14))]):
        assert merge(order) == entry(1, 3, (5, 12), (13, 14))


def test_units_are_put_together_each_by_itself() -> None:
    first = entry(1, 5, units={"a": instant(5), "b": [instant(4), "mark"]})
    second = entry(5, 9, units={"a": instant(9), "b": instant(9), "c": instant(9)})
    for order in ([first, second], [second, first]):
        units = merge(order)["bookmarks"]["s"]["units"]
        assert units["a"] == instant(9)
        assert units["b"] == [instant(4), "mark", [[instant(5), instant(9)]]]
        assert units["c"] == [instant(1), None, [[instant(5), instant(9)]]]
        State.read(merge(order)).check("s", "at")


def test_a_state_without_where_it_began_merges_by_its_later_value() -> None:
    plain = {"bookmarks": {"s": {"at": instant(7)}}}
    assert merge([plain, entry(1, 5)])["bookmarks"]["s"]["at"] == instant(7)


def test_the_command_merges_outputs_and_states(tmp_path: Path) -> None:
    paths = []
    for number, state in enumerate([entry(5, 9), entry(1, 5)]):
        path = tmp_path / f"{number}.jsonl"
        path.write_text(json.dumps({"type": "STATE", "value": state}) if number else json.dumps(state))
        paths.append(str(path))
    done = subprocess.run(
        [sys.executable, "-m", "marketing_taps", "merge-state", *paths], capture_output=True, check=True
    )
    assert json.loads(done.stdout) == entry(1, 9)
    wrong = subprocess.run(
        [sys.executable, "-m", "marketing_taps", "merge-state", "no-such"], capture_output=True, check=False
    )
    assert (wrong.returncode, wrong.stderr.count(b"\n")) == (2, 1)


@pytest.mark.parametrize("spans", [3])
def test_shards_give_what_one_run_gives_and_the_next_run_goes_on(spans: int, tmp_path: Path) -> None:
    # Each sandbox begins at the same instant again, so a plan's end would be in the future of the runs that follow.
    box = ["--sandbox", "speed=100,scale=0.5", *given(tmp_path, config={"end_date": "2026-11-01T11:00:00Z"})]
    whole = run_tap("tap_klaviyo", *box, *SELECT, folder=tmp_path)
    planned = run_tap("tap_klaviyo", *box, *SELECT, "--plan", str(spans), folder=tmp_path)
    assert planned.status == 0, planned.stderr
    shards = json.loads(planned.stdout)["shards"]
    assert sum("start_date" in shard["config"] for shard in shards) == spans
    read: dict[str, list[Any]] = {name: [] for name in CHOSEN}
    states = []
    for shard in reversed(shards):
        selection = [word for name in shard["select"] for word in ("--select", name)]
        config = given(tmp_path, config=shard["config"])
        result = run_tap("tap_klaviyo", *box, *selection, *config, folder=tmp_path)
        assert result.status == 0, result.stderr
        states.append(result.state)
        for name, records in result.by_stream().items():
            read[name] += records
    for name in CHOSEN:
        assert differences(read[name], whole.records(name)) == [], name
    merged = merge(states)
    assert {name for name in CHOSEN if name != "lists"} <= set(merged["bookmarks"])
    following = run_tap("tap_klaviyo", "--sandbox", "speed=100,scale=0.5,day=1", *SELECT, state=merged, folder=tmp_path)
    plain = run_tap(
        "tap_klaviyo", "--sandbox", "speed=100,scale=0.5,day=1", *SELECT, state=whole.state, folder=tmp_path
    )
    for name in CHOSEN:
        assert differences(following.records(name), plain.records(name)) == [], name
