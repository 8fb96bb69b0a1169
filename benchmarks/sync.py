"""How long a whole run takes against what its requests allow, and how much memory it needs as the account grows.

    python benchmarks/sync.py [--tap tap_mailchimp] [--latency 0.1] [--concurrency 10] [--scales 1 10]
                              [--select PATTERN] [--contract] [--runs 1]
                              [--require-ratio 1.3] [--require-megabytes 150] [--require-growth 0.10]

The tap and its sandbox are two processes. Every answer of the sandbox comes `latency` seconds late, compressed, as the
API's own are. The time goes from the first request to the last byte of output, over a bound that no run can beat:
max(requests x latency / concurrency, quota time). The quota time is the least in which the API lets so many requests
begin. Where requests need the answers to others (a page's next one, a parent's child), a run cannot reach the bound:
few requests, or few long chains of them, show as a higher ratio. Memory is the largest resident size of the tap's
process, the interpreter included. Of several runs the one of middle length is told. Exits with 1 when a requirement
is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # not this folder: its requests.py is no library


@dataclass(frozen=True)
class Ran:
    """One run."""

    scale: int
    records: int
    requests: int
    quota: float
    seconds: float
    least: float
    megabytes: float

    @property
    def ratio(self) -> float:
        """Seconds taken over the least possible."""
        return self.seconds / self.least


def main() -> None:
    """Measure each scale and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tap", default="tap_mailchimp")
    parser.add_argument("--latency", type=float, default=0.1)
    parser.add_argument("--concurrency", type=int, default=10)
    parser.add_argument("--contract", action="store_true", help="only the streams of the documented contract")
    parser.add_argument("--scales", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--select", action="append", default=[])
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--require-ratio", type=float)
    parser.add_argument("--require-megabytes", type=float)
    parser.add_argument("--require-growth", type=float)
    arguments = parser.parse_args()
    print(f"{arguments.tap}, {arguments.latency:g} s latency, concurrency {arguments.concurrency}")
    print(
        f"{'scale':>5} {'records':>9} {'requests':>8} {'quota':>6} {'seconds':>8} {'least':>7} {'ratio':>6} {'MB':>6}"
    )
    runs = []
    for scale in arguments.scales:
        took = sorted((measured(arguments, scale) for _ in range(arguments.runs)), key=lambda run: run.seconds)
        run = took[len(took) // 2]
        runs.append(run)
        print(
            f"{run.scale:>5} {run.records:>9,} {run.requests:>8,} {run.quota:>6.2f} "
            f"{run.seconds:>8.2f} {run.least:>7.2f} {run.ratio:>6.2f} {run.megabytes:>6.1f}",
            flush=True,
        )
    growth = runs[-1].megabytes / runs[0].megabytes - 1
    print(f"memory grows by {growth:.1%} from scale {runs[0].scale} to {runs[-1].scale}")
    missed = [
        text
        for required, is_met, text in (
            (arguments.require_ratio, runs[-1].ratio <= (arguments.require_ratio or 0), "ratio"),
            (
                arguments.require_megabytes,
                max(run.megabytes for run in runs) <= (arguments.require_megabytes or 0),
                "megabytes",
            ),
            (arguments.require_growth, growth <= (arguments.require_growth or 0), "growth"),
        )
        if required is not None and not is_met
    ]
    if missed:
        sys.exit(f"missed: {', '.join(missed)}")


def measured(arguments: argparse.Namespace, scale: int) -> Ran:
    """One run at a scale, against a fresh sandbox."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    options = ["--port", "0", "--scale", str(scale), "--latency", str(arguments.latency), "--gzip", "1"]
    sandbox = subprocess.Popen(
        [sys.executable, "-m", f"{arguments.tap}.sandbox", *options], stdout=subprocess.PIPE, env=environment
    )
    assert sandbox.stdout is not None
    try:
        config: dict[str, Any] = json.loads(sandbox.stdout.readline())["config"]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "config.json")
            file.write_text(json.dumps({**config, "concurrency": arguments.concurrency}))
            select = [word for pattern in streams(arguments) for word in ("--select", pattern)]
            tap = subprocess.Popen(
                [sys.executable, "-m", arguments.tap, "--config", str(file), "--log-level", "error", *select],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
            assert tap.stdout is not None
            records, last_byte = drained(tap.stdout)
            _, status, usage = os.wait4(tap.pid, 0)
        if status:
            sys.exit(f"the tap ended with status {os.waitstatus_to_exitcode(status)}")
        root = "/".join(config["base_url"].split("/")[:3])
        with urllib.request.urlopen(f"{root}/__sandbox__/stats") as answer:  # noqa: S310 - our own server
            stats = json.load(answer)
    finally:
        sandbox.terminate()
        sandbox.wait()
    quota = stats["quota_seconds"]
    least = max(stats["requests"] * arguments.latency / arguments.concurrency, quota)
    seconds = last_byte - stats["first"]  # both by the system's one monotonic clock
    megabytes = usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
    return Ran(scale, records, stats["requests"], quota, seconds, least, megabytes)


def streams(arguments: argparse.Namespace) -> list[str]:
    """The patterns of the streams to read, none for what is selected by default."""
    if not arguments.contract:
        return list(arguments.select)
    tap = import_module(f"{arguments.tap}.tap").TAP
    return [stream.name for stream in tap.streams if stream.seed]


def drained(output: IO[bytes]) -> tuple[int, float]:
    """How many RECORD lines came, and when the last byte did."""
    begin = b'{"type":"RECORD"'
    records, last, tail = 0, time.monotonic(), b""
    while chunk := os.read(output.fileno(), 1 << 20):
        last = time.monotonic()
        records += (tail + chunk).count(begin)
        tail = chunk[1 - len(begin) :]
    return records, last


if __name__ == "__main__":
    main()
