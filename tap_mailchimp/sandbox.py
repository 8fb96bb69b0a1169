"""Mailchimp's Marketing API 3.0 in miniature: `python -m tap_mailchimp.sandbox --port 8080`.

ENDPOINTS is a table; to serve one more stream, add a method for its rows to `sandbox_data.Account`, a row here, and its
field list to `sandbox_truth`. Batches and OAuth, which are no collections, are in `sandbox_services`.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from shared.sandbox import Answer, Call, Drift, Param, Problem, Refusal, Route, Row, Sandbox, Table, dumps, salt, serve
from shared.timestamps import instant

from . import sandbox_services, sandbox_truth
from .sandbox_data import Account
from .sandbox_pages import Endpoint, Filter, item, page, trim, wire
from .sandbox_services import BATCH_DAYS, Batch

API_KEY = "0123456789abcdef0123456789abcdef-us6"
ACCESS_TOKEN = "sandbox-access-token"
START_DATE = "2020-01-01T00:00:00Z"
DRIFT_FROM_ROWS = 20
"""Shorter collections stay as they are under `drift`, lest all of three lists be gone."""
_PROBLEM_TYPE = "https://mailchimp.com/developer/marketing/docs/errors/"
_NOT_VALID = (
    "The resource submitted could not be validated. For field-specific details, see the 'errors' array."  # their words
)

# --- How the table is written ---


def _times(*names: str, **columns: str) -> dict[str, Filter]:
    """since_ (exclusive) and before_ (inclusive) of date-time fields. (Reference 2.2, probed 2026-07)"""
    made = {}
    for name, column in {**{name: name for name in names}, **columns}.items():
        made[f"since_{name}"] = Filter(Param("date-time"), column, ">")
        made[f"before_{name}"] = Filter(Param("date-time"), column, "<=")
    return made


def _equal(*names: str, **columns: str) -> dict[str, Filter]:
    return {name: Filter(Param(), column) for name, column in {**{name: name for name in names}, **columns}.items()}


def _one_of(name: str, *options: str) -> dict[str, Filter]:
    return {name: Filter(Param(options=options), name)}


_FLAGS = {f"include_{status}": Param("boolean") for status in ("cleaned", "transactional", "unsubscribed")}
_ALL_FLAGS = dict.fromkeys(_FLAGS, True)


def _members_listed(table: Table, view: list[int], params: Mapping[str, Any]) -> list[int]:
    """The plain listing silently leaves archived members out (probed, 2026-07)."""
    status = table.column("status")
    return view if "status" in params else [number for number in view if status[number] != "archived"]


def _segment_members_listed(table: Table, view: list[int], params: Mapping[str, Any]) -> list[int]:
    """Without flags only subscribed ones (probed, 2026-07)."""
    shown = {"subscribed", *(name.removeprefix("include_") for name in _FLAGS if params.get(name))}
    status = table.column("status")
    return [number for number in view if status[number] in shown]


def _segment_counted(row: Row, params: Mapping[str, Any]) -> Row:
    """The flags change `member_count` and nothing else (probed, 2026-07)."""
    shown = {"subscribed", *(name.removeprefix("include_") for name in _FLAGS if params.get(name))}
    count = sum(number for status, number in row["_counts"].items() if status in shown)
    return {**{name: value for name, value in row.items() if name != "_counts"}, "member_count": count}


def _events_since(row: Row, params: Mapping[str, Any]) -> Row:
    """`since` empties the nested list, but every recipient still comes (probed, 2026-07)."""
    if "since" not in params or "activity" not in row:
        return row
    since = wire(params["since"])
    return {**row, "activity": [entry for entry in row["activity"] if entry["timestamp"] > since]}


def _opened_since(table: Table, view: list[int], params: Mapping[str, Any]) -> list[int]:
    if "since" not in params:
        return view
    since, last = wire(params["since"]), table.column("_last")
    return [number for number in view if last[number] > since]


def _opens_since(row: Row, params: Mapping[str, Any]) -> Row:
    if "since" not in params:
        return row
    since = wire(params["since"])
    return {**row, "opens": [entry for entry in row["opens"] if entry["timestamp"] > since]}


def _prefixed(table: Table, view: list[int], params: Mapping[str, Any]) -> list[int]:
    prefix, names = str(params.get("name", "")).lower(), table.column("name")
    return [number for number in view if names[number].lower().startswith(prefix)]


# --- The table ---

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
        asked=_ALL_FLAGS,
        select=_segment_members_listed,
        # Counts the default population, whatever the flags (probed, 2026-07).
        total=lambda table: table.column("status").count("subscribed"),
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
    in_report(stream="reports_abuse", path="/reports/{campaign_id}/abuse-reports", key="abuse_reports", paged=UNPAGED),
    in_report(
        stream="reports_ecommerce_product_activity",
        path="/reports/{campaign_id}/ecommerce-product-activity",
        key="products",
        sort={name: name for name in ("title", "total_revenue", "total_purchased")},
        sort_dir=False,
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
    in_list(stream="merge_fields", path="/lists/{list_id}/merge-fields", key="merge_fields", filters=_equal("type")),
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
    joins="ecommerce_orders",
    path="/ecommerce/orders",
    key="orders",
    filters=_equal("campaign_id", customer_id="customer.id"),
)
BY_STREAM = {
    **{each.stream: each for each in ENDPOINTS},
    "account": Endpoint(stream="account", path="/", key=""),
}


# --- The sandbox ---


def _root(sandbox: MailchimpSandbox, call: Call) -> Answer:
    return Answer(dumps(trim(dict(sandbox.account.account({}).row(0)), "", call.params)))


def _ping(sandbox: MailchimpSandbox, call: Call) -> Answer:
    return Answer.of({"health_status": "Everything's Chimpy!"})


class MailchimpSandbox(Sandbox):
    """The API, with an account in it."""

    name = "mailchimp-sandbox"
    prefix = "/3.0"
    connections = 10
    # Mailchimp ignores parameters it does not know; `strict=1` refuses them, and the statistics count them.
    unknown_params_refused = False
    own_options: ClassVar = {
        "forbid": (str, "", "paths that this role may not read, joined by +: /reports+/ecommerce"),
        "slow": (str, "", "ends of paths that take too long to be read but through a batch, joined by +"),
    }

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.tokens: set[str] = {ACCESS_TOKEN}
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
        return {"api_key": API_KEY, "base_url": self.base_url, "start_date": START_DATE}

    @property
    def oauth_settings(self) -> dict[str, Any]:
        """The same account by an access token."""
        return {"access_token": ACCESS_TOKEN, "base_url": self.base_url, "start_date": START_DATE}

    def routes(self) -> Sequence[Route]:
        """The table's rows as routes, and what is no collection."""
        made = []
        for each in (*ENDPOINTS, ALL_ORDERS):
            path = self.prefix + each.path
            made.append(Route(path=path, handler=partial(page, each), params=each.all_params(), lasting=True))
            if each.item:
                shown = {"fields": Param(), "exclude_fields": Param(), **each.params}
                made.append(Route(path=f"{path}/{{item_id}}", handler=partial(item, each), params=shown))
        return (
            *made,
            Route(path=self.prefix, handler=_root, params={"fields": Param(), "exclude_fields": Param()}),
            Route(path=f"{self.prefix}/ping", handler=_ping, params={"fields": Param(), "exclude_fields": Param()}),
            *sandbox_services.routes(self.prefix),
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
        if any(call.path.endswith(end) for end in (self.options["slow"] or "").split("+") if end):
            raise Refusal(504)

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
            body["detail"] = _NOT_VALID
            body["errors"] = [{"field": each.name, "message": _message(each)} for each in refusal.problems]
        return Answer(dumps(body), refusal.status, "application/problem+json; charset=utf-8")

    def table(self, endpoint: Endpoint, args: Mapping[str, Any]) -> Table:
        """The rows of a collection, moving if `drift` is on; Refusal 404 when there is no such parent."""
        if endpoint.joins:
            each = BY_STREAM[endpoint.joins]
            return Table.joined([self.table(each, ids) for ids in self._parents(each, {}, stayed=False)])
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

    def collection(self, path: str) -> tuple[Endpoint, Row] | None:
        """The collection that a path names, with the path's ids."""
        call = Call("GET", path, {})
        with suppress(Refusal):
            self.find(call)
        for each in ENDPOINTS:
            if call.route is not None and call.route.path == self.prefix + each.path:
                return each, dict(call.args)
        return None

    def batch(self, identity: str) -> Batch:
        """A batch that is not older than results are kept."""
        batch = self.batches.get(identity)
        if batch is None or self.clock.now() - batch.submitted > timedelta(days=BATCH_DAYS):
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
        sent_from, days = "", int(settings.get("email_activity_date_window") or 0)
        if days and endpoint.stream == "reports_email_activity":
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
