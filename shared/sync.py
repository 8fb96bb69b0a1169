"""A whole sync: order, parents and children, concurrency, and when a bookmark may be written.

Worker threads take units from the `Schedule`, read them step by step and pass what they got, in order, through one
bounded `Channel`. The main thread alone writes to stdout and changes the state, so that a STATE line stands behind all
records it vouches for. A signal only sets `stop`: workers end at their next wait, the main thread writes what it has.
"""

from __future__ import annotations

import ctypes
import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson

from .catalog import Selection
from .channel import Channel
from .client import Client
from .errors import (
    ApiError,
    AuthError,
    GoneError,
    QuotaError,
    RefusedError,
    Stopped,
    TapError,
    TooLargeError,
    UnavailableError,
)
from .extract import Errand, Output, Reader, as_instant
from .ledger import Ledger
from .messages import Writer
from .pagination import Page
from .plan import Plan
from .report import Report
from .schedule import Active, Run, Schedule, Waiting, light
from .state import State, later
from .streams import Parent, Stream, Unit, Wait
from .tap import Tap
from .units import WindowPlan, batch_size, parent_values, partitions, unit, unit_key

_M_ARENA_MAX, _M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -8, -3, -1  # of glibc's malloc.h

STATE_SECONDS = 3.0
STATE_BYTES_PER_SECOND = 5_000
HOPELESS = 5
"""So many units failed and not one was read: the rest would fail as well."""


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
) -> int:
    """Read all selected streams and write them. 0: all complete, 1: some are not (each was said).

    Raises AuthError when the credential is refused, and whatever the writer raises (closed output). When `stop` is set
    it returns early, with all that was read written and the state behind it.
    """
    _keep_memory_flat()
    plan = Plan(streams, selections, state=state, settings=settings, now=client.now())
    return _Sync(plan, tap.name, client, writer, report, stop).run()


class _Sync:
    def __init__(
        self, plan: Plan, name: str, client: Client, writer: Writer, report: Report, stop: threading.Event
    ) -> None:
        self.plan, self.client, self.writer, self.report, self.stop = plan, client, writer, report, stop
        self.log = logging.getLogger(name)
        self.ledger = Ledger(plan.state, plan.now)
        self.channel = Channel(stop)
        self.schedule = Schedule(delay=client.delay)
        self.fatal: BaseException | None = None
        self.wrote_state_at = self._seconds()
        self.state_size = 0
        self.ends_in_state = False
        self.working = 0
        self.runs = plan.runs()

    # The run.

    def run(self) -> int:
        """All of it."""
        for selection in self.plan.selections:
            sink = self.runs[selection.stream.name].sink
            changed = sink.reshape if sink else None
            self.writer.schema(replace(selection, written=changed.written) if changed else selection)
        for each in self.runs.values():
            self.schedule.hold(each)
        roots = [each for each in self.runs.values() if not each.parents_open and not each.stream.pages_of]
        for each in roots:
            if not each.stream.parents:  # else all its parents are switched off
                self._add(each, {})
        for each in roots:
            self._close(each)
        count = max(1, int(self.plan.settings.get("concurrency") or 1))
        workers = [threading.Thread(target=self._work, name=f"reader-{n}", daemon=True) for n in range(count)]
        self.working = count
        for worker in workers:
            worker.start()
        try:
            while not self.stop.is_set() and self.fatal is None:
                apply = self.channel.get(0.25)
                if apply is not None:
                    apply()
                elif not self.working:
                    break
                self._tick()
        finally:
            self.schedule.stop()
        self._wind_up()
        if self.fatal is not None:
            raise self.fatal
        return 0 if all(self._succeeded(each) for each in self.runs.values()) else 1

    def _wind_up(self) -> None:
        while (apply := self.channel.get(0)) is not None:
            apply()
        if self.stop.is_set():
            self._cancel()
        for line in self.plan.problems.lines():
            self.log.warning(line)
        if self.ledger.dirty or not self.ends_in_state:
            self._write_state()
        self.writer.flush()

    def _cancel(self) -> None:
        for each in self.runs.values():
            units = (self.plan.state.member(each.name, "resume") or {}).get("units") or {}
            if each.stream.cancel is None or not units:
                continue
            for resume in units.values():
                try:
                    each.stream.cancel(self.client.parting(), resume)
                except (TapError, Stopped) as error:
                    self.log.warning("%s: could not cancel what is running at the API: %s", each.name, error)

    def _tick(self) -> None:
        self.writer.tick()
        self.report.metrics_due()
        due = max(STATE_SECONDS, self.state_size / STATE_BYTES_PER_SECOND)
        if self.ledger.dirty and self._seconds() - self.wrote_state_at >= due:
            self._write_state()

    def _seconds(self) -> float:
        return time.monotonic() * self.client.speed

    def _write_state(self) -> None:
        self.state_size = self.writer.state(self.plan.state.value)
        self.writer.flush()
        self.ledger.dirty, self.ends_in_state = False, True
        self.wrote_state_at = self._seconds()

    # Workers.

    def _work(self) -> None:
        try:
            while (found := self.schedule.take()) is not None:
                if isinstance(found, Active):
                    self._step(found)
                    continue
                if isinstance(found, Errand):
                    found.run()
                    self.schedule.idle()
                    continue
                active = self._activate(found)
                if active is None:
                    self.schedule.idle()
                else:
                    self.schedule.begin(active)
                    self._step(active)
        except Stopped:
            self.schedule.stop()
        except BaseException as error:  # noqa: BLE001 - raised again by the main thread
            self.fatal = self.fatal or error
            self.schedule.stop()
        finally:
            with self.client.processor:
                self.working -= 1
            self.channel.wake()

    def _activate(self, found: Waiting | WindowPlan) -> Active | None:
        """The unit that was taken, ready to be read; None when nothing of it is to be read (now)."""
        if isinstance(found, WindowPlan):
            run, mark = self.schedule.plan_of(found)
            window = None if run.closed else self.schedule.next_window(found)
            if window is None:
                self._release(run, found)
                return None
            return self._reader(run, window, mark, plan=found)
        run = found.run
        if run.closed:
            self._close(run)
            return None
        if found.units:
            group = replace(found.units[0], key=found.group, units=found.units, resume=self.plan.kept(run, found.group))
            return self._reader(run, group, None)
        return self._single(run, found)

    def _single(self, run: Run, found: Waiting) -> Active | None:
        built, mark, is_wanted = self._build(run, found)
        if not is_wanted:
            run.skipped += 1
            self._close(run)
            return None
        stream = run.stream
        if stream.window:
            plan = WindowPlan.of(built, stream.window, self.plan.bookmark(run, built.key))
            self.schedule.add_plan(run, plan, mark)
            self._release(run, plan)
            self._close(run)
            return None
        return self._reader(run, built, mark)

    def _build(self, run: Run, found: Waiting) -> tuple[Unit, Any, bool]:
        """The unit of a parent and a partition, its gate's mark, and whether it is to be read at all."""
        key = unit_key(found.parent, run.key_names, found.partition)
        built = unit(
            run.reading,
            bookmark=self.plan.bookmark(run, key),
            key=key,
            parent=found.parent,
            partition=found.partition,
            params=found.params,
            resume=self.plan.kept(run, key),
        )
        if run.children:  # they need its rows, whether or not these are news
            return built, None, True
        if key in run.finished_before:
            return built, None, False
        gate = run.stream.gate
        if gate is None or not (run.reading.incremental or run.stream.gate_full_table):
            return built, None, True
        mark = gate(built)
        if mark is True:
            return built, None, True
        if mark is not None and (run.reading.refresh or not _same(mark, built.mark)):
            return built, mark, True
        run.skipped_by_gate = True
        return built, None, False

    def _reader(self, run: Run, built: Unit, mark: Any, *, plan: WindowPlan | None = None) -> Active:
        if not run.begun:
            run.begun = True
            if run.sink:
                self.report.stream_started(run.name)
        reader = Reader(
            self.client,
            run.stream,
            built,
            on_page=self._on_page,
            whole=run.reading.whole,
            errands=self.schedule.errand,
        )
        size = run.stream.size(built) if run.stream.size and not built.units else 0
        return Active(run, built, reader, size, mark, plan)

    def _step(self, active: Active) -> None:
        run = active.run
        try:
            found = None if run.closed else active.reader.step()
        except (Stopped, AuthError):
            raise
        except TapError as error:
            self._failed(active, error)
            return
        except Exception as error:
            self.log.debug("%s: unexpected", run.name, exc_info=True)
            words = f"{run.name}: internal error ({type(error).__name__}: {error}). Please report it."
            self._failed(active, ApiError(words))
            return
        if isinstance(found, Wait):
            self.schedule.again(active, seconds=found.seconds / self.client.speed)
        elif found is not None:
            if found.high and active.high != found.high:
                active.high = later(active.high, found.high)
            high = active.high
            self.channel.put(lambda: self._apply(active, found, high), found.size)
            self.schedule.again(active)
        elif run.closed:
            self._leave(active)
        else:
            self._completed(active)

    def _on_page(self, stream: Stream, built: Unit, page: Page, care: bool, extracted: str) -> Output:
        """Children of the page's rows, and its lines."""
        self.channel.wait_for_room()
        run = self.runs[stream.name]
        for child, parent in run.children:
            self._add_children(child, parent, page.rows, built.parent)
        output = Output()
        for sharer in run.sharers:
            if sharer.sink:
                rows = sharer.stream.records(page.body) if callable(sharer.stream.records) else []
                lines, count, _ = sharer.sink.lines(rows, built, extracted, care=care)
                output.lines.append((sharer.name, lines, count))
        if run.sink:
            lines, count, output.high = run.sink.lines(page.rows, built, extracted, care=care)
            output.lines.append((run.name, lines, count))
        return output

    # Units come and go.

    def _add(self, run: Run, values: Mapping[str, Any]) -> None:
        stream = run.stream
        size = stream.size(light(run.reading, values)) if stream.size else 0
        for name, params in partitions(stream, self.plan.settings).items():
            self.schedule.add(Waiting(run, values, name, params), size=size)

    def _add_children(self, run: Run, parent: Parent, rows: Iterable[Any], above: Mapping[str, Any]) -> None:
        if run.closed:
            return
        since = self._changed_since(run) if parent.changed_only else None
        field = self.runs[parent.stream].stream.replication_key
        for row in rows:
            if parent.changed_only and field:
                moved = as_instant(row.get(field))
                run.changed = later(run.changed, moved)
                if since and moved and moved < since:
                    continue
            values = parent_values(parent, row, above)
            if parent.where is not None and not parent.where(light(run.reading, values)):
                continue
            if len(run.stream.parents) > 1 or self.runs[parent.stream].stream.unique:
                key = unit_key(values, parent.keys, "")
                if key in run.keys:
                    continue
                run.keys.add(key)
            batch = batch_size(parent, self.plan.settings)
            if batch > 1:
                self._group(run, values, batch)
            else:
                self._add(run, values)

    def _changed_since(self, run: Run) -> str | None:
        """The instant from which on changed parents are news to a child, whose bookmark is one for all of them."""
        if not run.reading.incremental:
            return None
        return unit(run.reading, bookmark=self.plan.bookmark(run, "")).since

    def _group(self, run: Run, values: Mapping[str, Any], batch: int) -> None:
        """Parents that are asked for together: those of a broken pass together again."""
        built, mark, is_wanted = self._build(run, Waiting(run, values))
        if not is_wanted:
            return
        built.counts["mark"] = mark
        group = run.pending_groups.get(built.key, "")
        members = run.groups.setdefault(group, [])
        members.append(built)
        if not group and len(members) >= batch:
            self._flush(run, group)

    def _flush(self, run: Run, group: str) -> None:
        if units := run.groups.pop(group, None):
            self.schedule.add(Waiting(run, {}, units=tuple(units), group=group or units[0].key))

    def _completed(self, active: Active) -> None:
        run, built = active.run, active.unit
        run.read += 1
        active.reader.close()
        high, mark = active.high, active.mark
        self.channel.put(lambda: self.ledger.vouch(run, built, high, mark, active.plan))
        if active.plan is not None:
            self.schedule.window_ended(active.plan, built, active.reader.outcome)
        self._leave(active)

    def _failed(self, active: Active, error: TapError) -> None:
        run, built = active.run, active.unit
        active.reader.close()
        plan = active.plan
        if isinstance(error, TooLargeError) and plan is not None and self.schedule.window_split(plan, built):
            self._leave(active)
            return
        missing = isinstance(error, GoneError)
        if isinstance(error, UnavailableError) or (
            run.stream.optional and isinstance(error, (RefusedError, GoneError)) and not (missing and built.parent)
        ):
            run.closed = UnavailableError(str(error))
        elif missing and built.parent:
            run.gone += 1
            self.log.warning("%s Skipped.", error)
        elif isinstance(error, (RefusedError, QuotaError)):
            run.closed = error
        else:
            run.failures.append(error)
            if len(run.failures) >= HOPELESS and not run.read:
                run.closed = error
        if plan is not None:
            self.schedule.window_ended(plan, built, None)
        self._leave(active)

    def _leave(self, active: Active) -> None:
        """The reader is done with; its unit too, unless it was one window of a plan that goes on."""
        active.reader.close()
        if active.plan is None:
            self._close(active.run)
        else:
            self._release(active.run, active.plan)
        self.schedule.ended(active.run)
        self.schedule.idle()

    def _release(self, run: Run, plan: WindowPlan) -> None:
        if self.schedule.plan_is_over(plan, drop=run.closed is not None):
            self._close(run)

    def _close(self, run: Run) -> None:
        """One open unit of the run less; with the last one the stream is complete, and its children may be."""
        if not self.schedule.close(run):
            return
        self.channel.put(lambda: self._end(run))
        for sharer in run.sharers:
            sharer.failures.extend(run.failures)
            sharer.closed = run.closed
            self._close(sharer)
        for child, _ in run.children:
            with self.client.processor:
                child.parents_incomplete |= not run.is_complete and not isinstance(run.closed, UnavailableError)
                child.parents_open -= 1
                is_last = child.parents_open == 0
                for group in list(child.groups) if is_last else ():
                    self._flush(child, group)
            if is_last:
                self._close(child)

    # On the main thread, in the order in which things were read.

    def _apply(self, active: Active, output: Output, high: str | None) -> None:
        run, built = active.run, active.unit
        for name, data, count in output.lines:
            if data:
                self.writer.records(name, data, count)
                self.ends_in_state = False
                self.report.records(name, count)
        if run.sink is None:
            return
        if run.reading.incremental and run.stream.order == "ascending" and not run.stream.window and high:
            self.ledger.advance(run, built.key, high)
        if (checkpoint := output.checkpoint) is not None:
            self.ledger.checkpoint(run, built, checkpoint)

    def _end(self, run: Run) -> None:
        """The stream has ended: say how, and tidy its state."""
        if run.gone and not run.read and not run.skipped and not run.failures:
            words = f"{run.name}: all {run.gone} parents are gone; nothing could be read."
            if run.stream.optional:  # so an API may say that the account lacks the feature
                run.closed = run.closed or UnavailableError(words)
            else:
                run.failures.append(ApiError(words))
        for error in {str(error): error for error in (*run.failures, *([run.closed] if run.closed else []))}.values():
            self._say(run, error)
        if run.sink is None:
            return
        if run.is_complete:
            self.ledger.complete(run)
            if run.sink.version is not None and not run.skipped_by_gate:
                self.writer.activate_version(run.name, run.sink.version)
                self.ends_in_state = False
        self.report.stream_finished(run.name, outcome=self._outcome(run), bookmark=self._shown(run))

    def _say(self, run: Run, error: TapError) -> None:
        if isinstance(error, UnavailableError):
            self.log.info("%s", error)
        else:
            self.report.problem(run.name, str(error))

    def _outcome(self, run: Run) -> str:
        if isinstance(run.closed, UnavailableError):
            return "unavailable"
        if isinstance(run.closed, RefusedError):
            return "refused"
        if run.failures or run.closed:
            return "failed"
        return "incomplete" if run.parents_incomplete else "complete"

    def _shown(self, run: Run) -> str | None:
        field = run.stream.replication_key
        if not (field and run.reading.incremental):
            return None
        return self.plan.state.latest(run.name, field)

    def _succeeded(self, run: Run) -> bool:
        if isinstance(run.closed, RefusedError) and not self.plan.settings.get("fail_on_forbidden", True):
            return not run.failures
        if run.closed and not isinstance(run.closed, UnavailableError):
            return False
        return not run.failures


def _same(mark: Any, kept: Any) -> bool:
    return kept is not None and orjson.dumps(mark) == orjson.dumps(kept)


def _keep_memory_flat() -> None:
    """Have glibc share one arena among threads and give large blocks back at once.

    An arena for each worker keeps what its largest page needed: 240 MB for a large account, where 70 do (2026-11).
    Elsewhere than on glibc nothing happens.
    """
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, 64 * 1024)
        mallopt(_M_TRIM_THRESHOLD, 128 * 1024)
