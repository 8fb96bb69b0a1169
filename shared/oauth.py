"""Tokens: how they are first granted (`authorize`, behind --authorize), and how they are kept fresh (`Tokens`).

An access token is renewed a few minutes before it expires, and when the API refuses it; by one thread for all, and by
one process for all that share a config file: they take turns by a lock beside that file and read it again first, since
a refresh token may be good for one use only. What the API gives instead goes straight back into the file.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import queue
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TextIO, cast
from urllib.parse import parse_qs, quote, urlencode, urlsplit, urlunsplit

from .answers import Response, answered, standard_verdict, words
from .client import Client, Context
from .errors import ApiError, AuthError, ConfigError, RetryableError
from .limits import Limits
from .pagination import Request
from .timestamps import UTC, canonical, parse
from .urls import check_base_url, is_loopback

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

    from .config import Config
    from .tap import Tap

logger = logging.getLogger(__name__)

Settings = Mapping[str, Any]
ClientAuth = Literal["basic", "body", "none"]

EARLY_SECONDS = 300.0
"""An access token is renewed so long before it expires, or a quarter of its life when that is shorter."""
_TURN_SECONDS = 120.0
_LOOK_AGAIN = 0.2
_CALLBACK_SECONDS = 600.0
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
    url = _place(flow.token_url, context.settings)
    client = Client(context, base_url=url, limits=Limits(connections=1), verdict=_token_verdict, timeout=(10.0, 60.0))
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


def _place(url: str | Callable[[Settings], str], settings: Settings) -> str:
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
            if self._refresh:
                answer = _renewed(flow, context, self._refresh)
            elif not self._access and (code := context.settings.get(flow.code)):
                answer = exchange(flow, context, str(code), context.settings.get(flow.code_verifier))
            else:
                raise AuthError(f"The access token is refused or has expired, and there is no refresh token. {_AGAIN}")
            changes = flow.stored(answer)
            self._adopt(changes, lifetime=_lifetime(answer))
            if context.settings.get("persist_tokens", True):
                context.save(changes)

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


# The first grant


def authorize(tap: Tap, config: Config, *, open_browser: Callable[[str], bool], stdin: TextIO, stderr: TextIO) -> None:
    """The --authorize walk: the user grants access in a browser, the tokens go into the config file."""
    flow = tap.authorize
    if flow is None:
        raise ConfigError(
            f"{tap.title} has no OAuth here, so there is nothing to authorise. {tap.describe_key}".rstrip()
        )
    settings = config.settings
    needed = [flow.client_id, flow.redirect_uri]
    if flow.client_auth != "none":
        needed.append(flow.client_secret)
    missing = [name for name in needed if not settings.get(name)]
    if missing:
        raise ConfigError(f"To authorise, the config needs {', '.join(missing)} of the application.")
    state = secrets.token_urlsafe(24)
    verifier = secrets.token_urlsafe(64) if flow.pkce else None
    url = authorization_url(flow, settings, state=state, verifier=verifier)
    code = _granted_code(url, str(settings[flow.redirect_uri]), state, open_browser, stdin, stderr)
    context = Context(settings=settings, report=cast("Any", _Silent()), secrets=config.secrets)
    answer = exchange(flow, context, code, verifier)
    config.save(flow.stored(answer))
    print(f"Authorised: {tap.name} can read this account.", file=stderr)


def authorization_url(flow: Flow, settings: Settings, *, state: str, verifier: str | None) -> str:
    """Where the user grants access."""
    params = {
        "response_type": "code",
        "client_id": str(settings[flow.client_id]),
        "redirect_uri": str(settings[flow.redirect_uri]),
        "state": state,
    }
    if flow.scopes:
        params["scope"] = flow.scope_separator.join(flow.scopes)
    if verifier:
        digest = hashlib.sha256(verifier.encode()).digest()
        params["code_challenge"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        params["code_challenge_method"] = "S256"
    parts = urlsplit(_place(flow.authorize_url, settings))
    query = "&".join(part for part in (parts.query, urlencode({**params, **flow.extra}, quote_via=quote)) if part)
    return urlunsplit(parts._replace(query=query))


def _granted_code(
    url: str, redirect_uri: str, state: str, open_browser: Callable[[str], bool], stdin: TextIO, stderr: TextIO
) -> str:
    """The code, from the redirect to this machine, or pasted where there is no browser or no such redirect."""

    def tell(text: str) -> None:
        print(text, file=stderr, flush=True)

    tell(f"Grant access here:\n{url}")
    target = urlsplit(redirect_uri)
    if target.scheme == "http" and is_loopback(target.hostname):
        with _listening(redirect_uri, state) as answers:
            if answers is not None and open_browser(url):
                tell(f"Waiting for the answer at {redirect_uri} …")
                try:
                    return _code_of(answers.get(timeout=_CALLBACK_SECONDS))
                except queue.Empty:
                    raise AuthError(f"No answer came within {_CALLBACK_SECONDS / 60:.0f} minutes.") from None
    else:
        open_browser(url)
    tell("Then paste the address that the browser was sent to, or the code in it:")
    pasted = stdin.readline().strip()
    if not pasted:
        raise AuthError("No code was given.")
    query = urlsplit(pasted).query if "://" in pasted else pasted if "code=" in pasted or "error=" in pasted else ""
    if not query:
        return pasted
    answer = _members(query.lstrip("?"))
    if not hmac.compare_digest(answer.get("state", "").encode(), state.encode()):
        raise AuthError("The address belongs to another attempt (its state differs). Start again with --authorize.")
    return _code_of(answer)


@contextmanager
def _listening(redirect_uri: str, state: str) -> Iterator[queue.Queue[dict[str, str]] | None]:
    """The answers that the browser brings to `redirect_uri`; None when its port is taken."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    target = urlsplit(redirect_uri)
    answers: queue.Queue[dict[str, str]] = queue.Queue()

    class Callback(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            answer = _members(asked.query)
            if (asked.path or "/") != (target.path or "/") or not {"code", "error"} & answer.keys():
                return _say(self, 404, "Nothing here.")
            if not hmac.compare_digest(answer.get("state", "").encode(), state.encode()):
                return _say(self, 400, "This answer belongs to another attempt.")
            _say(self, 200, "Thank you. You can close this window and go back to the terminal.")
            return answers.put(answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing: the line would hold the code."""

    host = "127.0.0.1" if target.hostname == "localhost" else str(target.hostname)
    try:
        # Threads, since browsers hold spare connections open on which nothing comes.
        server = ThreadingHTTPServer((host, target.port or 80), Callback)
    except (OSError, ValueError) as problem:
        logger.debug("cannot listen at %s: %s", redirect_uri, problem)
        yield None
        return
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield answers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _say(handler: BaseHTTPRequestHandler, status: int, text: str) -> None:
    body = f"{text}\n".encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "text/plain; charset=utf-8")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def _members(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


def _code_of(answer: Mapping[str, str]) -> str:
    if answer.get("code"):
        return answer["code"]
    raise AuthError(f'Access was not granted: "{answer.get("error_description") or answer.get("error", "no code")}".')


class _Silent:
    """A report for where there is no run to report on."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None
