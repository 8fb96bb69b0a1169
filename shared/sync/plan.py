"""What a run is to read: the selected streams and the parents they need, each as the state and the settings have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from ..protocol.selection import Selection
from ..protocol.state import Bookmark, State
from ..records.encoder import Encoder, as_instant
from ..records.fit import Shape
from ..records.misfits import Misfits
from ..records.recent_rows import RecentRows
from ..records.reshape import reshape
from ..streams import Anyway, Stream, Unit
from ..timestamps import parse, seconds_between
from .run import Run, Waiting, light
from .shared_walk import SharedRun
from .units import Reading, lookback_seconds, members, parent_values, texts, unit, unit_key
from .windows import WindowPlan

RESUME_SECONDS = 24 * 3600
"""A full pass that was broken off is taken up again within a day; after that it begins anew."""


class Plan:
    """One run, before it begins. `before` is the state it starts from, `misfits` what its records will lack."""

    def __init__(
        self,
        streams: Sequence[Stream],
        selections: Sequence[Selection],
        *,
        state: State,
        settings: Mapping[str, Any],
        now: str,
    ) -> None:
        self.streams, self.selections, self.state = streams, selections, state
        self.settings, self.now = settings, now
        for selection in selections:
            state.clamp(selection.stream.name, selection.stream.replication_key, now)
        self.before = State(state.value)
        self.misfits = Misfits()
        self.shared_walks: dict[str, SharedRun] = {}
        """The walk that a stream shares, by the stream's name."""
        self._part_key = next((stream.key_properties[0] for stream in streams if stream.cut_by), "")

    def part_of(self, unit: Unit) -> str:
        """The part of the account (`Stream.cut_by`) that a unit belongs to; empty where it has no such parts."""
        return str(unit.parent.get(self._part_key) or "")

    def bookmark(self, run: Run, key: str) -> Bookmark:
        """Where the run before this one ended in a unit."""
        return self.before.get(run.name, run.stream.replication_key, key)

    def beginnings(self, runs: Mapping[str, Run]) -> list[Unit]:
        """Where the selected streams that have no parents begin."""
        plain = (run for run in runs.values() if run.encoder and not run.stream.parents)
        return [unit(run.reading, bookmark=self.bookmark(run, "")) for run in plain]

    def kept(self, run: Run, key: str) -> Any:
        """What a broken run kept of a unit that it had begun. Not its place among the pages where children hang under
        these: those of the pages before it may not have been read.
        """
        is_place = run.stream.order == "descending" or run.stream.keep is not None
        units = None if run.children and is_place else run.resume.get("units")
        return units.get(key) if isinstance(units, Mapping) else None

    def build(self, run: Run, found: Waiting) -> tuple[Unit, Any, bool]:
        """The unit of a parent and a partition, its gate's mark, and whether it is to be read at all."""
        key = unit_key(found.parent, run.key_names, found.partition, length=run.stream.brief)
        built = unit(
            run.reading,
            bookmark=self.bookmark(run, key),
            key=key,
            parent=found.parent,
            partition=found.partition,
            params=found.params,
            resume=self.kept(run, key),
        )
        if run.stream.gate_below and run.children:
            built = replace(built, below=dict(self._marks_below(run, built)))
        elif key in run.finished_before and not run.children:
            return built, None, False
        gate = run.stream.gate
        if gate is None or not (run.reading.incremental or run.stream.gate_full_table):
            return built, None, True
        mark = gate(built)
        if run.children and not (run.stream.gate_below or isinstance(mark, Anyway)):
            return built, None, True  # they need its rows, whether or not these are news
        if mark is True or isinstance(mark, Anyway):
            return built, None if mark is True else mark.mark, True
        if mark is not None and (run.reading.refresh or run.reading.reads_all or not _same(mark, built.mark)):
            return built, mark, True
        run.progress.unit_skipped(by_gate=True)
        return built, None, False

    def _marks_below(self, run: Run, built: Unit) -> Iterator[tuple[str, Any]]:
        """What was kept of the units below one unit, by their streams; None for what is to be read whatever was."""
        for child, parent in run.children:
            values = parent_values(parent, {}, built.parent)
            if parent.where is not None and not parent.where(light(child.reading, values)):
                continue
            key = unit_key(values, parent.keys, "", length=child.stream.brief)
            is_gated = child.reading.incremental or child.stream.gate_full_table
            is_whole = child.reading.refresh or child.reading.reads_all
            yield child.name, self.bookmark(child, key).mark if is_gated and not is_whole else None

    def windows(self, run: Run, built: Unit, *, reaching_back: bool = False) -> WindowPlan:
        """The time windows in which a unit is to be read; `reaching_back`: from its newest row on, if it is quiet."""
        is_whole = run.reading.refresh or not run.reading.incremental
        known = Bookmark() if is_whole else self.bookmark(run, built.key)
        assert run.stream.window is not None
        newest = as_instant(built.mark) if reaching_back and built.bookmark else None
        if newest and built.since and newest < built.since:
            return WindowPlan.of(replace(built, since=newest), run.stream.window, known).at_once()
        return WindowPlan.of(built, run.stream.window, known)

    def runs(self) -> dict[str, Run]:
        """The streams to read, by name, parents before children; a full pass is noted in the state as begun."""
        rows = {stream.name: stream for stream in self.streams}
        selected = {selection.stream.name: selection for selection in self.selections}
        parents = {
            name: tuple(p for p in stream.parents if p.when is None or self.settings.get(p.when))
            for name, stream in rows.items()
        }
        needed: dict[str, Stream] = {}

        def need(name: str) -> None:
            if name in needed:
                return
            for parent in parents[name]:
                need(parent.stream)
            if source := rows[name].pages_of:
                need(source)
            needed[name] = rows[name]

        for name in rows:
            if name in selected:
                need(name)
        runs = {name: self._run(stream, selected.get(name)) for name, stream in needed.items()}
        for name, stream in needed.items():
            if stream.pages_of:
                runs[stream.pages_of].sharers.append(runs[name])
            for parent in parents[name]:
                runs[parent.stream].children.append((runs[name], parent))
                runs[name].key_names = tuple(parent.keys)
                runs[name].waits.parents_open += 1
        self._join(runs, rows)
        for each in runs.values():
            if any(
                not parent.changed_only or child.reading.refresh or not child.reading.incremental
                for child, parent in each.children
            ) or any(not sharer.reading.incremental for sharer in each.sharers):
                each.reading = replace(each.reading, whole=True)
        return runs

    def followed(self, child: Run, parent: Run, key: str) -> Bookmark:
        """How far a child of changed parents had come in one unit of its parent's.

        Older states hold one bookmark for all: it counts for the units that the parent had read by then.
        """
        own = self.bookmark(child, key)
        if own.value is None and self.bookmark(parent, key).value and not self.before.member(child.name, "units"):
            return self.bookmark(child, "")
        return own

    def changed_since(self, child: Run, parent: Run, key: str) -> str | None:
        """From which instant on the rows of one unit of its parent's are news to a child of changed parents: in a full
        pass, from where a broken one ended.
        """
        if child.reading.incremental:
            return unit(child.reading, bookmark=self.followed(child, parent, key)).since
        followed = child.resume.get("followed")
        return followed.get(key) if isinstance(followed, Mapping) else None

    def must_read_all(self, run: Run, key: str) -> bool:
        """Whether the bookmark of a unit would leave out rows that a child has not seen."""
        known = self.bookmark(run, key).value or ""
        return run.reading.whole or any(
            (self.followed(child, run, key).value or "") < known
            for child, parent in run.children
            if parent.changed_only
        )

    def _join(self, runs: Mapping[str, Run], rows: Mapping[str, Stream]) -> None:
        """Streams that may share a walk are told which."""
        walks: dict[str, SharedRun] = {}
        for run in runs.values():
            if run.stream.shared_walk is not None:
                walks.setdefault(run.stream.shared_walk.stream, self._walk(rows[run.stream.shared_walk.stream]))
        for run in runs.values():
            joint = walks.get(run.stream.shared_walk.stream if run.stream.shared_walk else run.name)
            if joint is not None:
                self.shared_walks[run.name] = joint
                joint.expected += 1

    def _walk(self, stream: Stream) -> SharedRun:
        return SharedRun(Reading(stream=stream, settings=self.settings, now=self.now, incremental=False))

    def _run(self, stream: Stream, selection: Selection | None) -> Run:
        settings = self.settings
        incremental = bool(selection and selection.replication_key and not selection.full_table)
        refresh = incremental and self._refresh_is_due(stream)
        reading = Reading(
            stream=stream,
            settings=settings,
            now=self.now,
            incremental=incremental,
            start_date=settings.get("start_date"),
            whole=refresh,
            refresh=refresh,
            reads_all=bool(selection and selection.reads_all)
            or (not incremental and bool(settings.get("activate_version"))),
            deselected=selection.deselected if selection else frozenset(),
            deselected_members=selection.deselected_members if selection else frozenset(),
        )
        run = Run(reading)
        if selection is None:
            return run
        self.before.check(stream.name, stream.replication_key)
        resume = run.resume = self._resume(stream) if incremental else self._broken_pass(stream)
        run.finished_before = frozenset(texts(resume.get("done")))
        version = None
        if settings.get("activate_version") and not incremental:
            version = resume.get("version") or int(parse(self.now).timestamp() * 1000)
        if not incremental and (stream.parents or stream.partitions or stream.keep or stream.order == "descending"):
            kept = {"began": resume.get("began") or self.now, "done": texts(resume.get("done"))}
            kept |= {name: resume[name] for name in ("units", "followed") if resume.get(name)}
            self.state.set_member(stream.name, "resume", {**kept, **({"version": version} if version else {})})
        shape = Shape(
            selection,
            strict=bool(settings.get("strict")),
            extra_fields=settings.get("extra_fields") or "column",
            misfits=self.misfits,
        )
        recent_rows = self._recent_rows(stream, selection) if incremental else None
        run.encoder = Encoder(
            stream,
            selection,
            shape,
            version,
            set() if stream.unique else None,
            recent_rows=recent_rows,
            reshape=reshape(selection, settings),
            bare=bool(settings.get("batch")),
        )
        for group, pending in members(resume.get("units")).items():
            if isinstance(pending, Mapping):
                run.pending_groups.update((key, group) for key in texts(pending.get("units")))
        return run

    def _recent_rows(self, stream: Stream, selection: Selection) -> RecentRows | None:
        """What an append-only stream must not write again, where its records hold what tells rows apart."""
        names = stream.key_properties
        if selection.key_properties or stream.parents or stream.partitions:
            return None
        if not set(names) <= set(selection.schema["properties"]) or not selection.replication_key:
            return None
        return RecentRows(
            self.before.member(stream.name, "seen"),
            bookmark=self.before.get(stream.name, stream.replication_key).value,
            lookback=lookback_seconds(stream, self.settings),
            names=names,
            field=selection.replication_key,
        )

    def _resume(self, stream: Stream) -> Mapping[str, Any]:
        found = self.before.member(stream.name, "resume")
        return found if isinstance(found, Mapping) else {}

    def _broken_pass(self, stream: Stream) -> Mapping[str, Any]:
        resume = self._resume(stream)
        try:
            age = seconds_between(str(resume.get("began")), self.now)
        except ValueError:
            return {}
        return resume if abs(age) < RESUME_SECONDS else {}  # clocks of one API may differ a little

    def _refresh_is_due(self, stream: Stream) -> bool:
        days = self.settings.get(stream.full_refresh) if stream.full_refresh else None
        if days is None:
            return False
        try:
            last = str(self.before.member(stream.name, "refreshed"))
            return seconds_between(last, self.now) >= float(days) * 86_400
        except ValueError:  # never, or nothing that could be read
            return True


def _same(mark: Any, kept: Any) -> bool:
    return kept is not None and orjson.dumps(mark) == orjson.dumps(kept)
