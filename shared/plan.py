"""What a run is to read: the selected streams and the parents they need, each as the state and the settings have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .catalog import Selection
from .extract import Sink
from .problems import Problems
from .records import Shape
from .reshape import reshape
from .schedule import Run
from .state import Bookmark, State
from .streams import Stream
from .timestamps import parse, seconds_between
from .units import Reading

RESUME_SECONDS = 24 * 3600
"""A full pass that was broken off is taken up again within a day; after that it begins anew."""


class Plan:
    """One run, before it begins. `before` is the state it starts from, `problems` what its records will lack."""

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
        self.before = State(state.value)
        self.problems = Problems()

    def bookmark(self, run: Run, key: str) -> Bookmark:
        """Where the run before this one ended in a unit."""
        return self.before.get(run.name, run.stream.replication_key, key)

    def kept(self, run: Run, key: str) -> Any:
        """What a broken run kept of a unit that it had begun."""
        units = run.resume.get("units")
        return units.get(key) if isinstance(units, Mapping) else None

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
                runs[name].parents_open += 1
        for each in runs.values():
            if any(not parent.changed_only or self._is_behind(child, each) for child, parent in each.children):
                each.reading = replace(each.reading, whole=True)
        return runs

    def _is_behind(self, child: Run, parent: Run) -> bool:
        """Whether the parent's bookmarks would leave out rows that a child of changed parents has not seen."""
        if not child.reading.incremental:
            return True
        seen = self.bookmark(child, "").value
        return seen is None or seen < (self.before.latest(parent.name, parent.stream.replication_key) or "")

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
            deselected=selection.deselected if selection else frozenset(),
        )
        run = Run(reading)
        if selection is None:
            return run
        self.before.check(stream.name, stream.replication_key)
        resume = run.resume = self._resume(stream) if incremental else self._broken_pass(stream)
        run.finished_before = frozenset(resume.get("done") or ())
        version = None
        if settings.get("activate_version") and not incremental:
            version = resume.get("version") or int(parse(self.now).timestamp() * 1000)
        if not incremental and (stream.parents or stream.partitions or stream.keep or stream.order == "descending"):
            kept = {"began": resume.get("began") or self.now, "done": list(resume.get("done") or [])}
            kept |= {"units": units} if (units := resume.get("units")) else {}
            self.state.set_member(stream.name, "resume", {**kept, **({"version": version} if version else {})})
        shape = Shape(
            selection,
            strict=bool(settings.get("strict")),
            extra_fields=settings.get("extra_fields") or "column",
            problems=self.problems,
        )
        run.sink = Sink(
            stream,
            selection,
            shape,
            version,
            set() if stream.unique else None,
            reshape=reshape(selection, settings),
            bare=bool(settings.get("batch")),
        )
        for group, pending in (resume.get("units") or {}).items():
            if isinstance(pending, Mapping):
                run.pending_groups.update((key, group) for key in pending.get("units") or ())
        return run

    def _resume(self, stream: Stream) -> Mapping[str, Any]:
        found = self.before.member(stream.name, "resume")
        return found if isinstance(found, Mapping) else {}

    def _broken_pass(self, stream: Stream) -> Mapping[str, Any]:
        resume = self._resume(stream)
        try:
            age = seconds_between(str(resume.get("began")), self.now)
        except ValueError:
            return {}
        return resume if 0 <= age < RESUME_SECONDS else {}

    def _refresh_is_due(self, stream: Stream) -> bool:
        days = self.settings.get(stream.full_refresh) if stream.full_refresh else None
        if days is None:
            return False
        try:
            last = str(self.before.member(stream.name, "refreshed"))
            return seconds_between(last, self.now) >= float(days) * 86_400
        except ValueError:  # never, or nothing that could be read
            return True
