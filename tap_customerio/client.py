"""Customer.io over HTTP: which region, what its answers mean, ten requests a second for all workers together.

The App API answers at its workspace's region alone; elsewhere a good key looks like a bad one (401), or is told of a
"wrong datacenter" (seen 2026, its HTTP status unknown). Its one limit is a rate, shared with whatever else uses the
workspace, so 429 may come at any pace of ours. Only a 429 says how long to wait; one that does not say so means that a
daily quota is used up.
"""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from shared.api.answers import Response, answered, path_of, retry_after, standard_verdict, words
from shared.api.client import Client, Context, Retry
from shared.api.limits import Limits, Quota
from shared.api.request import Request
from shared.errors import ApiError, AuthError, QuotaError, RefusedError, RetryableError, UnavailableError

from .rows import UNREAD, people

HOSTS = {"us": "https://api.customer.io/v1", "eu": "https://api-eu.customer.io/v1"}
DAILY_QUOTA_SECONDS = 600
"""For so long a quota without a word on its end is asked for again."""
JITTER = 1.05
"""The server counts at arrival, so a second is taken to be a little longer here."""
PEOPLE = "/customers/attributes"
HOPELESS = 8
"""So many requests for some of the people failed and none was answered: the others would not be either."""
REDIRECTS = (301, 302, 303, 307, 308)
ELSEWHERE = "wrong datacenter"
SHORT_BODY = 2_000
"""Errors are short; whole pages are not searched for words."""
_PLAN = re.compile(
    r"not authorized for this|\b(your|current|account'?s) plan\b|\bupgrade\b|feature .*(not|isn't) (enabled|available)",
    re.IGNORECASE,
)
_FEATURES = re.compile(r"/(object_types|objects|subscription_topics|subscription_channels|optouts|esp/.*)")
"""Whole lists that not every plan has, or not with one's own SMTP server."""


class MovedError(ApiError):
    """The answer points to another place, which is not followed."""


def connect(context: Context) -> Client:
    """A client for the workspace; nothing is asked yet."""
    settings = context.settings
    base_url: str | Callable[[], str] = str(settings.get("base_url") or HOSTS.get(settings["region"], ""))
    return client_at(context, base_url or _Region(context).base_url)


def client_at(context: Context, base_url: str | Callable[[], str]) -> Client:
    """A client that asks at one address."""
    settings = context.settings
    return AppClient(
        context,
        base_url=base_url,
        authenticate=lambda request: {"Authorization": f"Bearer {settings['access_token']}"},
        verdict=verdict,
        limits=Limits(
            connections=int(settings["concurrency"]),
            quotas=[rate(float(settings["requests_per_second"]))],
        ),
        retry=Retry(tries=int(settings["max_retries"]) + 1),
    )


class AppClient(Client):
    """A client by whom a person that the API cannot give is missed alone, not with the others of the request."""

    def send(self, request: Request, **options: Any) -> Any:
        """As ever; people in halves where they cannot be read together, down to the one that cannot be read."""
        if request.path != PEOPLE:
            return super().send(request, **options)
        try:
            return super().send(request, **{**options, "shrinkable": True})
        except (AuthError, QuotaError):
            raise
        except ApiError as error:
            answer = Response(
                200, content=json.dumps({"customers": self._in_parts(request, error, **options)}).encode()
            )
        return options["read"](answer) if "read" in options else answer

    def _in_parts(self, request: Request, error: ApiError, *, stream: str = "", **options: Any) -> list[Any]:
        """The people of a request that failed, and rows that stand for those who cannot be read."""
        rows: list[Any] = []
        failed, successes, failures = deque([(list(request.body["ids"]), error)]), 0, 1
        while failed:
            ids, why = failed.popleft()
            if len(ids) == 1:
                self.report.warn(stream, f"the person with cio_id {ids[0]} could not be read: {why}")
                rows.append({UNREAD: ids[0]})
                continue
            if failures >= HOPELESS and not successes:
                raise why
            for half in (ids[: len(ids) // 2], ids[len(ids) // 2 :]):
                part = replace(request, body={"ids": half})
                try:
                    rows += people(super().send(part, stream=stream, read=Response.json, shrinkable=True))
                    successes += 1
                except (AuthError, QuotaError):
                    raise
                except ApiError as problem:
                    failed.append((half, problem))
                    failures += 1
        if len(rows) > 1 and not successes and isinstance(error, (RefusedError, UnavailableError)):
            raise error
        return rows


def rate(per_second: float) -> Quota:
    """The one limit: never more than `per_second` requests begun within a second, or one in so many seconds.

    They begin one after the other rather than ten at once, so that the next page of a long walk need not wait a second,
    yet a little faster than that, to catch up after a start with a single one.
    """
    whole = max(1, int(per_second))
    return Quota("", rates=((whole, JITTER * whole / per_second), (1, 0.9 / per_second)))


@dataclass
class _Region:
    """Where the key belongs, found out once in a run: only there it is taken."""

    context: Context
    found: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def base_url(self) -> str:
        with self.lock:
            if not self.found:
                self.found = self._ask()
            return self.found

    def _ask(self) -> str:
        client = client_at(self.context, HOSTS["us"])
        try:
            check(client)
        except (AuthError, MovedError):
            return HOSTS["eu"]  # if that is wrong as well, its own answer says so
        finally:
            client.close()
        return HOSTS["us"]


def verdict(request: Request, response: Response) -> ApiError | None:
    """What an answer means, where Customer.io has ideas of its own."""
    status = response.status

    def text(advice: str = "") -> str:
        return answered(request, response, say=words(response), advice=advice)

    if status == 401 or _is_elsewhere(response):
        return AuthError(
            text(
                "Either the workspace is in the other region (set region to us or eu, or to auto, which asks both), or "
                "the key is wrong or revoked, or it is a Track API key (an App API key is needed), or the key is "
                "limited to other IP addresses."
            )
        )
    if status == 301:
        return MovedError(text("It points elsewhere, which is not followed: check region, and base_url if it is set."))
    if _is_lacking(request, response):
        return UnavailableError(text("The account's plan does not have this."))
    if status == 403:
        return RefusedError(
            text("The key's scope or its list of IP addresses excludes this: use another key, or deselect the stream.")
        )
    if status == 429:
        asked = retry_after(response)
        if asked is not None:
            return RetryableError(text(), wait_seconds=max(asked, 1.0), everyone=True)
        return RetryableError(
            text("It names no time to wait, so a daily quota of the workspace may be used up."),
            everyone=True,
            most_seconds=DAILY_QUOTA_SECONDS,
        )
    if status in (409, 413, 422):
        return ApiError(text("This is not expected of a read; please report it."))
    return standard_verdict(request, response)


def _is_elsewhere(response: Response) -> bool:
    """Whether the other region answers for the workspace: in words, or by a redirect to it or to nowhere."""
    said = response.content.lower() if len(response.content) < SHORT_BODY else b""
    if ELSEWHERE.encode() in said and ELSEWHERE in words(response).lower():
        return True
    target = urlsplit(response.headers.get("Location", "")).hostname
    is_known = target in {urlsplit(host).hostname for host in HOSTS.values()}
    return (response.status == 301 and target is None) or (response.status in REDIRECTS and is_known)


def _is_lacking(request: Request, response: Response) -> bool:
    """Whether the account lacks a feature. A scope that the key lacks is told of in `errors`, the plan in `meta`."""
    if response.status not in (400, 402, 403, 404) or len(response.content) >= SHORT_BODY:
        return False
    if response.status == 402 or _PLAN.search(words(response)):
        return True
    if response.status == 403:
        return _speaks_of_itself(response)
    if not _FEATURES.fullmatch(path_of(request)) or request.params.get("start") or request.params.get("offset"):
        return False
    is_search = request.method == "POST"  # whose filter may be what is wrong
    return response.status == 404 or not is_search or _speaks_of_itself(response)


def _speaks_of_itself(response: Response) -> bool:
    """Whether the answer has the envelope of an account's rights: `{"meta": {"error": …}}`."""
    try:
        body = response.json()
    except ValueError:
        return False
    return isinstance(body, dict) and isinstance(body.get("meta"), dict) and bool(body["meta"].get("error"))


def check(client: Client) -> str | None:
    """Proves key and region. A key may be kept from the list of workspaces and be good all the same.

    The account goes by its oldest workspace: the list holds them all, and does not say which is the key's.
    """
    for path in ("/workspaces", "/campaigns"):
        try:
            answer = client.json(Request(path))
        except (RefusedError, UnavailableError):
            continue
        rows = answer.get("workspaces") if isinstance(answer, dict) else None
        ids = [row["id"] for row in rows or () if isinstance(row, dict) and isinstance(row.get("id"), int)]
        return str(min(ids)) if ids else None
    return None
