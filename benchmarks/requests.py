"""How many requests a run costs: the first one, one in which nothing changed, one a day later.

    python benchmarks/requests.py [--tap tap_mailchimp ...] [--scale 1] [--require]

Each tap runs against its own sandbox with its default streams. Requests are the cost of a run, since every API limits
them. With --require it exits with 1 when a run costs more than the bound that is kept in benchmarks/requests.json, a
tenth above what was measured when it was written; --write keeps what is measured now.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BOUNDS = Path(__file__).with_name("requests.json")
TAPS = sorted(path.name for path in ROOT.glob("tap_*") if path.is_dir())
RUNS = ("first", "unchanged", "a day later")


def main() -> None:
    """Print a table, and compare it with the bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tap", action="append", choices=TAPS)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--require", action="store_true")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    bounds: dict[str, dict[str, int]] = json.loads(BOUNDS.read_text()) if BOUNDS.is_file() else {}
    print("| tap | run | rows | requests |")
    print("|---|---|---|---|")
    exceeded = []
    for tap in arguments.tap or TAPS:
        for name, (rows, requests) in zip(RUNS, measured(tap, arguments.scale), strict=True):
            print(f"| {tap.replace('_', '-')} | {name} | {rows:,} | {requests:,} |", flush=True)
            if requests > bounds.get(tap, {}).get(name, sys.maxsize):
                exceeded.append(f"{tap}, {name}: {requests}, at most {bounds[tap][name]}")
            if arguments.write:
                bounds.setdefault(tap, {})[name] = requests + max(2, requests // 10)
    if arguments.write:
        BOUNDS.write_text(json.dumps(bounds, indent=2) + "\n")
    if exceeded and arguments.require:
        sys.exit("more requests than before: " + "; ".join(exceeded))


def measured(tap: str, scale: float) -> list[tuple[int, int]]:
    """Rows and requests of the three runs of a tap."""
    found, state = [], None
    with tempfile.TemporaryDirectory() as folder:
        for day in (0, 0, 1):
            rows, requests, state = run(tap, Path(folder), {"day": day, "scale": scale}, state)
            found.append((rows, requests))
    return found


def run(tap: str, folder: Path, options: dict[str, Any], state: Any) -> tuple[int, int, Any]:
    """One run from a state: its rows, its requests and its last state."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    sandbox = subprocess.Popen(
        [sys.executable, "-m", f"{tap}.sandbox", "--port", "0", "--speed", "100", *words],
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert sandbox.stdout is not None
    try:
        config: dict[str, Any] = json.loads(sandbox.stdout.readline())["config"]
        arguments = ["--config", str(written(folder / "config.json", config))]
        if state is not None:
            arguments += ["--state", str(written(folder / "state.json", state))]
        done = subprocess.run(
            [sys.executable, "-m", tap, "--log-level", "error", *arguments],
            capture_output=True,
            env=environment,
            check=True,
        )
        root = "/".join(config["base_url"].split("/")[:3])
        with urllib.request.urlopen(f"{root}/__sandbox__/stats") as answer:  # noqa: S310 - our own server
            requests = json.load(answer)["requests"]
    finally:
        sandbox.terminate()
        sandbox.wait()
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = Counter(message["type"] for message in messages)
    last = next(message["value"] for message in reversed(messages) if message["type"] == "STATE")
    return kinds["RECORD"], requests, last


def written(path: Path, content: Any) -> Path:
    """The file at `path`, which holds `content`."""
    path.write_text(json.dumps(content))
    return path


if __name__ == "__main__":
    main()
