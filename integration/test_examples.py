"""The examples do what their pages say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from shared.protocol.state import merge
from shared.testing.runs import differences, run_tap

from .loading import program

ROOT = Path(__file__).parent.parent
BOX = ["--sandbox", "scale=0.5"]
CHOSEN = ("receive", "open", "lists", "profiles")


def rows(folder: Path) -> dict[str, list[Any]]:
    """What target-jsonl wrote below a folder, by stream."""
    found: dict[str, list[Any]] = {}
    for path in folder.rglob("*.jsonl"):
        found.setdefault(path.stem, []).extend(json.loads(line) for line in path.read_text().split("\n") if line)
    return found


def test_the_line_of_cron_keeps_its_state_and_runs_alone(tmp_path: Path) -> None:
    (line,) = [each for each in (ROOT / "examples/cron/crontab").read_text().splitlines() if each.startswith("17 ")]
    target = {"destination_path": str(tmp_path / "output"), "do_timestamp_file": False}
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "target.json").write_text(json.dumps(target))
    (tmp_path / "state.json").touch()
    shell = re.sub(r"^(\S+ +){5}", "", line).replace("/srv/mailchimp", str(tmp_path))
    shell = shell.replace("target-duckdb", program("target-jsonl", "target-jsonl"))
    shell = shell.replace(
        "tap-mailchimp", f"{sys.executable} -m tap_mailchimp --sandbox speed=100 --select list_members"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run(["sh", "-c", shell], env=environment, check=False).returncode == 0
    first = len(rows(tmp_path / "output")["list_members"])
    state = json.loads((tmp_path / "state.json").read_text())
    assert state["bookmarks"]["list_members"]
    assert subprocess.run(["sh", "-c", shell], env=environment, check=False).returncode == 0
    assert len(rows(tmp_path / "output")["list_members"]) < 1.5 * first, "the second run began where the first ended"
    held = subprocess.Popen(["flock", str(tmp_path / "lock"), "sleep", "20"])
    try:
        while subprocess.run(["flock", "-n", str(tmp_path / "lock"), "true"], check=False).returncode == 0:
            pass
        assert subprocess.run(["sh", "-c", shell], env=environment, check=False).returncode == 1
    finally:
        held.kill()
        held.wait()
    # A target that stores nothing says nothing, and the state stays.
    broken = shell.replace(program("target-jsonl", "target-jsonl"), "false")
    subprocess.run(["sh", "-c", broken], env=environment, check=False)
    assert json.loads((tmp_path / "state.json").read_text())["bookmarks"]["list_members"]


def test_partitions_side_by_side_give_what_one_run_gives(tmp_path: Path) -> None:
    select = [word for name in CHOSEN for word in ("--select", name)]
    config = {"end_date": "2026-11-01T11:00:00Z"}
    whole = run_tap("tap_klaviyo", *BOX, *select, config=config, folder=tmp_path)
    planned = run_tap("tap_klaviyo", *BOX, *select, "--plan", "2", config=config, folder=tmp_path)
    (tmp_path / "news.json").write_text(json.dumps(config))
    (tmp_path / "shards.json").write_bytes(planned.stdout)
    tap = [sys.executable, "-m", "tap_klaviyo", *BOX]
    loader = tmp_path / "load"
    loader.write_text(
        'echo "{\\"destination_path\\": \\"$1\\", \\"do_timestamp_file\\": false}" > $1/target.json\n'
        f"exec {program('target-jsonl', 'target-jsonl')} --config $1/target.json\n"
    )
    target = ["sh", str(loader), "{folder}"]
    account = {"tap": tap, "config": "news.json", "shards": "shards.json", "target": target}
    (tmp_path / "accounts.json").write_text(json.dumps({"news": account}))
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        **os.environ,
        "MARKETING_HOME": str(tmp_path),
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": str(ROOT),
    }
    dagster = program("dagster", "dagster")
    subprocess.run([dagster, "instance", "concurrency", "set", "news", "2"], env=environment, check=True)

    def materialize(partition: str) -> subprocess.CompletedProcess[str]:
        command = [dagster, "asset", "materialize", "--select", "news", "--partition", partition]
        return subprocess.run(
            [*command, "-f", str(ROOT / "examples/dagster/definitions.py")],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    names = [shard["name"] for shard in json.loads(planned.stdout)["shards"]]
    with ThreadPoolExecutor(4) as pool:
        for done in pool.map(materialize, names):
            assert done.returncode == 0, done.stderr[-3000:]
    loaded = rows(tmp_path / "runs")
    for name in CHOSEN:
        assert differences(loaded[name], whole.records(name)) == [], name
    states = [json.loads(path.read_text()) for path in (tmp_path / "runs").rglob("state.json")]
    assert len(states) == len(names)
    assert set(merge(states)["bookmarks"]) == set(whole.state["bookmarks"])
