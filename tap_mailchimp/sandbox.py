"""Mailchimp's Marketing API 3.0 in miniature: `python -m tap_mailchimp.sandbox --port 8080`.

ENDPOINTS is a table; to serve one more stream, add a method for its rows to `sandbox_data.Account`, a row here, and its
field list to `sandbox_truth`. Batches and OAuth, which are no collections, stand below the table.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote, urlencode

from shared.sandbox import Answer, Call, Drift, Param, Problem, Refusal, Route, Row, Sandbox, Table, dumps, mix, salt, serve
from shared.timestamps import instant

from . import sandbox_truth
from .sandbox_data import Account, stamp

API_KEY = "0123456789abcdef0123456789abcdef-us6"
CLIENT = {"client_id": "400000000000", "client_secret": "sandbox-client-secret"}
DC = "us6"
MOST_ROWS = 1000
DRIFT_FROM_ROWS = 20
"""Shorter collections stay as they are under `drift`, lest all of three lists be gone."""
_LINKS = [{"rel": "parent", "href": "https://us6.api.mailchimp.com/3.0/", "method": "GET"}]
_PROBLEM_TYPE = "https://mailchimp.com/developer/marketing/docs/errors/"


# --- The table ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Filter:
    """A parameter that keeps the rows whose `column` compares to it; unset date-times never do."""

    param: Param
    column: str
    test: str = "="


def _times(*names: str, **columns: str) -> dict[str, Filter]:
    """since_ and before_ of date-time fields: half-open, the first exclusive, the second inclusive (probed, 2026-07)."""
    made = {}
    for name, column in {**dict(zip(names, names)), **columns}.items():
        made[f"since_{name}"] = Filter(Param("date-time"), column, ">")
        made[f"before_{name}"] = Filter(Param("date-time"), column, "<=")
    return made


def _equal(*names: str, **columns: str) -> dict[str, Filter]:
    return {name: Filter(Param(), column) for name, column in {**dict(zip(names, names)), **columns}.items()}


def _one_of(name: str, *options: str) -> dict[str, Filter]:
    return {name: Filter(Param(options=options), name)}


_FLAGS = {f"include_{status}": Param("boolean") for status in ("cleaned", "transactional", "unsubscribed")}
_ALL_FLAGS = dict.fromkeys(_FLAGS, True)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One collection.

    `rows` names the method of Account with its table. `parent` is the stream whose rows it hangs under, by
    {placeholder: field}. `filters` select, `sort` are the fields to sort by (name → column), `params` are read by
    `select` or `shape`. `select` picks further rows, `shape` changes a row by the parameters, `asked` are those that a
    complete read sends. `envelope` are the path's ids that the body repeats, `sums` adds to it. `total` counts
    `total_items` where that is not simply the rows selected. `paged`: which of count and offset are heeded.
    """

    stream: str
    path: str
    key: str
    rows: str = ""
    parent: tuple[str, Mapping[str, str]] | None = None
    filters: Mapping[str, Filter] = field(default_factory=dict)
    params: Mapping[str, Param] = field(default_factory=dict)
    sort: Mapping[str, str] = field(default_factory=dict)
    select: Callable[[Table, list[int], Mapping[str, Any]], list[int]] | None = None
    shape: Callable[[Row, Mapping[str, Any]], Row] | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    envelope: tuple[str, ...] = ()
    sums: Callable[[Table], Row] | None = None
    total: Callable[[Table], int] | None = None
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
        params.update({name: paging[name] for name in self.paged})
        params.update({name: each.param for name, each in self.filters.items()})
        if self.sort:
            params["sort_field"] = Param(options=tuple(self.sort))
            params["sort_dir"] = Param(options=("ASC", "DESC"))
        return params


def _members_listed(table: Table, view: list[int], params: Mapping[str, Any]) -> list[int]:
    """The plain listing silently leaves archived members out (probed, 2026-07)."""
    status = table.column("status")
    return view if "status" in params else [number for number in view if status[number] != "archived"]


def _segment_members_listed(table: Table, view: list[int], params: Mapping[str, Any]) -> list[int]:
    shown = {"subscribed", "pending", *(name[8:] for name in _FLAGS if params.get(name))}
    status = table.column("status")
    return view if len(shown) == 5 else [number for number in view if status[number] in shown]


def _segment_counted(row: Row, params: Mapping[str, Any]) -> Row:
    subscribed, unsubscribed, cleaned, pending, transactional, _ = row["_counts"]
    count = subscribed + pending
    for number, status in ((unsubscribed, "unsubscribed"), (cleaned, "cleaned"), (transactional, "transactional")):
        count += number if params.get(f"include_{status}") else 0
    return {**{name: value for name, value in row.items() if name != "_counts"}, "member_count": count}


def _events_since(row: Row, params: Mapping[str, Any]) -> Row:
    """`since` empties the nested list, but every recipient still comes (probed, 2026-07)."""
    if "since" not in params or "activity" not in row:
        return row
    since = _wire(params["since"])
    return {**row, "activity": [entry for entry in row["activity"] if entry["timestamp"] > since]}


def _opened_since(table: Table, view: list[int], params: Mapping[str, Any]) -> list[int]:
    if "since" not in params:
        return view
    since, last = _wire(params["since"]), table.column("_last")
    return [number for number in view if last[number] > since]


def _opens_since(row: Row, params: Mapping[str, Any]) -> Row:
    if "since" not in params:
        return row
    since = _wire(params["since"])
    return {**row, "opens": [entry for entry in row["opens"] if entry["timestamp"] > since]}


def _prefixed(table: Table, view: list[int], params: Mapping[str, Any]) -> list[int]:
    prefix, names = str(params.get("name", "")).lower(), table.column("name")
    return [number for number in view if names[number].lower().startswith(prefix)]


def _wire(moment: datetime) -> str:
    """A parameter's moment as rows have it: filters compare whole seconds."""
    return stamp(int(moment.timestamp()))


endpoint = partial(Endpoint)
in_list = partial(Endpoint, parent=("lists", {"list_id": "id"}), envelope=("list_id",))
in_report = partial(Endpoint, parent=("reports", {"campaign_id": "id"}), envelope=("campaign_id",))
in_store = partial(Endpoint, parent=("ecommerce_stores", {"store_id": "id"}), envelope=("store_id",))
UNPAGED: tuple[str, ...] = ()
_CAMPAIGN_TYPES = _one_of("type", "regular", "plaintext", "absplit", "rss", "variate")
_SINCE = {"since": Param("date-time")}

ENDPOINTS = (
    endpoint(
        stream="lists",
        path="/lists",
        key="lists",
        filters={**_times("date_created", campaign_last_sent="stats.campaign_last_sent")},
        params={"include_total_contacts": Param("boolean")},
        sort={"date_created": "date_created"},
        sums=lambda table: {"constraints": {"may_create": True, "max_instances": 5, "current_total_instances": 4}},
        item=True,
    ),
    in_list(
        stream="list_members",
        path="/lists/{list_id}/members",
        key="members",
        filters={
            **_times("last_changed", "timestamp_opt"),
            **_one_of("status", "subscribed", "unsubscribed", "cleaned", "pending", "transactional", "archived"),
            **_equal("email_type", "unique_email_id"),
        },
        sort={name: name for name in ("timestamp_opt", "timestamp_signup", "last_changed")},
        select=_members_listed,
    ),
    in_list(
        stream="list_segments",
        path="/lists/{list_id}/segments",
        key="segments",
        # An unknown type gives 200 without rows (probed, 2026-07), so there are no options here.
        filters={**_times("created_at", "updated_at"), **_equal("type")},
        params=_FLAGS,
        shape=_segment_counted,
        asked=_ALL_FLAGS,
    ),
    Endpoint(
        stream="list_segment_members",
        path="/lists/{list_id}/segments/{segment_id}/members",
        key="members",
        parent=("list_segments", {"segment_id": "id"}),
        params=_FLAGS,
        select=_segment_members_listed,
        total=lambda table: sum(status in ("subscribed", "pending") for status in table.column("status")),
    ),
    endpoint(
        stream="campaigns",
        path="/campaigns",
        key="campaigns",
        filters={
            **_times("create_time", "send_time"),
            **_CAMPAIGN_TYPES,
            **_one_of("status", "save", "paused", "schedule", "sending", "sent"),
            **_equal(list_id="recipients.list_id", folder_id="settings.folder_id"),
        },
        sort={"create_time": "create_time", "send_time": "send_time"},
        item=True,
    ),
    endpoint(
        stream="reports",
        path="/reports",
        key="reports",
        filters={**_times("send_time"), **_CAMPAIGN_TYPES},
        item=True,
    ),
    in_report(
        stream="reports_email_activity",
        path="/reports/{campaign_id}/email-activity",
        key="emails",
        params=_SINCE,
        shape=_events_since,
    ),
    in_report(stream="unsubscribes", path="/reports/{campaign_id}/unsubscribed", key="unsubscribes"),
    in_report(stream="reports_sent_to", path="/reports/{campaign_id}/sent-to", key="sent_to"),
    in_report(
        stream="reports_open_details",
        path="/reports/{campaign_id}/open-details",
        key="members",
        params=_SINCE,
        sort={"opens_count": "opens_count"},
        select=_opened_since,
        shape=_opens_since,
        sums=lambda table: {"total_opens": sum(table.column("opens_count"))},
    ),
    in_report(
        stream="reports_click_details",
        path="/reports/{campaign_id}/click-details",
        key="urls_clicked",
        sort={"total_clicks": "total_clicks", "unique_clicks": "unique_clicks"},
    ),
    in_report(
        stream="reports_domain_performance",
        path="/reports/{campaign_id}/domain-performance",
        key="domains",
        sums=lambda table: {"total_sent": sum(table.column("emails_sent"))},
        paged=UNPAGED,
    ),
    in_report(stream="reports_locations", path="/reports/{campaign_id}/locations", key="locations"),
    in_report(
        stream="reports_abuse", path="/reports/{campaign_id}/abuse-reports", key="abuse_reports", paged=UNPAGED
    ),
    in_report(
        stream="reports_ecommerce_product_activity",
        path="/reports/{campaign_id}/ecommerce-product-activity",
        key="products",
        sort={name: name for name in ("title", "total_revenue", "total_purchased")},
        envelope=(),
    ),
    endpoint(stream="campaign_folders", path="/campaign-folders", key="folders"),
    endpoint(
        stream="automations",
        path="/automations",
        key="automations",
        filters={**_times("create_time", "start_time"), **_one_of("status", "save", "paused", "sending")},
        item=True,
    ),
    endpoint(
        stream="automation_emails",
        path="/automations/{workflow_id}/emails",
        key="emails",
        parent=("automations", {"workflow_id": "id"}),
        paged=UNPAGED,
    ),
    in_list(
        stream="interest_categories",
        path="/lists/{list_id}/interest-categories",
        key="categories",
        filters=_equal("type"),
    ),
    Endpoint(
        stream="interests",
        path="/lists/{list_id}/interest-categories/{category_id}/interests",
        key="interests",
        parent=("interest_categories", {"category_id": "id"}),
        envelope=("list_id", "category_id"),
    ),
    in_list(
        stream="merge_fields", path="/lists/{list_id}/merge-fields", key="merge_fields", filters=_equal("type")
    ),
    in_list(
        stream="tags",
        path="/lists/{list_id}/tag-search",
        key="tags",
        params={"name": Param()},
        select=_prefixed,
        envelope=(),
    ),
    in_list(
        stream="list_growth_history",
        path="/lists/{list_id}/growth-history",
        key="history",
        sort={"month": "month"},
    ),
    in_list(stream="list_activity", path="/lists/{list_id}/activity", key="activity"),
    in_list(stream="list_locations", path="/lists/{list_id}/locations", key="locations", paged=UNPAGED),
    in_list(stream="list_clients", path="/lists/{list_id}/clients", key="clients", paged=UNPAGED),
    in_list(stream="list_abuse_reports", path="/lists/{list_id}/abuse-reports", key="abuse_reports"),
    endpoint(
        stream="templates",
        path="/templates",
        key="templates",
        filters={**_times("date_created"), **_equal("type", "category", "created_by", "folder_id", "content_type")},
        sort={name: name for name in ("date_created", "date_edited", "name")},
    ),
    endpoint(stream="ecommerce_stores", path="/ecommerce/stores", key="stores", item=True),
    in_store(
        stream="ecommerce_orders",
        path="/ecommerce/stores/{store_id}/orders",
        key="orders",
        filters=_equal("campaign_id", customer_id="customer.id"),
    ),
    in_store(
        stream="ecommerce_customers",
        path="/ecommerce/stores/{store_id}/customers",
        key="customers",
        filters=_equal("email_address"),
    ),
    in_store(stream="ecommerce_products", path="/ecommerce/stores/{store_id}/products", key="products"),
    in_store(stream="ecommerce_carts", path="/ecommerce/stores/{store_id}/carts", key="carts"),
    endpoint(
        stream="landing_pages",
        path="/landing-pages",
        key="landing_pages",
        sort={"created_at": "created_at", "updated_at": "updated_at"},
        paged=("count",),
    ),
    endpoint(stream="reporting_landing_pages", path="/reporting/landing-pages", key="landing_pages"),
)
ALL_ORDERS = endpoint(
    stream="",
    rows="ecommerce_orders",
    path="/ecommerce/orders",
    key="orders",
    filters=_equal("campaign_id", customer_id="customer.id"),
)
BY_STREAM = {
    **{each.stream: each for each in ENDPOINTS},
    "account": Endpoint(stream="account", path="/", key=""),
}


# --- From a request to a page ---------------------------------------------------------------------------------------------

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


def _trim(body: Row, key: str, params: Mapping[str, Any]) -> Row:
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
            body[key] = [{**row, "_links": _LINKS} for row in body[key]]
        return _only({**body, "_links": _LINKS}, tree)  # type: ignore[no-any-return]
    tree = _tree(excluded) if excluded else {}
    of_rows = tree.get(key, {}) if key else None
    if of_rows is not None and of_rows.pop("_links", tree) is not None:
        body[key] = [{**row, "_links": _LINKS} for row in body[key]]
    if tree.pop("_links", tree) is not None:
        body = {**body, "_links": _LINKS}
    if tree and tree != {key: {}}:
        body = _without(body, tree)
    return body


def _view(endpoint: Endpoint, table: Table, params: Mapping[str, Any]) -> list[int]:
    """The numbers of the rows that match, in order."""
    view = table.order(endpoint.sort.get(params.get("sort_field", ""), ""), params.get("sort_dir") == "DESC")
    if table.drift is not None:
        view = [number for number in view if table.drift.visible(number)]
    for name, each in endpoint.filters.items():
        if name in params:
            wanted, values = params[name], table.column(each.column)
            if each.test == "=":
                view = [number for number in view if values[number] == wanted]
            else:
                edge = _wire(wanted)
                if each.test == ">":
                    view = [number for number in view if (values[number] or "") > edge]
                else:
                    view = [number for number in view if "" < (values[number] or "") <= edge]
    return endpoint.select(table, view, params) if endpoint.select else view


def _page(endpoint: Endpoint, sandbox: MailchimpSandbox, call: Call) -> Answer:
    params = call.params
    table = sandbox.table(endpoint, call.args)
    view = _view(endpoint, table, params)
    offset = params.get("offset", 0)
    numbers = view[offset : offset + params["count"]] if "count" in endpoint.paged else view
    rows: Sequence[Row] = [table.row(number) for number in numbers]
    if endpoint.shape is not None:
        rows = [endpoint.shape(row, params) for row in rows]
    body: Row = {endpoint.key: rows}
    body.update((name, call.args[name]) for name in endpoint.envelope)
    if endpoint.sums is not None:
        body.update(endpoint.sums(table))
    body["total_items"] = len(view) if endpoint.total is None else endpoint.total(table)
    answer = Answer(dumps(_trim(body, endpoint.key, params)))
    if table.drift is not None and rows:
        table.drift.step(view, offset + len(rows), sandbox.clock.now())
    return answer


def _item(endpoint: Endpoint, sandbox: MailchimpSandbox, call: Call) -> Answer:
    table = sandbox.table(endpoint, call.args)
    ids = table.column("id")
    if call.args["item_id"] not in ids:
        raise Refusal(404)
    number = list(ids).index(call.args["item_id"])
    if (campaign := sandbox.account.campaigns_by_id.get(call.args["item_id"])) is not None and campaign.ghost:
        raise Refusal(404)
    return Answer(dumps(_trim(dict(table.row(number)), "", call.params)))


def _root(sandbox: MailchimpSandbox, call: Call) -> Answer:
    return Answer(dumps(_trim(dict(sandbox.account.account({}).row(0)), "", call.params)))


def _ping(sandbox: MailchimpSandbox, call: Call) -> Answer:
    return Answer.of({"health_status": "Everything's Chimpy!"})


# --- OAuth ----------------------------------------------------------------------------------------------------------------

_CODE_SECONDS = 600


def _authorize(sandbox: MailchimpSandbox, call: Call) -> Answer:
    """The consent page, whose button is pressed at once."""
    if call.params["client_id"] != CLIENT["client_id"] or call.params["response_type"] != "code":
        return Answer(b"<html><body>Unknown application</body></html>", 400, "text/html")
    code = f"{salt(sandbox.options['seed'], 'code', len(sandbox.codes)):016x}"
    sandbox.codes[code] = (call.params["redirect_uri"], sandbox.clock.now() + timedelta(seconds=_CODE_SECONDS))
    back = {"code": code, **({"state": call.params["state"]} if "state" in call.params else {})}
    target = f"{call.params['redirect_uri']}{'&' if '?' in call.params['redirect_uri'] else '?'}{urlencode(back)}"
    return Answer(b"", 302, "text/html", (("Location", target),))


def _token(sandbox: MailchimpSandbox, call: Call) -> Answer:
    form = dict(parse_qsl(call.body.decode("latin-1"), keep_blank_values=True))
    uri, until = sandbox.codes.pop(form.get("code", ""), (None, sandbox.clock.now()))
    good_client = all(form.get(name) == value for name, value in CLIENT.items())
    if form.get("grant_type") != "authorization_code" or not good_client:
        return Answer.of({"error": "invalid_client", "error_description": "Unknown client or bad secret"}, 400)
    if uri is None or uri != form.get("redirect_uri") or sandbox.clock.now() >= until:
        return Answer.of({"error": "invalid_grant", "error_description": "The code is used, expired or not yours"}, 400)
    token = f"{salt(sandbox.options['seed'], 'token', len(sandbox.tokens)):032x}"
    sandbox.tokens.add(token)
    return Answer.of({"access_token": token, "expires_in": 0, "scope": None})


def _metadata(sandbox: MailchimpSandbox, call: Call) -> Answer:
    kind, _, token = call.headers.get("authorization", "").partition(" ")
    if kind != "OAuth" or token not in sandbox.tokens:
        # A dead token is answered with 200. (Reference 1.1)
        return Answer.of({"error": "invalid_token", "error_description": "The access token provided is invalid."})
    login = {"email": "owner@example.com", "avatar": None, "login_id": 123, "login_name": "acme",
             "login_email": "owner@example.com"}  # fmt: skip
    return Answer.of(
        {"dc": DC, "role": "owner", "accountname": "Acme 🎈", "user_id": 123, "login": login,
         "login_url": sandbox.root_url, "api_endpoint": sandbox.root_url}
    )  # fmt: skip


# --- Batches --------------------------------------------------------------------------------------------------------------

_URL_SECONDS = 600
_BATCH_DAYS = 7
_SPLIT_ROWS = 500
_MOST_OPERATIONS, _MOST_PENDING = 1000, 500
_STAGES = ((0.5, "pending"), (1.0, "preprocessing"), (2.0, "started"), (2.5, "finalizing"))


@dataclass(slots=True)
class Batch:
    """Operations under way. They are performed when the batch is first seen finished."""

    id: str
    operations: list[Row]
    submitted: datetime
    archive: bytes | None = None
    failed: int = 0

    def status(self, now: datetime) -> str:
        """Where it is in its life; more operations take longer."""
        seconds = (now - self.submitted).total_seconds() - len(self.operations) * 0.02
        return next((name for until, name in _STAGES if seconds < until), "finished")


def _start_batch(sandbox: MailchimpSandbox, call: Call) -> Answer:
    body = call.json()
    operations = body.get("operations") if isinstance(body, dict) else None
    now = sandbox.clock.now()
    if not isinstance(operations, list) or not all(isinstance(each, dict) and "path" in each for each in operations):
        raise Refusal(400, "Schema describes array of operations", title="Invalid Resource")
    if len(operations) > _MOST_OPERATIONS:
        raise Refusal(400, f"At most {_MOST_OPERATIONS} operations", title="Bad Request")
    if sum(batch.status(now) != "finished" for batch in sandbox.batches.values()) >= _MOST_PENDING:
        raise Refusal(429)
    identity = f"{salt(sandbox.options['seed'], 'batch', len(sandbox.batches)):016x}"[:10]
    sandbox.batches[identity] = Batch(identity, operations, now)
    return Answer.of(_batch_body(sandbox, sandbox.batches[identity]))


def _list_batches(sandbox: MailchimpSandbox, call: Call) -> Answer:
    shown = list(sandbox.batches.values())
    offset = call.params.get("offset", 0)
    page = [_batch_body(sandbox, batch) for batch in shown[offset : offset + call.params["count"]]]
    return Answer(dumps(_trim({"batches": page, "total_items": len(shown)}, "batches", call.params)))


def _show_batch(sandbox: MailchimpSandbox, call: Call) -> Answer:
    return Answer.of(_batch_body(sandbox, sandbox.batch(call.args["batch_id"])))


def _delete_batch(sandbox: MailchimpSandbox, call: Call) -> Answer:
    sandbox.batch(call.args["batch_id"])
    del sandbox.batches[call.args["batch_id"]]
    return Answer(status=204)


def _batch_body(sandbox: MailchimpSandbox, batch: Batch) -> Row:
    now = sandbox.clock.now()
    status = batch.status(now)
    finished, url = status == "finished", ""
    if finished:
        if batch.archive is None:
            batch.archive, batch.failed = _perform(sandbox, batch)
        expires = int(now.timestamp()) + _URL_SECONDS
        query = {"AWSAccessKeyId": "AKIASANDBOX", "Expires": expires, "Signature": _signature(sandbox, batch, expires)}
        url = f"{sandbox.root_url}/s3/{batch.id}-response.tar.gz?{urlencode(query)}"
    return {
        "id": batch.id,
        "status": status,
        "total_operations": len(batch.operations),
        "finished_operations": len(batch.operations) if finished else 0,
        "errored_operations": batch.failed,
        "submitted_at": _wire(batch.submitted),
        "completed_at": _wire(now) if finished else "",
        "response_body_url": url,
        "_links": _LINKS,
    }


def _signature(sandbox: MailchimpSandbox, batch: Batch, expires: int) -> str:
    return f"{salt(sandbox.options['seed'], 'signature', batch.id, expires):016x}="


def _download(sandbox: MailchimpSandbox, call: Call) -> Answer:
    """The result as a storage service of somebody else's gives it: no credential of ours, errors in XML."""

    def refused(status: int, code: str) -> Answer:
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code></Error>'
        return Answer(text.encode(), status, "application/xml")

    if "authorization" in call.headers:
        return refused(400, "InvalidArgument")
    batch = sandbox.batches.get(call.args["name"].removesuffix("-response.tar.gz"))
    expires = call.params["Expires"]
    if batch is None or batch.archive is None:
        return refused(404, "NoSuchKey")
    if call.params["Signature"] != _signature(sandbox, batch, expires):
        return refused(403, "SignatureDoesNotMatch")
    if expires <= sandbox.clock.now().timestamp():
        return refused(403, "AccessDenied")
    return Answer(batch.archive, 200, "application/gzip")


def _results(sandbox: MailchimpSandbox, operation: Row) -> Iterator[tuple[int, bytes]]:
    """Status and body of one operation; without `count` the whole collection, over several results."""
    params = {name: str(value) for name, value in (operation.get("params") or {}).items()}
    path = str(operation["path"]).split("?")[0]
    call_for = partial(Call, str(operation.get("method", "GET")), headers={})
    endpoint = next((each for each in ENDPOINTS if _matches(each.path, path)), None)
    # Batches give at most ten members of a segment, whatever `count` says. (Reference 3.4)
    if endpoint is not None and endpoint.stream == "list_segment_members":
        params["count"] = "10"
    whole = endpoint is not None and "count" in endpoint.paged and "count" not in params
    offset = 0
    while True:
        asked = {**params, "count": str(_SPLIT_ROWS), "offset": str(offset)} if whole else params
        answer = sandbox.answer(call_for(f"{sandbox.prefix}{path}?{urlencode(asked)}"), trusted=True)
        yield answer.status, answer.body
        offset += _SPLIT_ROWS
        if not whole or answer.status != 200 or endpoint is None:
            return
        args = dict(zip((part[1:-1] for part in endpoint.path.split("/") if part[:1] == "{"), _values(endpoint, path)))
        if offset >= sandbox.table(endpoint, args).count:
            return


def _values(endpoint: Endpoint, path: str) -> list[str]:
    return [value for part, value in zip(endpoint.path.split("/"), path.split("/")) if part[:1] == "{"]


def _matches(pattern: str, path: str) -> bool:
    parts, found = pattern.split("/"), path.split("/")
    return len(parts) == len(found) and all(part[:1] == "{" or part == text for part, text in zip(parts, found))


def _perform(sandbox: MailchimpSandbox, batch: Batch) -> tuple[bytes, int]:
    """The archive of a batch, as awkward as the real ones, and how many operations failed."""
    results, failed = [], 0
    for operation in batch.operations:
        statuses = []
        for status, body in _results(sandbox, operation):
            statuses.append(status)
            results.append({"status_code": status, "operation_id": operation.get("operation_id", ""),
                            "response": body.decode()})  # fmt: skip
        failed += any(status >= 400 for status in statuses)
    order = sorted(range(len(results)), key=lambda place: mix(sandbox.options["seed"], place))
    files = [dumps([results[place] for place in order[start : start + 2]]) for start in range(0, len(order), 2)]
    files.insert(len(files) // 2, b"")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        folder = tarfile.TarInfo("./")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for place, content in enumerate(files):
            entry = tarfile.TarInfo(f"./{mix(place):016x}.json")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), 1, mtime=0), failed


# --- The sandbox ------------------------------------------------------------------------------------------------------------


class MailchimpSandbox(Sandbox):
    """The API, with an account in it."""

    name = "mailchimp-sandbox"
    prefix = "/3.0"
    connections = 10
    # Mailchimp ignores parameters it does not know; `strict=1` refuses them, and the statistics count them.
    unknown_params_refused = False
    own_options: ClassVar = {
        "forbid": (str, "", "paths that this role may not read, joined by +: /reports+/ecommerce"),
    }

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.tokens: set[str] = {"sandbox-access-token"}
        self.codes: dict[str, tuple[str, datetime]] = {}
        self.batches: dict[str, Batch] = {}
        self._drifts: dict[Any, Drift] = {}
        self.day_changed()

    def day_changed(self) -> None:
        """The account of the day, made anew."""
        scale, seed = self.options["scale"], self.options["seed"]
        self._drifts.clear()
        self.account = Account(seed=seed, scale=scale, day=self.day, keep_all=self.options["drift"])

    @property
    def settings(self) -> dict[str, Any]:
        """An API key will do."""
        return {"api_key": API_KEY, "base_url": self.base_url, "start_date": "2020-01-01T00:00:00Z"}

    @property
    def oauth_settings(self) -> dict[str, Any]:
        """The same account by an access token."""
        return {"access_token": "sandbox-access-token", "base_url": self.base_url, "start_date": "2020-01-01T00:00:00Z"}

    def routes(self) -> Sequence[Route]:
        """The table's rows as routes, and what is no collection."""
        made = []
        for each in (*ENDPOINTS, ALL_ORDERS):
            path = self.prefix + each.path
            made.append(Route(path=path, handler=partial(_page, each), params=each.all_params(), lasting=True))
            if each.item:
                shown = {"fields": Param(), "exclude_fields": Param(), **each.params}
                made.append(Route(path=f"{path}/{{item_id}}", handler=partial(_item, each), params=shown))
        paging = Endpoint(stream="", path="", key="").all_params()
        trimming = {"fields": Param(), "exclude_fields": Param()}
        code = {name: Param(required=True) for name in ("response_type", "client_id", "redirect_uri")}
        signed = {"AWSAccessKeyId": Param(), "Expires": Param("integer", required=True),
                  "Signature": Param(required=True)}  # fmt: skip
        return (
            *made,
            Route(path="/3.0", handler=_root, params=trimming),
            Route(path="/3.0/ping", handler=_ping, params=trimming),
            Route(path="/3.0/batches", handler=_start_batch, method="POST"),
            Route(path="/3.0/batches", handler=_list_batches, params=paging),
            Route(path="/3.0/batches/{batch_id}", handler=_show_batch, params=trimming),
            Route(path="/3.0/batches/{batch_id}", handler=_delete_batch, method="DELETE"),
            Route(path="/s3/{name}", handler=_download, params=signed, public=True),
            Route(path="/oauth2/authorize", handler=_authorize, params={**code, "state": Param()}, public=True),
            Route(path="/oauth2/token", handler=_token, method="POST", public=True),
            Route(path="/oauth2/metadata", handler=_metadata, public=True),
        )

    def authorise(self, call: Call) -> None:
        """An API key (Basic or Bearer) of this data centre, or a token (Bearer or OAuth); then the role."""
        kind, _, credential = call.headers.get("authorization", "").partition(" ")
        if not credential:
            detail = "Your request did not include an API key."
            raise Refusal(401, detail, title="API Key Missing")
        if kind.lower() == "basic":
            try:
                credential = b64decode(credential, validate=True).decode().partition(":")[2]
            except ValueError:
                credential = ""
        token = kind.lower() in ("bearer", "oauth") and credential in self.tokens
        if not token and not (kind.lower() in ("basic", "bearer") and credential == API_KEY):
            detail = "Your API key may be invalid, or you've attempted to access the wrong datacenter."
            raise Refusal(401, detail, title="API Key Invalid")
        for path in filter(None, (self.options["forbid"] or "").split("+")):
            if call.path.startswith(self.prefix + path):
                raise Refusal(403, "The API key does not have permissions to perform the requested action.")

    def refuse(self, refusal: Refusal) -> Answer:
        """A problem document; throttling has no body at all."""
        if refusal.status == 429:
            return Answer(b"", 429, "text/html")
        titles = {400: "Invalid Resource" if refusal.problems else "Bad Request", 403: "Forbidden",
                  404: "Resource Not Found", 405: "Method Not Allowed"}  # fmt: skip
        details = {404: "The requested resource could not be found.",
                   405: "The requested method and resource are not compatible.",
                   500: "An unexpected internal error has occurred."}  # fmt: skip
        body: Row = {
            "type": _PROBLEM_TYPE,
            "title": refusal.title or titles.get(refusal.status, "Internal Server Error"),
            "status": refusal.status,
            "detail": refusal.detail or details.get(refusal.status, "Something went wrong."),
            "instance": f"995c5cb0-3280-4a6e-808b-{salt(0, refusal.status, refusal.detail):016x}"[:36],
        }
        if refusal.problems:
            body["detail"] = "The resource submitted could not be validated. For field-specific details, see the " \
                "'errors' array."
            body["errors"] = [{"field": each.name, "message": _message(each)} for each in refusal.problems]
        return Answer(dumps(body), refusal.status, "application/problem+json; charset=utf-8")

    def table(self, endpoint: Endpoint, args: Mapping[str, Any]) -> Table:
        """The rows of a collection, moving if `drift` is on; Refusal 404 when there is no such parent."""
        try:
            table = endpoint.table(self.account, args)
        except (KeyError, ValueError):
            raise Refusal(404) from None
        if self.options["drift"] and table.count >= DRIFT_FROM_ROWS:
            key = (endpoint.path, *map(str, args.values()))
            if key not in self._drifts:
                self._drifts[key] = Drift(table, salt(self.options["seed"], *key))
            table.drift = self._drifts[key]
        return table

    def batch(self, identity: str) -> Batch:
        """A batch that is not older than results are kept."""
        batch = self.batches.get(identity)
        if batch is None or self.clock.now() - batch.submitted > timedelta(days=_BATCH_DAYS):
            raise Refusal(404)
        return batch

    # What a faultless read gives.

    def truth(self, stream: str, settings: Mapping[str, Any] | None = None) -> list[Row]:
        """All records of `stream`, in no particular order; email events as `sandbox_truth.events` says."""
        with self.lock:
            return list(self._records(stream, settings or {}, stayed=False))

    def stayed(self, stream: str, settings: Mapping[str, Any] | None = None) -> list[Row]:
        """The records of rows (and parents) that were there from the beginning until now."""
        with self.lock:
            return list(self._records(stream, settings or {}, stayed=True))

    def _records(self, stream: str, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        since = instant(settings.get("start_date")) or ""
        for args, row in self._rows(stream, settings, stayed=stayed):
            if stream == "reports_email_activity":
                for event in sandbox_truth.events(row):
                    if event["timestamp"] >= since:
                        yield event
                continue
            shape = BY_STREAM[stream].shape
            shaped = row if shape is None else shape(row, BY_STREAM[stream].asked)
            record = sandbox_truth.record(stream, shaped, args)
            if stream == "list_members" and (record["last_changed"] or "") < since:
                continue
            yield record

    def _rows(self, stream: str, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[tuple[Row, Row]]:
        """Each row of a stream with the ids of its parents."""
        endpoint = BY_STREAM[stream]
        for args in self._parents(endpoint, settings, stayed=stayed):
            try:
                table = self.table(endpoint, args)
            except Refusal:
                continue
            for number in range(table.count):
                if table.drift is not None:
                    drift = table.drift
                    if not (drift.stayed(number) if stayed else drift.visible(number)):
                        continue
                row = table.row(number)
                if _is_wanted(stream, row, settings):
                    yield args, row

    def _parents(self, endpoint: Endpoint, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        if endpoint.parent is None:
            yield {}
            return
        stream, fields = endpoint.parent
        sent_from = ""
        if endpoint.stream == "reports_email_activity" and (days := int(settings.get("email_activity_date_window") or 0)):
            sent_from = (self.clock.now() - timedelta(days=days)).strftime("%Y-%m-%d")
        for args, row in self._rows(stream, settings, stayed=stayed):
            if stream == "lists" and settings.get("list_ids") and row["id"] not in settings["list_ids"]:
                continue
            if row.get("send_time", "") >= sent_from:
                yield {**args, **{name: row[column] for name, column in fields.items()}}


def _is_wanted(stream: str, row: Row, settings: Mapping[str, Any]) -> bool:
    """Whether a setting leaves the row out."""
    if stream == "list_members":
        return row["status"] != "archived" or bool(settings.get("include_archived", True))
    if stream == "campaigns" and (wanted := settings.get("campaign_status")):
        return row["status"] in ([wanted] if isinstance(wanted, str) else wanted)
    if stream == "list_segments" and (wanted := settings.get("segment_types")):
        return row["type"] in wanted
    if stream == "templates":
        return row["type"] in (settings.get("template_types") or ["user"])
    return True


def _message(problem: Problem) -> str:
    if problem.found is None:
        return "This value should not be blank."
    if not problem.known:
        return "This field is unknown."
    if problem.param.options:
        return "The value you selected is not a valid choice."
    kind = "date-time" if problem.param.kind == "date-time" else problem.param.kind
    found = "integer" if problem.found.lstrip("-").isdigit() else "string"
    return f"Schema describes {kind}, {found} found instead"


if __name__ == "__main__":
    raise SystemExit(serve(MailchimpSandbox))
