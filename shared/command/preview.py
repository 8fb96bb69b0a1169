"""`--preview`: the first rows of each stream. On a terminal as tables, to a pipe as Singer messages without a STATE.

Nothing is kept of such a run: what it has not read the next one reads. It ends as soon as every stream has shown its
rows or has no more, at the latest after `LONGEST_SECONDS`.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from ..protocol.messages import Writer
from ..report import Report, harmless

if TYPE_CHECKING:
    from rich.table import Table

    from ..protocol.selection import Selection

LONGEST_SECONDS = 30.0
WIDEST = 28
"""Characters of a column that is wider."""
FEWEST_COLUMNS = 2


class Preview(Writer):
    """Passes the first `rows` of each stream on, or keeps them to show them; sets `stop` once it has enough."""

    def __init__(self, selections: Sequence[Selection], rows: int, report: Report, stop: threading.Event) -> None:
        super().__init__()
        self._rows, self._report, self._stop = rows, report, stop
        self._is_shown = sys.stdout.isatty()
        self._is_enough = False
        self._selections = {selection.stream.name: selection for selection in selections}
        self._kept: dict[str, list[bytes]] = {name: [] for name in self._selections}
        self._ends_at = time.monotonic() + LONGEST_SECONDS

    def records(self, stream: str, lines: bytes, count: int) -> None:
        """The lines that are still wanted."""
        kept = self._kept.setdefault(stream, [])
        wanted = lines.split(b"\n", self._rows - len(kept))[: min(count, self._rows - len(kept))]
        kept += wanted
        if not self._is_shown:
            self.write(b"".join(line + b"\n" for line in wanted))

    def schema(self, selection: Selection) -> None:
        if not self._is_shown:
            super().schema(selection)

    def state(self, value: Mapping[str, Any]) -> int:
        """No STATE: it would vouch for what nobody got."""
        self.flush()
        return 0

    def activate_version(self, stream: str, version: int) -> None:
        """None either: it would delete what was not read."""

    def tick(self) -> None:
        super().tick()
        ended = {row["stream"] for row in self._report.rows() if row["outcome"]}
        wanting = [name for name, kept in self._kept.items() if len(kept) < self._rows and name not in ended]
        if not wanting or time.monotonic() > self._ends_at:
            self._is_enough = True
            self._stop.set()

    def end(self, code: int) -> int:
        """Print the tables, if anybody is to see them; the exit code, where the run's own is `code`."""
        if self._is_shown:
            self._show()
        return int(bool(self._report.problems())) if self._is_enough else code

    def _show(self) -> None:
        from rich.console import Console
        from rich.text import Text

        console = Console(file=sys.stdout, highlight=False)
        for name, lines in self._kept.items():
            rows = [orjson.loads(line)["record"] for line in lines]
            if not rows:
                continue
            table, left_out = _table(rows, self._selections[name], console.width)
            console.print(
                Text(name, style="bold"), Text(f"and {left_out} more columns" if left_out else "", style="dim")
            )
            console.print(table)
            console.print()
        if empty := [name for name, lines in self._kept.items() if not lines]:
            console.print(Text(f"No rows came of: {', '.join(empty)}."))


def _table(rows: Sequence[Mapping[str, Any]], selection: Selection, width: int) -> tuple[Table, int]:
    """As many columns as fit, keys first, then those that hold something; and how many are left out."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    first = [*selection.key_properties, *([selection.replication_key] if selection.replication_key else [])]
    others = sorted(
        (name for row in rows for name in row if name not in first),
        key=lambda name: _rank(row.get(name) for row in rows),
    )
    names = list(dict.fromkeys([*first, *others]))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    shown: list[str] = []
    room = width
    for name in names:
        taken = 3 + min(WIDEST, max(len(name), *(len(_cell(row.get(name))) for row in rows)))
        if room < taken and len(shown) >= FEWEST_COLUMNS:
            break
        shown.append(name)
        room -= taken
        table.add_column(Text(harmless(name)), no_wrap=True, overflow="ellipsis", max_width=WIDEST)
    for row in rows:
        table.add_row(*(Text(_cell(row.get(name))) for name in shown))
    return table, len(names) - len(shown)


def _rank(values: Iterator[Any]) -> int:
    """Texts and numbers first, then what holds more than one line can show, then what holds nothing."""
    found = [value for value in values if value not in (None, "", [], {})]
    return 2 if not found else int(isinstance(found[0], (dict, list)))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return harmless(" ".join(text[: 4 * WIDEST].removesuffix(".000000Z").split())[: WIDEST + 1])
