"""A whole sync, as the main thread sees it: what is written, and when a bookmark may be.

`Workers` read, and hand over what they got, in order, through one bounded `Channel`. The main thread alone writes to
stdout and changes the state, so that a STATE line stands behind all records it vouches for. A signal only sets `stop`:
workers end at their next wait, the main thread writes what it has.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from .. import process
from ..api.client import Client
from ..errors import PartError, TapError, UnavailableError
from ..protocol.messages import Writer
from ..protocol.selection import Selection
from ..protocol.state import State
from ..report import Missing, Report
from ..streams import Stream, Unit
from ..tap import Tap
from .bookmarks import Bookmarks
from .cancelling import cancel
from .plan import Plan
from .reader import Output
from .run import Run
from .schedule import Active
from .shared_walk import SharedRun
from .units import Under
from .windows import WindowPlan
from .workers import Workers

COLLECT_SECONDS = 10.0
"""Requests leave cycles behind, some hundred objects a second, which `process.be_quick` lets gather; so often they are
taken away. It takes 10 to 50 ms in which nothing else runs.
"""
FIRST_SILENCE_SECONDS = 0.02
FEWEST_WORKERS = 8
MUCH = 20
"""Records of a full read after which one that finds none is worth a word."""
STATE_SECONDS = 3.0
STATE_BYTES_PER_SECOND = 5_000
LARGE_STATE = 50_000
"""A state of so many bytes is written half as often as that, a larger one less often yet: what a run says of itself
stays small beside its records, however many parents it has.
"""


def run(
    *,
    tap: Tap,
    client: Client,
    streams: Sequence[Stream],
    selections: Sequence[Selection],
    state: State,
    writer: Writer,
    settings: Mapping[str, Any],
    report: Report,
    stop: threading.Event,
    missing: Mapping[str, TapError] | None = None,
) -> int:
    """Read all selected streams and write them. 0: all complete, 1: some are not (each was said).

    `missing` are selected streams that are not read, and why: unknown ones, and those whose fields are not known now.

    Raises AuthError when the credential is refused, and whatever the writer raises (closed output). When `stop` is set
    it returns early, with all that was read written and the state behind it.
    """
    process.keep_memory_flat()
    plan = Plan(streams, selections, state=state, settings=settings, now=client.now())
    return _Sync(plan, tap, client, writer, report, stop, missing or {}).run()


class _Sync:
    def __init__(
        self,
        plan: Plan,
        tap: Tap,
        client: Client,
        writer: Writer,
        report: Report,
        stop: threading.Event,
        missing: Mapping[str, TapError],
    ) -> None:
        self.plan, self.client, self.writer, self.report, self.stop = plan, client, writer, report, stop
        self.log = logging.getLogger(tap.name)
        self.bookmarks = Bookmarks(plan.state, plan.now)
        self.wrote_state_at = self._seconds()
        self.collected_at = time.monotonic()
        self.state_size = len(orjson.dumps(plan.state.value))
        self.ends_in_state = False
        self._written: Counter[str] = Counter()
        self._said: set[int] = set()
        """Errors that were told; streams that need one permission share theirs."""
        self.runs = plan.runs()
        self.missing = missing
        for name in missing.keys() & self.runs.keys():
            self.runs[name].progress.close(missing[name])
        self.workers = Workers(plan, self.runs, self, client=client, report=report, log=self.log, stop=stop)
        if tap.forecast and (line := tap.forecast(plan.beginnings(self.runs))):
            self.log.info(line)

    # The run.

    def run(self) -> int:
        """All of it."""
        for selection in self.plan.selections:
            encoder = self.runs[selection.stream.name].encoder
            changed = encoder.reshape if encoder else None
            self.writer.schema(replace(selection, written=changed.written) if changed else selection)
        workers = self.workers
        connections = max(1, int(self.plan.settings.get("concurrency") or 1))
        # Who reads an answer, or waits to, needs no connection. A single one means: strictly one after the other.
        workers.start(1 if connections == 1 else max(connections + 1, FEWEST_WORKERS))
        # Made at their first use otherwise; until the first answers come there is time for it.
        unprepared = [run.encoder.shape for run in reversed(self.runs.values()) if run.encoder]
        patience = FIRST_SILENCE_SECONDS
        try:
            while not self.stop.is_set() and workers.fatal is None:
                apply = workers.channel.get(patience)
                if apply is not None:
                    unprepared.clear()
                    apply()
                elif unprepared:
                    unprepared.pop().prepare()
                elif not workers.alive:
                    break
                patience = 0 if unprepared else 0.25
                self._tick()
        finally:
            workers.schedule.stop()
        self._wind_up()
        if workers.fatal is not None:
            raise workers.fatal
        unknown = self.missing.keys() - self.runs.keys()
        for name in sorted(unknown):
            self.report.problem(name, str(self.missing[name]))
            self.report.missing(name, [Missing("", "missing", str(self.missing[name]))])
            self.report.stream_finished(name, outcome="missing")
        may_be_refused = not self.plan.settings.get("fail_on_forbidden", True)
        have_succeeded = [run.progress.has_succeeded(may_be_refused=may_be_refused) for run in self.runs.values()]
        return 0 if all(have_succeeded) and not unknown else 1

    def _wind_up(self) -> None:
        while (apply := self.workers.channel.get(0)) is not None:
            apply()
        if self.stop.is_set():
            cancel(self.runs.values(), self.plan.state, self.client, self.log)
        for line in self.plan.misfits.lines():
            self.report.note(line)
        if self.bookmarks.dirty or not self.ends_in_state:
            self._write_state()
        self.writer.flush()

    def _tick(self) -> None:
        self.writer.tick()
        self.report.metrics_due()
        self.report.silences_due()
        if time.monotonic() - self.collected_at >= COLLECT_SECONDS:
            gc.collect()
            self.collected_at = time.monotonic()
        due = max(STATE_SECONDS, self.state_size / STATE_BYTES_PER_SECOND * (1 + self.state_size / LARGE_STATE))
        if self.bookmarks.dirty and self._seconds() - self.wrote_state_at >= due:
            self._write_state()

    def _seconds(self) -> float:
        return time.monotonic() * self.client.speed

    def _write_state(self) -> None:
        self.state_size = self.writer.state(self.plan.state.value)
        self.writer.flush()
        self.bookmarks.dirty, self.ends_in_state = False, True
        self.wrote_state_at = self._seconds()

    # On the main thread, in the order in which things were read.

    def apply(self, active: Active, output: Output, high: str | None) -> None:
        """Write what a step gave; only then may the state speak of it."""
        run, built = active.run, active.unit
        for name, data, count in output.lines:
            if data:
                self.writer.records(name, data, count)
                self.ends_in_state = False
                self.report.records(name, count)
                self._written[name] += count
        if part := self.plan.part_of(built):
            self.report.share(part, records=sum(count for _, _, count in output.lines))
        for each in output.left_out:
            run.progress.left_out(PartError(each.why, part=each.what))
        if run.encoder is None:
            return
        if run.encoder.recent_rows is not None:
            run.encoder.recent_rows.note(output.notes)
        if run.reading.incremental and run.stream.order == "ascending" and not run.stream.window and high:
            self.bookmarks.advance(run, built.key, high)
        if (checkpoint := output.checkpoint) is not None:
            self.bookmarks.checkpoint(run, built, checkpoint)

    def complete_unit(
        self, run: Run, built: Unit, high: str | None, mark: Any, plan: WindowPlan | None, under: Under | None
    ) -> None:
        """The unit, or of all who share the walk theirs, is complete and written."""
        if not isinstance(run, SharedRun):
            self.bookmarks.complete_unit(run, built, high, mark, plan, under)
            return
        for member in run.members:
            if built.window is not None and (part := member.part(built.window)) is not None:
                self.bookmarks.complete_unit(member.run, part, member.high, None, member.plan)

    def forget_place(self, run: Run, built: Unit) -> None:
        """See `Bookmarks.keep`."""
        self.bookmarks.keep(run, built.key, None)

    def follow(self, run: Run, under: Under | None) -> None:
        """See `Bookmarks.follow`."""
        self.bookmarks.follow(run, under)

    def end(self, run: Run) -> None:
        """The stream has ended: say how, and tidy its state."""
        if isinstance(run, SharedRun):  # its members say it
            return
        progress = run.progress
        self._say_absent(run)
        parts = [error for error in progress.failures if isinstance(error, PartError)]
        others = [*(error for error in progress.failures if error not in parts)]
        for error in {
            str(error): error for error in (*others, *([progress.closed] if progress.closed else []))
        }.values():
            self._say(run, error)
        if parts:
            names = ", ".join(dict.fromkeys(error.part for error in parts))
            self.report.problem(run.name, f"Left out: {names}. The first, because: {parts[0]}")
        self._list_missing(run)
        if run.encoder is None:
            return
        if lost := self.plan.misfits.left_out(run.name):
            progress.records_lost = True
            self.report.problem(run.name, lost)
        if progress.is_complete:
            self._compare(run)
            self.bookmarks.complete_stream(run)
            if run.encoder.version is not None and not progress.skipped_by_gate:
                self.writer.activate_version(run.name, run.encoder.version)
                self.ends_in_state = False
        elif progress.is_over:
            self.bookmarks.begin_anew(run)
        self.report.stream_finished(run.name, outcome=progress.outcome, bookmark=self._shown(run))

    def _compare(self, run: Run) -> None:
        """A full read that finds nothing where the last one found much may be right, and is worth a word."""
        if run.reading.incremental or run.resume or run.progress.skipped:
            return
        count = self._written[run.name]
        before = self.plan.state.found(run.name, count)
        self.bookmarks.dirty = True
        if before >= MUCH and not count:
            self.report.warn(run.name, f"nothing was found, where the last full read brought {before} records.")

    def _list_missing(self, run: Run) -> None:
        """What is missing, one by one, for the page about the run."""
        progress = run.progress
        found = [Missing(*each) for each in progress.missing]
        if progress.closed is not None:
            found.append(Missing("", progress.outcome, str(progress.closed)))
        for what, count in self.plan.misfits.rows_left_out(run.name):
            times = f", {count} times" if count > 1 else ""
            found.append(Missing(f"{what}{times}", "left out", "it has no key, or a form that cannot be read"))
        self.report.missing(run.name, found, more=progress.missing_more)

    def _say_absent(self, run: Run) -> None:
        """Which units are missing, by name, where others were read."""
        for kind, absent in run.progress.absent.items():
            text = f"{kind}: {absent}. The first, because: {absent.error}"
            if kind == "refused":
                self.report.problem(run.name, text)
            elif kind == "gone" and run.stream.optional:
                self.log.warning("%s: %d parents have none, or are gone; skipped.", run.name, absent.count)
            else:
                self.report.warn(run.name, text)

    def _say(self, run: Run, error: TapError) -> None:
        if isinstance(error, UnavailableError):
            self.log.info("%s", error)
            return
        self.report.problem(run.name, str(error), is_known=id(error) in self._said)
        self._said.add(id(error))

    def _shown(self, run: Run) -> str | None:
        field = run.stream.replication_key
        if not (field and run.reading.incremental):
            return None
        return self.plan.state.latest(run.name, field)
