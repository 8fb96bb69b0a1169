"""The first grant, behind --authorize: the user grants access in a browser, the tokens go into the config file."""

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
from typing import TYPE_CHECKING, Any, TextIO, cast
from urllib.parse import parse_qs, quote, urlencode, urlsplit, urlunsplit

from ..api.client import Context
from ..api.oauth import Flow, exchange, place
from ..errors import AuthError, ConfigError
from ..urls import is_loopback

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

    from ..api.oauth import Settings
    from ..tap import Tap
    from .config import Config

logger = logging.getLogger(__name__)

_CALLBACK_SECONDS = 600.0


def authorize(
    tap: Tap,
    config: Config,
    *,
    open_browser: Callable[[str], bool],
    stdin: TextIO,
    stderr: TextIO,
    renewing: threading.Lock | None = None,
) -> None:
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
    with renewing or context.renewing:
        config.save(flow.stored(exchange(flow, context, code, verifier)))
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
    parts = urlsplit(place(flow.authorize_url, settings))
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
