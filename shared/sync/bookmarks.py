"""What the state says of a run: bookmarks, what is half done, what is complete.

Only the main thread writes here, and only of records that it has written.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..protocol.state import Bookmark, State, finish, later
from ..records.encoder import as_instant
from ..streams import Checkpoint, Unit
from .run import Run
from .units import Under, members
from .windows import WindowPlan


class Bookmarks:
    """The state of a run. `dirty` tells whether it has changed since it was last written."""

    def __init__(self, state: State, now: str) -> None:
        self.state, self.now, self.dirty = state, now, False

    def advance(self, run: Run, key: str, value: str) -> None:
        """Move a unit's bookmark on to `value`, never back and never into the future."""
        self.state.advance(run.name, run.stream.replication_key, key, min(value, self.now))
        self.dirty = True

    def checkpoint(self, run: Run, built: Unit, checkpoint: Checkpoint) -> None:
        """A reader says how far it is."""
        if checkpoint.unit is not None:
            part = checkpoint.unit
            self.complete_unit(run, part, checkpoint.value, part.scratch.get("mark"), None)
            return
        if checkpoint.value and run.reading.incremental:
            self.advance(run, built.key, checkpoint.value)
        self.keep(run, built.key, checkpoint.resume)

    def keep(self, run: Run, key: str, value: Any) -> None:
        """Keep what a unit needs to go on after a broken run; None: nothing any more."""
        resume = dict(self.state.member(run.name, "resume") or {})
        units = {name: kept for name, kept in members(resume.get("units")).items() if name != key}
        if value is not None:
            units[key] = value
        resume.pop("units", None)
        self.state.set_member(run.name, "resume", {**resume, **({"units": units} if units else {})})
        self.dirty = True

    def complete_unit(
        self,
        run: Run,
        built: Unit,
        high: str | None,
        mark: Any,
        plan: WindowPlan | None,
        under: Under | None = None,
    ) -> None:
        """The unit is complete and written: move its bookmark, keep its mark, note it as done."""
        if run.encoder is None:
            return
        name, field, key = run.name, run.stream.replication_key, built.key
        mark = mark(built) if callable(mark) else mark
        if self._is_over(run, built):
            self.keep(run, key, None)
        if built.units:
            return
        if run.reading.incremental and not any(parent.changed_only for parent in run.stream.parents):
            known = self.state.get(name, field, key)
            if plan is not None and built.window is not None:
                if run.reading.settings.get("end_date") and not self.state.latest(name, field):
                    self.state.set_member(name, "from", plan.origin)
                known = self._further(run, finish(known, built.window, origin=plan.origin), high)
            elif high:
                known = replace(known, value=max(known.value or "", min(high, self.now)))
            known = replace(known, mark=mark if mark is not None else known.mark)
            if known != Bookmark():
                self.state.put(name, field, key, known, to_the_minute=run.stream.brief > 0)
            if run.encoder.recent_rows is not None and known.value:
                self.state.set_member(name, "seen", run.encoder.recent_rows.packed(known.value))
        elif mark is not None:
            self.state.put(name, field, key, Bookmark(mark=mark))
        if under is not None:
            self.follow(run, under)
        elif not run.reading.incremental and key:
            resume = self.state.member(name, "resume")
            if isinstance(resume, dict) and "done" in resume and plan is None:
                resume["done"].append(key)
        self.dirty = True

    def _further(self, run: Run, known: Bookmark, high: str | None) -> Bookmark:
        """A unit's bookmark with its newest row, where the look-back is to reach back to that."""
        if not (run.stream.reaches_back and high):
            return known
        return replace(known, mark=later(as_instant(known.mark), min(high, self.now)))

    def complete_stream(self, run: Run) -> None:
        """The stream is complete: nothing of it is half done any more."""
        if resume := self.state.member(run.name, "resume"):
            units = {key: kept for key, kept in members(resume.get("units")).items() if not _window(kept)}
            self.state.set_member(run.name, "resume", {**resume, "units": units} if units else None)
        if run.reading.refresh:
            self.state.set_member(run.name, "refreshed", self.now)
        for key, followed in run.waits.followed.items():
            if followed.newest and run.reading.incremental:
                self.advance(run, key, followed.newest)
        self.dirty = True

    def begin_anew(self, run: Run) -> None:
        """All of the stream was asked for, and what is missing was refused: the next full pass is a whole one."""
        if not run.reading.incremental and self.state.member(run.name, "resume"):
            self.state.set_member(run.name, "resume", None)
            self.dirty = True

    def follow(self, run: Run, under: Under | None) -> None:
        """A unit of a child of changed parents is done with: note up to where all are, as the bookmark, or of a full
        pass as where to take it up again.
        """
        value = run.waits.followed[under[0]].finished(under[1]) if under is not None else None
        if under is None or value is None:
            return
        resume = self.state.member(run.name, "resume")
        if run.reading.incremental:
            self.advance(run, under[0], value)
        elif isinstance(resume, dict):
            resume["followed"] = {**members(resume.get("followed")), under[0]: min(value, self.now)}
            self.dirty = True

    def _is_over(self, run: Run, built: Unit) -> bool:
        """Whether something is kept of the unit, and not for another of its windows."""
        units = (self.state.member(run.name, "resume") or {}).get("units") or {}
        window = _window(units.get(built.key))
        return built.key in units and (not window or not built.window or list(window) == list(built.window))


def _window(kept: Any) -> Any:
    """The window that something is kept for, if it is one's."""
    return kept.get("window") if isinstance(kept, dict) else None
