"""`python -m shared.evidence FILE`: what of an account's answers differs from those the tap is tested with.

With `--renew TAP FILE ...` the files, of runs against the tap's sandbox, become what is expected; with
`--answers FOLDER` the answers there too, which the tests read through the tap.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from ..api.answers import Response
from ..api.request import Request
from ..files import parsed, read_text
from ..tap import Tap
from .comparison import as_json, checked, compare, digest, expected, expected_file, issue, merged, table
from .names import tap_of
from .recorder import Recorder

FORMATS = ("table", "json", "issue")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 without differences, 1 with some, 2 when the file cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m shared.evidence", description=__doc__, allow_abbrev=False)
    parser.add_argument("files", nargs="+", metavar="FILE", help="what --shapes wrote")
    parser.add_argument("--format", choices=FORMATS, default="table")
    parser.add_argument("--renew", metavar="TAP", help="make these files what is expected of the tap")
    parser.add_argument("--answers", metavar="FOLDER", help="with --renew: answers that accounts gave")
    given = parser.parse_args(arguments)
    try:
        found = [_read(path) for path in given.files]
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{getattr(error, 'strerror', None) or error}\n")
        return 2
    if given.renew:
        tap = tap_of(given.renew)
        path = Path(expected_file(tap))
        kept = sorted(Path(given.answers).glob("*.json")) if given.answers else []
        found += [recorded(tap, parsed(read_text(each))) for each in kept]
        whole = reduce(merged, map(digest, found))
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


def recorded(tap: Tap, case: Mapping[str, Any]) -> dict[str, Any]:
    """What a recorder writes of the answers of a case: its `answers` by method and path, read for its `stream`."""
    recorder = Recorder(tap, salt=b"")
    for asked, body in case["answers"].items():
        method, _, path = asked.partition(" ")
        rows = body["lines"] if isinstance(body, dict) and "lines" in body else None
        content = "\n".join(map(json.dumps, rows)) if rows is not None else json.dumps(body)
        if not isinstance(body, str):
            request = Request(path=_PREFIX.sub("", path) or "/", method=method)
            recorder(case["stream"], request, Response(status=200, content=content.encode()))
    return recorder.told()


_PREFIX = re.compile(r"^/\d+\.\d+(?=/|$)")
"""A version before the path, which is the base URL's."""


def _read(path: str) -> dict[str, Any]:
    try:
        told = checked(parsed(read_text(path)))
        tap_of(str(told.get("tap")))
        return told
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
