"""Campaign Monitor's API 3.3 in miniature: `python -m tap_campaign_monitor.sandbox --port 8080`.

The shapes that no primary source confirms are options.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import ceil
from typing import Any, ClassVar

from shared.sandbox import CONSENT, Answer, Call, Drift, Param, Refusal, Route, Row, Sandbox, Table, Trials, mix, salt

from . import expected, extras
from .account import COUNTERS, REPORTS, Account, Campaign, Place, SubscriberList
from .endpoints import APPLICATION, CLIENT_KEY, endpoints, grant, rationed, token

API_KEY = "5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d"
CODES = {400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Rate limit exceeded"}
GONE = {"400": (400, "301"), "other": (400, "9301"), "401": (401, "301"), "bare": (401, ""), "404": (404, "404")}
"""How it is told that a campaign is no more; the first number is unconfirmed."""
AUTHORISE = ("type", "response_type", "client_id", "redirect_uri", "scope", "state")


class CampaignMonitorSandbox(Sandbox):
    """The API, with an account in it."""

    name = "campaign-monitor-sandbox"
    trials = Trials(
        small_pages={"page_size": 100},
        options={"awkward": 1},
        walks=(("list_active_subscribers", {}), ("campaign_opens", {}), ("campaign_recipients", {})),
        fault_options={"scale": 0.1},
        refused=Refusal(401, "You do not have the required permission to access this resource", title="60"),
        gone=Refusal(400, "Invalid ID", title="301"),
        unavailable=Refusal(403, "Not allowed for a Non-agency Customer."),
    )
    prefix = "/api/v3.3"
    quotas: ClassVar = {"transactional": ((60, 60.0),)}
    own_options: ClassVar = {
        "consent": CONSENT,
        "login": (str, "key", "key, or oauth: tokens that are renewed"),
        "lifetime": (float, "1209600", "seconds that an access token lives"),
        "rotate": (int, "1", "1: a refresh token is good for one use"),
        "oauth_refusal": (int, "400", "status with which a token is refused"),
        "forbid": (str, "", "paths that need a scope the credential lacks, joined by +: /lists+/clients.json"),
        "plan": (str, "full", "full, or basic: without transactional e-mail"),
        "gone": (str, "400", "how a campaign that is no more answers: 400, other, 401, bare or 404"),
        "awkward": (int, "0", "1: there is U+0000 in texts, fields that nobody knows, parents that are gone"),
        "empty_pages": (int, "0", "NumberOfPages of an empty answer: 0 or 1"),
        "busy": (int, "0", "so many times a segment is being counted when it is asked for"),
        "date_filter": (str, "on", "date means on or after (on), or after"),
        "ties": (str, "kept", "rows of one minute keep their order, or come shuffled"),
        "order": (str, "asc", "reports come as asked for (asc), or always newest first (desc)"),
        "lag": (int, "0", "so many days a campaign's counters lag behind its reports"),
        "clicks": (str, "all", "what the counter of clicks counts: all, or unique ones"),
        "heavy": (int, "0", "larger pages than that end in 504"),
        "zone": (str, "", "another zone for the first client: pacific"),
        "campaigns": (int, "", "so many campaigns in all, and small ones"),
        "lists": (int, "", "so many lists in all"),
    }

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.tokens: dict[str, float] = {}
        self.refresh_tokens = {"sandbox-refresh-0"}
        self.codes: dict[str, str] = {}
        self.renewed = self.asked = 0
        self.busy: dict[str, int] = {}
        self.day_changed()

    def day_changed(self) -> None:
        """The account of the day, made anew."""
        self.account = self._account(self.day)
        self.lagging = self._account(self.day - self.options["lag"]) if self.options["lag"] else self.account
        self._tables: dict[tuple[str, str], Table] = {}

    def _account(self, day: int) -> Account:
        options = self.options
        return Account(
            seed=options["seed"],
            scale=options["scale"],
            day=day,
            zone=options["zone"],
            campaigns=options["campaigns"],
            lists=options["lists"],
            awkward=bool(options["awkward"]),
        )

    @property
    def settings(self) -> dict[str, Any]:
        """An API key, or an application's refresh token."""
        if self.options["login"] == "oauth":
            return {
                "refresh_token": "sandbox-refresh-0",
                "oauth_client_id": APPLICATION["client_id"],
                "oauth_client_secret": APPLICATION["client_secret"],
                "base_url": self.base_url,
            }
        return {"api_key": API_KEY, "base_url": self.base_url}

    def routes(self) -> Sequence[Route]:
        """The API's endpoints."""
        asked = {name: Param() for name in AUTHORISE}
        return [
            *(Route(path=self.prefix + path, handler=each, params=params) for path, each, params in endpoints()),
            *(
                Route(path=self.prefix + path, handler=each, params=params, quota="transactional")
                for path, each, params in rationed()
            ),
            Route(path="/oauth", handler=grant, params=asked, public=True),
            Route(path="/oauth/token", handler=token, method="POST", public=True),
        ]

    def answer(self, call: Call, *, trusted: bool = False) -> Answer:
        """What the API says, with what is left of the limit where there is one."""
        answer = super().answer(call, trusted=trusted)
        quota = call.route.quota if call.route else ""
        if not quota:
            return answer
        (limit, seconds), now = self.quotas[quota][0], self.clock.now().timestamp()
        recent = [at for at in self._begun.get(quota, ()) if at > now - seconds]
        reset = ceil(recent[0] + seconds - now) if recent else 0
        told = {"Limit": limit, "Remaining": max(0, limit - len(recent)), "Reset": reset}
        return replace(answer, headers=tuple((f"X-RateLimit-{name}", str(value)) for name, value in told.items()))

    def authorise(self, call: Call) -> None:
        """The credential, then its scope."""
        given = call.headers.get("authorization", "")
        if self.options["login"] == "oauth":
            ends = self.tokens.get(given.removeprefix("Bearer "))
            if ends is None:
                raise Refusal(401, "Invalid OAuth Token", title="120")
            if ends <= self.clock.now().timestamp():
                raise Refusal(401, "Expired OAuth Token", title="121")
        elif given != f"Basic {b64encode(f'{API_KEY}:x'.encode()).decode()}":
            raise Refusal(401, "Invalid API Key", title="100")
        for path in filter(None, (self.options["forbid"] or "").split("+")):
            if call.path.startswith(self.prefix + path):
                raise Refusal(401, "You do not have permission", title="60")

    def refuse(self, refusal: Refusal) -> Answer:
        """A code and its words."""
        code = int(refusal.title or 0)
        if not code and refusal.status == 401:
            return Answer(b"<html><body>Unauthorized</body></html>", 401, "text/html")
        for problem in refusal.problems:
            code = {"page": 800, "pagesize": 801, "orderfield": 802, "orderdirection": 803, "count": 850}.get(
                problem.name, 1
            )
        body = {"Code": code or refusal.status, "Message": refusal.detail or CODES.get(refusal.status, "Server Error")}
        return Answer.of(body, refusal.status)

    # What is there

    def client(self, call: Call) -> Place:
        """The client that a path names."""
        return self.client_named(call.args["client_id"].removesuffix(".json"))

    def client_named(self, client_id: str) -> Place:
        """The client with this id."""
        for place in self.account.clients:
            if self.account.client_id(place) == client_id:
                return place
        raise Refusal(401, "Invalid ClientID", title="102")

    def campaign(self, call: Call) -> Campaign:
        """The campaign that a path names. Awkward: one is gone."""
        found = self.account.campaigns.get(call.args["campaign_id"])
        if found is None or found.gone:
            status, code = GONE[self.options["gone"]]
            raise Refusal(status, "Invalid CampaignID", title=code)
        return found

    def summary(self, each: Campaign) -> Row:
        """A campaign's counters, which may lag and may mean unique clicks."""
        counts = {COUNTERS[kind]: len(self.lagging.events(each, kind)) for kind in REPORTS}
        if self.options["clicks"] == "unique":
            counts["Clicks"] = len({row["EmailAddress"] for row in self.lagging.events(each, "clicks")})
        return self.account.summary(each, counts)

    def events(self, each: Campaign, kind: str) -> Table:
        """The rows of a report, moving if `drift` is on."""
        rows = self.account.events(each, kind)
        return self._table((each.identity, kind), len(rows), rows.__getitem__)

    def count(self, each: SubscriberList) -> None:
        """Raises while the segment of a list is being counted."""
        asked = self.busy[each.identity] = self.busy.get(each.identity, 0) + 1
        if asked <= self.options["busy"]:
            raise Refusal(400, "The segment is being calculated", title="278")

    def list_of(self, call: Call) -> SubscriberList:
        """The list that a path names."""
        found = self.account.lists.get(call.args["list_id"].removesuffix(".json"))
        if found is None or found.gone:
            raise Refusal(401, "Invalid ListID", title="101")
        return found

    def subscribers(self, each: SubscriberList, state: str) -> Table:
        """The subscribers of a list in a state, moving if `drift` is on."""
        account = self.account
        count = max(0, account.subscriber_count(each, state))
        return self._table((each.identity, state), count, lambda number: account.subscriber(each, state, number))

    def segment(self, call: Call) -> SubscriberList:
        """The list of the segment that a path names."""
        wanted = call.args["segment_id"].removesuffix(".json")
        for each in self.account.lists.values():
            if not each.gone and self.account.identity("segment", each.identity) == wanted:
                return each
        raise Refusal(400, "Invalid SegmentID", title="271")

    def members(self, each: SubscriberList) -> Table:
        """Who is in the segment of a list."""
        count = (max(0, self.account.subscriber_count(each, "active")) + 1) // 2
        return self._table((each.identity, "members"), count, lambda number: extras.member(self.account, each, number))

    def suppressed(self, place: Place) -> Table:
        """A client's suppression list, moving if `drift` is on."""
        account = self.account
        count = extras.suppressed_count(account, place)
        key = (account.client_id(place), "suppressed")
        return self._table(key, count, lambda number: extras.suppressed(account, place, number))

    def recipients(self, each: Campaign) -> Table:
        """A campaign's recipients, moving if `drift` is on."""
        rows = self.account.sent_to(each)
        return self._table((each.identity, "recipients"), len(rows), rows.__getitem__)

    def _table(self, key: tuple[str, str], count: int, row: Callable[[int], Row]) -> Table:
        if key not in self._tables:
            table = Table(count, row)
            if self.options["drift"] and count > 20:
                table.drift = Drift(table, salt(self.options["seed"], *key))
            self._tables[key] = table
        return self._tables[key]

    def page(self, table: Table, call: Call, numbers: Sequence[int]) -> Answer:
        """One page of the rows with these numbers, and what is said of all."""
        params = call.params
        size, page = params["pagesize"], params["page"]
        if 0 < self.options["heavy"] < size:
            raise Refusal(504, "Timeout", title="504")
        shown = numbers[(page - 1) * size : page * size]
        rows = [dict(table.row(number)) for number in shown]
        for name, field, value in (
            ("includetrackingpreference", "ConsentToTrack", "Yes"),
            ("includesmspreference", "ConsentToSendSms", "No"),
        ):
            for row in rows if params.get(name) else ():
                if field == "ConsentToTrack" or "MobileNumber" in row:
                    row[field] = value
        body = {
            "Results": rows,
            "ResultsOrderedBy": params.get("orderfield", "date"),
            "OrderDirection": params["orderdirection"],
            "PageNumber": page,
            "PageSize": size,
            "RecordsOnThisPage": len(rows),
            "TotalNumberOfRecords": len(numbers),
            "NumberOfPages": ceil(len(numbers) / size) or self.options["empty_pages"],
        }
        answer = Answer.of(body)
        if table.drift is not None and rows:
            table.drift.step(numbers, (page - 1) * size + len(rows), self.clock.now())
        return answer

    def numbers(self, table: Table, call: Call, when: str = "Date") -> Sequence[int]:
        """The numbers of the rows asked for, in the order asked for."""
        params = call.params
        columns = {"email": "EmailAddress", "list": "ListID", "name": "Name", "date": when}
        column = columns[params.get("orderfield", "date")]
        is_descending = params["orderdirection"] == "desc" or (column == when and self.options["order"] == "desc")
        shown: Sequence[int] = table.order(column, is_descending)
        if column == when and self.options["ties"] == "shuffled":
            self.asked += 1
            values, turn = table.column(column), self.asked
            shown = sorted(shown, key=lambda number: mix(turn, number))
            shown = sorted(shown, key=values.__getitem__, reverse=is_descending)
        if table.drift is not None:
            shown = [number for number in shown if table.drift.visible(number)]
        if date := params.get("date"):
            dates = table.column(when)
            if self.options["date_filter"] == "on":
                shown = [number for number in shown if dates[number][: len(date)] >= date]
            else:
                shown = [number for number in shown if dates[number][: len(date)] > date]
        return shown

    # What a faultless read gives

    def records(self, stream: str, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        """What a faultless read gives."""
        return expected.records(self, stream, settings, stayed=stayed)


__all__ = ["API_KEY", "APPLICATION", "CLIENT_KEY", "CampaignMonitorSandbox"]
