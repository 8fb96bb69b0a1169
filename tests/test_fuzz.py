"""Configs, states and catalogs of every wrong shape: the command ends with 2 and one short line.

The whole command runs, in this process and without an API: what would ask one is left out, and instead of a sync its
plan is made. `FUZZ_EXAMPLES=100000` (`make fuzz`) tries so many; otherwise it is some thousand.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import TAPS, tap_of
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from shared.command import cli, discovery
from shared.command.start import parse
from shared.protocol import catalog
from shared.settings import Setting
from shared.sync import sync
from shared.sync.plan import Plan
from shared.tap import Tap, settings_of

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")  # of texts that are long on purpose

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3000"))
EACH = max(EXAMPLES // (3 * len(TAPS)), 1)
NOW = "2026-11-20T12:00:00.000000Z"

FUZZ = settings(
    max_examples=EACH,
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

LEAVES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    5,
    2**63,
    2**70,
    -(2**70),
    10**4000,
    0.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    "",
    " ",
    "x",
    "0",
    "1e308",
    "*",
    "\x00",
    "\x1b[31m",
    "\u2028",
    "\ud800",
    "é" * 200,
    "x" * 100_000,
    "0001-01-01",
    "1899-01-01",
    "9999-12-31T23:59:59-05:00",
    "2099-01-01T00:00:00Z",
    "2026-01-01T00:00:00Z",
    "https://[::1",
    "http://127.0.0.1:99999",
    "https://x:y@h",
    "file:///tmp",
    "~nosuchuser/x",
    "drop",
    "sha256",
    [],
    {},
    [[]],
    [{}],
    {"a": {}},
    [None],
    [1, 2],
    ["x"],
    {"file": "~nosuchuser/x"},
    {"file": "/dev/zero"},
    {"file": "/"},
    {"file": 5},
    {"storage": "x"},
    {"root": "https://["},
    {"root": 5, "encoding": []},
    [["2026-01-01", "2026-02-01"]],
    [[1, 2, 3]],
    ["2026-01-01", None, None],
    ["object"],
    {"type": ["string"]},
    {"*.email": "drop"},
    {"*": "sha256"},
    {"x.y": 5},
]
JSON = st.recursive(
    st.sampled_from(LEAVES) | st.text(max_size=6) | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something of `value` stands."""
    yield at
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*at, name))
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from places(value[index], (*at, index))


def changed(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    """`value` with `new` at one place."""
    if not at:
        return new
    if isinstance(value, dict):
        return {**value, at[0]: changed(value[at[0]], at[1:], new)}
    return [changed(each, at[1:], new) if index == at[0] else each for index, each in enumerate(value)]


@st.composite
def broken(draw: st.DrawFn, sound: Any) -> str:
    """The text of a file: `sound`, with one to three places that hold something else."""
    value = sound
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.sampled_from(list(places(value))))
        value = changed(value, at, draw(JSON))
    text = _dumped(value)
    kind = draw(st.integers(0, 40))
    if kind == 0:
        return text[: len(text) // 2]
    if kind == 1:
        depth = draw(st.sampled_from([150, 250, 5000, 200_000]))
        return '{"a":' * depth + "1" + "}" * depth
    if kind == 2:
        return text.replace('"', '"\u2028', 1)
    return text


def _dumped(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**300:
        return "9" * 4400
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(name))}:{_dumped(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dumped, value)) + "]"
    return json.dumps(value)


def quiet(tap: Tap) -> Tap:
    """The tap with a few of its streams, asking nothing of its API."""
    plain = [stream for stream in tap.streams if not stream.parents and not stream.hidden and not stream.pages_of][:2]
    names = {stream.name for stream in plain}
    below = [s for s in tap.streams if s.parents and not s.hidden and {parent.stream for parent in s.parents} <= names]
    return replace(tap, check=lambda client: "account", more_streams=None, streams=(*plain, *below[:1]))


def config_of(tap: Tap) -> dict[str, Any]:
    """A config that is right, with every setting in it."""
    assert tap.sandbox is not None
    given = {name: value for name, value in tap.sandbox({}).settings.items() if name != "base_url"}
    for setting in settings_of(tap):
        if setting.name not in given and (value := _example(setting)) is not None:
            given[setting.name] = value
    return given


def _example(setting: Setting) -> Any:
    if setting.name in ("batch", "mask", "flatten", "activate_version", "base_url", "account_label"):
        return None
    return setting.default


def state_of(tap: Tap) -> dict[str, Any]:
    """A state that is right, with every member in it."""
    shown = [stream for stream in tap.streams if not stream.hidden][:6]
    entry = {
        "units": {"a": NOW, "b": [NOW, {"c": 1}], "*": "2026-01-01"},
        "done": [[NOW, NOW]],
        "refreshed": NOW,
        "resume": {"began": NOW, "done": ["a"], "units": {"a": {"id": 1, "units": []}}, "followed": {"a": NOW}},
    }
    bookmarks = {stream.name: {**entry, stream.replication_key or "x": NOW} for stream in shown}
    return {"bookmarks": bookmarks, "tap": tap.name, "account": "ab:cd", "as_of": NOW}


def catalog_of(tap: Tap) -> dict[str, Any]:
    """A small catalog that is right."""
    streams, schemas = discovery.known(tap)
    built = catalog.build(tap.name, streams, schemas, {})
    few = built["streams"][:2]
    for stream in few:
        stream["metadata"] = stream["metadata"][:4]
        stream["metadata"][0]["metadata"]["selected"] = True
        stream["schema"]["properties"] = dict(list(stream["schema"]["properties"].items())[:4])
    return {"streams": few}


@pytest.fixture(autouse=True)
def nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(*, streams: Any, selections: Any, state: Any, settings: Any, **_: Any) -> int:
        made = Plan(streams, selections, state=state, settings=settings, now=NOW)
        made.beginnings(made.runs())
        json.dumps(state.value)
        return 0

    monkeypatch.setattr(sync, "run", plan)
    monkeypatch.setattr("shared.process.be_quick", lambda: None)  # once a process, not once an example
    monkeypatch.setattr(discovery, "of_account", lambda tap, client, **_: (*discovery.known(tap), {}))


def outcome(tap: Tap, *arguments: str) -> tuple[int, str]:
    """The exit code and stderr of a command that runs in this process."""
    errors, out = io.StringIO(), io.TextIOWrapper(io.BytesIO())
    given = parse(tap.name, tap.title, tap.version, oauth=tap.authorize is not None, argv=arguments)
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(out):
        code = cli.Command(tap, given).run()
    return code, errors.getvalue()


def check(tap: Tap, folder: Path, name: str, text: str, sound: dict[str, Any]) -> None:
    files = {"config": json.dumps(sound), name: text}
    arguments = []
    for option, content in files.items():
        path = folder / f"{option}.json"
        path.write_text(content, encoding="utf-8", errors="surrogatepass")
        arguments += [f"--{option}", str(path)]
    code, said = outcome(tap, *arguments)
    assert code in (0, 2), f"{code}: {said[-2000:]}\n{text[:2000]}"
    assert "is a bug in" not in said, f"{said[-2000:]}\n{text[:2000]}"
    assert "Traceback" not in said, f"{said[-2000:]}\n{text[:2000]}"
    if code == 2:
        line = said.splitlines()[-1]
        assert line.startswith(f"{tap.name}: "), said[-2000:]
        assert len(line) <= 500, line
    assert all(len(line) < 5000 for line in said.splitlines()), said[-2000:]


@pytest.mark.parametrize("package", TAPS)
def test_no_config_ends_in_a_fault_of_ours(package: str, tmp_path: Path) -> None:
    tap = quiet(tap_of(package))
    sound = config_of(tap)

    @FUZZ
    @given(broken(sound))
    def holds(text: str) -> None:
        check(tap, tmp_path, "config", text, sound)

    holds()


@pytest.mark.parametrize("package", TAPS)
def test_no_state_ends_in_a_fault_of_ours(package: str, tmp_path: Path) -> None:
    tap = quiet(tap_of(package))
    sound = config_of(tap)

    @FUZZ
    @given(broken(state_of(tap)))
    def holds(text: str) -> None:
        check(tap, tmp_path, "state", text, sound)

    holds()


@pytest.mark.parametrize("package", TAPS)
def test_no_catalog_ends_in_a_fault_of_ours(package: str, tmp_path: Path) -> None:
    tap = quiet(tap_of(package))
    sound = config_of(tap)

    @FUZZ
    @given(broken(catalog_of(tap)))
    def holds(text: str) -> None:
        check(tap, tmp_path, "catalog", text, sound)

    holds()
