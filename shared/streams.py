"""What a stream is: one frozen row of a tap's table, complete in itself. Descriptions only; `sync` acts on them.

Every function named in a row gets the `Unit` being read, so that constants and functions of the unit are
interchangeable wherever a row says `Params`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .api.request import NextPage, Page, Params, Request, Row

if TYPE_CHECKING:
    from .api.answers import Response
    from .api.client import Client

Settings = Mapping[str, Any]
Record = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Parent:
    """Under which rows of which stream a child's units hang.

    `keys` maps the child's column (and path placeholder) to the parent row's field (dotted path). `carry` names further
    fields of the parent row that `where`, `gate`, `size` and `transform` need; all of them stand in `Unit.parent`. What
    the row lacks is taken from the keys and carried fields of the parent's own parent. `inherit` maps further names of
    `Unit.parent` to such fields of the parent's own parent, where the row has one of that name itself.
    `where` picks the parents worth asking for; `picked_by` is the setting that names them by the first of the keys, in
    lower case: a name that no parent has is warned of. `batch` parents make one unit (a number, or a function of the
    settings); they stand in `Unit.units`. `changed_only`: the child sees only parents at or after its own bookmark
    (minus its look-back), of which there is one for each unit of the parent's: a unit that joins later is followed from
    its beginning. Its replication key is a carried field of the parent's.
    `when` names a boolean setting that switches this parent on. `inject=False` keeps the keys off the records.
    """

    stream: str
    keys: Mapping[str, str]
    carry: tuple[str, ...] = ()
    inherit: Mapping[str, str] = field(default_factory=dict)
    where: Callable[[Unit], bool] | None = None
    picked_by: str = ""
    batch: int | Callable[[Settings], int] = 1
    changed_only: bool = False
    when: str | None = None
    inject: bool = True


@dataclass(frozen=True, kw_only=True)
class Window:
    """How a stream's time is cut into windows `[start, end)` of `first` days, at least `smallest_seconds`, at most
    `largest` days. The last one ends `lag_seconds` before the run's start. `resize(width_seconds, Outcome)` gives the
    next width; windows that the API found too large are halved. One that has more than `pages` pages, oldest row first,
    ends at the second that was come to, and what is left of it is read in windows anew, side by side. `parallel=False`
    reads one after the other, at most one ahead of the one that is being written (see `Received`). Without a start date
    the first one begins at `origin`.
    """

    first: float | Callable[[Settings], float]
    largest: float | Callable[[Settings], float]
    smallest_seconds: float = 1
    lag_seconds: float = 0
    resize: Callable[[float, Outcome], float] | None = None
    pages: int | None = None
    parallel: bool = True
    origin: str = "1970-01-01T00:00:00.000000Z"


@dataclass(frozen=True, kw_only=True)
class SharedWalk:
    """The walk over time windows that can serve a stream's units as well as a walk for each of them.

    `stream` names the row that describes it: a stream without parents, whose rows are those of all units. `unit_of`
    gives the key of the unit that one of its raw rows belongs to; None: every row is the unit's. `pays(units,
    parents)`: whether one walk may take fewer requests than one for each of so many units, out of so many parents that
    might have one. `weigh(client, unit, keys)`, asked where it may: whether it does by what rows there are, in the
    window of a unit of `stream`, of the units called `keys` and of others.
    """

    stream: str
    unit_of: Callable[[Row], str | None] | None
    pays: Callable[[int, int], bool]
    weigh: Callable[[Client, Unit, Collection[str]], bool] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a window went: rows and bytes received, requests made, seconds taken."""

    rows: int
    bytes: int
    requests: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What can be read on its own: a plain stream, one parent's children, one partition of either, one time window.

    `key` names it in the state ("" for a plain stream). `parent` holds the parent's keys under the child's names, then
    the carried fields; where a row batches, `units` holds a unit for each. `params` are the partition's. `since` is the
    inclusive instant to read from (bookmark minus look-back, or the start date; None: from the beginning), `bookmark`
    the stored one itself. `window` is `(start, end)`. `mark` is what the gate kept when the unit was last complete,
    `below` what those of the streams under it kept (see `Stream.gate_below`), `resume` what a broken pass left. `now`
    is the run's start by the API's clock. `deselected` are the top-level fields nobody wants, `deselected_members`
    those of objects at any depth, dotted. `too_large`: reading it page by page was too much for the API. `scratch` is
    space for hooks that lives as long as the unit.
    """

    stream: str
    key: str = ""
    parent: Mapping[str, Any] = field(default_factory=dict)
    units: tuple[Unit, ...] = ()
    partition: str = ""
    params: Params = field(default_factory=dict)
    window: tuple[str, str] | None = None
    since: str | None = None
    bookmark: str | None = None
    mark: Any = None
    below: Mapping[str, Any] = field(default_factory=dict)
    resume: Any = None
    settings: Settings = field(default_factory=dict)
    now: str = ""
    deselected: frozenset[str] = frozenset()
    deselected_members: frozenset[str] = frozenset()
    too_large: bool = False
    scratch: dict[Any, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Rows:
    """What a `fetch` hook yields: raw rows, in the order to write them. `size` is about their bytes on the wire;
    without `care` they are known to hold no character and no number that a target cannot store (see `values.parse`).
    """

    rows: Sequence[Row]
    size: int = 0
    unit: Unit | None = None
    """The sub-unit the rows belong to, where one fetch reads for several (see `Parent.batch`)."""
    care: bool = True


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a `fetch` hook yields once all rows before it are to be vouched for.

    `resume` is kept in the state until the unit ends (None clears it). `unit` names a sub-unit that is now complete.
    `value` is an instant up to which the unit is complete.
    """

    resume: Any = None
    unit: Unit | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """What a `fetch` hook yields to be called again in `seconds`, without holding a worker."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Received:
    """What a `fetch` hook yields once it holds all of its window and has only to hand it on: `outcome` decides how wide
    the next one is. `begin_next`: that one may be asked for meanwhile, even where windows are read one after the other.
    """

    outcome: Outcome
    begin_next: bool = True


@dataclass(frozen=True, slots=True)
class Anyway:
    """What a gate gives to have the unit read whatever was kept, and `mark` kept once it is complete: a value, or a
    function of the unit, asked then. None: what was kept stands.
    """

    mark: Any = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a `fetch` hook yields for a part that could not be read, to go on with the others: `what` names it for the
    user ("campaign 12", "line 7 of the window from …"), `why` is a sentence. The run's exit code tells of it, the
    summary names it; the bookmark passes it.
    """

    what: str
    why: str


Step = Rows | Checkpoint | Received | Wait | LeftOut
Fetch = Callable[["Client", Unit], "Generator[Step, None, None] | None"]
UnitParams = Params | Callable[[Unit], Params]


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One row of a tap's table of streams.

    Catalog and docs:
    name                 the stream's name, its schema file's name, its tap_stream_id
    description          one line for people
    extend_schema        (schema, client) -> another schema, with the account's own fields; the one given stays as it is
    hidden               read for its children alone, never in the catalog
    optional             a refusal or a 404 on the whole stream means that the account lacks the feature: no failure
    selected             selected-by-default
    by_name              a bare * does not select it: it tells once more, in another shape, what others hold
    unselected           columns that are not selected by default
    seed                 part of the documented contract
    cost                 what a parent costs, for the docs ("1 request per campaign")
    deletions            how deletions show, for the docs; default: by replication method
    aliases              older names accepted in catalog and state

    Request:
    path, params, body, method, headers
                         the request; `{placeholders}` of the path come from the unit's parent, its partition's name
                         ({partition}), then from the settings, percent-encoded; `params` and `body` are constants or
                         functions of the unit
    probe                path of a cheap request that tells --test whether the stream may be read, where its own is dear
    sparse               from the deselected top-level fields to parameters that keep them off the wire
    decode               (response) -> body; default: JSON
    answer               of a JSON answer, the TypedDict that names what is read of it; the rest is not even built

    Rows:
    records              dotted path to the rows in the body ("" when the body is the list, or the only row), or a
                         function from the body to its rows
    null_rows            the vendor is known to write null where there are no rows; elsewhere null is no answer
    total                dotted path to the body's own count of all rows: a page that is shorter is asked on, and a unit
                         that ends with fewer has failed
    ignored              members that carry nothing, at whatever depth: dropped where the schema does not know them
    transform            (rows, unit) -> records, called page by page; a plain function or generator
    fetch                all of it yourself: gives a generator of steps (Rows, Checkpoint …), or None to have the unit
                         read page by page after all; asked again, with `Unit.too_large`, when that came to nothing
    cancel               (client, resume): end what a broken fetch left running at the API; called on a signal
    pages_of             name of the stream whose pages hold this one's rows too: no requests of its own
    checks               (client, {unit's key: records written}) -> what to warn of once a full read is complete

    Key:
    key_properties       Singer's key; with the parent's key wherever a child's id is unique only within its parent
    contract_key         the documented key where it is not unique: used with `key_mode: contract`
    choose_key           the key as the tap's own settings choose it; None: as the row says. () is append-only
    automatic            fields that are always written, beside the keys
    identity             the raw row's own key, to tell repeats on overlapping pages: field names, or a function;
                         default: key_properties as far as the raw row has them. A repeat with another replication
                         value is news
    counted              rows that are equal in `identity`, which stand side by side, are rows of their own, not repeats
    unique               a key met in any unit of this run is not written again

    Incremental:
    replication_key      the bookmark's field; its presence is the replication method
    full_table           a replication key exists, yet all is read unless the catalog says INCREMENTAL
    since                from `Unit.since` to the parameters that ask for what is newer
    order                "ascending", "descending" or None, by replication key: whether a bookmark may move before the
                         end of the unit ("ascending"), or the walk stop early ("descending")
    lookback             seconds that are read again behind the bookmark: a number, or a function of the settings
    start_date           False: without a bookmark everything is read, whatever the start date
    is_new               whether a finished record is to be written; default: replication value >= `Unit.since`
    reaches_back         of a stream with windows: the look-back of a unit that is quiet reaches back to the newest row
                         that was seen of it (kept as its mark), for what comes late meanwhile; not in a shared walk
    full_refresh         name of a setting with a number of days: read whole when the last whole read is older
    gate                 the unit's fingerprint before it is read; None skips the unit; equal to `Unit.mark`: nothing
                         moved, skip; True: read it, keep nothing; Anyway: read it. Kept as the unit's mark when the
                         unit is complete. Not asked in a full read unless `gate_full_table`, nor where streams hang
                         under this one unless `gate_below`
    gate_below           the gate speaks for the streams under this one too: it is told what was kept of their units
                         (`Unit.below`), and where it skips they are not asked for either
    brief                in the state its units are called by so many first characters of their parents' ids (random
                         ones), and have bookmarks to the minute: for streams with very many units

    Paging and scheduling:
    parent               one Parent or several
    partitions           name -> parameters, each a unit of its own, or a function of the settings giving that
    next_page            the paginator; None when there is a single page
    keep                 from a page to what is kept of the walk once the page is written, so that a broken one can go
                         on; None: what was kept stands. Given back as `Unit.resume`, of a full read within a day
    cut_by               the setting that picks some of this stream's rows by their key: `--plan` cuts an account by it
    shrink               what to ask instead of a request that was too large; None: nothing smaller
    window               reads by time windows; `Unit.window` is set, the bookmark is the end of the finished prefix
    shared_walk          the other stream whose walk may serve this one's units too, each with its own bookmark still
    quota                name of the limit its requests draw from
    permission           name of what the credential must be allowed: once one stream is refused it as a whole, the
                         others that need it and have read nothing are not asked
    at_once              how many of its units may be under way at the same time, or a function of the settings; None:
                         as many as there are workers
    ahead                its units are one long chain of requests, on which the length of a run depends, or much waits
                         for its rows: these requests and answers go before all that wait for their turn
    weigh                (client) -> about how many requests a whole read takes, where the API tells by a cheap count;
                         for --plan
    size                 about how many rows the unit holds, with what lies below it; large units begin first
    """

    # Catalog and docs
    name: str
    description: str = ""
    extend_schema: Callable[[dict[str, Any], Client], dict[str, Any]] | None = None
    hidden: bool = False
    optional: bool = False
    selected: bool = True
    by_name: bool = False
    unselected: tuple[str, ...] = ()
    seed: bool = False
    cost: str = ""
    deletions: str = ""
    aliases: tuple[str, ...] = ()

    # Request
    path: str = ""
    params: UnitParams = field(default_factory=dict)
    body: Any = None
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    probe: str = ""
    sparse: Callable[[Sequence[str]], Params] | None = None
    decode: Callable[[Response], Any] | None = None
    answer: Any = Any

    # Rows
    records: str | Callable[[Any], Sequence[Any]] = ""
    null_rows: bool = False
    total: str = ""
    ignored: tuple[str, ...] = ()
    transform: Callable[[Sequence[Row], Unit], Iterable[Record]] | None = None
    fetch: Fetch | None = None
    cancel: Callable[[Client, Any], None] | None = None
    pages_of: str | None = None
    checks: Callable[[Client, Mapping[str, int]], Iterable[str]] | None = None

    # Key
    key_properties: tuple[str, ...] = ("id",)
    contract_key: tuple[str, ...] | None = None
    choose_key: Callable[[Settings], tuple[str, ...] | None] | None = None
    automatic: tuple[str, ...] = ()
    identity: tuple[str, ...] | Callable[[Any], Any] | None = None
    counted: bool = False
    unique: bool = False

    # Incremental
    replication_key: str | None = None
    full_table: bool = False
    since: Callable[[Unit], Params] | None = None
    order: str | None = None
    lookback: float | Callable[[Settings], float] = 0
    start_date: bool = True
    is_new: Callable[[Record, Unit], bool] | None = None
    reaches_back: bool = False
    full_refresh: str | None = None
    gate: Callable[[Unit], Any] | None = None
    gate_full_table: bool = False
    gate_below: bool = False
    brief: int = 0

    # Paging and scheduling
    parent: Parent | tuple[Parent, ...] = ()
    partitions: Mapping[str, Params] | Callable[[Settings], Mapping[str, Params]] | None = None
    next_page: NextPage | None = None
    keep: Callable[[Page], Any] | None = None
    cut_by: str = ""
    shrink: Callable[[Request], Request | None] | None = None
    window: Window | None = None
    shared_walk: SharedWalk | None = None
    quota: str = ""
    permission: str = ""
    at_once: int | Callable[[Settings], int | None] | None = None
    ahead: bool = False
    size: Callable[[Unit], int] | None = None
    weigh: Callable[[Client], int | None] | None = None

    @property
    def parents(self) -> tuple[Parent, ...]:
        """Its parents, none, one or several."""
        return (self.parent,) if isinstance(self.parent, Parent) else self.parent
