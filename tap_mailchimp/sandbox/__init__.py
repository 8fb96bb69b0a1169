"""Mailchimp's Marketing API 3.0 in miniature: `python -m tap_mailchimp.sandbox --port 8080`.

Its collections are in `endpoints`, what they hold in `account` and the modules named there, how they
are served in `pages`. Batches and OAuth, which are no collections, are in `services`; what a faultless
tap makes of it all is in `truth`.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from shared.sandbox import (
    CONSENT,
    Answer,
    Call,
    Drift,
    Param,
    Problem,
    Refusal,
    Route,
    Row,
    Sandbox,
    Table,
    Trials,
    dumps,
    salt,
)
from shared.timestamps import instant

from . import services
from .account import Account
from .endpoints import ALL_ORDERS, BY_STREAM, ENDPOINTS
from .pages import CURSOR, Endpoint, item, page, page_after, trim, whole
from .services import BATCH_DAYS, Batch
from .truth import events, numbered, record

API_KEY = "0123456789abcdef0123456789abcdef-us6"
ACCESS_TOKEN = "sandbox-access-token"
START_DATE = "2020-01-01T00:00:00Z"
SMALL_ROWS = 20
"""In shorter collections more of the rows move under `drift`, but never the first, lest the largest list be gone."""
_BOOKMARKS = {
    "list_members": "last_changed",
    "member_tags": "member_last_changed",
    "audience_contacts": "last_updated_at",
    "file_manager_files": "created_at",
}
"""Streams that begin at the start date, by its field."""
_PROBLEM_TYPE = "https://mailchimp.com/developer/marketing/docs/errors/"
_NOT_VALID = (
    "The resource submitted could not be validated. For field-specific details, see the 'errors' array."  # their words
)


def _root(sandbox: MailchimpSandbox, call: Call) -> Answer:
    return Answer(dumps(trim(dict(sandbox.account.account({}).row(0)), "", call.params)))


def _ping(sandbox: MailchimpSandbox, call: Call) -> Answer:
    return Answer.of({"health_status": "Everything's Chimpy!"})


class MailchimpSandbox(Sandbox):
    """The API, with an account in it."""

    name = "mailchimp-sandbox"
    trials = Trials(
        small_pages={"page_size": 100},
        walks=(
            ("list_members", {}),
            ("list_segment_members", {}),
            ("reports_email_activity", {}),
            ("reports_email_activity", {"email_activity_mode": "batch"}),
            ("audience_contacts", {}),
            ("member_tags", {}),
        ),
        apart=("member_activity", "member_activity_feed", "member_events", "member_goals"),
        apart_options={"scale": 0.02},
        fault_settings={"page_size": 10},
        thorough=True,
        fault_options={"scale": 0.02},
    )
    prefix = "/3.0"
    connections = 10
    # Mailchimp ignores parameters it does not know; `strict=1` refuses them, and the statistics count them.
    unknown_params_refused = False
    own_options: ClassVar = {
        "automation_reports": (int, "0", "1: e-mails of automations have reports too, which nobody confirms"),
        "absent": (str, "", "paths of features that the account lacks (404), joined by +: /sms-campaigns+/audiences"),
        "forbid": (str, "", "paths that this role may not read, joined by +: /reports+/ecommerce"),
        "slow": (str, "", "ends of paths that take too long to be read but through a batch, joined by +"),
        "consent": CONSENT,
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
        if self.options["automation_reports"]:
            self.account.add_automation_reports()

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
            answer = page_after if each.paged == CURSOR else page if each.key else whole
            made.append(Route(path=path, handler=partial(answer, each), params=each.all_params(), lasting=True))
            if each.item:
                shown = {"fields": Param(), "exclude_fields": Param(), **each.params}
                made.append(Route(path=f"{path}/{{item_id}}", handler=partial(item, each), params=shown))
        return (
            *made,
            Route(path=self.prefix, handler=_root, params={"fields": Param(), "exclude_fields": Param()}),
            Route(path=f"{self.prefix}/ping", handler=_ping, params={"fields": Param(), "exclude_fields": Param()}),
            *services.routes(self.prefix),
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
        if any(call.path.startswith(self.prefix + path) for path in filter(None, self.options["absent"].split("+"))):
            raise Refusal(404)
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
        if self.options["drift"]:
            key = (endpoint.path, *(str(value) for name, value in args.items() if f"{{{name}}}" in endpoint.path))
            if key not in self._drifts:
                pace = {"late": 4, "removed": 2, "stay": 1} if table.count < SMALL_ROWS else {}
                self._drifts[key] = Drift(table, salt(self.options["seed"], *key), **pace)
            table.drift = self._drifts[key]
        return table

    def moved(self) -> set[str]:
        """The streams of which rows were removed or appeared so far, under `drift`."""
        found = set()
        for (path, *_), drift in self._drifts.items():
            if drift.moved:
                found |= {each.stream for each in ENDPOINTS if each.path == path}
        return found

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

    def records(self, stream: str, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        """What a faultless read gives; email events as `truth.events` says."""
        yield from numbered(stream, self._plain_records(stream, settings, stayed=stayed))

    def _plain_records(self, stream: str, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        since = instant(settings.get("start_date")) or ""
        for args, row in self._rows(stream, settings, stayed=stayed):
            if stream == "reports_email_activity":
                for event in events(row):
                    if event["timestamp"] >= since:
                        yield event
                continue
            shape = BY_STREAM[stream].shape
            shaped = row if shape is None else shape(row, BY_STREAM[stream].asked)
            made = record(stream, shaped, args)
            if (field := _BOOKMARKS.get(stream)) and (made[field] or "") < since:
                continue
            yield made

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
        if stream == "reports" and settings.get("report_automation_emails") and self.options["automation_reports"]:
            for _, row in self._rows("automation_emails", settings, stayed=stayed):
                if row["emails_sent"] or row["status"] != "save":
                    yield {"campaign_id": row["id"]}


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
