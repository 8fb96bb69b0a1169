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
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import orjson

from .cancelling import cancel
from .catalog import Selection
from .channel import Channel
from .client import Client
from .errors import (
    ApiError,
    AuthError,
    GoneError,
    PartError,
    QuotaError,
    RefusedError,
    Stopped,
    TapError,
    TooLargeError,
    UnavailableError,
)
from .extract import Errand, Output, Reader
from .joint import JointRun, Member
from .ledger import Ledger
from .messages import Writer
from .pagination import Page
from .plan import Plan
from .report import Report
from .schedule import Active, Run, Schedule, Waiting, light
from .sink import as_instant
from .state import Bookmark, State, later
from .streams import Anyway, Parent, Received, Stream, Unit, Wait
from .tap import Tap
from .units import Followed, Under, WindowPlan, batch_size, parent_values, partitions, unit, unit_key

_M_ARENA_MAX, _M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -8, -3, -1  # of glibc's malloc.h

STATE_SECONDS = 3.0
STATE_BYTES_PER_SECOND = 5_000
LARGE_STATE = 50_000
"""A state of so many bytes is written half as often as that, a larger one less often yet: what a run says of itself
stays small beside its records, however many parents it has.
"""
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
    return _Sync(plan, tap, client, writer, report, stop).run()


class _Sync:
    def __init__(
        self, plan: Plan, tap: Tap, client: Client, writer: Writer, report: Report, stop: threading.Event
    ) -> None:
        self.plan, self.client, self.writer, self.report, self.stop = plan, client, writer, report, stop
        self.log = logging.getLogger(tap.name)
        self.ledger = Ledger(plan.state, plan.now)
        self.channel = Channel(stop)
        self.schedule = Schedule(delay=lambda quota: client.delay(quota) / client.speed)
        self.fatal: BaseException | None = None
        self.wrote_state_at = self._seconds()
        self.state_size = len(orjson.dumps(plan.state.value))
        self.ends_in_state = False
        self.working = 0
        self.runs = plan.runs()
        if tap.forecast and (line := tap.forecast(plan.beginnings(self.runs))):
            self.log.info(line)

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
            self._all_known(each)
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
        may_be_refused = not self.plan.settings.get("fail_on_forbidden", True)
        return 0 if all(run.has_succeeded(may_be_refused=may_be_refused) for run in self.runs.values()) else 1

    def _wind_up(self) -> None:
        while (apply := self.channel.get(0)) is not None:
            apply()
        if self.stop.is_set():
            cancel(self.runs.values(), self.plan.state, self.client, self.log)
        for line in self.plan.problems.lines():
            self.report.note(line)
        if self.ledger.dirty or not self.ends_in_state:
            self._write_state()
        self.writer.flush()

    def _tick(self) -> None:
        self.writer.tick()
        self.report.metrics_due()
        due = max(STATE_SECONDS, self.state_size / STATE_BYTES_PER_SECOND * (1 + self.state_size / LARGE_STATE))
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
                if isinstance(found, Errand):
                    found.run()
                    self.schedule.idle()
                    continue
                self.report.depth = found.depth
                if isinstance(found, Active):
                    self._step(found)
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
            self.channel.put(lambda: self.ledger.follow(run, found.under))
            self._close(run)
            return None
        if run.stream.window:
            self._plan(run, self._windows(run, built), mark)
            self._close(run)
            return None
        return replace(self._reader(run, built, mark), under=found.under)

    def _windows(self, run: Run, built: Unit) -> WindowPlan:
        is_whole = run.reading.refresh or not run.reading.incremental
        known = Bookmark() if is_whole else self.plan.bookmark(run, built.key)
        assert run.stream.window is not None
        return WindowPlan.of(built, run.stream.window, known)

    def _plan(self, run: Run, plan: WindowPlan, mark: Any = None) -> None:
        """The plan's windows may be read from now on."""
        plan.depth = self.report.depth
        self.schedule.add_plan(run, plan, mark)
        self._release(run, plan)

    def _share(self, joint: JointRun) -> None:
        """All units that may share a walk are known: read together what is better read together."""
        members = []
        for found in joint.waiting:
            built, _, is_wanted = self._build(found.run, found)
            if is_wanted:
                members.append(Member(found.run, self._windows(found.run, built)))
            else:
                self._close(found.run)
        plan = joint.divide(members)
        for member in members:
            self._plan(member.run, member.plan)
            if member.spans:
                self._begun(member.run)
            else:
                self._close(member.run)
        if plan is not None:
            self._plan(joint, plan)

    def _build(self, run: Run, found: Waiting) -> tuple[Unit, Any, bool]:
        """The unit of a parent and a partition, its gate's mark, and whether it is to be read at all."""
        key = unit_key(found.parent, run.key_names, found.partition, length=run.stream.brief)
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
        if mark is True or isinstance(mark, Anyway):
            return built, None if mark is True else mark.mark, True
        if mark is not None and (run.reading.refresh or not _same(mark, built.mark)):
            return built, mark, True
        run.skipped_by_gate = True
        return built, None, False

    def _reader(self, run: Run, built: Unit, mark: Any, *, plan: WindowPlan | None = None) -> Active:
        self._begun(run)
        reader = Reader(
            self.client,
            run.stream,
            built,
            on_page=partial(self._on_joint_page, run) if isinstance(run, JointRun) else self._on_page,
            whole=self.plan.must_read_all(run, built.key),
            errands=self.schedule.errand,
        )
        size = run.stream.size(built) if run.stream.size and not built.units else 0
        return Active(run, built, reader, size, mark, plan)

    def _begun(self, run: Run) -> None:
        if not run.begun:
            run.begun = True
            if run.sink:
                before = self.plan.before.latest(run.name, run.stream.replication_key)
                self.report.stream_started(run.name, bookmark=before if run.reading.incremental else None)

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
            active.depth = self.report.depth
            self.schedule.again(active, seconds=found.seconds / self.client.speed)
        elif isinstance(found, Received):
            if found.begin_next and active.plan is not None:
                self.schedule.window_received(active.plan, active.unit, found.outcome)
            self.schedule.again(active)
        elif found is not None:
            if found.high and active.high != found.high:
                active.high = later(active.high, found.high)
            high = active.high
            self.channel.put(lambda: self._apply(active, found, high), found.size)
            active.depth = self.report.depth
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
            self._add_children(child, parent, page.rows, built)
        output = Output()
        for sharer in run.sharers:
            if sharer.sink:
                rows = sharer.stream.records(page.body) if callable(sharer.stream.records) else []
                made = sharer.sink.lines(rows, built, extracted, care=care)
                output.lines.append((sharer.name, made.data, made.count))
        if run.sink:
            made = run.sink.lines(page.rows, built, extracted, care=care)
            output.lines.append((run.name, made.data, made.count))
            output.high, output.notes = made.high, made.notes
            if stream.doubts:
                run.counts[built.key] = run.counts.get(built.key, 0) + made.count
        return output

    def _on_joint_page(
        self, joint: JointRun, stream: Stream, built: Unit, page: Page, care: bool, extracted: str
    ) -> Output:
        """The lines of all streams that share the page."""
        self.channel.wait_for_room()
        output = Output()
        assert built.window is not None
        for member, part, rows in joint.dealt(page.rows, built.window):
            assert member.run.sink is not None
            made = member.run.sink.lines(rows, part, extracted, care=care)
            output.lines.append((member.run.name, made.data, made.count))
        return output

    # Units come and go.

    def _add(self, run: Run, values: Mapping[str, Any], under: Under | None = None) -> None:
        stream = run.stream
        size = stream.size(light(run.reading, values)) if stream.size else 0
        for name, params in partitions(stream, self.plan.settings).items():
            waiting = Waiting(run, values, name, params, under=under, depth=self.report.depth)
            if run.joint is not None:
                self.schedule.hold(run)
                run.joint.waiting.append(waiting)
                continue
            if under is not None:
                run.followed[under[0]].begun(under[1])
            self.schedule.add(waiting, size=size)

    def _add_children(self, run: Run, parent: Parent, rows: Iterable[Any], above: Unit) -> None:
        if run.closed:
            return
        source = self.runs[parent.stream]
        field = source.stream.replication_key if parent.changed_only else None
        since = self.plan.changed_since(run, source, above.key) if field else None
        for row in rows:
            run.parents_met += 1
            under = None
            if field:
                moved = as_instant(row.get(field))
                run.followed.setdefault(above.key, Followed()).seen(moved)
                if since and moved and moved < since:
                    continue
                under = (above.key, moved) if moved and source.stream.order == "ascending" else None
            values = parent_values(parent, row, above.parent)
            if parent.where is not None and not parent.where(light(run.reading, values)):
                continue
            if len(run.stream.parents) > 1 or source.stream.unique:
                key = unit_key(values, parent.keys, "")
                if key in run.keys:
                    continue
                run.keys.add(key)
            batch = batch_size(parent, self.plan.settings)
            if batch > 1:
                self._group(run, values, batch)
            else:
                self._add(run, values, under)

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
            depth = self.report.depth
            self.schedule.add(Waiting(run, {}, units=tuple(units), group=group or units[0].key, depth=depth))

    def _completed(self, active: Active) -> None:
        run, built, plan = active.run, active.unit, active.plan
        run.read += 1
        active.reader.close()
        high, mark, left = active.high, active.mark, None
        if built.window is not None and (ended_at := active.reader.ended_at) is not None:
            left = (ended_at, built.window[1])
            built = replace(built, window=(built.window[0], ended_at))
        self.channel.put(lambda: self._vouch(run, built, high, mark, plan, active.under))
        if plan is not None:
            plan.depth = max(plan.depth, self.report.depth) if left else plan.depth
            self.schedule.window_ended(plan, built, active.reader.outcome, left)
        self._leave(active)

    def _failed(self, active: Active, error: TapError) -> None:
        run, built = active.run, active.unit
        active.reader.close()
        plan = active.plan
        if isinstance(error, TooLargeError) and plan is not None and self.schedule.window_split(plan, built):
            plan.depth = max(plan.depth, self.report.depth)
            self._leave(active)
            return
        missing = isinstance(error, GoneError)
        if isinstance(error, UnavailableError) or (
            run.stream.optional and isinstance(error, (RefusedError, GoneError)) and not (missing and built.parent)
        ):
            run.closed = UnavailableError(str(error))
        elif missing and built.parent:
            run.gone += 1
            # An API may say so parent by parent that the account lacks the feature; `_end` says what came of that.
            self.log.log(logging.DEBUG if run.stream.optional else logging.WARNING, "%s Skipped.", error)
            self.channel.put(lambda: self.ledger.follow(run, active.under))
        elif isinstance(error, (RefusedError, QuotaError)):
            run.closed = error
        else:
            run.failures.append(error)
            if isinstance(error, PartError):
                self.log.warning("%s", error)
            elif len(run.failures) >= HOPELESS and not run.read:
                run.closed = error
        if plan is not None:
            self.schedule.window_ended(plan, built, None)
        self._leave(active)

    def _leave(self, active: Active) -> None:
        """The reader is done with; its unit too, unless it was one window of a plan that goes on."""
        active.reader.close()
        self.report.unit(active.run.name, active.reader.seconds)
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
        if run.stream.doubts and run.sink and run.is_complete and not (run.reading.incremental or run.resume):
            self._doubt(run, run.stream.doubts)
        self.channel.put(lambda: self._end(run))
        for sharer in run.sharers:
            sharer.failures.extend(run.failures)
            sharer.closed = sharer.closed or run.closed
            self._close(sharer)
        for child, _ in run.children:
            with self.client.processor:
                child.parents_incomplete |= not run.is_complete and not isinstance(run.closed, UnavailableError)
                child.parents_open -= 1
                is_last = child.parents_open == 0
                for group in list(child.groups) if is_last else ():
                    self._flush(child, group)
            if is_last:
                self._all_known(child)

    def _all_known(self, run: Run) -> None:
        """No more units of the run will come."""
        if run.joint is not None:
            with self.client.processor:
                run.joint.expected -= 1
                is_last = run.joint.expected == 0
            if is_last:
                self._share(run.joint)
        self._close(run)

    def _vouch(
        self, run: Run, built: Unit, high: str | None, mark: Any, plan: WindowPlan | None, under: Under | None
    ) -> None:
        if not isinstance(run, JointRun):
            self.ledger.vouch(run, built, high, mark, plan, under)
            return
        for member in run.members:
            if built.window is not None and (part := member.part(built.window)) is not None:
                self.ledger.vouch(member.run, part, None, None, member.plan)

    def _doubt(self, run: Run, doubts: Callable[[Client, Mapping[str, int]], Iterable[str]]) -> None:
        try:
            for text in doubts(self.client, run.counts):
                self.log.warning("%s: %s", run.name, text)
        except ApiError as error:
            self.log.info("%s: could not be checked: %s", run.name, error)

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
        if run.sink.seen is not None:
            run.sink.seen.note(output.notes)
        if run.reading.incremental and run.stream.order == "ascending" and not run.stream.window and high:
            self.ledger.advance(run, built.key, high)
        if (checkpoint := output.checkpoint) is not None:
            self.ledger.checkpoint(run, built, checkpoint)

    def _end(self, run: Run) -> None:
        """The stream has ended: say how, and tidy its state."""
        if isinstance(run, JointRun):  # its members say it
            return
        if run.gone and not run.read and not run.skipped and not run.failures:
            words = f"{run.name}: all {run.gone} parents are gone; nothing could be read."
            if run.stream.optional:  # so an API may say that the account lacks the feature
                run.closed = run.closed or UnavailableError(words)
            else:
                run.failures.append(ApiError(words))
        elif run.gone and run.stream.optional:
            self.log.warning("%s: %s parents have none, or are gone; skipped.", run.name, run.gone)
        parts = [error for error in run.failures if isinstance(error, PartError)]
        others = [*(error for error in run.failures if error not in parts), *([run.closed] if run.closed else [])]
        for error in {str(error): error for error in others}.values():
            self._say(run, error)
        if parts:
            names = ", ".join(dict.fromkeys(error.part for error in parts))
            self.report.problem(run.name, f"Left out: {names}. The first, because: {parts[0]}")
        if run.sink is None:
            return
        if run.is_complete:
            self.ledger.complete(run)
            if run.sink.version is not None and not run.skipped_by_gate:
                self.writer.activate_version(run.name, run.sink.version)
                self.ends_in_state = False
        self.report.stream_finished(run.name, outcome=run.outcome, bookmark=self._shown(run))

    def _say(self, run: Run, error: TapError) -> None:
        if isinstance(error, UnavailableError):
            self.log.info("%s", error)
        else:
            self.report.problem(run.name, str(error))

    def _shown(self, run: Run) -> str | None:
        field = run.stream.replication_key
        if not (field and run.reading.incremental):
            return None
        return self.plan.state.latest(run.name, field)


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
