"""The first step of a tap's command: `--version` and `--help` are answered before the tap's modules are imported."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from .addresses import page_of


def start(package: str, *, title: str, oauth: bool = False) -> NoReturn:
    """Run the tap that `package` holds; ends the process. `title`: the platform's name; `oauth`: it has --authorize."""
    version = sys.modules[package].__version__
    arguments = parse(package.replace("_", "-"), title, version, oauth=oauth)
    from .cli import run

    run(import_module(f"{package}.tap").TAP, arguments)


_EPILOG = """\
examples:
  {name} --sandbox --preview                   look at it, no account needed
  {name} --config config.json --test           what the credential may read
  {name} --config config.json --state state.json | target-jsonl > new.jsonl

exit codes:
  0 all selected streams are complete   1 a stream failed or was refused, the others are complete
  2 config, state, catalog or arguments are wrong   3 the credential is refused
  130, 143 ended by SIGINT, SIGTERM, the state was written   141 stdout was closed

{page}
"""


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of rows")
    return int(text)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every other failure."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. {self.prog} --help lists the options.\n")


def parse(name: str, title: str, version: str, *, oauth: bool, argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments given to the tap `name`; `oauth`: it has --authorize. Ends the process on --help and mistakes."""
    parser = _Parser(
        prog=name,
        description=f"Singer tap for {title}: reads an account through its API, writes Singer messages to stdout.",
        epilog=_EPILOG.format(name=name, page=page_of(name)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--version", action="version", version=f"{name} {version}")
    add(
        "--config", metavar="FILE", action="append", default=[], help="JSON; repeatable, later ones win; ENV: see --env"
    )
    add("--env", action="store_true", help="read settings from the environment and from .env, like --config ENV")
    add("--catalog", "--properties", metavar="FILE", help="Singer catalog: which streams and fields to read")
    add("--state", metavar="FILE", help="Singer state: where the last run ended; no such file: a first run")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--discover", action="store_true", help="print the catalog")
    action.add_argument("--test", action="store_true", help="say what the credential may read")
    action.add_argument(
        "--plan",
        metavar="SPANS",
        nargs="?",
        const=4,
        type=int,
        help="print, as JSON, the shards into which the run can be cut; streams that read by time in so many spans",
    )
    action.add_argument("--about", action="store_true", help="describe the tap, its settings and streams")
    action.add_argument(
        "--preview",
        metavar="ROWS",
        nargs="?",
        const=3,
        type=_count,
        help="the first rows of each stream: tables on a terminal, Singer messages without state to a pipe",
    )
    if oauth:
        action.add_argument("--authorize", action="store_true", help="get OAuth tokens and write them to the config")
    add("--format", choices=("text", "json", "markdown"), default="text", help="of --about")
    for name, text in (
        ("--select", "read only these: glob of stream or stream.field"),
        ("--exclude", "leave these out: glob of stream or stream.field"),
        ("--full-refresh", "forget the bookmarks of these streams for this run: glob"),
    ):
        add(name, metavar="PATTERN", action="append", default=[], help=f"{text}; repeatable")
    add(
        "--sandbox",
        metavar="day=N,scale=N,...",
        nargs="?",
        const="",
        help="run against the tap's own miniature of the API; no account needed",
    )
    add("--log-level", choices=("debug", "info", "warning", "error"), type=str.lower, help="default: LOGLEVEL, or info")
    add(
        "--report",
        metavar="FILE",
        action="append",
        default=[],
        help="write what the run did: a page to FILE.html, the same for programs to FILE.json; repeatable",
    )
    add("--shapes", metavar="FILE", help="write how the API answers: shapes, never values (docs/shapes.md)")
    add("--no-progress", action="store_true", help="no live view on the terminal")
    # An option that this tap lacks reads as not given.
    return parser.parse_args(argv, argparse.Namespace(authorize=False))
