"""Tokens: what an API's flow is (`Flow`), and how they are kept fresh (`Tokens`); the first grant is `authorize`'s.

An access token is renewed a few minutes before it expires, and when the API refuses it; by one thread for all, and by
one process for all that share a config file: they take turns by a lock beside that file and read it again first, since
a refresh token may be good for one use only. What the API gives instead goes straight back into the file, before
anything else happens: while `Context.renewing` is held, the process is not to end.
"""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlencode

from ..errors import ApiError, AuthError, RetryableError
from ..timestamps import UTC, canonical, parse
from ..urls import check_base_url
from .answers import Response, answered, standard_verdict, words
from .client import Client, Context
from .limits import Limits
from .request import Request

logger = logging.getLogger(__name__)

Settings = Mapping[str, Any]
ClientAuth = Literal["basic", "body", "none"]

EARLY_SECONDS = 300.0
"""An access token is renewed so long before it expires, or a quarter of its life when that is shorter."""
_TURN_SECONDS = 120.0
_LOOK_AGAIN = 0.2
_PASSING = ("server_error", "temporarily_unavailable")  # RFC 6749, 4.1.2.1; everything else ends the grant
_AGAIN = "Authorise again with --authorize."


@dataclass(frozen=True, kw_only=True)
class Flow:
    """An API's authorisation-code flow. `client_id` to `expires_at` are names of settings.

    `client_auth` says how the token endpoint knows the application: a Basic header, members of the form, or not at
    all; `refresh_auth` the same for a refresh, where that differs. `extra` goes into the authorisation URL. `store`
    gives the settings to save from the endpoint's answer, to which `expires_at` (an instant) has been added.
    """

    authorize_url: str | Callable[[Settings], str]
    token_url: str | Callable[[Settings], str]
    scopes: tuple[str, ...] = ()
    scope_separator: str = " "
    pkce: bool = False
    client_auth: ClientAuth = "body"
    refresh_auth: ClientAuth | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    client_id: str = "client_id"
    client_secret: str = "client_secret"  # noqa: S105 (a name, no secret)
    redirect_uri: str = "redirect_uri"
    code: str = "code"
    code_verifier: str = "code_verifier"
    access_token: str = "access_token"  # noqa: S105 (a name, no secret)
    refresh_token: str = "refresh_token"  # noqa: S105 (a name, no secret)
    expires_at: str = "expires_at"
    store: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None

    def stored(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """The settings to save; a refresh token that the answer leaves out stays as it was."""
        if self.store is not None:
            return self.store(answer)
        names = {"access_token": self.access_token, "refresh_token": self.refresh_token, "expires_at": self.expires_at}
        return {setting: answer[member] for member, setting in names.items() if answer.get(member)}


# The token endpoint


def exchange(flow: Flow, context: Context, code: str, verifier: str | None = None) -> dict[str, Any]:
    """The token endpoint's answer to an authorisation code, which is good for one use."""
    form = {"grant_type": "authorization_code", "code": code}
    if redirect_uri := context.settings.get(flow.redirect_uri):
        form["redirect_uri"] = str(redirect_uri)
    if verifier:
        form["code_verifier"] = verifier
    return _ask(flow, context, form, flow.client_auth)


def _renewed(flow: Flow, context: Context, refresh_token: str) -> dict[str, Any]:
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return _ask(flow, context, form, flow.refresh_auth or flow.client_auth)


def _ask(flow: Flow, context: Context, form: dict[str, str], client_auth: ClientAuth) -> dict[str, Any]:
    client_id = str(context.settings.get(flow.client_id) or "")
    client_secret = str(context.settings.get(flow.client_secret) or "")
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if client_auth == "basic":
        user = f"{client_id}:{client_secret}"
        headers["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
    elif client_auth == "body":
        form = {**form, "client_id": client_id, "client_secret": client_secret}
    elif flow.pkce:
        form = {**form, "client_id": client_id}
    for text in (client_secret, *form.values(), headers.get("Authorization", "").rpartition(" ")[2]):
        if text not in (form["grant_type"], client_id, form.get("redirect_uri")):
            context.masks.add(text)
    url = place(flow.token_url, context.settings)
    client = Client(
        context,
        base_url=url,
        limits=Limits(connections=1),
        verdict=_token_verdict,
        timeout=(10.0, 60.0),
        is_patient=True,  # the refresh token sent may be good for this one answer only
    )
    request = Request(path=url, method="POST", body=urlencode(form).encode(), headers=headers)
    try:
        answer = client.send(request, read=_token_answer)
    finally:
        client.close()
    for name in ("access_token", "refresh_token"):
        if answer.get(name):
            context.masks.add(str(answer[name]))
    lifetime = _lifetime(answer)
    if lifetime:
        answer["expires_at"] = canonical(datetime.now(UTC) + timedelta(seconds=lifetime))
    return answer


def _token_answer(response: Response) -> dict[str, Any]:
    answer = response.json()
    if not isinstance(answer, dict) or not answer.get("access_token"):
        raise ValueError("no access token in it")
    return answer


def _token_verdict(request: Request, response: Response) -> ApiError | None:
    """Servers do not agree on the status of a refusal, even 200 occurs, so the body is asked first."""
    try:
        body = response.json()
    except ValueError:
        body = None
    error = body.get("error") if isinstance(body, dict) else None
    if error and response.status not in (408, 429) and response.status < 500:
        said = words(response)
        said = said if str(error) in said else f"{error}: {said}"
        if error in _PASSING:
            return RetryableError(answered(request, response, say=said))
        return AuthError(answered(request, response, say=said, advice=_AGAIN))
    verdict = standard_verdict(request, response)
    if verdict is None or isinstance(verdict, RetryableError):
        return verdict
    return AuthError(answered(request, response, say=words(response), advice=_AGAIN))


def _lifetime(answer: Mapping[str, Any]) -> float:
    """Seconds the access token is good for; 0 = unlimited, or not said."""
    try:
        return max(float(answer.get("expires_in") or 0), 0.0)
    except (TypeError, ValueError):
        return 0.0


def place(url: str | Callable[[Settings], str], settings: Settings) -> str:
    """The address of `flow.authorize_url` or `flow.token_url`; a ConfigError unless it is safe."""
    url = url if isinstance(url, str) else url(settings)
    check_base_url(url)
    return url


# Keeping tokens fresh


class Tokens:
    """An access token that is fresh whenever it is asked for. Safe to share between threads.

    `Client(..., authenticate=tokens.headers, refresh=tokens.refresh)`.
    """

    def __init__(self, flow: Flow, context: Context, *, scheme: str = "Bearer") -> None:
        self._flow = flow
        self._context = context
        self._scheme = scheme
        self._lock = threading.Lock()
        self._handed_out = threading.local()
        self._access = ""
        self._refresh = ""
        self._renew_at: float | None = None  # by the context's clock
        self._held: set[str] = set()  # every token there ever was: a file that cannot be written still has the first
        self._adopt(context.settings)

    def headers(self, request: Request | None = None) -> dict[str, str]:
        """The header that carries the token."""
        return {"Authorization": f"{self._scheme} {self.token()}"}

    def token(self) -> str:
        """An access token that lives for some minutes yet."""
        if not self._is_fresh():
            with self._lock:
                if not self._is_fresh():
                    self._renew()
        self._handed_out.token = access = self._access
        return access

    def refresh(self) -> None:
        """The API refused the token that this thread was given last: see that there is another."""
        refused = getattr(self._handed_out, "token", None)
        with self._lock:
            if refused is None or refused == self._access:
                self._renew()

    def _is_fresh(self) -> bool:
        return bool(self._access) and (self._renew_at is None or self._context.clock() < self._renew_at)

    def _renew(self) -> None:
        flow, context = self._flow, self._context
        with _turn(context):
            if context.reload is not None and self._adopt(context.reload()):
                return
            with context.renewing:
                answer = self._granted()
                changes = flow.stored(answer)
                if context.settings.get("persist_tokens", True):
                    context.save(changes)
            self._adopt(changes, lifetime=_lifetime(answer))

    def _granted(self) -> dict[str, Any]:
        """What the token endpoint gives for the refresh token, or else for the code."""
        flow, context = self._flow, self._context
        if self._refresh:
            return _renewed(flow, context, self._refresh)
        if not self._access and (code := context.settings.get(flow.code)):
            return exchange(flow, context, str(code), context.settings.get(flow.code_verifier))
        raise AuthError(f"The access token is refused or has expired, and there is no refresh token. {_AGAIN}")

    def _adopt(self, settings: Settings, *, lifetime: float | None = None) -> bool:
        """Take over tokens never held before; whether there was a new and fresh access token among them."""
        flow = self._flow
        refresh = str(settings.get(flow.refresh_token) or "")
        if refresh and refresh not in self._held:
            self._refresh = refresh
        access = str(settings.get(flow.access_token) or "")
        is_new = bool(access) and access not in self._held
        if is_new:
            self._access = access
            self._renew_at = self._renewal(settings.get(flow.expires_at), lifetime)
        for token in (access, refresh):
            if token:
                self._held.add(token)
                self._context.masks.add(token)
        return is_new and self._is_fresh()

    def _renewal(self, expires_at: Any, lifetime: float | None) -> float | None:
        """When to renew, by the context's clock, from the token's lifetime or else from its stored end."""
        if lifetime is not None:
            return self._context.clock() + lifetime - min(EARLY_SECONDS, lifetime / 4) if lifetime else None
        if not expires_at:
            return None
        try:
            left = (parse(str(expires_at)) - datetime.now(UTC)).total_seconds()
        except ValueError:
            return None
        return self._context.clock() + left - EARLY_SECONDS


@contextmanager
def _turn(context: Context) -> Iterator[None]:
    """This process's turn among those that share the config file."""
    if context.lock_path is None:
        yield
        return
    # Portable where fcntl is not; its own waiting is not used, as a signal has to end ours.
    import portalocker

    try:
        file = context.lock_path.open("a")
    except OSError as problem:  # a read-only folder: nobody could save a token there either
        logger.debug("no lock beside the config file: %s", problem)
        yield
        return
    with file:
        until = context.clock() + _TURN_SECONDS * context.speed
        while True:
            try:
                portalocker.lock(file, portalocker.LOCK_EX | portalocker.LOCK_NB)
                break
            except portalocker.LockException:
                if context.clock() > until:
                    raise ApiError(
                        f"Another process has held {context.lock_path} for {_TURN_SECONDS:.0f} seconds. "
                        "End it, or give each its own config file."
                    ) from None
                context.wait(_LOOK_AGAIN * context.speed)
        try:
            yield
        finally:
            portalocker.unlock(file)
