"""`python -m shared.evidence FILE`: what of an account's answers differs from those the tap is tested with.

With `--renew TAP FILE ...` the files, of runs against the tap's sandbox, become what is expected.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from ..files import parsed, read_text
from .comparison import as_json, checked, compare, digest, expected, expected_file, issue, merged, table
from .names import tap_of

FORMATS = ("table", "json", "issue")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 without differences, 1 with some, 2 when the file cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m shared.evidence", description=__doc__, allow_abbrev=False)
    parser.add_argument("files", nargs="+", metavar="FILE", help="what --shapes wrote")
    parser.add_argument("--format", choices=FORMATS, default="table")
    parser.add_argument("--renew", metavar="TAP", help="make these files what is expected of the tap")
    given = parser.parse_args(arguments)
    try:
        found = [_read(path) for path in given.files]
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{getattr(error, 'strerror', None) or error}\n")
        return 2
    if given.renew:
        path = Path(expected_file(tap_of(given.renew)))
        whole = reduce(merged, (digest(each) for each in found))
        path.write_text(json.dumps(whole, indent=None, separators=(",", ":"), sort_keys=True) + "\n", "utf-8")
        return 0
    return max([shapes(each, given.format) for each in found])


def shapes(told: dict[str, Any], form: str) -> int:
    """Print what differs; the exit code."""
    tap = tap_of(told["tap"])
    differences = compare(told, expected(tap), tap)
    if form == "json":
        text = json.dumps(as_json(differences), indent=2)
    elif form == "issue":
        text = issue(differences, told)
    else:
        text = table(differences) if differences else "all answers are as expected"
    sys.stdout.write(f"{text}\n")
    return 1 if differences else 0


def _read(path: str) -> dict[str, Any]:
    try:
        told = checked(parsed(read_text(path)))
        tap_of(str(told.get("tap")))
        return told
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
