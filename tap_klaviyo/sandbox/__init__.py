"""Klaviyo's API in miniature: `python -m tap_klaviyo.sandbox --port 8080`.

`facts.json` is the table of collections and their fields; to serve one more, add it there, and to `kinds` (or a method
to `account`). Events, which are many, have a handler of their own, and so have reports. What should be read of all
this is in `records`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlencode

from shared.sandbox import CONSENT, Answer, Call, Drift, Param, Refusal, Route, Row, Trials, dumps, mix
from shared.timestamps import parse

from . import aggregates, oauth, reports
from .account import Account
from .endpoints import BY_STREAM, ENDPOINTS
from .oauth import CLIENT, REFRESH_TOKEN
from .people import KEPT_EVENTS, START_DATE, Resource
from .query import Clause, Endpoint, cursor, date_time, matches, names, place, rates, read_filter, wire
from .records import LINKED, Recorded
from .reports import Report
from .truth import FACTS

API_KEY = "pk_sandbox_0123456789abcdef"
OLDEST_REVISION = "2025-01-15"
FIXED_SIZE = 10_000
"""Rows of a page where `page[size]` is unknown."""
SIZED_SINCE: Mapping[str, str] = {
    "/api/events": "2026-01-15",
    **dict.fromkeys(("/api/campaigns", "/api/lists", "/api/segments", "/api/templates"), "2026-04-15"),
}
"""The first revision in which an endpoint knows `page[size]`."""
_CODES = {
    400: "invalid", 401: "not_authenticated", 403: "permission_denied", 404: "not_found", 405: "method_not_allowed",
    410: "gone", 429: "throttled",
}  # fmt: skip

_LIST = "/api/lists/{list_id}"
_AGGREGATES = "/api/metric-aggregates"

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
    found = (number for number in order if sandbox.is_visible(table, number) and matches(table.row(number), clauses))
    fixed = sandbox.options["metrics_page"] if endpoint.stream == "metrics" else FIXED_SIZE
    size = int(params.get("page[size]") or fixed)
    view = list(found if table.drift is not None else islice(found, size + 1))
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
        return _latest_events(endpoint, sandbox, call, metric, (low, high), size)
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


def _latest_events(
    endpoint: Endpoint, sandbox: KlaviyoSandbox, call: Call, metric: str | None, span: tuple[int, int], size: int
) -> Answer:
    """Events from the latest on."""
    account = sandbox.account
    found = [
        each
        for each in account.all_times
        if span[0] <= each[0] < span[1] and metric in (None, account.metrics[each[1]]["id"] if each[1] >= 0 else "")
    ][::-1]
    begin = place(call.params["page[cursor]"], 1)[0] if call.params.get("page[cursor]") else 0
    shown = found[begin : begin + size]
    rows = [account.event(account.metrics[at] if at >= 0 else None, second, n) for second, at, n in shown]
    return _page(endpoint, sandbox, call, rows, cursor(begin + size) if begin + size < len(found) else None)


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
    if unknown := set(wanted) - set(endpoint.facts["parameters"].get("include", ())):
        raise Refusal(400, f"include: {', '.join(sorted(unknown))} is unknown")
    side: dict[tuple[str, str], Row] = {}
    told = sandbox.options["linkage"] == "always"
    find = partial(_side_loaded, sandbox.account, call.params, told)
    always = endpoint.always if sandbox.options["linkage"] == "always" else LINKED.get(endpoint.stream, ())
    data = [wire(row, call.params, linked=wanted, find=find, side=side, always=always) for row in rows]
    body: Row = {"data": data, "links": {"self": sandbox.base_url + call.target, "next": None, "prev": None}}
    if following:
        query = [pair for pair in parse_qsl(call.target.partition("?")[2]) if pair[0] != "page[cursor]"]
        body["links"]["next"] = f"{sandbox.base_url}{call.path}?{urlencode([*query, ('page[cursor]', following)])}"
    if wanted:
        body["included"] = list(side.values())
    return Answer(dumps(body), content_type="application/vnd.api+json")


_LINKS_ONLY = ("flow-action", "catalog-variant")
"""Side-loaded resources that do not tell which resource they belong to."""


def _side_loaded(account: Account, params: Mapping[str, Any], told: bool, link: Mapping[str, str]) -> Row | None:
    """What a link points to, made once, for many events are of one profile. `told`: with its linkage."""
    kind = link["type"]
    key = (kind, link["id"], params.get(f"fields[{kind}]"), params.get(f"additional-fields[{kind}]"))
    if key not in account.side_loaded:
        found = account.find(link)
        if found is None:
            return None
        always = () if kind in _LINKS_ONLY and not told else tuple(found["relationships"])
        made = wire(found, params, linked=(), always=always)
        account.side_loaded[key] = made
    return account.side_loaded[key]


def _list(sandbox: KlaviyoSandbox, call: Call) -> Answer:
    """One list, which alone can tell how many profiles it has."""
    table = sandbox.table(BY_STREAM["lists"], {})
    found = [row for row in table.column("_self") if row["id"] == call.args["list_id"]]
    if not found:
        raise Refusal(404, "A list with that id does not exist.")
    count = sandbox.account.table("list_profiles", call.args).count
    resource = {**found[0], "_more": {"profile_count": count}}
    return Answer(dumps({"data": wire(resource, call.params, linked=())}), content_type="application/vnd.api+json")


def _report(report: Report, sandbox: KlaviyoSandbox, call: Call) -> Answer:
    asked = reports.attributes(report, call.json())
    found = list(reports.results(sandbox.account, report, asked))
    begin = int(call.params.get("page_cursor") or 0)
    size = sandbox.report_rows if report.of in ("campaign", "flow") else len(found)
    following = begin + size if begin + size < len(found) else None
    attributes: Row = {"results": found[begin : begin + size]}
    if report.series:
        attributes["date_times"] = reports.dates(asked["timeframe"])
    url = f"{sandbox.base_url}{call.path}"
    links = {"self": url, "next": f"{url}?page_cursor={following}" if following else None, "prev": None}
    body = {"data": {"type": report.name, "id": "r", "attributes": attributes}, "links": links}
    return Answer(dumps(body), content_type="application/vnd.api+json")


def _aggregates(sandbox: KlaviyoSandbox, call: Call) -> Answer:
    asked = aggregates.attributes(call.json())
    dates, groups = aggregates.counted(sandbox.account, asked)
    begin = int(asked.get("page_cursor") or 0)
    size = min(int(asked.get("page_size") or 500), sandbox.report_rows)
    following = begin + size if begin + size < len(groups) else None
    data = [{"dimensions": group, "measurements": numbers} for group, numbers in groups[begin : begin + size]]
    url = f"{sandbox.base_url}{call.path}"
    links = {"self": url, "next": f"{url}?page_cursor={following}" if following else None, "prev": None}
    attributes = {"dates": dates, "data": data}
    body = {"data": {"type": "metric-aggregate", "id": "a", "attributes": attributes, "links": links}, "links": links}
    return Answer(dumps(body), content_type="application/vnd.api+json")


# --- The sandbox ---


class KlaviyoSandbox(Recorded):
    """The API, with an account in it."""

    name = "klaviyo-sandbox"
    trials = Trials(
        small_pages={"page_size": 20},
        walks=(("receive", {"event_window_days": 8}), ("profiles", {}), ("events", {})),
        scarce=("metric_properties",),
        fault_options={"scale": 0.3, "quotas": 0},
        fault_settings={"page_size": 3},
        refused=Refusal(403, "Missing required scope for this resource."),
        unavailable=Refusal(403, "This feature is not included in the plan of this account."),
    )
    own_options: ClassVar = {
        "forbid": (str, "", "scopes that the key lacks, joined by +: events+profiles"),
        "quotas": (str, "1", "0: no quotas"),
        "consent": CONSENT,
        "rotate": (str, "0", "1: each refresh gives a new refresh token, and the old one is dead"),
        "gone_profile": (str, "null", "linkage of an event whose profile is gone: null or missing"),
        "oldest_revision": (str, OLDEST_REVISION, "those before it were retired"),
        "odd": (str, "1", "0: no values that the specification does not allow"),
        "linkage": (str, "sparse", "always: relations carry their ids wherever they may"),
        "reports_a_day": (int, "225", "how often each kind of report may be asked for in a day"),
        "metrics_page": (int, "200", "metrics on a page"),
        "limit_list": (str, "1", "0: RateLimit-Limit is a single number"),
    }

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.tokens: dict[str, float] = {}
        self.refresh_tokens = {REFRESH_TOKEN}
        self.codes: dict[str, tuple[str, str]] = {}
        self._drifts: dict[Any, Drift] = {}
        is_limited = self.options["quotas"] != "0"
        limits = {each.path: rates(each.facts) for each in ENDPOINTS}
        daily = (self.options["reports_a_day"], 86_400.0)
        limits |= {f"/api/{each.name}s": (*rates(each.facts), daily) for each in reports.REPORTS}
        limits[_LIST] = ((1, 1.0), (15, 60.0))
        limits[_AGGREGATES] = rates(FACTS["reports"]["metric_aggregates"])
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
            is_odd=self.options["odd"] != "0",
        )

    def prepare(self) -> None:
        """Events in their order, and what is found by id."""
        account = self.account
        account.find({"type": "nothing", "id": ""})
        for second, at, number in account.all_times[:KEPT_EVENTS]:
            account.event(account.metrics[at] if at >= 0 else None, second, number)
        for name in ("campaigns", "lists"):
            self.account.table(name, {})

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
                lasting=True,
            )
            for each in ENDPOINTS
        ]
        params = {name: Param() for name in ("additional-fields[list]", "fields[list]", "include")}
        made.append(Route(path=_LIST, handler=_list, params=params, quota=_LIST))
        made += [
            Route(
                path=f"/api/{each.name}s",
                method="POST",
                handler=partial(_report, each),
                params={"page_cursor": Param(), f"fields[{each.name}]": Param()},
                quota=f"/api/{each.name}s",
            )
            for each in reports.REPORTS
        ]
        path = _AGGREGATES
        made.append(
            Route(
                path=path,
                method="POST",
                handler=_aggregates,
                params={"page_cursor": Param(), "fields[metric-aggregate]": Param()},
                quota=path,
            )
        )
        return (*made, *oauth.ROUTES)

    def authorise(self, call: Call) -> None:
        """A private key or a living token; the revision; the scope."""
        scheme, _, given = call.headers.get("authorization", "").partition(" ")
        is_alive = scheme == "Bearer" and self.tokens.get(given, 0) > self.clock.now().timestamp()
        if not (is_alive or (scheme == "Klaviyo-API-Key" and given == API_KEY)):
            raise Refusal(401, "Incorrect authentication credentials.")
        revision = call.headers.get("revision")
        if not revision:
            raise Refusal(400, "A revision header is required.")
        if revision < self.options["oldest_revision"] and call.headers.get("x-klaviyo-revision-fall-forward-opt-out"):
            raise Refusal(410, f"The revision {revision} was retired.")
        assert call.route is not None
        if revision < SIZED_SINCE.get(call.route.path, "") and "page[size]=" in unquote(call.target):
            raise Refusal(400, f"page[size] is unknown to the revision {revision}")
        lacking = [f"{scope}:read" for scope in self.options["forbid"].split("+") if scope]
        endpoint = next((each for each in ENDPOINTS if each.path == call.route.path), None)
        if endpoint and (missing := sorted(set(endpoint.facts["scopes"]) & set(lacking))):
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
