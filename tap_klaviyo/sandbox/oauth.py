"""Klaviyo's OAuth server: consent, codes with PKCE, tokens that expire and rotate."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from shared.sandbox import Answer, Call, Param, Refusal, Route, consent

if TYPE_CHECKING:
    from . import KlaviyoSandbox

CLIENT = ("sandbox-client", "sandbox-client-secret")
REFRESH_TOKEN = "sandbox-refresh-token-0"
TOKEN_SECONDS = 3600


def _authorize(sandbox: KlaviyoSandbox, call: Call) -> Answer:
    asked = call.params
    if asked["client_id"] != CLIENT[0] or asked["code_challenge_method"] != "S256":
        raise Refusal(400, "Unknown application, or no PKCE.")
    if "accounts:read" not in asked["scope"].split():
        return consent("", asked["redirect_uri"], {"error": "invalid_scope"}, asked.get("state"))
    code = f"sandbox-code-{len(sandbox.codes)}"
    sandbox.codes[code] = (asked["redirect_uri"], asked["code_challenge"])
    return consent(sandbox.options["consent"], asked["redirect_uri"], {"code": code}, asked.get("state"))


def _token(sandbox: KlaviyoSandbox, call: Call) -> Answer:
    form = {name: values[0] for name, values in parse_qs(call.body.decode()).items()}
    expected = b64encode(":".join(CLIENT).encode()).decode()
    if call.headers.get("authorization") != f"Basic {expected}":
        return Answer.of({"error": "invalid_client", "error_description": "unknown client"}, 401)
    if form.get("grant_type") == "authorization_code":
        challenge = urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if sandbox.codes.pop(form.get("code", ""), None) != (form.get("redirect_uri"), challenge):
            return Answer.of({"error": "invalid_grant", "error_description": "the code or its verifier is wrong"}, 400)
    elif form.get("grant_type") != "refresh_token" or form.get("refresh_token") not in sandbox.refresh_tokens:
        return Answer.of({"error": "invalid_grant", "error_description": "the refresh token is not valid"}, 400)
    token = f"sandbox-access-{len(sandbox.tokens)}"
    sandbox.tokens[token] = sandbox.clock.now().timestamp() + TOKEN_SECONDS
    answer = {"access_token": token, "expires_in": TOKEN_SECONDS, "token_type": "bearer", "scope": "accounts:read"}
    if sandbox.options["rotate"] != "0" or "code" in form:
        answer["refresh_token"] = f"sandbox-refresh-token-{len(sandbox.tokens)}"
        sandbox.refresh_tokens = {str(answer["refresh_token"])}
    return Answer.of(answer)


_ASKED = ("response_type", "client_id", "redirect_uri", "scope", "code_challenge", "code_challenge_method")

ROUTES = (
    Route(
        path="/oauth/authorize",
        handler=_authorize,
        params={**{name: Param(required=True) for name in _ASKED}, "state": Param()},
        public=True,
    ),
    Route(path="/oauth/token", method="POST", handler=_token, public=True),
)
