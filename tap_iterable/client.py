"""Iterable over HTTP: which data centre, which quotas, what its answers mean.

A key belongs to one project in one data centre, and what it may read depends on its type: server-side keys read all,
read-only keys no export, no members of lists and no catalogs. Iterable answers 401 for all of that alike, and sometimes
writes code "Success" under an error status, so the status decides.
"""

from __future__ import annotations

import re

from shared.api.answers import Response, answered, retry_after, standard_verdict, words
from shared.api.client import Client, Context, Retry
from shared.api.limits import Limits, Quota, Rates
from shared.api.request import Request
from shared.errors import ApiError, AuthError, GoneError, RefusedError, RetryableError, TooLargeError, UnavailableError
from shared.streams import Settings

from .project import project

HOSTS = {"US": "https://api.iterable.com", "EU": "https://api.eu.iterable.com"}
CHECK = "/api/channels"
"""Small, 100 a second, and open to every key that is of use here."""

EXPORT, JOB_START, JOB_FILES, LIST_USERS, LIST_SIZE, METRICS, PLAIN, USERS = (
    "export",
    "export/start",
    "export/files",
    "lists/getUsers",
    "lists/size",
    "campaigns/metrics",
    "plain",
    "users",
)
EXPERIMENTS = "/api/experiments"
MARGIN_SECONDS = 0.5
"""Iterable counts at arrival: the windows are a little longer than it says."""
QUOTA_PATIENCE_SECONDS = 1800

_KEY_IS_UNKNOWN = (
    "Check api_key and region: a key belongs to one project in one data centre, US or EU. It has to be a server-side "
    "key, or a read-only one; keys for mobile apps, websites and JWT are of no use here."
)
_KEY_IS_OF_A_WRONG_TYPE = (
    "The key is known, and may not read this: it has to be a server-side key, or a read-only one, not one for mobile "
    "apps, websites or JWT, and the project's list of allowed IP addresses has to let it in."
)
_RATE = re.compile(r"rate limit of (\d+(?:\.\d+)?) per (minute|second)")
_VANISHING = re.compile(
    r"/api/(lists/getUsers|lists/\d+/size|templates/\w+/get|users/forgotten\w*|export/([^/]+/files|data\.json|start))"
)
"""Where 400 means that the object vanished, or that the project has nothing of the kind (no such type of data)."""
_OF_ANY_SIZE = re.compile(r"/api/catalogs(/[^/]+/items)?")
"""Where the largest page is not documented: a 400 may mean that it is smaller."""
_MANY_IDS = ("/api/campaigns/metrics", "/api/experiments/metrics")


def rates(per_minute: float) -> Rates:
    """So many requests a minute as a sliding window."""
    if per_minute >= 1:
        return ((int(per_minute), 60 + MARGIN_SECONDS),)
    return ((1, 60 / per_minute + MARGIN_SECONDS),)


def quotas(settings: Settings) -> tuple[Quota, ...]:
    """The limits of a project, from the vendor's specification of 2026-03; where it says nothing, 10 a second."""
    lists = rates(float(settings["list_requests_per_minute"]))
    return (
        Quota(EXPORT, rates(float(settings["export_requests_per_minute"])), int(settings["export_concurrency"])),
        Quota(JOB_START, ((1, 1.05),)),
        Quota(JOB_FILES, ((1, 1.05),)),
        Quota(LIST_USERS, lists, 2),
        Quota(LIST_SIZE, lists, 2),
        Quota(METRICS, rates(float(settings["metrics_requests_per_minute"]))),
        Quota(USERS, ((3, 1.05),)),
        Quota(PLAIN, ((10, 1.02),), 8),
        Quota("", ((100, 1.02),)),
    )


def connect(context: Context) -> Client:
    """A client for the project; nothing is asked yet."""
    settings = context.settings
    known = quotas(settings)
    limits = Limits(connections=int(settings["concurrency"]), quotas=known)
    allowed = {quota.name: quota.rates for quota in known}

    def judge(request: Request, response: Response) -> ApiError | None:
        if response.status == 429 and (said := stated(response)) is not None:
            ours = allowed.get(request.quota)
            # Only ever downwards: a setting below the quota leaves room for the project's other programs.
            if ours and _per_second(said) < _per_second(ours) * 0.9:
                allowed[request.quota] = said
                limits.learn(request.quota, said)
        return verdict(request, response)

    return Client(
        context,
        # `check` may have a look at the other data centre.
        base_url=lambda: settings.get("base_url") or HOSTS[project(settings).region or settings["region"]],
        authenticate=lambda request: {"Api-Key": str(settings["api_key"])},
        verdict=judge,
        headers={"Accept": "*/*"},  # much of it is text, CSV, or lines of JSON
        limits=limits,
        # An export that fails is asked for once more as it was, then by halves.
        retry=Retry(
            tries=6,
            too_large_after=2,
            quota_seconds=QUOTA_PATIENCE_SECONDS,
            # A list that took so long and was cut is to be asked for again at least once.
            budget_seconds=2.0 * int(settings["list_users_timeout_s"]),
        ),
    )


def stated(response: Response) -> Rates | None:
    """The quota that a 429 names in its text."""
    found = _RATE.search(words(response))
    if found is None or not float(found[1]):
        return None
    return (
        rates(float(found[1]) * (60 if found[2] == "second" else 1))
        if found[2] == "minute"
        else ((max(1, int(float(found[1]))), 1.05),)
    )


def _per_second(allowed: Rates) -> float:
    return min(count / seconds for count, seconds in allowed)


def verdict(request: Request, response: Response) -> ApiError | None:
    """What an answer of the API means, where Iterable has ideas of its own."""
    status = response.status

    def text(advice: str = "") -> str:
        return answered(request, response, say=words(response), advice=advice)

    if not _is_own(request):  # a file of a job: an expired link answers 403
        return standard_verdict(request, response)
    if status == 429:
        asked = retry_after(response)
        if asked is None and (said := stated(response)) is not None:
            asked = min(60.0, said[0][1] / said[0][0])
        return RetryableError(text(), wait_seconds=asked, everyone=True)
    if status in (401, 403):
        if request.path == CHECK:
            return AuthError(text(_KEY_IS_UNKNOWN if status == 401 else _KEY_IS_OF_A_WRONG_TYPE))
        return RefusedError(
            text("The type of this key does not reach that endpoint: use a server-side key, or deselect the stream.")
        )
    if status == 404 and request.path == EXPERIMENTS:
        return UnavailableError(text("The project has no experiments to be read so."))
    if status == 400 and _VANISHING.fullmatch(request.path):
        return GoneError(text())
    if (status == 409 and request.path in _MANY_IDS) or (status == 400 and _OF_ANY_SIZE.fullmatch(request.path)):
        return TooLargeError(text())
    found = standard_verdict(request, response)
    if found is not None and "templateId" in request.params:
        found.args = (f"{found} The template was {request.params['templateId']}.",)
    return found


def _is_own(request: Request) -> bool:
    return not request.path.startswith(("https://", "http://"))


def _home(client: Client) -> str | None:
    """The other data centre, if that is where the key belongs: both answer 401 to what they do not know."""
    known = project(client.settings)
    known.region = other = next(region for region in HOSTS if region != client.settings["region"])
    try:
        client.parting(timeout_seconds=10).json(Request(CHECK))
    except ApiError:
        return None
    finally:
        known.region = ""
    return other


def check(client: Client) -> None:
    """Proves the key."""
    try:
        client.json(Request(CHECK))
    except AuthError as error:
        if not client.settings.get("base_url") and (region := _home(client)):
            raise AuthError(f"The key is one of the {region} data centre: set region to {region}.") from error
        raise
