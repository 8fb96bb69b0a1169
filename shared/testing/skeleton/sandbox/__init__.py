"""Skeleton's API in miniature: `python -m tap_skeleton.sandbox --port 8080`.

`facts.json` says of each stream: its `path`; how many `rows` there are (under each parent); `parent`, from the
placeholder to the stream above; `changed`, the field by which rows are sorted and can be asked for, with the parameter
`since`; `paged`, false where all rows come at once; its fields, in the words of `shared.sandbox.kinds`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from shared.sandbox import Answer, Call, Drift, Param, Refusal, Route, Row, Sandbox, Table, Trials, salt
from shared.sandbox.kinds import kinds_by_stream
from shared.sandbox.truth import record
from shared.timestamps import canonical, instant

from .account import FACTS, Account

API_KEY = "sandbox-api-key"
KINDS = kinds_by_stream(FACTS)
LARGEST_PAGE = 100


class SkeletonSandbox(Sandbox):
    """The API, with an account in it."""

    name = "skeleton-sandbox"
    prefix = "/v1"
    trials = Trials(small_pages={"page_size": 20}, walks=(("items", {}),))

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.day_changed()

    def day_changed(self) -> None:
        """The account of the day, made anew."""
        self.account = Account(seed=self.options["seed"], scale=self.options["scale"], day=self.day)
        self._tables: dict[tuple[str, ...], Table] = {}

    @property
    def settings(self) -> dict[str, Any]:
        """An API key will do."""
        return {"api_key": API_KEY, "base_url": self.base_url}

    def authorise(self, call: Call) -> None:
        """Every request brings the key."""
        if call.headers.get("authorization") != f"Bearer {API_KEY}":
            raise Refusal(401, "The API key is wrong.")

    def routes(self) -> Sequence[Route]:
        """An endpoint for each stream."""
        return [
            Route(path=self.prefix + fact["path"], handler=partial(_listed, stream=stream), params=_params(fact))
            for stream, fact in FACTS.items()
        ]

    def table(self, stream: str, above: Sequence[str]) -> Table:
        """The rows of a stream under the parents with these ids, moving if `drift` is on."""
        key = (stream, *above)
        if key not in self._tables:
            table = self.account.table(stream, above)
            if self.options["drift"] and table.count > 20:
                table.drift = Drift(table, salt(self.options["seed"], *key))
            self._tables[key] = table
        return self._tables[key]

    # What a faultless read gives

    def records(self, stream: str, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        """What the tap has to make of the rows."""
        start, changed = instant(settings.get("start_date")) or "", FACTS[stream].get("changed")
        for ids, row in self._rows(stream, stayed=stayed):
            keys = {name: value for name, value in ids.items() if name in KINDS[stream]}
            made = record(KINDS[stream], {**row, **keys})
            if changed is None or made[changed] >= start:
                yield made

    def _rows(self, stream: str, *, stayed: bool) -> Iterator[tuple[dict[str, Any], Row]]:
        """Each row, and the ids of the parents that it hangs under, by their placeholders."""
        for ids in self._parents(stream, stayed=stayed):
            table = self.table(stream, [str(each) for each in ids.values()])
            for number in range(table.count):
                if not stayed or table.drift is None or table.drift.stayed(number):
                    yield ids, table.row(number)

    def _parents(self, stream: str, *, stayed: bool) -> Iterator[dict[str, Any]]:
        parent: dict[str, str] = FACTS[stream].get("parent", {})
        if not parent:
            yield {}
        for placeholder, above in parent.items():
            for ids, row in self._rows(above, stayed=stayed):
                yield {**ids, placeholder: row["id"]}


def _params(fact: Mapping[str, Any]) -> dict[str, Param]:
    """The parameters of a stream's endpoint."""
    params = {}
    if fact.get("paged", True):
        params = {"limit": Param("integer", default=20, least=1, cap=LARGEST_PAGE), "cursor": Param()}
    return {**params, fact["since"]: Param("date-time")} if "since" in fact else params


def _listed(box: SkeletonSandbox, call: Call, *, stream: str) -> Answer:
    """One page of the rows that are there, from the one that the cursor names. Cursors hold where they come to."""
    fact, table = FACTS[stream], box.table(stream, list(call.args.values()))
    changed = fact.get("changed", "")

    def place(number: int) -> tuple[str, int]:
        """Where a row stands among those that are sorted by their last change."""
        row = {changed: table.row(number).get(changed)}
        return (record({changed: KINDS[stream][changed]}, row)[changed] if changed else "", number)

    numbers = [number for number in table.order(changed) if table.drift is None or table.drift.visible(number)]
    if since := call.params.get(fact.get("since", "")):
        numbers = [number for number in numbers if place(number)[0] >= canonical(since)]
    if not fact.get("paged", True):
        return Answer.of({stream: [table.row(number) for number in numbers]})
    if call.params.get("cursor"):
        moment, _, last = call.params["cursor"].rpartition("/")
        if not last.isdecimal():
            raise Refusal(400, "This is no cursor.")
        numbers = [number for number in numbers if place(number) > (moment, int(last))]
    shown, rest = numbers[: call.params["limit"]], numbers[call.params["limit"] :]
    rows = [table.row(number) for number in shown]
    token = "{}/{}".format(*place(shown[-1])) if rest else None
    if table.drift is not None:
        table.drift.step(shown + rest, len(shown), box.clock.now())
    return Answer.of({stream: rows, "next": token})
