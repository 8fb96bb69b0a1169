"""The examples do what their pages say."""

from __future__ import annotations

import json
import os
import re
import signal
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


def test_the_script_of_the_cronjob_keeps_its_state_and_passes_the_signal_on(tmp_path: Path) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    box = "${BOX:-speed=100}"
    for name, line in {
        "tap-mailchimp": f'exec {sys.executable} -m tap_mailchimp --sandbox "{box}" --select list_members "$@"',
        "target-jsonl": f'exec {program("target-jsonl", "target-jsonl")} "$@"',
    }.items():
        (commands / name).write_text(f"#!/bin/sh\n{line}\n")
        (commands / name).chmod(0o755)
    target = {"destination_path": str(tmp_path / "output"), "do_timestamp_file": False}
    (tmp_path / "output").mkdir()
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "target.json").write_text(json.dumps(target))
    script = tmp_path / "run.sh"
    script.write_text((ROOT / "examples/kubernetes/run.sh").read_text())
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{commands}:{os.environ['PATH']}"}

    def begun(**more: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["sh", str(script)], cwd=tmp_path, env={**environment, **more})

    assert begun().wait() == 0
    first = len(rows(tmp_path / "output")["list_members"])
    everyone = {(row["id"], row["list_id"]) for row in rows(tmp_path / "output")["list_members"]}
    assert json.loads((tmp_path / "state.json").read_text())["bookmarks"]["list_members"]
    assert begun().wait() == 0
    assert len(rows(tmp_path / "output")["list_members"]) < 1.5 * first, "the second run began where the first ended"

    (tmp_path / "state.json").unlink()
    for path in (tmp_path / "output").iterdir():
        path.unlink()
    stopped = begun(BOX="latency=0.5")
    while not (tmp_path / "output" / "list_members.jsonl").exists():
        assert stopped.poll() is None
    stopped.send_signal(signal.SIGTERM)
    # 143, but on a machine so busy that the tap is cut off in mid-line: then the target fails, and the state stays.
    assert stopped.wait() in (143, 1)
    assert len(rows(tmp_path / "output")["list_members"]) < first
    assert begun().wait() == 0
    assert {(row["id"], row["list_id"]) for row in rows(tmp_path / "output")["list_members"]} == everyone


def test_dlt_loads_a_tap_and_goes_on_from_its_state(tmp_path: Path) -> None:
    command = [program("dlt", "python"), str(ROOT / "examples/dlt/marketing.py")]
    tap = [sys.executable, "-m", "tap_mailchimp", "--sandbox", "speed=100", "--select", "list_members"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DLT_DATA_DIR": str(tmp_path / "dlt")}
    count = (
        "import duckdb; c = duckdb.connect('marketing_taps.duckdb'); "
        "print(*c.execute('SELECT count(*), count(DISTINCT (id, list_id)) FROM marketing.list_members').fetchone())"
    )
    counts = []
    for _ in range(2):
        done = subprocess.run([*command, *tap], cwd=tmp_path, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()[-3000:]
        found = subprocess.check_output([program("dlt", "python"), "-c", count], cwd=tmp_path, text=True)
        counts.append([int(each) for each in found.split()])
        read = re.search(rb"list_members +([\d,]+)", done.stderr)
        assert read is not None
        counts[-1].append(int(read[1].replace(b",", b"")))
    (rows_then, keys_then, read_then), (rows_now, keys_now, read_now) = counts
    assert rows_then == keys_then == rows_now == keys_now == read_then
    assert read_now < read_then / 2


def test_the_dag_of_airflow_reads_every_account(tmp_path: Path) -> None:
    tap = [sys.executable, "-m", "tap_mailchimp", "--sandbox", "scale=0.2,speed=100", "--select", "list_members"]
    (tmp_path / "accounts.json").write_text(
        json.dumps([{"name": name, "tap": tap, "target": [sys.executable, "-c", LAST_STATE]} for name in ("a", "b")])
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "examples/airflow"),
        "MARKETING_HOME": str(tmp_path),
    }
    airflow = program("airflow", "airflow")
    subprocess.run([airflow, "db", "migrate"], env=environment, check=True, capture_output=True)
    done = subprocess.run([airflow, "dags", "test", "marketing"], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()[-3000:]
    for name in ("a", "b"):
        assert json.loads((tmp_path / "runs" / name / "state.json").read_text())["bookmarks"]["list_members"]
        report = json.loads((tmp_path / "runs" / name / "report.json").read_text())
        assert report["exit_code"] == 0
        assert any(each["records"] for each in report["streams"])


LAST_STATE = """import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message["type"] == "STATE":
        print(json.dumps(message["value"]))
"""
"""The smallest target: it stores nothing and prints each state."""
