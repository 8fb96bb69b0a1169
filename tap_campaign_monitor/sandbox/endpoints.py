"""What the sandbox's endpoints answer, one function each, and the table of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from shared.sandbox import Answer, Call, Param, Refusal, Row, Table, consent

from . import extras, transactional
from .account import REPORTS, STATES, Account, Place, SubscriberList

if TYPE_CHECKING:
    from . import CampaignMonitorSandbox

Handler = Callable[[Any, Call], Answer]
CLIENT_KEY = "e0f1a2b3c4d5e6f7a8b9c0d1e2f3a4b5"
"""What a client's details hold and nobody may ever see."""
APPLICATION = {"client_id": "31415", "client_secret": "sandbox-application-secret"}
SCOPES = {
    "ViewReports", "ViewSubscribersInReports", "ManageLists", "ManageTemplates", "Automation", "ViewTransactional",
    "AdministerPersons", "AdministerAccount",
}  # fmt: skip
PAGED = {
    "page": Param("integer", default=1, least=1),
    "pagesize": Param("integer", default=1000, least=10, most=1000),
    "orderdirection": Param(options=("asc", "desc"), default="desc"),
}
BY_DATE = {"date": Param(), **PAGED}
FLAGS = {name: Param("boolean", default=False) for name in ("includetrackingpreference", "includesmspreference")}
OF_CLIENT: dict[str, Callable[[Account, Place], list[Row]]] = {
    "drafts": extras.drafts,
    "scheduled": extras.scheduled,
    "tags": extras.tags,
    "templates": extras.templates,
    "sendingdomains": extras.domains,
    "people": extras.people,
    "segments": extras.segments,
    "journeys": extras.journeys,
}
OF_LIST: dict[str, Callable[[Account, SubscriberList], list[Row] | Row]] = {
    "stats": extras.stats,
    "customfields": extras.custom_fields,
    "webhooks": extras.webhooks,
}
JOURNEY_REPORTS = ("recipients", "opens", "clicks", "bounces", "unsubscribes")


def endpoints() -> list[tuple[str, Handler, Mapping[str, Param]]]:
    """Path, handler and parameters of what is read with a credential."""
    subscribers = {**BY_DATE, **FLAGS, **_order("email", "name", "date")}
    made: list[tuple[str, Handler, Mapping[str, Param]]] = [
        ("/clients.json", _clients, {}),
        ("/clients/{client_id}", _client, {}),
        ("/clients/{client_id}/campaigns.json", _campaigns, {**PAGED, "tags": Param()}),
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
        ("/segments/{segment_id}/active.json", _members, {**BY_DATE, **FLAGS, **_order("name", "date", "email")}),
    ]
    made += [(f"/journeys/email/{{email_id}}/{kind}.json", _journey_rows, BY_DATE) for kind in JOURNEY_REPORTS]
    made += [(f"/clients/{{client_id}}/{name}.json", _below_client(rows), {}) for name, rows in OF_CLIENT.items()]
    made += [(f"/lists/{{list_id}}/{name}.json", _below_list(rows), {}) for name, rows in OF_LIST.items()]
    events = {**BY_DATE, **_order("email", "list", "date")}
    made += [(f"/campaigns/{{campaign_id}}/{kind}.json", _events, events) for kind in REPORTS]
    made += [(f"/lists/{{list_id}}/{state}.json", _subscribers, subscribers) for state in STATES]
    return made


def rationed() -> list[tuple[str, Handler, Mapping[str, Param]]]:
    """The same of what has a documented limit."""
    own, one = transactional, {**transactional.CLIENT, **transactional.DETAILS}
    return [
        ("/transactional/smartEmail", own.list_smart_emails, {**own.CLIENT, "status": Param()}),
        ("/transactional/smartEmail/{smart_email_id}", own.show_smart_email, own.CLIENT),
        ("/transactional/classicEmail/groups", own.list_groups, own.CLIENT),
        ("/transactional/messages", own.list_messages, {**own.CLIENT, **own.MESSAGES}),
        ("/transactional/messages/{message_id}", own.show_message, one),
        ("/transactional/statistics", own.show_statistics, {**own.CLIENT, **own.STATISTICS}),
    ]


def _order(*names: str) -> dict[str, Param]:
    return {"orderfield": Param(options=names, default=names[-1])}


# Clients


def client_name(sandbox: CampaignMonitorSandbox, place: Place) -> Row:
    """A client as it is listed."""
    return {"ClientID": sandbox.account.client_id(place), "Name": f"Client {place.number}"}


def client_details(sandbox: CampaignMonitorSandbox, place: Place) -> Row:
    """A client's details but for its key."""
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
        "BillingDetails": {"Credits": 500, "ClientPays": False, "Currency": "USD", "MarkupOnDesignSpamTest": 4.5},
    }


def _clients(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    return Answer.of([client_name(sandbox, place) for place in sandbox.account.clients])


def _client(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    return Answer.of({"ApiKey": CLIENT_KEY, **client_details(sandbox, sandbox.client(call))})


def _below_client(rows: Callable[[Account, Place], Any]) -> Handler:
    return lambda sandbox, call: Answer.of(rows(sandbox.account, sandbox.client(call)))


def _suppressed(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    table = sandbox.suppressed(sandbox.client(call))
    return sandbox.page(table, call, sandbox.numbers(table, call))


# Campaigns


def _campaigns(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    account, place = sandbox.account, sandbox.client(call)
    found = sorted((each.sent, each.identity) for each in account.campaigns.values() if each.client == place)
    if call.params["orderdirection"] == "desc":
        found.reverse()
    tags = set(filter(None, call.params.get("tags", "").split(",")))
    rows = [account.campaign(account.campaigns[identity]) for _, identity in found]
    table = Table.of([row for row in rows if tags <= set(row.get("Tags") or ())])
    return sandbox.page(table, call, range(table.count))


def _summary(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    return Answer.of(sandbox.summary(sandbox.campaign(call)))


def _usage(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    return Answer.of(sandbox.account.usage(sandbox.campaign(call)))


def _recipients(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    table = sandbox.recipients(sandbox.campaign(call))
    return sandbox.page(table, call, sandbox.numbers(table, call))


def _sent_to(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    return Answer.of(extras.sent_to(sandbox.account, sandbox.campaign(call)))


def _events(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    table = sandbox.events(sandbox.campaign(call), _last_name(call))
    return sandbox.page(table, call, sandbox.numbers(table, call))


# Lists and segments


def _lists(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    account, place = sandbox.account, sandbox.client(call)
    own = [each for each in account.lists.values() if each.client == place]
    return Answer.of([{"ListID": each.identity, "Name": account.details(each)["Title"]} for each in own])


def _list(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    return Answer.of(sandbox.account.details(sandbox.list_of(call)))


def _below_list(rows: Callable[[Account, SubscriberList], Any]) -> Handler:
    return lambda sandbox, call: Answer.of(rows(sandbox.account, sandbox.list_of(call)))


def _subscribers(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    if len(call.params.get("date", "")) > len("2026-01-31"):  # documented for lists is a day
        raise Refusal(400, "Invalid Date", title="5")
    table = sandbox.subscribers(sandbox.list_of(call), _last_name(call))
    return sandbox.page(table, call, sandbox.numbers(table, call))


def _segment(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    each = sandbox.segment(call)
    sandbox.count(each)
    return Answer.of(extras.segment_details(sandbox.account, each))


def _members(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    each = sandbox.segment(call)
    sandbox.count(each)
    table = sandbox.members(each)
    return sandbox.page(table, call, sandbox.numbers(table, call))


# Journeys


def _journey(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    wanted = call.args["journey_id"].removesuffix(".json")
    for place in sandbox.account.clients:
        for number, row in enumerate(extras.journeys(sandbox.account, place)):
            if row["JourneyID"] == wanted:
                return Answer.of(extras.journey(sandbox.account, place, number))
    raise Refusal(400, "Invalid JourneyID", title="3000")


def _journey_rows(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    kind = _last_name(call)
    date = "SentDate" if kind == "recipients" else "Date"
    for place in sandbox.account.clients:
        for number in range(3):
            for each in extras.journey_campaigns(sandbox.account, place, number):
                if each.identity == call.args["email_id"]:
                    table = Table.of(extras.journey_rows(sandbox.account, each, kind))
                    return sandbox.page(table, call, sandbox.numbers(table, call, date))
    raise Refusal(400, "Invalid EmailID", title="3002")


def _last_name(call: Call) -> str:
    return call.path.rpartition("/")[2].removesuffix(".json")


# OAuth


def grant(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    """Sends the browser back with a code that is good for one use, once the user has agreed."""
    asked = {name: values[0] for name, values in parse_qs(call.target.partition("?")[2]).items()}
    way, answer = sandbox.options["consent"], {}
    if asked.get("client_id") != APPLICATION["client_id"]:
        way, answer = "", {"error": "unknown_client"}
    elif not set(asked.get("scope", "").split(",")) <= SCOPES:
        way, answer = "", {"error": "unknown_scope"}
    else:
        with sandbox.lock:
            answer = {"code": f"sandbox-code-{len(sandbox.codes)}"}
            sandbox.codes[answer["code"]] = asked["redirect_uri"]
    return consent(way, asked["redirect_uri"], answer, asked.get("state", ""))


def token(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    """A new pair of tokens; a code or a refresh token that was used up, or never given, is refused."""
    form = {name: values[0] for name, values in parse_qs(call.body.decode()).items()}
    with sandbox.lock:
        if form.get("grant_type") == "refresh_token":
            is_good = form.get("refresh_token") in sandbox.refresh_tokens
        else:
            is_known = all(form.get(name) == value for name, value in APPLICATION.items())
            is_good = is_known and sandbox.codes.pop(form.get("code", ""), None) == form.get("redirect_uri", "")
        if not is_good:
            status = sandbox.options["oauth_refusal"]
            return Answer.of({"error": "invalid_grant", "error_description": "Specified code is invalid."}, status)
        if sandbox.options["rotate"]:
            sandbox.refresh_tokens.discard(form.get("refresh_token", ""))
        sandbox.renewed += 1
        access, refresh = f"sandbox-access-{sandbox.renewed}", f"sandbox-refresh-{sandbox.renewed}"
        lifetime = sandbox.options["lifetime"]
        sandbox.tokens[access] = (sandbox.clock.now() + timedelta(seconds=lifetime)).timestamp()
        sandbox.refresh_tokens.add(refresh)
    return Answer.of({"access_token": access, "expires_in": int(lifetime), "refresh_token": refresh})
