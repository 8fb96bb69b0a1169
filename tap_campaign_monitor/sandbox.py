"""Campaign Monitor's API 3.3 in miniature: `python -m tap_campaign_monitor.sandbox --port 8080`.

The shapes that no primary source confirms are options.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from math import ceil
from typing import Any, ClassVar
from urllib.parse import parse_qs

from shared.sandbox import Answer, Call, Drift, Param, Refusal, Route, Row, Sandbox, Table, salt, serve
from shared.timestamps import instant

from . import sandbox_extras as extras
from .sandbox_data import CLIENTS, REPORTS, STATES, Account, Campaign, Place, SubscriberList
from .sandbox_truth import FIELDS, record, utc

API_KEY = "5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d"
CLIENT_KEY = "e0f1a2b3c4d5e6f7a8b9c0d1e2f3a4b5"
"""What a client's details hold and nobody may ever see."""
APPLICATION = {"client_id": "31415", "client_secret": "sandbox-application-secret"}
CODES = {400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Rate limit exceeded"}
PAGED = {
    "page": Param("integer", default=1, least=1),
    "pagesize": Param("integer", default=1000, least=10, most=1000),
    "orderdirection": Param(options=("asc", "desc"), default="desc"),
}
FLAGS = {name: Param("boolean", default=False) for name in ("includetrackingpreference", "includesmspreference")}
STREAMS = {
    "campaign_opens": "opens",
    "campaign_clicks": "clicks",
    "campaign_bounces": "bounces",
    "campaign_unsubscribes": "unsubscribes",
    "campaign_spam_complaints": "spam",
}
OF_CLIENT: dict[str, Callable[[Account, Place], list[Row]]] = {
    "drafts": extras.drafts,
    "scheduled": extras.scheduled,
    "tags": extras.tags,
    "templates": extras.templates,
    "people": extras.people,
    "segments": extras.segments,
    "journeys": extras.journeys,
}
JOURNEY_REPORTS = ("recipients", "opens", "clicks", "bounces", "unsubscribes")
OF_LIST: dict[str, Callable[[Account, SubscriberList], list[Row] | Row]] = {
    "stats": extras.stats,
    "customfields": extras.custom_fields,
    "webhooks": extras.webhooks,
}
CLIENT_STREAMS = {
    "draft_campaigns": "drafts",
    "scheduled_campaigns": "scheduled",
    **{name: name for name in ("tags", "templates", "people", "segments", "journeys")},
}
LIST_STREAMS = {"list_stats": "stats", "list_custom_fields": "customfields", "list_webhooks": "webhooks"}


def _order(*names: str) -> dict[str, Param]:
    return {"orderfield": Param(options=names, default=names[-1])}


class CampaignMonitorSandbox(Sandbox):
    """The API, with an account in it."""

    name = "campaign-monitor-sandbox"
    prefix = "/api/v3.3"
    own_options: ClassVar = {
        "login": (str, "key", "key, or oauth: tokens that are renewed"),
        "lifetime": (float, "1209600", "seconds (of real time) that an access token lives"),
        "rotate": (int, "1", "1: a refresh token is good for one use"),
        "forbid": (str, "", "paths that need a scope the credential lacks, joined by +: /lists+/clients.json"),
        "empty_pages": (int, "0", "NumberOfPages of an empty answer: 0 or 1"),
        "busy": (int, "0", "so many times a segment is being counted when its members are asked for"),
        "date_filter": (str, "on", "date means on or after (on), or after"),
    }

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.tokens: dict[str, float] = {}
        self.refresh_tokens = {"sandbox-refresh-0"}
        self.renewed = 0
        self.busy: dict[str, int] = {}
        self.day_changed()

    def day_changed(self) -> None:
        """The account of the day, made anew."""
        self.account = Account(seed=self.options["seed"], scale=self.options["scale"], day=self.day)
        self._tables: dict[tuple[str, str], Table] = {}

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
        by_date = {"date": Param(), **PAGED}
        made: list[tuple[str, Callable[[Any, Call], Answer], Mapping[str, Param]]] = [
            ("/clients.json", _clients, {}),
            ("/clients/{client_id}", _client, {}),
            ("/clients/{client_id}/campaigns.json", _campaigns, PAGED),
            ("/clients/{client_id}/lists.json", _lists, {}),
            ("/campaigns/{campaign_id}/summary.json", _summary, {}),
            ("/campaigns/{campaign_id}/emailclientusage.json", _usage, {}),
            ("/campaigns/{campaign_id}/recipients.json", _recipients, {**PAGED, **_order("list", "email")}),
            ("/campaigns/{campaign_id}/listsandsegments.json", _sent_to, {}),
            ("/lists/{list_id}", _list, {}),
            ("/journeys/{journey_id}", _journey, {}),
            ("/admins.json", lambda box, call: Answer.of(extras.administrators(box.account)), {}),
            ("/clients/{client_id}/suppressionlist.json", _suppressed, {**PAGED, **_order("date", "email")}),
            ("/segments/{segment_id}", _segment, {}),
            (
                "/segments/{segment_id}/active.json",
                _members,
                {**by_date, **FLAGS, **_order("name", "date", "email")},
            ),
        ]
        made += [(f"/journeys/email/{{email_id}}/{kind}.json", _journey_rows, by_date) for kind in JOURNEY_REPORTS]
        made += [(f"/clients/{{client_id}}/{name}.json", _below_client(rows), {}) for name, rows in OF_CLIENT.items()]
        made += [(f"/lists/{{list_id}}/{name}.json", _below_list(rows), {}) for name, rows in OF_LIST.items()]
        made += [
            (f"/campaigns/{{campaign_id}}/{kind}.json", _events, {**by_date, **_order("email", "list", "date")})
            for kind in REPORTS
        ]
        made += [
            (f"/lists/{{list_id}}/{state}.json", _subscribers, {**by_date, **FLAGS, **_order("email", "name", "date")})
            for state in STATES
        ]
        return [
            *(Route(path=self.prefix + path, handler=handler, params=params) for path, handler, params in made),
            Route(path="/oauth/token", handler=_token, method="POST", public=True),
        ]

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
        for problem in refusal.problems:
            code = {"page": 800, "pagesize": 801, "orderfield": 802, "orderdirection": 803}.get(problem.name, 1)
        body = {"Code": code or refusal.status, "Message": refusal.detail or CODES.get(refusal.status, "Server Error")}
        return Answer.of(body, refusal.status)

    # What is there

    def client(self, call: Call) -> Place:
        """The client that a path names."""
        wanted = call.args["client_id"].removesuffix(".json")
        for place in CLIENTS:
            if self.account.client_id(place) == wanted:
                return place
        raise Refusal(401, "Invalid ClientID", title="102")

    def campaign(self, call: Call) -> Campaign:
        """The campaign that a path names. Awkward: that it is gone, a 400 says or a 401."""
        found = self.account.campaigns.get(call.args["campaign_id"])
        if found is None or found.gone:
            raise Refusal(400, "Invalid CampaignID", title="301")
        return found

    def list_of(self, call: Call) -> SubscriberList:
        """The list that a path names."""
        found = self.account.lists.get(call.args["list_id"].removesuffix(".json"))
        if found is None or found.gone:
            raise Refusal(401, "Unauthorized", title="50")
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
        shown: Sequence[int] = table.order(
            columns[params.get("orderfield", "date")], params["orderdirection"] == "desc"
        )
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

    def truth(self, stream: str, settings: Mapping[str, Any] | None = None) -> list[Row]:
        """All records of `stream`, in no particular order."""
        with self.lock:
            return list(self._records(stream, settings or {}, stayed=False))

    def stayed(self, stream: str, settings: Mapping[str, Any] | None = None) -> list[Row]:
        """The records of rows that were there all the time."""
        with self.lock:
            return list(self._records(stream, settings or {}, stayed=True))

    def _records(self, stream: str, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        since = instant(settings.get("start_date")) or ""
        for place, row in self._rows(stream, stayed=stayed):
            made = record(FIELDS[stream], row, place.zone)
            if stream != "administrators":
                made["ClientID"] = self.account.client_id(place)
            if stream == "scheduled_campaigns":
                zones = {"(GMT+09:00) Osaka, Sapporo, Tokyo": "Asia/Tokyo", "": place.zone}
                zone = zones.get(row["ScheduledTimeZone"], "America/Los_Angeles")
                made["DateScheduled"] = utc(row["DateScheduled"], zone)
            if stream == "tags":
                made["NumberOfCampaigns"] = int(row["NumberOfCampaigns"])
            if "DateLocal" not in made or made["Date"] >= since:
                yield made

    def _rows(self, stream: str, *, stayed: bool) -> Iterator[tuple[Place, Row]]:
        account = self.account
        if stream == "campaigns" or not stream.startswith(("campaign_", "list_", "segment_")):
            for place in CLIENTS[:1] if stream == "administrators" else CLIENTS:
                yield from ((place, row) for row in self._of_client(stream, place, stayed=stayed))
        elif stream.startswith("campaign_"):
            for campaign in account.campaigns.values():
                for row in [] if campaign.gone else self._below_campaign(stream, campaign, stayed=stayed):
                    yield campaign.client, {**row, "CampaignID": campaign.identity}
        else:
            below = self._below_segment if stream.startswith("segment_") else self._below_list
            for found in account.lists.values():
                own = {"SegmentID": account.identity("segment", found.identity), "ListID": found.identity}
                name = "SegmentID" if stream.startswith("segment_") else "ListID"
                for row in [] if found.gone else below(stream, found, stayed=stayed):
                    yield found.client, {**row, name: own[name]}

    def _of_client(self, stream: str, place: Place, *, stayed: bool) -> Iterator[Row]:
        account = self.account
        if stream.startswith("journey_"):
            yield from self._of_journeys(stream, place)
        elif stream in CLIENT_STREAMS:
            yield from OF_CLIENT[CLIENT_STREAMS[stream]](account, place)
        elif stream == "clients":
            yield _named(self, place)
        elif stream == "client_details":
            yield _details(self, place)
        elif stream == "administrators":
            yield from extras.administrators(account)
        elif stream == "suppression_list":
            yield from _still(self.suppressed(place), stayed=stayed)
        elif stream == "campaigns":
            yield from (account.campaign(each) for each in account.campaigns.values() if each.client == place)
        elif stream == "lists":
            for each in account.lists.values():
                if each.client == place:
                    yield {"ListID": each.identity, "Name": account.details(each)["Title"]}

    def _of_journeys(self, stream: str, place: Place) -> Iterator[Row]:
        account = self.account
        for number, journey in enumerate(extras.journeys(account, place)):
            own = {name: journey[name] for name in ("JourneyID", "ListID")}
            if stream == "journey_emails":
                emails = extras.journey(account, place, number)["Emails"]
                yield from ({**row, "JourneyID": own["JourneyID"]} for row in emails)
                continue
            kind = stream.removeprefix("journey_email_")
            for each in extras.journey_campaigns(account, place, number):
                rows = [{**row, **own, "EmailID": each.identity} for row in extras.journey_rows(account, each, kind)]
                yield from _numbered(each, rows) if kind in ("opens", "clicks") else rows

    def _below_campaign(self, stream: str, each: Campaign, *, stayed: bool) -> Iterator[Row]:
        if stream == "campaign_summary":
            yield self.account.summary(each)
        elif stream == "campaign_email_client_usage":
            yield from self.account.usage(each)
        elif stream in ("campaign_lists", "campaign_segments"):
            yield from extras.sent_to(self.account, each)[stream.split("_")[1].capitalize()]
        elif stream == "campaign_recipients":
            yield from _still(self.recipients(each), stayed=stayed)
        else:
            rows = self.account.events(each, STREAMS[stream])
            yield from _numbered(each, rows) if stream in ("campaign_opens", "campaign_clicks") else rows

    def _below_list(self, stream: str, each: SubscriberList, *, stayed: bool) -> Iterator[Row]:
        if stream == "list_details":
            yield self.account.details(each)
        elif stream in LIST_STREAMS:
            found = OF_LIST[LIST_STREAMS[stream]](self.account, each)
            yield from [found] if isinstance(found, dict) else found
        else:
            yield from _with_consent(_still(self.subscribers(each, stream.split("_")[1]), stayed=stayed))

    def _below_segment(self, stream: str, each: SubscriberList, *, stayed: bool) -> Iterator[Row]:
        if stream == "segment_details":
            yield extras.segment_details(self.account, each)
        else:
            yield from _with_consent(_still(self.members(each), stayed=stayed))


def _with_consent(rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        more = {"ConsentToSendSms": "No"} if "MobileNumber" in row else {}
        yield {**row, "ConsentToTrack": "Yes", **more}


def _still(table: Table, *, stayed: bool) -> Iterator[Row]:
    for number in range(table.count):
        if not stayed or table.drift is None or table.drift.stayed(number):
            yield table.row(number)


def _numbered(campaign: Campaign, rows: Sequence[Row]) -> Iterator[Row]:
    """The rows with their keys, as the reference has them."""
    met: dict[str, int] = {}
    for row in rows:
        parts = [campaign.identity, row["ListID"], row["EmailAddress"], row["Date"]]
        parts += [row.get("URL") or "", row["IPAddress"] or ""]
        met[str(parts)] = met.get(str(parts), 0) + 1
        text = json.dumps([*parts, met[str(parts)]], ensure_ascii=False, separators=(",", ":"))
        yield {**row, "RecordKey": sha256(text.encode()).hexdigest()[:32]}


# Endpoints


def _named(sandbox: CampaignMonitorSandbox, place: Place) -> Row:
    return {"ClientID": sandbox.account.client_id(place), "Name": f"Client {place.number}"}


def _details(sandbox: CampaignMonitorSandbox, place: Place) -> Row:
    return {
        "BasicDetails": {
            "ClientID": sandbox.account.client_id(place),
            "CompanyName": f"Client {place.number}",
            "ContactName": "Zoë",
            "EmailAddress": "zoë@example.org",
            "Country": "Atlantis",
            "TimeZone": place.label,
        },
        "AccessDetails": {"Username": "zoe", "AccessLevel": 23},
        "BillingDetails": {"CanPurchaseCredits": True, "Credits": 500, "ClientPays": False, "Currency": "USD"},
    }


def _clients(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    return Answer.of([_named(sandbox, place) for place in CLIENTS])


def _client(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    return Answer.of({"ApiKey": CLIENT_KEY, **_details(sandbox, sandbox.client(call))})


def _campaigns(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    account, place = sandbox.account, sandbox.client(call)
    found = sorted((each.sent, each.identity) for each in account.campaigns.values() if each.client == place)
    if call.params["orderdirection"] == "desc":
        found.reverse()
    table = Table.of([account.campaign(account.campaigns[identity]) for _, identity in found])
    return sandbox.page(table, call, range(table.count))


def _lists(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    account, place = sandbox.account, sandbox.client(call)
    return Answer.of(
        [
            {"ListID": each.identity, "Name": account.details(each)["Title"]}
            for each in account.lists.values()
            if each.client == place
        ]
    )


def _summary(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    return Answer.of(sandbox.account.summary(sandbox.campaign(call)))


def _usage(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    return Answer.of(sandbox.account.usage(sandbox.campaign(call)))


def _recipients(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    table = sandbox.recipients(sandbox.campaign(call))
    return sandbox.page(table, call, sandbox.numbers(table, call))


def _events(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    kind = call.path.rpartition("/")[2].removesuffix(".json")
    table = Table.of(sandbox.account.events(sandbox.campaign(call), kind))
    return sandbox.page(table, call, sandbox.numbers(table, call))


def _list(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    return Answer.of(sandbox.account.details(sandbox.list_of(call)))


def _subscribers(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    state = call.path.rpartition("/")[2].removesuffix(".json")
    table = sandbox.subscribers(sandbox.list_of(call), state)
    return sandbox.page(table, call, sandbox.numbers(table, call))


def _below_client(rows: Callable[[Account, Place], Any]) -> Callable[[Any, Call], Answer]:
    return lambda sandbox, call: Answer.of(rows(sandbox.account, sandbox.client(call)))


def _below_list(rows: Callable[[Account, SubscriberList], Any]) -> Callable[[Any, Call], Answer]:
    return lambda sandbox, call: Answer.of(rows(sandbox.account, sandbox.list_of(call)))


def _sent_to(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    return Answer.of(extras.sent_to(sandbox.account, sandbox.campaign(call)))


def _suppressed(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    table = sandbox.suppressed(sandbox.client(call))
    return sandbox.page(table, call, sandbox.numbers(table, call))


def _segment(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    return Answer.of(extras.segment_details(sandbox.account, sandbox.segment(call)))


def _members(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    each = sandbox.segment(call)
    asked = sandbox.busy[each.identity] = sandbox.busy.get(each.identity, 0) + 1
    if asked <= sandbox.options["busy"]:
        raise Refusal(400, "The segment is being calculated", title="278")
    table = sandbox.members(each)
    return sandbox.page(table, call, sandbox.numbers(table, call))


def _journey(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    wanted = call.args["journey_id"].removesuffix(".json")
    for place in CLIENTS:
        for number, row in enumerate(extras.journeys(sandbox.account, place)):
            if row["JourneyID"] == wanted:
                return Answer.of(extras.journey(sandbox.account, place, number))
    raise Refusal(400, "Invalid JourneyID", title="3000")


def _journey_rows(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    kind = call.path.rpartition("/")[2].removesuffix(".json")
    date = "SentDate" if kind == "recipients" else "Date"
    for place in CLIENTS:
        for number in range(3):
            for each in extras.journey_campaigns(sandbox.account, place, number):
                if each.identity == call.args["email_id"]:
                    table = Table.of(extras.journey_rows(sandbox.account, each, kind))
                    return sandbox.page(table, call, sandbox.numbers(table, call, date))
    raise Refusal(400, "Invalid EmailID", title="3002")


def _token(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    """A new pair of tokens; a refresh token that was used up, or never given, is refused."""
    form = {name: values[0] for name, values in parse_qs(call.body.decode()).items()}
    kind = form.get("grant_type")
    with sandbox.lock:
        if kind == "refresh_token":
            is_good = form.get("refresh_token") in sandbox.refresh_tokens
        else:
            is_good = form.get("code") == "sandbox-code" and all(form.get(n) == v for n, v in APPLICATION.items())
        if not is_good:
            return Answer.of({"error": "invalid_grant", "error_description": "Specified code is invalid."}, 400)
        if sandbox.options["rotate"]:
            sandbox.refresh_tokens.discard(form.get("refresh_token", ""))
        sandbox.renewed += 1
        access, refresh = f"sandbox-access-{sandbox.renewed}", f"sandbox-refresh-{sandbox.renewed}"
        lifetime = sandbox.options["lifetime"]
        sandbox.tokens[access] = (sandbox.clock.now() + timedelta(seconds=lifetime)).timestamp()
        sandbox.refresh_tokens.add(refresh)
    return Answer.of({"access_token": access, "expires_in": int(lifetime), "refresh_token": refresh})


if __name__ == "__main__":
    raise SystemExit(serve(CampaignMonitorSandbox))
