"""The `marketing-taps` command, also as `python -m marketing_taps`: the taps there are, states of shards as one."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib import import_module

from . import FOLDER, own_shared


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the `marketing-taps` command; its exit code."""
    parser = argparse.ArgumentParser(
        prog="marketing-taps", description="The taps of this installation, and what concerns more than one run of them."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("list", help="the taps and their versions; what it does without a command")
    merge = commands.add_parser("merge-state", help="print the states of the shards of one account as one state")
    merge.add_argument("files", metavar="FILE", nargs="+", help="a state, or the whole output of a tap or a target")
    arguments = parser.parse_args(argv)
    if arguments.command == "merge-state":
        return merge_state(arguments.files)
    for line in taps():
        sys.stdout.write(f"{line}\n")
    return 0


def taps() -> list[str]:
    """A line for each tap: its command, its version, what it reads."""
    packages = sorted(path.parent.name for path in FOLDER.glob("tap_*/__init__.py"))
    width = max(map(len, packages), default=0)
    lines = []
    for package in packages:
        module = import_module(package)
        lines.append(
            f"{package.replace('_', '-').ljust(width)}  {module.__version__}  {(module.__doc__ or '').strip()}"
        )
    return lines


def merge_state(files: Sequence[str]) -> int:
    """Print the states in `files` as one; the exit code."""
    own_shared()
    from shared.errors import StateError
    from shared.protocol.state import State, merge, read_file

    try:
        states = [State.read(read_file(path)).value for path in files]
    except StateError as error:
        sys.stderr.write(f"marketing-taps: {error}\n")
        return error.exit_code
    sys.stdout.write(json.dumps(merge(states), ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
