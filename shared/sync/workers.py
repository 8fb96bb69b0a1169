"""The readers' side of a sync: worker threads take units from the schedule, read them step by step, and hand on what
they got, in order. What becomes of it is the main thread's business (`Main`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from ..api.client import Client
from ..api.request import Page
from ..errors import (
    ApiError,
    AuthError,
    GoneError,
    PartError,
    QuotaError,
    RefusedError,
    RetryableError,
    Stopped,
    TapError,
    TooLargeError,
    UnavailableError,
    told,
)
from ..protocol.state import later
from ..report import Report
from ..streams import Received, Stream, Unit, Wait
from .channel import Channel
from .children import Children
from .paging import Prefetch
from .plan import Plan
from .reader import Output, Reader
from .run import Run, Waiting
from .schedule import Active, Schedule
from .shared_walk import Member, SharedRun
from .units import Under
from .windows import WindowPlan


class Main(Protocol):
    """What the readers have the main thread do, in the order in which things were read."""

    def apply(self, active: Active, output: Output, high: str | None) -> None:
        """Write what a step gave."""

    def complete_unit(
        self, run: Run, built: Unit, high: str | None, mark: Any, plan: WindowPlan | None, under: Under | None
    ) -> None:
        """A unit is complete."""

    def forget_place(self, run: Run, built: Unit) -> None:
        """The place that was kept of a unit is of no use."""

    def follow(self, run: Run, under: Under | None) -> None:
        """A unit below changed parents is done with, without having been read."""

    def end(self, run: Run) -> None:
        """A stream has ended."""


class Workers:
    """The threads that read. `alive` counts them, `fatal` is what ended one of them."""

    def __init__(
        self,
        plan: Plan,
        runs: Mapping[str, Run],
        main: Main,
        *,
        client: Client,
        report: Report,
        log: logging.Logger,
        stop: threading.Event,
    ) -> None:
        self.plan, self.runs, self.main = plan, runs, main
        self.client, self.report, self.log = client, report, log
        self.channel = Channel(stop)
        self.schedule = Schedule(delay=lambda quota: client.delay(quota) / client.speed)
        self.fatal: BaseException | None = None
        self.alive = 0
        self._lock = threading.Lock()
        self.children = Children(plan, runs, self.schedule, self.told)

    def start(self, count: int) -> None:
        """Begin with the streams that need no parents, with so many threads."""
        for each in self.runs.values():
            self.schedule.hold(each)
        roots = [each for each in self.runs.values() if not each.waits.parents_open and not each.stream.pages_of]
        for each in roots:
            if not each.stream.parents:  # else all its parents are switched off
                self.children.add(each, {})
        for each in roots:
            self.all_known(each)
        threads = [threading.Thread(target=self._work, name=f"reader-{n}", daemon=True) for n in range(count)]
        self.alive = count
        for thread in threads:
            thread.start()

    # A thread.

    def _work(self) -> None:
        try:
            while (found := self.schedule.take()) is not None:
                if isinstance(found, Prefetch):
                    found.run()
                    self.schedule.idle()
                    continue
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
        except BaseException as error:  # raised again by the main thread
            self.fatal = self.fatal or error
            self.schedule.stop()
        finally:
            with self._lock:
                self.alive -= 1
            self.channel.wake()

    def _activate(self, found: Waiting | WindowPlan) -> Active | None:
        """The unit that was taken, ready to be read; None when nothing of it is to be read (now)."""
        if isinstance(found, WindowPlan):
            return self._window(found)
        run = found.run
        if run.progress.closed:
            self._close(run)
            return None
        try:
            if found.units:
                kept = self.plan.kept(run, found.group)
                group = replace(found.units[0], key=found.group, units=found.units, resume=kept)
                return self._reader(run, group, None)
            return self._single(run, found)
        except (Stopped, AuthError):
            raise
        except Exception as error:  # in a gate, a hook
            run.progress.unit_failed(run.name_of(found.parent, found.partition), self.told(run, error))
            self._close(run)
            return None

    def _window(self, plan: WindowPlan) -> Active | None:
        run, mark = self.schedule.plan_of(plan)
        window = None if run.progress.closed else self.schedule.next_window(plan)
        if window is None:
            self._release(run, plan)
            return None
        try:
            return self._reader(run, window, mark, plan=plan)
        except (Stopped, AuthError):
            raise
        except Exception as error:  # in a hook
            run.progress.unit_failed(run.unit_name(window), self.told(run, error))
            self.schedule.window_ended(plan, window, None)
            self._release(run, plan)
            return None

    def told(self, run: Run, error: Exception) -> TapError:
        """What the user is told of any exception."""
        if not isinstance(error, TapError):
            self.log.debug("%s: unexpected", run.name, exc_info=error)
        return told(error, run.name)

    def _single(self, run: Run, found: Waiting) -> Active | None:
        built, mark, is_wanted = self.plan.build(run, found)
        if not is_wanted:
            run.progress.unit_skipped()
            self.channel.put(lambda: self.main.follow(run, found.under))
            self._close(run)
            return None
        if run.stream.window:
            self._plan(run, self.plan.windows(run, built, reaching_back=run.stream.reaches_back), mark)
            self._close(run)
            return None
        return replace(self._reader(run, built, mark), under=found.under)

    def _plan(self, run: Run, plan: WindowPlan, mark: Any = None) -> None:
        """The plan's windows may be read from now on."""
        self.schedule.add_plan(run, plan, mark)
        self._release(run, plan)

    def _share(self, joint: SharedRun) -> None:
        """All units that may share a walk are known: read together what is better read together."""
        members = []
        for found in joint.waiting:
            try:
                built, _, is_wanted = self.plan.build(found.run, found)
            except Exception as error:  # in a gate
                found.run.progress.unit_failed(
                    found.run.name_of(found.parent, found.partition), self.told(found.run, error)
                )
                is_wanted = False
            if is_wanted:
                members.append(Member(found.run, self.plan.windows(found.run, built)))
            else:
                self._close(found.run)
        plan = joint.divide(members, self.client)
        for member in members:
            if not member.spans and member.run.stream.reaches_back:
                member.plan = self.plan.windows(member.run, member.plan.base, reaching_back=True)
            self._plan(member.run, member.plan)
            if member.spans:
                self._begun(member.run)
            else:
                self._close(member.run)
        if plan is not None:
            self._plan(joint, plan)

    def _reader(self, run: Run, built: Unit, mark: Any, *, plan: WindowPlan | None = None) -> Active:
        self._begun(run)
        size = run.stream.size(built) if run.stream.size and not built.units else 0
        return Active(run, built, self._new_reader(run, built), size, mark, plan)

    def _new_reader(self, run: Run, built: Unit) -> Reader:
        return Reader(
            self.client,
            run.stream,
            built,
            on_page=partial(self._on_joint_page, run) if isinstance(run, SharedRun) else self._on_page,
            whole=self.plan.must_read_all(run, built.key),
            prefetcher=self.schedule,
            page_size=run.page_size,
        )

    def _begun(self, run: Run) -> None:
        if run.progress.begin() and run.encoder:
            before = self.plan.before.latest(run.name, run.stream.replication_key)
            self.report.stream_started(run.name, bookmark=before if run.reading.incremental else None)

    def _step(self, active: Active) -> None:
        run = active.run
        try:
            found = None if run.progress.closed else active.reader.step()
        except (Stopped, AuthError):
            raise
        except Exception as error:
            self._failed(active, self.told(run, error))
            return
        if isinstance(found, Wait):
            self.schedule.again(active, seconds=found.seconds / self.client.speed)
        elif isinstance(found, Received):
            if found.begin_next and active.plan is not None:
                self.schedule.window_received(active.plan, active.unit, found.outcome)
            self.schedule.again(active)
        elif found is not None:
            if found.high and active.high != found.high:
                active.high = later(active.high, found.high)
            high = active.high
            self.channel.put(lambda: self.main.apply(active, found, high), found.size)
            self.schedule.again(active)
        elif run.progress.closed:
            self._leave(active)
        else:
            self._completed(active)

    def _on_page(self, stream: Stream, built: Unit, page: Page, care: bool, extracted: str) -> Output:
        """Children of the page's rows, and its lines."""
        self.channel.wait_for_room()
        run = self.runs[stream.name]
        for child, parent in run.children:
            self.children.below(child, parent, page.rows, built)
        output = Output()
        for sharer in run.sharers:
            if sharer.encoder:
                try:
                    rows = sharer.stream.records(page.body) if callable(sharer.stream.records) else []
                    made = sharer.encoder.lines(rows, built, extracted, care=care)
                except Exception as error:
                    sharer.progress.left_out(PartError(str(self.told(sharer, error)), part="the rows of a page"))
                    continue
                output.lines.append((sharer.name, made.data, made.count))
        if run.encoder:
            made = run.encoder.lines(page.rows, built, extracted, care=care)
            output.lines.append((run.name, made.data, made.count))
            output.high, output.notes = made.high, made.notes
            if stream.checks:
                run.progress.written(built.key, made.count)
        return output

    def _on_joint_page(
        self, joint: SharedRun, stream: Stream, built: Unit, page: Page, care: bool, extracted: str
    ) -> Output:
        """The lines of all streams that share the page."""
        self.channel.wait_for_room()
        output = Output()
        assert built.window is not None
        for member, part, rows in joint.dealt(page.rows, built.window):
            assert member.run.encoder is not None
            made = member.run.encoder.lines(rows, part, extracted, care=care)
            output.lines.append((member.run.name, made.data, made.count))
            member.high = later(member.high, made.high)
        return output

    # Units come and go.

    def _completed(self, active: Active) -> None:
        run, built, plan = active.run, active.unit, active.plan
        run.progress.unit_read()
        active.reader.close()
        high, mark, left = active.high, active.mark, None
        if built.window is not None and (ended_at := active.reader.ended_at) is not None:
            left = (ended_at, built.window[1])
            built = replace(built, window=(built.window[0], ended_at))
        self.channel.put(lambda: self.main.complete_unit(run, built, high, mark, plan, active.under))
        if run.waits.gone:
            self._follow_gone(run)
        if plan is not None:
            self.schedule.window_ended(plan, built, active.reader.outcome, left)
        self._leave(active)

    def _failed(self, active: Active, error: TapError) -> None:
        """What was being read has failed: ask for less, ask anew, or note what is missing. The others go on."""
        run, built, plan = active.run, active.unit, active.plan
        active.reader.close()
        if isinstance(error, TooLargeError) and plan is not None and self.schedule.window_split(plan, built):
            self._leave(active)
            return
        if built.resume is not None and not active.reader.has_read and is_refusal(error):
            self._begin_anew(active, error)
            return
        if len(left := active.reader.members_left()) > 1 and not isinstance(error, QuotaError):
            run.progress.attempt_failed(error)
            half = len(left) // 2
            for units in (left[:half], left[half:]) if not run.progress.closed else ():
                self.schedule.add(Waiting(run, {}, units=units, group=units[0].key))
            self._leave(active)
            return
        self._note_failure(active, error, left[0] if left else built)
        if plan is not None:
            self.schedule.window_ended(plan, built, None)
        self._leave(active)

    def _note_failure(self, active: Active, error: TapError, built: Unit) -> None:
        run, plan, name = active.run, active.plan, active.run.unit_name(built)
        if part := self.plan.part_of(built):
            self.report.share(part, missing=run.name)
        if isinstance(error, QuotaError):
            run.progress.close(error)
        elif isinstance(error, PartError):
            run.progress.left_out(error)
            self.log.warning("%s", error)
        elif plan is not None and isinstance(error, (RefusedError, UnavailableError, GoneError)):
            if self.schedule.give_up(plan):  # its other windows would be answered alike
                run.progress.unit_failed(name, error)
        else:
            span = f"{name}, from {built.window[0]} until {built.window[1]}".lstrip(", ") if built.window else name
            run.progress.unit_failed(span, error)
            if isinstance(error, GoneError) and (built.parent or built.partition):
                # An API may say so parent by parent that the account lacks the feature; the end says what came of that.
                self.log.log(logging.DEBUG if run.stream.optional else logging.WARNING, "%s Skipped.", error)
                self._follow_gone(run, active.under)

    def _follow_gone(self, run: Run, under: Under | None = None) -> None:
        """What is below a parent that is gone is done with, once that is not what the API says of all of them."""
        with run.waits.lock:
            found = [*run.waits.gone, *([under] if under is not None else [])]
            has_read = run.progress.read > 0
            run.waits.gone = [] if has_read else found
        for each in found if has_read else ():
            self.channel.put(partial(self.main.follow, run, each))

    def _begin_anew(self, active: Active, error: TapError) -> None:
        """A saved place is a hint only: the unit is read from its beginning when the API refuses the place."""
        run = active.run
        name = run.unit_name(active.unit)
        where = f"{run.name}{f' ({name})' if name else ''}"
        self.report.warn("", f"{where}: the saved place was refused, so it is read from its beginning. {error}")
        self.channel.put(lambda: self.main.forget_place(run, active.unit))
        active.unit = replace(active.unit, resume=None, scratch={})
        if active.plan is not None:
            active.plan.base = replace(active.plan.base, resume=None)
        active.high, active.reader = None, self._new_reader(run, active.unit)
        self.schedule.again(active)

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
        if self.schedule.plan_is_over(plan, drop=run.progress.closed is not None):
            self._close(run)

    def _close(self, run: Run) -> None:
        """One open unit of the run less; with the last one the stream is complete, and its children may be."""
        if not self.schedule.close(run):
            return
        progress = run.progress
        progress.conclude(optional=run.stream.optional, parents=run.waits.parents_met)
        self._close_alike(run)
        if run.stream.checks and run.encoder and progress.is_complete and not (run.reading.incremental or run.resume):
            self._check(run, run.stream.checks)
        self.channel.put(lambda: self.main.end(run))
        for sharer in run.sharers:
            sharer.progress.share(progress)
            self._close(sharer)
        for child, _ in run.children:
            with child.waits.lock:
                if not progress.is_complete and not isinstance(progress.closed, UnavailableError):
                    child.progress.parents_incomplete = True
                child.waits.parents_open -= 1
                is_last = child.waits.parents_open == 0
                groups = list(child.waits.groups) if is_last else []
            for group in groups:
                self.children.flush(child, group)
            if is_last:
                self.all_known(child)

    def _close_alike(self, run: Run) -> None:
        """Streams that need the same permission need not ask for it again."""
        refusal = run.progress.closed
        if run.stream.permission and isinstance(refusal, (RefusedError, UnavailableError)):
            for other in self.runs.values():
                if other.stream.permission == run.stream.permission and not other.progress.read:
                    other.progress.close(refusal)

    def all_known(self, run: Run) -> None:
        """No more units of the run will come."""
        for parent in run.stream.parents:
            unmet = set(self.plan.settings.get(parent.picked_by) or ()) - run.waits.picked if parent.picked_by else ()
            if unmet and not run.progress.parents_incomplete:
                names = ", ".join(sorted(unmet))
                self.report.warn("", f"{parent.picked_by}: {parent.stream} has no {names}, so nothing below is read.")
        if (joint := self.plan.shared_walks.get(run.name)) is not None:
            with self._lock:
                joint.expected -= 1
                is_last = joint.expected == 0
            if is_last:
                self._share(joint)
        self._close(run)

    def _check(self, run: Run, checks: Callable[[Client, Mapping[str, int]], Iterable[str]]) -> None:
        try:
            for text in checks(self.client, run.progress.rows):
                self.report.warn(run.name, text)
        except (Stopped, AuthError):
            raise
        except Exception as error:
            self.log.info("%s: could not be checked: %s", run.name, self.told(run, error))


def is_refusal(error: TapError) -> bool:
    """Whether the API answered and will not give this: nothing passing, nothing about size or the credential."""
    passing = (RetryableError, TooLargeError, QuotaError, AuthError, PartError)
    return isinstance(error, ApiError) and not isinstance(error, passing)
