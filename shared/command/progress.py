"""The live view: what runs, how fast, and what waits for quota. On stderr, and only where a person is watching."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from ..report import Report

REFRESHES_PER_SECOND = 4
MOST_ROWS = 20
"""More streams than this under way are summed up in a last line."""


def is_terminal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether `stream` is a terminal that can redraw lines."""
    return stream.isatty() and environ.get("TERM") != "dumb" and not environ.get("CI")


@contextmanager
def live(report: Report, *, is_shown: bool) -> Iterator[None]:
    """Shows the view while the block runs. Log lines scroll by above it."""
    if not is_shown:
        yield
        return
    from rich.console import Console
    from rich.live import Live

    # NO_COLOR is heeded by rich itself. Stdout is not to be touched in any way: it carries the records.
    console = Console(file=sys.stderr, no_color=True if os.environ.get("NO_COLOR") else None)
    view = _View(report)
    with Live(
        get_renderable=view.shown,
        console=console,
        refresh_per_second=REFRESHES_PER_SECOND,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=True,
    ):
        yield


class _View:
    """Makes what is shown; remembers the counts of the moment before, for the rates."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._before: dict[str, tuple[float, int, float]] = {}
        self._lock = threading.Lock()

    def shown(self) -> Group:
        """How far the run is, and below it the streams under way."""
        from rich.console import Group
        from rich.text import Text

        return Group(Text(self._report.totals(), style="bold"), self._table())

    def _table(self) -> Table:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("stream", no_wrap=True)
        for name in ("records", "records/s", "requests", "quota wait"):
            table.add_column(name, justify="right")
        table.add_column("")
        with self._lock:
            running = self._report.snapshot()
            for counts, seconds in running[:MOST_ROWS]:
                table.add_row(
                    counts.stream,
                    f"{counts.records:,}",
                    f"{self._rate(counts.stream, seconds, counts.records):,.0f}",
                    f"{counts.requests:,}",
                    f"{counts.waited:.0f} s" if counts.waited >= 1 else "",
                    "waiting" if counts.waiting else "",
                )
            if len(running) > MOST_ROWS:
                table.add_row(f"… and {len(running) - MOST_ROWS} more")
        return table

    def _rate(self, stream: str, seconds: float, records: int) -> float:
        """Records per second of late: measured over two seconds at least, so that it does not flicker."""
        at, then, rate = self._before.get(stream, (0.0, 0, 0.0))
        if seconds - at >= 2 or not at:
            rate = (records - then) / max(seconds - at, 0.1)
            self._before[stream] = (seconds, records, rate)
        return rate
