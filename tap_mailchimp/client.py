"""Mailchimp over HTTP: which data centre, which credential, what its answers mean, how many at once.

The API answers only at the account's own data centre. An API key ends in its name (`…-us6`); for an OAuth token it is
asked for once. Throttling has no headers and often no body, so the status decides, and a body is read only if it is
JSON. The exception is a firewall's page, which is told from throttling by its words.
"""

from __future__ import annotations

import base64
import html
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from shared.api.answers import Response, answered, retry_after, standard_verdict, words
from shared.api.client import Client, Context
from shared.api.limits import Limits
from shared.api.oauth import Flow, Tokens
from shared.api.request import Request
from shared.errors import (
    ApiError,
    AuthError,
    ConfigError,
    QuotaError,
    RefusedError,
    RetryableError,
    UnavailableError,
)
from shared.streams import Settings
from shared.urls import is_loopback

LOGIN = "https://login.mailchimp.com"
MOST_CONNECTIONS = 10
"""For a user, over all applications; not raisable. What goes beyond is answered 429."""


def _login(settings: Settings, path: str) -> str:
    """A login address; an API on this machine has its own."""
    base = urlsplit(str(settings.get("base_url") or ""))
    return f"{base.scheme}://{base.netloc}{path}" if is_loopback(base.hostname) else f"{LOGIN}{path}"


OAUTH = Flow(
    authorize_url=lambda settings: _login(settings, "/oauth2/authorize"),
    token_url=lambda settings: _login(settings, "/oauth2/token"),
    client_auth="body",
)
"""No scopes, no PKCE, no refresh: a token lives until its user takes it back."""


def connect(context: Context) -> Client:
    """A client for the account; nothing is asked yet."""
    settings = context.settings
    key = settings.get("api_key")
    if settings.get("access_token") or not key:
        tokens = Tokens(OAUTH, context)
        authenticate: Callable[[Request], Mapping[str, str]] = tokens.headers
        token: Callable[[], str] = tokens.token
    else:
        encoded = base64.b64encode(f"tap:{key}".encode()).decode()  # any user name will do
        authenticate = lambda request: {"Authorization": f"Basic {encoded}"}  # noqa: E731
        token = lambda: str(key)  # noqa: E731
        context.masks.add(encoded)
    return Client(
        context,
        base_url=_base_url(context, token),
        authenticate=authenticate,
        verdict=Firewall().verdict,
        limits=Limits(connections=min(int(settings["concurrency"]), MOST_CONNECTIONS)),
    )


def _base_url(context: Context, token: Callable[[], str]) -> str | Callable[[], str]:
    settings = context.settings
    if settings.get("base_url"):
        return str(settings["base_url"])
    if settings.get("dc"):
        return f"https://{settings['dc']}.api.mailchimp.com/3.0"
    return _Metadata(context, token).base_url


@dataclass
class _Metadata:
    """Where the account of an OAuth token lives, asked for once in a run."""

    context: Context
    token: Callable[[], str]
    found: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def base_url(self) -> str:
        with self.lock:
            if not self.found:
                self.found = self._ask()
            return self.found

    def _ask(self) -> str:
        client = Client(
            self.context,
            base_url=LOGIN,
            authenticate=lambda request: {"Authorization": f"OAuth {self.token()}"},
            verdict=metadata_verdict,
            limits=Limits(connections=1),
        )
        try:
            answer = client.json(Request("/oauth2/metadata"))
        finally:
            client.close()
        return f"{str(answer['api_endpoint']).rstrip('/')}/3.0"


def metadata_verdict(request: Request, response: Response) -> ApiError | None:
    """A dead token gets status 200 here, with an `error` and without an `api_endpoint`."""
    body = _json(response)
    if response.status in (200, 401, 403) and isinstance(body, dict) and not body.get("api_endpoint"):
        advice = "The access token is invalid or was revoked: authorise again with --authorize."
        return AuthError(answered(request, response, say=words(response), advice=advice))
    return standard_verdict(request, response)


def verdict(request: Request, response: Response) -> ApiError | None:
    """What an answer of the API means, where Mailchimp has ideas of its own."""
    status = response.status
    if status < 400:
        return standard_verdict(request, response)

    def text(advice: str = "") -> str:
        return answered(request, response, say=words(response), advice=advice)

    if status == 401:
        return AuthError(text(_credential_advice(words(response))))
    if status == 403 and isinstance(_json(response), dict):
        if request.path == "/ping":
            return AuthError(text("The user is disabled, or may not use the API."))
        if _is_of_plan(words(response)):
            return UnavailableError(text("The account does not have this: nothing is read."))
        return RefusedError(
            text("The user's role or the account's plan does not allow this: use another credential, or deselect it.")
        )
    if status == 429 or (status == 403 and _is_own(request)):
        # 403 without JSON is throttling "at exceptionally high volume" (developer guide, "Errors", 2026).
        return RetryableError(
            text(), wait_seconds=retry_after(response), everyone=True, fewer_connections=status == 429
        )
    if status in (405, 414, 422):
        # 414 is "Resource Nesting Too Deep" here: a smaller page would not help.
        return ApiError(text("Please report this."))
    if status == 426:
        return ApiError(text("TLS 1.2 or later is needed between here and Mailchimp; is there an old proxy?"))
    return standard_verdict(request, response)


def _is_of_plan(said: str) -> bool:
    """Whether a refusal is for want of a plan or an add-on, which no other user of the account has either."""
    said = said.lower()
    return bool(_PLAN.search(said)) and not _ROLE.search(said)


_PLAN = re.compile(r"\b(plans?|upgrade|premium|add-?on|paid)\b")
_ROLE = re.compile(r"\b(role|user|permissions?|permitted|authori[sz]ed)\b")


class Firewall:
    """The verdict of one run, which knows how often the firewall before the API has turned a request away.

    It answers 403 or 503 with a page of HTML, to addresses it has blocked and to those that ask for very much (observed
    by users, 2025). Of the latter it lets go in a while; so a request is tried three times. After that none is tried
    again until something gets through.
    """

    PAUSES = (10.0, 30.0)
    """Seconds before the second and the third try."""

    def __init__(self) -> None:
        self._times: dict[str, int] = {}
        self._has_closed = False

    def verdict(self, request: Request, response: Response) -> ApiError | None:
        """What an answer means, a firewall's page included. A client asks for one verdict at a time."""
        page = firewall_page(response) if _is_own(request) else None
        if page is None:
            if response.status < 400:
                self._times.clear()
                self._has_closed = False
            return verdict(request, response)
        asked = f"{request.method} {request.path} {request.params}"
        times = self._times[asked] = self._times.get(asked, 0) + 1
        said = f"{answered(request, response, say=page)} The firewall before Mailchimp turns this address away."
        if times <= len(self.PAUSES) and not self._has_closed:
            return RetryableError(said, wait_seconds=self.PAUSES[times - 1], everyone=True)
        self._has_closed = True
        return QuotaError(
            f"{said} The credential was not looked at. Run again in an hour, with a lower concurrency; if it "
            "persists, give Mailchimp's support the address of this machine and the reference."
        )


def firewall_page(response: Response) -> str | None:
    """What a firewall's page says, with its reference; None for every other answer."""
    if response.status not in (403, 503) or _json(response) is not None:
        return None
    text = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", response.text)).split())
    if not (response.text.lstrip().startswith("<") and _BLOCKED.search(text)):
        return None
    reference = _REFERENCE.search(text)
    return f"Access Denied, reference #{reference[1]}" if reference else text[:200]


_BLOCKED = re.compile(
    r"access denied|reference #|request (?:was )?(?:blocked|rejected)|you have been blocked", re.IGNORECASE
)
_REFERENCE = re.compile(r"reference\s*#\s*([0-9a-z.]+)", re.IGNORECASE)


def _credential_advice(said: str) -> str:
    if "datacenter" in said.replace(" ", "").lower():
        return (
            "The credential is wrong or revoked, or belongs to another data centre: check api_key or access_token, "
            "and dc if it is set."
        )
    return "Check api_key or access_token; a revoked token needs --authorize."


def _is_own(request: Request) -> bool:
    """Whether the request went to the API: links to results of batches lead elsewhere, and expire with a 403 in XML."""
    return not request.path.startswith(("https://", "http://"))


def _json(response: Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def check(client: Client) -> None:
    """Proves the credential, and that the account has the lists that `list_ids` names."""
    client.json(Request("/ping"))
    check_lists(client)


def check_lists(client: Client) -> None:
    """ConfigError when `list_ids` names a list that the account does not have."""
    wanted = set(client.settings["list_ids"] or ())
    if not wanted:
        return
    params = {"count": 1000, "fields": "lists.id,lists.name,total_items"}
    answer = client.json(Request("/lists", params), stream="lists")
    found = {row["id"]: row.get("name") for row in answer["lists"]}
    unknown = sorted(wanted - set(found))
    if unknown and int(answer.get("total_items") or 0) <= len(found):
        there = ", ".join(f"{identifier} ({name})" for identifier, name in list(found.items())[:20]) or "none"
        raise ConfigError(f"list_ids: the account has no list {', '.join(unknown)}. There are: {there}.")
