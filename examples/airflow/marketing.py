"""Airflow 3: every account in `accounts.json` once an hour, side by side, each a task of its own with its own state."""

import json
import os
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from airflow.sdk import dag, task

HOME = Path(os.environ.get("MARKETING_HOME", Path(__file__).parent))
"""Holds `accounts.json` and the configs that it names; on a volume that all workers have."""


@dag(
    schedule="17 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["marketing"],
)
def marketing() -> None:
    """The accounts are looked up in each run, so a new one needs no change here."""

    @task
    def accounts() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((HOME / "accounts.json").read_text())
        return found

    # A retry goes on where the target had come to. So many accounts at once: `max_active_tis_per_dag`.
    @task(
        retries=2, retry_delay=timedelta(minutes=5), max_active_tis_per_dag=4, map_index_template="{{ account_name }}"
    )
    def sync(account: dict[str, Any]) -> dict[str, int]:
        from airflow.sdk import get_current_context

        get_current_context()["account_name"] = account["name"]  # type: ignore[typeddict-unknown-key]
        folder = HOME / "runs" / account["name"]
        folder.mkdir(parents=True, exist_ok=True)
        state, new, report = folder / "state.json", folder / "new.jsonl", folder / "report.json"
        tap = [*account["tap"], "--state", str(state), "--report", str(report), "--no-progress"]
        with new.open("wb") as stored:
            reading = subprocess.Popen(tap, stdout=subprocess.PIPE, cwd=HOME)
            loading = subprocess.Popen(account["target"], stdin=reading.stdout, stdout=stored, cwd=folder)
            assert reading.stdout is not None
            reading.stdout.close()
            try:
                loaded, read = loading.wait(), reading.wait()
            except BaseException:  # the task is being ended: so is the tap, in good order
                reading.terminate()
                loading.wait()
                raise
            finally:
                if lines := new.read_text().splitlines():  # a target that stored nothing prints nothing
                    part = state.with_suffix(".part")
                    part.write_text(lines[-1])
                    part.replace(state)
        if loaded or read:
            raise RuntimeError(f"{account['name']}: the tap ended with {read}, the target with {loaded}")
        return {each["stream"]: each["records"] for each in json.loads(report.read_text())["streams"] if each["stream"]}

    sync.expand(account=accounts())


marketing()
