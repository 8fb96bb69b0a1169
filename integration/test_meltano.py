"""Meltano, the real one, runs the taps of `examples/meltano` against their sandboxes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.sandbox import Sandbox
from shared.tap import Tap
from shared.testing.taps import ROOT, TAPS, tap_of

from .loading import program


class Project:
    """A copy of the example, its taps installed from this checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
            "MELTANO_VENV__BACKEND": "virtualenv",  # pip, which knows this machine's registry
            "NO_COLOR": "1",
            "PYTHONWARNINGS": "once",
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Meltano, under way, in a process group of its own."""
        return subprocess.Popen(
            [program("meltano", "meltano"), *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __call__(self, *arguments: str, status: int | None = 0) -> str:
        """Meltano, to its end; what it printed."""
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=300)
        assert status is None or process.returncode == status, said[-4000:]
        return said

    def give(self, tap: Tap, box: Sandbox) -> None:
        """Have a tap read from a sandbox."""
        for name, value in {**box.settings, "base_url": box.base_url}.items():
            text = value if isinstance(value, str) else json.dumps(value)
            self.environment[f"{tap.name}_{name}".upper().replace("-", "_")] = text

    def rows(self, stream: str) -> list[dict[str, Any]]:
        """What the target has."""
        path = self.folder / "output" / f"{stream}.jsonl"
        return [json.loads(line) for line in path.read_text().split("\n") if line] if path.exists() else []

    def state(self, tap: Tap) -> dict[str, Any]:
        """The state that Meltano keeps."""
        said = self("state", "get", f"dev:{tap.name}-to-target-jsonl")
        value: dict[str, Any] = json.loads(said[said.index('{"') :].split("\n")[0])
        return value

    def clear(self, tap: Tap | None = None) -> None:
        """Forget what was loaded, and how far a tap has come."""
        if tap is not None:
            self("state", "clear", "--force", f"dev:{tap.name}-to-target-jsonl", status=None)
        shutil.rmtree(self.folder / "output", ignore_errors=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("meltano") / "project"
    shutil.copytree(ROOT / "examples" / "meltano", folder, ignore=shutil.ignore_patterns(".meltano", "output", ".env"))
    file = folder / "meltano.yml"
    file.write_text(file.read_text().replace("pip_url: -e ../..", f"pip_url: -e {ROOT}"))
    made = Project(folder)
    made("install")
    return made


@pytest.fixture
def box(request: pytest.FixtureRequest, project: Project) -> Iterator[Sandbox]:
    """The sandbox of the tap under test, the project pointed to it."""
    tap = tap_of(request.param[0])
    assert tap.sandbox is not None
    sandbox = tap.sandbox(request.param[1])
    sandbox.start()
    project.give(tap, sandbox)
    project.clear(tap)
    try:
        yield sandbox
    finally:
        sandbox.stop()


@pytest.mark.parametrize(
    ("package", "box"), [(package, (package, {"speed": "100"})) for package in TAPS], indirect=["box"]
)
def test_a_second_run_is_incremental_and_meltano_shows_what_the_tap_says(
    package: str, box: Sandbox, project: Project
) -> None:
    tap = tap_of(package)
    assert "Plugin configuration is valid" in project("config", "test", tap.name)
    listed = project("select", tap.name, "--list", "--all")
    chosen = {stream.name for stream in tap.streams if stream.selected and not stream.hidden}
    assert set(re.findall(r"\[(?:selected|automatic) *\] (\w+)\.", listed)) == chosen

    said = project("run", tap.name, "target-jsonl")
    expected = {name: len(box.truth(name, box.settings)) for name in chosen}
    assert {name: len(project.rows(name)) for name in chosen} == expected
    assert "complete" in said, "the tap's log lines are shown"
    assert "record_count" in said, "and its metrics"
    assert '{"level"' not in said, "it takes them for log lines, not for text"
    assert not re.search(r"(shared|tap_\w+)/\w+\.py:\d+: \w*Warning", said)
    assert f"dev:{tap.name}-to-target-jsonl" in project("state", "list")
    bookmarks = project.state(tap)["singer_state"]["bookmarks"]
    assert bookmarks

    project.clear()
    project("run", tap.name, "target-jsonl")
    incremental = [
        each.name for each in tap.streams if each.name in chosen and each.replication_key and each.name in bookmarks
    ]
    again = {name: len(project.rows(name)) for name in incremental}
    assert sum(again.values()) < sum(expected[name] for name in incremental) / 2, again


MAILCHIMP = pytest.mark.parametrize("box", [("tap_mailchimp", {"speed": "100"})], indirect=True)


@MAILCHIMP
def test_settings_and_nested_selections_reach_the_records(box: Sandbox, project: Project) -> None:
    project("config", "set", "tap-mailchimp", "account_label", "Ümlaut & Sons")
    project("select", "tap-mailchimp", "--clear", status=None)
    project("select", "tap-mailchimp", "lists", "stats.member_count")
    project("select", "tap-mailchimp", "lists", "name")
    try:
        assert re.search(r"\[selected *\] lists\.stats\.member_count", project("select", "tap-mailchimp", "--list"))
        project("run", "tap-mailchimp", "target-jsonl")
    finally:
        project("config", "unset", "tap-mailchimp", "account_label")
        text = (project.folder / "meltano.yml").read_text()
        (project.folder / "meltano.yml").write_text(re.sub(r"    select:\n(    - .*\n)+", "", text))
    rows = project.rows("lists")
    assert {row["_account"] for row in rows} == {"Ümlaut & Sons"}
    assert {name for row in rows for name in row} - {"_extra", "_account"} == {"id", "name", "stats"}
    assert {name for row in rows for name in row["stats"]} == {"member_count"}
    assert sorted(path.stem for path in (project.folder / "output").glob("*.jsonl")) == ["lists"]


@pytest.mark.parametrize("box", [("tap_klaviyo", {"quotas": "0", "forbid": "lists"})], indirect=True)
def test_a_failing_stream_fails_the_run_and_the_others_are_loaded(box: Sandbox, project: Project) -> None:
    said = project("run", "tap-klaviyo", "target-jsonl", status=1)
    assert re.search(r"\[warning *\].* lists: .*403", said), said[-3000:]
    assert not project.rows("lists")
    assert len(project.rows("profiles")) == len(box.truth("profiles", box.settings))


@pytest.mark.parametrize("box", [("tap_mailchimp", {"latency": "0.1"})], indirect=True)
def test_after_ctrl_c_a_run_goes_on(box: Sandbox, project: Project) -> None:
    process = project.start("run", "tap-mailchimp", "target-jsonl")
    deadline = time.monotonic() + 120
    while not project.rows("list_members"):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: Meltano, tap and target all get it
    said, _ = process.communicate(timeout=60)
    assert process.returncode != 0, said[-2000:]
    project("run", "tap-mailchimp", "target-jsonl")
    expected = {row["id"] + row["list_id"] for row in box.truth("list_members", box.settings)}
    assert {row["id"] + row["list_id"] for row in project.rows("list_members")} == expected


def test_a_tap_can_be_added_from_its_definition(tmp_path: Path) -> None:
    (tmp_path / "meltano.yml").write_text("project_id: added\ndefault_environment: dev\nenvironments:\n- name: dev\n")
    project = Project(tmp_path)
    for package in TAPS:
        name = package.replace("_", "-")
        definition = str(ROOT / "plugins" / "extractors" / f"{name}.yml")
        project("add", name, "--plugin-type", "extractor", "--from-ref", definition, "--no-install")
        assert f"{name.upper().replace('-', '_')}_" in project("config", "list", name)
    assert (tmp_path / "meltano.yml").read_text().count("variant: marketing-taps") == len(TAPS)
