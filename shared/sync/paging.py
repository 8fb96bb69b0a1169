"""From page to page: what to ask first, which rows of an answer were not met before, and what to ask next.

A walk knows neither records nor bookmarks; what is made of a page is its caller's `digest`.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from ..api.answers import Response
from ..api.client import Client
from ..api.paginators import Back
from ..api.request import Page, Request, at
from ..errors import ApiError, TooLargeError
from ..records import values
from ..records.encoder import moment_of
from ..streams import Checkpoint, Rows, Stream, Unit

T = TypeVar("T")

REMEMBERED = 1_500
"""Rows that a walk remembers at least, to know repeats by."""
STEPS_BACK_LIMIT = 500
AHEAD = 8
"""Pages that one unit asks for side by side, where it knows them."""


class Prefetch:
    """A request sent ahead of its turn by whichever worker is free; when its turn comes first, it is sent then."""

    def __init__(self, work: Callable[[], Response]) -> None:
        self._work = work
        self._claim, self._done = threading.Lock(), threading.Event()
        self._value: Response | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Do it, unless somebody does already."""
        if not self._claim.acquire(blocking=False):
            return
        try:
            self._value = self._work()
        except BaseException as error:  # noqa: BLE001 - given to whoever waits for the result
            self._error = error
        finally:
            self._done.set()

    def drop(self) -> None:
        """Nobody needs it any more: it is not begun, if it was not yet."""
        self._claim.acquire(blocking=False)

    def result(self) -> Response:
        """The answer, or the error it came to."""
        self.run()
        self._done.wait()
        if self._error is not None:
            raise self._error
        assert self._value is not None
        return self._value


class Prefetcher(Protocol):
    """Who has workers that run prefetcher."""

    def prefetch(self, prefetch: Prefetch) -> None:
        """Something for whichever worker is free."""

    def spare(self, quota: str) -> bool:
        """Whether a worker has nothing to do, and the quota would let it do something now."""


Digest = Callable[["Paging", Request, Response], "tuple[T, Sequence[Request]]"]


class PageSize:
    """How much smaller than its row says a stream's pages have to be, as found by asking; it grows again, slowly."""

    PATIENCE = 50
    """After so many pages that were not too large, the next unit tries a larger one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steps = self._well = 0

    def of(self, stream: Stream, request: Request) -> Request:
        """A unit's first request in the size that works."""
        for _ in range(self._steps):
            smaller = stream.shrink(request) if stream.shrink else None
            if smaller is None:
                break
            request = smaller
        return request

    def was_too_large(self) -> None:
        with self._lock:
            self._steps, self._well = self._steps + 1, 0

    def was_well(self) -> None:
        with self._lock:
            if self._steps:
                self._well += 1
                if self._well >= self.PATIENCE:
                    self._steps, self._well = self._steps - 1, 0


def read_pages(
    client: Client,
    stream: Stream,
    unit: Unit,
    *,
    digest: Digest[T],
    whole: bool = False,
    prefetcher: Prefetcher | None = None,
    page_size: PageSize | None = None,
) -> Iterator[T]:
    """What `digest` makes of each page of a unit, in order; it also says what to ask next.

    Each page in turn: ask for it (smaller, if it is too large for the API), see that the walk does not go in a circle,
    go back where rows have moved between two pages, hand on what came. With a `prefetcher`, pages that are known before
    their turn are asked for side by side, and a page that one before it tells of as soon as a worker is spare.
    """
    size = page_size or PageSize()
    pending: deque[Request] = deque([size.of(stream, first_request(stream, unit, whole=whole))])
    ahead: dict[int, Prefetch] = {}
    asked: set[int] = set()

    def foresee(following: Sequence[Request]) -> None:
        if prefetcher is None or pending or len(following) != 1 or _digest_of(following[0]) in asked:
            return
        if not isinstance(following[0].memo, Back) and prefetcher.spare(following[0].quota):
            ahead[id(following[0])] = _sent_ahead(client, stream, following[0], prefetcher)

    walk = Paging(stream, unit, whole=whole, foresee=foresee)
    steps_back = 0
    while pending:
        if prefetcher is not None and len(pending) > 1:
            for coming in list(pending)[:AHEAD]:
                if id(coming) not in ahead:
                    ahead[id(coming)] = _sent_ahead(client, stream, coming, prefetcher)
        request = pending.popleft()
        asked.add(_digest_of(request))
        try:
            result, following = _answered(client, walk, request, ahead.pop(id(request), None), digest)
        except TooLargeError:
            smaller = stream.shrink(request) if stream.shrink else None
            if smaller is None:
                raise
            size.was_too_large()
            _drop(pending, ahead)
            pending.append(smaller)
            continue
        size.was_well()
        if any(isinstance(each.memo, Back) for each in following):
            steps_back += 1
            asked.clear()  # what lies behind is asked for again
            _drop(pending, ahead)
        if steps_back > STEPS_BACK_LIMIT:
            raise ApiError(
                f"{stream.name}: {request.path}: the rows come in another order each time, so a complete read "
                "cannot be proven. Try again when fewer changes are made in the account."
            )
        is_circle = any(_digest_of(each) in asked for each in following)
        pending.extend(following)
        only = [result]
        del result  # a suspended walk would keep its last page in memory
        yield only.pop()
        if is_circle:
            raise ApiError(
                f"{stream.name}: {request.path}: the next page would be one that was read before, so the pages go in "
                "a circle; the API may have ignored a parameter. Report this."
            )
        if not pending:
            walk.prove_complete(request)


def _digest_of(request: Request) -> int:
    """What tells a request from the others of its walk."""
    return hash((request.path, repr(sorted(request.params.items(), key=lambda item: item[0])), repr(request.body)))


def _drop(pending: deque[Request], ahead: dict[int, Prefetch]) -> None:
    """Forget what was planned, and what of it was sent ahead."""
    pending.clear()
    for prefetch in ahead.values():
        prefetch.drop()
    ahead.clear()


def _sent_ahead(client: Client, stream: Stream, request: Request, prefetcher: Prefetcher) -> Prefetch:
    prefetch = Prefetch(lambda: client.send(request, stream=stream.name, shrinkable=stream.shrink is not None))
    prefetcher.prefetch(prefetch)
    return prefetch


def _answered(
    client: Client, walk: Paging, request: Request, sent: Prefetch | None, digest: Digest[T]
) -> tuple[T, Sequence[Request]]:
    if sent is not None:
        with suppress(ValueError):  # a broken body: ask again, with retries
            answer = sent.result()
            with client.reading_order.turn(0):
                return digest(walk, request, answer)
    return client.send(
        request,
        stream=walk.stream.name,
        read=lambda response: digest(walk, request, response),
        shrinkable=walk.stream.shrink is not None,
    )


def pages(client: Client, unit: Unit, stream: Stream) -> Iterator[Rows]:
    """The raw rows of a unit page by page, as `stream` describes it: for `fetch` hooks that begin with a plain walk."""

    def digest(walk: Paging, request: Request, response: Response) -> tuple[Rows, Sequence[Request]]:
        page, fresh, care = walk.read(request, response)
        return Rows(fresh, size=len(response.content), care=care), walk.following(page)

    return read_pages(client, stream, unit, digest=digest)


class Paging:
    """What one walk over pages remembers: on which page it met the latest rows, and which pages hung in the air."""

    def __init__(
        self,
        stream: Stream,
        unit: Unit,
        *,
        whole: bool = False,
        foresee: Callable[[Sequence[Request]], None] = lambda _: None,
    ) -> None:
        self.stream, self.unit, self._whole = stream, unit, whole
        self.foresee = foresee
        """To be told what comes next before the page is made use of, which takes its time."""
        self.high: str | None = (unit.resume or {}).get("high") if isinstance(unit.resume, Mapping) else None
        self._met: dict[Any, int] = {}
        self._values: dict[Any, Any] = {}
        self._number = 0
        self._loose: set[int] = set()
        self._last: list[Any] = []
        self._order: list[Any] = []
        self._rows_met = 0
        self._total: int | None = None
        """The fewest rows that any page said there are."""
        self.has_ended_early = unit.resume is not None
        """Whether rows that the API counts are not asked for, or were before."""

    def page(self, request: Request, body: Any) -> tuple[Page, list[Any]]:
        """The page of a decoded body, and those of its rows that were not met before."""
        rows = located(self.stream, body)
        total = self._counted_by_api(body)
        if self.stream.next_page is None:
            self._rows_met += len(rows)
            return Page(request, body, rows, total=total), list(rows)
        if isinstance(request.memo, Back):
            self._loose.add(self._number)
        self._number += 1
        met, loose = self._met, self._loose
        plain = [self._identity(row) for row in rows]
        identities = self._counted(plain) if self.stream.counted else plain
        fresh, values, key = [], self._values, self.stream.replication_key
        repeats, leads = 0, True
        here: dict[Any, list[Any]] = {}
        for row, identity in zip(rows, identities, strict=True):
            is_known, proves = identity in met, met.get(identity) not in loose
            if (twins := here.get(identity)) is None:
                here[identity] = [row]
            else:  # one page holds no overlap: of two rows with one key both are meant
                is_known = row in twins
                twins.append(row)
            met[identity] = self._number
            if key and isinstance(row, dict) and row.get(key) is not None:
                value = hash(str(row[key]))
                is_known = is_known and values.get(identity) == value
                values[identity] = value
            # A row that changed may have come to stand here, and proves nothing.
            leads = leads and is_known and proves
            repeats += leads
            if not is_known:
                fresh.append(row)
        if len(met) > 2 * REMEMBERED:
            self._met = {identity: met[identity] for identity in list(met)[-REMEMBERED:]}
            self._values = {identity: values[identity] for identity in self._met if identity in values}
        is_same = bool(plain) and plain == self._last and not (self.stream.counted and len(set(plain)) == 1)
        self._last = plain
        self._rows_met += len(rows) - repeats
        return Page(request, body, rows, repeats, is_same, total), fresh

    def _counted_by_api(self, body: Any) -> int | None:
        """How many rows the body says there are in all."""
        total = at(body, self.stream.total) if self.stream.total else None
        if total.__class__ is not int:
            return None
        self._total = total if self._total is None else min(self._total, total)
        return total

    def prove_complete(self, request: Request) -> None:
        """Raises ApiError when the walk has ended before it met as many rows as the API says there are."""
        if self._total is not None and self._rows_met < self._total and not self.has_ended_early:
            raise ApiError(
                f"{self.stream.name}: {request.path}: the API says that there are {self._total} rows and gave "
                f"{self._rows_met}. The rest is asked for again in the next run."
            )

    def _counted(self, identities: Sequence[Any]) -> list[Any]:
        """The identities of a page, each with its number among its equals in the walk, so that twins are two rows.

        A page begins where the walk last met its first row, or else behind all that it met.
        """
        order = self._order
        begin = len(order)
        if identities and identities[0] in order:
            begin -= order[::-1].index(identities[0]) + 1
        met = Counter(order[:begin])
        self._order = [*order[:begin], *identities][-4 * REMEMBERED :]
        numbered = []
        for identity in identities:
            met[identity] += 1
            numbered.append((identity, met[identity]))
        return numbered

    def read(self, request: Request, response: Response) -> tuple[Page, list[Any], bool]:
        """The page of an answer, its rows not met before, and whether they need care. ValueError: no answer."""
        body, care = decoded(self.stream, response)
        return *self.page(request, body), care

    def following(self, page: Page) -> Sequence[Request]:
        """What to ask after a page."""
        if self._is_past(page) or self._is_beyond(page):
            self.has_ended_early = True
            return []
        return self.stream.next_page(page) if self.stream.next_page else []

    def _is_beyond(self, page: Page) -> bool:
        """Whether a walk from oldest to newest has come to rows that nobody asked for."""
        key, end = self.stream.replication_key, self.unit.settings.get("end_date")
        if self.stream.order != "ascending" or not page.rows or not end or key is None:
            return False
        value = moment_of(page.rows[-1], key)
        return value is not None and value >= end

    def _is_past(self, page: Page) -> bool:
        """Whether a walk from newest to oldest has come to rows that all are older than wanted."""
        key, since = self.stream.replication_key, self.unit.since
        if self.stream.order != "descending" or self._whole or not page.rows or since is None or key is None:
            return False
        values = [moment_of(row, key) for row in page.rows if isinstance(row, dict)]
        if self.high is None:
            self.high = max((value for value in values if value), default=None)
        return bool(values) and all(value is not None and value < since for value in values)

    def descend(self, high: str | None, following: Sequence[Request]) -> Checkpoint | None:
        """What to keep so that a walk from newest to oldest can go on where it was. `high`: the latest of a page."""
        self.high = self.high or high
        if not following:
            return None
        return Checkpoint(resume={"params": dict(following[0].params), "high": self.high})

    def _identity(self, row: Any) -> Any:
        named = self.stream.identity
        if callable(named):
            return named(row)
        if not isinstance(row, dict):
            return row if isinstance(row, (str, int)) else None
        names = named or [name for name in self.stream.key_properties if name in row]
        if len(names) == 1 and row.get(names[0]).__class__ is str:
            return hash(row[names[0]])
        return hash(tuple([_hashable(row.get(name)) for name in names]) or repr(row))


def _hashable(value: Any) -> Any:
    return value if value.__class__ in (str, int, bool, type(None)) else repr(value)


def decoded(stream: Stream, response: Response) -> tuple[Any, bool]:
    """The body of an answer, and whether its rows need care. ValueError for what cannot be read."""
    if stream.decode:
        return stream.decode(response), True
    return values.parse(response.content, stream.answer)


def located(stream: Stream, body: Any) -> Sequence[Any]:
    """The raw rows in a decoded body. ValueError where it has no place for them: then it is no answer at all."""
    found: Any
    if callable(stream.records):
        try:
            found = stream.records(body)
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError(f"the answer has another shape ({type(error).__name__}: {error})") from error
    elif not stream.records:
        found = body if isinstance(body, list) or body is None else [body]
    else:
        where, _, last = stream.records.rpartition(".")
        holder = at(body, where)
        if not isinstance(holder, dict) or last not in holder:
            raise ValueError(f"the answer has no {stream.records!r}")
        found = holder[last]
    if found is None and stream.null_rows and not (stream.total and at(body, stream.total)):
        return []
    if not isinstance(found, (list, tuple)):
        where = repr(stream.records) if stream.records and isinstance(stream.records, str) else "the place of the rows"
        raise ValueError(f"{where} of the answer is {'null' if found is None else 'no list'}")
    return found


def first_request(stream: Stream, unit: Unit, *, whole: bool = False) -> Request:
    """The request that begins a unit. `whole`: without the filter on what is newer."""
    params: dict[str, Any] = dict(stream.params(unit) if callable(stream.params) else stream.params)
    params.update(unit.params)
    if stream.since and unit.since is not None and not whole:
        params.update(stream.since(unit))
    if stream.sparse:
        params.update(stream.sparse(sorted(unit.deselected)))
    if stream.order == "descending" and isinstance(unit.resume, Mapping):
        params = dict(unit.resume.get("params") or params)
    body = stream.body(unit) if callable(stream.body) else stream.body
    return Request(
        path=filled(stream.path, {**unit.settings, "partition": unit.partition, **unit.parent}),
        params={name: value for name, value in params.items() if value is not None},
        method=stream.method,
        body=body,
        headers=stream.headers,
        quota=stream.quota,
        ahead=stream.ahead,
    )


def filled(path: str, values: Mapping[str, Any]) -> str:
    """A path with its `{placeholders}` filled in, percent-encoded as one segment each."""
    if "{" not in path:
        return path
    return path.format_map({name: quote(str(value), safe="") for name, value in values.items()})
