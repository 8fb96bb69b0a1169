"""Units under the rows of a parent: which rows have any, which are asked for together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..api.request import at
from ..errors import AuthError, PartError, Stopped, TapError
from ..records.encoder import as_instant
from ..streams import Parent, Unit
from .plan import Plan
from .run import Run, Waiting, light
from .schedule import Schedule
from .units import Followed, Under, batch_size, parent_values, partitions, unit_key


class Children:
    """Gives the schedule the units below rows as they come. A fault of one row, or of its hooks, stays that row's."""

    def __init__(
        self, plan: Plan, runs: Mapping[str, Run], schedule: Schedule, told: Callable[[Run, Exception], TapError]
    ) -> None:
        self._plan, self._runs, self._schedule, self._told = plan, runs, schedule, told

    def add(self, run: Run, values: Mapping[str, Any], under: Under | None = None) -> None:
        """The units of one parent, or of a stream without: one for each partition."""
        stream = run.stream
        size = stream.size(light(run.reading, values)) if stream.size else 0
        for name, params in partitions(stream, self._plan.settings).items():
            waiting = Waiting(run, values, name, params, under=under)
            if (joint := self._plan.shared_walks.get(run.name)) is not None:
                self._schedule.hold(run)
                joint.waiting.append(waiting)
                continue
            if under is not None:
                run.waits.followed[under[0]].begun(under[1])
            self._schedule.add(waiting, size=size)

    def below(self, run: Run, parent: Parent, rows: Iterable[Any], above: Unit) -> None:
        """The units of a child below rows of its parent, which came in the unit `above`."""
        if run.progress.closed:
            return
        source = self._runs[parent.stream]
        field = source.stream.replication_key if parent.changed_only else None
        since = self._plan.changed_since(run, source, above.key) if field else None
        for row in rows:
            run.waits.parents_met += 1
            if row.__class__ is not dict:
                self._keyless_parent(run, parent, {})
                continue
            under = None
            if field:
                moved = as_instant(row.get(field))
                run.waits.followed.setdefault(above.key, Followed()).seen(moved)
                if since and moved and moved < since:
                    continue
                under = (above.key, moved) if moved and source.stream.order == "ascending" else None
            values = parent_values(parent, row, above.parent)
            if any(values[name] is None or values[name] == "" for name in parent.keys):
                self._keyless_parent(run, parent, row)
                continue
            try:
                self._below_one(run, parent, source, values, under)
            except (Stopped, AuthError):
                raise
            except Exception as error:  # in `where`, `size`, a gate
                run.progress.unit_failed(run.name_of(values), self._told(run, error))

    def _below_one(self, run: Run, parent: Parent, source: Run, values: Mapping[str, Any], under: Under | None) -> None:
        if (wanted := self._plan.settings.get(parent.picked_by)) and parent.picked_by:
            name = str(values[next(iter(parent.keys))]).lower()
            if name not in wanted:
                return
            with run.waits.lock:
                run.waits.picked.add(name)
        if parent.where is not None and not parent.where(light(run.reading, values)):
            return
        if len(run.stream.parents) > 1 or source.stream.unique:
            key = unit_key(values, parent.keys, "")
            with run.waits.lock:
                if key in run.waits.keys:
                    return
                run.waits.keys.add(key)
        batch = batch_size(parent, self._plan.settings)
        if batch > 1:
            self._group(run, values, batch)
        else:
            self.add(run, values, under)

    def _keyless_parent(self, run: Run, parent: Parent, row: Mapping[str, Any]) -> None:
        """A row that names no parent to ask for. Where its own stream is written it is left out, and said, there."""
        if self._runs[parent.stream].encoder is None:
            lacking = ", ".join(path for path in parent.keys.values() if at(row, path) in (None, ""))
            why = f"{run.name}: a row of {parent.stream} came without {lacking}, so nothing below it can be asked for."
            run.progress.left_out(PartError(why, part=f"what is below a row of {parent.stream} without {lacking}"))

    def _group(self, run: Run, values: Mapping[str, Any], batch: int) -> None:
        """Parents that are asked for together: those of a broken pass together again."""
        built, mark, is_wanted = self._plan.build(run, Waiting(run, values))
        if not is_wanted:
            return
        built.scratch["mark"] = mark
        group = run.pending_groups.get(built.key, "")
        with run.waits.lock:
            members = run.waits.groups.setdefault(group, [])
            members.append(built)
            is_full = not group and len(members) >= batch
        if is_full:
            self.flush(run, group)

    def flush(self, run: Run, group: str) -> None:
        """A group of parents is asked for as it is."""
        with run.waits.lock:
            units = run.waits.groups.pop(group, None)
        if units:
            self._schedule.add(Waiting(run, {}, units=tuple(units), group=group or units[0].key))
