"""One walk for units of several streams, where an API can be asked for all of their rows at once with fewer requests.

A stream's row names the stream whose walk can serve it (`Stream.joint`). Its units wait until all are known. Over the
time that enough of them want, one walk is then made and its rows are dealt out; what a unit wants of earlier time it
reads alone. Every unit keeps its own bookmark, and gets no row that it had before, beyond its look-back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..api.request import Row
from ..errors import AuthError, Stopped
from ..protocol.schema import copied
from ..protocol.state import Bookmark, Span
from ..records.encoder import moment_of
from ..streams import Unit
from .run import Run, Waiting
from .units import unit
from .windows import WindowPlan

if TYPE_CHECKING:
    from ..api.client import Client


@dataclass(eq=False)
class Member:
    """A unit, the windows it reads alone, and the `spans` of the walk whose rows it takes: all of them, or those that
    `unit_of` says are its own.
    """

    run: Run
    plan: WindowPlan
    spans: list[Span] = field(default_factory=list)
    high: str | None = None
    """The latest replication value that the walk gave it."""

    def part(self, window: Span) -> Unit | None:
        """The member's unit for one window of the walk; None when it wants nothing of that time."""
        is_wanted = any(start < window[1] and window[0] < end for start, end in self.spans)
        return replace(self.plan.base, window=window) if is_wanted else None


@dataclass(eq=False)
class SharedRun(Run):
    """The walk that streams share: a run without a encoder. `expected` is of how many streams units may still come."""

    waiting: list[Waiting] = field(default_factory=list)
    expected: int = 0
    members: list[Member] = field(default_factory=list)

    def divide(self, members: Sequence[Member], client: Client) -> WindowPlan | None:
        """Takes from the members' plans what is read together, and plans that; None when nothing is."""
        begin = self._begin(members, client)
        if begin is None:
            return None
        for member in members:
            member.spans = [(max(start, begin), end) for start, end in member.plan.spans if end > begin]
            member.plan.spans = [(start, min(end, begin)) for start, end in member.plan.spans if start < begin]
        # Who takes every row comes first: the others may then have the rows themselves, not copies.
        self.members = sorted((each for each in members if each.spans), key=lambda each: not self._takes_all(each))
        self.sharers = [member.run for member in self.members]
        self.reading = replace(
            self.reading,
            deselected=frozenset.intersection(*(run.reading.deselected for run in self.sharers)),
            deselected_members=frozenset.intersection(*(run.reading.deselected_members for run in self.sharers)),
        )
        assert self.stream.window is not None
        base = replace(unit(self.reading, bookmark=Bookmark()), since=begin)
        plan = WindowPlan.of(base, self.stream.window, Bookmark())
        plan.spans = united(span for member in self.members for span in member.spans)
        return plan

    def _begin(self, members: Sequence[Member], client: Client) -> str | None:
        """From when on enough members want rows, at the latest from when on one wants all of them."""
        wanting = [member for member in members if member.plan.spans]
        parted = [member for member in wanting if not self._takes_all(member)]
        if len(wanting) < 2:
            return None
        whole = min((member.plan.spans[0][0] for member in wanting if self._takes_all(member)), default=None)
        worth = self._worth(parted, whole, client) if parted else None
        return min(filter(None, (worth, whole)), default=None)

    def _worth(self, parted: Sequence[Member], whole: str | None, client: Client) -> str | None:
        """From when on a walk takes fewer requests than each member's own. From `whole` on it is made anyway."""
        shared, parents = parted[0].run.stream.shared_walk, max(member.run.waits.parents_met for member in parted)
        assert shared is not None
        starts = sorted(member.plan.spans[0][0] for member in parted)
        begin = next((start for count, start in enumerate(starts, 1) if shared.pays(count, parents)), None)
        end = min(filter(None, (whole, max(member.plan.spans[-1][1] for member in parted))))
        if begin is None or begin >= end or shared.weigh is None:
            return begin
        keys = {member.plan.base.key for member in parted if member.plan.spans[0][0] < end}
        over = replace(unit(self.reading, bookmark=Bookmark()), window=(begin, end))
        try:
            return begin if shared.weigh(client, over, keys) else None
        except (Stopped, AuthError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a hook raises: each unit can be read alone
            client.report.warn(self.name, f"could not weigh one walk against many, so each is read alone. {error}")
            return None

    def _takes_all(self, member: Member) -> bool:
        shared = member.run.stream.shared_walk
        return shared is None or shared.unit_of is None

    def dealt(self, rows: Sequence[Row], window: Span) -> Iterator[tuple[Member, Unit, Sequence[Row]]]:
        """Which member gets which rows of a window."""
        by_key: defaultdict[str | None, list[Row]] = defaultdict(list)
        takers = [(member, part) for member in self.members if (part := member.part(window)) is not None]
        shared = (member.run.stream.shared_walk for member, _ in takers)
        unit_of = next((each.unit_of for each in shared if each is not None and each.unit_of is not None), None)
        keys = {part.key for member, part in takers if not self._takes_all(member)}
        odd = [row for row in rows if row.__class__ is not dict]  # nobody's; whoever is first says so
        rows = [row for row in rows if row.__class__ is dict] if odd else rows
        for row in rows if unit_of else ():
            by_key[unit_of(row) if unit_of else None].append(row)
        for place, (member, part) in enumerate(takers, 1):
            if not self._takes_all(member):
                found: Sequence[Row] = by_key.get(part.key, ())
            elif place < len(takers) and self._takes_all(takers[place][0]):
                found = [copied(row) for row in rows]
            else:
                found = [copied(row) if unit_of and unit_of(row) in keys else row for row in rows]
            yield member, part, [*(odd if place == 1 else ()), *self._wanted(member, found, window)]

    def _wanted(self, member: Member, rows: Sequence[Row], window: Span) -> Sequence[Row]:
        """Without what the member had before. Rows outside the window are extras of the walk, and wanted."""
        if any(start <= window[0] and window[1] <= end for start, end in member.spans):
            return rows
        key, found = self.stream.replication_key or "", []
        for row in rows:
            moment = moment_of(row, key) or ""
            is_within = window[0] <= moment < window[1]
            if not is_within or any(start <= moment < end for start, end in member.spans):
                found.append(row)
        return found


def united(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, joined where they touch."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found
