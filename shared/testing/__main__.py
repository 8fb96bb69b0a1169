"""`python -m shared.testing new tap-x [--title X]` makes a tap, with one stream and a sandbox, in this checkout."""

from __future__ import annotations

import argparse
import sys

from .scaffold import Occupied, made
from .taps import ROOT


def main() -> None:
    """Make what was asked for and say which files it is."""
    parser = argparse.ArgumentParser(prog="python -m shared.testing", description=__doc__)
    new = parser.add_subparsers(required=True, metavar="new").add_parser("new", help="make a tap")
    new.add_argument("name", metavar="tap-x", help="the command's name")
    new.add_argument("--title", help="the platform's name for people")
    arguments = parser.parse_args()
    try:
        files = made(ROOT, arguments.name, arguments.title)
    except Occupied as error:
        sys.exit(f"{error}")
    sys.stdout.writelines(f"{file.relative_to(ROOT)}\n" for file in files)


if __name__ == "__main__":
    main()
