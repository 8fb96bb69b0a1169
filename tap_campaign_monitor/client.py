"""Campaign Monitor over HTTP: which credential, and what its answers mean.

A status of 401 alone says little here: the `Code` in the body tells a bad key from an expired token, a missing scope,
a wrong client and an id that is no more.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from shared.api.answers import Response, answered, retry_after, standard_verdict, words
from shared.api.client import Client, Context, Retry
from shared.api.limits import Limits, Quota
from shared.api.oauth import Flow, Tokens
from shared.api.request import Request
from shared.errors import ApiError, AuthError, ConfigError, GoneError, RefusedError, RetryableError, UnavailableError
from shared.streams import Settings
from shared.urls import is_loopback

API = "https://api.createsend.com"
SCOPES = (
    "ViewReports",
    "ViewSubscribersInReports",
    "ManageLists",
    "ManageTemplates",
    "Automation",
    "ViewTransactional",
    "AdministerPersons",
    "AdministerAccount",
)
SCOPE_OF = (
    ("/transactional/", "ViewTransactional"),
    ("/journeys", "Automation"),
    ("/templates", "ManageTemplates"),
    ("/people", "AdministerPersons"),
    ("/admins", "AdministerAccount"),
    ("/lists", "ManageLists"),
    ("/segments", "ManageLists"),
    ("/suppressionlist", "ManageLists"),
    ("/sendingdomains", "AdministerAccount"),
    ("/summary", "ViewReports"),
    ("/emailclientusage", "ViewReports"),
    ("/campaigns/", "ViewReports and ViewSubscribersInReports"),
    ("/clients/", "ViewReports"),
    ("", "AdministerAccount"),
)
"""What a path needs; the first that is part of it."""
TRANSACTIONAL = "transactional"
"""The one limit that is documented; how many requests it allows is not, the answers tell."""
MOST_TRIES = 1_000
"""Time decides how long to try: `max_retry_seconds`."""
BUSY = (278, 287)
"""A segment is being counted."""
BUSY_SECONDS = 300.0
NOT_PLANNED = (286, 980)
"""Not in the plan of the client that was asked about."""
NOT_SET_UP = (993, 994)
"""The client has not authenticated its domain, without which there is no transactional e-mail."""
VANISHED = (101, 271, 301, 302, 926, 3000, 3002, 4001)
"""Ids of a list, segment, campaign, message, smart e-mail, journey, journey's e-mail, template that are no more."""
PAGE_SECONDS = 30.0
"""So long a 404 that is a web page is asked again: the API's own are JSON, so something on the way made it."""
WHERE_SHOWN = "It is shown under Account settings, API keys; an agency's in the settings of each client."
_INVALID_ID = re.compile(r"invalid [a-z]+ ?id\b", re.IGNORECASE)
"""How such an id is called whatever its code: those of lists and campaigns are unconfirmed."""
_DETAILS = re.compile(r"/clients/[^/]+\.json")


class BusyError(RetryableError, GoneError):
    """A segment is being counted: worth waiting for, and left for the next run when that takes too long."""


class NotOursError(RefusedError):
    """The client asked about is not one of the credential's."""


class CampaignMonitor(Client):
    """Leaves `clientID` out once that alone was wrong: the key is then a client's own, and needs none."""

    is_clients_own = False

    def send(self, request: Request, **how: Any) -> Any:
        bare = request.with_params({"clientID": None})
        if "clientID" not in request.params or len(self.settings.get("client_id") or ()) != 1:
            return super().send(request, **how)
        if self.is_clients_own:
            return super().send(bare, **how)
        try:
            return super().send(request, **how)
        except NotOursError:
            self.is_clients_own = True
            return super().send(bare, **how)


def _oauth(settings: Settings, path: str) -> str:
    """An OAuth address, beside the API's; an API on this machine has its own."""
    base = urlsplit(str(settings.get("base_url") or ""))
    return f"{base.scheme}://{base.netloc}{path}" if is_loopback(base.hostname) else f"{API}{path}"


OAUTH = Flow(
    authorize_url=lambda settings: _oauth(settings, "/oauth"),
    token_url=lambda settings: _oauth(settings, "/oauth/token"),
    scopes=SCOPES,
    scope_separator=",",
    client_auth="body",
    refresh_auth="none",
    extra={"type": "web_server"},
    client_id="oauth_client_id",
    client_secret="oauth_client_secret",  # noqa: S106 (a name, no secret)
)


def connect(context: Context) -> Client:
    """A client for the account; nothing is asked yet."""
    settings = context.settings
    authenticate: Callable[[Request], Mapping[str, str]]
    refresh: Callable[[], None] | None = None
    if key := settings.get("api_key"):
        encoded = base64.b64encode(f"{key}:x".encode()).decode()
        context.masks.add(encoded)
        authenticate = lambda request: {"Authorization": f"Basic {encoded}"}  # noqa: E731
    else:
        tokens = Tokens(OAUTH, context)
        authenticate, refresh = tokens.headers, tokens.refresh
    seconds = float(settings["max_retry_seconds"])
    limits = Limits(
        connections=int(settings["concurrency"]),
        quotas=(Quota(TRANSACTIONAL, connections=1),),
    )
    return CampaignMonitor(
        context,
        base_url=str(settings.get("base_url") or f"{API}/api/v3.3"),
        authenticate=authenticate,
        refresh=refresh,
        verdict=partial(verdict, settings=settings, limits=limits),
        headers={"Accept": "application/json"},
        limits=limits,
        retry=Retry(tries=MOST_TRIES, budget_seconds=seconds, quota_seconds=seconds),
    )


def verdict(request: Request, response: Response, *, settings: Settings, limits: Limits) -> ApiError | None:
    """What an answer means; the body's `Code` decides where it has one."""
    status = response.status
    if status < 400:
        if request.quota and response.headers.get("X-RateLimit-Remaining") == "0":
            limits.pause(_reset_seconds(response) or 0, request.quota)
        return standard_verdict(request, response)
    code = _code(response)

    def text(advice: str = "") -> str:
        said = f"{words(response)} (Code {code})" if code else words(response)
        about = f"Asked for was client {request.params['clientID']}." if "clientID" in request.params else ""
        return answered(request, response, say=said, advice=" ".join(filter(None, (about, advice))))

    if status == 429:
        seconds = _reset_seconds(response)
        return RetryableError(text(), wait_seconds=seconds, everyone=True, fewer_connections=not request.quota)
    if code in BUSY:
        return BusyError(text("The segment is being counted."), most_seconds=BUSY_SECONDS)
    if code in NOT_PLANNED or (status, code) == (403, 403):
        return UnavailableError(text("This is not in the plan or kind of the account."))
    if code in NOT_SET_UP:
        return UnavailableError(text("The sending domain must be authenticated in Campaign Monitor first."))
    if code in VANISHED or (status == 400 and _INVALID_ID.match(words(response))):
        return GoneError(text())
    if status in (403, 404) and response.content.lstrip()[:1] == b"<":
        page = text("That is a web page, not an answer of the API: a firewall or proxy on the way may have made it.")
        return RetryableError(page, most_seconds=PAGE_SECONDS) if status == 404 else RefusedError(page)
    if status == 401:
        return _refused(request, code, text, settings)
    return standard_verdict(request, response)


def _refused(request: Request, code: int, text: Callable[[str], str], settings: Settings) -> ApiError:
    chosen = settings.get("client_id") or ()
    if code == 60:
        return RefusedError(text(_missing(request)))
    if code == 102:
        return _not_ours(request, text, chosen)
    if code in (120, 121, 122):
        return AuthError(text("The token is refused: authorise again with --authorize."), has_expired=code == 121)
    if code == 50:
        return AuthError(text("No credential arrived: a proxy on the way may take the Authorization header out."))
    is_child = request.path.count("/") > 1
    if code == 100 or not (code or is_child or chosen):
        return AuthError(text("Check api_key."))
    if is_child:  # unowned and deleted ids answer so, not with 404
        return GoneError(text(""))
    return RefusedError(text("The credential may not read this."))


def _missing(request: Request) -> str:
    if _DETAILS.fullmatch(request.path):
        return "The scope AdministerAccount is missing: authorise again, or set timezone, for which details are needed."
    scope = next(scope for part, scope in SCOPE_OF if part in request.path)
    return f"The scope {scope} is missing: authorise again, allow it for this client, or deselect the stream."


def _not_ours(request: Request, text: Callable[[str], str], chosen: Sequence[str]) -> ApiError:
    if request.path.startswith("/transactional/"):
        return NotOursError(text("A key of this client, or of its account, is needed for transactional e-mail."))
    if not chosen:  # removed since it was listed
        return GoneError(text(""))
    if len(chosen) > 1 or not request.path.startswith("/clients/"):
        return NotOursError(text("The client_id is not in this account; the credential itself is good."))
    return AuthError(text(f"client_id is not in this account; the credential itself is good. {WHERE_SHOWN}"))


def _reset_seconds(response: Response) -> float | None:
    asked = response.headers.get("X-RateLimit-Reset", "")
    return float(asked) if asked.isdigit() else retry_after(response)


def _code(response: Response) -> int:
    try:
        body = response.json()
        return int(body.get("Code") or 0)
    except (ValueError, TypeError, AttributeError):
        return 0


def without_key(response: Response) -> Any:
    """A client's details without its live API key, which goes no further than this."""
    from shared.records import values  # heavy

    body, _ = values.parse(response.content)
    if not isinstance(body, dict):
        raise ValueError("a client's details are no object")
    body.pop("ApiKey", None)
    return body


def clients_of(client: Client) -> list[Any] | None:
    """The clients of the account; None where the credential is one client's own, or may not list them."""
    try:
        found = client.json(Request("/clients.json"), stream="clients")
    except (RefusedError, UnavailableError, GoneError) as error:
        if client.settings.get("client_id"):
            return None
        advice = f"For the key of a single client set client_id. {WHERE_SHOWN}"
        raise ConfigError(f"{error} {advice}") from None
    if not isinstance(found, list):
        raise ApiError("clients: GET /clients.json: the answer is no list of clients.")
    return found


def check(client: Client) -> None:
    """Proves the credential; a key of one client may be kept from the list of clients and be good all the same."""
    if clients_of(client) == []:
        client.report.warn("clients", "the account holds no clients, so there is nothing below them to read.")
