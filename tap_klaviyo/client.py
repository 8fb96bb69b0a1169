"""Klaviyo over HTTP: key or token, the API's revision, its tiers of quotas, and what its answers mean.

Every call says which revision it means. One that was retired would be served by the oldest living one, whose answers
look different; the header below makes it fail instead (versioning policy, 2026).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import tzinfo
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

from shared.api.answers import Response, Verdict, answered, retry_after, standard_verdict, words
from shared.api.client import Client, Context, Retry
from shared.api.limits import Limits, Quota
from shared.api.oauth import Flow, Tokens
from shared.api.request import Request
from shared.errors import (
    ApiError,
    AuthError,
    ConfigError,
    RefusedError,
    RetryableError,
    TooLargeError,
    UnavailableError,
)
from shared.timestamps import UTC

HOST = "https://a.klaviyo.com"
REVISION = "2026-07-15"

TIERS: Mapping[str, tuple[tuple[int, float], ...]] = {
    "XS": ((1, 1), (15, 60)),
    "S": ((3, 1), (60, 60)),
    "M": ((10, 1), (150, 60)),
    "L": ((75, 1), (750, 60)),
    "XL": ((350, 1), (3500, 60)),
    "report": ((1, 1), (2, 60)),
}
"""Burst and steady limits of every endpoint, for all keys of an account together."""
LONGEST_WAIT_SECONDS = 600
"""What asks for a longer wait is a daily quota: 225 reports a day."""

SCOPES = (
    "accounts", "campaigns", "catalogs", "coupon-codes", "coupons", "custom-objects", "events", "flows", "forms",
    "images", "lists", "metrics", "profiles", "push-tokens", "reviews", "segments", "tags", "templates",
    "tracking-settings", "web-feeds", "webhooks",
)  # fmt: skip

LATER_SCOPES = ("brands", "sender-config", "usage")
"""Of streams that few need: an application that was made without them would not be authorised at all."""


def _token_url(settings: Mapping[str, Any]) -> str:
    return f"{str(settings.get('base_url') or HOST).rstrip('/')}/oauth/token"


def _authorize_url(settings: Mapping[str, Any]) -> str:
    return f"{str(settings.get('base_url') or 'https://www.klaviyo.com').rstrip('/')}/oauth/authorize"


OAUTH = Flow(
    authorize_url=_authorize_url,
    token_url=_token_url,  # token traffic to www.klaviyo.com is blocked since 2025-03-31
    scopes=tuple(f"{name}:read" for name in SCOPES),
    pkce=True,
    client_auth="basic",
)


class AccountClient(Client):
    """A client that knows, once it was checked, in which time zone the account counts its days."""

    zone: ZoneInfo | None = None
    unknown_zone: str = ""
    """Its name where this machine does not know it."""


def zone_of(client: Client, stream: str) -> tzinfo:
    """The account's time zone; UTC, with a warning, where it is not known."""
    if isinstance(client, AccountClient) and client.zone is not None:
        return client.zone
    unknown = client.unknown_zone if isinstance(client, AccountClient) else ""
    why = (
        f"this machine does not know {unknown}; install tzdata" if unknown else "the key lacks the scope accounts:read"
    )
    client.report.warn(stream, f"days are counted in UTC, not in the account's time zone: {why}.")
    return UTC


def connect(context: Context) -> Client:
    """A client for the account; nothing is asked yet."""
    settings = context.settings
    key = settings.get("api_key")
    refresh: Callable[[], None] | None = None
    if key:
        context.masks.add(str(key))
        authenticate: Callable[[Request], Mapping[str, str]] = lambda _: {  # noqa: E731
            "Authorization": f"Klaviyo-API-Key {key}"
        }
    else:
        tokens = Tokens(OAUTH, context)
        authenticate, refresh = tokens.headers, tokens.refresh
    share = float(settings["rate_limit_share"])
    limits = Limits(connections=int(settings["concurrency"]), quotas=quotas(share))
    return AccountClient(
        context,
        base_url=str(settings.get("base_url") or HOST),
        authenticate=authenticate,
        refresh=refresh,
        limits=limits,
        verdict=heeding(limits, share, context.report.warn),
        headers={
            "revision": settings["api_revision"],
            "Accept": "application/vnd.api+json",
            "X-Klaviyo-Revision-Fall-Forward-Opt-Out": "1",
        },
        retry=Retry(tries=int(settings["max_retries"]), quota_seconds=LONGEST_WAIT_SECONDS),
    )


def quotas(share: float) -> list[Quota]:
    """The quota of every endpoint read, less what is left to the account's other integrations.

    They are named by tier and endpoint ("XL events"). The windows are a little longer than the API's, which counts
    requests when they arrive.
    """
    from .reports import REPORTS
    from .streams import STREAMS

    more = {f"report {stream.path.rpartition('/')[2]}" for stream in REPORTS} | {
        "XS list",
        "S metric aggregates",
        "M message variations",
    }
    names = sorted({stream.quota for stream in STREAMS if stream.quota} | more)
    return [Quota(name, _rates(name.partition(" ")[0], share)) for name in names]


def _rates(tier: str, share: float) -> tuple[tuple[int, float], ...]:
    return shared_out(TIERS[tier], share)


def shared_out(rates: Iterable[tuple[int, float]], share: float) -> tuple[tuple[int, float], ...]:
    """This tap's part of a quota."""
    return tuple((max(1, round(count * share)), seconds + 0.05) for count, seconds in rates)


def heeding(limits: Limits, share: float, warn: Callable[[str, str], None] = lambda *_: None) -> Verdict:
    """The verdict on each answer, heeding what its headers say: the account's own limits, where they list all of them
    (what remains is then that of the second alone), or else how much of the minute's is left, for others draw on it
    too. A metric that is dead is said with `warn`, since its stream goes on.
    """
    learned: dict[str, tuple[tuple[int, float], ...]] = {}

    def judged(request: Request, response: Response) -> ApiError | None:
        limit = response.headers.get("RateLimit-Limit", "")
        listed = {float(seconds): int(count) for count, seconds in _LISTED.findall(limit)}
        if listed and request.quota:
            rates = _told(request.quota, listed, share)
            if learned.get(request.quota, _told(request.quota, {}, share)) != rates:
                learned[request.quota] = rates
                limits.learn(request.quota, rates)
        elif seconds_left := _nearly_used_up(response, share):
            limits.pause(seconds_left, request.quota)
        error = verdict(request, response)
        if isinstance(error, DeadMetricError):
            warn("", str(error))
        return error

    return judged


LONGEST_RATE_SECONDS = 3600
"""What is counted by the day shows by a 429, and is not waited for."""
_LISTED = re.compile(r"(\d+)\s*;\s*w=(\d+)")


def _told(quota: str, listed: Mapping[float, int], share: float) -> tuple[tuple[int, float], ...]:
    """A quota's rates as its tier has them, but for the windows that an answer listed."""
    known = {seconds: count for count, seconds in TIERS.get(quota.partition(" ")[0], ())}
    merged = {float(seconds): count for seconds, count in {**known, **listed}.items()}
    return shared_out(
        ((count, seconds) for seconds, count in sorted(merged.items()) if seconds <= LONGEST_RATE_SECONDS), share
    )


def _nearly_used_up(response: Response, share: float) -> float:
    """Seconds until the minute's quota begins anew, if nearly all of it is used; else 0."""
    limit, remaining, reset = (_number(response, f"RateLimit-{name}") for name in ("Limit", "Remaining", "Reset"))
    if limit and remaining is not None and reset and remaining <= limit * (1 - share) / 2:
        return min(reset, 60)
    return 0


def _number(response: Response, name: str) -> float | None:
    match = re.match(r"\s*(\d+)", response.headers.get(name, ""))
    return float(match[1]) if match else None


def verdict(request: Request, response: Response) -> ApiError | None:
    """What an answer means, where Klaviyo has ideas of its own."""
    status = response.status
    if status < 400:  # a page is read once only
        return standard_verdict(request, response)
    said = words(response)

    def text(advice: str = "") -> str:
        return answered(request, response, say=said, advice=advice)

    if status == 400 and "invalid cursor" in said.lower():
        # Cursors die; a window is then read again as two halves, which needs no cursor from before.
        return TooLargeError(text("Run again."))
    if status == 401:
        return AuthError(text("Check api_key; with OAuth, authorise again with --authorize."))
    if status == 403:
        return _forbidden(request, response, said)
    if status == 400 and _DEAD_METRIC.search(said):  # /api/metrics lists some that /api/events does not know
        return DeadMetricError(text("The metric is listed and yet has no events; it is skipped."))
    if status == 400:
        return InvalidError(text(), said=said)
    if status == 410:
        raise ConfigError(text("The revision was retired: set api_revision to a living one, or leave it out."))
    if status == 429:
        seconds = _wait_seconds(response, said)
        is_daily = request.path.endswith("-reports") and seconds > LONGEST_WAIT_SECONDS
        advice = "Each kind of report may be asked for 225 times a day." if is_daily else ""
        return RetryableError(text(advice), wait_seconds=seconds, everyone=True)
    error = standard_verdict(request, response)
    if status >= 500 and error is not None and (setting := _asked_extra(response)):
        error.args = (f"{error} It was asked for more by the setting {setting}; without that it may answer.",)
    return error


class InvalidError(ApiError):
    """400: what was asked for does not suit. `said`: the API's own words."""

    def __init__(self, message: str, *, said: str) -> None:
        super().__init__(message)
        self.said = said


class DeadMetricError(UnavailableError):
    """A metric that is listed, and unknown where its events are asked for."""


_DEAD_METRIC = re.compile(r"Metric IDs? .*do(es)? not exist", re.IGNORECASE)
_SCOPE = re.compile(r"\bscopes?\b", re.IGNORECASE)
_PLAN = re.compile(
    r"\b(plan|plans|add-?on|upgrade|only available to|not available (to|for) (this|your)|not enabled|"
    r"not included|allow-?list(ed)?|beta|KDP|KCDP)\b",
    re.IGNORECASE,
)


def _forbidden(request: Request, response: Response, said: str) -> ApiError:
    """A 403: of the edge, of a key without a scope, or of a plan that lacks the feature."""
    if not _is_json(response):  # a challenge at the edge, sporadic (klaviyo-api-python#84)
        return RetryableError(answered(request, response, say=said))
    if _SCOPE.search(said):
        advice = f"Give the API key the scope {_scope(request)}, or deselect the stream."
        return RefusedError(answered(request, response, say=said, advice=advice))
    if _PLAN.search(said):
        advice = "The account's plan does not have it; deselect the stream."
        return UnavailableError(answered(request, response, say=said, advice=advice))
    advice = "Check what the API key may read and what the account's plan has, or deselect the stream."
    return RefusedError(answered(request, response, say=said, advice=advice))


_EXTRAS = {"predictive_analytics": "predictive_analytics", "definition": "template_definition"}


def _asked_extra(response: Response) -> str | None:
    """The setting that made a request ask for additional fields, which an API in trouble may not manage."""
    for name, value in parse_qsl(urlsplit(response.url).query):
        if name.startswith("additional-fields"):
            return next((setting for field, setting in _EXTRAS.items() if field in value.split(",")), None)
    return None


def _is_json(response: Response) -> bool:
    try:
        return isinstance(response.json(), dict)
    except ValueError:
        return False


def _scope(request: Request) -> str:
    match = re.search(r"/api/([a-z-]+)", request.path)
    name = match[1] if match else "it needs"
    return f"{_SCOPE_OF.get(name, name)}:read"


_SCOPE_OF = {
    "catalog-items": "catalogs", "catalog-variants": "catalogs", "catalog-categories": "catalogs",
    "tag-groups": "tags", "flow-actions": "flows", "template-universal-content": "templates",
    "custom-metrics": "metrics", "mapped-metrics": "metrics", "profile-bulk-import-jobs": "profiles",
    "data-sources": "custom-objects", "object-types": "custom-objects",
    "campaign-values-reports": "campaigns", "flow-values-reports": "flows", "flow-series-reports": "flows",
    "form-values-reports": "forms", "form-series-reports": "forms", "segment-values-reports": "segments",
    "segment-series-reports": "segments", "metric-aggregates": "metrics",
    "campaign-messages": "campaigns", "billing-usage": "usage", "text-messaging-senders": "sender-config",
    "brand-colors": "brands", "brand-logos": "brands", "brand-buttons": "brands", "brand-social-groups": "brands",
}  # fmt: skip


def _wait_seconds(response: Response, said: str) -> float:
    """By `Retry-After`, or by the text: "Expected available in N seconds"."""
    asked = retry_after(response)
    if asked is not None:
        return asked
    match = re.search(r"available in (\d+) second", said)
    return float(match[1]) if match else 1.0


def check(client: Client) -> str | None:
    """Proves the credential; gives the account's id. A key without the scope of accounts is judged by the metrics,
    which event streams need.
    """
    try:
        account = client.json(Request("/api/accounts", quota="XS accounts"))
        if isinstance(client, AccountClient):
            client.zone, client.unknown_zone = _zone(account)
    except (RefusedError, UnavailableError):
        client.json(Request("/api/metrics", {"fields[metric]": "name"}, quota="M metrics"))
        return None
    rows = account.get("data") if isinstance(account, dict) else None
    first = rows[0] if isinstance(rows, list) and rows else None
    return str(first["id"]) if isinstance(first, dict) and first.get("id") else None


def _zone(account: Any) -> tuple[ZoneInfo | None, str]:
    """The account's time zone, or its name where this machine does not know it."""
    try:
        name = str(account["data"][0]["attributes"]["timezone"] or "")
    except (LookupError, TypeError):
        return None, ""
    try:
        return ZoneInfo(name), ""
    except (LookupError, ValueError, OSError):
        return None, name


def pages(client: Client, path: str, *, quota: str, stream: str = "") -> Iterable[Any]:
    """The decoded pages of a whole collection."""
    request: Request | None = Request(path, quota=quota)
    while request is not None:
        body = client.json(request, stream=stream)
        yield body
        following = (body.get("links") or {}).get("next")
        request = request.with_url(following) if following else None
