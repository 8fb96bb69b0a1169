"""What the API's collections have in common: filters, sorting, pages, trimming. `endpoints` lists them."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from json import loads
from typing import TYPE_CHECKING, Any

from shared.sandbox import Answer, Call, Param, Refusal, Row, Table, dumps

from .account import Account
from .people import stamp
from .truth import FACTS

if TYPE_CHECKING:
    from . import MailchimpSandbox

MOST_ROWS = 1000
LINKS = [{"rel": "parent", "href": "https://us6.api.mailchimp.com/3.0/", "method": "GET"}]


@dataclass(frozen=True, slots=True)
class Filter:
    """A parameter that keeps the rows whose `column` compares to it; unset date-times never do."""

    param: Param
    column: str
    test: str = "="


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One collection.

    `rows` names the method of Account with its table (default: the stream's name); `joins` a stream of which the rows
    below all parents are listed instead. `parent` is the stream whose rows it hangs under, by {placeholder: field}.
    `filters` keep rows, `sort` are the fields to sort by (name → column), `params` are read by `select`, which keeps
    rows too, or by `shape`, which changes a row. `asked` are the parameters of a complete read. `envelope` are the
    path's ids that the body repeats, `sums` adds to it. `total` counts `total_items` where that is not simply the rows
    kept. `paged`: which of count and offset are heeded. `item`: single rows can be asked for by id.
    """

    stream: str
    path: str
    key: str
    rows: str = ""
    joins: str = ""
    parent: tuple[str, Mapping[str, str]] | None = None
    filters: Mapping[str, Filter] = field(default_factory=dict)
    params: Mapping[str, Param] = field(default_factory=dict)
    sort: Mapping[str, str] = field(default_factory=dict)
    sort_dir: bool = True
    select: Callable[[Table, list[int], Mapping[str, Any]], list[int]] | None = None
    shape: Callable[[Row, Mapping[str, Any]], Row] | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    envelope: tuple[str, ...] = ()
    sums: Callable[[Table], Row] | None = None
    total: Callable[[Table, Sequence[int]], int] | None = None
    paged: tuple[str, ...] = ("count", "offset")
    item: bool = False

    def table(self, account: Account, args: Mapping[str, Any]) -> Table:
        """The rows below one parent; KeyError or ValueError when that does not exist."""
        rows: Callable[[Mapping[str, str]], Table] = getattr(account, self.rows or self.stream)
        return rows({name: str(value) for name, value in args.items()})

    def all_params(self) -> dict[str, Param]:
        """What its query may hold."""
        params = {"fields": Param(), "exclude_fields": Param(), **self.params}
        paging = {"count": Param("integer", least=0, cap=MOST_ROWS, default=10), "offset": Param("integer", least=0)}
        if self.paged == CURSOR:
            paging["cursor"] = Param()
            del paging["offset"]
        # Where count and offset are unknown they are ignored, so clients send them everywhere.
        params.update(paging)
        params.update({name: each.param for name, each in self.filters.items()})
        if self.sort:
            params["sort_field"] = Param(options=tuple(self.sort))
            params |= {"sort_dir": Param(options=("ASC", "DESC"))} if self.sort_dir else {}
        return params


# How the table is written

_IDS = {"subscriber_hash": "email_id", "workflow_email_id": "email_id", "interest_category_id": "category_id"}
_IDS |= {"outreach_id": "survey_id", "link_id": "url_id"}
"""What paths call the ids of parents → what those do."""


def endpoint(stream: str, *, path: str = "", **more: Any) -> Endpoint:
    """The endpoint of a stream, its path and the key of its rows as `facts.json` has them."""
    facts = FACTS[stream]
    named = re.sub(r"\w+(?=\})", lambda name: _IDS.get(name[0], name[0]), facts["path"])
    return Endpoint(stream=stream, path=path or named, key=facts["items"], **more)


in_list = partial(endpoint, parent=("lists", {"list_id": "id"}), envelope=("list_id",))
in_report = partial(endpoint, parent=("reports", {"campaign_id": "id"}), envelope=("campaign_id",))
in_store = partial(endpoint, parent=("ecommerce_stores", {"store_id": "id"}), envelope=("store_id",))
UNPAGED: tuple[str, ...] = ()
CURSOR = ("count", "cursor")


def times(*names: str, **columns: str) -> dict[str, Filter]:
    """since_ (exclusive) and before_ (inclusive) of date-time fields. (Reference 2.2, probed 2026-07)"""
    made = {}
    for name, column in {**{name: name for name in names}, **columns}.items():
        made[f"since_{name}"] = Filter(Param("date-time"), column, ">")
        made[f"before_{name}"] = Filter(Param("date-time"), column, "<=")
    return made


def equal(*names: str, **columns: str) -> dict[str, Filter]:
    """Parameters that keep the rows with just that value."""
    return {name: Filter(Param(), column) for name, column in {**{name: name for name in names}, **columns}.items()}


def one_of(name: str, *options: str) -> dict[str, Filter]:
    """The same, with the only values it may have."""
    return {name: Filter(Param(options=options), name)}


# How it is served


def wire(moment: datetime) -> str:
    """A parameter's moment as rows have it: filters compare whole seconds."""
    return stamp(int(moment.timestamp()))


Tree = dict[str, Any]


def _tree(names: str) -> Tree:
    """`a.b,a.c,d` as nested dictionaries; None marks the end of a path."""
    tree: Tree = {}
    for name in names.split(","):
        node = tree
        *parts, last = name.split(".")
        for part in parts:
            node = node.setdefault(part, {})
            if node is None:
                break
        else:
            node[last] = None
    return tree


def _only(value: Any, tree: Tree | None) -> Any:
    if tree is None:
        return value
    if isinstance(value, list):
        return [_only(part, tree) for part in value]
    if isinstance(value, dict):
        return {name: _only(part, tree[name]) for name, part in value.items() if name in tree}
    return value


def _without(value: Any, tree: Tree) -> Any:
    if isinstance(value, list):
        return [_without(part, tree) for part in value]
    if isinstance(value, dict):
        return {
            name: _without(part, tree[name]) if name in tree else part
            for name, part in value.items()
            if tree.get(name, tree) is not None
        }
    return value


def trim(body: Row, key: str, params: Mapping[str, Any]) -> Row:
    """`body` with links, then cut down to what `fields` or `exclude_fields` leave.

    Links are only put where they survive: most requests exclude them, and they would be most of the work.
    """
    fields, excluded = params.get("fields"), params.get("exclude_fields")
    if fields and excluded:
        raise Refusal(400, "Use either fields or exclude_fields, not both.")
    if fields:
        tree = _tree(fields)
        wanted = tree.get(key, {}) if key else {}
        if key and (wanted is None or "_links" in wanted):
            body[key] = [{**row, "_links": LINKS} for row in body[key]]
        return _only({**body, "_links": LINKS}, tree)  # type: ignore[no-any-return]
    tree = _tree(excluded) if excluded else {}
    of_rows = tree.get(key, {}) if key else None
    if of_rows is not None and of_rows.pop("_links", tree) is not None:
        body[key] = [{**row, "_links": LINKS} for row in body[key]]
    if tree.pop("_links", tree) is not None:
        body = {**body, "_links": LINKS}
    if tree and tree != {key: {}}:
        body = _without(body, tree)
    return body


def view(endpoint: Endpoint, table: Table, params: Mapping[str, Any]) -> list[int]:
    """The numbers of the rows that match, in order."""
    shown = table.order(endpoint.sort.get(params.get("sort_field", ""), ""), params.get("sort_dir") == "DESC")
    if table.drift is not None:
        shown = [number for number in shown if table.drift.visible(number)]
    for name, each in endpoint.filters.items():
        if name in params:
            wanted, values = params[name], table.column(each.column)
            if each.test == "=":
                shown = [number for number in shown if values[number] == wanted]
            else:
                edge = wire(wanted)
                if each.test == ">":
                    shown = [number for number in shown if (values[number] or "") > edge]
                else:
                    shown = [number for number in shown if "" < (values[number] or "") <= edge]
    return endpoint.select(table, shown, params) if endpoint.select else shown


def page(endpoint: Endpoint, sandbox: MailchimpSandbox, call: Call) -> Answer:
    params = call.params
    table = sandbox.table(endpoint, call.args)
    listed = view(endpoint, table, params)
    offset = params.get("offset", 0) if "offset" in endpoint.paged else 0
    numbers = listed[offset : offset + params["count"]] if "count" in endpoint.paged else listed
    rows: Sequence[Row] = [table.row(number) for number in numbers]
    if endpoint.shape is not None:
        rows = [endpoint.shape(row, params) for row in rows]
    body: Row = {endpoint.key: rows}
    body.update((name, call.args[name]) for name in endpoint.envelope)
    if endpoint.sums is not None:
        body.update(endpoint.sums(table))
    body["total_items"] = len(listed) if endpoint.total is None else endpoint.total(table, listed)
    answer = Answer(dumps(trim(body, endpoint.key, params)))
    if table.drift is not None and rows:
        table.drift.step(listed, offset + len(rows), sandbox.clock.now())
    return answer


def page_after(endpoint: Endpoint, sandbox: MailchimpSandbox, call: Call) -> Answer:
    """A page of a collection that is walked by cursor, here the value to sort by and the number of the last row."""
    params, table = call.params, sandbox.table(endpoint, call.args)
    field = endpoint.sort[params.get("sort_field", next(iter(endpoint.sort)))]
    values, turned = table.column(field), params.get("sort_dir") == "DESC"
    listed = sorted((values[number], number) for number in view(endpoint, table, params))
    if turned:
        listed.reverse()
    if "cursor" in params:
        try:
            value, number = loads(b64decode(params["cursor"], validate=True))
        except ValueError:
            raise Refusal(400, "The cursor is invalid.") from None
        listed = [each for each in listed if (each < (value, number)) is turned and each != (value, number)]
    numbers = [number for _, number in listed[: params["count"]]]
    body: Row = {endpoint.key: [table.row(number) for number in numbers]}
    if len(listed) > len(numbers):
        body["next_cursor"] = b64encode(dumps([values[numbers[-1]], numbers[-1]])).decode()
    answer = Answer(dumps(trim(body, endpoint.key, params)))
    if table.drift is not None and numbers:
        table.drift.step([number for _, number in listed], len(numbers), sandbox.clock.now())
    return answer


def whole(endpoint: Endpoint, sandbox: MailchimpSandbox, call: Call) -> Answer:
    """An answer that is one row."""
    return Answer(dumps(trim(dict(sandbox.table(endpoint, call.args).row(0)), "", call.params)))


def item(endpoint: Endpoint, sandbox: MailchimpSandbox, call: Call) -> Answer:
    table = sandbox.table(endpoint, call.args)
    ids = table.column("id")
    if call.args["item_id"] not in ids:
        raise Refusal(404)
    number = list(ids).index(call.args["item_id"])
    if (campaign := sandbox.account.campaigns_by_id.get(call.args["item_id"])) is not None and campaign.ghost:
        raise Refusal(404)
    return Answer(dumps(trim(dict(table.row(number)), "", call.params)))
