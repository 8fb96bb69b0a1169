"""Skeleton over HTTP: where it is, how requests prove who asks, what its answers mean."""

from __future__ import annotations

from shared.api.answers import Response, standard_verdict
from shared.api.client import Client, Context
from shared.api.limits import Limits
from shared.api.request import Request
from shared.errors import ApiError

BASE_URL = "https://api.example.com/v1"


def connect(context: Context) -> Client:
    """A client for the account; nothing is asked yet."""
    settings = context.settings
    return Client(
        context,
        base_url=str(settings.get("base_url") or BASE_URL),
        authenticate=lambda request: {"Authorization": f"Bearer {settings['api_key']}"},
        verdict=verdict,
        limits=Limits(connections=int(settings["concurrency"])),
    )


def verdict(request: Request, response: Response) -> ApiError | None:
    """What an answer means; the place for whatever this API says in its own way."""
    return standard_verdict(request, response)


def check(client: Client) -> None:
    """Proves the credential with one cheap request."""
    client.json(Request("/items", {"limit": 1}))
