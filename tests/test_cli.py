"""The command line as users meet it: options, exit codes, one clear line for each failure, signals, closed pipes."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.command import cli
from shared.command.start import parse
from shared.errors import ConfigError, RefusedError, StateError, TapError
from shared.protocol.state import read_file
from shared.tap import Tap, settings_of
from shared.testing.runs import Result, command, run_tap

SMALL = "scale=0.2"


def run(tap: Tap, folder: Path, *arguments: str, **how: Any) -> Result:
    return run_tap(tap.name, *arguments, folder=folder, **how)


def smallest(tap: Tap) -> str:
    """A stream without parents, for runs that are not about streams."""
    return next(stream.name for stream in tap.streams if not stream.parents and not stream.hidden and stream.selected)


def failed(result: Result, tap: Tap, status: int) -> str:
    """The one line of a failure: nothing on stdout, no traceback."""
    assert result.status == status, result.stderr
    assert result.stdout == b""
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith(f"{tap.name}: ")]
    assert len(lines) == 1, result.stderr
    return lines[0]


# Without an account


def test_version_and_help(tap: Tap, tmp_path: Path) -> None:
    assert run(tap, tmp_path, "--version").stdout.decode() == f"{tap.name} {tap.version}\n"
    text = run(tap, tmp_path, "--help").stdout.decode()
    for option in ("--config", "--catalog", "--properties", "--state", "--discover", "--select", "--sandbox", "--test"):
        assert option in text


def test_about_has_what_hub_tools_read(tap: Tap, tmp_path: Path) -> None:
    result = run(tap, tmp_path, "--about", "--format", "json")
    about = json.loads(result.stdout)
    assert list(about) == [
        "name", "description", "version", "sdk_version", "supported_python_versions", "capabilities", "settings",
        "streams",
    ]  # fmt: skip
    assert {"catalog", "discover", "state", "about"} <= set(about["capabilities"])
    assert about["settings"]["properties"]["start_date"]["format"] == "date-time"
    assert {stream["name"] for stream in about["streams"]} == {s.name for s in tap.streams if not s.hidden}
    for form in ("text", "markdown"):
        assert "start_date" in run(tap, tmp_path, "--about", "--format", form).stdout.decode()


def test_discovery_needs_no_config(tap: Tap, tmp_path: Path) -> None:
    result = run(tap, tmp_path, "--discover")
    assert result.status == 0, result.stderr
    streams = json.loads(result.stdout)["streams"]
    assert {entry["tap_stream_id"] for entry in streams} == {s.name for s in tap.streams if not s.hidden}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nonsense"],
        ["--discover", "--test"],
        ["--about", "--format", "xml"],
        ["--config"],
        ["positional"],
        ["--disc"],
    ],
)
def test_wrong_arguments_are_said_in_one_line(tap: Tap, tmp_path: Path, arguments: list[str]) -> None:
    result = run(tap, tmp_path, *arguments)
    assert "--help" in failed(result, tap, 2)
    assert len(result.stderr.splitlines()) == 1


def test_without_config_the_missing_settings_are_named(tap: Tap, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")
    assert "missing" in failed(run(tap, tmp_path, "--config", str(path)), tap, 2)


def test_a_tap_started_with_nothing_says_how_to_begin(tap: Tap, tmp_path: Path) -> None:
    for action in ([], ["--test"], ["--preview"], ["--select", "x"]):
        result = run(tap, tmp_path, *action)
        if action == ["--test"]:
            assert "missing" in failed(result, tap, 2)
            continue
        assert "missing" in failed(result, tap, 2)
        assert f"{tap.name} --sandbox --preview" in result.stderr
        assert f"docs/{tap.name}.md" in result.stderr
        (config,) = re.findall(r"^    \{.*?\}$", result.stderr, re.MULTILINE | re.DOTALL)
        path = tmp_path / "config.json"
        path.write_text(config)
        assert "missing" not in run(tap, tmp_path, "--discover", "--config", str(path), "--sandbox").stderr
        required = {setting.name for setting in settings_of(tap) if setting.required}
        assert required <= set(json.loads(config))


def test_a_missing_state_file_is_a_first_run(tap: Tap, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    result = run(tap, tmp_path, "--sandbox", SMALL, "--select", smallest(tap), "--state", str(path))
    assert result.status == 0
    assert result.stderr.count(str(path)) == 1
    assert f"INFO there is no state file {path}: a first run" in result.stderr
    assert result.records(smallest(tap))
    dangling = tmp_path / "link.json"
    dangling.symlink_to(tmp_path / "nowhere.json")
    failed(run(tap, tmp_path, "--sandbox", SMALL, "--state", str(dangling)), tap, 2)


def test_a_pattern_says_which_streams_it_took_that_are_off_by_default(tap: Tap, tmp_path: Path) -> None:
    off = [stream.name for stream in tap.streams if not stream.selected and not stream.hidden]
    if not off:
        pytest.skip("all streams are on")
    result = run(tap, tmp_path, "--sandbox", SMALL, "--select", f"{off[0][:-1]}*", "--select", smallest(tap))
    (line,) = [line for line in result.stderr.splitlines() if "off by default" in line]
    assert off[0] in line
    exact = run(tap, tmp_path, "--sandbox", SMALL, "--select", off[0])
    assert "off by default" not in exact.stderr


@pytest.mark.parametrize(
    ("option", "text"),
    [
        *((option, text) for option in ("--config", "--catalog", "--state") for text in ("{", "[]")),
        ("--config", None),
        ("--catalog", None),
    ],
)
def test_a_broken_file_is_said_in_one_line(tap: Tap, tmp_path: Path, option: str, text: str | None) -> None:
    path = tmp_path / "broken.json"
    if text is not None:
        path.write_text(text)
    line = failed(run(tap, tmp_path, "--sandbox", SMALL, option, str(path)), tap, 2)
    assert option.strip("-") in line or "broken.json" in line


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--sandbox", "weather=fine"], "weather"),
        (["--sandbox", "day"], "day"),
        (["--sandbox", "day=soon"], "day"),
        (["--sandbox", SMALL, "--select", "no_such_stream"], "no_such_stream"),
        (["--sandbox", SMALL, "--full-refresh", "no_such_stream"], "no_such_stream"),
        (["--sandbox", SMALL, "--exclude", "*"], "select"),
    ],
)
def test_what_does_not_exist_is_refused(tap: Tap, tmp_path: Path, arguments: list[str], word: str) -> None:
    assert word in failed(run(tap, tmp_path, *arguments), tap, 2)


def test_a_config_with_several_problems_is_one_line(tap: Tap, tmp_path: Path) -> None:
    config = {"start_date": "someday", "concurrency": "many"}
    line = failed(run(tap, tmp_path, "--sandbox", SMALL, config=config), tap, 2)
    assert "start_date" in line
    assert "concurrency" in line


# Against the sandbox


def test_a_sync_ends_in_a_state_and_a_summary(tap: Tap, tmp_path: Path) -> None:
    name = smallest(tap)
    result = run(tap, tmp_path, "--sandbox", SMALL, "--select", name)
    assert result.status == 0, result.stderr
    assert result.records(name)
    assert result.messages[-1]["type"] == "STATE"
    assert f"{len(result.records(name)):,}" in next(
        line for line in result.stderr.splitlines() if line.startswith(f"{name} ") and line.endswith("complete")
    )
    assert set(result.by_stream()) == {name}


def test_full_refresh_forgets_the_bookmark(tap: Tap, tmp_path: Path) -> None:
    filtered = (s for s in tap.streams if s.since or s.window or s.order)
    incremental = next(s.name for s in filtered if s.replication_key and not s.full_table and s.selected)
    sync = ("--sandbox", SMALL, "--select", incremental)
    first = run(tap, tmp_path, *sync)
    again = run(tap, tmp_path, *sync, state=first.state)
    whole = run(tap, tmp_path, *sync, "--full-refresh", f"{incremental[:-1]}*", state=first.state)
    assert len(again.records(incremental)) < len(first.records(incremental))
    assert len(whole.records(incremental)) == len(first.records(incremental))


def test_the_log_may_be_json(tap: Tap, tmp_path: Path) -> None:
    result = run(tap, tmp_path, "--sandbox", SMALL, "--select", smallest(tap), config={"log_format": "json"})
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    assert any(line.get("metric_info") for line in lines)
    assert any(line["extra"].get("outcome") == "complete" for line in lines)


def test_the_log_level_comes_from_the_environment(tap: Tap, tmp_path: Path) -> None:
    sync = ("--sandbox", SMALL, "--select", smallest(tap))
    assert "DEBUG" in run(tap, tmp_path, *sync, environment={"LOGLEVEL": "debug"}).stderr
    assert "INFO" not in run(tap, tmp_path, *sync, environment={"LOGLEVEL": "WARNING"}).stderr


def test_a_credential_test_says_what_can_be_read(tap: Tap, tmp_path: Path) -> None:
    result = run(tap, tmp_path, "--sandbox", SMALL, "--test")
    assert result.status == 0, result.stderr
    assert result.stdout == b""
    table = [line for line in result.stderr.splitlines() if " GET /" in line or " POST /" in line]
    assert len(table) == sum(1 for stream in tap.streams if stream.selected and not stream.hidden)
    assert any(" readable" in line for line in table)
    assert not any(" failed" in line for line in table)


def test_stdout_closed_ends_quietly(tap: Tap) -> None:
    process = subprocess.Popen(
        command(tap.name, ["--sandbox", "scale=2", "--log-level", "warning"]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(30) == 141
    assert "Broken" not in said
    assert "Exception ignored" not in said
    assert "Traceback" not in said


def sync_slowly(tap: Tap) -> subprocess.Popen[bytes]:
    """A run that takes long, whose first records have come."""
    process = subprocess.Popen(
        command(tap.name, ["--sandbox", "latency=0.3"]), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    while b'"RECORD"' not in (line := process.stdout.readline()):
        assert line, "the run ended before its first record"
    return process


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_in_good_order(tap: Tap, number: signal.Signals, status: int) -> None:
    process = sync_slowly(tap)
    process.send_signal(number)
    began = time.monotonic()
    out, _ = process.communicate(timeout=30)
    assert process.returncode == status
    assert time.monotonic() - began < 5
    lines = out.splitlines()
    assert json.loads(lines[-1])["type"] == "STATE"


def test_a_target_that_reads_no_more_does_not_hold_a_stopped_run(tap: Tap) -> None:
    process = subprocess.Popen(
        command(tap.name, ["--sandbox", "scale=5"]), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(1)  # the pipe is full now, and the writer blocked
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 143
    assert time.monotonic() - began < 6
    process.stdout.close()


def test_a_terminal_gets_a_live_view_and_stdout_stays_clean(tap: Tap) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(tap.name, ["--sandbox", "latency=0.2", "--select", smallest(tap)]),
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**{k: v for k, v in os.environ.items() if k != "CI"}, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "120"},
    )
    os.close(theirs)
    said = bytearray()

    def listen() -> None:
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # the other end is closed
                return
            if not chunk:
                return
            said.extend(chunk)

    listener = threading.Thread(target=listen)
    listener.start()
    out, _ = process.communicate(timeout=30)
    listener.join(10)
    os.close(ours)
    assert process.returncode == 0, said.decode()
    assert "records/s" in said.decode()
    assert re.search(r"0 of 1 streams, [\d,]+ records, [\d,]+ requests, 0:0\d", said.decode())
    assert "METRIC" not in said.decode()
    assert all(json.loads(line) for line in out.splitlines())


# A preview


def on_a_terminal(tap: Tap, *arguments: str, columns: int = 120) -> tuple[int, str]:
    """The exit code of a run whose stdout and stderr are a terminal, and what it showed."""
    ours, theirs = pty.openpty()
    kept = {k: v for k, v in os.environ.items() if k not in ("CI", "COLUMNS")}
    process = subprocess.Popen(
        command(tap.name, list(arguments)),
        stdout=theirs,
        stderr=theirs,
        env={**kept, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": str(columns)},
    )
    os.close(theirs)
    said = bytearray()
    with contextlib.suppress(OSError):  # the other end is closed
        while chunk := os.read(ours, 65536):
            said.extend(chunk)
    os.close(ours)
    return process.wait(30), re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode())


def test_a_preview_shows_the_first_rows_of_each_stream(tap: Tap) -> None:
    status, text = on_a_terminal(tap, "--sandbox", "scale=0.5", "--preview", "2", "--no-progress")
    assert status == 0, text
    assert '"RECORD"' not in text
    assert "INFO" not in text
    shown = {line.split(" and ")[0].strip() for line in text.splitlines()}
    nothing = re.search(r"No rows came of: (.*)", text.replace("\r\n", " "))
    for stream in tap.streams:
        if stream.selected and not stream.hidden:
            assert stream.name in shown or (nothing and stream.name in nothing[1]), stream.name
    name = smallest(tap)
    (head,) = re.findall(rf"^{name}(?: and \d+ more columns)? *\r?\n(.*)", text, re.MULTILINE)
    keys = next(stream.key_properties for stream in tap.streams if stream.name == name)
    assert all(key in head for key in keys), head


def test_a_preview_to_a_pipe_is_singer_without_a_state(tap: Tap, tmp_path: Path) -> None:
    name = smallest(tap)
    result = run(tap, tmp_path, "--sandbox", "--select", name, "--preview", "2")
    assert result.status == 0, result.stderr
    assert [message["type"] for message in result.messages] == ["SCHEMA", "RECORD", "RECORD"]
    whole = run(tap, tmp_path, "--sandbox", "--select", name)
    assert result.records(name) == whole.records(name)[:2]


@pytest.mark.parametrize("rows", ["0", "-1", "some"])
def test_a_preview_of_no_rows_is_refused(tap: Tap, tmp_path: Path, rows: str) -> None:
    failed(run(tap, tmp_path, "--sandbox", f"--preview={rows}"), tap, 2)


# Inside


def ended(tap: Tap, *arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.run(tap, parse(tap.name, tap.title, tap.version, oauth=tap.authorize is not None, argv=arguments))
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.mark.parametrize(("error", "status"), [(TapError("it broke."), 1), (ConfigError("it broke."), 2)])
def test_errors_end_with_their_exit_code(
    tap: Tap, capsys: pytest.CaptureFixture[str], error: TapError, status: int
) -> None:
    def connect(context: Any) -> Any:
        raise error

    assert ended(replace(tap, connect=connect), "--sandbox") == status
    assert f"{tap.name}: it broke.\n" in capsys.readouterr().err


def test_our_own_bug_is_one_line_and_a_traceback_on_request(tap: Tap, capsys: pytest.CaptureFixture[str]) -> None:
    def connect(context: Any) -> Any:
        raise KeyError("gone")

    broken = replace(tap, connect=connect)
    assert ended(broken, "--sandbox") == 1
    said = capsys.readouterr().err
    assert f"{tap.name}: unexpected KeyError: 'gone'" in said
    assert "Traceback" not in said
    assert ended(broken, "--sandbox", "--log-level", "debug") == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_secret_in_an_error_is_masked(tap: Tap, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = next(setting.name for setting in tap.settings if setting.secret)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({secret: "hunter2hunter2-us6", "start_date": "2026-01-01"}))

    def connect(context: Any) -> Any:
        raise RefusedError(f"no entry with {context.settings[secret]}")

    assert ended(replace(tap, connect=connect), "--config", str(path), "--sandbox") == 1
    assert "hunter2" not in capsys.readouterr().err


def test_authorize_is_there_only_with_oauth(tap: Tap, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(replace(tap, authorize=None), "--authorize") == 2
    assert "unrecognized" in capsys.readouterr().err


BARE = {"bookmarks": {"items": {"updated": "2026-01-01T00:00:00.000000Z"}}}
LINE = json.dumps({"type": "STATE", "value": BARE})


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(BARE),
        json.dumps(BARE, indent=2),
        LINE,
        f'{{"type": "RECORD", "stream": "items", "record": {{}}}}\n{{"type": "STATE", "value": {{}}}}\n{LINE}\n',
        f'{LINE}\n{{"type": "RECORD", "stream": "items", "rec',
        f"{{}}\n{json.dumps(BARE)}\n",
        f"\ufeff{LINE}\r\n",
    ],
)
def test_a_state_is_found_in_what_people_pass(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text, "utf-8")
    assert read_file(str(path)) == BARE


def test_an_empty_state_file_is_an_empty_state(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("\n")
    assert read_file(str(path)) == {}


@pytest.mark.parametrize("text", ["nothing of the kind", '{"type": "RECORD"}\n{"type": "SCHEMA"}\n', "{"])
def test_what_holds_no_state_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(StateError, match="neither a state nor"):
        read_file(str(path))


def test_importing_the_command_line_imports_nothing_heavy(tap: Tap) -> None:
    heavy = "requests", "urllib3", "singer", "orjson", "pendulum", "jsonschema", "rich", "backoff", "asyncio", "ssl"
    module = f"{tap.name.replace('-', '_')}.tap"
    code = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
