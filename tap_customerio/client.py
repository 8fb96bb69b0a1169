"""Customer.io over HTTP: which region, what its answers mean, ten requests a second for all workers together.

The App API answers at its workspace's region alone; elsewhere a good key looks like a bad one (401). Its one limit is a
rate, shared with whatever else uses the workspace, so 429 may come at any pace of ours. Only a 429 says how long to
wait; one that does not say so means that a daily quota is used up.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.api.answers import Response, answered, retry_after, standard_verdict, words
from shared.api.client import Client, Context, Retry
from shared.api.limits import Limits, Quota
from shared.api.request import Request
from shared.errors import ApiError, AuthError, RefusedError, RetryableError

HOSTS = {"us": "https://api.customer.io/v1", "eu": "https://api-eu.customer.io/v1"}
DAILY_QUOTA_SECONDS = 600
"""For so long a quota without a word on its end is asked for again."""
JITTER = 1.05
"""The server counts at arrival, so a second is taken to be a little longer here."""


def connect(context: Context) -> Client:
    """A client for the workspace; nothing is asked yet."""
    settings = context.settings
    base_url: str | Callable[[], str] = str(settings.get("base_url") or HOSTS.get(settings["region"], ""))
    return client_at(context, base_url or _Region(context).base_url)


def client_at(context: Context, base_url: str | Callable[[], str]) -> Client:
    """A client that asks at one address."""
    settings = context.settings
    return Client(
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


def rate(per_second: float) -> Quota:
    """The one limit: never more than `per_second` requests begun within a second, or one in so many seconds.

    They begin one after the other rather than ten at once, so that the next page of a long walk need not wait a second,
    yet a little faster than that, to catch up after a start with a single one.
    """
    whole = max(1, int(per_second))
    return Quota("", rates=((whole, JITTER * whole / per_second), (1, 0.9 / per_second)))


@dataclass
class _Region:
    """Where the key belongs, found out once in a run: only there it is not answered with 401."""

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
        except AuthError:
            return HOSTS["eu"]  # if that is wrong as well, its own answer says so
        finally:
            client.close()
        return HOSTS["us"]


def verdict(request: Request, response: Response) -> ApiError | None:
    """What an answer means, where Customer.io has ideas of its own."""
    status = response.status

    def text(advice: str = "") -> str:
        return answered(request, response, say=words(response), advice=advice)

    if status == 401:
        return AuthError(
            text(
                "Either the key is wrong or revoked, or it is a Track API key (an App API key is needed), or the "
                "workspace is in the other region (set region to us, eu or auto), or the key is limited to other IP "
                "addresses."
            )
        )
    if status == 403:
        return RefusedError(
            text(
                "The key's scope, the account's plan or the key's list of IP addresses excludes this: use another key, "
                "or deselect the stream."
            )
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


def check(client: Client) -> str | None:
    """Proves key and region. A key may be kept from the list of workspaces and be good all the same.

    The account goes by its oldest workspace: the list holds them all, and does not say which is the key's.
    """
    for path in ("/workspaces", "/campaigns"):
        try:
            answer = client.json(Request(path))
        except RefusedError:
            continue
        rows = answer.get("workspaces") if isinstance(answer, dict) else None
        ids = [row["id"] for row in rows or () if isinstance(row, dict) and isinstance(row.get("id"), int)]
        return str(min(ids)) if ids else None
    return None
