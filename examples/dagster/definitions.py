"""Accounts cut into shards, each a partition of its own: run side by side, retried by itself, with its own state.

`accounts.json` names the accounts, and how many shards of one may run at once: an API's limits are per account, so each
has a pool. `shards.json` is what `tap-x --plan` printed. See README.md beside this file. (Dagster looks at the type of
`context` itself, so annotations are not put off here.)
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import dagster as dg

HOME = Path(os.environ.get("MARKETING_HOME", Path(__file__).parent))


def read(name: str) -> Any:
    """A JSON file of the project."""
    return json.loads((HOME / name).read_text())


def sync(account: str, options: dict[str, Any], shard: dict[str, Any]) -> dict[str, int]:
    """One shard: tap into target, from where its last run ended."""
    folder = HOME / "runs" / account / shard["name"]
    folder.mkdir(parents=True, exist_ok=True)
    overlay, state = folder / "shard.json", folder / "state.json"
    overlay.write_text(json.dumps(shard["config"]))
    state.touch()
    tap = [
        *options["tap"],
        "--config",
        HOME / options["config"],
        "--config",
        overlay,
        "--state",
        state,
        "--no-progress",
    ]
    tap += [word for stream in shard["select"] for word in ("--select", stream)]
    target = [word.format(account=account, shard=shard["name"], folder=folder) for word in options["target"]]
    with (folder / "tap.log").open("wb") as said, (folder / "target.log").open("wb") as loaded:
        reading = subprocess.Popen(tap, stdout=subprocess.PIPE, stderr=said, cwd=HOME)
        loading = subprocess.run(
            target, stdin=reading.stdout, stdout=subprocess.PIPE, stderr=loaded, cwd=HOME, check=False
        )
        if reading.stdout is not None:
            reading.stdout.close()
        status = reading.wait()
    if reached := loading.stdout.decode().strip().split("\n")[-1]:
        temporary = state.with_suffix(".new")
        temporary.write_text(reached)
        temporary.replace(state)
    if status or loading.returncode:
        raise dg.Failure(f"tap {status}, target {loading.returncode}: see the logs in {folder}")
    return {"bytes of state": state.stat().st_size}


def asset_of(account: str, options: dict[str, Any]) -> dg.AssetsDefinition:
    """One account: its shards are the asset's partitions, its name is the pool."""
    shards = {shard["name"]: shard for shard in read(options["shards"])["shards"]}

    @dg.asset(
        name=account,
        pool=account,
        partitions_def=dg.StaticPartitionsDefinition(list(shards)),
        retry_policy=dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL),
    )
    def tables(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata=sync(account, options, shards[context.partition_key]))

    return tables


defs = dg.Definitions(assets=[asset_of(account, options) for account, options in read("accounts.json").items()])
