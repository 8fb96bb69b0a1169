"""Loads what a tap reads through dlt: tables by stream, merged by key, the tap's state kept with the pipeline's."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt


@dlt.resource(name="tap")
def read(command: list[str]) -> Iterator[Any]:
    """The rows of every stream, each marked with its table; the tap goes on from the state of the last load."""
    kept, primary_key = dlt.current.resource_state(), {}
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder, "state.json")
        state.write_text(json.dumps(kept.get("singer", {})))
        tap = subprocess.Popen([*command, "--state", str(state), "--no-progress"], stdout=subprocess.PIPE)
        assert tap.stdout is not None
        for message in map(json.loads, tap.stdout):
            if message["type"] == "SCHEMA":
                primary_key[message["stream"]] = message["key_properties"]
            elif message["type"] == "RECORD":
                key = primary_key[message["stream"]]
                hints = dlt.mark.make_hints(
                    table_name=message["stream"], primary_key=key, write_disposition="merge" if key else "append"
                )
                yield dlt.mark.with_hints(message["record"], hints, create_table_variant=True)
            elif message["type"] == "STATE":
                kept["singer"] = message["value"]  # dlt stores it together with the rows, or neither
        if code := tap.wait():
            raise RuntimeError(f"{command[0]} ended with {code}")


if __name__ == "__main__":
    pipeline = dlt.pipeline("marketing_taps", destination="duckdb", dataset_name="marketing")
    sys.stdout.write(f"{pipeline.run(read(sys.argv[1:]))}\n")
