"""Klaviyo's API in miniature: `python -m tap_klaviyo.sandbox --port 8080`.

`sandbox_endpoints` is the table of collections; to serve one more, add a row there, a line in `sandbox_kinds` (or a
method in `sandbox_data`), and its fields to `sandbox_truth`. Events, which are many, have a handler of their own.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar
from urllib.parse import parse_qs, parse_qsl, urlencode

from shared.sandbox import Answer, Call, Drift, Param, Refusal, Route, Row, Sandbox, Table, dumps, mix, salt, serve
from shared.timestamps import instant, parse

from . import sandbox_reports, sandbox_truth
from .sandbox_data import REASONS, START_DATE, Account, Resource
from .sandbox_endpoints import BY_STREAM, ENDPOINTS
from .sandbox_query import Clause, Endpoint, cursor, date_time, matches, names, place, read_filter, wire
from .sandbox_reports import Report

API_KEY = "pk_sandbox_0123456789abcdef"
CLIENT = ("sandbox-client", "sandbox-client-secret")
REFRESH_TOKEN = "sandbox-refresh-token-0"
TOKEN_SECONDS = 3600
OLDEST_REVISION = "2025-01-15"
DRIFT_FROM_ROWS = 20
"""Shorter collections stay as they are under `drift`, lest all of six lists be gone."""
TIERS: Mapping[str, tuple[tuple[int, float], ...]] = {
    "XS": ((1, 1), (15, 60)),
    "S": ((3, 1), (60, 60)),
    "M": ((10, 1), (150, 60)),
    "L": ((75, 1), (750, 60)),
    "XL": ((350, 1), (3500, 60)),
}
_CODES = {
    400: "invalid", 401: "not_authenticated", 403: "permission_denied", 404: "not_found", 405: "method_not_allowed",
    410: "gone", 429: "throttled",
}  # fmt: skip
EVENTS: Mapping[str, tuple[str, ...]] = {
    "receive": ("received email",),
    "click": ("clicked email",),
    "open": ("opened email",),
    "bounce": ("bounced email",),
    "dropped_email": ("dropped email",),
    "mark_as_spam": ("marked email as spam",),
    "unsubscribe": ("unsubscribed", "unsubscribed from email marketing"),
    "subscribe_list": ("subscribed to list",),
    "unsub_list": ("unsubscribed from list",),
    "update_email_preferences": ("updated email preferences",),
    "clicked_sms": ("clicked sms", "clicked text message"),
    "consented_to_receive": (
        "consented to receive sms",
        "subscribed to sms marketing",
        "subscribed to text messaging marketing",
    ),
    "failed_to_deliver": ("failed to deliver sms", "failed to deliver text message"),
    "failed_to_deliver_automated_response": (
        "failed to deliver automated response sms",
        "failed to deliver automated response text message",
    ),
    "received_automated_response": (
        "received automated response sms",
        "received automated response text message",
    ),
    "received_sms": ("received sms", "received text message"),
    "sent_sms": ("sent sms", "sent text message"),
    "unsubscribed_from_sms": (
        "unsubscribed from sms",
        "unsubscribed from sms marketing",
        "unsubscribed from text messaging marketing",
    ),
    "subscribed_to_email": ("subscribed to email marketing",),
    "subscribed_to_text_message_transactional": ("subscribed to text messaging transactional",),
    "unsubscribed_from_text_message_transactional": ("unsubscribed from text messaging transactional",),
}
"""Which metrics of Klaviyo's own each stream of events reads, in lower case."""

# --- Answers ---


def _collection(endpoint: Endpoint, sandbox: KlaviyoSandbox, call: Call) -> Answer:
    params = call.params
    clauses = sandbox.clauses(endpoint, params.get("filter"))
    table = sandbox.table(endpoint, call.args)
    sort = str(params.get("sort") or "")
    column = sort.lstrip("-")
    order = table.order("" if not column else "id" if column == "id" else f"attributes.{column}", sort.startswith("-"))
    if text := params.get("page[cursor]"):
        (number,) = place(text, 1)
        order = order[order.index(number) + 1 :]
    view = [number for number in order if sandbox.is_visible(table, number) and matches(table.row(number), clauses)]
    size = int(params.get("page[size]") or endpoint.fixed)
    shown = view[:size]
    following = cursor(shown[-1]) if len(view) > len(shown) else None
    answer = _page(endpoint, sandbox, call, [table.row(number) for number in shown], following)
    if table.drift is not None:
        table.drift.step(view, len(shown), sandbox.clock.now())
    return answer


def _events(endpoint: Endpoint, sandbox: KlaviyoSandbox, call: Call) -> Answer:
    account, params = sandbox.account, call.params
    clauses = sandbox.clauses(endpoint, params.get("filter"))
    low, high = 0, 2**40
    metric: str | None = None
    rest: list[Clause] = []
    for operator, name, value in clauses:
        if name == "metric_id":
            metric = str(value)
        elif name in ("datetime", "timestamp"):
            second = int(float(value)) if name == "timestamp" else int(parse(date_time(value)).timestamp())
            if operator.startswith("less") and second > sandbox.clock.now().timestamp():
                raise Refusal(400, "End date may not be in the future")
            if operator.startswith("less"):
                high = min(high, second + (operator == "less-or-equal"))
            else:
                low = max(low, second + (operator == "greater-than"))
        else:
            rest.append((operator, name, value))
    size = int(params["page[size]"])
    if str(params.get("sort") or "datetime").startswith("-"):
        raise Refusal(400, "The sandbox reads events in ascending order alone.")
    if metric is not None:
        at = next((n for n, each in enumerate(account.metrics) if each["id"] == metric), None)
        times = [] if at is None else account.times(metric)
        begin, end = bisect_left(times, (low,)), bisect_left(times, (high,))
        if text := params.get("page[cursor]"):
            begin = bisect_right(times, place(text, 2))
        places = [(second, int(at or 0), number) for second, number in times[begin : min(end, begin + size)]]
        following = cursor(places[-1][0], places[-1][2]) if begin + size < end else None
    else:
        merged = account.all_times
        begin, end = bisect_left(merged, (low,)), bisect_left(merged, (high,))
        if text := params.get("page[cursor]"):
            begin = bisect_right(merged, place(text, 3))
        places = merged[begin : min(end, begin + size)]
        following = cursor(*places[-1]) if begin + size < end else None
    rows = [account.event(account.metrics[at] if at >= 0 else None, second, n) for second, at, n in places]
    return _page(endpoint, sandbox, call, [row for row in rows if _has(row, rest)], following)


def _has(row: Resource, clauses: Sequence[Clause]) -> bool:
    for operator, name, value in clauses:
        data = (row["relationships"].get("profile" if name.startswith("profile") else "metric") or {}).get("data")
        if (operator == "has" and not data) or (operator == "equals" and (data or {}).get("id") != value):
            return False
    return True


def _page(
    endpoint: Endpoint, sandbox: KlaviyoSandbox, call: Call, rows: Sequence[Resource], following: str | None
) -> Answer:
    wanted = names(call.params.get("include"))
    if unknown := set(wanted) - set(names(endpoint.include)):
        raise Refusal(400, f"include: {', '.join(sorted(unknown))} is unknown")
    side: dict[tuple[str, str], Row] = {}
    always = endpoint.always if sandbox.options["linkage"] == "always" else _ALWAYS.get(endpoint.stream, ())
    data = [wire(row, call.params, linked=wanted, find=sandbox.account.find, side=side, always=always) for row in rows]
    body: Row = {"data": data, "links": {"self": sandbox.base_url + call.target, "next": None, "prev": None}}
    if following:
        query = [pair for pair in parse_qsl(call.target.partition("?")[2]) if pair[0] != "page[cursor]"]
        body["links"]["next"] = f"{sandbox.base_url}{call.path}?{urlencode([*query, ('page[cursor]', following)])}"
    if wanted:
        body["included"] = list(side.values())
    return Answer(dumps(body), content_type="application/vnd.api+json")


_ALWAYS = {
    "events": ("profile", "metric"), "campaigns": ("campaign-messages",), "catalog_variants": ("item",),
    "campaign_messages": ("campaign", "template", "image"), "coupon_codes": ("coupon", "profile"),
    "tags": ("tag-group",),
    "flow_messages": ("flow-action", "template"), "form_versions": ("form",), "push_tokens": ("profile",),
    "reviews": ("item",),
}  # fmt: skip


def _token(sandbox: KlaviyoSandbox, call: Call) -> Answer:
    form = {name: values[0] for name, values in parse_qs(call.body.decode()).items()}
    expected = b64encode(":".join(CLIENT).encode()).decode()
    if call.headers.get("authorization") != f"Basic {expected}":
        return Answer.of({"error": "invalid_client", "error_description": "unknown client"}, 401)
    if form.get("grant_type") != "refresh_token" or form.get("refresh_token") not in sandbox.refresh_tokens:
        return Answer.of({"error": "invalid_grant", "error_description": "the refresh token is not valid"}, 400)
    token = f"sandbox-access-{len(sandbox.tokens)}"
    sandbox.tokens[token] = sandbox.clock.now().timestamp() + TOKEN_SECONDS
    answer = {"access_token": token, "expires_in": TOKEN_SECONDS, "token_type": "bearer", "scope": "accounts:read"}
    if sandbox.options["rotate"] != "0":
        answer["refresh_token"] = f"sandbox-refresh-token-{len(sandbox.tokens)}"
        sandbox.refresh_tokens = {str(answer["refresh_token"])}
    return Answer.of(answer)


def _report(report: Report, sandbox: KlaviyoSandbox, call: Call) -> Answer:
    asked = sandbox_reports.attributes(report, call.json())
    found = list(sandbox_reports.results(sandbox.account, report, asked))
    begin = int(call.params.get("page_cursor") or 0)
    size = sandbox.report_rows if report.of in ("campaign", "flow") else len(found)
    following = begin + size if begin + size < len(found) else None
    attributes: Row = {"results": found[begin : begin + size]}
    if report.series:
        attributes["date_times"] = sandbox_reports.dates(asked["timeframe"])
    url = f"{sandbox.base_url}{call.path}"
    links = {"self": url, "next": f"{url}?page_cursor={following}" if following else None, "prev": None}
    body = {"data": {"type": report.name, "id": "r", "attributes": attributes}, "links": links}
    return Answer(dumps(body), content_type="application/vnd.api+json")


# --- The sandbox ---


class KlaviyoSandbox(Sandbox):
    """The API, with an account in it."""

    name = "klaviyo-sandbox"
    own_options: ClassVar = {
        "forbid": (str, "", "scopes that the key lacks, joined by +: events+profiles"),
        "quotas": (str, "1", "0: no quotas"),
        "rotate": (str, "0", "1: each refresh gives a new refresh token, and the old one is dead"),
        "gone_profile": (str, "null", "linkage of an event whose profile is gone: null or missing"),
        "linkage": (str, "sparse", "always: relations carry their ids wherever they may"),
        "limit_list": (str, "1", "0: RateLimit-Limit is a single number"),
    }

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.tokens: dict[str, float] = {}
        self.refresh_tokens = {REFRESH_TOKEN}
        self._drifts: dict[Any, Drift] = {}
        is_limited = self.options["quotas"] != "0"
        limits = {each.path: TIERS[each.tier] for each in ENDPOINTS}
        limits |= {f"/api/{each.name}s": ((1, 1.0), (2, 60.0)) for each in sandbox_reports.REPORTS}
        self.quotas = limits if is_limited else dict.fromkeys(limits, ((10**6, 1.0),))  # type: ignore[misc]
        self.report_rows = 15
        self.day_changed()

    def day_changed(self) -> None:
        """The account of the day, made anew."""
        self._drifts.clear()
        self.account = Account(
            seed=self.options["seed"],
            scale=self.options["scale"],
            day=self.day,
            gone_profile=self.options["gone_profile"],
        )

    @property
    def settings(self) -> dict[str, Any]:
        """A private key will do."""
        return {"api_key": API_KEY, "base_url": self.base_url, "start_date": START_DATE}

    @property
    def oauth_settings(self) -> dict[str, Any]:
        """The same account by a refresh token."""
        identifier, secret = CLIENT
        tokens = {"client_id": identifier, "client_secret": secret, "refresh_token": REFRESH_TOKEN}
        return {**tokens, "base_url": self.base_url, "start_date": START_DATE}

    def routes(self) -> Sequence[Route]:
        """The table's rows as routes, and where tokens come from."""
        made = [
            Route(
                path=each.path,
                handler=partial(_events if each.stream == "events" else _collection, each),
                params=each.params(),
                quota=each.path,
            )
            for each in ENDPOINTS
        ]
        made += [
            Route(
                path=f"/api/{each.name}s",
                method="POST",
                handler=partial(_report, each),
                params={"page_cursor": Param(), f"fields[{each.name}]": Param()},
                quota=f"/api/{each.name}s",
            )
            for each in sandbox_reports.REPORTS
        ]
        return (*made, Route(path="/oauth/token", method="POST", handler=_token, public=True))

    def authorise(self, call: Call) -> None:
        """A private key or a living token; the revision; the scope."""
        scheme, _, given = call.headers.get("authorization", "").partition(" ")
        is_alive = scheme == "Bearer" and self.tokens.get(given, 0) > self.clock.now().timestamp()
        if not (is_alive or (scheme == "Klaviyo-API-Key" and given == API_KEY)):
            raise Refusal(401, "Incorrect authentication credentials.")
        revision = call.headers.get("revision")
        if not revision:
            raise Refusal(400, "A revision header is required.")
        if revision < OLDEST_REVISION and call.headers.get("x-klaviyo-revision-fall-forward-opt-out"):
            raise Refusal(410, f"The revision {revision} was retired.")
        lacking = [f"{scope}:read" for scope in self.options["forbid"].split("+") if scope]
        assert call.route is not None
        endpoint = next((each for each in ENDPOINTS if each.path == call.route.path), None)
        if endpoint and (missing := sorted(set(endpoint.scopes.split()) & set(lacking))):
            raise Refusal(403, f"Missing scope {', '.join(missing)}")

    def refuse(self, refusal: Refusal) -> Answer:
        """JSON:API's errors."""
        detail = refusal.detail
        headers: tuple[tuple[str, str], ...] = ()
        if refusal.status == 429:
            seconds = max(1, round((refusal.wait_seconds or 0) + 0.5))
            detail = f"Request was throttled. Expected available in {seconds} seconds."
            headers = (("Retry-After", str(seconds)),)
        error: Row = {
            "id": f"{mix(refusal.status, len(detail)):016x}",
            "status": refusal.status,
            "code": _CODES.get(refusal.status, "error"),
            "title": "Invalid input." if refusal.status == 400 else "Error",
            "detail": detail or "Something went wrong.",
            "source": {"pointer": "/data/", **({"parameter": refusal.problems[0].name} if refusal.problems else {})},
            "links": {},
            "meta": {},
        }
        return Answer(dumps({"errors": [error]}), refusal.status, "application/vnd.api+json", headers)

    def answer(self, call: Call, *, trusted: bool = False) -> Answer:
        """What the API says, with the headers of the steady window."""
        answer = super().answer(call, trusted=trusted)
        if answer.status == 429 or call.route is None or not call.route.quota:
            return answer
        (burst, _), (steady, seconds) = (*self.quotas[call.route.quota], (10**6, 60))[:2]
        now = self.clock.now().timestamp()
        with self.lock:
            begun = [at for at in self._begun.get(call.route.quota, ()) if at > now - seconds]
        limit = f"{burst}, {burst};w=1, {steady};w=60" if self.options["limit_list"] != "0" else str(steady)
        reset = round(begun[0] + seconds - now) if begun else 0
        told = (("Limit", limit), ("Remaining", str(max(0, steady - len(begun)))), ("Reset", str(reset)))
        return replace(answer, headers=(*answer.headers, *((f"RateLimit-{name}", text) for name, text in told)))

    def clauses(self, endpoint: Endpoint, text: str | None) -> list[Clause]:
        """The filter of a request."""
        return read_filter(text, endpoint) if text else []

    def table(self, endpoint: Endpoint, args: Mapping[str, str]) -> Table:
        """A collection's rows; Refusal when the parent is not there."""
        try:
            table = self.account.table(endpoint.stream, args)
        except (KeyError, ValueError, StopIteration):
            raise Refusal(404, "A resource with that id does not exist.") from None
        if self.options["drift"] and table.count >= DRIFT_FROM_ROWS and endpoint.stream != "metrics":
            key = (endpoint.stream, *map(str, args.values()))
            if key not in self._drifts:
                self._drifts[key] = Drift(table, salt(self.options["seed"], *key))
            table.drift = self._drifts[key]
        return table

    def is_visible(self, table: Table, number: int) -> bool:
        """Whether a row is there now."""
        return table.drift is None or table.drift.visible(number)

    # What a faultless read gives.

    def truth(self, stream: str, settings: Mapping[str, Any] | None = None) -> list[Row]:
        """All records of `stream`, in no particular order."""
        with self.lock:
            return list(self._records(stream, settings or {}, stayed=False))

    def stayed(self, stream: str, settings: Mapping[str, Any] | None = None) -> list[Row]:
        """The records of rows (and parents) that were there from the beginning until now."""
        with self.lock:
            return list(self._records(stream, settings or {}, stayed=True))

    def as_read(self, stream: str) -> frozenset[str]:
        """Events come with their profile and their metric, flows with their tags, as they are today."""
        if stream in EVENTS or stream == "events":
            return frozenset(("profile", "profile_id", "metric", "metric_name", "_extra"))
        return frozenset(("tags", "tag_ids") if stream == "flows" else ())

    def changed_since(self, day: int, stream: str, settings: Mapping[str, Any] | None = None) -> list[Row]:
        """Events are new or they are not: that their metric was renamed, or their profile changed, does not count."""
        if stream not in EVENTS and stream != "events":
            return super().changed_since(day, stream, settings)
        before = {record["id"] for record in self.at_day(day).truth(stream, settings)}
        return [record for record in self.truth(stream, settings) if record["id"] not in before]

    def _records(self, stream: str, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        if stream in EVENTS or stream == "events":
            yield from self._event_records(stream, settings)
            return
        if stream in sandbox_reports.BY_STREAM:
            yield from self._report_records(stream, settings)
            return
        start = instant(settings.get("start_date") or START_DATE) or ""
        for beside, extra in self._resources(stream, settings, stayed=stayed):
            row = {**sandbox_truth.flattened(extra, beside), **self._added(stream, extra)}
            record = sandbox_truth.record(stream, row)
            if stream == "profiles" and record["updated"] < start:
                continue
            if settings.get("seed_keys") and stream == "global_exclusions" and record["email"] is None:
                continue
            yield record

    def _event_records(self, stream: str, settings: Mapping[str, Any]) -> Iterator[Row]:
        account = self.account
        start = parse(str(settings.get("start_date") or START_DATE)).timestamp()
        end = self.clock.now().timestamp()
        if settings.get("end_date"):
            end = parse(str(settings["end_date"])).timestamp()
        if settings.get("include_future_events"):
            end = 2**40
        for second, at, number in account.all_times:
            metric = account.metrics[at] if at >= 0 else None
            if not start <= second < end or (stream != "events" and (metric is None or not _feeds(metric, stream))):
                continue
            event = account.event(metric, second, number)
            link = event["relationships"].get("profile", {}).get("data")
            found = account.find(link) if link else None
            row = sandbox_truth.flattened(
                event, {"profile": [found] if found else [], "metric": [metric] if metric else []}
            )
            row["profile"] = [{k: v for k, v in each.items() if not k.startswith("_")} for each in row["profile"]]
            row["metric_name"] = metric["attributes"]["name"] if metric else None
            yield sandbox_truth.record("events", row)

    def _report_records(self, stream: str, settings: Mapping[str, Any]) -> Iterator[Row]:
        """One plain report of a kind. Its key is whatever tells rows apart."""
        report = sandbox_reports.BY_STREAM[stream]
        today = self.clock.now().replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        frame = {
            "end": (today - timedelta(days=1)).isoformat(),
            "start": (today - timedelta(days=int(settings.get("report_lookback_days") or 7))).isoformat(),
        }
        text = f'{{"end":"{frame["end"]}","start":"{frame["start"]}"}}'
        asked = {"statistics": list(_ASKED_STATISTICS[report.of]), "timeframe": frame}
        found = list(sandbox_reports.results(self.account, report, asked))
        metric = self.account.metrics[20]["id"] if report.of in ("campaign", "flow") else None
        constants: Row = {"report": "default", "timeframe": text, "conversion_metric_id": metric}
        for row in sandbox_reports.flat(report, asked, found):
            groups = {name: row[name] for name in row if name in report.groups}
            parts = [*constants.values(), groups, row.get("date_time")]
            identity = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
            key = hashlib.sha256(identity.encode()).hexdigest()[:32]
            own = constants if metric else {name: constants[name] for name in ("report", "timeframe")}
            yield sandbox_truth.record(stream, {"row_id": key, **own, **row})

    def _added(self, stream: str, resource: Resource) -> Row:
        """Columns that the tap adds."""
        more: Row = resource.get("_more", {})
        if stream == "profiles":
            return {"subscriptions": more["subscriptions"]}
        if stream == "global_exclusions":
            suppressions = more["subscriptions"]["email"]["marketing"]["suppression"]
            latest = max(suppressions, key=lambda each: each["timestamp"])
            return {**latest, "suppressions": suppressions, "subscriptions": more["subscriptions"]}
        return {}

    def _resources(
        self, stream: str, settings: Mapping[str, Any], *, stayed: bool
    ) -> Iterator[tuple[dict[str, list[Resource]], Resource]]:
        """Each resource of a stream, with those beside it."""
        if stream == "flow_actions":
            yield from (({}, each) for each in self.account.table(stream, {}).column("_self"))
            return
        source = "profiles" if stream == "global_exclusions" else stream
        for args, resource in self._rows(source, stayed=stayed):
            made = dict(resource)
            beside: dict[str, list[Resource]] = {}
            relations = dict(made["relationships"])
            if stream == "global_exclusions" and not set(made["_filter"][_REASON]) & set(REASONS):
                continue
            if stream in ("list_profiles", "segment_profiles"):
                row = {**args, "profile_id": made["id"], "joined_group_at": made["attributes"]["joined_group_at"]}
                yield {}, {"type": None, "id": None, "attributes": row}
                continue
            if stream == "catalog_category_items":
                yield {}, {"type": made["type"], "id": None, "attributes": {**args, "item_id": made["id"]}}
                continue
            if stream in _EMBEDDED:
                for name in _EMBEDDED[stream]:
                    links = relations[name]["data"]
                    beside[name] = [each for link in links if (each := self.account.find(link))]
            shown = {*_ALWAYS.get(stream, ()), *_EMBEDDED.get(stream, ()), *_ASKED.get(stream, ())}
            made["relationships"] = {name: part for name, part in relations.items() if name in shown}
            if stream == "campaigns":
                wanted = settings.get("campaign_channels") or ("email", "sms", "mobile_push")
                channels = made["_filter"][_CHANNEL]
                if not set(channels) & set(wanted):
                    continue
                made["attributes"] = {**made["attributes"], "channel": channels[0]}
            if stream == "push_tokens":  # asked for field by field, without the token
                made["attributes"] = {k: v for k, v in made["attributes"].items() if k != "not_yet_known"}
            if stream == "object_records":
                made["attributes"] = {**made["attributes"], **args}
            yield beside, made

    def _rows(self, stream: str, *, stayed: bool) -> Iterator[tuple[Row, Resource]]:
        endpoint = BY_STREAM[stream]
        for args in self._parents(endpoint, stayed=stayed):
            try:
                table = self.table(endpoint, args)
            except Refusal:
                continue
            for number in range(table.count):
                drift = table.drift
                if drift is None or (drift.stayed(number) if stayed else drift.visible(number)):
                    yield args, table.row(number)

    def _parents(self, endpoint: Endpoint, *, stayed: bool) -> Iterator[Row]:
        if endpoint.parent is None:
            yield {}
            return
        stream, fields = endpoint.parent
        if stream == "flow_actions":
            for each in self.account.table(stream, {}).column("_self"):
                if each["attributes"]["definition"]["type"].startswith("send-"):
                    yield {"flow_action_id": each["id"]}
            return
        for _, row in self._rows(stream, stayed=stayed):
            yield {name: row[column] for name, column in fields.items()}


_ASKED_STATISTICS: Mapping[str, tuple[str, ...]] = {
    "campaign": (
        "average_order_value", "bounce_rate", "bounced", "click_rate", "clicks", "clicks_unique", "conversion_rate",
        "conversion_uniques", "conversion_value", "conversions", "delivered", "delivery_rate", "failed", "open_rate",
        "opens", "opens_unique", "recipients", "revenue_per_recipient", "spam_complaints", "unsubscribe_rate",
        "unsubscribe_uniques", "unsubscribes",
    ),
    "form": (
        "closed_form", "closed_form_uniques", "qualified_form", "qualified_form_uniques", "submit_rate", "submits",
        "viewed_form", "viewed_form_uniques",
    ),
    "segment": ("members_added", "members_removed", "net_members_changed", "total_members"),
}  # fmt: skip
_ASKED_STATISTICS = {**_ASKED_STATISTICS, "flow": _ASKED_STATISTICS["campaign"]}
_REASON, _CHANNEL = "subscriptions.email.marketing.suppression.reason", "messages.channel"
_EMBEDDED: Mapping[str, tuple[str, ...]] = {
    "campaigns": ("tags", "campaign-messages"), "lists": ("tags",), "segments": ("tags",), "flows": ("tags",),
}  # fmt: skip
_ASKED: Mapping[str, tuple[str, ...]] = {
    "tags": ("tag-group",), "mapped_metrics": ("metric", "custom-metric"), "webhooks": ("webhook-topics",),
    "campaign_messages": ("template", "image"),
}  # fmt: skip


def _feeds(metric: Resource, stream: str) -> bool:
    attributes = metric["attributes"]
    name = " ".join(attributes["name"].lower().split())
    return attributes["integration"]["name"] == "Klaviyo" and name in EVENTS[stream]


if __name__ == "__main__":
    raise SystemExit(serve(KlaviyoSandbox))
